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
			if x, ok := t[path]; ok {
				return x, true
			}
			first, rest, _ := strings.Cut(path, ".")
			x, ok := t[first]
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
