package automation

import (
	"context"
	"fmt"
	"time"

	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
	"parley/internal/tenant"
)

// walk moves one locked run within one transaction.
type walk struct {
	s     *Service
	ctx   context.Context
	tx    *store.Tx
	r     *run
	g     *Graph
	set   tenant.Settings
	lead  map[string]any  // nil: to be read
	begun map[string]bool // nodes that have a step; nil: to be read
	tally *tally
	park  bool // a branch began to wait
}

// stepArgs are the args of a step's job: the branch that moves.
type stepArgs struct {
	Run  id.ID `json:"run"`
	Turn int   `json:"turn"`
}

// handleStep moves a branch whose time has come.
func (s *Service) handleStep(ctx context.Context, j *job.Job) error {
	var a stepArgs
	if err := j.Decode(&a); err != nil {
		return err
	}
	return s.db.Write(ctx, j.Tenant, func(tx *store.Tx) error {
		if err := s.step(ctx, tx, a.Run, a.Turn); err != nil {
			return err
		}
		return j.Complete(tx)
	})
}

func (s *Service) step(ctx context.Context, tx *store.Tx, runID id.ID, turn int) error {
	r, ok, err := lockRun(tx, runID)
	if err != nil || !ok || !r.open() {
		return err
	}
	b, ok, err := takeBranch(tx, runID, turn)
	if err != nil || !ok {
		return err // somebody else moved it: a reply came before its timeout
	}
	w, err := s.walk(ctx, tx, r)
	if err != nil {
		return err
	}
	todo := []string{b.node}
	switch {
	case b.node == "":
		todo = w.g.Starts
	case b.state == branchWaiting:
		n := w.g.Nodes[b.node]
		if n == nil {
			return fmt.Errorf("automation: the graph of run %s has no node %q", runID, b.node)
		}
		timedOut := n.Kind == nodeReply
		if err := w.wake(b, map[string]any{"timedOut": timedOut}); err != nil {
			return err
		}
		todo = n.Next[handleDefault]
		if t := n.Next[handleTimeout]; timedOut && len(t) > 0 {
			todo = t
		}
	}
	if err := w.pass(todo); err != nil {
		return err
	}
	if err := w.settle(); err != nil {
		return err
	}
	return w.tally.flush(tx)
}

func (s *Service) walk(ctx context.Context, tx *store.Tx, r *run) (*walk, error) {
	g, ok, err := graphOf(tx, r.rule, r.version)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, job.GiveUp(fmt.Errorf("automation: version %d of rule %s is gone", r.version, r.rule))
	}
	set, err := s.tenants.SettingsOf(tx)
	return &walk{s: s, ctx: ctx, tx: tx, r: r, g: g, set: set, tally: &tally{}}, err
}

// pass goes through nodes until every branch ends or waits. After stepsPerTx
// nodes the rest goes on in jobs of its own, so that no transaction grows long.
func (w *walk) pass(todo []string) error {
	for n := 0; len(todo) > 0; n++ {
		if n == stepsPerTx {
			return w.later(todo)
		}
		node := todo[0]
		todo = todo[1:]
		begun, err := w.hasBegun(node)
		if err != nil {
			return err
		}
		if begun {
			continue // two branches met: a node happens once in a run
		}
		next, err := w.node(node)
		if err != nil {
			return err
		}
		todo = append(next[:len(next):len(next)], todo...)
	}
	return nil
}

// later leaves nodes to jobs.
func (w *walk) later(nodes []string) error {
	for _, node := range nodes {
		if err := w.leave(branch{node: node, state: branchReady}); err != nil {
			return err
		}
	}
	return nil
}

// leave writes a branch and the job that moves it on, if time does.
func (w *walk) leave(b branch) error {
	w.r.turns++
	b.turn = w.r.turns
	if err := insertBranch(w.tx, w.r.id, b); err != nil {
		return err
	}
	if b.state == branchWaiting && b.resumeAt.IsZero() {
		return nil // only a reply ends it
	}
	_, _, err := job.Enqueue(w.tx, job.New{Kind: kindStep, Args: stepArgs{w.r.id, b.turn}, RunAt: b.resumeAt,
		UniqueKey: stepKey(w.r.id, b.turn), MaxAttempts: attempts})
	return err
}

// stepKey names the job that moves a branch on.
func stepKey(runID id.ID, turn int) string { return fmt.Sprintf("run:%s:%d", runID, turn) }

// wait writes a waiting step and parks the branch in it.
func (w *walk) wait(node string, n *Node, b branch, output map[string]any) error {
	b.step = w.r.steps
	if err := w.record(node, n.name(), StepWaiting, output, ""); err != nil {
		return err
	}
	b.node, b.state, w.park = node, branchWaiting, true
	return w.leave(b)
}

// wake ends the waiting step of a branch.
func (w *walk) wake(b branch, output map[string]any) error {
	_, err := w.tx.Exec("UPDATE run_step SET status=?, output=?, completed_at=? WHERE tenant_id=? AND run_id=? AND position=?",
		StepCompleted, store.JSON(output), w.tx.Now(), w.r.id, b.step)
	return err
}

// record writes the step of a node.
func (w *walk) record(node, kind, status string, output map[string]any, problem string) error {
	var done time.Time
	if status != StepWaiting {
		done = w.tx.Now()
	}
	var out any
	if output != nil {
		out = store.JSON(output)
	}
	_, err := w.tx.Exec("INSERT INTO run_step (tenant_id, run_id, position, node, kind, status, output, error, started_at, completed_at) VALUES (?,?,?,?,?,?,?,?,?,?)",
		w.r.id, w.r.steps, node, kind, status, out, store.NullText(problem), w.tx.Now(), done)
	w.r.steps++
	if w.begun != nil {
		w.begun[node] = true
	}
	return err
}

func (w *walk) hasBegun(node string) (bool, error) {
	if w.begun == nil {
		rows, err := w.tx.Query("SELECT node FROM run_step WHERE tenant_id=? AND run_id=?", w.r.id)
		list, err := collectTexts(rows, err)
		if err != nil {
			return false, err
		}
		w.begun = map[string]bool{}
		for _, n := range list {
			w.begun[n] = true
		}
	}
	return w.begun[node], nil
}

// scope is what the run's conditions and templates see now.
func (w *walk) scope() (*scope, error) {
	if w.lead == nil {
		c, err := w.s.cards.CardIn(w.tx, w.r.contact)
		if err != nil && fault.As(err) == nil {
			return nil, err
		}
		w.lead = leadOf(c)
	}
	return scopeOf(w.lead, w.r.vars, w.tx.Now(), w.set), nil
}

func scopeOf(lead, vars map[string]any, now time.Time, set tenant.Settings) *scope {
	resolved := map[string]any{}
	if m, ok := vars["resolved"].(map[string]any); ok {
		resolved = copyMap(m)
	}
	local := now.In(set.Location())
	resolved["now"], resolved["today"] = iso(now), local.Format("2006-01-02")
	return &scope{lead: lead, vars: vars, resolved: resolved}
}

func styleOf(set tenant.Settings) style {
	return style{zone: set.Location(), currency: set.Currency}
}

// settle finds where the run stands now that its branches have moved, and ends
// it when none is left.
func (w *walk) settle() error {
	var all, waiting int
	err := w.tx.QueryRow("SELECT COUNT(*), COALESCE(SUM(CASE WHEN state='waiting' THEN 1 ELSE 0 END), 0) FROM run_branch WHERE tenant_id=? AND run_id=?", w.r.id).Scan(&all, &waiting)
	if err != nil {
		return err
	}
	switch {
	case all == 0 && w.r.err == "":
		return w.end(Completed)
	case all == 0:
		return w.end(Failed)
	case waiting < all:
		w.r.status = Running
	default:
		w.r.status = Waiting
	}
	if err := saveRun(w.tx, w.r); err != nil || !w.park || w.r.status != Waiting {
		return err
	}
	return w.tell("run.waiting")
}

// end closes the run and tells whoever waits for it.
func (w *walk) end(status string) error {
	w.r.status, w.r.finished = status, w.tx.Now()
	if err := saveRun(w.tx, w.r); err != nil {
		return err
	}
	if err := w.tell("run." + status); err != nil {
		return err
	}
	w.tally.ended(w.r.rule, status == Completed)
	if w.r.log.IsZero() {
		return nil
	}
	return w.s.runEnded(w.tx, w.r.log, status != Completed)
}

func (w *walk) tell(typ string) error {
	_, err := w.s.log.Append(w.tx, event.New{Type: typ, Subject: w.r.id, Contact: w.r.contact, Actor: w.r.actor(), Cause: w.r.cause})
	return err
}
