package automation

import (
	"fmt"
	"slices"

	"parley/internal/fault"
)

// compiler turns an author's form into a graph.
type compiler struct {
	g     *Graph
	order []string // node ids as they came
	at    map[string]string
	root  string // id of the trigger node
	// entry leads to the delay in front of an action that has one of its own.
	entry map[string]string
}

// compile checks a definition and returns its graph. Faults name the field.
func compile(def map[string]any) (*Graph, error) {
	c := &compiler{g: &Graph{Nodes: map[string]*Node{}}, at: map[string]string{}, entry: map[string]string{}}
	form, err := c.form(def)
	if err != nil {
		return nil, err
	}
	if c.g.Schema, err = textOf(def, "entitySchema"); err != nil {
		return nil, err
	}
	for _, f := range append([]func(map[string]any) error{c.filter, c.when}, form...) {
		if err := f(def); err != nil {
			return nil, err
		}
	}
	return c.g.ready(), nil
}

// form finds out in which of the three forms a rule was written.
func (c *compiler) form(def map[string]any) ([]func(map[string]any) error, error) {
	sequence, err := boolOf(def, "isSequence")
	if err != nil {
		return nil, err
	}
	var given []string
	for _, key := range []string{"nodes", "actions", "steps"} {
		if !isEmpty(def[key]) {
			given = append(given, key)
		}
	}
	if len(given) > 1 {
		return nil, fault.Field(given[1], "a rule has either nodes, actions or steps, not both %s and %s", given[0], given[1])
	}
	if sequence != nil && *sequence {
		if len(given) == 1 && given[0] != "steps" {
			return nil, fault.Field(given[0], "a sequence has steps; for %s leave isSequence out", given[0])
		}
		return []func(map[string]any) error{c.sequence}, nil
	}
	switch {
	case len(given) == 0, given[0] == "nodes":
		return []func(map[string]any) error{c.nodes, c.edges, c.shape, c.goal}, nil
	case given[0] == "actions":
		return []func(map[string]any) error{c.flat}, nil
	}
	if sequence != nil {
		return nil, fault.Field("steps", "only a sequence has steps; send isSequence: true")
	}
	return []func(map[string]any) error{c.sequence}, nil
}

func (c *compiler) nodes(def map[string]any) error {
	list, err := listOf(def, "nodes", "nodes")
	if err != nil {
		return err
	}
	if len(list) > maxNodes {
		return fault.Field("nodes", "a rule may have at most %d nodes", maxNodes)
	}
	for i, v := range list {
		if err := c.node(fmt.Sprintf("nodes[%d]", i), v); err != nil {
			return err
		}
	}
	for _, nid := range slices.Clone(c.order) {
		n := c.g.Nodes[nid]
		if n.Kind != nodeAction || n.After == 0 {
			continue
		}
		before := nid + ":delay"
		for c.g.Nodes[before] != nil {
			before += ":"
		}
		c.g.Nodes[before] = &Node{Kind: nodeDelay, After: n.After, Next: map[string][]string{handleDefault: {nid}}}
		n.After, c.entry[nid] = 0, before
		c.order = append(c.order, before)
	}
	return nil
}

func (c *compiler) node(at string, v any) error {
	m, ok := v.(map[string]any)
	if !ok {
		return fault.Field(at, "%s must be an object with id and type", at)
	}
	nid, err := nodeID(at+".id", m["id"])
	if err != nil {
		return err
	}
	if _, dup := c.at[nid]; dup {
		return fault.Field(at+".id", "the node id %q is used twice; every node needs its own", nid)
	}
	typ, ok := m["type"].(string)
	if !ok || typ == "" {
		return fault.Field(at+".type", "%s.type is required and must be one of %s", at, knownNodes)
	}
	c.at[nid] = at
	cfg := configOf(at, m, false)
	if typ == "trigger" {
		if c.root != "" {
			return fault.Field(at+".type", "a rule has one trigger node; this is the second")
		}
		c.root = nid
		return nil
	}
	n := &Node{Kind: nodeAliases[typ], Next: map[string][]string{}}
	if n.Kind == "" {
		if _, is := actionAliases[typ]; !is {
			if why := absent[typ]; why != "" {
				return fault.Field(at+".type", "the node %q cannot be of type %s: %s", clip(nid), typ, why)
			}
			return fault.Field(at+".type", "there is no node type %q; use %s", clip(typ), knownNodes)
		}
		n.Kind = nodeAction
		cfg.set("type", typ, at+".type")
	}
	c.order = append(c.order, nid)
	c.g.Nodes[nid] = n
	return c.configure(n, cfg)
}
