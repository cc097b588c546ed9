package automation

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/internal/conversation/variables"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Question asks why a rule did or did not start: for a trigger call, for an
// event of the feed, or, with the contact alone, the last time it was decided.
type Question struct {
	Contact id.ID
	Log     id.ID
	Event   string // its cursor
}

// Outcomes of an explanation beside those of a decision.
const (
	OutcomePending       = "pending"        // the call's time has not come
	OutcomeRefused       = "refused"        // the call itself failed
	OutcomeNotConsidered = "not_considered" // the rule was no candidate then
	OutcomeNothing       = "nothing"        // nothing is kept that could have started it
)

// Explanation says why a rule did or did not start. Checks tell, in order, what
// was held against the happening then; Now what the rule's conditions say of the
// person as they are. What cannot be known any more is said, never guessed.
type Explanation struct {
	Rule      Rule
	Contact   id.ID // the living one
	Log       id.ID
	Cause     string
	Outcome   string
	Sentence  string
	Recorded  bool      // decided then and kept; otherwise inferred from what is there
	DecidedAt time.Time // zero when nothing is recorded
	Version   int       // of the rule, when it was decided
	Checks    []Check
	Now       []Check
	Run       *Run
}

// decision is a rule_decision row or a run: what a rule made of a cause.
type decision struct {
	cause, outcome string
	trigger        string
	version        int
	contact, log   id.ID
	run            id.ID
	verdict        verdict
	at             time.Time
}

// Explain answers a question about a rule. Faults: NotFound "automation",
// "contact" or "trigger log"; Invalid of "contact" when the question names
// neither a contact nor a cause.
func (s *Service) Explain(ctx context.Context, tenant, rule id.ID, q Question) (Explanation, error) {
	r := s.db.Read(ctx, tenant)
	x := Explanation{Log: q.Log}
	var err error
	if x.Rule, err = ruleOf(r, rule); err != nil {
		return x, err
	}
	if q.Contact.IsZero() && q.Log.IsZero() && q.Event == "" {
		return x, fault.Field("contact", "name a lead, a trigger call, or both")
	}
	log, about, err := s.asked(r, &x, q)
	if err != nil {
		return x, err
	}
	d, decided, err := findDecision(r, rule, x.Cause, about)
	if err != nil {
		return x, err
	}
	if x.Contact.IsZero() && decided {
		x.Contact = d.contact
	}
	if err := s.circumstances(r, &x, log, d, decided); err != nil {
		return x, err
	}
	if decided {
		err = s.decided(ctx, r, &x, d)
	} else {
		x.undecided(log)
	}
	if err != nil {
		return x, err
	}
	return x, s.presently(r, &x, log)
}

// asked finds the call that is asked about, and every id of the person.
func (s *Service) asked(r store.Reader, x *Explanation, q Question) (log *logRow, about []id.ID, err error) {
	cid := q.Contact
	switch {
	case !q.Log.IsZero():
		l, ok, err := scanLog(r.QueryRow("SELECT "+logColumns+" FROM trigger_log WHERE tenant_id=? AND id=?", q.Log))
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			return nil, nil, fault.Unknown("trigger log")
		}
		log, x.Cause = l, "trigger:"+l.id.String()
		if cid.IsZero() {
			cid = l.contact
		}
	case q.Event != "":
		var c event.Cursor
		if err := c.UnmarshalText([]byte(q.Event)); err != nil {
			return nil, nil, fault.Field("event", "%q is not the cursor of an event", clip(q.Event))
		}
		x.Cause = causeOf(c)
	}
	if cid.IsZero() {
		return log, nil, nil
	}
	if about, err = s.contacts.Known(r, cid); err != nil {
		return log, nil, err
	}
	x.Contact = about[0]
	if log == nil {
		if _, err := s.cards.CardIn(r, x.Contact); err != nil {
			return nil, nil, err
		}
	} else if !log.contact.IsZero() && !slices.Contains(about, log.contact) {
		return nil, nil, fault.Field("contact", "this trigger call was about somebody else")
	}
	return log, about, nil
}

// findDecision returns what a rule made of a cause, or, without one, the last
// thing it made of a person.
func findDecision(r store.Reader, rule id.ID, cause string, about []id.ID) (best decision, found bool, err error) {
	if cause != "" { // indexes run_cause and rule_decision's own
		return lastDecision(r, " AND cause=?", rule, cause)
	}
	for _, c := range about { // one by one: run_of_contact and rule_decision_by_contact give the last at once
		d, ok, err := lastDecision(r, " AND contact_id=?", rule, c)
		if err != nil {
			return best, false, err
		}
		if ok && (!found || d.at.After(best.at)) {
			best, found = d, true
		}
	}
	return best, found, nil
}

func lastDecision(r store.Reader, where string, args ...any) (decision, bool, error) {
	runs, err := r.Query("SELECT id, cause, trigger_name, version, contact_id, trigger_id, started_at FROM run WHERE tenant_id=? AND automation_id=?"+where+" ORDER BY started_at DESC, id DESC LIMIT 1", args...)
	list, err := store.Collect(runs, err, func(rows *sql.Rows) (d decision, err error) {
		d.outcome = OutcomeStarted
		return d, rows.Scan(&d.run, &d.cause, &d.trigger, &d.version, &d.contact, &d.log, store.Time(&d.at))
	})
	if err != nil {
		return decision{}, false, err
	}
	rows, err := r.Query("SELECT cause, outcome, trigger_name, version, contact_id, trigger_id, detail, at FROM rule_decision WHERE tenant_id=? AND automation_id=?"+where+" ORDER BY at DESC LIMIT 1", args...)
	more, err := store.Collect(rows, err, func(rows *sql.Rows) (d decision, err error) {
		return d, rows.Scan(&d.cause, &d.outcome, &d.trigger, &d.version, &d.contact, &d.log, store.JSON(&d.verdict), store.Time(&d.at))
	})
	if err != nil || len(list)+len(more) == 0 {
		return decision{}, false, err
	}
	best := append(list, more...)[0]
	if len(list) == 1 && len(more) == 1 {
		switch {
		case more[0].cause == list[0].cause: // a stage's rule that left actions out
			best.verdict = more[0].verdict
		case more[0].at.After(list[0].at):
			best = more[0]
		}
	}
	return best, true, nil
}

// circumstances adds the checks that come before a rule's own: is it on, and is
// its trigger the one that happened.
func (s *Service) circumstances(r store.Reader, x *Explanation, log *logRow, d decision, decided bool) error {
	active := Check{Name: "active", Passed: x.Rule.Active, Actual: x.Rule.Active, Note: "as it is now"}
	if decided {
		active.Passed, active.Note = true, "it was active when this was decided"
		if !x.Rule.Active {
			active.Note += ", and has been switched off since"
		}
		active.Actual = true
	}
	x.Checks = append(x.Checks, active)
	name := d.trigger
	if log != nil {
		name = log.trigger
	}
	if name == "" {
		return nil
	}
	names := namesOf(name)
	def, ok, err := definitionIn(r, name)
	if err != nil {
		return err
	}
	if ok {
		if c := (Check{Name: "event", Field: name, Actual: def.Active, Expected: true, Passed: def.Active, Note: "the event's definition, as it is now"}); !c.Passed && !decided {
			x.Checks = append(x.Checks, c)
		}
		names = listens{maps: map[string]string{name: def.MapsTo}}.named(name)
	}
	c := Check{Name: "trigger", Expected: x.Rule.Trigger, Actual: strings.Join(names, ", "), Passed: decided || slices.Contains(names, x.Rule.Trigger)}
	x.Checks = append(x.Checks, c)
	return nil
}

// decided tells what was decided and recorded.
func (s *Service) decided(ctx context.Context, r store.Reader, x *Explanation, d decision) error {
	x.Cause, x.Outcome, x.Recorded, x.DecidedAt, x.Version = d.cause, d.outcome, true, d.at, d.version
	if x.Log.IsZero() {
		x.Log = d.log
	}
	x.Checks = append(x.Checks, d.verdict.Checks...)
	switch d.outcome {
	case OutcomeStarted:
		return s.walked(ctx, r, x, d)
	case OutcomeFilter:
		x.Sentence = "The automation did not start because its triggerConfig did not fit: " + list(d.verdict.Checks) + "."
	case OutcomeConditions:
		x.Sentence = "The automation did not start because its conditions did not hold then: " + list(d.verdict.Checks) + "."
	default:
		x.Checks = append(x.Checks, Check{Name: map[string]string{OutcomeEnrolled: "enrollment", OutcomeLoop: "loop"}[d.outcome], Note: d.verdict.Note})
		x.Sentence = "The automation did not start: " + d.verdict.Note + "."
	}
	return nil
}

// list tells failed checks in words.
func list(checks []Check) string {
	var out []string
	for _, c := range checks {
		actual := "empty"
		if c.Actual != nil && c.Actual != "" {
			actual = fmt.Sprintf("%q", variables.Plain(c.Actual))
		}
		switch {
		case c.Operator != "":
			out = append(out, strings.TrimSpace(fmt.Sprintf("%s was %s, which is not %s %s", c.Field, actual, c.Operator, variables.Plain(c.Expected))))
		default:
			out = append(out, fmt.Sprintf("%s wants %q, it was %s", c.Field, variables.Plain(c.Expected), actual))
		}
	}
	return strings.Join(out, "; ")
}

// undecided tells why a rule with no record was not started.
func (x *Explanation) undecided(log *logRow) {
	failedAt := func(name string) bool {
		return slices.ContainsFunc(x.Checks, func(c Check) bool { return c.Name == name && !c.Passed })
	}
	x.Outcome = OutcomeNotConsidered
	const started = "The automation was not considered"
	switch {
	case log != nil && log.status == logScheduled:
		x.Outcome, x.Sentence = OutcomePending, "Nothing is decided yet: the call fires at "+fmt.Sprint(variables.ISO(log.runAt))+"."
	case log != nil && log.status == logFailed && log.contact.IsZero():
		x.Outcome, x.Sentence = OutcomeRefused, "No automation was considered because the call failed: "+log.err+"."
	case log != nil && log.status == logFailed && log.err != "":
		x.Outcome, x.Sentence = OutcomeRefused, "No automation was considered because the call could not be carried out: "+log.err+"."
	case failedAt("trigger"):
		x.Sentence = fmt.Sprintf("%s because it waits for %q, and this was %q.", started, x.Rule.Trigger, x.Checks[len(x.Checks)-1].Actual)
	case log != nil && x.Rule.CreatedAt.After(log.created):
		x.Sentence = started + " because it was made after the call."
	case failedAt("event"):
		x.Sentence = started + ": the event is switched off now, and it seems to have been so then, since no decision is recorded."
	case failedAt("active"):
		x.Sentence = started + ": it is switched off now, and it seems to have been so then, since no decision is recorded."
	case log != nil:
		x.Sentence = started + ": no decision is recorded, so it was switched off or waited for another trigger then, or the record is older than decisions are kept."
	case x.Cause != "":
		x.Sentence = started + " for this event: it was switched off or waits for another trigger, the event's turn has not come, or the record is older than decisions are kept."
	default:
		x.Outcome, x.Sentence = OutcomeNothing, fmt.Sprintf("Nothing is recorded: %q has not happened to this lead while the automation was active, or the record is older than decisions are kept.", x.Rule.Trigger)
		if !x.Rule.Active {
			x.Sentence = "The automation is switched off, and nothing is recorded of it for this lead."
		}
	}
}

// presently adds what the rule's conditions say of the person now.
func (s *Service) presently(r store.Reader, x *Explanation, log *logRow) error {
	if x.Contact.IsZero() {
		return nil
	}
	to, err := s.contacts.Resolve(r, x.Contact)
	if err != nil {
		return err
	}
	x.Contact = to
	card, err := s.cards.CardIn(r, to)
	if fault.As(err) != nil {
		return nil // gone since
	}
	if err != nil {
		return err
	}
	g, ok, err := s.graphOf(r, x.Rule.ID, x.Rule.Version)
	if err != nil || !ok {
		return err
	}
	set, err := s.tenants.SettingsOf(r)
	if err != nil {
		return err
	}
	vars := map[string]any{}
	switch {
	case x.Run != nil:
		vars = x.Run.Variables
	case log != nil:
		if vars, err = log.call.vars(card); err != nil {
			return err
		}
	}
	x.Now = g.When.checks(scopeOf(variables.Lead(card), vars, r.Now(), set), r.Now(), set.Location())
	return nil
}
