package automation

import (
	"slices"

	"parley/internal/fault"
)

// shape checks the graph as a whole: one root, no cycle, nothing out of reach.
func (c *compiler) shape(map[string]any) error {
	incoming := map[string]bool{}
	for _, n := range c.g.Nodes {
		for _, list := range n.Next {
			for _, t := range list {
				incoming[t] = true
			}
		}
	}
	for _, t := range c.g.Starts {
		incoming[t] = true
	}
	var roots []string
	for _, nid := range c.order {
		if !incoming[nid] {
			roots = append(roots, nid)
		}
	}
	if c.root == "" && len(roots) > 0 {
		c.g.Starts = roots[:1]
		roots = roots[1:]
	}
	if len(roots) > 0 {
		at := c.at[roots[0]]
		return fault.Field(at, "the node %q has no way in; a rule begins in one place, so join it with an edge or take it out", clip(roots[0]))
	}
	if nid := c.cycle(); nid != "" {
		return fault.Field(c.at[nid], "the node %q leads back to itself; a rule must not go in circles", clip(nid))
	}
	return nil
}

// cycle returns a node on a cycle, or "". It peels off nodes that nothing leads
// to; what cannot be peeled off is on a cycle or behind one.
func (c *compiler) cycle() string {
	in := map[string]int{}
	for _, n := range c.g.Nodes {
		for _, list := range n.Next {
			for _, t := range list {
				in[t]++
			}
		}
	}
	var free []string
	for _, nid := range c.order {
		if in[nid] == 0 {
			free = append(free, nid)
		}
	}
	done := map[string]bool{}
	for len(free) > 0 {
		nid := free[0]
		free, done[nid] = free[1:], true
		for _, list := range c.g.Nodes[nid].Next {
			for _, t := range list {
				if in[t]--; in[t] == 0 {
					free = append(free, t)
				}
			}
		}
	}
	for _, nid := range c.order {
		if !done[nid] && c.reaches(nid, nid) {
			return nid
		}
	}
	return ""
}

// reaches reports whether a way leads from one node to another.
func (c *compiler) reaches(from, to string) bool {
	seen, open := map[string]bool{}, []string{from}
	for len(open) > 0 {
		n := c.g.Nodes[open[len(open)-1]]
		open = open[:len(open)-1]
		for _, list := range n.Next {
			if slices.Contains(list, to) {
				return true
			}
			for _, t := range list {
				if !seen[t] {
					seen[t] = true
					open = append(open, t)
				}
			}
		}
	}
	return false
}

// goal finds the event that ends an open run; one goal of a rule may have one.
func (c *compiler) goal(map[string]any) error {
	for _, nid := range c.order {
		n := c.g.Nodes[nid]
		if n.Kind != nodeGoal || n.Event == "" {
			continue
		}
		if c.g.Goal != "" {
			return fault.Field(c.at[nid], "a rule has one goal with an event; the node %q is the second", clip(nid))
		}
		c.g.Goal = nid
	}
	return nil
}
