package deal

import (
	"database/sql"
	"encoding/json"
	"slices"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// went is what a merge moved: the deals, and the one that was primary.
type went struct {
	Deals   []id.ID `json:"deals"`
	Primary id.ID   `json:"primary"`
}

// follower takes part in merges: the loser's deals go to the survivor and stay
// where they stand, so that both are on the board. The survivor's primary deal
// stays primary; when it has none, the loser's becomes it.
func (s *Service) follower() contact.Follower {
	return contact.Follower{Name: "deal", Merge: s.merge, Unmerge: s.unmerge, Erase: s.erase}
}

// contactDeals reads every deal of a contact, the primary one first, by the
// indexes deal_primary and deal_further.
func contactDeals(r store.Reader, cid id.ID) ([]Deal, error) {
	rows, err := r.Query("SELECT "+dealColumns+" FROM deal WHERE tenant_id=?1 AND contact_id=?2 AND is_primary UNION ALL"+
		" SELECT "+dealColumns+" FROM deal WHERE tenant_id=?1 AND contact_id=?2 AND NOT is_primary", cid)
	list, err := store.Collect(rows, err, scanDeal)
	slices.SortStableFunc(list, func(a, b Deal) int {
		switch {
		case a.Primary != b.Primary && a.Primary:
			return -1
		case a.Primary != b.Primary:
			return 1
		}
		return compare(a.ID, b.ID)
	})
	return list, err
}

func (s *Service) merge(tx *store.Tx, m contact.Merge) (any, error) {
	moved, err := contactDeals(tx, m.Merged)
	if err != nil {
		return nil, err
	}
	own, err := contactDeals(tx, m.Survivor)
	if err != nil {
		return nil, err
	}
	w := went{Deals: []id.ID{}}
	hasPrimary := len(own) > 0 && own[0].Primary
	live := hasPrimary && own[0].Status != Archived // nothing is to be opened: nearly always
	for _, d := range moved {
		w.Deals = append(w.Deals, d.ID)
		if d.Primary {
			w.Primary = d.ID
		}
		d.Contact, d.Primary, d.UpdatedAt = m.Survivor, d.Primary && !hasPrimary, tx.Now()
		live = live || d.Primary && d.Status != Archived
		if err := s.hand(tx, m.Actor, d); err != nil {
			return nil, err
		}
	}
	if live {
		return w, nil
	}
	return w, s.reopen(tx, m.Actor, m.Survivor)
}

// hand writes whose a deal is.
func (s *Service) hand(tx *store.Tx, actor string, d Deal) error {
	if _, err := tx.Exec("UPDATE deal SET contact_id=?, is_primary=?, updated_at=? WHERE tenant_id=? AND id=?", d.Contact, d.Primary, d.UpdatedAt, d.ID); err != nil {
		return err
	}
	return s.append(tx, actor, "deal.updated", d, "contact")
}

// reopen opens the deal of a survivor that was archived itself and is not any
// more, because the other one was live.
func (s *Service) reopen(tx *store.Tx, actor string, survivor id.ID) error {
	c, err := s.contacts.Get(tx, survivor)
	if f := fault.As(err); f != nil && f.Code == fault.NotFound {
		return nil
	}
	if err != nil || c.Archived() {
		return err
	}
	card, made, restored, err := s.heal(tx, c)
	if err != nil {
		return err
	}
	return s.healed(tx, actor, card, made, restored)
}

func (s *Service) unmerge(tx *store.Tx, m contact.Merge, raw json.RawMessage) error {
	var w went
	if err := json.Unmarshal(raw, &w); err != nil {
		return err
	}
	if err := s.part(tx, m, w); err != nil {
		return err
	}
	// Either may have been put away, or taken up again, by the merge or since.
	for _, cid := range []id.ID{m.Survivor, m.Merged} {
		if err := s.accord(tx, m.Actor, cid); err != nil {
			return err
		}
	}
	return nil
}

// part gives back the deals that a merge moved.
func (s *Service) part(tx *store.Tx, m contact.Merge, w went) error {
	have, err := contactDeals(tx, m.Survivor)
	if err != nil {
		return err
	}
	var back, stay []Deal
	for _, d := range have {
		if slices.Contains(w.Deals, d.ID) {
			back = append(back, d)
		} else {
			stay = append(stay, d)
		}
	}
	if len(back) == 0 {
		return nil
	}
	// The one that was primary is it again; when it is gone, the oldest.
	first := slices.IndexFunc(back, func(d Deal) bool { return d.ID == w.Primary })
	for i, d := range back {
		d.Contact, d.Primary, d.UpdatedAt = m.Merged, i == max(first, 0), tx.Now()
		if err := s.hand(tx, m.Actor, d); err != nil {
			return err
		}
	}
	if len(stay) == 0 || slices.ContainsFunc(stay, func(d Deal) bool { return d.Primary }) {
		return nil
	}
	stay[0].Primary, stay[0].UpdatedAt = true, tx.Now()
	return s.hand(tx, m.Actor, stay[0])
}

// accord puts a contact's deals away when the contact is, and opens what was put away
// with it when it is not.
func (s *Service) accord(tx *store.Tx, actor string, cid id.ID) error {
	c, err := s.contacts.Get(tx, cid)
	if err != nil {
		return err
	}
	all, err := contactDeals(tx, cid)
	if err != nil || len(all) == 0 || !all[0].Primary {
		return err
	}
	if !c.Archived() {
		if all[0].Status != Archived {
			return nil
		}
		return s.reopen(tx, actor, cid)
	}
	at := tx.Now()
	if all[0].Status == Archived {
		at = all[0].ArchivedAt // by which the others come back with it
	}
	for _, d := range all {
		if d.Status == Archived {
			continue
		}
		d.Status, d.ArchivedAt, d.UpdatedAt = Archived, at, tx.Now()
		if err := putAway(tx, d); err != nil {
			return err
		}
		if err := s.append(tx, actor, "deal.updated", d, "status"); err != nil {
			return err
		}
	}
	return nil
}

// putAway writes when a deal was put away.
func putAway(tx *store.Tx, d Deal) error {
	_, err := tx.Exec("UPDATE deal SET status=?, archived_at=?, updated_at=? WHERE tenant_id=? AND id=?", d.Status, d.ArchivedAt, d.UpdatedAt, d.ID)
	return err
}

// further reads the ids of a contact's deals beside the primary one in a status.
func further(r store.Reader, cid id.ID, status string) ([]id.ID, error) {
	rows, err := r.Query("SELECT id FROM deal WHERE tenant_id=? AND contact_id=? AND NOT is_primary AND status=? ORDER BY id", cid, status)
	return store.Collect(rows, err, func(rows *sql.Rows) (v id.ID, err error) { return v, rows.Scan(&v) })
}
