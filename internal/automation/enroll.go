package automation

import (
	"context"
	"database/sql"
	"time"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// The statuses of an enrollment (reference 3.8).
const (
	Active = "active"
	Exited = "exited"
)

// Enrollment is a run of a sequence, seen by its steps.
type Enrollment struct {
	ID          id.ID // of the run
	Rule        id.ID
	RuleName    string
	Contact     id.ID
	Phone       string
	Email       string
	Trigger     string
	EventData   map[string]any // the variables without what steps resolved
	Resolved    map[string]any
	CurrentStep int // steps that are behind it
	TotalSteps  int
	Status      string // active, completed, exited, failed or paused
	Results     []StepResult
	NextStepAt  time.Time // zero: not known, or none comes
	ExitReason  string
	Error       string
	StartedAt   time.Time
	UpdatedAt   time.Time
	CompletedAt time.Time
}

// StepResult is what became of one step of a sequence.
type StepResult struct {
	Number     int
	Status     string // pending, completed, failed or skipped
	ExecutedAt time.Time
	Result     map[string]any
	Error      string
}

// EnrollmentQuery selects enrollments of a rule, newest first.
type EnrollmentQuery struct {
	Status   string    // of an enrollment; "" is all
	From, To time.Time // of the enrollment, both inclusive; zero: unbounded
	Page     int       // from 1
	Limit    int       // 1 to 1000
}

// Enroll starts a contact through a sequence, whatever its trigger is. A rule
// that is switched off enrolls nobody. Faults: NotFound of the rule or the lead;
// Conflict when the rule is no sequence, is not active, or has the lead in it
// already (the detail "enrollmentId" tells which).
func (s *Service) Enroll(ctx context.Context, tenant id.ID, actor string, rule, lead id.ID, vars map[string]any) (Enrollment, error) {
	vars, err := asJSON("variables", maxVariables/2, vars)
	if err != nil {
		return Enrollment{}, err
	}
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Enrollment, error) {
		r, err := ruleOf(tx, rule)
		if err != nil {
			return Enrollment{}, err
		}
		g, ok, err := s.graphOf(tx, rule, r.Version)
		switch {
		case err != nil:
			return Enrollment{}, err
		case !ok || !g.Enrolls:
			return Enrollment{}, fault.New(fault.Conflict, "the automation %s is no sequence; only a rule with isSequence takes enrollments", r.Name)
		case !r.Active:
			return Enrollment{}, fault.New(fault.Conflict, "the sequence %s is switched off; switch it on first", r.Name)
		}
		there := false
		if lead, there, err = s.hold(tx, lead); err != nil {
			return Enrollment{}, err
		} else if !there {
			return Enrollment{}, fault.Unknown("lead")
		}
		card, err := s.cards.CardIn(tx, lead)
		if f := fault.As(err); f != nil && f.Code == fault.NotFound || err == nil && card.Contact.Archived() {
			return Enrollment{}, fault.Unknown("lead")
		}
		if err != nil {
			return Enrollment{}, err
		}
		own := copyMap(vars)
		own["phone"], own["email"], own["trigger"] = card.Contact.Phone(), card.Contact.Email(), r.Trigger
		v := &run{id: id.New(), rule: rule, version: r.Version, contact: lead, trigger: r.Trigger, status: Running, vars: own, started: tx.Now(), enrolled: true}
		v.cause = "enroll:" + v.id.String()
		if err := s.freeToOpen(tx, v); err != nil {
			return Enrollment{}, err
		}
		if fresh, err := insertRun(tx, v); err != nil {
			return Enrollment{}, err
		} else if !fresh {
			return Enrollment{}, fault.New(fault.Conflict, "the lead is in this sequence already")
		}
		set, err := s.tenants.SettingsOf(tx)
		if err != nil {
			return Enrollment{}, err
		}
		t := &tally{}
		t.began(rule)
		// The first delay is begun here, so that the answer tells when the first step comes.
		w := &walk{s: s, tx: tx, r: v, g: g, set: set, tally: t, budget: 1, inline: true, held: true, card: &card}
		if err := w.begin(r.Name); err != nil {
			return Enrollment{}, err
		}
		if err := t.flush(tx); err != nil {
			return Enrollment{}, err
		}
		return s.enrollmentIn(tx, id.Zero, v.id)
	})
}

// Unenroll takes a contact out of a sequence. Conflict when that is over.
func (s *Service) Unenroll(ctx context.Context, tenant id.ID, actor string, enrollment id.ID) (Enrollment, error) {
	return s.enrolled(ctx, tenant, id.Zero, enrollment, func(tx *store.Tx, t *tally, r *run) error {
		if !r.alive() {
			return fault.New(fault.Conflict, "the enrollment is %s; the lead is not in the sequence any more", enrollmentStatus(r.status, r.exit))
		}
		return s.stopRun(tx, t, r, Aborted, ExitUnenroll, "")
	})
}

// PauseEnrollment is Pause of an enrollment of a rule. A zero rule is any.
func (s *Service) PauseEnrollment(ctx context.Context, tenant id.ID, actor string, rule, enrollment id.ID) (Enrollment, error) {
	return s.enrolled(ctx, tenant, rule, enrollment, func(tx *store.Tx, t *tally, r *run) error {
		if !r.open() {
			return fault.New(fault.Conflict, "the enrollment is %s; only an active one can be paused", enrollmentStatus(r.status, r.exit))
		}
		return s.pause(tx, actor, r)
	})
}

// ResumeEnrollment lets a paused enrollment go on at the time of its next step,
// or now when that has passed. Conflict unless it is paused.
func (s *Service) ResumeEnrollment(ctx context.Context, tenant id.ID, actor string, rule, enrollment id.ID) (Enrollment, error) {
	return s.enrolled(ctx, tenant, rule, enrollment, func(tx *store.Tx, t *tally, r *run) error {
		if r.status != Paused {
			return fault.New(fault.Conflict, "the enrollment is %s; only a paused one can be resumed", enrollmentStatus(r.status, r.exit))
		}
		return s.unpause(tx, actor, r)
	})
}

// enrolled carries out an order on a locked enrollment.
func (s *Service) enrolled(ctx context.Context, tenant, rule, enrollment id.ID, f func(tx *store.Tx, t *tally, r *run) error) (Enrollment, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Enrollment, error) {
		r, ok, err := lockRun(tx, enrollment)
		if err != nil {
			return Enrollment{}, err
		}
		if !ok || !r.enrolled || !rule.IsZero() && r.rule != rule {
			return Enrollment{}, fault.Unknown("enrollment")
		}
		t := &tally{}
		if err := f(tx, t, r); err != nil {
			return Enrollment{}, err
		}
		if err := t.flush(tx); err != nil {
			return Enrollment{}, err
		}
		return s.enrollmentIn(tx, rule, enrollment)
	})
}

// Enrollment returns one enrollment, or fault NotFound.
func (s *Service) Enrollment(ctx context.Context, tenant, enrollment id.ID) (Enrollment, error) {
	return s.enrollmentIn(s.db.Read(ctx, tenant), id.Zero, enrollment)
}

func (s *Service) enrollmentIn(r store.Reader, rule, enrollment id.ID) (Enrollment, error) {
	list, err := s.enrollments(r, "r.enrollment AND r.id=?", "r.id", enrollment)
	if err != nil {
		return Enrollment{}, err
	}
	if len(list) == 0 || !rule.IsZero() && list[0].Rule != rule {
		return Enrollment{}, fault.Unknown("enrollment")
	}
	return list[0], nil
}

// EnrollmentsOf returns the enrollments of a contact, newest first, at most 500.
func (s *Service) EnrollmentsOf(ctx context.Context, tenant, lead id.ID) ([]Enrollment, error) {
	r := s.db.Read(ctx, tenant)
	lead, err := s.resolvedContact(r, lead)
	if err != nil {
		return nil, err
	}
	if _, err := s.contacts.Get(r, lead); err != nil {
		if f := fault.As(err); f != nil && f.Code == fault.NotFound {
			return nil, fault.Unknown("lead")
		}
		return nil, err
	}
	// Index run_enrollments.
	return s.enrollments(r, "r.enrollment AND r.contact_id=?", "r.started_at DESC, r.id DESC LIMIT 500", lead)
}

// Enrollments returns a page of a rule's enrollments, newest first, and how many
// there are, exactly up to 10,000. Index run_by_rule or run_by_status.
func (s *Service) Enrollments(ctx context.Context, tenant, rule id.ID, q EnrollmentQuery) ([]Enrollment, int, error) {
	r := s.db.Read(ctx, tenant)
	if _, err := ruleOf(r, rule); err != nil {
		return nil, 0, err
	}
	where, args := "r.automation_id=? AND r.enrollment", []any{rule}
	switch q.Status {
	case "":
	case Active:
		where += " AND r.status IN ('running','waiting') AND r.status<>'completed'"
	case Completed:
		where += " AND r.status='completed' AND COALESCE(r.exit_reason,'')<>'exit_condition_met'"
	case Exited:
		where += " AND (r.status='aborted' OR r.status='completed' AND r.exit_reason='exit_condition_met')"
	case Failed, Paused:
		where += " AND r.status=? AND r.status<>'completed'"
		args = append(args, q.Status)
	default:
		return nil, 0, fault.Field("status", "an enrollment's status is active, completed, exited, failed or paused")
	}
	if !q.From.IsZero() {
		where += " AND r.started_at>=?"
		args = append(args, q.From)
	}
	if !q.To.IsZero() {
		where += " AND r.started_at<=?"
		args = append(args, q.To)
	}
	var total int
	if err := r.QueryRow("SELECT COUNT(*) FROM (SELECT 1 AS one FROM run r WHERE r.tenant_id=? AND "+where+" LIMIT ?) c", append(args[:len(args):len(args)], totalCap)...).Scan(&total); err != nil {
		return nil, 0, err
	}
	page, limit := max(q.Page, 1), min(max(q.Limit, 1), maxRuns)
	list, err := s.enrollments(r, where, "r.started_at DESC, r.id DESC LIMIT ? OFFSET ?", append(args, limit, (page-1)*limit)...)
	return list, total, err
}

func enrollmentStatus(status, exit string) string {
	switch {
	case status == Aborted, exit == ExitCondition:
		return Exited
	case status == Running, status == Waiting:
		return Active
	}
	return status
}

// enrollments reads enrollments with their steps and people, by a constant
// number of queries for up to 256 of them.
func (s *Service) enrollments(r store.Reader, where, order string, args ...any) ([]Enrollment, error) {
	type named struct {
		run
		name string
	}
	rows, err := r.Query("SELECT "+runColumns+", a.name FROM run r LEFT JOIN automation a ON a.tenant_id=r.tenant_id AND a.id=r.automation_id WHERE r.tenant_id=? AND "+
		where+" ORDER BY "+order, args...)
	list, err := store.Collect(rows, err, func(rows *sql.Rows) (v named, err error) {
		return v, rows.Scan(append(v.fields(), store.Text(&v.name))...)
	})
	if err != nil || len(list) == 0 {
		return []Enrollment{}, err
	}
	ids, people := make([]id.ID, len(list)), make([]id.ID, len(list))
	for i := range list {
		ids[i], people[i] = list[i].id, list[i].contact
	}
	branches, err := branchesOfMany(r, ids)
	if err != nil {
		return nil, err
	}
	steps, err := stepsOfMany(r, ids)
	if err != nil {
		return nil, err
	}
	who, err := s.contacts.GetMany(r, people)
	if err != nil {
		return nil, err
	}
	out := make([]Enrollment, len(list))
	for i := range list {
		v := &list[i].run
		g, ok, err := s.graphOf(r, v.rule, v.version)
		if err != nil {
			return nil, err
		}
		if !ok {
			g = &Graph{}
		}
		out[i] = v.enrollment(g, branches[v.id], steps[v.id], who[v.contact])
		out[i].RuleName = list[i].name
	}
	return out, nil
}

// enrollment gives a run the shape of an enrollment.
func (r *run) enrollment(g *Graph, branches []branch, steps []Step, who contact.Contact) Enrollment {
	e := Enrollment{ID: r.id, Rule: r.rule, Contact: r.contact, Phone: who.Phone(), Email: who.Email(), Trigger: r.trigger, EventData: copyMap(r.vars),
		Resolved: map[string]any{}, TotalSteps: g.Steps, Status: enrollmentStatus(r.status, r.exit), ExitReason: r.exit, Error: r.err,
		StartedAt: r.started, UpdatedAt: r.updated, CompletedAt: r.finished}
	if m, ok := r.vars["resolved"].(map[string]any); ok {
		e.Resolved = m
		delete(e.EventData, "resolved")
	}
	e.Results = make([]StepResult, g.Steps)
	for i := range e.Results {
		e.Results[i] = StepResult{Number: i + 1, Status: "pending"}
	}
	for _, st := range steps {
		n := g.Nodes[st.Node]
		if n == nil || n.Step < 1 || n.Step > g.Steps || st.Status == StepWaiting || st.Status == StepRetried {
			continue
		}
		e.Results[n.Step-1] = StepResult{Number: n.Step, Status: st.Status, ExecutedAt: st.CompletedAt, Result: st.Output, Error: st.Error}
		e.CurrentStep = max(e.CurrentStep, n.Step)
	}
	for _, b := range branches {
		if b.waitKey == "" && (e.NextStepAt.IsZero() || b.resumeAt.Before(e.NextStepAt)) {
			if e.NextStepAt = b.resumeAt; e.NextStepAt.IsZero() {
				e.NextStepAt = b.since
			}
		}
	}
	return e
}

// stepsOfMany reads the steps of several runs, oldest first.
func stepsOfMany(r store.Reader, runs []id.ID) (map[id.ID][]Step, error) {
	out := map[id.ID][]Step{}
	for len(runs) > 0 {
		part := runs[:min(len(runs), 256)]
		runs = runs[len(part):]
		places, args := contact.Among(part)
		rows, err := r.Query("SELECT run_id, node, kind, status, output, error, started_at, completed_at FROM run_step WHERE tenant_id=? AND run_id IN "+places+" ORDER BY run_id, position", args...)
		_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
			var run id.ID
			var st Step
			err = rows.Scan(&run, &st.Node, &st.Kind, &st.Status, store.JSON(&st.Output), store.Text(&st.Error), store.Time(&st.StartedAt), store.Time(&st.CompletedAt))
			out[run] = append(out[run], st)
			return x, err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// enrolledAlready tells why a sequence did not start: the contact is in it. A
// cause that comes a second time, and has a run, tells nothing.
func (s *Service) enrolledAlready(tx *store.Tx, c *candidate, o occasion) error {
	var run id.ID
	found, err := store.Found(tx.QueryRow("SELECT id FROM run WHERE tenant_id=? AND automation_id=? AND contact_id=? AND enrollment AND completed_at IS NULL AND cause<>?",
		c.id, o.card.Contact.ID, o.cause).Scan(&run))
	if err != nil || !found {
		return err
	}
	return s.declined(tx, c, o, enrolled(run))
}
