package automation

import (
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"parley/internal/conversation/variables"
	"parley/internal/fault"
	"parley/internal/filter"
)

// config is a node's or an action's settings, wherever the author's editor put
// them: on the node, in data, in data.config or in config; later ones win
// (reference 3.4). It remembers where each was found, to blame the right field.
type config struct {
	values map[string]any
	at     map[string]string
	home   string // where a missing one is looked for first
}

func (c *config) set(key string, v any, at string) { c.values[key], c.at[key] = v, at }

func (c *config) overlay(at string, m map[string]any, skip ...string) {
	for k, v := range m {
		for _, s := range skip {
			if k == s {
				goto next
			}
		}
		c.set(k, v, at+"."+k)
	next:
	}
}

// configOf gathers the settings of a node, or of an action of a flat rule.
func configOf(at string, m map[string]any, flat bool) *config {
	c := &config{values: map[string]any{}, at: map[string]string{}, home: at}
	c.overlay(at, m, "id", "type", "position", "data", "config", "delayType")
	if t, ok := m["type"]; ok && flat { // of a node, type is its kind
		c.set("type", t, at+".type")
	}
	for _, key := range []string{"data", "config"} {
		inner, ok := m[key].(map[string]any)
		if !ok {
			continue
		}
		c.home = at + "." + key
		c.overlay(c.home, inner, "config")
		if deep, ok := inner["config"].(map[string]any); ok {
			c.home += ".config"
			c.overlay(c.home, deep)
		}
	}
	if a, ok := c.values["action"].(map[string]any); ok { // data: {action: {type, config}}
		base := c.at["action"]
		c.overlay(base, a, "config")
		if deep, ok := a["config"].(map[string]any); ok {
			c.home = base + ".config"
			c.overlay(c.home, deep)
		}
	}
	return c
}

// field returns where a setting is, or where it should be.
func (c *config) field(key string) string {
	if at, ok := c.at[key]; ok {
		return at
	}
	return c.home + "." + key
}

// first returns the first of keys that is set, and its field.
func (c *config) first(keys ...string) (any, string) {
	for _, k := range keys {
		if v, ok := c.values[k]; ok && v != nil && v != "" {
			return v, c.field(k)
		}
	}
	return nil, c.field(keys[0])
}

// text returns the first of keys that is set as text.
func (c *config) text(limit int, keys ...string) (string, string, error) {
	v, field := c.first(keys...)
	switch t := v.(type) {
	case nil:
		return "", field, nil
	case string:
		if len(t) > limit {
			return "", field, fault.Field(field, "%s must not be longer than %d bytes", field, limit)
		}
		return t, field, nil
	case float64, bool:
		return variables.Plain(t), field, nil
	}
	return "", field, fault.Field(field, "%s must be text", field)
}

// configure reads the settings of a node of a known kind.
func (c *compiler) configure(n *Node, cfg *config) error {
	var err error
	switch n.Kind {
	case nodeCondition:
		if n.When, err = testOf(cfg.values, func(key string) string { return cfg.field(key) }); err == nil {
			err = readEntityFilter(n, cfg)
		}
	case nodeDelay:
		err = readDelay(n, cfg)
	case nodeReply:
		n.After, _, err = span(cfg, "timeoutMinutes", "timeout_minutes")
	case nodeEvent:
		err = readEvent(n, cfg)
	case nodeSplit:
		err = readSplit(n, cfg)
	case nodeGoal:
		err = readGoal(n, cfg)
	case nodeAction:
		err = c.action(n, cfg)
	}
	return err
}

// readEntityFilter reads what a condition of a flow asks of the entity: entityFilter,
// in the form of a target's filter (targeting reference §5.1).
func readEntityFilter(n *Node, cfg *config) error {
	v, field := cfg.first("entityFilter")
	if v == nil {
		return nil
	}
	f, empty, err := filter.ParseTarget(map[string]any{"filter": v})
	if err != nil {
		return moved(err, "entity_filters.filter", field)
	}
	if !empty {
		n.Entity = &f
	}
	n.Skips, _ = cfg.values["skips"].(bool)
	return nil
}

func readDelay(n *Node, cfg *config) error {
	until, field, err := cfg.text(500, "until")
	if err != nil {
		return err
	}
	if until != "" {
		if _, _, ok := variables.Moment(until, time.UTC); !ok && !strings.Contains(until, "{{") {
			return fault.Field(field, "%s must be an ISO 8601 time or a placeholder", field)
		}
		n.Until = until
		return nil
	}
	after, given, err := span(cfg, "delayMinutes", "delay_minutes", "minutes")
	if err == nil && !given {
		err = fault.Field(cfg.field("delayMinutes"), "a delay needs delayMinutes, duration with unit, or until")
	}
	n.After = after
	return err
}

// span reads a length of time: a number of minutes under one of keys, or
// {duration, unit}. It returns milliseconds.
func span(cfg *config, keys ...string) (ms int64, given bool, err error) {
	if v, field := cfg.first(keys...); v != nil {
		ms, err := minutes(field, v)
		return ms, true, err
	}
	v, field := cfg.first("duration")
	if v == nil {
		return 0, false, nil
	}
	n, ok := variables.Number(v)
	if !ok || n < 0 {
		return 0, true, fault.Field(field, "%s must be a number that is not negative", field)
	}
	unit, ufield, err := cfg.text(20, "unit")
	if err != nil {
		return 0, true, err
	}
	length := map[string]time.Duration{"second": time.Second, "minute": time.Minute, "": time.Minute, "hour": time.Hour, "day": 24 * time.Hour, "week": 7 * 24 * time.Hour}
	d, ok := length[strings.TrimSuffix(strings.ToLower(strings.TrimSpace(unit)), "s")]
	if !ok {
		return 0, true, fault.Field(ufield, "%s must be seconds, minutes, hours or days", ufield)
	}
	ms, err = bounded(field, n*float64(d/time.Millisecond))
	return ms, true, err
}

// minutes reads a number of minutes; nil is none. It returns milliseconds.
func minutes(field string, v any) (int64, error) {
	if v == nil {
		return 0, nil
	}
	n, ok := variables.Number(v)
	if !ok || n < 0 {
		return 0, fault.Field(field, "%s must be a number of minutes that is not negative", field)
	}
	return bounded(field, n*60_000)
}

func bounded(field string, ms float64) (int64, error) {
	if ms > float64(maxDelay/time.Millisecond) {
		return 0, fault.Field(field, "%s must not be longer than %d days", field, int(maxDelay/(24*time.Hour)))
	}
	return int64(math.Round(ms)), nil
}

// listOf reads a list; absent and null are empty.
func listOf(m map[string]any, key, field string) ([]any, error) {
	switch t := m[key].(type) {
	case nil:
		return nil, nil
	case []any:
		return t, nil
	}
	return nil, fault.Field(field, "%s must be a list", field)
}

func isEmpty(v any) bool {
	list, ok := v.([]any)
	return v == nil || ok && len(list) == 0
}

// nodeID reads a node's id, which some editors write as a number.
func nodeID(field string, v any) (string, error) {
	var s string
	switch t := v.(type) {
	case string:
		s = t
	case float64:
		s = variables.Plain(t)
	}
	if s == "" || len(s) > 200 || !utf8.ValidString(s) {
		return "", fault.Field(field, "%s is required and must be text of at most 200 bytes", field)
	}
	return s, nil
}

// clip shortens text of the author for a message.
func clip(s string) string { return cut(s, 60) }
