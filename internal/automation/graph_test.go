package automation

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"parley/internal/fault"
)

func def(t testing.TB, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return m
}

func TestGraphFaults(t *testing.T) {
	const n = `{"id":"a","type":"end"}`
	for _, c := range []struct{ field, def, says string }{
		{"nodes", `{"nodes":{}}`, ""},
		{"nodes[0]", `{"nodes":[1]}`, ""},
		{"nodes[0].id", `{"nodes":[{"type":"end"}]}`, ""},
		{"nodes[0].type", `{"nodes":[{"id":"a"}]}`, "wait_reply"},
		{"nodes[0].type", `{"nodes":[{"id":"a","type":"teleport"}]}`, "wait_reply"},
		{"nodes[0].eventName", `{"nodes":[{"id":"a","type":"wait_event"}]}`, "required"},
		{"nodes[0].data.eventName", `{"nodes":[{"id":"a","type":"wait_event","data":{"eventName":"two words"}}]}`, "white space"},
		{"nodes[0].data.storeAs", `{"nodes":[{"id":"a","type":"wait_event","data":{"eventName":"x","storeAs":"a.b"}}]}`, ""},
		{"nodes[0].type", `{"nodes":[{"id":"say","type":"script"}]}`, "\"say\""},
		{"nodes[0].type", `{"nodes":[{"id":"a","type":"ai"}]}`, "not available"},
		{"nodes[0].data.branches[1]", `{"nodes":[{"id":"a","type":"split","data":{"branches":["x","X"]}}]}`, ""},
		{"nodes[0].data.branches", `{"nodes":[{"id":"a","type":"split","data":{"branches":[{"id":"x","weight":0}]}}]}`, "weights"},
		{"nodes[0].data.branches[0].weight", `{"nodes":[{"id":"a","type":"split","data":{"branches":[{"id":"x","weight":-1}]}}]}`, ""},
		{"edges[0].sourceHandle", `{"nodes":[{"id":"a","type":"split","data":{"branches":["x"]}},{"id":"b","type":"end"}],"edges":[{"source":"a","target":"b","sourceHandle":"y"}]}`, "it has x"},
		{"edges[0].sourceHandle", `{"nodes":[{"id":"a","type":"split"},{"id":"b","type":"end"}],"edges":[{"source":"a","target":"b"}]}`, ""},
		{"nodes[1]", `{"nodes":[{"id":"a","type":"goal","data":{"eventName":"x"}},{"id":"b","type":"goal","data":{"eventName":"y"}}],"edges":[{"source":"a","target":"b"}]}`, "second"},
		{"edges[0].sourceHandle", `{"nodes":[{"id":"a","type":"goal"},{"id":"b","type":"end"}],"edges":[{"source":"a","target":"b","sourceHandle":"yes"}]}`, "reached"},
		{"nodes[0].data.url", `{"nodes":[{"id":"a","type":"webhook","data":{"url":"ftp://x"}}]}`, ""},
		{"nodes[0].data.method", `{"nodes":[{"id":"a","type":"http","data":{"url":"http://x","method":"BREW"}}]}`, "POST"},
		{"nodes[0].data.headers", `{"nodes":[{"id":"a","type":"http","data":{"url":"http://x","headers":{"Host":"y"}}}]}`, "Host"},
		{"nodes[0].data.payload", `{"nodes":[{"id":"a","type":"http","data":{"url":"http://x","payload":"{"}}]}`, "JSON"},
		{"nodes[0].data.fields.score", `{"nodes":[{"id":"a","type":"update_lead","data":{"fields":{"score":5}}}]}`, "firstName"},
		{"nodes[0].data.fields", `{"nodes":[{"id":"a","type":"update_lead","data":{"fields":"x"}}]}`, ""},
		{"nodes[0].data.stageId", `{"nodes":[{"id":"a","type":"move_stage","data":{"stageId":"won"}}]}`, "24"},
		{"nodes[0].pipelineId", `{"nodes":[{"id":"a","type":"move_pipeline"}]}`, ""},
		{"nodes[0].assignedTo", `{"nodes":[{"id":"a","type":"assign_lead"}]}`, ""},
		{"nodes[0].title", `{"nodes":[{"id":"a","type":"create_task"}]}`, ""},
		{"nodes[1].id", `{"nodes":[` + n + `,` + n + `]}`, ""},
		{"nodes[1].type", `{"nodes":[{"id":"t","type":"trigger"},{"id":"u","type":"trigger"}]}`, ""},
		{"nodes[0].stageId", `{"nodes":[{"id":"a","type":"move_stage"}]}`, "required"},
		{"nodes[0].data.type", `{"nodes":[{"id":"a","type":"action","data":{"type":"send_email"}}]}`, "not available"},
		{"nodes[0].data.type", `{"nodes":[{"id":"a","type":"action","data":{}}]}`, "add_tag"},
		{"nodes[0].data.templateName", `{"nodes":[{"id":"a","type":"send_whatsapp","data":{"label":"x"}}]}`, ""},
		{"nodes[0].config.text", `{"nodes":[{"id":"a","type":"send_whatsapp","config":{"text":{}}}]}`, ""},
		{"nodes[0].data.config.tag", `{"nodes":[{"id":"a","type":"add_tag","data":{"config":{"tag":" "}}}]}`, ""},
		{"nodes[0].data.operator", `{"nodes":[{"id":"a","type":"condition","data":{"field":"lead.source","operator":"resembles","value":1}}]}`, "starts_with"},
		{"nodes[0].data.conditions[0].operator", `{"nodes":[{"id":"a","type":"condition","data":{"conditions":[{"field":"x","operator":"?"}]}}]}`, ""},
		{"nodes[0].delayMinutes", `{"nodes":[{"id":"a","type":"delay"}]}`, ""},
		{"nodes[0].data.delayMinutes", `{"nodes":[{"id":"a","type":"wait","data":{"delayMinutes":-1}}]}`, ""},
		{"nodes[0].data.delayMinutes", `{"nodes":[{"id":"a","type":"wait","data":{"delayMinutes":1e9}}]}`, "366"},
		{"nodes[0].data.unit", `{"nodes":[{"id":"a","type":"wait","data":{"duration":1,"unit":"fortnights"}}]}`, ""},
		{"nodes[0].data.until", `{"nodes":[{"id":"a","type":"wait","data":{"until":"tomorrow"}}]}`, ""},
		{"nodes[0].data.timeoutMinutes", `{"nodes":[{"id":"a","type":"waitReply","data":{"timeoutMinutes":"soon"}}]}`, ""},
		{"edges", `{"nodes":[` + n + `],"edges":"a"}`, ""},
		{"edges[0].source", `{"nodes":[` + n + `],"edges":[{"target":"a"}]}`, ""},
		{"edges[0].target", `{"nodes":[{"id":"a","type":"wait","data":{"delayMinutes":1}}],"edges":[{"source":"a","target":"ghost"}]}`, "ghost"},
		{"edges[0].source", `{"nodes":[` + n + `],"edges":[{"source":"ghost","target":"a"}]}`, "ghost"},
		{"edges[0].target", `{"nodes":[{"id":"t","type":"trigger"},{"id":"a","type":"add_tag","data":{"tag":"x"}}],"edges":[{"source":"a","target":"t"}]}`, "trigger"},
		{"edges[0].source", `{"nodes":[` + n + `,{"id":"b","type":"end"}],"edges":[{"source":"a","target":"b"}]}`, "end"},
		{"edges[0].sourceHandle", `{"nodes":[{"id":"c","type":"condition"},` + n + `],"edges":[{"source":"c","target":"a","sourceHandle":"maybe"}]}`, "yes and no"},
		{"edges[0].sourceHandle", `{"nodes":[{"id":"c","type":"wait_reply"},` + n + `],"edges":[{"source":"c","target":"a","sourceHandle":"no"}]}`, "timeout"},
		{"nodes[1]", `{"nodes":[` + n + `,{"id":"b","type":"end"}]}`, "no way in"},
		{"nodes[1]", `{"nodes":[{"id":"t","type":"trigger"},` + n + `]}`, "no way in"},
		{"nodes[0]", `{"nodes":[{"id":"a","type":"wait","data":{"delayMinutes":1}},{"id":"b","type":"wait","data":{"delayMinutes":1}}],"edges":[{"source":"a","target":"b"},{"source":"b","target":"a"}]}`, "circles"},
		{"nodes[0]", `{"nodes":[{"id":"a","type":"wait","data":{"delayMinutes":1}}],"edges":[{"source":"a","target":"a"}]}`, "circles"},
		{"nodes[1]", `{"nodes":[{"id":"t","type":"trigger"},{"id":"a","type":"wait","data":{"delayMinutes":1}}],"edges":[{"source":"t","target":"a"},{"source":"a","target":"a"}]}`, "circles"},
		{"actions", `{"nodes":[` + n + `],"actions":[{"type":"add_tag"}]}`, "not both"},
		{"actions", `{"actions":{}}`, ""},
		{"actions[0]", `{"actions":["add_tag"]}`, ""},
		{"actions[0].type", `{"actions":[{"type":"create_meeting"}]}`, "meetings are not available"},
		{"actions[0].config.tag", `{"actions":[{"type":"add_tag","config":{}}]}`, ""},
		{"actions[0].delayMinutes", `{"actions":[{"type":"add_tag","delayMinutes":"x","config":{"tag":"a"}}]}`, ""},
		{"actions[0].delayType", `{"actions":[{"type":"add_tag","delayType":"before_lunch","config":{"tag":"a"}}]}`, ""},
		{"isSequence", `{"isSequence":"yes"}`, ""},
		{"actions", `{"isSequence":true,"actions":[{"type":"add_tag","config":{"tag":"a"}}]}`, "steps"},
		{"steps", `{"isSequence":false,"steps":[{"action":{"type":"add_tag","config":{"tag":"a"}}}]}`, "isSequence"},
		{"steps[0].delayReference", `{"steps":[{"action":{"type":"add_tag","config":{"tag":"a"}},"delayReference":"noon"}]}`, ""},
		{"steps[0].onFailure", `{"steps":[{"action":{"type":"add_tag","config":{"tag":"a"}},"onFailure":"panic"}]}`, ""},
		{"steps[0].action.type", `{"steps":[{"action":{"type":"generate_meet"}}]}`, "not available"},
		{"steps[0].conditions[0].operator", `{"steps":[{"action":{"type":"add_tag","config":{"tag":"a"}},"conditions":[{"field":"x","operator":"?"}]}]}`, ""},
		{"steps[0].action", `{"steps":[{}]}`, ""},
		{"triggerConfig", `{"triggerConfig":[]}`, ""},
		{"triggerConfig.stageId", `{"triggerConfig":{"stageId":5}}`, ""},
		{"triggerConfig.includeSources[1]", `{"triggerConfig":{"includeSources":["a",2]}}`, ""},
		{"conditions[0].operator", `{"conditions":[{"field":"x","operator":"near"}]}`, "contains"},
	} {
		_, err := compile(def(t, c.def))
		f := fault.As(err)
		if f == nil || f.Code != fault.Invalid || f.Field != c.field || !strings.Contains(f.Message, c.says) {
			t.Errorf("%s\n got %v\nwant a fault of %s that says %q", c.def, err, c.field, c.says)
		}
	}
}

func TestCompileForms(t *testing.T) {
	same := func(name, text string, want *Graph) {
		t.Helper()
		got, err := compile(def(t, text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if d := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Graph{}, Condition{})); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	same("empty", `{"nodes":[],"edges":[]}`, &Graph{Nodes: map[string]*Node{}})
	same("only a trigger", `{"nodes":[{"id":"t","type":"trigger"}]}`, &Graph{Nodes: map[string]*Node{}})
	tag := func(s string, next map[string][]string) *Node {
		if next == nil {
			next = map[string][]string{}
		}
		return &Node{Kind: nodeAction, Action: actionTag, Tag: s, Next: next}
	}
	for _, text := range []string{
		`{"nodes":[{"id":"a","type":"add_tag","data":{"tag":"x"}}]}`,
		`{"nodes":[{"id":"a","type":"action","data":{"type":"tag_lead","tagName":"x"}}]}`,
		`{"nodes":[{"id":"a","type":"action","data":{"actionType":"add_tag","config":{"tag":"x"}}}]}`,
		`{"nodes":[{"id":"a","type":"action","config":{"type":"add_tag","tag":"x"},"data":{"label":"Tag"}}]}`,
		`{"nodes":[{"id":"a","type":"action","data":{"action":{"type":"add_tag","config":{"tag":"x"}}}}]}`,
		`{"nodes":[{"id":"t","type":"trigger"},{"id":"a","type":"add_tag","tag":"x"}],"edges":[{"source":"t","target":"a","sourceHandle":null}],"_canvas":{"zoom":1}}`,
	} {
		same(text, text, &Graph{Starts: []string{"a"}, Nodes: map[string]*Node{"a": tag("x", nil)}})
	}
	same("flat", `{"conditions":[{"field":"lead.source","operator":"equals","value":"web"}],"triggerConfig":{"tagName":"hot","excludeSources":["ad"]},
		"actions":[{"type":"add_tag","config":{"tag":"x"}},{"type":"send_whatsapp","delayMinutes":2,"config":{"templateName":"hi","languageCode":"en","variables":["{{lead.firstName}}",2]}}]}`,
		&Graph{Filter: Filter{Tag: "hot", Exclude: []string{"ad"}}, When: Test{List: []Condition{{Field: "lead.source", Operator: "eq", Value: "web"}}}, Starts: []string{"action-1", "delay-2"}, Nodes: map[string]*Node{
			"action-1": tag("x", nil),
			"delay-2":  {Kind: nodeDelay, After: 120_000, Next: map[string][]string{"": {"action-2"}}},
			"action-2": {Kind: nodeAction, Action: actionSend, Template: "hi", Language: "en", Values: []string{"{{lead.firstName}}", "2"}, Next: map[string][]string{}},
		}})
	same("branches", `{"nodes":[{"id":"c","type":"condition","data":{"field":"vars.x","operator":"eq","value":1}},{"id":"w","type":"wait-for-reply","data":{"duration":2,"unit":"hours"}},
		{"id":"d","type":"wait","config":{"until":"{{event.start}}"}},{"id":"e","type":"exit"},{"id":"n","type":"remove_tag","data":{"tag":"y"}}],
		"edges":[{"source":"c","target":"w","sourceHandle":"true"},{"source":"c","target":"n","label":"No"},{"source":"w","target":"d","sourceHandle":"reply"},{"source":"w","target":"e","sourceHandle":"timeout"},{"source":"n","target":"e","sourceHandle":"error"},{"source":"d","target":"e","sourceHandle":"out-1"}]}`,
		&Graph{Starts: []string{"c"}, Nodes: map[string]*Node{
			"c": {Kind: nodeCondition, When: &Test{List: []Condition{{Field: "vars.x", Operator: "eq", Value: 1.0}}}, Next: map[string][]string{"yes": {"w"}, "no": {"n"}}},
			"w": {Kind: nodeReply, After: 7_200_000, Next: map[string][]string{"reply": {"d"}, "timeout": {"e"}}},
			"d": {Kind: nodeDelay, Until: "{{event.start}}", Next: map[string][]string{"": {"e"}}},
			"e": {Kind: nodeEnd, Next: map[string][]string{}},
			"n": {Kind: nodeAction, Action: actionUntag, Tag: "y", Next: map[string][]string{"error": {"e"}}},
		}})
	step := func(n int, t string, next ...string) *Node {
		v := tag(t, nil)
		if v.Step, v.OnFail = n, failContinue; len(next) > 0 {
			v.Next = map[string][]string{"": next}
		}
		return v
	}
	second := step(2, "b")
	second.OnFail, second.Only, second.Exit = failRetry, &Test{List: []Condition{{Field: "lead.tags", Operator: "contains", Value: "a"}}}, &Test{Any: true, List: []Condition{{Field: "lead.status", Operator: "eq", Value: "won"}}}
	same("sequence", `{"isSequence":true,"steps":[{"stepNumber":2,"delayMinutes":5,"delayReference":"trigger_time","action":{"type":"add_tag","config":{"tag":"b"}},"onFailure":"retry",
		"conditions":[{"field":"lead.tags","operator":"contains","value":"a"}],"exitSequenceIf":[{"field":"lead.status","operator":"eq","value":"won"}]},{"stepNumber":1,"type":"add_tag","config":{"tag":"a"}}]}`,
		&Graph{Enrolls: true, Steps: 2, Starts: []string{"step-1"}, Nodes: map[string]*Node{"step-1": step(1, "a", "delay-2"), "step-2": second,
			"delay-2": {Kind: nodeDelay, After: 300_000, From: fromTrigger, Next: map[string][]string{"": {"step-2"}}}}})
	same("delays of an event", `{"actions":[{"type":"add_tag","delayType":"before_event","delayMinutes":10,"config":{"tag":"x"}},{"type":"add_tag","delayType":"at_event","delayMinutes":10,"config":{"tag":"y"}}]}`,
		&Graph{Starts: []string{"delay-1", "delay-2"}, Nodes: map[string]*Node{"action-1": tag("x", nil), "action-2": tag("y", nil),
			"delay-1": {Kind: nodeDelay, After: -600_000, From: fromEvent, Next: map[string][]string{"": {"action-1"}}},
			"delay-2": {Kind: nodeDelay, From: fromEvent, Next: map[string][]string{"": {"action-2"}}}}})
	same("a delay on an action node", `{"nodes":[{"id":"a","type":"add_tag","data":{"tag":"x","delayMinutes":1}}]}`, &Graph{Starts: []string{"a:delay"}, Nodes: map[string]*Node{
		"a": tag("x", nil), "a:delay": {Kind: nodeDelay, After: 60_000, Next: map[string][]string{"": {"a"}}}}})
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{
		`{"name":"x","trigger":"y","nodes":[],"edges":[]}`,
		`{"name":"x","trigger":"y","nodes":[{"id":"a","type":"condition","data":{"conditions":[{"field":"a","operator":"eq"}]}},{"id":1,"type":"end"}],"edges":[{"source":"a","target":"1","sourceHandle":"yes"}]}`,
		`{"name":"x","trigger":"y","actions":[{"type":"send_whatsapp","delayMinutes":"3","config":{"text":"{{a}}"}}]}`,
		`{"name":"\u0000","trigger":"y","nodes":[{"id":"a","type":"wait","data":{"until":"2026-01-01"}},{"id":"b","type":"wait_reply","config":{"duration":1,"unit":"days"}}],"edges":[{"source":"a","target":"b"},{"source":"b","target":"a"}]}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var m map[string]any
		if json.Unmarshal([]byte(text), &m) != nil {
			return
		}
		form, err := readForm(m)
		if err != nil {
			if fault.As(err) == nil {
				t.Fatalf("not a fault: %v", err)
			}
			return
		}
		// Every way leads to a node that exists, and none leads back.
		var visit func(nid string, depth int)
		budget := 100_000
		visit = func(nid string, depth int) {
			if budget--; budget < 0 {
				return
			}
			n := form.graph.Nodes[nid]
			if n == nil || depth > maxNodes {
				t.Fatalf("node %q at depth %d", nid, depth)
			}
			for _, list := range n.Next {
				for _, to := range list {
					visit(to, depth+1)
				}
			}
		}
		for _, nid := range form.graph.Starts {
			visit(nid, 0)
		}
		var back Graph
		if err := json.Unmarshal(form.stored, &back); err != nil {
			t.Fatal(err)
		}
	})
}
