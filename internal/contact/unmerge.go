package contact

import (
	"database/sql"
	"maps"
	"reflect"
	"slices"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// UnmergeIn takes the last merge of a contact back: both are again as they were
// before, except for what happened since. Rows that were added since stay with
// the survivor; a field of it that was changed since keeps its value; a refusal
// since holds for both. An identity returns to the restored contact, unclaimed
// when somebody else has claimed it since. It appends contact.unmerged with
// "restored:<id>", and before it contact.archived when the merge had taken the
// survivor up again. Faults: NotFound; Conflict with Reason "not_merged" when
// nothing was merged into the contact; Conflict with Reason "identity" when one of
// the two could not be found by anything afterwards.
func (s *Service) UnmergeIn(tx *store.Tx, actor string, survivor id.ID) (remaining, restored Contact, err error) {
	e, err := s.lastMerge(tx, survivor)
	if err != nil {
		return Contact{}, Contact{}, err
	}
	m := Merge{ID: e.ID, Survivor: e.Survivor, Merged: e.Merged, Actor: actor}
	now, err := s.Get(tx, m.Survivor)
	if err != nil {
		return Contact{}, Contact{}, err
	}
	if err := returnIdentities(tx, m, e); err != nil {
		return Contact{}, Contact{}, err
	}
	other := e.Other.Contact
	if err := insert(tx, &other); err != nil { // with its words and references
		return Contact{}, Contact{}, err
	}
	if err := rewrite(tx, &other); err != nil { // what insert leaves out
		return Contact{}, Contact{}, err
	}
	c := e.back(now)
	for _, t := range e.Went.Tags {
		if _, err := tx.Exec("DELETE FROM contact_tag WHERE tenant_id=? AND contact_id=? AND tag=?", c.ID, t); err != nil {
			return Contact{}, Contact{}, err
		}
	}
	if err := e.returnRows(tx); err != nil {
		return Contact{}, Contact{}, err
	}
	if err := s.returnConsents(tx, m, e.Went.Consents, e.Before.Consents, e.Other.Consents, e.After.Consents); err != nil {
		return Contact{}, Contact{}, err
	}
	if err := rewrite(tx, &c); err != nil {
		return Contact{}, Contact{}, err
	}
	if remaining, err = s.reindexed(tx, m.Survivor, foundBy(now)); err != nil {
		return Contact{}, Contact{}, err
	}
	if restored, err = s.reindexed(tx, m.Merged, foundBy(other)); err != nil {
		return Contact{}, Contact{}, err
	}
	for _, i := range restored.Identities {
		if !i.Claimed {
			continue
		}
		// Somebody who was erased since may have claimed what was given up.
		if err := s.refuseAgain(tx, m.Merged, i); err != nil {
			return Contact{}, Contact{}, err
		}
	}
	for _, f := range s.followers {
		at := slices.IndexFunc(e.Went.Rooms, func(r roomShift) bool { return r.Room == f.Name })
		if at < 0 {
			continue // the room did not exist then
		}
		if err := f.Unmerge(tx, m, e.Went.Rooms[at].Moved); err != nil {
			return Contact{}, Contact{}, err
		}
	}
	if _, err := tx.Exec("UPDATE contact_merge SET undone_at=?, undone_by=? WHERE tenant_id=? AND id=?", tx.Now(), actor, m.ID); err != nil {
		return Contact{}, Contact{}, err
	}
	if remaining.Archived() && !now.Archived() { // the merge had told the opposite
		if err := s.append(tx, actor, "contact.archived", m.Survivor); err != nil {
			return Contact{}, Contact{}, err
		}
	}
	return remaining, restored, s.append(tx, actor, "contact.unmerged", m.Survivor, "restored:"+m.Merged.String())
}

// entry is one row of the ledger of merges.
type entry struct {
	ID, Survivor, Merged id.ID
	Before, Other, After snapshot
	Went                 went
}

func newest(r store.Reader, survivor id.ID) (e entry, found bool, err error) {
	rows, err := r.Query("SELECT id, survivor_id, merged_id, survivor_before, merged_before, survivor_after, moved FROM contact_merge "+
		"WHERE tenant_id=? AND survivor_id=? AND undone_at IS NULL ORDER BY position DESC LIMIT 1", survivor)
	list, err := store.Collect(rows, err, func(rows *sql.Rows) (e entry, err error) {
		return e, rows.Scan(&e.ID, &e.Survivor, &e.Merged, store.JSON(&e.Before), store.JSON(&e.Other), store.JSON(&e.After), store.JSON(&e.Went))
	})
	if err != nil || len(list) == 0 {
		return e, false, err
	}
	return list[0], true, nil
}

// lastMerge locks what an unmerge touches, in the order of the house, and returns
// the last merge of the contact that an id leads to. Behind the locks it looks
// again, until what it locked is what it found.
func (s *Service) lastMerge(tx *store.Tx, cid id.ID) (entry, error) {
	for {
		at, err := exists(tx, cid)
		if err != nil {
			return entry{}, err
		}
		seen, found, err := newest(tx, at)
		if err != nil {
			return entry{}, err
		}
		var keys []string
		for _, i := range seen.Other.Identities {
			keys = append(keys, i.Kind+":"+i.Value)
		}
		if err := tx.Lock("identity", keys...); err != nil {
			return entry{}, err
		}
		// The id that leads here first: whoever waited for its lock while the two
		// were merged goes on to the survivor's, holding it.
		if found {
			if err := tx.Lock("contact", seen.Merged.String()); err != nil {
				return entry{}, err
			}
		}
		if err := tx.Lock("contact", at.String()); err != nil {
			return entry{}, err
		}
		behind, err := resolve(tx, cid)
		if err != nil {
			return entry{}, err
		}
		e, ok, err := newest(tx, at)
		if err != nil {
			return entry{}, err
		}
		if behind != at || ok != found || e.ID != seen.ID {
			continue
		}
		if !found {
			return entry{}, &fault.Error{Code: fault.Conflict, Reason: "not_merged", Message: "nothing was merged here, or it was taken back already"}
		}
		return e, s.lockRows(tx, []id.ID{at})
	}
}

// returnIdentities gives the restored contact's identities back.
func returnIdentities(tx *store.Tx, m Merge, e entry) error {
	nowAt, err := takeSnapshot(tx, Contact{ID: m.Survivor})
	if err != nil {
		return err
	}
	shared := func(list []identityRow, i identityRow) int {
		return slices.IndexFunc(list, func(o identityRow) bool { return o.Kind == i.Kind && o.Value == i.Value })
	}
	var mine []identityRow // what stays with the survivor
	for _, i := range nowAt.Identities {
		at := shared(e.Other.Identities, i)
		switch {
		case at < 0:
		case shared(e.Before.Identities, i) < 0:
			if err := dropRow(tx, m.Survivor, i.Identity); err != nil {
				return err
			}
			continue
		case e.Other.Identities[at].Claimed && i.Claimed:
			i.Claimed = false
			if _, err := tx.Exec("UPDATE identity SET claimed=? WHERE tenant_id=? AND contact_id=? AND kind=? AND value=?", false, m.Survivor, i.Kind, i.Value); err != nil {
				return err
			}
		}
		mine = append(mine, i)
	}
	theirs := slices.Clone(e.Other.Identities)
	for n := range theirs {
		i := &theirs[n]
		if i.Claimed {
			holder, err := claimant(tx, i.Kind, i.Value)
			if err != nil {
				return err
			}
			i.Claimed = holder.IsZero()
		}
		if _, err := tx.Exec("INSERT INTO identity (tenant_id, contact_id, kind, value, raw, is_primary, claimed, created_at) VALUES (?,?,?,?,?,?,?,?)",
			m.Merged, i.Kind, i.Value, i.Raw, i.Primary, i.Claimed, i.CreatedAt); err != nil {
			return err
		}
	}
	for _, list := range [][]identityRow{mine, theirs} {
		if !slices.ContainsFunc(list, func(i identityRow) bool { return i.Claimed }) {
			return &fault.Error{Code: fault.Conflict, Reason: "identity",
				Message: "taken apart, one of the two would have no phone and no e-mail of its own; add a further one first"}
		}
	}
	return elect(tx, m.Survivor, mine, e.Before.Identities)
}

// elect gives every kind that has lost its primary identity another one: that of
// before when it is there.
func elect(tx *store.Tx, cid id.ID, list, before []identityRow) error {
	var kinds []string
	for _, i := range list {
		if !slices.Contains(kinds, i.Kind) {
			kinds = append(kinds, i.Kind)
		}
	}
	for _, kind := range kinds {
		next := -1
		for n, i := range list {
			if i.Kind != kind {
				continue
			}
			if i.Primary {
				next = -1
				break
			}
			was := slices.ContainsFunc(before, func(b identityRow) bool { return b.Primary && b.Kind == kind && b.Value == i.Value })
			if next < 0 || was {
				next = n
			}
		}
		if next < 0 {
			continue
		}
		if _, err := tx.Exec("UPDATE identity SET is_primary=? WHERE tenant_id=? AND contact_id=? AND kind=? AND value=?", true, cid, kind, list[next].Value); err != nil {
			return err
		}
	}
	return nil
}

// back returns the survivor with the fields of before the merge, but for those
// that are not as the merge left them.
func (e *entry) back(now Contact) Contact {
	was, left, c := e.Before.Contact, e.After.Contact, now
	text := func(to *string, was, left string) {
		if *to == left {
			*to = was
		}
	}
	text(&c.FirstName, was.FirstName, left.FirstName)
	text(&c.LastName, was.LastName, left.LastName)
	text(&c.Source, was.Source, left.Source)
	text(&c.AssignedTo, was.AssignedTo, left.AssignedTo)
	if c.Score == left.Score {
		c.Score = was.Score
	}
	moment := func(to *time.Time, was, left time.Time) {
		if to.Equal(left) {
			*to = was
		}
	}
	moment(&c.LastContactedAt, was.LastContactedAt, left.LastContactedAt)
	moment(&c.ArchivedAt, was.ArchivedAt, left.ArchivedAt)
	moment(&c.CreatedAt, was.CreatedAt, left.CreatedAt)
	c.Refs = keysBack(now.Refs, was.Refs, left.Refs)
	c.Extra = keysBack(now.Extra, was.Extra, left.Extra)
	c.Attributes = keysBack(now.Attributes, was.Attributes, left.Attributes)
	return c
}

func keysBack[V any](now, was, left map[string]V) map[string]V {
	out := maps.Clone(now)
	for k, v := range left {
		is, has := now[k]
		if !has || !reflect.DeepEqual(is, v) {
			continue
		}
		if old, had := was[k]; had {
			out[k] = old
		} else {
			delete(out, k)
		}
	}
	return out
}

// returnRows gives back the rows that lie below the restored contact, as far as
// they are still the survivor's, and lets its old ids lead to it again.
func (e *entry) returnRows(tx *store.Tx) error {
	back := func(table, column string, ids []id.ID) error {
		for part := range slices.Chunk(ids, batch) {
			in, args := Among(part)
			if _, err := tx.Exec("UPDATE "+table+" SET contact_id=? WHERE tenant_id=? AND contact_id=? AND "+column+" IN "+in,
				append([]any{e.Merged, e.Survivor}, args...)...); err != nil {
				return err
			}
		}
		return nil
	}
	for _, child := range e.Went.children() {
		if err := back(child.table, "id", *child.ids); err != nil {
			return err
		}
	}
	if _, err := tx.Exec("DELETE FROM contact_alias WHERE tenant_id=? AND old_id=?", e.Merged); err != nil {
		return err
	}
	return back("contact_alias", "old_id", e.Went.Aliases)
}
