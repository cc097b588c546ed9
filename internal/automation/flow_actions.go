package automation

import (
	"fmt"
	"slices"
	"strings"

	"parley/internal/fault"
	"parley/internal/id"
)

// otherActions of the contract are not here (targeting reference §4.3).
var otherActions = []string{"trigger-workflow", "trigger-share-entity", "inform-erp", "trigger-event", "create-document", "forward-email", "reply-email",
	"cart-checkout", "assign-thread", "move-thread", "cancel-flow-execution", "custom-action", "ai-agent"}

const knownFlowActions = "send-message, send-email, trigger-webhook, assign-entity, map-entity, delay, or an action of the platform API: " + knownActions

// readActions reads actions: {id, type, name, config, allow_failure, condition_id,
// schedule_id}, which follow each other.
func (f *flower) readActions(form map[string]any) error {
	list, err := listOf(form, "actions", "actions")
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fault.Field("actions", "actions is required: what the flow does")
	}
	if len(list) > maxNodes/3-1 {
		return fault.Field("actions", "a flow may have at most %d actions", maxNodes/3-1)
	}
	for _, v := range list {
		if m, ok := v.(map[string]any); ok {
			if aid, ok := m["id"].(string); ok {
				f.ids[aid] = false // not yet met
			}
		}
	}
	for i, v := range list {
		at := fmt.Sprintf("actions[%d]", i)
		m, ok := v.(map[string]any)
		if !ok {
			return fault.Field(at, "%s must be an object with type and config", at)
		}
		if err := f.action(at, i, m); err != nil {
			return err
		}
	}
	return nil
}

func (f *flower) action(at string, i int, m map[string]any) error {
	aid, err := f.actionID(at, i, m)
	if err != nil {
		return err
	}
	kind, data, err := flowAction(at, m)
	if err != nil {
		return err
	}
	if name, ok := m["name"].(string); ok && name != "" {
		data["label"] = name
	}
	fails, err := boolOf(m, "allow_failure")
	if err != nil {
		return moved(err, "allow_failure", at+".allow_failure")
	}
	around := []exit(nil) // the ways past this action
	if cid, _ := m["condition_id"].(string); cid != "" {
		c := f.conditions[cid]
		if c == nil {
			return fault.Field(at+".condition_id", "%s.condition_id: there is no condition %q in conditions", at, clip(cid))
		}
		f.node(aid+":condition", "condition", map[string]any{"entityFilter": c}, f.at[cid])
		around = append(around, exit{aid + ":condition", handleNo})
		f.exits = []exit{{aid + ":condition", handleYes}}
	}
	if sid, _ := m["schedule_id"].(string); sid != "" {
		sch := f.schedules[sid]
		if sch == nil {
			return fault.Field(at+".schedule_id", "%s.schedule_id: there is no schedule %q in schedules", at, clip(sid))
		}
		f.node(aid+":schedule", "delay", sch, f.at[sid])
	}
	f.node(aid, kind, data, at+".config")
	if fails != nil && *fails {
		around = append(around, exit{aid, handleError})
	}
	f.exits = append(f.exits, around...)
	return nil
}

// actionID reads an action's id, or gives it one, which the form keeps.
func (f *flower) actionID(at string, i int, m map[string]any) (string, error) {
	if m["id"] == nil {
		aid := fmt.Sprintf("action-%d", i+1)
		for taken := true; taken; {
			if _, taken = f.ids[aid]; taken {
				aid += "a"
			}
		}
		m["id"], f.ids[aid] = aid, true
		return aid, nil
	}
	aid, ok := m["id"].(string)
	if !ok || aid == "" || len(aid) > 100 || aid == "trigger" || strings.HasSuffix(aid, ":") || actionOf(aid) != aid || strings.HasPrefix(aid, ":") {
		return "", fault.Field(at+".id", "%s.id must be text of at most 100 bytes that does not begin or end with a colon", at)
	}
	if f.ids[aid] {
		return "", fault.Field(at+".id", "%s.id: the action id %q is used twice; every action needs its own", at, clip(aid))
	}
	f.ids[aid] = true
	return aid, nil
}

// flowAction gives an action the kind and the settings of a node.
func flowAction(at string, m map[string]any) (kind string, data map[string]any, err error) {
	typ, ok := m["type"].(string)
	if !ok || typ == "" {
		return "", nil, fault.Field(at+".type", "%s.type is required and must be one of %s", at, knownFlowActions)
	}
	cfg, ok := m["config"].(map[string]any)
	if !ok && m["config"] != nil {
		return "", nil, fault.Field(at+".config", "%s.config must be an object", at)
	}
	data = copyMap(cfg)
	delete(data, "type")
	switch native := strings.ReplaceAll(typ, "-", "_"); {
	case typ == "send-message":
		data["type"], err = actionSend, flowMessage(at+".config", data)
	case typ == "send-email":
		data = map[string]any{"type": flowEmail}
	case typ == "trigger-webhook":
		data["type"] = actionHTTP
		err = flowWebhook(at+".config", data)
	case typ == "assign-entity":
		data["type"] = actionAssign
		first(data, "assignedTo", "assigned_to", "assignee", "user_id", "assign_to")
		if user, ok := data["assignedTo"].(string); ok {
			if v, ours, err := id.FromUUID(user); err == nil && ours {
				data["assignedTo"] = v.String() // as everybody else spells it
			}
		}
	case typ == "map-entity":
		data, err = flowMapping(at+".config", data)
	case native == nodeDelay || native == "wait":
		return nodeDelay, data, nil
	case slices.Contains(otherActions, typ):
		return "", nil, fault.Field(at+".type", "%s.type: the action %s is not available in this version; use %s", at, typ, knownFlowActions)
	case actionAliases[native] != "" && native != flowEmail:
		data["type"] = native
	default:
		return "", nil, fault.Field(at+".type", "%s.type: there is no action %q; use %s", at, clip(typ), knownFlowActions)
	}
	return nodeAction, data, err
}

// first puts under key what stands under one of the others, the first of a list.
func first(data map[string]any, key string, others ...string) {
	for _, k := range append([]string{key}, others...) {
		v := data[k]
		if list, ok := v.([]any); ok && len(list) > 0 {
			v = list[0]
		}
		if v != nil && v != "" {
			data[key] = v
			return
		}
	}
}

// flowMessage reads {template: name or {name, language, variables}, text}: what the
// action sends over WhatsApp.
func flowMessage(at string, data map[string]any) error {
	if ch, ok := data["channel"]; ok && ch != "whatsapp" {
		return fault.Field(at+".channel", "%s.channel must be whatsapp", at)
	}
	if t, ok := data["template"].(map[string]any); ok {
		delete(data, "template")
		for from, to := range map[string]string{"name": "templateName", "language": "languageCode", "variables": "variables", "values": "variables"} {
			if v, ok := t[from]; ok {
				data[to] = v
			}
		}
	}
	for from, to := range map[string]string{"template_name": "templateName", "template_language": "languageCode", "language_code": "languageCode", "unless_agent": "unlessAgent"} {
		if v, ok := data[from]; ok {
			data[to] = v
			delete(data, from)
		}
	}
	for _, what := range []string{"templateName", "template", "text", "message", "body"} {
		if data[what] != nil {
			return nil
		}
	}
	return fault.Field(at, "%s needs what to send: template (an object with name, language and variables) or text", at)
}

// flowWebhook reads {url, method, headers, payload}.
func flowWebhook(at string, data map[string]any) error {
	first(data, "url", "target_url", "webhook_url", "endpoint")
	if data["url"] == nil || data["url"] == "" {
		return fault.Field(at+".url", "%s.url is required: the address to call; this server keeps no catalogue of webhooks", at)
	}
	return nil
}

// contactFields are the fields that an update sets, by the attributes of a contact.
var contactFields = map[string]string{"first_name": "firstName", "last_name": "lastName", "email": "email", "source": "source", "_tags": "tags", "value": "dealValue"}

// flowMapping reads {target_schema, mapping_attributes: [{target, mode, value or
// source}]} as an update of the person.
func flowMapping(at string, cfg map[string]any) (map[string]any, error) {
	if schema, _ := cfg["target_schema"].(string); schema != "" && schema != People {
		return nil, fault.Field(at+".target_schema", "%s.target_schema must be contact: other entities cannot be mapped in this version", at)
	}
	if fields, ok := cfg["fields"]; ok {
		return map[string]any{"type": actionUpdate, "fields": fields}, nil
	}
	list, err := listOf(cfg, "mapping_attributes", at+".mapping_attributes")
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fault.Field(at+".mapping_attributes", "%s.mapping_attributes is required: what to set", at)
	}
	fields := map[string]any{}
	for i, v := range list {
		where := fmt.Sprintf("%s.mapping_attributes[%d]", at, i)
		m, _ := v.(map[string]any)
		target, _ := m["target"].(string)
		if target == "" {
			return nil, fault.Field(where+".target", "%s.target is required: the attribute to set", where)
		}
		value, given := m["value"]
		mode := m["mode"]
		if op, ok := m["operation"].(map[string]any); ok {
			if value, given = op["_set"]; given {
				mode = "set_value"
			}
		}
		source, _ := m["source"].(string)
		switch {
		case mode == "set_value" || mode == nil && given:
		case (mode == "copy_if_exists" || mode == nil) && source != "":
			value = "{{entity." + source + "}}"
		default:
			return nil, fault.Field(where+".mode", "%s.mode must be set_value with a value, or copy_if_exists with a source", where)
		}
		if to := contactFields[target]; to != "" {
			fields[to] = value
		} else {
			fields["customFields."+target] = value
		}
	}
	return map[string]any{"type": actionUpdate, "fields": fields}, nil
}
