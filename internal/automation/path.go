package automation

import (
	"strconv"
	"strings"
)

const (
	maxPath  = 256 // bytes of a field path
	maxParts = 16  // names in a field path
)

// scope is what conditions and templates can see: lead, event, vars, resolved,
// and the variables by their bare names (reference 4.6).
type scope struct {
	lead     map[string]any
	vars     map[string]any
	resolved map[string]any
	who      func() map[string]any // reads lead when it is first looked at; nil: lead is there
}

// look follows a dotted path. A variable whose name holds dots wins over the
// path through it; the four roots win over variables of their name.
func (s *scope) look(path string) (any, bool) {
	path = strings.TrimSpace(path)
	if path == "" || len(path) > maxPath {
		return nil, false
	}
	first, rest, _ := strings.Cut(path, ".")
	switch first {
	case "lead":
		if s.lead == nil && s.who != nil {
			s.lead = s.who()
		}
		return follow(s.lead, rest)
	case "event", "vars":
		return follow(s.vars, rest)
	case "resolved":
		return follow(s.resolved, rest)
	}
	return follow(s.vars, path)
}

// follow walks from v along a path; "" is v itself.
func follow(v any, path string) (any, bool) {
	for n := 0; path != ""; n++ {
		if n >= maxParts {
			return nil, false
		}
		switch t := v.(type) {
		case map[string]any:
			x, rest, ok := entry(t, path)
			if !ok {
				return nil, false
			}
			v, path = x, rest
		case []any:
			first, rest, _ := strings.Cut(path, ".")
			i, err := strconv.Atoi(first)
			if err != nil || i < 0 || i >= len(t) {
				return nil, false
			}
			v, path = t[i], rest
		default:
			return nil, false
		}
	}
	return v, true
}

// entry finds the longest beginning of a path that is a key: names of events
// hold dots themselves.
func entry(m map[string]any, path string) (v any, rest string, ok bool) {
	if v, ok := m[path]; ok {
		return v, "", true
	}
	for i := len(path) - 1; i > 0; i-- {
		if path[i] == '.' {
			if v, ok := m[path[:i]]; ok {
				return v, path[i+1:], true
			}
		}
	}
	return nil, "", false
}
