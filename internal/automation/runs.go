package automation

import (
	"database/sql"
	"time"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// run is the row that a walk moves.
type run struct {
	id, rule, contact, log     id.ID
	version                    int
	trigger, cause, status     string
	steps, turns, depth        int
	vars                       map[string]any
	err                        string
	started, updated, finished time.Time
	enrolled                   bool
	exit                       string // why it ended before its last node
	goal                       string // the key of the event that ends it, while it is open
	// Of a launched run: what it is about, and whose books follow its status.
	schema        string
	entity, owner id.ID
	told          standpoint // what the owner knows
	unwritten     bool       // its row is written when the walk is saved
	// branches and waits count where it stands. Only loadRun fills them; whoever
	// holds the run's lock keeps them right.
	branches, waits int
}

// open reports whether jobs may move the run, alive whether it has not ended.
func (r *run) open() bool  { return r.status == Running || r.status == Waiting }
func (r *run) alive() bool { return r.open() || r.status == Paused }

// actor is how the effects of the run sign.
func (r *run) actor() string { return "run:" + r.id.String() }

const runColumns = "r.id, r.automation_id, r.version, r.contact_id, r.trigger_id, r.trigger_name, r.cause, r.status, r.steps, r.turns, r.depth, r.variables, r.error, r.started_at, r.updated_at, r.completed_at, r.enrollment, r.exit_reason, r.goal_key, r.entity_schema, r.entity_id, r.owner_id"

func (r *run) fields() []any {
	return []any{&r.id, &r.rule, &r.version, &r.contact, &r.log, &r.trigger, &r.cause, &r.status, &r.steps, &r.turns, &r.depth,
		store.JSON(&r.vars), store.Text(&r.err), store.Time(&r.started), store.Time(&r.updated), store.Time(&r.finished),
		&r.enrolled, store.Text(&r.exit), store.Text(&r.goal), store.Text(&r.schema), &r.entity, &r.owner}
}

// lockRun locks and reads a run. Whoever moves a run holds this lock, so that a
// reply and its timeout cannot both have it.
func lockRun(tx *store.Tx, runID id.ID) (*run, bool, error) {
	if err := tx.Lock("run", runID.String()); err != nil {
		return nil, false, err
	}
	return loadRun(tx, runID)
}

func loadRun(r store.Reader, runID id.ID) (*run, bool, error) {
	v := &run{}
	ok, err := store.Found(r.QueryRow("SELECT "+runColumns+`,
		(SELECT COUNT(*) FROM run_branch b WHERE b.tenant_id=r.tenant_id AND b.run_id=r.id),
		(SELECT COUNT(*) FROM run_branch b WHERE b.tenant_id=r.tenant_id AND b.run_id=r.id AND b.state='waiting')
		FROM run r WHERE r.tenant_id=? AND r.id=?`, runID).Scan(append(v.fields(), &v.branches, &v.waits)...))
	if v.vars == nil {
		v.vars = map[string]any{}
	}
	v.told = v.standpoint()
	return v, ok, err
}

// insertRun writes a run as it stands. It returns false when this cause has
// started this rule before, or when the contact is in the sequence already.
func insertRun(tx *store.Tx, r *run) (bool, error) {
	n, err := tx.Exec(`INSERT INTO run (tenant_id, id, automation_id, version, contact_id, trigger_id, trigger_name, cause, status, steps, turns, depth, variables, started_at, updated_at, enrollment, goal_key)
		VALUES (?,?,?,?,?,?,?,?,?,0,0,?,?,?,?,?,?) ON CONFLICT DO NOTHING`,
		r.id, r.rule, r.version, r.contact.String(), r.log, r.trigger, r.cause, r.status, r.depth, store.JSON(r.vars), tx.Now(), tx.Now(), r.enrolled, store.NullText(r.goal))
	return n > 0, err
}

// saveRun writes what a walk changes. A run that ended has no goal any more.
func saveRun(tx *store.Tx, r *run) error {
	if !r.finished.IsZero() {
		r.goal = ""
	}
	if r.unwritten {
		return nil // by writeRuns
	}
	_, err := tx.Exec(`UPDATE run SET status=?, steps=?, turns=?, variables=?, error=?, updated_at=?, completed_at=?, exit_reason=?, goal_key=? WHERE tenant_id=? AND id=?`,
		r.status, r.steps, r.turns, store.JSON(r.vars), store.NullText(r.err), tx.Now(), r.finished, store.NullText(r.exit), store.NullText(r.goal), r.id)
	return err
}

// The states of a branch.
const (
	branchReady   = "ready"
	branchWaiting = "waiting"
)

// branch is one place where an open run stands. The node "" is the beginning.
type branch struct {
	turn, step      int
	node, state     string
	waitKey         string
	rule            id.ID  // with event: the rule whose event it waits for
	event           string // the name of the event
	resumeAt, since time.Time
}

const branchColumns = "turn, node, state, step, wait_key, wait_rule, wait_event, resume_at, since"

func (b *branch) fields() []any {
	return []any{&b.turn, &b.node, &b.state, &b.step, store.Text(&b.waitKey), &b.rule, store.Text(&b.event), store.Time(&b.resumeAt), store.Time(&b.since)}
}

// takeBranch removes a branch for whoever moves it on; ok is false when
// somebody else already has.
func takeBranch(tx *store.Tx, r *run, turn int) (b branch, ok bool, err error) {
	ok, err = store.Found(tx.QueryRow("DELETE FROM run_branch WHERE tenant_id=? AND run_id=? AND turn=? RETURNING "+branchColumns, r.id, turn).Scan(b.fields()...))
	if ok && err == nil {
		r.branches--
		if b.state == branchWaiting {
			r.waits--
		}
	}
	return b, ok, err
}

func insertBranch(tx *store.Tx, runID id.ID, b branch) error {
	if b.since.IsZero() {
		b.since = tx.Now()
	}
	_, err := tx.Exec("INSERT INTO run_branch (tenant_id, run_id, turn, node, state, step, wait_key, wait_rule, wait_event, resume_at, since) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
		runID, b.turn, b.node, b.state, b.step, store.NullText(b.waitKey), b.rule, store.NullText(b.event), b.resumeAt, b.since)
	return err
}

func branchesOf(r store.Reader, runID id.ID) ([]branch, error) {
	rows, err := r.Query("SELECT "+branchColumns+" FROM run_branch WHERE tenant_id=? AND run_id=? ORDER BY turn", runID)
	return store.Collect(rows, err, func(rows *sql.Rows) (b branch, err error) { return b, rows.Scan(b.fields()...) })
}

// branchesOfMany reads the branches of the runs of a page.
func branchesOfMany(r store.Reader, runs []id.ID) (map[id.ID][]branch, error) {
	out := map[id.ID][]branch{}
	for len(runs) > 0 {
		part := runs[:min(len(runs), 256)]
		runs = runs[len(part):]
		places, args := contact.Among(part)
		rows, err := r.Query("SELECT run_id, "+branchColumns+" FROM run_branch WHERE tenant_id=? AND run_id IN "+places+" ORDER BY run_id, turn", args...)
		type owned struct {
			run id.ID
			b   branch
		}
		list, err := store.Collect(rows, err, func(rows *sql.Rows) (v owned, err error) {
			return v, rows.Scan(append([]any{&v.run}, v.b.fields()...)...)
		})
		if err != nil {
			return nil, err
		}
		for _, v := range list {
			out[v.run] = append(out[v.run], v.b)
		}
	}
	return out, nil
}

// public gives a run as the room shows it.
func (r *run) public(name string, branches []branch) Run {
	v := Run{ID: r.id, Rule: r.rule, RuleName: name, Version: r.version, Contact: r.contact, TriggerLog: r.log, Trigger: r.trigger,
		Status: r.status, Variables: r.vars, Error: r.err, ExitReason: r.exit, Enrollment: r.enrolled, Schema: r.schema, Entity: r.entity, Owner: r.owner, StartedAt: r.started, UpdatedAt: r.updated, CompletedAt: r.finished}
	for i, b := range branches {
		v.Branches = append(v.Branches, Branch{Node: b.node, Waiting: b.state == branchWaiting, WaitKey: b.waitKey, Event: b.event, ResumeAt: b.resumeAt, Since: b.since})
		if i == 0 || !b.resumeAt.IsZero() && (v.ResumeAt.IsZero() || b.resumeAt.Before(v.ResumeAt)) {
			v.Node, v.WaitKey, v.ResumeAt = b.node, b.waitKey, b.resumeAt
		}
	}
	return v
}

const totalCap = 10_000

func listRuns(r store.Reader, rule id.ID, status string, page, limit int) ([]Run, int, error) {
	where, args := "r.tenant_id=? AND r.automation_id=?", []any{rule}
	// Index run_by_rule; run_by_status for the statuses that few runs have.
	if status != "" {
		where += " AND r.status=?"
		args = append(args, status)
		if status != Completed {
			where += " AND r.status<>'completed'"
		}
	}
	var total int
	if err := r.QueryRow("SELECT COUNT(*) FROM (SELECT 1 AS one FROM run r WHERE "+where+" LIMIT ?) c", append(args[:len(args):len(args)], totalCap)...).Scan(&total); err != nil {
		return nil, 0, err
	}
	type named struct {
		run
		name, origin string
	}
	rows, err := r.Query("SELECT "+runColumns+", a.name, a.origin FROM run r LEFT JOIN automation a ON a.tenant_id=r.tenant_id AND a.id=r.automation_id WHERE "+
		where+" ORDER BY r.started_at DESC, r.id DESC LIMIT ? OFFSET ?", append(args, limit, (page-1)*limit)...)
	list, err := store.Collect(rows, err, func(rows *sql.Rows) (v named, err error) {
		return v, rows.Scan(append(v.fields(), store.Text(&v.name), store.Text(&v.origin))...)
	})
	if err != nil {
		return nil, 0, err
	}
	var open []id.ID
	for i := range list {
		if list[i].finished.IsZero() {
			open = append(open, list[i].id)
		}
	}
	branches, err := branchesOfMany(r, open)
	if err != nil {
		return nil, 0, err
	}
	out := make([]Run, 0, len(list))
	for i := range list {
		v := list[i].public(list[i].name, branches[list[i].id])
		v.Origin = list[i].origin
		out = append(out, v)
	}
	return out, total, nil
}

func readRun(r store.Reader, runID id.ID) (Run, error) {
	row, ok, err := loadRun(r, runID)
	if err != nil {
		return Run{}, err
	}
	if !ok {
		return Run{}, fault.Unknown("run")
	}
	var name, origin string
	if _, err := store.Found(r.QueryRow("SELECT name, origin FROM automation WHERE tenant_id=? AND id=?", row.rule).Scan(&name, &origin)); err != nil {
		return Run{}, err
	}
	bs, err := branchesOf(r, runID)
	if err != nil {
		return Run{}, err
	}
	v := row.public(name, bs)
	v.Origin = origin
	rows, err := r.Query("SELECT node, kind, status, output, error, started_at, completed_at FROM run_step WHERE tenant_id=? AND run_id=? AND node<>'' ORDER BY position", runID)
	v.Steps, err = store.Collect(rows, err, func(rows *sql.Rows) (st Step, err error) {
		return st, rows.Scan(&st.Node, &st.Kind, &st.Status, store.JSON(&st.Output), store.Text(&st.Error), store.Time(&st.StartedAt), store.Time(&st.CompletedAt))
	})
	return v, err
}
