package automation

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/job"
	"parley/internal/store"
	"parley/internal/webhook"
)

// answerReactor wakes runs whose call has been answered.
const answerReactor = "automation_answer"

// callEvent is the event that a call's header names.
const callEvent = "automation.call"

// callOut writes a call as a durable delivery, in the transaction of the step,
// and parks the run until the delivery has ended. The receiver tells repeated
// attempts of one call by the header idempotency-key.
func (w *walk) callOut(nid string, n *Node, sc *scope) ([]string, error) {
	d, err := w.delivery(n, sc)
	if err == nil {
		err = w.err
	}
	if err != nil {
		f := fault.As(err)
		if f == nil {
			return nil, err
		}
		return w.fail(nid, n, nil, nil, f.Error())
	}
	output := map[string]any{"url": d.URL, "method": d.Method}
	if w.dry != nil {
		return w.dry.calls(w, nid, n, output, d.Body), nil
	}
	delivery, err := w.s.hooks.DeliverIn(w.tx, d)
	if f := fault.As(err); f != nil {
		return w.fail(nid, n, nil, nil, f.Error()) // refused before anything was written
	}
	if err != nil {
		return nil, err
	}
	output["deliveryId"] = delivery.String()
	return nil, w.wait(nid, n, branch{waitKey: answerKey(delivery)}, output, "")
}

// delivery renders a call.
func (w *walk) delivery(n *Node, sc *scope) (webhook.Delivery, error) {
	raw := style{plain: true}
	d := webhook.Delivery{Method: n.Method, Event: callEvent, Subject: w.r.id.String(), Policy: webhook.CallPolicy, Headers: map[string]string{}}
	d.URL = renderURL(n.URL, sc)
	if err := webhook.CheckURL("url", d.URL); err != nil {
		return d, err
	}
	for k, v := range n.Headers {
		d.Headers[k] = strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return ' '
			}
			return r
		}, storable(render(v, sc, raw)))
	}
	d.Headers["idempotency-key"] = fmt.Sprintf("%s-%d", w.r.id, w.r.steps)
	if n.Method == "GET" || n.Method == "DELETE" && n.Payload == nil {
		return d, webhook.CheckHeaders("headers", d.Headers)
	}
	var body any
	switch t := n.Payload.(type) {
	case nil: // reference 4.12 names no payload of its own
		m := map[string]any{"event": callEvent, "trigger": w.r.trigger, "ruleId": w.r.rule.String(), "runId": w.r.id.String(),
			"leadId": w.r.contact.String(), "variables": w.r.vars}
		if w.r.schema != "" {
			m["flow_id"], m["execution_id"], m["entity_id"], m["entity_schema"], m["entity"] = w.r.rule.UUID(), w.r.id.UUID(), w.r.entity.UUID(), w.r.schema, w.entity()
		}
		body = m
	case string:
		v, err := w.jsonText("payload", t, sc)
		if err != nil {
			return d, err
		}
		body = v
	default:
		body = w.fill(t, sc)
	}
	var err error
	if d.Body, err = json.Marshal(body); err != nil {
		return d, fault.Field("payload", "payload must be JSON")
	}
	return d, webhook.CheckHeaders("headers", d.Headers)
}

// renderURL fills placeholders in a URL. Values are escaped, except that a URL
// may begin with one that holds its scheme and host.
func renderURL(text string, sc *scope) string {
	raw := style{plain: true}
	head := ""
	if strings.HasPrefix(text, "{{") {
		if end := strings.Index(text, "}}"); end >= 0 {
			head, text = strings.TrimSpace(render(text[:end+2], sc, raw)), text[end+2:]
		}
	}
	raw.escape = func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	return head + storable(render(text, sc, raw))
}

// registerAnswers makes the ends of deliveries known to the runs that wait.
func (s *Service) registerAnswers() {
	s.log.Register(event.Reactor{Name: answerReactor, Types: []string{"webhook.sent", "webhook.failed"}, MaxAttempts: attempts,
		Wants: func(tx *store.Tx, e event.Event) (bool, error) {
			var one int
			return store.Found(tx.QueryRow("SELECT 1 FROM run_branch WHERE tenant_id=? AND wait_key=? LIMIT 1", answerKey(e.Subject)).Scan(&one))
		}})
}

// handleAnswer moves on the run that waited for a call to end.
func (s *Service) handleAnswer(ctx context.Context, j *job.Job) error {
	var e event.Event
	if err := j.Decode(&e); err != nil {
		return err
	}
	return s.db.Write(ctx, j.Tenant, func(tx *store.Tx) error {
		t := &tally{}
		if err := s.answered(tx, t, e); err != nil {
			return err
		}
		if err := t.flush(tx); err != nil {
			return err
		}
		return j.Complete(tx)
	})
}

func (s *Service) answered(tx *store.Tx, t *tally, e event.Event) error {
	list, err := waiters(tx, "b.wait_key=?", answerKey(e.Subject))
	if err != nil || len(list) == 0 {
		return err
	}
	d, err := s.hooks.Delivered(tx, e.Subject)
	if err != nil {
		return err
	}
	for _, v := range list {
		_, err := s.rouse(tx, t, v, func(w *walk, b branch, n *Node) ([]string, error) {
			output := map[string]any{"deliveryId": d.ID.String(), "url": d.Delivery.URL, "method": d.Delivery.Method, "attempts": d.Attempts, "status": nil, "body": nil}
			if d.ResponseStatus > 0 {
				output["status"], output["body"] = d.ResponseStatus, answerBody(d.ResponseBody)
			}
			w.keep(b.node, n.Store, map[string]any{"status": output["status"], "body": output["body"]})
			if d.State == webhook.Sent {
				return n.Next[handleDefault], w.finish(b, StepCompleted, output, "")
			}
			return w.fail(b.node, n, &b, output, "the call failed: "+d.LastError)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// answerBody reads an answer as JSON, else as text.
func answerBody(text string) any {
	var v any
	if text == "" {
		return nil
	}
	if json.Unmarshal([]byte(text), &v) == nil {
		return v
	}
	return storable(text)
}

// keep stores the result of a step under resolved: by the node's id, and under
// storeAs. What would make the variables too large is left out.
func (w *walk) keep(nid, as string, result map[string]any) {
	resolved := map[string]any{}
	if m, ok := w.r.vars["resolved"].(map[string]any); ok {
		resolved = copyMap(m)
	}
	resolved[nid], resolved["response"] = result, result
	if as != "" {
		resolved[as] = result
	}
	vars := copyMap(w.r.vars)
	vars["resolved"] = resolved
	if checked, err := asJSON("resolved", maxVariables, vars); err == nil {
		w.r.vars = checked
		w.changed()
	}
}
