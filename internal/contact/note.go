package contact

import (
	"context"
	"database/sql"
	"time"

	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Note is what a person of the tenant wrote down about a contact.
type Note struct {
	ID        id.ID
	Contact   id.ID
	Content   string
	Pinned    bool
	CreatedBy string
	CreatedAt time.Time
	UpdatedAt time.Time
}

const (
	maxNote  = 64 << 10 // characters of a note
	maxNotes = 10_000   // notes of a contact
)

func noteText(s string) (string, error) {
	s, err := Line("content", s, maxNote)
	if err == nil && s == "" {
		err = fault.Missing("content")
	}
	return s, err
}

// AddNoteIn writes a note down and returns it with its id. It appends
// note.created. Faults: NotFound; Invalid naming "content" or "createdBy".
func (s *Service) AddNoteIn(tx *store.Tx, actor string, n Note) (Note, error) {
	var err error
	if n.Content, err = noteText(n.Content); err != nil {
		return n, err
	}
	if n.CreatedBy, err = Line("createdBy", n.CreatedBy, maxWord); err != nil {
		return n, err
	}
	if n.CreatedBy == "" {
		n.CreatedBy = actor
	}
	c, err := s.locked(tx, n.Contact)
	if err != nil {
		return n, err
	}
	var have int
	if err := tx.QueryRow("SELECT COUNT(*) FROM note WHERE tenant_id=? AND contact_id=?", c.ID).Scan(&have); err != nil {
		return n, err
	}
	if have >= maxNotes {
		return n, fault.Field("content", "a contact has at most %d notes; delete some first", maxNotes)
	}
	n.ID, n.Contact, n.CreatedAt, n.UpdatedAt = id.New(), c.ID, tx.Now(), tx.Now()
	if _, err := tx.Exec("INSERT INTO note (tenant_id, id, contact_id, content, pinned, created_by, created_at, updated_at) VALUES (?,?,?,?,?,?,?,?)",
		n.ID, n.Contact, n.Content, n.Pinned, n.CreatedBy, n.CreatedAt, n.UpdatedAt); err != nil {
		return n, err
	}
	return n, s.noted(tx, actor, "note.created", n)
}

// UpdateNoteIn replaces the text of a contact's note. Faults: NotFound naming
// "contact" or "note"; Invalid naming "content".
func (s *Service) UpdateNoteIn(tx *store.Tx, actor string, cid, note id.ID, content string) (Note, error) {
	content, err := noteText(content)
	if err != nil {
		return Note{}, err
	}
	return s.changeNote(tx, actor, cid, note, "content", func(n *Note) bool {
		same := n.Content == content
		n.Content = content
		return !same
	})
}

// PinNoteIn puts a contact's note before the others, or back among them. Faults
// as UpdateNoteIn's.
func (s *Service) PinNoteIn(tx *store.Tx, actor string, cid, note id.ID, pinned bool) (Note, error) {
	return s.changeNote(tx, actor, cid, note, "pinned", func(n *Note) bool {
		same := n.Pinned == pinned
		n.Pinned = pinned
		return !same
	})
}

func (s *Service) changeNote(tx *store.Tx, actor string, cid, note id.ID, field string, change func(*Note) bool) (Note, error) {
	n, err := s.lockedNote(tx, cid, note)
	if err != nil || !change(&n) {
		return n, err
	}
	n.UpdatedAt = tx.Now()
	if _, err := tx.Exec("UPDATE note SET content=?, pinned=?, updated_at=? WHERE tenant_id=? AND id=?", n.Content, n.Pinned, n.UpdatedAt, n.ID); err != nil {
		return n, err
	}
	return n, s.noted(tx, actor, "note.updated", n, field)
}

// DeleteNoteIn deletes a contact's note for good. NotFound naming "contact" or
// "note".
func (s *Service) DeleteNoteIn(tx *store.Tx, actor string, cid, note id.ID) error {
	n, err := s.lockedNote(tx, cid, note)
	if err != nil {
		return err
	}
	if _, err := tx.Exec("DELETE FROM note WHERE tenant_id=? AND id=?", n.ID); err != nil {
		return err
	}
	return s.noted(tx, actor, "note.deleted", n)
}

func (s *Service) lockedNote(tx *store.Tx, cid, note id.ID) (Note, error) {
	c, err := s.locked(tx, cid)
	if err != nil {
		return Note{}, err
	}
	rows, err := tx.Query("SELECT "+noteColumns+" FROM note WHERE tenant_id=? AND id=? AND contact_id=?", note, c.ID)
	list, err := store.Collect(rows, err, scanNote)
	if err == nil && len(list) == 0 {
		err = fault.Unknown("note")
	}
	if err != nil {
		return Note{}, err
	}
	return list[0], nil
}

func (s *Service) noted(tx *store.Tx, actor, typ string, n Note, changed ...string) error {
	_, err := s.log.Append(tx, event.New{Type: typ, Subject: n.ID, Contact: n.Contact, Changed: changed, Actor: actor})
	return err
}

const noteColumns = "id, contact_id, content, pinned, created_by, created_at, updated_at"

func scanNote(rows *sql.Rows) (n Note, err error) {
	return n, rows.Scan(&n.ID, &n.Contact, &n.Content, &n.Pinned, &n.CreatedBy, store.Time(&n.CreatedAt), store.Time(&n.UpdatedAt))
}

// Notes returns a page of a contact's notes, pinned ones first, then newest
// first, and how many there are. The index note_by_contact holds them in that
// order. NotFound.
func (s *Service) Notes(ctx context.Context, tenant, cid id.ID, page, limit int) ([]Note, int, error) {
	return below(s.db.Read(ctx, tenant), cid, page, limit, "note", noteColumns, "pinned DESC, created_at DESC, id DESC", scanNote)
}
