package contact

import (
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// TagHeld adds one tag, or removes it, and reports whether that changed
// anything. It is for rooms that do several things to a contact in a transaction
// and hold its lock: it reads nothing of the contact, and leaves two things to
// the caller, once for all its changes: MarkIn, and the events that TagNews
// makes. tag is returned as it is stored. Faults, before anything is written:
// Invalid naming "tags".
func (s *Service) TagHeld(tx *store.Tx, cid id.ID, tag string, add bool) (stored string, changed bool, err error) {
	if stored, err = Line("tags", tag, maxTag); err != nil || stored == "" {
		return stored, false, err
	}
	if !add {
		n, err := tx.Exec("DELETE FROM contact_tag WHERE tenant_id=? AND contact_id=? AND tag=?", cid, stored)
		return stored, n > 0, err
	}
	n, err := tx.Exec(`INSERT INTO contact_tag (tenant_id, contact_id, tag, created_at)
		SELECT ?1,?2,?3,?4 WHERE (SELECT COUNT(*) FROM contact_tag WHERE tenant_id=?1 AND contact_id=?2)<?5 ON CONFLICT DO NOTHING`, cid, stored, tx.Now(), maxTags)
	if err != nil || n > 0 {
		return stored, n > 0, err
	}
	var one int
	has, err := store.Found(tx.QueryRow("SELECT 1 FROM contact_tag WHERE tenant_id=? AND contact_id=? AND tag=?", cid, stored).Scan(&one))
	if err == nil && !has {
		err = fault.Field("tags", "a contact carries at most %d tags; remove some first", maxTags)
	}
	return stored, false, err
}

// TagNews is the event of a tag that TagHeld changed.
func TagNews(actor string, cid id.ID, tag string, added bool) event.New {
	n := event.New{Type: "contact.tag_removed", Subject: cid, Contact: cid, Changed: []string{"tag:" + tag}, Actor: actor}
	if added {
		n.Type = "contact.tag_added"
	}
	return n
}

// Holder returns the id of who claims an identity, the zero id when nobody does.
// The value is normalised already, as for Find, which reads the whole person.
func (s *Service) Holder(r store.Reader, kind, value string) (id.ID, error) {
	return claimant(r, kind, value)
}

// AssignNewIn sets AssignedTo of a contact that the caller makes in this
// transaction and has appended no event of yet; so it appends none.
func (s *Service) AssignNewIn(tx *store.Tx, cid id.ID, to string) error {
	_, err := tx.Exec("UPDATE contact SET assigned_to=? WHERE tenant_id=? AND id=?", to, cid)
	return err
}
