package automation

import (
	"bytes"
	"database/sql"
	"slices"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/tenant"
)

// People is the schema of entities that are contacts.
const People = "contact"

// TriggerManual is the trigger of flows, which start when they are launched (targeting
// reference §4.3).
const TriggerManual = "entity_manual"

// Launch asks for one run of a rule about an entity: a person, or a record.
type Launch struct {
	Rule   id.ID
	Schema string // of the entity; People for a person
	// Entity is what the run is about. Contact is the person whom its messages go
	// to: Entity itself for people, whom a record relates to otherwise, or zero.
	Entity, Contact id.ID
	Title           string
	Vars            map[string]any // variables of the run
	Cause           string         // the same cause starts a rule once
	Owner           id.ID          // whose books follow the run's status, or zero; see OnMoved
	// Later leaves the run's first steps to a job of its own: for a caller whose
	// transaction came to grief over another run's steps.
	Later bool
}

// Launched says what became of a Launch.
type Launched struct {
	Run    id.ID  // zero with Err
	Fresh  bool   // false: the cause had started the rule before; Run is that run
	Status string // of Exec...: where the run stands now
	Error  string // of a run that failed already
	Err    error  // a fault: why nothing started
}

// Moved is a change of the status of a run that has an owner.
type Moved struct {
	Run, Rule, Owner, Entity id.ID
	Status                   string // of Exec...
	Error                    string
}

// Documents reads entities as documents; *entity.Service has one.
type Documents func(r store.Reader, schema string, ids []id.ID) (map[id.ID]map[string]any, error)

// ReadEntities lets the runs of launched rules see what they are about, as the
// variable entity, as it is at the moment in which a node looks. Call it before the
// service is used.
func (s *Service) ReadEntities(f Documents) { s.documents = f }

// maxInline bounds the nodes that one call of LaunchIn passes; what is left over
// begins in jobs of its own.
const maxInline = 1024

// LaunchIn begins runs of rules inside a transaction. Rules of any trigger can be
// launched; their conditions count (when these do not hold, the run is skipped), the
// filters of their triggers do not. Faults of one launch are in its Err: NotFound
// "automation" or "contact", Conflict with the Reasons "automation_disabled",
// "automation_schema" and "enrolled". OnMoved is told of first steps before it
// returns.
func (s *Service) LaunchIn(tx *store.Tx, actor string, list []Launch) ([]Launched, error) {
	out, moved, err := s.LaunchManyIn(tx, actor, list)
	if err != nil || len(moved) == 0 {
		return out, err
	}
	return out, s.tellMoved(tx, moved)
}

// LaunchManyIn is LaunchIn for a caller that tells its own followers what moved,
// once it has kept the runs: nobody else hears of these changes.
func (s *Service) LaunchManyIn(tx *store.Tx, actor string, list []Launch) ([]Launched, []Moved, error) {
	set, err := s.tenants.SettingsOf(tx)
	if err != nil {
		return nil, nil, err
	}
	l := &launcher{s: s, tx: tx, set: set, tally: &tally{inline: true}, batch: &batch{}, rules: map[id.ID]*candidate{}, refused: map[id.ID]error{},
		known: map[launchKey]Launched{}, docs: map[id.ID]map[string]any{}, left: maxInline}
	for _, f := range []func([]Launch) error{l.readRules, l.hold, l.readKnown, l.readDocs} {
		if err := f(list); err != nil {
			return nil, nil, err
		}
	}
	out := make([]Launched, len(list))
	for i, x := range list {
		if out[i], err = l.one(x); err != nil {
			return nil, nil, err
		}
	}
	if err := l.batch.write(s, tx); err != nil {
		return nil, nil, err
	}
	moved := l.tally.moved
	l.tally.moved = nil
	return out, moved, l.tally.flush(tx)
}

// launcher is one call of LaunchManyIn.
type launcher struct {
	s       *Service
	tx      *store.Tx
	set     tenant.Settings
	tally   *tally
	batch   *batch
	rules   map[id.ID]*candidate
	refused map[id.ID]error // rules that cannot be launched
	people  map[id.ID]id.ID // contacts that are held, and where they lead
	known   map[launchKey]Launched
	docs    map[id.ID]map[string]any // by entity
	left    int                      // nodes that may still be passed
}

// launchKey names what a rule has been started for: a cause, or the person of a
// sequence.
type launchKey struct {
	rule   id.ID
	cause  string
	person id.ID
}

func (l *launcher) readRules(list []Launch) error {
	for _, x := range list {
		if l.rules[x.Rule] != nil || l.refused[x.Rule] != nil {
			continue
		}
		c, err := l.s.launchable(l.tx, x.Rule)
		switch {
		case err == nil:
			l.rules[x.Rule] = c
		case fault.As(err) != nil:
			l.refused[x.Rule] = err
		default:
			return err
		}
	}
	return nil
}

// hold locks the people, in one order.
func (l *launcher) hold(list []Launch) (err error) {
	var ids []id.ID
	for _, x := range list {
		if !x.Contact.IsZero() {
			ids = append(ids, x.Contact)
		}
	}
	slices.SortFunc(ids, func(a, b id.ID) int { return bytes.Compare(a[:], b[:]) })
	l.people, err = l.s.contacts.HoldManyIn(l.tx, slices.Compact(ids))
	return err
}

// readKnown finds what the causes have started already (index run_cause), and who
// is in which sequence (index run_enrolled_once).
func (l *launcher) readKnown(list []Launch) error {
	for rule, c := range l.rules {
		var causes []string
		var people []id.ID
		for _, x := range list {
			if x.Rule != rule {
				continue
			}
			causes = append(causes, x.Cause)
			if to, ok := l.people[x.Contact]; ok && c.graph.Enrolls {
				people = append(people, to)
			}
		}
		for part := range slices.Chunk(causes, 256) {
			where, args := anyOf("r.cause", part)
			rows, err := l.tx.Query("SELECT "+runColumns+" FROM run r WHERE r.tenant_id=? AND r.automation_id=? AND "+where, append([]any{rule}, args...)...)
			_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
				r := &run{}
				if err = rows.Scan(r.fields()...); err == nil {
					l.known[launchKey{rule: rule, cause: r.cause}] = Launched{Run: r.id, Status: r.standpoint().word(nil), Error: r.err}
				}
				return
			})
			if err != nil {
				return err
			}
		}
		for part := range slices.Chunk(people, 256) {
			in, args := contact.Among(part)
			rows, err := l.tx.Query("SELECT id, contact_id FROM run WHERE tenant_id=? AND automation_id=? AND contact_id IN "+in+" AND enrollment AND completed_at IS NULL", append([]any{rule}, args...)...)
			_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
				var v, who id.ID
				if err = rows.Scan(&v, &who); err == nil {
					l.known[launchKey{rule: rule, person: who}] = Launched{Run: v}
				}
				return
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// readDocs reads the entities that some graph will look at, together.
func (l *launcher) readDocs(list []Launch) error {
	if l.s.documents == nil {
		return nil
	}
	ids := map[string][]id.ID{}
	for _, x := range list {
		if c := l.rules[x.Rule]; c != nil && c.graph.asks && !x.Later {
			ids[x.Schema] = append(ids[x.Schema], x.Entity)
		}
	}
	for _, schema := range sortedKeys(ids) {
		docs, err := l.s.documents(l.tx, schema, ids[schema])
		if err != nil {
			return err
		}
		for v, doc := range docs {
			l.docs[v] = doc
		}
	}
	return nil
}

// one begins a run.
func (l *launcher) one(x Launch) (Launched, error) {
	c := l.rules[x.Rule]
	if c == nil {
		return Launched{Err: l.refused[x.Rule]}, nil
	}
	cause := launchKey{rule: c.id, cause: x.Cause}
	if was, ok := l.known[cause]; ok {
		return was, nil
	}
	if err := c.takes(x.Schema); err != nil {
		return Launched{Err: err}, nil
	}
	who := id.Zero
	if !x.Contact.IsZero() {
		to, there := l.people[x.Contact]
		if !there {
			return Launched{Err: fault.Unknown("contact")}, nil
		}
		who = to
	}
	vars, err := asJSON("variables", maxVariables, x.Vars)
	if err != nil {
		return Launched{Err: err}, nil
	}
	if vars == nil {
		vars = map[string]any{}
	}
	r := &run{id: id.New(), rule: c.id, version: c.version, contact: who, trigger: TriggerManual, cause: x.Cause, status: Running, vars: vars, started: l.tx.Now(),
		enrolled: c.graph.Enrolls && !who.IsZero(), schema: x.Schema, entity: x.Entity, owner: x.Owner, unwritten: true}
	if r.enrolled {
		seat := launchKey{rule: c.id, person: who}
		if was, taken := l.known[seat]; taken {
			return Launched{Err: fault.New(fault.Conflict, "the person is in this sequence already").Because("enrolled").With("executionId", was.Run.String())}, nil
		}
		l.known[seat] = Launched{Run: r.id}
	}
	if n := c.graph.Nodes[c.graph.Goal]; n != nil {
		r.goal = goalKey(who, n.Event)
	}
	w := &walk{s: l.s, tx: l.tx, r: r, g: c.graph, set: l.set, tally: l.tally, batch: l.batch, held: !who.IsZero(), doc: l.docs[x.Entity],
		budget: min(stepsPerTx, l.left), inline: l.left > 0 && !x.Later}
	l.tally.began(c.id)
	if !w.holds(&c.graph.When) && w.err == nil {
		r.exit, w.inline = ExitSkipped, true
		err = w.end(Completed)
	} else if err = w.err; err == nil {
		err = w.begin(c.name)
	}
	if err != nil {
		return Launched{}, err
	}
	l.left -= r.steps
	l.batch.runs = append(l.batch.runs, r)
	out := Launched{Run: r.id, Fresh: true, Status: r.standpoint().word(c.graph), Error: r.err}
	l.known[cause] = Launched{Run: out.Run, Status: out.Status, Error: out.Error}
	return out, nil
}

// entity is the document of what the run is about, as it is now: what it was
// launched for, or its contact. Nothing that can be read makes it empty.
func (w *walk) entity() map[string]any {
	if w.doc == nil {
		w.doc = map[string]any{}
		schema, of := w.r.schema, w.r.entity
		if schema == "" {
			schema, of = People, w.r.contact
		}
		if w.s.documents == nil || of.IsZero() {
			return w.doc
		}
		docs, err := w.s.documents(w.tx, schema, []id.ID{of})
		if err != nil {
			w.err = err
		}
		if d := docs[of]; d != nil {
			w.doc = d
		}
	}
	return w.doc
}

// LaunchableIn reports whether a rule can be launched for entities of a schema, ""
// for several: nil, or the fault of LaunchIn.
func (s *Service) LaunchableIn(r store.Reader, rule id.ID, schema string) error {
	c, err := s.launchable(r, rule)
	if err != nil {
		return err
	}
	return c.takes(schema)
}

// launchable reads an active rule of an author.
func (s *Service) launchable(r store.Reader, rule id.ID) (*candidate, error) {
	c := &candidate{id: rule}
	var active bool
	ok, err := store.Found(r.QueryRow("SELECT name, version, is_active FROM automation WHERE tenant_id=? AND id=? AND origin=''", rule).Scan(&c.name, &c.version, &active))
	if err != nil {
		return nil, err
	}
	if ok && active {
		if c.graph, ok, err = s.graphOf(r, c.id, c.version); err != nil {
			return nil, err
		}
	}
	switch {
	case !ok:
		return nil, fault.Unknown("automation")
	case !active:
		return nil, fault.New(fault.Conflict, "the automation flow is not enabled; enable it first").Because("automation_disabled")
	}
	return c, nil
}

// takes refuses entities of a schema that the flow does not take.
func (c *candidate) takes(schema string) error {
	if c.graph.Schema == "" || schema == "" || c.graph.Schema == schema {
		return nil
	}
	return fault.New(fault.Conflict, "the automation flow takes entities of the schema %s, not %s", c.graph.Schema, clip(schema)).Because("automation_schema")
}
