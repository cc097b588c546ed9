package webhook

import (
	"database/sql"
	"encoding/json"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Body is a body that several deliveries share.
type Body struct {
	Subject string // as the deliveries'
	JSON    []byte // an object
}

// KeepBodiesIn keeps bodies for deliveries of the same subject to share, and
// returns their ids. A body is pruned when none of its deliveries is left. Faults:
// Invalid naming "body"; TooLarge.
func (s *Service) KeepBodiesIn(tx *store.Tx, list []Body) ([]id.ID, error) {
	rows, ids := make([][]any, len(list)), make([]id.ID, len(list))
	for i, b := range list {
		if !object(b.JSON) {
			return nil, fault.Field("body", "a notification's body must be a JSON object")
		}
		if err := checkBody(b.JSON); err != nil {
			return nil, err
		}
		ids[i] = id.New()
		rows[i] = []any{ids[i], b.Subject, string(b.JSON), tx.Now()}
	}
	_, err := store.InsertRows(tx, "webhook_body (tenant_id, id, subject, body, created_at)", rows, "")
	return ids, err
}

// Moved is what a merge moved: which open deliveries were of the merged subject.
type Moved struct {
	Bodies []id.ID `json:"bodies,omitempty"`
}

// FollowIn gives the shared deliveries of one subject that are still open to
// another, so that what is said of the other from now on follows them.
func (s *Service) FollowIn(tx *store.Tx, from, to string) (Moved, error) {
	var m Moved
	rows, err := tx.Query("SELECT id FROM webhook_body WHERE tenant_id=? AND subject=? AND EXISTS (SELECT 1 FROM webhook_delivery d WHERE d.tenant_id=webhook_body.tenant_id AND d.subject=webhook_body.subject AND d.body_id=webhook_body.id AND d.state IN ('pending', 'sending'))", from)
	m.Bodies, err = store.Collect(rows, err, scanID)
	if err != nil {
		return m, err
	}
	return m, s.move(tx, m, from, to)
}

// ReturnIn takes FollowIn back.
func (s *Service) ReturnIn(tx *store.Tx, moved json.RawMessage, from, to string) error {
	var m Moved
	if err := json.Unmarshal(moved, &m); err != nil {
		return err
	}
	return s.move(tx, m, from, to)
}

func (s *Service) move(tx *store.Tx, m Moved, from, to string) error {
	for _, b := range m.Bodies {
		if _, err := tx.Exec("UPDATE webhook_delivery SET subject=? WHERE tenant_id=? AND subject=? AND body_id=?", to, from, b); err != nil {
			return err
		}
		if _, err := tx.Exec("UPDATE webhook_body SET subject=? WHERE tenant_id=? AND id=?", to, b); err != nil {
			return err
		}
	}
	return nil
}

// EraseIn forgets what deliveries of subjects with shared bodies said and what
// receivers answered. Those that are still to be sent fail.
func (s *Service) EraseIn(tx *store.Tx, subjects []string) error {
	for _, subject := range subjects {
		if _, err := tx.Exec("DELETE FROM webhook_body WHERE tenant_id=? AND subject=?", subject); err != nil {
			return err
		}
		if _, err := tx.Exec("UPDATE webhook_delivery SET response_body=NULL, last_error=NULL WHERE tenant_id=? AND subject=? AND body_id IS NOT NULL", subject); err != nil {
			return err
		}
		if _, err := tx.Exec("UPDATE webhook_delivery SET state='failed', lease_until=NULL, last_error='the person was erased', updated_at=? WHERE tenant_id=? AND subject=? AND body_id IS NOT NULL AND state='pending'",
			tx.Now(), subject); err != nil {
			return err
		}
	}
	return nil
}

func scanID(rows *sql.Rows) (v id.ID, err error) { return v, rows.Scan(&v) }
