package handover

import (
	"database/sql"
	"slices"

	"parley/internal/fault"
	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/store"
)

// keeper narrows the rows of a page by what their contacts are.
type keeper func(page []Work) ([]Work, error)

// narrow turns what a filter says of people, and of ranges whose indexes do not go
// in the order of the list, into Among: the contacts themselves, when there are no
// more than MaxList of them. When there are more, a walk in the order of the list
// meets some of them soon, and a keeper tells which.
func (s *Service) narrow(r store.Reader, f *Filter) (keeper, error) {
	var keep []keeper
	among := func(ids []id.ID) {
		if f.Among == nil {
			f.Among = append([]id.ID{}, ids...)
			return
		}
		in := make(map[id.ID]bool, len(ids))
		for _, v := range ids {
			in[v] = true
		}
		f.Among = slices.DeleteFunc(slices.Clone(f.Among), func(v id.ID) bool { return !in[v] })
	}
	if f.Phone != "" {
		ids, err := s.contacts.WithPhone(r, f.Phone)
		if err != nil {
			return nil, err
		}
		among(ids)
	}
	if f.Search != "" && (f.Among == nil || len(f.Among) > 0) {
		ids, more, err := s.contacts.Candidates(r, f.Search, s.few)
		if err != nil {
			return nil, err
		}
		if !more {
			among(ids)
		} else {
			keep = append(keep, s.those(func(ids []id.ID) ([]id.ID, error) { return s.contacts.Found(r, f.Search, ids) }))
		}
	}
	if f.Attributes.Op != "" && (f.Among == nil || len(f.Among) > 0) {
		m, err := filter.Compile(f.Attributes)
		if err != nil {
			return nil, err
		}
		if f.Among == nil {
			ids, more, err := s.contacts.LikelyWith(r, f.Attributes, s.few)
			if err != nil {
				return nil, err
			}
			if !more {
				among(ids)
			}
		}
		keep = append(keep, s.those(func(ids []id.ID) ([]id.ID, error) { return s.contacts.With(r, m, ids) }))
	}
	if f.Among == nil && f.Agent.IsZero() {
		ids, more, err := ranged(r, *f, s.few)
		if err != nil {
			return nil, err
		}
		if !more {
			among(ids)
		}
	}
	if len(f.Among) > MaxList {
		return nil, fault.Field("among", "at most %d contacts may be named", MaxList)
	}
	if len(keep) == 0 {
		return nil, nil
	}
	return func(page []Work) (_ []Work, err error) {
		for _, k := range keep {
			if page, err = k(page); err != nil || len(page) == 0 {
				return nil, err
			}
		}
		return page, nil
	}, nil
}

// those makes a keeper of a choice among contacts.
func (s *Service) those(choose func(ids []id.ID) ([]id.ID, error)) keeper {
	return func(page []Work) ([]Work, error) {
		ids := make([]id.ID, len(page))
		for i, w := range page {
			ids[i] = w.Contact
		}
		chosen, err := choose(ids)
		if err != nil {
			return nil, err
		}
		in := make(map[id.ID]bool, len(chosen))
		for _, v := range chosen {
			in[v] = true
		}
		return slices.DeleteFunc(page, func(w Work) bool { return !in[w.Contact] }), nil
	}
}

// ranged returns who was claimed or transferred within a filter's range, by the
// index handover_claimed or handover_transferred; more without a range, and when
// they are more than few.
func ranged(r store.Reader, f Filter, few int) (ids []id.ID, more bool, err error) {
	column, after, before := "claimed_at", f.ClaimedAfter, f.ClaimedBefore
	if after.IsZero() && before.IsZero() {
		column, after, before = "transferred_at", f.TransferredAfter, f.TransferredBefore
	}
	where, args := "", []any{}
	if !after.IsZero() {
		where, args = " AND "+column+">=?", append(args, after)
	}
	if !before.IsZero() {
		where, args = where+" AND "+column+"<=?", append(args, before)
	}
	if where == "" {
		return nil, true, nil
	}
	rows, err := r.Query("SELECT contact_id FROM handover WHERE tenant_id=? AND "+column+" IS NOT NULL"+where+" LIMIT ?", append(args, few+1)...)
	ids, err = store.Collect(rows, err, func(rows *sql.Rows) (v id.ID, err error) { return v, rows.Scan(&v) })
	return ids, len(ids) > few, err
}
