package automation

import (
	"strings"

	"parley/internal/conversation/variables"
)

const maxPath = 256 // bytes of a field path

// scope is what conditions and templates can see: lead, event, vars, resolved,
// the entity of a launched run, and the variables by their bare names (reference
// 4.6).
type scope struct {
	lead     map[string]any
	vars     map[string]any
	resolved map[string]any
	who      func() map[string]any // reads lead when it is first looked at; nil: lead is there
	entity   map[string]any
	what     func() map[string]any // reads entity when it is first looked at; nil: it is a variable like any
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
		return variables.Follow(s.lead, rest)
	case "entity":
		if s.what != nil {
			if s.entity == nil {
				s.entity = s.what()
			}
			return variables.Follow(s.entity, rest)
		}
	case "event", "vars":
		return variables.Follow(s.vars, rest)
	case "resolved":
		return variables.Follow(s.resolved, rest)
	}
	return variables.Follow(s.vars, path)
}
