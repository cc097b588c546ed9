package segment

import (
	"encoding/json"
	"slices"

	"parley/internal/contact"
	"parley/internal/entity"
	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/store"
)

// merge takes what is remembered of the merged contact to the survivor, who is
// compared then: who is in a segment under one id and stays in it under the other
// neither enters nor leaves. It returns the numbers that the merged contact had.
func (s *Service) merge(tx *store.Tx, m contact.Merge) (any, error) {
	if err := lockLane(tx); err != nil { // it writes what is remembered
		return nil, err
	}
	both, err := membersOf(tx, []id.ID{m.Survivor, m.Merged})
	if err != nil {
		return nil, err
	}
	moved := both[m.Merged]
	all := append(slices.Clone(both[m.Survivor]), moved...)
	slices.Sort(all)
	if err := remember(tx, person(m.Survivor), both[m.Survivor], slices.Compact(all)); err != nil {
		return nil, err
	}
	if err := forget(tx, m.Merged); err != nil {
		return nil, err
	}
	return moved, s.again(tx, m.Actor, m.Survivor, m.Merged)
}

// unmerge remembers of the restored contact what was remembered when it was merged,
// and has both compared.
func (s *Service) unmerge(tx *store.Tx, m contact.Merge, moved json.RawMessage) error {
	if err := lockLane(tx); err != nil {
		return err
	}
	var numbers []int64
	if err := json.Unmarshal(moved, &numbers); err != nil {
		return err
	}
	if err := remember(tx, person(m.Merged), nil, numbers); err != nil {
		return err
	}
	return s.again(tx, m.Actor, m.Survivor, m.Merged)
}

// erase takes away what is remembered of a person, who leaves every segment.
func (s *Service) erase(tx *store.Tx, e contact.Erased) error {
	if err := lockLane(tx); err != nil {
		return err
	}
	before, err := membersOf(tx, e.IDs)
	if err != nil {
		return err
	}
	var news []event.New
	for _, v := range e.IDs {
		for _, n := range before[v] {
			var seg id.ID
			found, err := store.Found(tx.QueryRow("SELECT id FROM segment WHERE tenant_id=? AND number=? AND seeded=1", n).Scan(&seg))
			if err != nil {
				return err
			}
			if found {
				news = append(news, event.New{Type: Left, Subject: seg, Contact: v, Actor: e.Actor, Changed: []string{"entity:" + v.String(), "schema:" + entity.Contact}})
			}
		}
	}
	if err := forget(tx, e.IDs...); err != nil {
		return err
	}
	if err := s.feed.AppendMany(tx, news); err != nil {
		return err
	}
	return s.again(tx, e.Actor, e.IDs...)
}

// again owes contacts a comparison, where there are segments of people. Those who
// are no more are owed one too: whoever compares them at this moment, for a change
// that somebody tells of without holding them, still sees them.
func (s *Service) again(tx *store.Tx, actor string, ids ...id.ID) error {
	watched, err := s.watched(tx)
	if err != nil || !slices.Contains(watched, entity.Contact) {
		return err
	}
	for _, v := range ids {
		if err := oweIn(tx, actor, false, person(v)); err != nil {
			return err
		}
	}
	return nil
}

// forget takes away what is remembered of contacts, and owed to them.
func forget(tx *store.Tx, ids ...id.ID) error {
	in, args := contact.Among(ids)
	if _, err := tx.Exec("DELETE FROM segment_member WHERE tenant_id=? AND entity_id IN "+in, args...); err != nil {
		return err
	}
	_, err := tx.Exec("DELETE FROM segment_owed WHERE tenant_id=? AND entity_id IN "+in, args...)
	return err
}

func person(v id.ID) entity.Ref { return entity.Ref{Schema: entity.Contact, ID: v} }
