package automation

import (
	"context"
	"encoding/json"
	"errors"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Rehearsal is what a run of a rule would do for a contact now, without doing it.
type Rehearsal struct {
	Rule    id.ID
	Contact id.ID
	Passed  bool    // the rule's own conditions hold
	Checks  []Check // each of them
	Path    []Stop  // the nodes it would come through, in order
	Status  string  // how the run would end, "" when it would not start
	Error   string  // the first failure
	Exit    string  // of Exit...
}

// Stop is one node of a rehearsal.
type Stop struct {
	Node   string
	Kind   string // of the node, or of its action
	Step   int    // of a sequence, from 1; 0 elsewhere
	Status string // completed, failed, skipped; waiting where a real run would stay for a while
	Output map[string]any
	Text   string // the message as it would be sent
	Error  string
	Action bool // it would do something
}

// rehearsal is what a walk notes while everything it does will be undone.
type rehearsal struct {
	bodies map[string]string
}

// errUndone undoes a rehearsal.
var errUndone = errors.New("automation: a rehearsal is undone")

// Test rehearses a rule for a contact: the real walk with its real effects, in a
// transaction that is undone, so that it takes the same decisions and writes
// nothing. Waits are passed at once, as if what they wait for had come; calls
// out are not made. The rule's trigger and its filters are taken to fit. A rule
// that is switched off can be rehearsed. NotFound of the rule or the contact.
func (s *Service) Test(ctx context.Context, tenant, rule, contact id.ID, vars map[string]any) (Rehearsal, error) {
	vars, err := asJSON("variables", maxVariables, vars)
	if err != nil {
		return Rehearsal{}, err
	}
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (out Rehearsal, err error) {
		// What is undone is only a part of the transaction: it commits empty.
		err = s.db.Write(store.Join(ctx, tx), tenant, func(tx *store.Tx) error {
			if out, err = s.rehearse(tx, rule, contact, vars); err != nil {
				return err
			}
			return errUndone
		})
		if errors.Is(err, errUndone) {
			err = nil
		}
		return out, err
	})
}

func (s *Service) rehearse(tx *store.Tx, rule, contact id.ID, vars map[string]any) (Rehearsal, error) {
	r, err := ruleOf(tx, rule)
	if err != nil {
		return Rehearsal{}, err
	}
	if contact, err = s.resolvedContact(tx, contact); err != nil {
		return Rehearsal{}, err
	}
	card, err := s.cards.CardIn(tx, contact)
	if f := fault.As(err); f != nil && f.Code == fault.NotFound {
		return Rehearsal{}, fault.Unknown("lead")
	}
	if err != nil {
		return Rehearsal{}, err
	}
	own := map[string]any{"phone": card.Contact.Phone(), "email": card.Contact.Email(), "trigger": r.Trigger}
	for k, v := range vars {
		own[k] = v
	}
	d := &rehearsal{bodies: map[string]string{}}
	v := &run{id: id.New(), rule: rule, version: r.Version, contact: contact, trigger: r.Trigger, cause: "test", status: Running, vars: own, started: tx.Now()}
	w, err := s.walk(tx, v, &tally{})
	if err != nil {
		return Rehearsal{}, err
	}
	w.dry, w.budget, w.inline = d, maxNodes*2, true
	out := Rehearsal{Rule: rule, Contact: contact, Passed: w.holds(&w.g.When), Checks: w.g.When.checks(w.scope(), tx.Now(), w.set.Location())}
	if w.err != nil || !out.Passed {
		return out, w.err
	}
	// The run's row is there for whatever looks for it.
	if _, err := insertRun(tx, v); err != nil {
		return out, err
	}
	if err := w.pass(w.g.Starts); err != nil {
		return out, err
	}
	for _, st := range w.steps {
		n := w.g.Nodes[st.Node]
		out.Path = append(out.Path, Stop{Node: st.Node, Kind: st.Kind, Step: n.Step, Status: st.Status, Output: st.Output, Error: st.Error, Text: d.bodies[st.Node],
			Action: n.Kind == nodeAction && (st.Status == StepCompleted || st.Status == StepWaiting)})
	}
	out.Status, out.Error, out.Exit = Completed, v.err, v.exit
	if v.err != "" {
		out.Status = Failed
	}
	return out, nil
}

// waits notes a node in which a real run would stay, and goes on.
func (d *rehearsal) waits(w *walk, nid string, n *Node, output map[string]any) []string {
	w.record(nid, n.name(), StepWaiting, output, "")
	return append([]string(nil), n.Next[handleDefault]...)
}

// calls notes a call that is not made. Nobody knows its answer.
func (d *rehearsal) calls(w *walk, nid string, n *Node, output map[string]any, body []byte) []string {
	if len(body) > 0 && json.Valid(body) {
		output["payload"] = json.RawMessage(body)
	}
	return d.waits(w, nid, n, output)
}
