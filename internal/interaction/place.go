package interaction

import (
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// place is where a row stands in the order of time; rows of the same millisecond
// are ordered by their ids. It is written in the form of the columns.
type place struct {
	at int64 // Unix milliseconds
	id string
}

func (p place) less(q place) bool { return p.at < q.at || p.at == q.at && p.id < q.id }

// beyond sorts behind every id.
const beyond = "~"

// span are the places that a list lies between, neither of them in it.
type span struct{ low, high place }

var everything = span{place{at: -1 << 53}, place{at: 1 << 53}}

// spanOf compiles the bounds of a filter.
func (s *Service) spanOf(r store.Reader, f Filter) (span, error) {
	out := everything
	rise := func(p place) {
		if out.low.less(p) {
			out.low = p
		}
	}
	fall := func(p place) {
		if p.less(out.high) {
			out.high = p
		}
	}
	if !f.CreatedAfter.IsZero() {
		rise(place{f.CreatedAfter.UnixMilli() - 1, beyond})
	}
	if !f.CreatedBefore.IsZero() {
		fall(place{f.CreatedBefore.UnixMilli() + 1, ""})
	}
	if !f.After.IsZero() {
		p, err := s.placeOf(r, f.After)
		if err != nil {
			return out, err
		}
		rise(p)
	}
	if !f.Before.IsZero() {
		p, err := s.placeOf(r, f.Before)
		if err != nil {
			return out, err
		}
		fall(p)
	}
	return out, nil
}

// placeOf finds where an id stands: as an interaction, else as a contact, by when
// the contact came into being (reference §4.6). An id that is neither, or not any
// more, stands where it was made.
func (s *Service) placeOf(r store.Reader, v id.ID) (place, error) {
	for _, table := range []string{"message", "activity", "note"} {
		var at time.Time
		found, err := store.Found(r.QueryRow("SELECT created_at FROM "+table+" WHERE tenant_id=? AND id=?", v).Scan(store.Time(&at)))
		if err != nil || found {
			return place{at.UnixMilli(), v.String()}, err
		}
	}
	c, err := s.contacts.Get(r, v)
	if err == nil {
		return place{c.CreatedAt.UnixMilli(), c.ID.String()}, nil
	}
	if fault.As(err) == nil {
		return place{}, err
	}
	return place{v.Time().UnixMilli(), v.String()}, nil
}
