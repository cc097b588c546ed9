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

// Execution is a run as the targeting API shows it (targeting reference §4.3): of a
// launched rule, or of one that an event started for a person.
type Execution struct {
	ID, Flow    id.ID
	FlowName    string
	Entity      id.ID // what it is about
	Schema      string
	Contact     id.ID // the person, zero when there is none
	Owner       id.ID
	Status      string // of Exec...
	Trigger     string
	Error       string
	ExitReason  string
	Current     string // the action at which it stands, "" once it has ended
	ResumeAt    time.Time
	Actions     []ExecAction // only of Service.Execution
	CreatedAt   time.Time
	UpdatedAt   time.Time
	CompletedAt time.Time
}

// ExecAction is what became of one action.
type ExecAction struct {
	ID, Type, Name string
	Status         string // of Exec...
	Error          string
	Output         map[string]any
	StartedAt      time.Time
	CompletedAt    time.Time
}

// ExecQuery selects executions; zero fields select nothing out.
type ExecQuery struct {
	Entity id.ID // a person under any id that it ever had, or a record
	Flow   id.ID
	From   int
	Size   int
}

// Executions returns a page of a tenant's executions, newest first. total is exact
// up to 10,000.
func (s *Service) Executions(ctx context.Context, tenant id.ID, q ExecQuery) ([]Execution, int, error) {
	r := s.db.Read(ctx, tenant)
	from, args, err := s.execFrom(r, q)
	if err != nil {
		return nil, 0, err
	}
	var total int
	if err := r.QueryRow("SELECT COUNT(*) FROM ("+from("1 AS one")+" LIMIT ?) c", append(args[:len(args):len(args)], totalCap)...).Scan(&total); err != nil {
		return nil, 0, err
	}
	order := "r.id DESC"
	if q.Entity.IsZero() && !q.Flow.IsZero() {
		order = "r.started_at DESC, r.id DESC" // index run_by_rule
	}
	rows, err := r.Query(from(runColumns)+" ORDER BY "+order+" LIMIT ? OFFSET ?", append(args, q.Size, q.From)...)
	list, err := store.Collect(rows, err, func(rows *sql.Rows) (*run, error) {
		v := &run{}
		return v, rows.Scan(v.fields()...)
	})
	if err != nil {
		return nil, 0, err
	}
	out, err := s.executionsOf(r, list)
	return out, total, err
}

// execFrom builds the query of a page. A person's runs are found rule by rule, as in
// purgeRuns; ids grow with time, so the others are read backwards by their key.
func (s *Service) execFrom(r store.Reader, q ExecQuery) (from func(columns string) string, args []any, err error) {
	flow := ""
	if !q.Flow.IsZero() {
		flow = " AND r.automation_id=?"
	}
	if q.Entity.IsZero() {
		if flow != "" {
			args = []any{q.Flow}
		}
		return func(columns string) string { return "SELECT " + columns + " FROM run r WHERE r.tenant_id=?" + flow }, args, nil
	}
	known, err := s.contacts.Known(r, q.Entity)
	if err != nil {
		return nil, nil, err
	}
	people, err := s.contacts.GetMany(r, known[:1])
	if err != nil {
		return nil, nil, err
	}
	if len(people) == 0 {
		args = []any{q.Entity}
		if flow != "" {
			args = append(args, q.Flow)
		}
		return func(columns string) string {
			return "SELECT " + columns + " FROM run r WHERE r.tenant_id=? AND r.entity_id=? AND r.entity_schema<>'contact'" + flow // index run_of_record
		}, args, nil
	}
	in, args := contact.Among(known)
	if flow != "" {
		args = append(args, q.Flow)
	}
	return func(columns string) string {
		return "SELECT " + columns + " FROM (" + ofRules("run", "t.*", in) + ") r WHERE r.tenant_id IS NOT NULL" + flow
	}, args, nil
}

func (s *Service) executionsOf(r store.Reader, list []*run) ([]Execution, error) {
	var open, rules []id.ID
	for _, v := range list {
		rules = append(rules, v.rule)
		if v.alive() {
			open = append(open, v.id)
		}
	}
	branches, err := branchesOfMany(r, open)
	if err != nil {
		return nil, err
	}
	names := map[id.ID]string{}
	if len(rules) > 0 {
		in, args := contact.Among(rules)
		rows, err := r.Query("SELECT id, name FROM automation WHERE tenant_id=? AND id IN "+in, args...)
		_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
			var v id.ID
			var name string
			if err = rows.Scan(&v, &name); err == nil {
				names[v] = name
			}
			return
		})
		if err != nil {
			return nil, err
		}
	}
	out := make([]Execution, len(list))
	for i, v := range list {
		g, _, err := s.graphOf(r, v.rule, v.version)
		if err != nil {
			return nil, err
		}
		out[i] = v.execution(names[v.rule], g, branches[v.id])
	}
	return out, nil
}

func (r *run) execution(name string, g *Graph, branches []branch) Execution {
	p := r.standpoint()
	e := Execution{ID: r.id, Flow: r.rule, FlowName: name, Entity: r.entity, Schema: r.schema, Contact: r.contact, Owner: r.owner, Trigger: r.trigger,
		Error: r.err, ExitReason: r.exit, CreatedAt: r.started, UpdatedAt: r.updated, CompletedAt: r.finished}
	if e.Schema == "" {
		e.Entity, e.Schema = r.contact, People
	}
	p.waits = 0
	for i, b := range branches {
		if b.state == branchWaiting {
			p.waits++
		}
		if i == 0 || !b.resumeAt.IsZero() && (e.ResumeAt.IsZero() || b.resumeAt.Before(e.ResumeAt)) {
			e.Current, e.ResumeAt = actionOf(b.node), b.resumeAt
		}
	}
	e.Status = p.word(g)
	return e
}

// Execution returns an execution with its actions. NotFound "run".
func (s *Service) Execution(ctx context.Context, tenant, run id.ID) (Execution, error) {
	return s.ExecutionIn(s.db.Read(ctx, tenant), run)
}

// ExecutionIn is Execution for callers that have a transaction.
func (s *Service) ExecutionIn(r store.Reader, runID id.ID) (Execution, error) {
	v, ok, err := loadRun(r, runID)
	if err == nil && !ok {
		err = fault.Unknown("run")
	}
	if err != nil {
		return Execution{}, err
	}
	list, err := s.executionsOf(r, []*run{v})
	if err != nil {
		return Execution{}, err
	}
	e := list[0]
	steps, err := stepsOfMany(r, []id.ID{runID})
	if err != nil {
		return e, err
	}
	var rule Rule
	if rule, err = ruleOf(r, v.rule); fault.As(err) == nil && err != nil {
		return e, err
	}
	e.Actions = actionsOf(flowOf(rule), steps[runID], v.alive())
	for i := range e.Actions {
		if a := &e.Actions[i]; v.status == Aborted && a.Status == ExecFailed && a.Error == v.err {
			a.Status, a.Error = ExecCancelled, ""
		}
	}
	return e, nil
}

// actionsOf tells of every action of a form what became of it, and of what else the
// run did, since it may be of an earlier version.
func actionsOf(f Flow, steps []Step, alive bool) []ExecAction {
	out := []ExecAction{}
	at := map[string]int{}
	list, _ := f.Form["actions"].([]any)
	last := 0 // of the form's actions whose turn has come
	for _, v := range list {
		m, _ := v.(map[string]any)
		a := ExecAction{Status: ExecPending}
		a.ID, _ = m["id"].(string)
		a.Type, _ = m["type"].(string)
		a.Name, _ = m["name"].(string)
		if !alive {
			a.Status = ExecSkipped
		}
		at[a.ID] = len(out)
		out = append(out, a)
	}
	for _, st := range steps {
		if i, ok := at[actionOf(st.Node)]; ok {
			last = max(last, i)
		}
		i, known := at[st.Node]
		if !known {
			if f.Own && actionOf(st.Node) != st.Node || st.Node == wholeFlow {
				continue // a condition or a schedule
			}
			i = len(out)
			at[st.Node] = i
			out = append(out, ExecAction{ID: st.Node, Type: st.Kind})
		}
		a := &out[i]
		a.Error, a.Output, a.StartedAt, a.CompletedAt = st.Error, st.Output, st.StartedAt, st.CompletedAt
		a.Status = map[string]string{StepWaiting: ExecInProgress, StepCompleted: ExecSuccess, StepFailed: ExecFailed, StepSkipped: ExecSkipped, StepRetried: ExecInProgress}[st.Status]
	}
	for i := range out[:min(last, len(out))] {
		if f.Own && out[i].Status == ExecPending {
			out[i].Status = ExecSkipped // its condition did not hold: later ones have begun
		}
	}
	return out
}

// Cancel ends an open execution. Conflict when it has ended; NotFound "run".
func (s *Service) Cancel(ctx context.Context, tenant id.ID, actor string, run id.ID) (Execution, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Execution, error) {
		r, ok, err := lockRun(tx, run)
		if err != nil {
			return Execution{}, err
		}
		if !ok {
			return Execution{}, fault.Unknown("run")
		}
		if !r.alive() {
			return Execution{}, fault.New(fault.Conflict, "the execution is %s already; only one under way can be cancelled", r.standpoint().word(nil))
		}
		t := &tally{}
		if err := s.stopRun(tx, t, r, Aborted, ExitCancelled, "cancelled by "+actor); err != nil {
			return Execution{}, err
		}
		if err := t.flush(tx); err != nil {
			return Execution{}, err
		}
		return s.ExecutionIn(tx, run)
	})
}
