package automation

import (
	"database/sql"
	"strconv"
	"strings"
	"time"

	"parley/internal/conversation"
	"parley/internal/fault"
	"parley/internal/store"
)

// node takes the run through one node and returns the nodes that follow. A
// fault is the node's failure; any other error is trouble of ours and undoes the
// whole transaction, to be tried again.
func (w *walk) node(nid string) ([]string, error) {
	n := w.g.Nodes[nid]
	sc, err := w.scope()
	if err != nil {
		return nil, err
	}
	switch n.Kind {
	case nodeCondition:
		ok := n.When.pass(sc, w.tx.Now(), w.set.Location())
		way := handleNo
		if ok {
			way = handleYes
		}
		return n.Next[way], w.record(nid, n.name(), StepCompleted, map[string]any{"result": ok}, "")
	case nodeDelay:
		return w.delay(nid, n, sc)
	case nodeReply:
		return nil, w.awaitReply(nid, n)
	case nodeAction:
		return w.act(nid, n, sc)
	}
	return nil, w.record(nid, n.name(), StepCompleted, nil, "") // an end
}

func (w *walk) delay(nid string, n *Node, sc *scope) ([]string, error) {
	due := w.tx.Now().Add(time.Duration(n.After) * time.Millisecond)
	if n.Until != "" {
		text := render(n.Until, sc, style{plain: true})
		t, _, ok := moment(strings.TrimSpace(text), w.set.Location())
		if !ok {
			return w.fail(nid, n, "the delay's until is not an ISO 8601 time: "+clip(text))
		}
		due = t
	}
	output := map[string]any{"until": iso(due)}
	if !due.After(w.tx.Now()) {
		return n.Next[handleDefault], w.record(nid, n.name(), StepCompleted, output, "")
	}
	if due.Sub(w.tx.Now()) > maxDelay {
		return w.fail(nid, n, "the delay ends too far in the future: "+clip(n.Until))
	}
	return nil, w.wait(nid, n, branch{resumeAt: due}, output)
}

// awaitReply parks the run until the contact writes. The lock makes a message
// that arrives at the same moment come either before the wait began or find it.
func (w *walk) awaitReply(nid string, n *Node) error {
	if err := w.tx.Lock("reply", w.r.contact.String()); err != nil {
		return err
	}
	b := branch{waitKey: replyKey(w.r.contact.String())}
	output := map[string]any{}
	if n.After > 0 {
		b.resumeAt = w.tx.Now().Add(time.Duration(n.After) * time.Millisecond)
		output["until"] = iso(b.resumeAt)
	}
	return w.wait(nid, n, b, output)
}

func replyKey(contact string) string { return "reply:" + contact }

// act carries out an action behind a savepoint: one that fails leaves nothing.
func (w *walk) act(nid string, n *Node, sc *scope) ([]string, error) {
	var output map[string]any
	err := w.s.db.Write(store.Join(w.ctx, w.tx), w.tx.Tenant(), func(tx *store.Tx) (err error) {
		switch n.Action {
		case actionSend:
			output, err = w.send(tx, nid, n, sc)
		default:
			output, err = w.tag(tx, n, sc)
		}
		return err
	})
	if err != nil {
		f := fault.As(err)
		if f == nil || f.Code == fault.Unavailable || f.Code == fault.RateLimited {
			return nil, err
		}
		return w.fail(nid, n, f.Error())
	}
	w.lead = nil // the action may have changed it
	return n.Next[handleDefault], w.record(nid, n.name(), StepCompleted, output, "")
}

func (w *walk) send(tx *store.Tx, nid string, n *Node, sc *scope) (map[string]any, error) {
	var err error
	st := styleOf(w.set)
	m := conversation.Send{Contact: w.r.contact, SentBy: "automation",
		Metadata: map[string]any{"runId": w.r.id.String(), "automationId": w.r.rule.String(), "nodeId": nid}}
	if n.Template == "" {
		if m.Text = storable(render(n.Text, sc, st)); strings.TrimSpace(m.Text) == "" {
			return nil, fault.Field("text", "the message is empty: every placeholder in it has no value")
		}
	} else {
		raw := style{plain: true}
		use := &conversation.TemplateUse{Name: strings.TrimSpace(render(n.Template, sc, raw)), Language: strings.TrimSpace(render(n.Language, sc, raw))}
		for _, v := range n.Values {
			use.Values = append(use.Values, storable(render(v, sc, st)))
		}
		for k, v := range n.Named {
			if use.Named == nil {
				use.Named = map[string]string{}
			}
			use.Named[k] = storable(render(v, sc, st))
		}
		if len(use.Values) == 0 && len(use.Named) == 0 {
			if use.Named, err = w.mapped(tx, use.Name, sc, st); err != nil {
				return nil, err
			}
		}
		m.Template = use
	}
	sent, err := w.s.inbox.SendIn(tx, w.r.actor(), m)
	if err != nil {
		return nil, err
	}
	return map[string]any{"messageId": sent.ID.String(), "conversationId": sent.Conversation.String()}, nil
}

// mapped gives the values of a template whose positions are mapped to fields
// (reference 3.15, 4.6). Static texts and fallbacks are the template's own.
func (w *walk) mapped(tx *store.Tx, name string, sc *scope, st style) (map[string]string, error) {
	tpl, err := w.s.inbox.Templates().Get(tx, name)
	if fault.As(err) != nil {
		return nil, nil // SendIn says what is wrong
	}
	named := map[string]string{}
	for _, m := range tpl.Mapping {
		if m.Field == "" || m.Static != "" {
			continue
		}
		paths := []string{"vars." + m.Field, "vars." + snake(m.Field), "vars." + camel(m.Field)}
		switch m.Source {
		case "crm":
			paths = append([]string{"lead." + m.Field, "lead." + camel(m.Field)}, paths...)
		case "system":
			paths = append([]string{"resolved." + m.Field}, paths...)
		}
		for _, p := range paths {
			if v, ok := sc.look(p); ok && v != nil && v != "" {
				named[strconv.Itoa(m.Position)] = storable(show(p, v, st))
				break
			}
		}
	}
	return named, err
}

func (w *walk) tag(tx *store.Tx, n *Node, sc *scope) (map[string]any, error) {
	tag := strings.TrimSpace(storable(render(n.Tag, sc, style{plain: true})))
	if tag == "" {
		return nil, fault.Field("tag", "the tag is empty: every placeholder in it has no value")
	}
	var add, remove []string
	if n.Action == actionTag {
		add = []string{tag}
	} else {
		remove = []string{tag}
	}
	_, err := w.s.contacts.TagIn(tx, w.r.actor(), w.r.contact, add, remove)
	return map[string]any{"tag": tag}, err
}

// fail records a failed node. The branch goes on along the edge "error" if
// there is one; else it ends here, and the run will have failed.
func (w *walk) fail(nid string, n *Node, reason string) ([]string, error) {
	reason = cut(storable(reason), 1000)
	if err := w.record(nid, n.name(), StepFailed, nil, reason); err != nil {
		return nil, err
	}
	next := n.Next[handleError]
	if len(next) == 0 && w.r.err == "" {
		w.r.err = reason
	}
	return next, nil
}

func collectTexts(rows *sql.Rows, err error) ([]string, error) {
	return store.Collect(rows, err, func(rows *sql.Rows) (s string, err error) { return s, rows.Scan(&s) })
}
