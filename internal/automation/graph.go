package automation

import (
	"bytes"
	"encoding/json"

	"parley/internal/filter"
)

// Kinds of nodes that exist (reference 3.4).
const (
	nodeCondition = "condition"
	nodeAction    = "action"
	nodeDelay     = "delay"
	nodeEvent     = "wait_event"
	nodeReply     = "wait_reply"
	nodeSplit     = "split"
	nodeParallel  = "parallel"
	nodeGoal      = "goal"
	nodeEnd       = "end"
)

// Actions that exist (reference 3.7).
const (
	actionSend     = "send_whatsapp"
	actionTag      = "add_tag"
	actionUntag    = "remove_tag"
	actionStage    = "move_stage"
	actionPipeline = "move_pipeline"
	actionAssign   = "assign_to"
	actionUpdate   = "update_lead"
	actionTask     = "create_task"
	actionHTTP     = "webhook_notify"
	actionEmail    = "send_email" // only of flows, until there is a channel for it
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

// What a delay counts from; "" is the moment in which the run comes to it.
const (
	fromTrigger = "trigger" // the start of the run (reference 3.3, delayReference)
	fromEvent   = "event"   // the time of the event in the variables (reference 4.5.7)
)

// What a sequence does when its step fails (reference 4.7).
const (
	failContinue = "continue"
	failStop     = "stop"
	failRetry    = "retry"
)

// Graph is what a definition compiles to. It is stored per version, so its JSON
// form may only ever be added to.
type Graph struct {
	Filter  Filter           `json:"filter"`
	When    Test             `json:"when"`   // the rule's own conditions
	Starts  []string         `json:"starts"` // the nodes a run begins with
	Nodes   map[string]*Node `json:"nodes"`
	Enrolls bool             `json:"enrolls,omitempty"` // a sequence: nobody runs through it twice at a time
	Steps   int              `json:"steps,omitempty"`   // of a sequence
	Goal    string           `json:"goal,omitempty"`    // the goal node whose event ends an open run

	Schema string `json:"schema,omitempty"` // of the entities that a flow takes; "" is any

	// Unusable says which of a stage's actions were left out, and why.
	Unusable []string `json:"unusable,omitempty"`

	// Filled by ready:
	joins map[string]bool // nodes that several ways lead to
	goals []string        // goals of conditions alone, which are looked at whenever a run moves
	asks  bool            // something in it may look at the entity
	// entity are the matchers of the nodes' Entity; one that is missing passes nothing.
	entity map[string]*filter.Matcher
}

// Node is one step of a graph.
type Node struct {
	Kind   string              `json:"kind"`
	Action string              `json:"action,omitempty"` // of nodeAction
	Next   map[string][]string `json:"next,omitempty"`   // by handle

	When  *Test  `json:"when,omitempty"`  // nodeCondition, nodeGoal
	After int64  `json:"after,omitempty"` // milliseconds: length of a delay, timeout of a wait (0: none)
	Until string `json:"until,omitempty"` // of a delay: an ISO time, may hold placeholders
	From  string `json:"from,omitempty"`  // of a delay: what After counts from

	// Entity, of a condition, is held against the entity that the run is about; Skips
	// says that the run has nothing to do when the condition does not hold.
	Entity *filter.Filter `json:"entity,omitempty"`
	Skips  bool           `json:"skips,omitempty"`

	Event string `json:"event,omitempty"` // nodeEvent, nodeGoal: the name waited for
	Store string `json:"store,omitempty"` // nodeEvent, actionHTTP: storeAs
	Ways  []Way  `json:"ways,omitempty"`  // nodeSplit

	Text     string            `json:"text,omitempty"` // actionSend
	Template string            `json:"template,omitempty"`
	Language string            `json:"language,omitempty"`
	Values   []string          `json:"values,omitempty"`
	Named    map[string]string `json:"named,omitempty"`
	// UnlessAgent keeps the message back while an agent owns the conversation.
	UnlessAgent bool              `json:"unlessAgent,omitempty"`
	Tag         string            `json:"tag,omitempty"`      // actionTag, actionUntag
	Stage       string            `json:"stage,omitempty"`    // actionStage, actionPipeline
	Pipeline    string            `json:"pipeline,omitempty"` // actionPipeline
	Agent       string            `json:"agent,omitempty"`    // actionAssign
	Fields      any               `json:"fields,omitempty"`   // actionUpdate: an object, or JSON text with placeholders
	Title       string            `json:"title,omitempty"`    // actionTask
	Body        string            `json:"body,omitempty"`     // actionTask
	URL         string            `json:"url,omitempty"`      // actionHTTP
	Method      string            `json:"method,omitempty"`
	Headers     map[string]string `json:"headers,omitempty"`
	Payload     any               `json:"payload,omitempty"` // an object, a list, or JSON text with placeholders

	// Of a step of a sequence.
	Step   int    `json:"step,omitempty"` // from 1
	Exit   *Test  `json:"exit,omitempty"` // any of it ends the run
	Only   *Test  `json:"only,omitempty"` // the step is skipped unless all of it holds
	OnFail string `json:"onFail,omitempty"`
}

// Way is one way out of a split: its handle and its share.
type Way struct {
	Name   string  `json:"name"`
	Weight float64 `json:"weight"`
}

// name is what a step of the node is called.
func (n *Node) name() string {
	if n.Kind == nodeAction {
		return n.Action
	}
	return n.Kind
}

// ready fills what is derived from a graph that was read.
func (g *Graph) ready() *Graph {
	in := map[string]int{}
	for _, t := range g.Starts {
		in[t]++
	}
	for _, n := range g.Nodes {
		for _, list := range n.Next {
			for _, t := range list {
				in[t]++
			}
		}
	}
	g.When.ready()
	g.asks, g.entity = g.looksAt("entity"), map[string]*filter.Matcher{}
	for nid, n := range g.Nodes {
		for _, t := range []*Test{n.When, n.Only, n.Exit} {
			t.ready()
		}
		if n.Entity != nil {
			if m, err := filter.Compile(*n.Entity); err == nil {
				g.entity[nid] = m
			}
		}
		g.asks = g.asks || n.Action == actionHTTP && n.Payload == nil
	}
	g.joins, g.goals = map[string]bool{}, nil
	for nid, ways := range in {
		if ways > 1 {
			g.joins[nid] = true
		}
	}
	for _, nid := range sortedKeys(g.Nodes) {
		if n := g.Nodes[nid]; n.Kind == nodeGoal && n.Event == "" && n.When != nil && len(n.When.List) > 0 {
			g.goals = append(g.goals, nid)
		}
	}
	return g
}

// looksAt reports whether the graph's text names a variable anywhere; it may, where
// the name is only a part of other text.
func (g *Graph) looksAt(name string) bool {
	text, err := json.Marshal(g)
	return err != nil || bytes.Contains(text, []byte(name))
}

// awaited are the names of events that runs of the graph may wait for.
func (g *Graph) awaited() []string {
	seen := map[string]bool{}
	for _, n := range g.Nodes {
		if n.Event != "" {
			seen[n.Event] = true
		}
	}
	return sortedKeys(seen)
}
