package automation

import (
	"fmt"
	"slices"

	"parley/internal/fault"
)

// Filter is a rule's triggerConfig: what must hold of the happening itself,
// besides the conditions (reference 3.3, 4.5).
type Filter struct {
	Stage    string   `json:"stage,omitempty"`
	Pipeline string   `json:"pipeline,omitempty"`
	Tag      string   `json:"tag,omitempty"`
	Include  []string `json:"include,omitempty"` // sources
	Exclude  []string `json:"exclude,omitempty"`
}

// facts are what a Filter is held against.
type facts struct{ stage, pipeline, tag, source string }

func (f *Filter) pass(x facts) bool {
	switch {
	case f.Stage != "" && f.Stage != x.stage,
		f.Pipeline != "" && f.Pipeline != x.pipeline,
		f.Tag != "" && f.Tag != x.tag,
		len(f.Include) > 0 && !slices.Contains(f.Include, x.source),
		slices.Contains(f.Exclude, x.source):
		return false
	}
	return true
}

func (c *compiler) filter(def map[string]any) error {
	const at = "triggerConfig"
	if def[at] == nil {
		return nil
	}
	m, ok := def[at].(map[string]any)
	if !ok {
		return fault.Field(at, "triggerConfig must be an object")
	}
	f := &c.g.Filter
	for _, x := range []struct {
		key string
		dst *string
	}{{"stageId", &f.Stage}, {"pipelineId", &f.Pipeline}, {"tagName", &f.Tag}} {
		switch v := m[x.key].(type) {
		case nil:
		case string:
			*x.dst = v
		default:
			return fault.Field(at+"."+x.key, "%s.%s must be text", at, x.key)
		}
	}
	for _, x := range []struct {
		key string
		dst *[]string
	}{{"includeSources", &f.Include}, {"excludeSources", &f.Exclude}} {
		list, err := listOf(m, x.key, at+"."+x.key)
		if err != nil {
			return err
		}
		for i, v := range list {
			s, ok := v.(string)
			if !ok {
				return fault.Field(fmt.Sprintf("%s.%s[%d]", at, x.key, i), "a source must be text")
			}
			*x.dst = append(*x.dst, s)
		}
	}
	return nil
}

// when reads the rule's own conditions.
func (c *compiler) when(def map[string]any) error {
	form := map[string]any{"conditions": def["conditions"], "conditionLogic": def["conditionLogic"], "condition": def["condition"]}
	t, err := testOf(form, func(key string) string { return key })
	if err == nil {
		c.g.When = *t
	}
	return err
}
