package automation

import (
	"fmt"
	"regexp"
	"strings"

	"parley/internal/fault"
	"parley/internal/filter"
)

// flower turns the form of a flow into the definition of a rule: a chain of its
// actions, each behind its condition and its schedule.
type flower struct {
	nodes, edges []any
	exits        []exit            // what the next node follows
	fields       map[string]string // where the settings of a node stand in the form
	conditions   map[string]any    // by id: {items, combination}
	schedules    map[string]map[string]any
	at           map[string]string // of a condition or schedule, by id
	used         map[string]bool   // conditions that an action names
	ids          map[string]bool   // of actions
}

type exit struct{ node, handle string }

// wholeFlow is the node of the conditions that count for all of a flow.
const wholeFlow = ":conditions"

// serverKeys of a form are ours to say.
var serverKeys = []string{"id", "_id", "org_id", "_org", "runs", "created_at", "updated_at", "created_by", "updated_by", "created_via", "last_updated_via"}

var schemaSlug = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,100}$`)

// flowDefinition checks the form of a flow and compiles it. Faults name the form's
// fields.
func flowDefinition(raw map[string]any) (map[string]any, error) {
	form, err := asJSON("flow", maxForm/2, raw)
	if err != nil {
		return nil, err
	}
	if form == nil {
		form = map[string]any{}
	}
	for _, key := range serverKeys {
		delete(form, key)
	}
	def := map[string]any{"trigger": TriggerManual}
	if err := flowHead(form, def); err != nil {
		return nil, err
	}
	f := &flower{fields: map[string]string{}, conditions: map[string]any{}, schedules: map[string]map[string]any{}, at: map[string]string{}, used: map[string]bool{}, ids: map[string]bool{},
		nodes: []any{map[string]any{"id": "trigger", "type": "trigger"}}, edges: []any{}, exits: []exit{{"trigger", ""}}}
	for _, read := range []func(map[string]any) error{f.readConditions, f.readSchedules, f.readActions} {
		if err := read(form); err != nil {
			return nil, err
		}
	}
	def["nodes"], def["edges"], def[formKey] = f.nodes, f.edges, form
	if _, err := readForm(def); err != nil {
		return nil, f.blame(err)
	}
	return def, nil
}

// flowHead reads what a form says of the flow as a whole.
func flowHead(form, def map[string]any) error {
	name, err := textOf(form, "flow_name")
	if err == nil && strings.TrimSpace(name) == "" {
		if name, err = textOf(form, "name"); err == nil && strings.TrimSpace(name) == "" {
			err = fault.Missing("flow_name")
		}
	}
	if err != nil {
		return err
	}
	if len([]rune(name)) > maxName {
		return fault.Field("flow_name", "flow_name must not be longer than %d characters", maxName)
	}
	def["name"] = name
	if def["description"], err = textOf(form, "description"); err != nil {
		return err
	}
	enabled, err := boolOf(form, "enabled")
	if err != nil {
		return err
	}
	def["isActive"] = enabled == nil || *enabled
	schema, err := textOf(form, "entity_schema")
	if err != nil {
		return err
	}
	triggers, err := listOf(form, "triggers", "triggers")
	if err != nil {
		return err
	}
	for i, v := range triggers {
		at := fmt.Sprintf("triggers[%d]", i)
		m, ok := v.(map[string]any)
		if !ok {
			return fault.Field(at, "%s must be an object with type", at)
		}
		if m["type"] != TriggerManual {
			return fault.Field(at+".type", "%s.type must be %s: flows of this API start when they are launched; write rules on events on the platform API", at, TriggerManual)
		}
		if cfg, ok := m["configuration"].(map[string]any); ok && schema == "" {
			schema, _ = cfg["schema"].(string)
		}
	}
	if len(triggers) == 0 {
		form["triggers"] = []any{map[string]any{"type": TriggerManual}}
	}
	if schema != "" {
		if !schemaSlug.MatchString(schema) {
			return fault.Field("entity_schema", "entity_schema must have 1 to 100 letters, digits, _ and -")
		}
		def["entitySchema"] = schema
	}
	for key, why := range map[string]string{"max_executions": "a limit of executions is not available in this version", "trigger_conditions": "write them as conditions that no action names: those count for the whole flow"} {
		if v := form[key]; v != nil && !isEmpty(v) {
			return fault.Field(key, "%s cannot be used: %s", key, why)
		}
	}
	return nil
}

// readConditions reads conditions: {id, statements: [{operation, source: {attribute},
// values}]}, of which all must hold. One that no action names counts for the flow.
func (f *flower) readConditions(form map[string]any) error {
	list, err := listOf(form, "conditions", "conditions")
	if err != nil {
		return err
	}
	named := map[string]bool{}
	actions, _ := form["actions"].([]any)
	for _, v := range actions {
		m, _ := v.(map[string]any)
		if cid, ok := m["condition_id"].(string); ok {
			named[cid] = true
		}
	}
	var whole []any
	for i, v := range list {
		at := fmt.Sprintf("conditions[%d]", i)
		m, ok := v.(map[string]any)
		if !ok {
			return fault.Field(at, "%s must be an object with id and statements", at)
		}
		cid, _ := m["id"].(string)
		if cid != "" && f.conditions[cid] != nil {
			return fault.Field(at+".id", "%s.id: the condition id %q is used twice; every condition needs its own", at, clip(cid))
		}
		items, err := statements(at, m)
		if err != nil {
			return err
		}
		if cid != "" && named[cid] {
			f.conditions[cid], f.at[cid] = map[string]any{"items": items, "combination": "AND"}, at
		} else {
			whole = append(whole, items...)
		}
	}
	if len(whole) == 0 {
		return nil
	}
	if len(whole) > filter.MaxItems {
		return fault.Field("conditions", "a flow may have at most %d statements that count for all of it", filter.MaxItems)
	}
	f.node(wholeFlow, "condition", map[string]any{"entityFilter": map[string]any{"items": whole, "combination": "AND"}, "skips": true}, "conditions")
	f.exits = []exit{{wholeFlow, handleYes}}
	return nil
}

// statements reads those of a condition as the items of a target's filter.
func statements(at string, m map[string]any) ([]any, error) {
	list, err := listOf(m, "statements", at+".statements")
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fault.Field(at+".statements", "%s.statements is required: what must hold", at)
	}
	items := make([]any, len(list))
	for i, v := range list {
		where := fmt.Sprintf("%s.statements[%d]", at, i)
		st, ok := v.(map[string]any)
		if !ok {
			return nil, fault.Field(where, "%s must be an object with operation, source and values", where)
		}
		if items[i], err = statement(where, st); err != nil {
			return nil, err
		}
	}
	_, _, err = filter.ParseTarget(map[string]any{"filter": map[string]any{"items": items}})
	if e := fault.As(err); e != nil {
		to := at + ".statements" + strings.TrimPrefix(e.Field, "entity_filters.filter.items")
		for ours, theirs := range map[string]string{".key": ".source.attribute", ".operator": ".operation", ".value": ".values"} {
			if rest, ok := strings.CutSuffix(to, ours); ok {
				to = rest + theirs
			}
		}
		return nil, moved(err, e.Field, to)
	}
	return items, err
}

// statement reads one: several values ask for any of them, or for none.
func statement(at string, st map[string]any) (map[string]any, error) {
	op, ok := st["operation"].(string)
	if !ok {
		op, ok = st["operator"].(string)
	}
	if !ok {
		return nil, fault.Field(at+".operation", "%s.operation is required, such as equals", at)
	}
	key := ""
	switch t := st["source"].(type) {
	case string:
		key = t
	case map[string]any:
		if origin, _ := t["origin"].(string); origin != "" && origin != "trigger" {
			return nil, fault.Field(at+".source.origin", "%s.source.origin must be trigger: conditions look at the entity that the flow is about", at)
		}
		key, _ = t["attribute"].(string)
		if sub, _ := t["attribute_sub_field"].(string); sub != "" {
			key += "." + sub
		}
	}
	if strings.TrimSpace(key) == "" {
		return nil, fault.Field(at+".source.attribute", "%s.source.attribute is required: which attribute of the entity", at)
	}
	value, given := st["values"]
	if !given {
		value = st["value"]
	}
	item := map[string]any{"key": key, "operator": op}
	switch t := value.(type) {
	case nil:
	case []any:
		switch {
		case len(t) == 1 && op != "any_of" && op != "none_of":
			item["value"] = t[0]
		case len(t) > 1 && op == "equals":
			item["operator"], item["value"] = "any_of", t
		case len(t) > 1 && op == "not_equals":
			item["operator"], item["value"] = "none_of", t
		case len(t) > 0:
			item["value"] = t
		}
	default:
		item["value"] = t
	}
	return item, nil
}

// readSchedules reads schedules: {id, schedule_type: delayed, duration, unit}.
func (f *flower) readSchedules(form map[string]any) error {
	list, err := listOf(form, "schedules", "schedules")
	if err != nil {
		return err
	}
	for i, v := range list {
		at := fmt.Sprintf("schedules[%d]", i)
		m, ok := v.(map[string]any)
		if !ok {
			return fault.Field(at, "%s must be an object with id, schedule_type, duration and unit", at)
		}
		sid, _ := m["id"].(string)
		if sid == "" || f.schedules[sid] != nil {
			return fault.Field(at+".id", "%s.id is required, and every schedule needs its own", at)
		}
		typ, _ := m["schedule_type"].(string)
		if typ == "" {
			typ, _ = m["type"].(string)
		}
		if typ != "" && typ != "delayed" {
			return fault.Field(at+".schedule_type", "%s.schedule_type must be delayed; %s is not available in this version", at, clip(typ))
		}
		f.schedules[sid], f.at[sid] = map[string]any{"duration": m["duration"], "unit": m["unit"]}, at
	}
	return nil
}

// node appends a node and the ways to it. field is where its settings stand.
func (f *flower) node(nid, kind string, data map[string]any, field string) {
	f.fields[fmt.Sprintf("nodes[%d]", len(f.nodes))] = field
	f.nodes = append(f.nodes, map[string]any{"id": nid, "type": kind, "data": data, "position": map[string]any{"x": 0, "y": 120 * len(f.nodes)}})
	for _, e := range f.exits {
		edge := map[string]any{"source": e.node, "target": nid}
		if e.handle != "" {
			edge["sourceHandle"] = e.handle
		}
		f.edges = append(f.edges, edge)
	}
	f.exits = []exit{{nid, ""}}
}

// blame gives a fault of the definition its place in the form.
func (f *flower) blame(err error) error {
	e := fault.As(err)
	if e == nil {
		return err
	}
	end := strings.IndexByte(e.Field, ']')
	if field, ok := f.fields[e.Field[:max(end+1, 0)]]; ok {
		for _, from := range []string{".data.config", ".data", ""} {
			if strings.HasPrefix(e.Field, e.Field[:end+1]+from) {
				return moved(err, e.Field[:end+1]+from, field)
			}
		}
	}
	for from, to := range map[string]string{"name": "flow_name", "nodes": "actions"} {
		if e.Field == from {
			return moved(err, from, to)
		}
	}
	return err
}

func foreignID(key string, i int) string {
	return fmt.Sprintf("%s-%d", strings.TrimSuffix(key, "s"), i+1)
}

// actionOf is the action of a flow that a node of its graph belongs to.
func actionOf(nid string) string {
	for _, tail := range []string{":condition", ":schedule"} {
		nid = strings.TrimSuffix(nid, tail)
	}
	return strings.TrimRight(nid, ":")
}
