package automation

import (
	"fmt"
	"slices"
	"strings"

	"parley/internal/fault"
)

// Kinds of nodes that exist.
const (
	nodeCondition = "condition"
	nodeAction    = "action"
	nodeDelay     = "delay"
	nodeReply     = "wait_reply"
	nodeEnd       = "end"
)

// Actions that exist.
const (
	actionSend  = "send_whatsapp"
	actionTag   = "add_tag"
	actionUntag = "remove_tag"
)

// Handles: the ways out of a node. Every node has the default one.
const (
	handleDefault = ""
	handleYes     = "yes"
	handleNo      = "no"
	handleReply   = "reply"
	handleTimeout = "timeout"
	handleError   = "error"
)

// Graph is what a definition compiles to. It is stored per version, so its JSON
// form may only ever be added to.
type Graph struct {
	Filter Filter           `json:"filter"`
	When   Test             `json:"when"`   // the rule's own conditions
	Starts []string         `json:"starts"` // the nodes a run begins with
	Nodes  map[string]*Node `json:"nodes"`
}

// Node is one step of a graph.
type Node struct {
	Kind   string              `json:"kind"`
	Action string              `json:"action,omitempty"` // of nodeAction
	Next   map[string][]string `json:"next,omitempty"`   // by handle

	When  *Test  `json:"when,omitempty"`  // nodeCondition
	After int64  `json:"after,omitempty"` // milliseconds: length of a delay, timeout of a wait (0: none)
	Until string `json:"until,omitempty"` // of a delay: an ISO time, may hold placeholders

	Text     string            `json:"text,omitempty"` // actionSend
	Template string            `json:"template,omitempty"`
	Language string            `json:"language,omitempty"`
	Values   []string          `json:"values,omitempty"`
	Named    map[string]string `json:"named,omitempty"`
	Tag      string            `json:"tag,omitempty"` // actionTag, actionUntag
}

// name is what a step of the node is called.
func (n *Node) name() string {
	if n.Kind == nodeAction {
		return n.Action
	}
	return n.Kind
}

var nodeAliases = map[string]string{
	"condition": nodeCondition, "action": nodeAction,
	"delay": nodeDelay, "wait": nodeDelay,
	"wait_reply": nodeReply, "wait-for-reply": nodeReply, "waitReply": nodeReply, "waitForReply": nodeReply, "wait_for_reply": nodeReply,
	"end": nodeEnd, "exit": nodeEnd,
}

var actionAliases = map[string]string{
	"send_whatsapp": actionSend, "add_tag": actionTag, "tag_lead": actionTag, "remove_tag": actionUntag,
}

const (
	knownNodes   = "trigger, condition, action, delay (wait), wait_reply, end (exit), or an action: " + knownActions
	knownActions = "send_whatsapp, add_tag (tag_lead), remove_tag"
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
	steps := []func(map[string]any) error{c.refuse, c.filter, c.when}
	nodes, hasNodes := def["nodes"]
	actions, hasActions := def["actions"]
	switch {
	case hasNodes && !isEmpty(nodes) && hasActions && !isEmpty(actions):
		return nil, fault.Field("actions", "a rule has either nodes or actions, not both")
	case hasActions && !isEmpty(actions):
		steps = append(steps, c.flat)
	default:
		steps = append(steps, c.nodes, c.edges, c.shape)
	}
	for _, f := range steps {
		if err := f(def); err != nil {
			return nil, err
		}
	}
	return c.g, nil
}

// refuse names forms that do not exist yet.
func (c *compiler) refuse(def map[string]any) error {
	if b, _ := def["isSequence"].(bool); b {
		return fault.Field("isSequence", "sequences are not available yet; build the steps as nodes: %s", knownNodes)
	}
	if !isEmpty(def["steps"]) {
		return fault.Field("steps", "sequence steps are not available yet; build them as nodes: %s", knownNodes)
	}
	return nil
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
			return fault.Field(at+".type", "there is no node type %q; use %s", clip(typ), knownNodes)
		}
		n.Kind = nodeAction
		cfg.set("type", typ, at+".type")
	}
	c.order = append(c.order, nid)
	c.g.Nodes[nid] = n
	return c.configure(n, cfg)
}

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
	case nodeReply:
		switch low {
		case "", "default":
			return handleDefault, nil
		case handleReply, handleTimeout, handleError:
			return low, nil
		}
		return "", fault.Field(field, "a wait for a reply has the ways out reply and timeout, not %q", clip(h))
	case nodeEnd:
		return "", fault.Field(at+".source", "nothing can follow an end node")
	}
	if low == handleError {
		return handleError, nil
	}
	return handleDefault, nil // editors name the only way out as they like
}

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
		if d, _ := m["delayType"].(string); d != "" && d != "after_trigger" {
			return fault.Field(at+".delayType", "the delay type %q is not available yet; use after_trigger", clip(d))
		}
		nid := fmt.Sprintf("action-%d", i+1)
		n := &Node{Kind: nodeAction, Next: map[string][]string{}}
		c.g.Nodes[nid] = n
		if err := c.configure(n, configOf(at, m, true)); err != nil {
			return err
		}
		start := nid
		if n.After > 0 {
			start = fmt.Sprintf("delay-%d", i+1)
			c.g.Nodes[start] = &Node{Kind: nodeDelay, After: n.After, Next: map[string][]string{handleDefault: {nid}}}
			n.After = 0
		}
		c.g.Starts = append(c.g.Starts, start)
	}
	return nil
}
