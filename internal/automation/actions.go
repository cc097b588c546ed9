package automation

import (
	"encoding/json"
	"fmt"
	"strings"

	"parley/internal/conversation/variables"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/webhook"
)

// action reads the settings of an action.
func (c *compiler) action(n *Node, cfg *config) error {
	if v, field := cfg.first("delayMinutes"); v != nil {
		var err error
		if n.After, err = minutes(field, v); err != nil {
			return err
		}
	}
	typ, field, err := cfg.text(200, "type", "actionType", "action")
	if err != nil {
		return err
	}
	if typ == "" {
		return fault.Field(field, "%s is required and must be one of %s", field, knownActions)
	}
	if n.Action = actionAliases[typ]; n.Action == "" {
		if why := absent[typ]; why != "" {
			return fault.Field(field, "the action %s cannot be used: %s", typ, why)
		}
		return fault.Field(field, "there is no action %q; use %s", clip(typ), knownActions)
	}
	switch n.Action {
	case actionSend:
		return readSend(n, cfg)
	case actionTag, actionUntag:
		n.Tag, err = required(cfg, 200, "the tag to add or take away", "tag", "tagName")
	case actionStage:
		n.Stage, err = idOrPlaceholder(cfg, true, "the stage to move the lead to", "stageId", "targetStageId", "stage")
	case actionPipeline:
		if n.Pipeline, err = idOrPlaceholder(cfg, true, "the pipeline to move the lead to", "pipelineId", "pipeline"); err == nil {
			n.Stage, err = idOrPlaceholder(cfg, false, "", "stageId", "targetStageId", "stage")
		}
	case actionAssign:
		n.Agent, err = required(cfg, 200, "who is to have the lead", "assignedTo", "userId", "assignTo")
	case actionUpdate:
		err = readFields(n, cfg)
	case actionTask:
		if n.Title, err = required(cfg, 500, "what is to be done", "title", "subject", "name", "task"); err == nil {
			n.Body, _, err = cfg.text(maxText/4, "body", "description", "notes")
		}
	case actionHTTP:
		err = readHTTP(n, cfg)
	}
	return err
}

// required reads text that must be there.
func required(cfg *config, limit int, what string, keys ...string) (string, error) {
	s, field, err := cfg.text(limit, keys...)
	if err == nil && strings.TrimSpace(s) == "" {
		err = fault.Field(field, "%s is required: %s", field, what)
	}
	return s, err
}

// idOrPlaceholder reads an id, which may come from the variables.
func idOrPlaceholder(cfg *config, must bool, what string, keys ...string) (string, error) {
	s, field, err := cfg.text(500, keys...)
	if err != nil {
		return "", err
	}
	if s = strings.TrimSpace(s); s == "" {
		if must {
			return "", fault.Field(field, "%s is required: %s", field, what)
		}
		return "", nil
	}
	if _, bad := id.Parse(s); bad != nil && !strings.Contains(s, "{{") {
		return "", fault.Field(field, "%s must be an id of 24 hexadecimal digits or a placeholder", field)
	}
	return s, nil
}

// readFields reads the fields of update_lead: an object, or JSON text. Text that
// is JSON already is kept as an object, so that no value can break out of it.
func readFields(n *Node, cfg *config) error {
	v, field := cfg.first("fields", "updates", "data")
	switch t := v.(type) {
	case map[string]any:
		n.Fields = t
	case string:
		var m map[string]any
		if json.Unmarshal([]byte(t), &m) == nil {
			n.Fields = m
		} else if n.Fields = t; !strings.Contains(t, "{{") {
			return fault.Field(field, "%s must be an object of fields to set, or JSON text of one", field)
		}
	default:
		return fault.Field(field, "%s is required: an object of fields to set", field)
	}
	if m, ok := n.Fields.(map[string]any); ok {
		if len(m) == 0 {
			return fault.Field(field, "%s is required: an object of fields to set", field)
		}
		if _, err := patchOf(field, m); err != nil {
			return err
		}
	}
	return nil
}

// readHTTP reads a call: url, method (POST), headers and payload (reference 3.7).
func readHTTP(n *Node, cfg *config) error {
	var field string
	var err error
	if n.URL, err = required(cfg, 2000, "the address to call", "url", "webhookUrl", "callbackUrl"); err != nil {
		return err
	}
	n.URL = strings.TrimSpace(n.URL)
	if !strings.Contains(n.URL, "{{") {
		if err := webhook.CheckURL(cfg.field("url"), n.URL); err != nil {
			return err
		}
	}
	if n.Method, field, err = cfg.text(10, "method"); err != nil {
		return err
	}
	if n.Method = strings.ToUpper(strings.TrimSpace(n.Method)); n.Method == "" {
		n.Method = "POST"
	}
	if err := webhook.CheckCallMethod(field, n.Method); err != nil {
		return err
	}
	v, field := cfg.first("headers")
	switch t := v.(type) {
	case nil:
	case map[string]any:
		n.Headers = map[string]string{}
		for k, x := range t {
			n.Headers[k] = variables.Plain(x)
		}
		if err := webhook.CheckHeaders(field, n.Headers); err != nil {
			return err
		}
	default:
		return fault.Field(field, "%s must be an object of names and values", field)
	}
	v, field = cfg.first("payload", "body", "data")
	switch t := v.(type) {
	case nil:
	case string:
		var parsed any
		if json.Unmarshal([]byte(t), &parsed) == nil {
			n.Payload = parsed
		} else if n.Payload = t; !strings.Contains(t, "{{") {
			return fault.Field(field, "%s must be JSON", field)
		}
	default:
		n.Payload = t
	}
	n.Store, err = readStore(cfg)
	return err
}

// readSend reads what to send: a template with its values, or text.
func readSend(n *Node, cfg *config) error {
	var field string
	var err error
	if n.Template, field, err = cfg.text(512, "templateName", "template"); err != nil {
		return err
	}
	if n.Language, _, err = cfg.text(40, "languageCode", "templateLanguage", "language"); err != nil {
		return err
	}
	if n.Text, _, err = cfg.text(maxText/4, "text", "message", "body"); err != nil {
		return err
	}
	if n.Template == "" && n.Text == "" {
		return fault.Field(field, "%s is required, or text: what to send", field)
	}
	if v, field := cfg.first("unlessAgent"); v != nil {
		var ok bool
		if n.UnlessAgent, ok = v.(bool); !ok {
			return fault.Field(field, "%s must be true or false", field)
		}
	}
	if n.Template != "" {
		return readValues(n, cfg)
	}
	return nil
}

// readValues reads the values of a template's placeholders: a list in order, or
// a map by name or position.
func readValues(n *Node, cfg *config) error {
	v, field := cfg.first("variables", "templateVariables", "values")
	switch t := v.(type) {
	case nil:
	case []any:
		if len(t) > 100 {
			return fault.Field(field, "%s must not hold more than 100 values", field)
		}
		for i, x := range t {
			if _, nested := x.(map[string]any); nested {
				return fault.Field(fmt.Sprintf("%s[%d]", field, i), "a template's value must be text")
			}
			n.Values = append(n.Values, variables.Plain(x))
		}
	case map[string]any:
		if len(t) > 100 {
			return fault.Field(field, "%s must not hold more than 100 values", field)
		}
		n.Named = map[string]string{}
		for k, x := range t {
			n.Named[k] = variables.Plain(x)
		}
	default:
		return fault.Field(field, "%s must be a list or an object of values", field)
	}
	return nil
}
