package agent

import (
	"parley/internal/id"
	"parley/internal/store"
)

// maxKnown bounds the groups of a tenant that are remembered.
const maxKnown = 1000

// known returns every group of a tenant by its id, deleted ones too, where they are
// remembered: every inquiry and every move asks for a group and hardly anybody
// changes one. ok is false outside of transactions, on PostgreSQL, and for tenants
// with very many groups. Whoever changes a group forgets them.
func (s *Service) known(r store.Reader) (all map[id.ID]Group, ok bool, err error) {
	tx, is := r.(*store.Tx)
	if !is || tx.Dialect() != store.SQLite {
		return nil, false, nil
	}
	all, _, err = s.groups.Get(tx, func() (map[id.ID]Group, bool, error) {
		list, err := groups(tx.Query("SELECT "+groupColumns+" FROM agent_group WHERE tenant_id=? LIMIT ?", maxKnown+1))
		if err != nil || len(list) > maxKnown {
			return nil, true, err
		}
		out := make(map[id.ID]Group, len(list))
		for _, g := range list {
			out[g.ID] = g
		}
		return out, true, nil
	})
	return all, all != nil, err
}

// Absences reports whether any group tells people that nobody works.
func (s *Service) Absences(tx *store.Tx) (bool, error) {
	all, ok, err := s.known(tx)
	if err != nil {
		return false, err
	}
	if !ok {
		var one int
		return store.Found(tx.QueryRow("SELECT 1 FROM agent_group WHERE tenant_id=? AND absence_message<>'' LIMIT 1").Scan(&one))
	}
	for _, g := range all {
		if g.AbsenceMessage != "" {
			return true, nil
		}
	}
	return false, nil
}
