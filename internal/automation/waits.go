package automation

import (
	"bytes"
	"cmp"
	"database/sql"
	"slices"
	"time"

	"parley/internal/conversation"
	"parley/internal/conversation/variables"
	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// Keys of what a branch or a goal waits for.
func replyKey(contact string) string { return "reply:" + contact }

func eventKey(contact id.ID, name string) string { return "event:" + contact.String() + ":" + name }

func goalKey(contact id.ID, name string) string { return "goal:" + contact.String() + ":" + name }

func answerKey(delivery id.ID) string { return "delivery:" + delivery.String() }

// awaitReply parks the run until the contact writes. The lock makes a message
// that arrives at the same moment come either before the wait began or find it.
func (w *walk) awaitReply(nid string, n *Node) ([]string, error) {
	b, output := w.timeout(n)
	if w.dry != nil {
		return append(w.dry.waits(w, nid, n, output), n.Next[handleReply]...), nil
	}
	if w.r.contact.IsZero() {
		return w.fail(nid, n, nil, nil, "the "+clip(w.r.schema)+" relates to no person who could reply; relate it to a contact")
	}
	if err := w.tx.Lock("reply", w.r.contact.String()); err != nil {
		return nil, err
	}
	b.waitKey = replyKey(w.r.contact.String())
	return nil, w.wait(nid, n, b, output, "")
}

// awaitEvent parks the run until an event of the name happens to the contact,
// or somebody tells the rule so (reference 4.8). The lock: as for a reply.
func (w *walk) awaitEvent(nid string, n *Node) ([]string, error) {
	b, output := w.timeout(n)
	output["eventName"] = n.Event
	if w.dry != nil {
		return w.dry.waits(w, nid, n, output), nil
	}
	if err := w.tx.Lock("await", w.r.contact.String()); err != nil {
		return nil, err
	}
	b.waitKey, b.rule, b.event = eventKey(w.r.contact, n.Event), w.r.rule, n.Event
	return nil, w.wait(nid, n, b, output, "")
}

func (w *walk) timeout(n *Node) (b branch, output map[string]any) {
	output = map[string]any{}
	if n.After > 0 {
		b.resumeAt = w.tx.Now().Add(time.Duration(n.After) * time.Millisecond)
		output["until"] = variables.ISO(b.resumeAt)
	}
	return b, output
}

// waiter is a branch that waits for something that has come.
type waiter struct {
	run   id.ID
	turn  int
	since time.Time
}

// waiters finds branches by a condition on run_branch b, with their runs locked.
func waiters(tx *store.Tx, where string, args ...any) ([]waiter, error) {
	rows, err := tx.Query("SELECT b.run_id, b.turn, b.since FROM run_branch b WHERE b.tenant_id=? AND "+where, args...)
	list, err := store.Collect(rows, err, func(rows *sql.Rows) (v waiter, err error) {
		return v, rows.Scan(&v.run, &v.turn, store.Time(&v.since))
	})
	if err != nil || len(list) == 0 {
		return list, err
	}
	// Sorted here: asked for this order, SQLite reads every branch of the tenant
	// in it instead of the few that the index of waits names.
	slices.SortFunc(list, func(a, b waiter) int { return cmp.Or(bytes.Compare(a.run[:], b.run[:]), a.turn-b.turn) })
	keys := make([]string, len(list))
	for i, v := range list {
		keys[i] = v.run.String()
	}
	return list, tx.Lock("run", keys...)
}

// rouse takes a waiting branch whose wait is over and hands it to f, which
// closes its step and says what follows; that is left to jobs. It reports
// whether it did: a timeout may have come first. A paused run takes what comes
// and goes on when it is resumed.
func (s *Service) rouse(tx *store.Tx, t *tally, v waiter, f func(w *walk, b branch, n *Node) ([]string, error)) (bool, error) {
	r, ok, err := loadRun(tx, v.run)
	if err != nil || !ok || !r.alive() {
		return false, err
	}
	b, ok, err := takeBranch(tx, r, v.turn)
	if err != nil || !ok {
		return false, err
	}
	if !b.resumeAt.IsZero() { // the timeout is off
		if err := job.WithdrawIn(tx, kindStep, stepKey(v.run, v.turn)); err != nil {
			return false, err
		}
	}
	w, err := s.walk(tx, r, t)
	if err != nil {
		return false, err
	}
	var next []string
	if n := w.g.Nodes[b.node]; n != nil {
		if next, err = f(w, b, n); err != nil {
			return false, err
		}
	}
	if err := w.later(next); err != nil {
		return false, err
	}
	return true, w.settle()
}

// resume moves on every branch that waited for this contact's reply when it came.
func (s *Service) resume(tx *store.Tx, t *tally, e event.Event, m conversation.Message) error {
	cid, err := s.resolvedContact(tx, e.Contact)
	if err != nil {
		return err
	}
	list, err := waiters(tx, "b.wait_key=?", replyKey(cid.String()))
	if err != nil {
		return err
	}
	text := cut(storable(m.Text), 16<<10)
	for _, v := range list {
		if v.since.After(e.At) {
			continue // it began to wait after this message
		}
		_, err := s.rouse(tx, t, v, func(w *walk, b branch, n *Node) ([]string, error) {
			w.r.vars["reply"] = text
			return append(append([]string(nil), n.Next[handleReply]...), n.Next[handleDefault]...),
				w.finish(b, StepCompleted, map[string]any{"reply": text, "messageId": m.ID.String(), "timedOut": false}, "")
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// occurrence is a named event that waits and goals may be for.
type occurrence struct {
	names   []string // every spelling
	rule    id.ID    // zero: of any rule
	contact id.ID    // zero: of any contact; then rule is required
	run     id.ID    // zero: any
	at      time.Time
	payload map[string]any
	after   id.ID // with limit, of a sweep in parts: runs behind this one
	limit   int
}

// occurred ends the runs whose goal an event is, and moves on the branches that
// wait for it. It returns the runs, each once.
func (s *Service) occurred(tx *store.Tx, t *tally, o occurrence) ([]id.ID, error) {
	var done []id.ID
	if !o.contact.IsZero() {
		if err := tx.Lock("contact", o.contact.String()); err != nil {
			return nil, err
		}
		if err := tx.Lock("await", o.contact.String()); err != nil {
			return nil, err
		}
		reached, err := s.goals(tx, t, o)
		if err != nil {
			return nil, err
		}
		done = reached
	}
	where, args := o.where()
	list, err := waiters(tx, where, args...)
	if err != nil {
		return nil, err
	}
	for _, v := range list {
		if !o.at.IsZero() && v.since.After(o.at) {
			continue // it began to wait after this event
		}
		ok, err := s.rouse(tx, t, v, func(w *walk, b branch, n *Node) ([]string, error) {
			w.r.vars = withPayload(w.r.vars, n.Event, n.Store, o.payload)
			return n.Next[handleDefault], w.finish(b, StepCompleted, map[string]any{"eventName": n.Event, "timedOut": false}, "")
		})
		if err != nil {
			return nil, err
		}
		if ok && (len(done) == 0 || done[len(done)-1] != v.run) {
			done = append(done, v.run)
		}
	}
	return done, nil
}

// occurredAll tells waits and goals what an event of the feed set off.
func (s *Service) occurredAll(tx *store.Tx, t *tally, e event.Event, list []happening) error {
	if len(list) == 0 || e.Contact.IsZero() {
		return nil
	}
	l, err := s.heard(tx)
	if err != nil {
		return err
	}
	cid, err := s.resolvedContact(tx, e.Contact)
	if err != nil {
		return err
	}
	for _, h := range list {
		if _, err := s.occurred(tx, t, occurrence{names: l.named(h.trigger), contact: cid, at: e.At, payload: h.vars}); err != nil {
			return err
		}
	}
	return nil
}

// where finds the waits of an occurrence: by the contact's key (index
// run_branch_waiting), or by rule and name (index run_branch_event).
func (o *occurrence) where() (string, []any) {
	var where string
	var args []any
	if !o.contact.IsZero() {
		keys := make([]string, len(o.names))
		for i, name := range o.names {
			keys[i] = eventKey(o.contact, name)
		}
		where, args = anyOf("b.wait_key", keys)
	} else {
		where, args = anyOf("b.wait_event", o.names)
	}
	if !o.rule.IsZero() {
		where += " AND b.wait_rule=?"
		args = append(args, o.rule)
	}
	if !o.run.IsZero() {
		where += " AND b.run_id=?"
		args = append(args, o.run)
	}
	if !o.after.IsZero() {
		where += " AND b.run_id>?"
		args = append(args, o.after)
	}
	where += " AND b.wait_event IS NOT NULL"
	if o.limit > 0 {
		where += " ORDER BY b.run_id, b.turn LIMIT ?"
		args = append(args, o.limit)
	}
	return where, args
}

// goals ends the open runs whose goal the event is (index run_goal). The goal's
// conditions see the event's payload.
func (s *Service) goals(tx *store.Tx, t *tally, o occurrence) ([]id.ID, error) {
	keys := make([]string, len(o.names))
	for i, name := range o.names {
		keys[i] = goalKey(o.contact, name)
	}
	where, args := anyOf("goal_key", keys)
	if !o.rule.IsZero() {
		where += " AND automation_id=?"
		args = append(args, o.rule)
	}
	if !o.run.IsZero() {
		where += " AND id=?"
		args = append(args, o.run)
	}
	rows, err := tx.Query("SELECT id FROM run WHERE tenant_id=? AND "+where, args...)
	list, err := store.Collect(rows, err, func(rows *sql.Rows) (v id.ID, err error) { return v, rows.Scan(&v) })
	if err != nil || len(list) == 0 {
		return nil, err
	}
	slices.SortFunc(list, func(a, b id.ID) int { return bytes.Compare(a[:], b[:]) }) // here, as for waiters
	names := make([]string, len(list))
	for i, v := range list {
		names[i] = v.String()
	}
	if err := tx.Lock("run", names...); err != nil {
		return nil, err
	}
	var done []id.ID
	for _, v := range list {
		r, ok, err := loadRun(tx, v)
		if err != nil {
			return nil, err
		}
		if !ok || !r.alive() || r.goal == "" || !o.at.IsZero() && r.started.After(o.at) {
			continue
		}
		w, err := s.walk(tx, r, t)
		if err != nil {
			return nil, err
		}
		n := w.g.Nodes[w.g.Goal]
		if n == nil {
			continue
		}
		was := r.vars
		r.vars = withPayload(r.vars, n.Event, n.Store, o.payload)
		w.changed()
		if holds := w.holds(n.When); w.err != nil || !holds {
			if r.vars = was; w.err != nil {
				return nil, w.err
			}
			continue
		}
		if err := w.reach(w.g.Goal); err != nil {
			return nil, err
		}
		if err := w.settle(); err != nil {
			return nil, err
		}
		done = append(done, v)
	}
	return done, nil
}

// withPayload gives a run the payload of an event: under the event's name, under
// storeAs, and key by key (reference 4.8.3). What would make the variables too
// large is left out, the single keys first.
func withPayload(vars map[string]any, name, as string, payload map[string]any) map[string]any {
	if len(payload) == 0 {
		return vars
	}
	for _, parts := range [][3]bool{{true, true, true}, {true, true, false}, {false, true, false}} {
		out := copyMap(vars)
		if parts[2] {
			for k, v := range payload {
				if k != "resolved" { // holds the results of earlier steps
					out[k] = v
				}
			}
		}
		if parts[0] && name != "" && name != "resolved" {
			out[name] = payload
		}
		if parts[1] && as != "" {
			out[as] = payload
		}
		if checked, err := asJSON("payload", maxVariables, out); err == nil {
			return checked
		}
	}
	return vars
}

// resolvedContact is the contact that an id of the past leads to.
func (s *Service) resolvedContact(r store.Reader, cid id.ID) (id.ID, error) {
	if cid.IsZero() {
		return cid, nil
	}
	return s.contacts.Resolve(r, cid)
}
