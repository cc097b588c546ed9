package automation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"parley/internal/conversation/variables"
	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
	"parley/internal/tenant"
)

// walk moves one locked run within one transaction. It keeps the steps it makes
// in memory and writes them, and the run's row, once: in settle.
type walk struct {
	s      *Service
	tx     *store.Tx
	r      *run
	g      *Graph
	set    tenant.Settings
	held   bool           // its contact is there, and its lock is ours
	card   *deal.Card     // of the contact as it is now; nil: to be read
	lead   map[string]any // of the card; nil: to be made
	marked bool           // the contact's time of change is to be moved
	news   []event.New    // to be told, with the next of the run's own
	seen   *scope         // nil: to be made
	begun  map[string]bool
	tally  *tally
	steps  []Step // made, not yet written; the first has the position r.steps-len
	passed []string
	budget int // nodes that this transaction may still pass
	over   bool
	inline bool           // it began in the transaction of its cause
	dry    *rehearsal     // not nil: nothing waits, everything is undone
	batch  *batch         // not nil: many runs begin here, and what can be is written together
	doc    map[string]any // the entity that the run is about; nil: to be read
	err    error          // of reading the lead while a condition or a text was looked at
}

// stepArgs are the args of a step's job: the branch that moves.
type stepArgs struct {
	Run  id.ID `json:"run"`
	Turn int   `json:"turn"`
}

// errLater says that a node cannot be passed now and is to be tried in a job of
// its own.
var errLater = errors.New("automation: the node must wait for another transaction")

// handleStep moves a branch whose time has come.
func (s *Service) handleStep(ctx context.Context, j *job.Job) error {
	var a stepArgs
	if err := j.Decode(&a); err != nil {
		return err
	}
	return s.db.Write(ctx, j.Tenant, func(tx *store.Tx) error {
		if err := s.step(tx, a.Run, a.Turn); err != nil {
			return err
		}
		return j.Complete(tx)
	})
}

func (s *Service) step(tx *store.Tx, runID id.ID, turn int) error {
	r, there, ok, err := s.holdRun(tx, runID)
	if err != nil || !ok || !r.open() {
		return err // a paused run keeps its branch; resuming wakes it
	}
	b, ok, err := takeBranch(tx, r, turn)
	if err != nil || !ok {
		return err // somebody else moved it: a reply came before its timeout
	}
	w, err := s.walk(tx, r, &tally{})
	if err != nil {
		return err
	}
	w.held = there
	todo, err := w.due(b)
	if err != nil {
		return err
	}
	if err := w.pass(todo); err != nil {
		return err
	}
	if err := w.settle(); err != nil {
		return err
	}
	return w.tally.flush(tx)
}

func (s *Service) walk(tx *store.Tx, r *run, t *tally) (*walk, error) {
	g, ok, err := s.graphOf(tx, r.rule, r.version)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, job.GiveUp(fmt.Errorf("automation: version %d of rule %s is gone", r.version, r.rule))
	}
	set, err := s.tenants.SettingsOf(tx)
	return &walk{s: s, tx: tx, r: r, g: g, set: set, tally: t, budget: stepsPerTx}, err
}

// due gives the nodes that follow a branch whose time has come.
func (w *walk) due(b branch) ([]string, error) {
	if b.node == "" {
		return w.g.Starts, nil
	}
	if b.state != branchWaiting {
		return []string{b.node}, nil
	}
	n := w.g.Nodes[b.node]
	if n == nil {
		return nil, fmt.Errorf("automation: the graph of run %s has no node %q", w.r.id, b.node)
	}
	switch n.Kind {
	case nodeAction: // it failed and is tried again
		return []string{b.node}, w.finish(b, StepRetried, nil, "")
	case nodeReply, nodeEvent:
		todo := n.Next[handleDefault]
		if t := n.Next[handleTimeout]; len(t) > 0 {
			todo = t
		}
		return todo, w.finish(b, StepCompleted, map[string]any{"timedOut": true}, "")
	}
	return n.Next[handleDefault], w.finish(b, StepCompleted, map[string]any{"timedOut": false}, "")
}

// pass goes through nodes until every branch ends or waits. When the budget is
// used up, the rest goes on in jobs of its own, so that no transaction grows long.
func (w *walk) pass(todo []string) error {
	if len(todo) > 0 {
		if err := w.checkGoal(); err != nil {
			return err
		}
	}
	for len(todo) > 0 && !w.over {
		if w.budget == 0 {
			return w.later(todo)
		}
		w.budget--
		node := todo[0]
		begun, err := w.hasBegun(node)
		if err != nil {
			return err
		}
		if begun {
			todo = todo[1:]
			continue // two branches met: a node happens once in a run
		}
		next, err := w.node(node)
		if err == nil {
			err = w.err
		}
		if errors.Is(err, errLater) {
			return w.later(todo)
		}
		if err != nil {
			return err
		}
		todo = append(next[:len(next):len(next)], todo[1:]...)
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
	w.r.branches++
	b.turn = w.r.turns
	if b.state == branchWaiting {
		w.r.waits++
	}
	if err := insertBranch(w.tx, w.r.id, b); err != nil || w.r.status == Paused {
		return err // resuming makes the job
	}
	return wakeBranch(w.tx, w.r.id, b)
}

// wakeBranch enqueues the job of a branch that moves by itself.
func wakeBranch(tx *store.Tx, runID id.ID, b branch) error {
	if b.state == branchWaiting && b.resumeAt.IsZero() {
		return nil // only what it waits for ends it
	}
	_, _, err := job.Enqueue(tx, job.New{Kind: kindStep, Args: stepArgs{runID, b.turn}, RunAt: b.resumeAt,
		UniqueKey: stepKey(runID, b.turn), MaxAttempts: attempts})
	return err
}

// stepKey names the job that moves a branch on.
func stepKey(runID id.ID, turn int) string { return fmt.Sprintf("run:%s:%d", runID, turn) }

// wait writes a waiting step and parks the branch in it.
func (w *walk) wait(node string, n *Node, b branch, output map[string]any, problem string) error {
	b.step = w.r.steps
	w.record(node, n.name(), StepWaiting, output, problem)
	b.node, b.state = node, branchWaiting
	return w.leave(b)
}

// scope is what the run's conditions and templates see now. The lead is read
// when something looks at it.
func (w *walk) scope() *scope {
	if w.seen == nil {
		w.seen = scopeOf(w.lead, w.r.vars, w.tx.Now(), w.set)
		if _, own := w.r.vars["entity"]; !own {
			w.seen.what = w.entity
		}
		if w.lead == nil {
			w.seen.who = w.who
		}
	}
	return w.seen
}

func (w *walk) who() map[string]any {
	if w.card == nil {
		c, err := w.s.cards.CardIn(w.tx, w.r.contact)
		if err != nil && fault.As(err) == nil {
			w.err = err
		}
		w.card, w.lead = &c, nil
	}
	if w.lead == nil {
		w.lead = variables.Lead(*w.card)
	}
	return w.lead
}

// changed forgets what was seen: an action may have changed the lead, a result
// the variables.
func (w *walk) changed() { w.card, w.lead, w.seen, w.doc = nil, nil, nil, nil }

// flush writes what a walk has put off until others must see it: the contact's
// time of change, and the events, in their order, with the given ones last.
func (w *walk) flush(more ...event.New) error {
	if w.marked {
		w.marked = false
		if err := w.s.contacts.MarkIn(w.tx, w.r.contact); err != nil {
			return err
		}
	}
	news := append(w.news, more...)
	w.news = nil
	if len(news) == 1 {
		_, err := w.s.log.Append(w.tx, news[0])
		return err
	}
	return w.s.log.AppendMany(w.tx, news)
}

func scopeOf(lead, vars map[string]any, now time.Time, set tenant.Settings) *scope {
	resolved := map[string]any{}
	if m, ok := vars["resolved"].(map[string]any); ok {
		resolved = copyMap(m)
	}
	local := now.In(set.Location())
	resolved["now"], resolved["today"] = variables.ISO(now), local.Format("2006-01-02")
	return &scope{lead: lead, vars: vars, resolved: resolved}
}

func styleOf(set tenant.Settings) style {
	return style{zone: set.Location(), currency: set.Currency}
}

// settle finds where the run stands now that its branches have moved, and ends
// it when none is left, or when it has reached its goal.
func (w *walk) settle() error {
	if w.over {
		if err := w.clear(StepSkipped, w.r.exit); err != nil {
			return err
		}
		return w.end(Completed)
	}
	switch {
	case w.r.branches == 0 && w.r.err == "":
		return w.end(Completed)
	case w.r.branches == 0:
		return w.end(Failed)
	case w.r.status == Paused:
	case w.r.waits < w.r.branches:
		w.r.status = Running
	default:
		w.r.status = Waiting
	}
	typ := "run.updated"
	if w.inline {
		typ = "run.started"
	}
	if err := w.save(); err != nil {
		return err
	}
	return w.tell(typ)
}

// end closes the run and tells whoever waits for it.
func (w *walk) end(status string) error {
	w.r.status, w.r.finished = status, w.tx.Now()
	if err := w.save(); err != nil {
		return err
	}
	if err := w.tell("run." + status); err != nil {
		return err
	}
	w.tally.ended(w.r.rule, status == Completed)
	if w.r.log.IsZero() {
		return nil
	}
	return w.s.runEnded(w.tx, w.r.log, status != Completed && w.r.exit != ExitMerged)
}

// save writes the steps and the run's row.
func (w *walk) save() error {
	if err := w.writeSteps(); err != nil {
		return err
	}
	return saveRun(w.tx, w.r)
}

// clear takes every branch of a run away, so that whatever still comes for them
// finds nothing, and closes the steps that were waiting.
func (w *walk) clear(status, reason string) error {
	if w.r.branches > 0 {
		w.batch.apart(w)
	}
	if err := w.writeSteps(); err != nil {
		return err
	}
	if w.r.unwritten && w.r.branches == 0 {
		return nil
	}
	branches, err := branchesOf(w.tx, w.r.id)
	if err != nil || len(branches) == 0 {
		return err
	}
	for _, b := range branches {
		if b.state == branchReady || !b.resumeAt.IsZero() {
			if err := job.WithdrawIn(w.tx, kindStep, stepKey(w.r.id, b.turn)); err != nil {
				return err
			}
		}
	}
	if _, err := w.tx.Exec("DELETE FROM run_branch WHERE tenant_id=? AND run_id=?", w.r.id); err != nil {
		return err
	}
	w.r.branches, w.r.waits = 0, 0
	_, err = w.tx.Exec("UPDATE run_step SET status=?, error=?, completed_at=? WHERE tenant_id=? AND run_id=? AND status=?",
		status, store.NullText(reason), w.tx.Now(), w.r.id, StepWaiting)
	return err
}

// tell appends the one event of this transaction about the run: its status, and
// the nodes it came through.
func (w *walk) tell(typ string) error {
	if err := w.s.note(w.tx, w.tally, w.r); err != nil {
		return err
	}
	changed := []string{"status:" + w.r.status}
	if w.inline && typ != "run.started" {
		changed = append(changed, "started")
	}
	if w.r.exit != "" {
		changed = append(changed, "exit:"+w.r.exit)
	}
	changed = append(changed, w.passed[max(0, len(w.passed)-toldNodes):]...)
	e := event.New{Type: typ, Subject: w.r.id, Contact: w.r.contact, Changed: changed, Actor: w.r.actor(), Cause: w.r.cause}
	if w.batch != nil {
		if w.marked {
			w.marked = false
			if err := w.s.contacts.MarkIn(w.tx, w.r.contact); err != nil {
				return err
			}
		}
		w.batch.news = append(append(w.batch.news, w.news...), e)
		w.news = nil
		return nil
	}
	return w.flush(e)
}

// toldNodes bounds the nodes that an event names: the last ones.
const toldNodes = 16
