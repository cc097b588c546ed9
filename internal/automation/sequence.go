package automation

import (
	"fmt"
	"slices"
	"strings"

	"parley/internal/conversation/variables"
	"parley/internal/fault"
)

// sequence compiles the steps of a sequence to a chain: delay, then the step,
// which checks its conditions, acts and goes on (reference 3.4, 4.7).
func (c *compiler) sequence(def map[string]any) error {
	list, err := listOf(def, "steps", "steps")
	if err != nil {
		return err
	}
	if len(list) > maxNodes/2 {
		return fault.Field("steps", "a sequence may have at most %d steps", maxNodes/2)
	}
	type place struct {
		number float64
		n      *Node
		delay  *Node
	}
	steps := make([]place, len(list))
	for i, v := range list {
		at := fmt.Sprintf("steps[%d]", i)
		m, ok := v.(map[string]any)
		if !ok {
			return fault.Field(at, "%s must be an object with action", at)
		}
		p := &steps[i]
		p.number = float64(i + 1)
		if raw := m["stepNumber"]; raw != nil {
			if p.number, ok = variables.Number(raw); !ok {
				return fault.Field(at+".stepNumber", "%s.stepNumber must be a number", at)
			}
		}
		if p.n, p.delay, err = c.seqStep(at, m); err != nil {
			return err
		}
	}
	slices.SortStableFunc(steps, func(a, b place) int {
		switch {
		case a.number < b.number:
			return -1
		case a.number > b.number:
			return 1
		}
		return 0
	})
	c.g.Enrolls, c.g.Steps = true, len(steps)
	link := func(to string) { c.g.Starts = []string{to} }
	for i, p := range steps {
		nid := fmt.Sprintf("step-%d", i+1)
		p.n.Step, c.g.Nodes[nid] = i+1, p.n
		if p.delay != nil {
			before := fmt.Sprintf("delay-%d", i+1)
			c.g.Nodes[before] = p.delay
			p.delay.Next = map[string][]string{handleDefault: {nid}}
			link(before)
		} else {
			link(nid)
		}
		link = func(to string) { p.n.Next = map[string][]string{handleDefault: {to}} }
	}
	return nil
}

// seqStep reads one step and the delay in front of it, nil when there is none.
func (c *compiler) seqStep(at string, m map[string]any) (n, delay *Node, err error) {
	n = &Node{Kind: nodeAction, Next: map[string][]string{}}
	form, ok := m["action"].(map[string]any)
	where := at + ".action"
	if !ok {
		if _, named := m["type"]; !named && m["action"] == nil {
			return nil, nil, fault.Field(where, "%s is required: an object with type and config", where)
		}
		form, where = m, at // the action's settings stand on the step itself
	}
	if err := c.configure(n, configOf(where, form, true)); err != nil {
		return nil, nil, err
	}
	after, err := minutes(at+".delayMinutes", m["delayMinutes"])
	if err != nil {
		return nil, nil, err
	}
	n.After = 0
	from := ""
	switch ref, _ := m["delayReference"].(string); ref {
	case "", "previous_step":
	case "trigger_time":
		from = fromTrigger
	default:
		return nil, nil, fault.Field(at+".delayReference", "delayReference is previous_step or trigger_time, not %q", clip(ref))
	}
	if after > 0 {
		delay = &Node{Kind: nodeDelay, After: after, From: from}
	}
	if n.Only, err = conditionList(m, "conditions", at, false); err != nil {
		return nil, nil, err
	}
	if n.Exit, err = conditionList(m, "exitSequenceIf", at, true); err != nil {
		return nil, nil, err
	}
	fail, _ := m["onFailure"].(string)
	switch n.OnFail = strings.TrimSpace(fail); n.OnFail {
	case "":
		n.OnFail = failContinue
	case failContinue, failStop, failRetry:
	default:
		return nil, nil, fault.Field(at+".onFailure", "onFailure is continue, stop or retry, not %q", clip(fail))
	}
	return n, delay, nil
}

// conditionList reads the conditions under a key of a step; nil when there are none.
func conditionList(m map[string]any, key, at string, or bool) (*Test, error) {
	if isEmpty(m[key]) {
		return nil, nil
	}
	where := at + "." + key
	t, err := testOf(map[string]any{"conditions": m[key]}, func(string) string { return where })
	if err == nil {
		t.Any = or
	}
	return t, err
}
