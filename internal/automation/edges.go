package automation

import (
	"fmt"
	"strings"

	"parley/internal/fault"
)

func (c *compiler) edges(def map[string]any) error {
	list, err := listOf(def, "edges", "edges")
	if err != nil {
		return err
	}
	if len(list) > maxEdges {
		return fault.Field("edges", "a rule may have at most %d edges", maxEdges)
	}
	for i, v := range list {
		at := fmt.Sprintf("edges[%d]", i)
		m, ok := v.(map[string]any)
		if !ok {
			return fault.Field(at, "%s must be an object with source and target", at)
		}
		var ends [2]string
		for k, name := range []string{"source", "target"} {
			field := at + "." + name
			if ends[k], err = nodeID(field, m[name]); err != nil {
				return err
			}
			if _, known := c.at[ends[k]]; !known {
				return fault.Field(field, "there is no node %q; an edge joins two nodes of the rule", clip(ends[k]))
			}
		}
		if ends[1] == c.root {
			return fault.Field(at+".target", "nothing can lead to the trigger node")
		}
		if before, ok := c.entry[ends[1]]; ok {
			ends[1] = before
		}
		if ends[0] == c.root {
			c.g.Starts = append(c.g.Starts, ends[1])
			continue
		}
		n := c.g.Nodes[ends[0]]
		h, err := handleOf(at, m, n)
		if err != nil {
			return err
		}
		n.Next[h] = append(n.Next[h], ends[1])
	}
	for nid, before := range c.entry {
		c.at[before] = c.at[nid]
	}
	return nil
}

// handleOf reads which way out of node n an edge takes.
func handleOf(at string, m map[string]any, n *Node) (string, error) {
	h, _ := m["sourceHandle"].(string)
	field := at + ".sourceHandle"
	low := strings.ToLower(strings.TrimSpace(h))
	if n.Kind == nodeCondition && low == "" {
		if l, _ := m["label"].(string); l != "" {
			low, field = strings.ToLower(strings.TrimSpace(l)), at+".label"
		}
	}
	switch n.Kind {
	case nodeCondition:
		switch low {
		case "", "yes", "true":
			return handleYes, nil
		case "no", "false":
			return handleNo, nil
		case handleError:
			return handleError, nil
		}
		return "", fault.Field(field, "a condition has the ways out yes and no, not %q", clip(h))
	case nodeGoal:
		switch low {
		case "", "default", "no", "false":
			return handleDefault, nil
		}
		return "", fault.Field(field, "a goal that is reached ends the run; the only way out is for one that is not yet reached, and %q is none", clip(h))
	case nodeReply:
		switch low {
		case "", "default":
			return handleDefault, nil
		case handleReply, handleTimeout, handleError:
			return low, nil
		}
		return "", fault.Field(field, "a wait for a reply has the ways out reply and timeout, not %q", clip(h))
	case nodeEvent:
		switch low {
		case handleTimeout, handleError:
			return low, nil
		}
		return handleDefault, nil
	case nodeSplit:
		return splitWay(m, n, at)
	case nodeEnd:
		return "", fault.Field(at+".source", "nothing can follow an end node")
	}
	if low == handleError {
		return handleError, nil
	}
	return handleDefault, nil // editors name the only way out as they like
}

// splitWay finds which way of a split an edge takes: by the handle or the label
// of the edge. A split without branches gets one, of equal share, per handle.
func splitWay(m map[string]any, n *Node, at string) (string, error) {
	name, _ := m["sourceHandle"].(string)
	field := at + ".sourceHandle"
	if name = strings.TrimSpace(name); name == "" {
		if label, _ := m["label"].(string); label != "" {
			name, field = strings.TrimSpace(label), at+".label"
		}
	}
	for _, w := range n.Ways {
		if strings.EqualFold(w.Name, name) {
			return w.Name, nil
		}
	}
	if name == "" {
		return "", fault.Field(field, "an edge out of a split needs a sourceHandle: which branch it is")
	}
	if n.Store == givenWays {
		names := make([]string, len(n.Ways))
		for i, w := range n.Ways {
			names[i] = w.Name
		}
		return "", fault.Field(field, "the split has no branch %q; it has %s", clip(name), clip(strings.Join(names, ", ")))
	}
	if len(name) > maxWay {
		return "", fault.Field(field, "the name of a branch must not be longer than %d bytes", maxWay)
	}
	n.Ways = append(n.Ways, Way{name, 1})
	return name, nil
}
