package automation

import (
	"context"
	"database/sql"
	"strings"

	"parley/internal/id"
	"parley/internal/store"
)

// RuleRef names a rule.
type RuleRef struct {
	ID     id.ID
	Name   string
	Active bool
}

// templateKeys are where a definition names a message template (platform
// reference §3.7).
var templateKeys = []string{"templateName", "template"}

// Using returns the rules, switched off ones too, whose present definition names
// a message template, in the order of their names. Runs of earlier versions are
// not looked at: they fail at the node that sends a template that is gone.
func (s *Service) Using(ctx context.Context, tenant id.ID, templateName string) ([]RuleRef, error) {
	type row struct {
		RuleRef
		def map[string]any
	}
	rows, err := s.db.Read(ctx, tenant).Query("SELECT id, name, is_active, definition FROM automation WHERE tenant_id=? ORDER BY name, id")
	all, err := store.Collect(rows, err, func(rows *sql.Rows) (r row, err error) {
		return r, rows.Scan(&r.ID, &r.Name, &r.Active, store.JSON(&r.def))
	})
	out := []RuleRef{}
	for _, r := range all {
		if names(r.def, templateName, 0) {
			out = append(out, r.RuleRef)
		}
	}
	return out, err
}

// names reports whether a value holds a template's name where one stands.
func names(v any, template string, depth int) bool {
	if depth > 64 {
		return false
	}
	switch t := v.(type) {
	case map[string]any:
		for _, k := range templateKeys {
			if s, ok := t[k].(string); ok && strings.TrimSpace(s) == template {
				return true
			}
			if m, ok := t[k].(map[string]any); ok { // Meta's shape: template: {name}
				if s, ok := m["name"].(string); ok && strings.TrimSpace(s) == template {
					return true
				}
			}
		}
		for _, x := range t {
			if names(x, template, depth+1) {
				return true
			}
		}
	case []any:
		for _, x := range t {
			if names(x, template, depth+1) {
				return true
			}
		}
	}
	return false
}
