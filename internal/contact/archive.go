package contact

import (
	"slices"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// TagIn adds tags and then removes tags. One event is appended per tag that
// really changed. Faults: NotFound, Invalid naming "tags".
func (s *Service) TagIn(tx *store.Tx, actor string, cid id.ID, add, remove []string) (Contact, error) {
	add, err := Tags("tags", add)
	if err != nil {
		return Contact{}, err
	}
	if remove, err = Tags("tags", remove); err != nil {
		return Contact{}, err
	}
	c, err := s.locked(tx, cid)
	if err != nil {
		return Contact{}, err
	}
	added, removed, err := retag(tx, &c, add, remove)
	if err != nil || len(added)+len(removed) == 0 {
		return c, err
	}
	c.UpdatedAt = tx.Now()
	if _, err := tx.Exec("UPDATE contact SET updated_at=? WHERE tenant_id=? AND id=?", c.UpdatedAt, c.ID); err != nil {
		return Contact{}, err
	}
	return c, s.appendAll(tx, actor, c.ID, tagNews(added, removed))
}

// retag writes the tags' rows and returns which tags were really added and
// removed. A tag in both lists ends up removed.
func retag(tx *store.Tx, c *Contact, add, remove []string) (added, removed []string, err error) {
	next := []string{}
	for _, t := range c.Tags {
		if slices.Contains(remove, t) {
			removed = append(removed, t)
		} else {
			next = append(next, t)
		}
	}
	for _, t := range add {
		if !slices.Contains(c.Tags, t) && !slices.Contains(remove, t) {
			added = append(added, t)
			next = append(next, t)
		}
	}
	if len(added) > 0 && len(next) > maxTags {
		return nil, nil, fault.Field("tags", "a contact carries at most %d tags; remove some first", maxTags)
	}
	for _, t := range added {
		if _, err := insertTag(tx, c.ID, t); err != nil {
			return nil, nil, err
		}
	}
	for _, t := range removed {
		if _, err := tx.Exec("DELETE FROM contact_tag WHERE tenant_id=? AND contact_id=? AND tag=?", c.ID, t); err != nil {
			return nil, nil, err
		}
	}
	slices.Sort(next)
	c.Tags = next
	return added, removed, nil
}

// ArchiveIn puts a contact away: it keeps its identities, so that the person is
// known when they come back. Archiving again changes nothing. NotFound.
func (s *Service) ArchiveIn(tx *store.Tx, actor string, cid id.ID) (Contact, error) {
	c, err := s.locked(tx, cid)
	if err != nil || c.Archived() {
		return c, err
	}
	c.ArchivedAt, c.UpdatedAt = tx.Now(), tx.Now()
	if _, err := tx.Exec("UPDATE contact SET archived_at=?, updated_at=? WHERE tenant_id=? AND id=?", c.ArchivedAt, c.UpdatedAt, c.ID); err != nil {
		return Contact{}, err
	}
	return c, s.append(tx, actor, "contact.archived", c.ID)
}

// TouchIn records that somebody was in contact with the person at a moment; an
// earlier moment than the known one changes nothing. It appends no event:
// whatever made the contact has its own. NotFound.
func (s *Service) TouchIn(tx *store.Tx, cid id.ID, at time.Time) error {
	for again := false; ; {
		n, err := tx.Exec("UPDATE contact SET last_contacted_at=?, updated_at=? WHERE tenant_id=? AND id=? AND erased_at IS NULL AND (last_contacted_at IS NULL OR last_contacted_at < ?)",
			at, tx.Now(), cid, at)
		if err != nil || n == 1 {
			return err
		}
		to, more, err := elsewhere(tx, cid, &again)
		if err != nil {
			return err
		}
		if !more {
			_, err := exists(tx, cid)
			return err
		}
		cid = to
	}
}

// MarkIn moves a contact's UpdatedAt to now, for rooms whose rows are shown as a
// part of the contact.
func (s *Service) MarkIn(tx *store.Tx, cid id.ID) error {
	for {
		n, err := tx.Exec("UPDATE contact SET updated_at=? WHERE tenant_id=? AND id=?", tx.Now(), cid)
		if err != nil || n == 1 {
			return err
		}
		to, err := resolve(tx, cid)
		if err != nil || to == cid {
			return err
		}
		cid = to
	}
}

// LockedIn takes a contact's lock and returns it: what is read of it and of its
// deals from now on stays true until the commit. NotFound.
func (s *Service) LockedIn(tx *store.Tx, cid id.ID) (Contact, error) { return s.locked(tx, cid) }

// Live reports whether a contact is there and neither archived nor erased: one
// row, for whoever needs no more of it than that.
func (s *Service) Live(r store.Reader, cid id.ID) (bool, error) {
	var one int
	return store.Found(r.QueryRow("SELECT 1 FROM contact WHERE tenant_id=?1 AND archived_at IS NULL AND erased_at IS NULL AND id="+living, cid).Scan(&one))
}
