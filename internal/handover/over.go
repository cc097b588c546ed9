package handover

import (
	"database/sql"
	"slices"
	"time"

	"parley/internal/contact"
	"parley/internal/id"
	"parley/internal/store"
)

// AgentsOver reads who had each of the contacts when, and returns a function that
// tells it for a moment: zero when nobody had the contact, or it was nobody's yet.
// It costs one query for each 500 contacts.
func (s *Service) AgentsOver(r store.Reader, contacts []id.ID) (func(cid id.ID, at time.Time) id.ID, error) {
	type turn struct {
		cid   id.ID
		at    time.Time
		agent id.ID
	}
	turns := map[id.ID][]turn{}
	for part := range slices.Chunk(contacts, batch) {
		in, args := contact.Among(part)
		rows, err := r.Query("SELECT contact_id, at, agent_id FROM handover_log WHERE tenant_id=? AND contact_id IN "+in+" ORDER BY contact_id, version", args...)
		list, err := store.Collect(rows, err, func(rows *sql.Rows) (t turn, err error) { return t, rows.Scan(&t.cid, store.Time(&t.at), &t.agent) })
		if err != nil {
			return nil, err
		}
		for _, t := range list {
			turns[t.cid] = append(turns[t.cid], t)
		}
	}
	return func(cid id.ID, at time.Time) (agent id.ID) {
		for _, t := range turns[cid] {
			if t.at.After(at) {
				break
			}
			agent = t.agent
		}
		return agent
	}, nil
}
