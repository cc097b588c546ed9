package automation

import (
	"fmt"

	"parley/internal/fault"
)

// flat compiles a rule of actions: all of them begin at once, each after its
// own delay.
func (c *compiler) flat(def map[string]any) error {
	list, err := listOf(def, "actions", "actions")
	if err != nil {
		return err
	}
	if len(list) > maxNodes/2 {
		return fault.Field("actions", "a rule may have at most %d actions", maxNodes/2)
	}
	for i, v := range list {
		at := fmt.Sprintf("actions[%d]", i)
		m, ok := v.(map[string]any)
		if !ok {
			return fault.Field(at, "%s must be an object with type and config", at)
		}
		nid := fmt.Sprintf("action-%d", i+1)
		n := &Node{Kind: nodeAction, Next: map[string][]string{}}
		c.g.Nodes[nid] = n
		if err := c.configure(n, configOf(at, m, true)); err != nil {
			return err
		}
		from, err := delayType(at, m, n)
		if err != nil {
			return err
		}
		start := nid
		if n.After != 0 || from != "" {
			start = fmt.Sprintf("delay-%d", i+1)
			c.g.Nodes[start] = &Node{Kind: nodeDelay, After: n.After, From: from, Next: map[string][]string{handleDefault: {nid}}}
			n.After = 0
		}
		c.g.Starts = append(c.g.Starts, start)
	}
	return nil
}

// delayType reads what an action's delay counts from, and its sign (reference
// 3.3, 4.5.7).
func delayType(at string, m map[string]any, n *Node) (from string, err error) {
	cfg := configOf(at, m, true)
	if v, ok := m["delayType"]; ok {
		cfg.set("delayType", v, at+".delayType")
	}
	typ, field, err := cfg.text(40, "delayType")
	if err != nil {
		return "", err
	}
	switch typ {
	case "", "after_trigger":
		return "", nil
	case "at_event":
		n.After = 0
	case "before_event":
		n.After = -n.After
	case "after_event":
	default:
		return "", fault.Field(field, "there is no delay type %q; use after_trigger, before_event, at_event or after_event", clip(typ))
	}
	return fromEvent, nil
}
