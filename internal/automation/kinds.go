package automation

import (
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"parley/internal/conversation/variables"
	"parley/internal/fault"
)

const (
	maxWay    = 100     // bytes of the name of a split's branch
	maxWays   = 50      // branches of a split
	maxStore  = 100     // bytes of a name under which a result is kept
	givenWays = "given" // in Store of a split: its branches were listed
)

// readEvent reads a wait for a named event: {eventName, timeoutMinutes?, storeAs?}.
func readEvent(n *Node, cfg *config) error {
	var field string
	var err error
	if n.Event, field, err = eventName(cfg, "eventName", "event", "event_name"); err != nil {
		return err
	}
	if n.Event == "" {
		return fault.Field(field, "%s is required: the name of the event to wait for", field)
	}
	if n.After, _, err = span(cfg, "timeoutMinutes", "timeout_minutes"); err != nil {
		return err
	}
	n.Store, err = readStore(cfg)
	return err
}

func eventName(cfg *config, keys ...string) (string, string, error) {
	name, field, err := cfg.text(4*maxTrigger, keys...)
	if err != nil {
		return "", field, err
	}
	name = strings.TrimSpace(name)
	if utf8.RuneCountInString(name) > maxTrigger || strings.IndexFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) >= 0 {
		return "", field, fault.Field(field, "the name of an event has no white space and at most %d characters", maxTrigger)
	}
	return name, field, nil
}

// readStore reads storeAs: a plain name.
func readStore(cfg *config) (string, error) {
	name, field, err := cfg.text(maxStore, "storeAs", "store_as")
	if err != nil {
		return "", err
	}
	if name = strings.TrimSpace(name); strings.ContainsAny(name, ". {}\t\n") {
		return "", fault.Field(field, "%s must be a name without dots, braces and white space", field)
	}
	return name, nil
}

// readSplit reads the branches of a split: a list of names, or of objects with a
// name (id, handle, name or label) and a share (weight or percentage; 1).
func readSplit(n *Node, cfg *config) error {
	v, field := cfg.first("branches", "ways", "variants", "paths")
	if v == nil {
		return nil // the edges tell
	}
	list, ok := v.([]any)
	if !ok || len(list) == 0 || len(list) > maxWays {
		return fault.Field(field, "%s must be a list of 1 to %d branches", field, maxWays)
	}
	n.Store = givenWays
	seen, sum := map[string]bool{}, 0.0
	for i, v := range list {
		at := fmt.Sprintf("%s[%d]", field, i)
		w := Way{Weight: 1}
		switch t := v.(type) {
		case string:
			w.Name = t
		case map[string]any:
			one := &config{values: t, at: map[string]string{}, home: at}
			var err error
			if w.Name, _, err = one.text(maxWay, "id", "handle", "name", "label"); err != nil {
				return err
			}
			if share, where := one.first("weight", "percentage", "percent"); share != nil {
				x, ok := variables.Number(share)
				if !ok || x < 0 || x > 1e6 {
					return fault.Field(where, "%s must be a number from 0 to 1000000", where)
				}
				w.Weight = x
			}
		}
		w.Name = strings.TrimSpace(w.Name)
		if low := strings.ToLower(w.Name); w.Name == "" || len(w.Name) > maxWay || seen[low] {
			return fault.Field(at, "every branch of a split needs a name of its own of at most %d bytes", maxWay)
		}
		seen[strings.ToLower(w.Name)] = true
		sum += w.Weight
		n.Ways = append(n.Ways, w)
	}
	if sum <= 0 || math.IsInf(sum, 0) {
		return fault.Field(field, "the weights of a split must not all be 0")
	}
	return nil
}

// readGoal reads a goal: the event that reaches it, conditions that must hold
// then, or both.
func readGoal(n *Node, cfg *config) error {
	var err error
	if n.Event, _, err = eventName(cfg, "eventName", "event", "event_name"); err != nil {
		return err
	}
	n.When, err = testOf(cfg.values, func(key string) string { return cfg.field(key) })
	return err
}
