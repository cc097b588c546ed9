package quote

import (
	"database/sql"
	"slices"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

const columns = "id, contact_id, status, items, total, data, created_by, created_at, accepted_at, rejected_at, updated_at"

func scan(rows *sql.Rows) (Quote, error) {
	q := Quote{Items: []Item{}, Data: map[string]any{}}
	err := rows.Scan(&q.ID, &q.Contact, &q.Status, store.JSON(&q.Items), &q.Total, store.JSON(&q.Data), &q.CreatedBy,
		store.Time(&q.CreatedAt), store.Time(&q.AcceptedAt), store.Time(&q.RejectedAt), store.Time(&q.UpdatedAt))
	return q, err
}

// ByID returns quotes by id; unknown ones are left out.
func (s *Service) ByID(r store.Reader, ids []id.ID) (map[id.ID]Quote, error) {
	out := make(map[id.ID]Quote, len(ids))
	for part := range slices.Chunk(ids, batch) {
		in, args := contact.Among(part)
		rows, err := r.Query("SELECT "+columns+" FROM quote WHERE tenant_id=? AND id IN "+in, args...)
		list, err := store.Collect(rows, err, scan)
		if err != nil {
			return nil, err
		}
		for _, q := range list {
			out[q.ID] = q
		}
	}
	return out, nil
}

// Get returns a quote of a contact, under any id that the contact ever had.
// NotFound naming "quote" for one that does not exist or is somebody else's.
func (s *Service) Get(r store.Reader, cid, qid id.ID) (Quote, error) {
	var q Quote
	its, err := s.contacts.Following(r, cid, func(at id.ID) (bool, error) {
		known, err := s.ByID(r, []id.ID{qid})
		q = known[qid]
		return q.ID == qid && q.Contact == at, err
	})
	if err == nil && !its {
		err = fault.Unknown("quote")
	}
	if err != nil {
		return Quote{}, err
	}
	return q, nil
}
