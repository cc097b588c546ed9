package automation

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"parley/internal/fault"
)

// asJSON copies a value by way of JSON, so that it holds only what JSON knows,
// and takes out the NUL characters that PostgreSQL cannot keep.
func asJSON[T any](field string, limit int, v T) (T, error) {
	var out T
	b, err := json.Marshal(v)
	if err != nil {
		return out, fault.Field(field, "%s must be JSON", field)
	}
	if len(b) > limit {
		e := fault.New(fault.TooLarge, "%s must not be longer than %d bytes", field, limit)
		e.Field = field
		return out, e
	}
	if bytes.Contains(b, []byte(`\u0000`)) {
		b = dropNUL(b)
	}
	return out, json.Unmarshal(b, &out)
}

// dropNUL removes the escape \u0000 from JSON text, but not a backslash that
// was itself escaped and happens to stand before u0000.
func dropNUL(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' || i+1 >= len(b) {
			out = append(out, b[i])
			continue
		}
		if bytes.HasPrefix(b[i:], []byte(`\u0000`)) {
			i += 5
			continue
		}
		out = append(out, b[i], b[i+1])
		i++
	}
	return out
}

// storable makes text that both databases keep.
func storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

// checkTrigger returns the trimmed name of a trigger, or says what is wrong: it
// has no white space and at most 100 characters (seed 000, INVALID_TRIGGER).
func checkTrigger(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" {
		return "", fault.Missing("trigger")
	}
	if utf8.RuneCountInString(name) > maxTrigger || !utf8.ValidString(name) ||
		strings.IndexFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) >= 0 {
		return "", fault.Field("trigger", "a trigger's name has no white space and at most %d characters", maxTrigger).Because("trigger")
	}
	return name, nil
}

// form is what a definition says about the rule itself.
type form struct {
	name, description, trigger string
	active                     *bool
	def                        map[string]any // without isActive
	graph                      *Graph
	stored                     []byte // the graph's JSON
}

// readForm checks a whole definition.
func readForm(raw map[string]any) (form, error) {
	var f form
	def, err := asJSON("definition", maxForm, raw)
	if err != nil {
		return f, err
	}
	if def == nil {
		def = map[string]any{}
	}
	if f.name, err = textOf(def, "name"); err != nil {
		return f, err
	}
	if f.name = strings.TrimSpace(f.name); f.name == "" {
		return f, fault.Missing("name")
	}
	if utf8.RuneCountInString(f.name) > maxName {
		return f, fault.Field("name", "the name must not be longer than %d characters", maxName)
	}
	if f.description, err = textOf(def, "description"); err != nil {
		return f, err
	}
	if utf8.RuneCountInString(f.description) > 10*maxName {
		return f, fault.Field("description", "the description must not be longer than %d characters", 10*maxName)
	}
	name, err := textOf(def, "trigger")
	if err != nil {
		return f, err
	}
	if name == "" {
		name = triggerOfNodes(def)
	}
	if f.trigger, err = checkTrigger(name); err != nil {
		return f, err
	}
	if f.active, err = boolOf(def, "isActive"); err != nil {
		return f, err
	}
	delete(def, "isActive")
	if f.graph, err = compile(def); err != nil {
		return f, err
	}
	if f.graph.Enrolls {
		def["isSequence"] = true
	}
	f.def = def
	f.stored, err = json.Marshal(f.graph)
	return f, err
}

// triggerOfNodes finds the trigger's name on the trigger node, where some
// editors keep it.
func triggerOfNodes(def map[string]any) string {
	list, _ := def["nodes"].([]any)
	for _, v := range list {
		m, _ := v.(map[string]any)
		if m["type"] == "trigger" {
			cfg := configOf("", m, false)
			name, _, _ := cfg.text(4*maxTrigger, "trigger", "triggerName", "event")
			return name
		}
	}
	return ""
}

func textOf(m map[string]any, key string) (string, error) {
	switch t := m[key].(type) {
	case nil:
		return "", nil
	case string:
		return t, nil
	}
	return "", fault.Field(key, "%s must be text", key)
}

func boolOf(m map[string]any, key string) (*bool, error) {
	switch t := m[key].(type) {
	case nil:
		return nil, nil
	case bool:
		return &t, nil
	}
	return nil, fault.Field(key, "%s must be true or false", key)
}
