package automation

import (
	"fmt"
	"slices"
	"strings"

	"parley/internal/conversation/variables"
	"parley/internal/fault"
)

// defaultQuiet and maxQuiet are days without contact, for no_contact.
const (
	defaultQuiet = 30
	maxQuiet     = 3650
)

// Filter is a rule's triggerConfig: what must hold of the happening itself,
// besides the conditions (reference 3.3, 4.5).
type Filter struct {
	Stage    string   `json:"stage,omitempty"`
	Pipeline string   `json:"pipeline,omitempty"`
	Tag      string   `json:"tag,omitempty"`
	Segment  string   `json:"segment,omitempty"`
	Include  []string `json:"include,omitempty"` // sources
	Exclude  []string `json:"exclude,omitempty"`
	// Score is the threshold of the score triggers; nil is the tenant's own.
	Score *float64 `json:"score,omitempty"`
	Days  float64  `json:"days,omitempty"` // of quiet, for no_contact; 0 is defaultQuiet
}

// facts are what a Filter is held against.
type facts struct {
	stage, pipeline, tag, source, segment string
	score                                 *scored // of a score trigger
}

// scored is a score that changed, and the tenant's thresholds.
type scored struct {
	trigger   string
	from, to  float64
	hot, cold float64
}

func (f *Filter) pass(x facts) bool {
	switch {
	case f.Stage != "" && f.Stage != x.stage,
		f.Pipeline != "" && f.Pipeline != x.pipeline,
		f.Tag != "" && f.Tag != x.tag,
		f.Segment != "" && f.Segment != x.segment,
		len(f.Include) > 0 && !slices.Contains(f.Include, x.source),
		slices.Contains(f.Exclude, x.source),
		x.score != nil && !f.crossing(*x.score).Passed:
		return false
	}
	return true
}

// checks tells of every part of the filter whether it fits.
func (f *Filter) checks(x facts) []Check {
	var out []Check
	for _, c := range []struct{ key, want, is string }{
		{"stageId", f.Stage, x.stage}, {"pipelineId", f.Pipeline, x.pipeline}, {"tagName", f.Tag, x.tag}, {"segmentId", f.Segment, x.segment}} {
		if c.want != "" {
			out = append(out, Check{Name: "triggerConfig", Field: "triggerConfig." + c.key, Expected: c.want, Actual: brief(c.is), Passed: c.want == c.is})
		}
	}
	if len(f.Include) > 0 {
		out = append(out, Check{Name: "triggerConfig", Field: "triggerConfig.includeSources", Expected: brief(strings.Join(f.Include, ", ")), Actual: brief(x.source),
			Passed: slices.Contains(f.Include, x.source)})
	}
	if len(f.Exclude) > 0 {
		out = append(out, Check{Name: "triggerConfig", Field: "triggerConfig.excludeSources", Expected: brief("none of " + strings.Join(f.Exclude, ", ")), Actual: brief(x.source),
			Passed: !slices.Contains(f.Exclude, x.source)})
	}
	if x.score != nil {
		out = append(out, f.crossing(*x.score))
	}
	return out
}

// crossing holds a changed score against the threshold: score_above and
// score_below start only when it is crossed (reference 4.3, 6 row 36);
// score_refresh starts while the score is at or above it.
func (f *Filter) crossing(s scored) Check {
	limit := s.hot
	if s.trigger == "score_below" {
		limit = s.cold
	}
	if f.Score != nil {
		limit = *f.Score
	}
	c := Check{Name: "triggerConfig", Field: "triggerConfig.scoreThreshold", Actual: "from " + decimal(s.from) + " to " + decimal(s.to)}
	switch s.trigger {
	case "score_above":
		c.Expected, c.Passed = "from below "+decimal(limit)+" to it or above", s.from < limit && s.to >= limit
	case "score_below":
		c.Expected, c.Passed = "from "+decimal(limit)+" or above to below it", s.from >= limit && s.to < limit
	default:
		c.Expected, c.Passed = decimal(limit)+" or above", s.to >= limit
	}
	return c
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
	if err := f.ofSegment(m["segmentId"], at+".segmentId"); err != nil {
		return err
	}
	if v := m["scoreThreshold"]; v != nil && v != "" {
		n, ok := variables.Number(v)
		if !ok || n < 0 || n > 100 {
			return fault.Field(at+".scoreThreshold", "%s.scoreThreshold must be a number from 0 to 100", at)
		}
		f.Score = &n
	}
	if v := m["inactiveDays"]; v != nil && v != "" {
		n, ok := variables.Number(v)
		if !ok || n <= 0 || n > maxQuiet {
			return fault.Field(at+".inactiveDays", "%s.inactiveDays must be a number above 0, at most %d", at, maxQuiet)
		}
		f.Days = n
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
