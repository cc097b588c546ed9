package automation

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"parley/internal/contact"
	"parley/internal/conversation/variables"
	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
	"parley/internal/webhook"
)

// Fire takes a trigger call (reference 4.4): it finds or creates the person,
// keeps a log of the call, and starts the rules of the trigger, now or at the
// time the call names. Faults: Invalid of "trigger" (Reason "missing" or
// "trigger"), of "phone" (Reason "missing" or "phone"), of "email",
// "callbackUrl", "callbackMethod", "delayMinutes", "delaySeconds", and of
// "variables.x" or "data.x" for a payload that its definition's schema refuses;
// NotFound with Reason "lead" and Details["hint"] for an unknown person, of which
// the log keeps a failed row.
func (s *Service) Fire(ctx context.Context, tenant id.ID, actor string, c Call) (Fired, error) {
	c, err := checkCall(c)
	if err != nil {
		return Fired{}, err
	}
	type result struct {
		fired   Fired
		unknown bool
	}
	// An unknown person is told only after the commit, so that its log stays.
	fire := func(inline bool) (result, error) {
		return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (result, error) {
			f, known, err := s.fire(tx, actor, c, inline)
			return result{f, !known}, err
		})
	}
	res, err := fire(true)
	if f := fault.As(err); err != nil && (f == nil || f.Reason == reasonDeleted) && ctx.Err() == nil {
		res, err = fire(false) // what a run's first steps ran into is no trouble of the caller's
	}
	if err != nil {
		return Fired{}, err
	}
	if res.unknown {
		return res.fired, unknownLead(res.fired.LogID)
	}
	return res.fired, nil
}

// FireIn is Fire inside a transaction. After a NotFound of "lead" the caller may
// still commit, and the failed log stays; after any other error it must not.
func (s *Service) FireIn(tx *store.Tx, actor string, c Call) (Fired, error) {
	c, err := checkCall(c)
	if err != nil {
		return Fired{}, err
	}
	f, known, err := s.fire(tx, actor, c, false)
	if err == nil && !known {
		err = unknownLead(f.LogID)
	}
	return f, err
}

// Upsert creates or changes a person as deal.Upsert does and fires c about them,
// in one transaction. The definition of c's trigger says where the person
// stands, unless n does, and the source of one who is new (reference 4.2).
// Faults are those of deal.Upsert and Fire.
func (s *Service) Upsert(ctx context.Context, tenant id.ID, actor string, n deal.NewCard, c Call) (deal.Card, bool, Fired, error) {
	type result struct {
		card    deal.Card
		created bool
		fired   Fired
	}
	res, err := store.Write(ctx, s.db, tenant, func(tx *store.Tx) (r result, err error) {
		placed, err := s.PlacedIn(tx, c.Trigger, n)
		if err != nil {
			return r, err
		}
		if r.card, r.created, err = s.cards.UpsertIn(tx, actor, placed); err != nil {
			return r, err
		}
		call := c
		call.Lead, call.Phone = r.card.Contact.ID, ""
		r.fired, err = s.FireIn(tx, actor, call)
		return r, err
	})
	return res.card, res.created, res.fired, err
}

// PlacedIn gives a person to be upserted what the active definition of a
// trigger says: pipeline and stage where n names neither, and the source if
// nobody has the phone yet.
func (s *Service) PlacedIn(tx *store.Tx, trigger string, n deal.NewCard) (deal.NewCard, error) {
	d, ok, err := definitionIn(tx, trigger)
	if err != nil || !ok || !d.Active {
		return n, err
	}
	source := n.Source
	if n, err = s.placed(tx, d, n); err != nil || source != "" || n.Phone == "" {
		return n, err
	}
	key, err := s.contacts.KeyOf(tx, n.Phone)
	if err != nil {
		return n, err
	}
	_, known, err := s.contacts.Find(tx, contact.Phone, key)
	if known {
		n.Source = source
	}
	return n, err
}

func unknownLead(log id.ID) error {
	return fault.Unknown("lead").With("hint", "send createLeadIfMissing: true, or create the lead first").With("eventLogId", log.String())
}

// fire takes a checked call. With inline, runs take their first steps in its
// transaction, not in jobs of their own.
func (s *Service) fire(tx *store.Tx, actor string, c Call, inline bool) (f Fired, known bool, err error) {
	if f, ok, err := replay(tx, c.IdempotencyKey); err != nil || ok {
		return f, true, err
	}
	p, err := s.plan(tx, c.Trigger)
	if err != nil {
		return f, false, err
	}
	if err := p.accepts(&c); err != nil {
		return f, false, err
	}
	l := &logRow{id: id.New(), trigger: c.Trigger, phone: c.Phone, email: c.Email, status: logReceived, key: c.IdempotencyKey, call: c, callbackStatus: callbackNone}
	if c.CallbackURL != "" {
		l.callback, l.callbackStatus = &callback{c.CallbackURL, c.CallbackMethod, c.CallbackMetadata}, callbackPending
	}
	// The row claims the key before anything else happens. One without a key is
	// written at the end, once.
	fresh := true
	if l.key != "" {
		if fresh, err = insertLog(tx, l); err != nil {
			return f, false, err
		}
		l.stored = true
	}
	if !fresh {
		f, ok, err := replay(tx, c.IdempotencyKey)
		if err == nil && !ok {
			err = fault.New(fault.Unavailable, "another call with this idempotency key is being undone; try again").After(time.Second)
		}
		return f, true, err
	}
	l.matched = len(p.rules)
	card, known, err := s.person(tx, actor, c, p.active(), &l.phoneKey)
	if err != nil {
		return f, false, err
	}
	f = Fired{LogID: l.id, Trigger: c.Trigger, RulesMatched: l.matched}
	if !known {
		// Nothing happened, so the key stays free for another try.
		l.status, l.err, l.key, l.callbackStatus, l.processed = logFailed, "there is no such lead", "", callbackNone, tx.Now()
		return f, false, saveLog(tx, l)
	}
	l.contact, f.Contact = card.Contact.ID, card.Contact.ID
	if l.phoneKey == "" {
		l.phoneKey = card.Contact.Phone()
	}
	_, err = s.log.Append(tx, event.New{Type: "trigger.fired", Subject: l.id, Contact: l.contact, Actor: actor})
	if err != nil {
		return f, true, err
	}
	if at := c.due(tx.Now()); at.After(tx.Now()) {
		l.status, l.runAt = logScheduled, at
		f.Scheduled, f.RunAt = true, at
		if err := saveLog(tx, l); err != nil {
			return f, true, err
		}
		_, _, err = job.Enqueue(tx, job.New{Kind: kindFire, Args: fireArgs{l.id}, RunAt: at, UniqueKey: "fire:" + l.id.String(), MaxAttempts: attempts})
		return f, true, err
	}
	return f, true, s.ignite(tx, l, p, card, inline)
}

// plan is what a call's name means: its definition, if there is one, every name
// that rules and runs may know it by, and the rules.
type plan struct {
	def     Definition
	defined bool
	names   []string
	rules   []candidate
}

// off reports whether the tenant has switched the event off.
func (p *plan) off() bool { return p.defined && !p.def.Active }

// active is the definition that counts; the zero one otherwise.
func (p *plan) active() Definition {
	if p.off() {
		return Definition{}
	}
	return p.def
}

func (s *Service) plan(tx *store.Tx, trigger string) (p plan, err error) {
	if p.def, p.defined, err = definitionIn(tx, trigger); err != nil || p.off() {
		return p, err
	}
	l := listens{maps: map[string]string{trigger: p.def.MapsTo}}
	p.names = l.named(trigger)
	p.rules, err = s.candidates(tx, p.names)
	return p, err
}

// accepts holds a call's payload, its variables and its data, against the
// schema of its definition.
func (p *plan) accepts(c *Call) error {
	if d := p.active(); d.PayloadSchema != nil {
		payload := merge(copyMap(c.Variables), c.Data)
		b := conform(d.PayloadSchema, payload, "")
		if b == nil {
			return nil
		}
		first, _, _ := strings.Cut(b.path, ".")
		first, _, _ = strings.Cut(first, "[")
		field := "variables"
		if _, given := c.Data[first]; given {
			field = "data"
		}
		field = below(field, b.path)
		return fault.Field(strings.TrimSuffix(field, "."), "%s %s: the event %q asks for it", strings.TrimSuffix(field, "."), b.says, c.Trigger)
	}
	return nil
}

// replay returns the result that a key got before.
func replay(tx *store.Tx, key string) (Fired, bool, error) {
	if key == "" {
		return Fired{}, false, nil
	}
	l, ok, err := logByKey(tx, key)
	if err != nil || !ok {
		return Fired{}, false, err
	}
	return Fired{LogID: l.id, Trigger: l.trigger, Contact: l.contact, RulesMatched: l.matched, Scheduled: !l.runAt.IsZero(), RunAt: l.runAt, Replayed: true}, true, nil
}

// person finds the card that a call is about, or creates it if it may, where the
// definition says. phoneKey is told the normal form of the call's phone.
func (s *Service) person(tx *store.Tx, actor string, c Call, def Definition, phoneKey *string) (card deal.Card, known bool, err error) {
	cid := c.Lead
	if cid.IsZero() && c.Phone != "" {
		key, err := s.contacts.KeyOf(tx, c.Phone)
		if f := fault.As(err); f != nil {
			e := *f
			e.Code, e.Field, e.Reason = fault.Invalid, "phone", "phone"
			return card, false, &e
		}
		if err != nil {
			return card, false, err
		}
		if len(key) < 10 || len(key) > 15 {
			return card, false, fault.Field("phone", "a phone number has 10 to 15 digits").Because("phone")
		}
		*phoneKey = key
		if cid, err = s.found(tx, contact.Phone, key); err != nil {
			return card, false, err
		}
	}
	if cid.IsZero() && c.Email != "" {
		if cid, err = s.found(tx, contact.Email, strings.ToLower(c.Email)); err != nil {
			return card, false, err
		}
	}
	if !cid.IsZero() {
		if cid, _, err = s.hold(tx, cid); err != nil {
			return card, false, err
		}
		card, err = s.cards.CardIn(tx, cid)
		if f := fault.As(err); f != nil && f.Code == fault.NotFound {
			return card, false, nil
		}
		return card, err == nil && (c.Lead.IsZero() || !card.Contact.Archived()), err
	}
	if !c.CreateIfMissing {
		return card, false, nil
	}
	n, err := newCard(c)
	if err == nil {
		n, err = s.placed(tx, def, n)
	}
	if err != nil {
		return card, false, err
	}
	if n.Source == "" {
		n.Source = "webhook"
	}
	if card, _, err = s.cards.EnsureIn(tx, actor, n); err != nil {
		return card, false, err
	}
	_, there, err := s.hold(tx, card.Contact.ID)
	return card, there && err == nil, err
}

// found returns the contact of an identity unless it was put away.
func (s *Service) found(r store.Reader, kind, value string) (id.ID, error) {
	cid, err := s.contacts.Holder(r, kind, value)
	if err != nil || cid.IsZero() {
		return id.Zero, err
	}
	if live, err := s.contacts.Live(r, cid); err != nil || !live {
		return id.Zero, err
	}
	return cid, nil
}

// ignite starts the rules of a call, moves on the runs that waited for it, and
// tells its callback.
func (s *Service) ignite(tx *store.Tx, l *logRow, p plan, card deal.Card, inline bool) error {
	vars, err := l.call.vars(card)
	if err != nil {
		return err
	}
	l.status, l.matched = logProcessing, len(p.rules)
	if err := s.call(tx, l, logProcessing); err != nil {
		return err
	}
	x := facts{stage: card.Deal.Stage.String(), pipeline: card.Deal.Pipeline.String(), source: card.Contact.Source}
	for key, dst := range map[string]*string{"source": &x.source, "tagName": &x.tag, "stageId": &x.stage, "pipelineId": &x.pipeline, "segmentId": &x.segment} {
		if v, _ := vars[key].(string); v != "" {
			*dst = v
		}
	}
	x.segment = segmentKey(x.segment)
	t := &tally{inline: inline}
	if len(p.names) > 0 { // runs that wait for this very event, before new ones begin
		if _, err := s.occurred(tx, t, occurrence{names: p.names, contact: card.Contact.ID, at: tx.Now(), payload: vars}); err != nil {
			return err
		}
	}
	l.open, err = s.start(tx, t, p.rules, occasion{card: card, cause: "trigger:" + l.id.String(), log: l.id, held: true,
		happening: happening{trigger: l.trigger, facts: x, vars: vars}})
	if err != nil {
		return err
	}
	l.failed += t.failed
	if l.open == 0 {
		if err := s.closeLog(tx, l); err != nil {
			return err
		}
	} else if err := saveLog(tx, l); err != nil {
		return err
	}
	return t.flush(tx)
}

// fireArgs are the args of the job of a scheduled call.
type fireArgs struct {
	Log id.ID `json:"log"`
}

// handleFire fires a scheduled call.
func (s *Service) handleFire(ctx context.Context, j *job.Job) error {
	var a fireArgs
	if err := j.Decode(&a); err != nil {
		return err
	}
	return s.db.Write(ctx, j.Tenant, func(tx *store.Tx) error {
		l, ok, err := lockLog(tx, a.Log)
		if err != nil {
			return err
		}
		if ok && l.status == logScheduled {
			if err := s.fireLater(tx, l, j.Attempt <= 1); err != nil {
				return err
			}
		}
		return j.Complete(tx)
	})
}

func (s *Service) fireLater(tx *store.Tx, l *logRow, inline bool) error {
	if _, _, err := s.hold(tx, l.contact); err != nil {
		return err
	}
	card, err := s.cards.CardIn(tx, l.contact)
	if f := fault.As(err); f != nil && f.Code == fault.NotFound || err == nil && card.Contact.Archived() {
		l.err, l.failed = "the lead is gone", 1
		return s.closeLog(tx, l)
	}
	if err != nil {
		return err
	}
	p, err := s.plan(tx, l.trigger)
	if err != nil {
		return err
	}
	return s.ignite(tx, l, p, card, inline)
}

func (s *Service) fireDiscarded(tx *store.Tx, j *job.Job, cause error) error {
	var a fireArgs
	if err := j.Decode(&a); err != nil {
		return nil
	}
	tx = tx.For(j.Tenant)
	l, ok, err := lockLog(tx, a.Log)
	if err != nil || !ok || l.status != logScheduled {
		return err
	}
	l.err, l.failed = cut(storable(fmt.Sprintf("the call could not be carried out: %v", cause)), 1000), 1
	return s.closeLog(tx, l)
}

// checkCall returns a call in its stored form, or says what is wrong with it.
func checkCall(c Call) (Call, error) {
	var err error
	if c.Trigger, err = checkTrigger(c.Trigger); err != nil {
		return c, err
	}
	c.Phone, c.Email = strings.TrimSpace(storable(c.Phone)), strings.TrimSpace(storable(c.Email))
	if c.Phone == "" && c.Email == "" && c.Lead.IsZero() {
		return c, fault.Missing("phone")
	}
	if len(c.Phone) > 64 {
		return c, fault.Field("phone", "a phone number has 10 to 15 digits").Because("phone")
	}
	if len(c.Email) > 254 {
		return c, fault.Field("email", "the e-mail address is too long")
	}
	if len(c.IdempotencyKey) > 255 {
		return c, fault.Field("idempotencyKey", "idempotencyKey must not be longer than 255 bytes")
	}
	c.IdempotencyKey = storable(c.IdempotencyKey)
	if c.CallbackURL != "" {
		if err := webhook.CheckURL("callbackUrl", c.CallbackURL); err != nil {
			return c, err
		}
		if c.CallbackMethod = strings.ToUpper(c.CallbackMethod); c.CallbackMethod == "" {
			c.CallbackMethod = "PUT" // seed 000
		}
		if err := webhook.CheckMethod("callbackMethod", c.CallbackMethod); err != nil {
			return c, err
		}
	}
	for _, d := range []struct {
		field string
		n     float64
		unit  time.Duration
	}{{"delayMinutes", c.DelayMinutes, time.Minute}, {"delaySeconds", c.DelaySeconds, time.Second}} {
		if math.IsNaN(d.n) || d.n < 0 || d.n > float64(maxDelay/d.unit) {
			return c, fault.Field(d.field, "%s must be between 0 and %d days", d.field, int(maxDelay/(24*time.Hour)))
		}
	}
	if c.Variables, err = asJSON("variables", maxVariables/2, c.Variables); err != nil {
		return c, err
	}
	if c.Data, err = asJSON("data", maxVariables/2, c.Data); err != nil {
		return c, err
	}
	if c.LeadData, err = asJSON("leadData", maxVariables/2, c.LeadData); err != nil {
		return c, err
	}
	c.CallbackMetadata, err = asJSON("callbackMetadata", maxVariables/2, c.CallbackMetadata)
	return c, err
}

// due returns when a call made at now fires.
func (c *Call) due(now time.Time) time.Time {
	at := now.Add(time.Duration(c.DelayMinutes*float64(time.Minute)) + time.Duration(c.DelaySeconds*float64(time.Second)))
	if c.RunAt.After(at) {
		at = c.RunAt
	}
	return at
}

// vars are the variables of a call's runs (reference 4.5).
func (c *Call) vars(card deal.Card) (map[string]any, error) {
	vars := copyMap(c.Variables)
	for k, v := range c.Data {
		vars[k] = variables.Plain(v)
	}
	vars["phone"], vars["email"], vars["trigger"] = card.Contact.Phone(), card.Contact.Email(), c.Trigger
	if vars["email"] == "" {
		vars["email"] = c.Email
	}
	return asJSON("variables", maxVariables, vars)
}
