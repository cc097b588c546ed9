package contact

import (
	"database/sql"

	"parley/internal/id"
	"parley/internal/store"
)

// Known returns every id that leads to the same contact as cid: the living one
// first, then those of contacts that were merged into it. Ledgers keep the id
// that they were written with, so whoever looks in them for a person asks here.
func (s *Service) Known(r store.Reader, cid id.ID) ([]id.ID, error) {
	to, err := resolve(r, cid)
	if err != nil {
		return nil, err
	}
	rows, err := r.Query("SELECT old_id FROM contact_alias WHERE tenant_id=? AND contact_id=? ORDER BY old_id", to)
	old, err := store.Collect(rows, err, func(rows *sql.Rows) (v id.ID, err error) { return v, rows.Scan(&v) })
	return append([]id.ID{to}, old...), err
}
