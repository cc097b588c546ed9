package contact

import (
	"database/sql"
	"slices"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

const activityColumns = "id, contact_id, type, title, body, metadata, performed_by, created_at"

func scanActivity(rows *sql.Rows) (Activity, error) {
	a := Activity{Metadata: map[string]any{}}
	err := rows.Scan(&a.ID, &a.Contact, &a.Type, &a.Title, &a.Body, store.JSON(&a.Metadata), &a.PerformedBy, store.Time(&a.CreatedAt))
	return a, err
}

// ActivitiesByID returns activities by id; unknown ones are left out.
func (s *Service) ActivitiesByID(r store.Reader, ids []id.ID) (map[id.ID]Activity, error) {
	out := make(map[id.ID]Activity, len(ids))
	for part := range slices.Chunk(ids, batch) {
		in, args := Among(part)
		rows, err := r.Query("SELECT "+activityColumns+" FROM activity WHERE tenant_id=? AND id IN "+in, args...)
		list, err := store.Collect(rows, err, scanActivity)
		if err != nil {
			return nil, err
		}
		for _, a := range list {
			out[a.ID] = a
		}
	}
	return out, nil
}

// NotesByID returns notes by id; unknown ones are left out.
func (s *Service) NotesByID(r store.Reader, ids []id.ID) (map[id.ID]Note, error) {
	out := make(map[id.ID]Note, len(ids))
	for part := range slices.Chunk(ids, batch) {
		in, args := Among(part)
		rows, err := r.Query("SELECT "+noteColumns+" FROM note WHERE tenant_id=? AND id IN "+in, args...)
		list, err := store.Collect(rows, err, scanNote)
		if err != nil {
			return nil, err
		}
		for _, n := range list {
			out[n.ID] = n
		}
	}
	return out, nil
}

// ChangeActivityIn writes the body and the metadata of an activity that the room
// which recorded it keeps a state in, and returns it. It appends no event. The
// caller holds the contact's lock. NotFound naming "activity".
func (s *Service) ChangeActivityIn(tx *store.Tx, a Activity) error {
	var err error
	if a.Body, err = Line("body", a.Body, maxBody); err != nil {
		return err
	}
	n, err := tx.Exec("UPDATE activity SET body=?, metadata=? WHERE tenant_id=? AND id=?", a.Body, store.JSON(a.Metadata), a.ID)
	if err == nil && n == 0 {
		err = fault.Unknown("activity")
	}
	return err
}

// CheckOpen holds open attributes of another room's rows to what this room's are
// held to: their size, their keys and text that every database can keep. Invalid
// naming the field.
func (s *Service) CheckOpen(field string, m map[string]any) error {
	_, err := checkOpen(field, m)
	return err
}
