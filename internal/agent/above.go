package agent

import (
	"database/sql"

	"parley/internal/id"
	"parley/internal/store"
)

// Above returns a group and every group above it, the nearest first: whoever sees
// the group. Nothing for an unknown or deleted group. The index agent_group_path_up
// holds them in that order.
func (s *Service) Above(r store.Reader, group id.ID) ([]id.ID, error) {
	rows, err := r.Query("SELECT ancestor_id FROM agent_group_path WHERE tenant_id=? AND group_id=? ORDER BY depth", group)
	return store.Collect(rows, err, func(rows *sql.Rows) (v id.ID, err error) { return v, rows.Scan(&v) })
}
