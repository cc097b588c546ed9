package automation

import (
	"context"
	"encoding/json"
	"strings"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Flow is a rule as the targeting API's automation flow (targeting reference §4.3).
// Its form is kept beside the graph that it compiles to, so that it reads as it was
// written. Rules of the platform API are flows too, whose form is made up of theirs.
type Flow struct {
	Rule Rule
	Form map[string]any // flow_name, enabled, entity_schema, triggers, conditions, actions, schedules, and what else the author sent
	Own  bool           // it was written as a flow
}

// formKey is where a definition keeps a flow's form.
const formKey = "flow"

// CreateFlow stores a flow. Faults name the field of the form.
func (s *Service) CreateFlow(ctx context.Context, tenant id.ID, actor string, form map[string]any) (Flow, error) {
	def, err := flowDefinition(form)
	if err != nil {
		return Flow{}, err
	}
	r, err := s.Create(ctx, tenant, actor, def)
	return flowOf(r), err
}

// ReplaceFlow gives a flow another form. Conflict for a rule that was written on the
// platform API in a form that flows do not have.
func (s *Service) ReplaceFlow(ctx context.Context, tenant id.ID, actor string, flow id.ID, form map[string]any) (Flow, error) {
	def, err := flowDefinition(form)
	if err != nil {
		return Flow{}, err
	}
	r, err := s.rewrite(ctx, tenant, actor, flow, func(r Rule) (map[string]any, error) {
		if r.Origin != "" {
			return nil, fault.Unknown("automation")
		}
		if !flowOf(r).Own {
			return nil, fault.New(fault.Conflict, "this automation was written on the platform API; change it there").Because("automation_foreign")
		}
		return def, nil
	})
	return flowOf(r), err
}

// Flow returns a flow. NotFound "automation".
func (s *Service) Flow(ctx context.Context, tenant, flow id.ID) (Flow, error) {
	r, err := s.Get(ctx, tenant, flow)
	if err == nil && r.Origin != "" {
		err = fault.Unknown("automation")
	}
	return flowOf(r), err
}

// FlowQuery selects flows; zero fields select nothing out.
type FlowQuery struct {
	Schema  string // flows that take entities of it
	Trigger string // of their form: entity_manual, or the trigger's name of a platform rule
	Enabled *bool
	Text    string // part of the name, any case
	From    int
	Size    int
}

// Flows returns a page of a tenant's flows, newest first, and how many there are.
func (s *Service) Flows(ctx context.Context, tenant id.ID, q FlowQuery) ([]Flow, int, error) {
	rules, err := s.List(ctx, tenant, RuleQuery{Active: q.Enabled})
	if err != nil {
		return nil, 0, err
	}
	out, total := []Flow{}, 0
	for _, r := range rules {
		if q.Text != "" && !strings.Contains(strings.ToLower(r.Name), strings.ToLower(q.Text)) {
			continue
		}
		if schema, _ := r.Definition["entitySchema"].(string); q.Schema != "" && schema != "" && schema != q.Schema {
			continue
		}
		if q.Trigger != "" && q.Trigger != r.Trigger && q.Trigger != TriggerManual {
			continue // every rule can be started by hand
		}
		if total++; total > q.From && len(out) < q.Size {
			out = append(out, flowOf(r))
		}
	}
	return out, total, nil
}

// rewrite replaces a rule's whole definition.
func (s *Service) rewrite(ctx context.Context, tenant id.ID, actor string, rule id.ID, f func(r Rule) (map[string]any, error)) (Rule, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Rule, error) {
		r, err := lockedRule(tx, rule)
		if err != nil {
			return r, err
		}
		def, err := f(r)
		if err != nil {
			return r, err
		}
		return s.redefine(tx, actor, r, def)
	})
}

// flowOf shows a rule as a flow. A form that does not say what the rule does, since
// the rule was changed on the platform API, counts no more.
func flowOf(r Rule) Flow {
	f := Flow{Rule: r}
	if form, ok := r.Definition[formKey].(map[string]any); ok {
		def, err := flowDefinition(form)
		if err == nil && sameParts(def, r.Definition) {
			f.Form, f.Own = copyMap(form), true
		}
	}
	if f.Form == nil {
		f.Form = foreignForm(r)
	}
	f.Form["flow_name"], f.Form["enabled"] = r.Name, r.Active
	if r.Description != "" {
		f.Form["description"] = r.Description
	}
	return f
}

// sameParts reports whether two definitions do the same.
func sameParts(a, b map[string]any) bool {
	for _, key := range []string{"trigger", "nodes", "edges", "entitySchema", "conditions", "actions", "steps", "isSequence", "triggerConfig"} {
		x, err := json.Marshal(a[key])
		y, err2 := json.Marshal(b[key])
		if err != nil || err2 != nil || string(x) != string(y) {
			return false
		}
	}
	return true
}

// foreignForm makes a form of a rule of the platform API, to be read.
func foreignForm(r Rule) map[string]any {
	trigger := map[string]any{"id": "event", "type": "custom", "configuration": map[string]any{"name": r.Trigger}}
	if cfg, ok := r.Definition["triggerConfig"].(map[string]any); ok && len(cfg) > 0 {
		trigger["configuration"].(map[string]any)["filter"] = cfg
	}
	form := map[string]any{"triggers": []any{map[string]any{"id": "manual", "type": TriggerManual}, trigger},
		"conditions": []any{}, "schedules": []any{}, "actions": foreignActions(r.Definition)}
	if list, ok := r.Definition["conditions"].([]any); ok {
		form["conditions"] = list
	}
	return form
}

func foreignActions(def map[string]any) []any {
	out := []any{}
	add := func(key string, list []any) {
		for i, v := range list {
			m, ok := v.(map[string]any)
			if !ok || m["type"] == "trigger" {
				continue
			}
			cfg := configOf("", m, key != "nodes").values
			a := map[string]any{"id": m["id"], "type": m["type"], "config": cfg}
			if a["id"] == nil {
				a["id"] = foreignID(key, i)
			}
			if t, ok := cfg["type"].(string); ok && (m["type"] == nil || m["type"] == "action") {
				a["type"] = t
			}
			if name, ok := cfg["label"].(string); ok {
				a["name"] = name
			}
			out = append(out, a)
		}
	}
	for _, key := range []string{"nodes", "actions", "steps"} {
		list, _ := def[key].([]any)
		add(key, list)
	}
	return out
}
