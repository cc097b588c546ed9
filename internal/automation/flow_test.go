package automation

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

func flowForm(t testing.TB, text string) map[string]any {
	t.Helper()
	return def(t, text)
}

func (w *world) flow(text string) Flow {
	w.Helper()
	f, err := w.s.CreateFlow(bg, w.Tenant, "key:test", flowForm(w, text))
	if err != nil {
		w.Fatal(err)
	}
	return f
}

// launch starts a rule for a person, or for a record that relates to nobody.
func (w *world) launch(x Launch) Launched {
	w.Helper()
	if x.Cause == "" {
		x.Cause = "test:" + id.New().String()
	}
	out, err := store.Write(bg, w.DB, w.Tenant, func(tx *store.Tx) ([]Launched, error) { return w.s.LaunchIn(tx, "key:test", []Launch{x}) })
	if err != nil {
		w.Fatal(err)
	}
	return out[0]
}

func (w *world) person() Launch {
	c := w.lead().Contact.ID
	return Launch{Schema: People, Entity: c, Contact: c}
}

// seen lets runs read entities of the test.
func (w *world) seen(doc map[string]any) {
	w.s.ReadEntities(func(_ store.Reader, schema string, ids []id.ID) (map[id.ID]map[string]any, error) {
		out := map[id.ID]map[string]any{}
		for _, v := range ids {
			out[v] = doc
		}
		return out, nil
	})
}

const offer = `{"flow_name":"Offer","entity_schema":"contact","author":"me","triggers":[{"type":"entity_manual"}],
	"conditions":[{"id":"rich","statements":[{"operation":"greater_than","source":{"attribute":"value"},"values":["100"]}]},
		{"statements":[{"operation":"none_of","source":{"attribute":"_tags"},"values":["no","never"]}]}],
	"schedules":[{"id":"day","schedule_type":"delayed","duration":1,"unit":"days"}],
	"actions":[{"id":"a","type":"add_tag","config":{"tag":"met {{entity.first_name}}"}},
		{"id":"b","type":"add_tag","name":"Rich","condition_id":"rich","config":{"tag":"rich"}},
		{"type":"add_tag","schedule_id":"day","config":{"tag":"later"}}]}`

// A flow reads as it was written, and is a rule of the platform API at the same time.
func TestAFlowIsARule(t *testing.T) {
	each(t, func(w *world) {
		f := w.flow(offer)
		if !f.Own || f.Rule.Trigger != TriggerManual || f.Form["author"] != "me" || f.Form["enabled"] != true {
			t.Errorf("%+v", f)
		}
		got, err := w.s.Flow(bg, w.Tenant, f.Rule.ID)
		if err != nil || !got.Own || !reflect.DeepEqual(asText(got.Form), asText(f.Form)) {
			t.Errorf("%v %v", got.Form, err)
		}
		actions := got.Form["actions"].([]any)
		if aid := actions[2].(map[string]any)["id"]; aid != "action-3" {
			t.Errorf("the third action has the id %v", aid)
		}
		rules, err := w.s.List(bg, w.Tenant, RuleQuery{})
		if err != nil || len(rules) != 1 || rules[0].Name != "Offer" {
			t.Errorf("%+v %v", rules, err)
		}
		// Written back as it was read, it is the same version.
		again, err := w.s.ReplaceFlow(bg, w.Tenant, "key:test", f.Rule.ID, got.Form)
		if err != nil || again.Rule.Version != 1 {
			t.Errorf("%+v %v", again.Rule, err)
		}
		// Changed on the platform API it is a rule like any; its name alone changes nothing.
		if _, err := w.s.Update(bg, w.Tenant, "key:test", f.Rule.ID, map[string]any{"name": "Other"}); err != nil {
			t.Fatal(err)
		}
		if got, _ = w.s.Flow(bg, w.Tenant, f.Rule.ID); !got.Own || got.Form["flow_name"] != "Other" {
			t.Errorf("%+v", got)
		}
		if _, err := w.s.Update(bg, w.Tenant, "key:test", f.Rule.ID, def(w, `{"nodes":[{"id":"x","type":"add_tag","data":{"tag":"t"}}],"edges":[]}`)); err != nil {
			t.Fatal(err)
		}
		if got, _ = w.s.Flow(bg, w.Tenant, f.Rule.ID); got.Own || got.Form["actions"].([]any)[0].(map[string]any)["id"] != "x" {
			t.Errorf("%+v", got.Form)
		}
		_, err = w.s.ReplaceFlow(bg, w.Tenant, "key:test", f.Rule.ID, flowForm(w, offer))
		w.wantFault(err, fault.Conflict, "", "automation_foreign")
		// Rules of the platform API are flows, and can be found by what they take.
		w.rule(`{"name":"Plain","trigger":"lead_created","actions":[{"type":"add_tag","config":{"tag":"x"}}],"isActive":false}`)
		on := true
		for want, q := range map[int]FlowQuery{2: {}, 1: {Enabled: &on}, 0: {Text: "nothing"}} {
			q.Size = 10
			if list, total, err := w.s.Flows(bg, w.Tenant, q); err != nil || total != want || len(list) != want {
				t.Errorf("%+v: %d of %d %v", q, len(list), total, err)
			}
		}
	})
}

func asText(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// Actions follow each other; a condition takes one out, a schedule puts one off, and
// a condition that no action names counts for the whole.
func TestAFlowRuns(t *testing.T) {
	each(t, func(w *world) {
		f := w.flow(offer)
		doc := map[string]any{"first_name": "Asha", "value": 50.0, "_tags": []any{"x"}}
		w.seen(doc)
		x := w.person()
		x.Rule = f.Rule.ID
		l := w.launch(x)
		if !l.Fresh || l.Status != ExecInProgress {
			t.Errorf("%+v", l)
		}
		if got := w.tags(x.Contact); !slices.Equal(got, []string{"met Asha"}) {
			t.Errorf("%v", got)
		}
		e, err := w.s.Execution(bg, w.Tenant, l.Run)
		if err != nil || e.Status != ExecInProgress || e.Current != "action-3" || e.ResumeAt.IsZero() || len(e.Actions) != 3 {
			t.Errorf("%+v %v", e, err)
		}
		if e.Actions[0].Status != ExecSuccess || e.Actions[1].Status != ExecSkipped || e.Actions[1].Name != "Rich" {
			t.Errorf("%+v", e.Actions)
		}
		w.later(24 * time.Hour)
		if e, _ = w.s.Execution(bg, w.Tenant, l.Run); e.Status != ExecSuccess || e.Actions[1].Status != ExecSkipped || e.Actions[2].Status != ExecSuccess {
			t.Errorf("%+v", e)
		}
		doc["value"] = 200.0
		x.Cause = ""
		w.launch(x)
		if got := w.tags(x.Contact); !slices.Contains(got, "rich") {
			t.Errorf("%v", got)
		}
		doc["_tags"] = []any{"never"}
		if l := w.launch(x); l.Status != ExecSkipped {
			t.Errorf("%+v", l)
		}
		list, total, err := w.s.Executions(bg, w.Tenant, ExecQuery{Entity: x.Contact, Size: 10})
		if err != nil || total != 3 || len(list) != 3 || list[0].Status != ExecSkipped || list[2].Status != ExecSuccess {
			t.Errorf("%d %+v %v", total, list, err)
		}
		if err := w.sound(); err != nil {
			t.Error(err)
		}
	})
}

// What a person needs fails for a record that relates to nobody, clearly; e-mail
// fails for everybody; an action that may fail stops nothing.
func TestActionsThatFail(t *testing.T) {
	each(t, func(w *world) {
		w.seen(map[string]any{"first_name": "Asha"})
		who := w.person()
		record := Launch{Schema: "contract", Entity: id.New()}
		for _, c := range []struct {
			actions string
			x       Launch
			status  string
			says    string
			tags    int
		}{
			{`[{"type":"add_tag","config":{"tag":"a"}}]`, record, ExecFailed, "relates to no person", 0},
			{`[{"type":"send-message","config":{"text":"hi"}}]`, record, ExecFailed, "relates to no person", 0},
			{`[{"type":"send-email","config":{"template":"x"}},{"type":"add_tag","config":{"tag":"b"}}]`, who, ExecFailed, "no e-mail channel", 0},
			{`[{"type":"send-email","allow_failure":true},{"type":"add_tag","config":{"tag":"c"}}]`, who, ExecSuccess, "", 1},
			{`[{"type":"delay","config":{"duration":1,"unit":"hours"}}]`, record, ExecScheduled, "", 1},
			{`[{"type":"trigger-webhook","config":{"url":"https://example.com/{{entity.first_name}}"}}]`, record, ExecInProgress, "", 1},
		} {
			f := w.flow(`{"flow_name":"x","actions":` + c.actions + `}`)
			c.x.Rule = f.Rule.ID
			l := w.launch(c.x)
			if l.Status != c.status || !strings.Contains(l.Error, c.says) || l.Err != nil {
				t.Errorf("%s: %+v", c.actions, l)
			}
			if got := w.tags(who.Contact); len(got) != c.tags {
				t.Errorf("%s: %v", c.actions, got)
			}
		}
		list, total, err := w.s.Executions(bg, w.Tenant, ExecQuery{Entity: record.Entity, Size: 2})
		if err != nil || total != 4 || len(list) != 2 || list[0].Status != ExecInProgress || !list[0].Contact.IsZero() || list[0].Schema != "contract" {
			t.Errorf("%d %+v %v", total, list, err)
		}
		e, err := w.s.Cancel(bg, w.Tenant, "key:test", list[0].ID)
		if err != nil || e.Status != ExecCancelled {
			t.Errorf("%+v %v", e, err)
		}
		_, err = w.s.Cancel(bg, w.Tenant, "key:test", list[0].ID)
		w.wantFault(err, fault.Conflict, "", "")
		w.later(time.Hour)
		if e, _ := w.s.Execution(bg, w.Tenant, list[1].ID); e.Status != ExecSuccess {
			t.Errorf("%+v", e)
		}
		if err := w.sound(); err != nil {
			t.Error(err)
		}
	})
}

// What is wrong with a form is said at its place.
func TestFlowFaults(t *testing.T) {
	for _, c := range []struct{ field, form, says string }{
		{"flow_name", `{"actions":[{"type":"delay"}]}`, "required"},
		{"flow_name", `{"flow_name":7}`, "text"},
		{"enabled", `{"flow_name":"x","enabled":"yes"}`, "true or false"},
		{"actions", `{"flow_name":"x"}`, "required"},
		{"actions", `{"flow_name":"x","actions":{}}`, "list"},
		{"actions[0]", `{"flow_name":"x","actions":[7]}`, "object"},
		{"actions[0].type", `{"flow_name":"x","actions":[{}]}`, "required"},
		{"actions[0].type", `{"flow_name":"x","actions":[{"type":"trigger-workflow"}]}`, "not available"},
		{"actions[0].type", `{"flow_name":"x","actions":[{"type":"cook"}]}`, "no action"},
		{"actions[0].type", `{"flow_name":"x","actions":[{"type":"flow_send_email"}]}`, "no action"},
		{"actions[1].config.tag", `{"flow_name":"x","actions":[{"type":"send-email"},{"type":"add_tag","config":{}}]}`, "required"},
		{"actions[0].config.url", `{"flow_name":"x","actions":[{"type":"trigger-webhook","config":{"webhook_id":"7"}}]}`, "required"},
		{"actions[0].config.url", `{"flow_name":"x","actions":[{"type":"trigger-webhook","config":{"url":"ftp://x"}}]}`, ""},
		{"actions[0].config", `{"flow_name":"x","actions":[{"type":"send-message","config":{}}]}`, "needs what to send: template"},
		{"actions[0].config.channel", `{"flow_name":"x","actions":[{"type":"send-message","config":{"channel":"fax","text":"x"}}]}`, "whatsapp"},
		{"actions[0].config.target_schema", `{"flow_name":"x","actions":[{"type":"map-entity","config":{"target_schema":"order"}}]}`, "contact"},
		{"actions[0].config.mapping_attributes[0].mode", `{"flow_name":"x","actions":[{"type":"map-entity","config":{"mapping_attributes":[{"target":"a","mode":"append_all"}]}}]}`, "set_value"},
		{"actions[0].condition_id", `{"flow_name":"x","actions":[{"type":"send-email","condition_id":"z"}]}`, "no condition"},
		{"actions[0].schedule_id", `{"flow_name":"x","actions":[{"type":"send-email","schedule_id":"z"}]}`, "no schedule"},
		{"actions[1].id", `{"flow_name":"x","actions":[{"id":"a","type":"send-email"},{"id":"a","type":"send-email"}]}`, "twice"},
		{"actions[0].id", `{"flow_name":"x","actions":[{"id":"trigger","type":"send-email"}]}`, ""},
		{"actions[0].id", `{"flow_name":"x","actions":[{"id":"a:condition","type":"send-email"}]}`, ""},
		{"actions[0].allow_failure", `{"flow_name":"x","actions":[{"type":"send-email","allow_failure":1}]}`, ""},
		{"triggers[0].type", `{"flow_name":"x","triggers":[{"type":"entity_operation"}]}`, "entity_manual"},
		{"entity_schema", `{"flow_name":"x","entity_schema":"a b"}`, "letters"},
		{"max_executions", `{"flow_name":"x","max_executions":{"count":1}}`, "not available"},
		{"schedules[0].id", `{"flow_name":"x","schedules":[{}]}`, "required"},
		{"schedules[0].schedule_type", `{"flow_name":"x","schedules":[{"id":"a","schedule_type":"relative"}]}`, "delayed"},
		{"schedules[0].duration", `{"flow_name":"x","schedules":[{"id":"a","duration":-1}],"actions":[{"type":"send-email","schedule_id":"a"}]}`, "negative"},
		{"conditions[0].statements", `{"flow_name":"x","conditions":[{"id":"a"}]}`, "required"},
		{"conditions[0].statements[0].operation", `{"flow_name":"x","conditions":[{"statements":[{}]}]}`, "required"},
		{"conditions[0].statements[0].operation", `{"flow_name":"x","conditions":[{"statements":[{"operation":"like","source":"a","values":["x"]}]}]}`, ""},
		{"conditions[0].statements[0].source.attribute", `{"flow_name":"x","conditions":[{"statements":[{"operation":"equals","values":["x"]}]}]}`, "required"},
		{"conditions[0].statements[0].source.origin", `{"flow_name":"x","conditions":[{"statements":[{"operation":"equals","source":{"origin":"action"},"values":["x"]}]}]}`, "trigger"},
	} {
		_, err := flowDefinition(flowForm(t, c.form))
		if f := fault.As(err); f == nil || f.Field != c.field || !strings.Contains(f.Message, c.says) || strings.Contains(f.Message, "nodes[") || strings.Contains(f.Message, "entity_filters") {
			t.Errorf("%s:\ngot  %v\nwant %s %s", c.form, err, c.field, c.says)
		}
	}
}

// FuzzFlow looks for forms that cannot be read back.
func FuzzFlow(f *testing.F) {
	f.Add([]byte(offer))
	f.Add([]byte(`{"flow_name":"x","actions":[{"type":"map-entity","config":{"mapping_attributes":[{"target":"a","mode":"set_value","value":1}]}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var m map[string]any
		if json.Unmarshal(text, &m) != nil {
			return
		}
		def, err := flowDefinition(m)
		if err != nil {
			if fault.As(err) == nil {
				t.Fatal(err)
			}
			return
		}
		again, err := flowDefinition(def[formKey].(map[string]any))
		if err != nil || !sameParts(def, again) {
			t.Fatalf("%v\n%s\n%s", err, asText(def), asText(again))
		}
	})
}
