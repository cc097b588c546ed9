package interaction

import (
	"slices"
	"strings"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// check holds a filter to what exists. Faults: Invalid naming "status", "via" or
// "limit".
func (f *Filter) check() error {
	if f.Limit < 0 {
		return fault.Field("limit", "limit must be a positive number")
	}
	f.Limit = min(f.Limit, MaxList)
	if f.Status != "" && !slices.Contains(Statuses, f.Status) {
		return fault.Field("status", "status must be one of %s", strings.Join(Statuses, ", "))
	}
	for _, v := range f.Via {
		if !slices.Contains(Vias, v) {
			return fault.Field("via", "via must be one of %s", strings.Join(Vias, ", "))
		}
	}
	return nil
}

// page is how many interactions are read at once.
const page = 200

// Walk gives the interactions of everybody in a scope, the last created first, a
// page at a time, and ends with the first error of each. With After, a Limit and
// no Before it gives the page that follows After, still the last created first.
// Faults: Invalid naming "status", "via" or "limit".
func (s *Service) Walk(r store.Reader, f Filter, each func([]Interaction) error) error {
	if err := f.check(); err != nil {
		return err
	}
	where, err := s.spanOf(r, f)
	if err != nil {
		return err
	}
	streams, err := s.streams(r, f, where)
	if err != nil {
		return err
	}
	if f.After.IsZero() || !f.Before.IsZero() || f.Limit == 0 {
		return s.merge(r, streams, where, false, f, each)
	}
	var list []Interaction
	if err := s.merge(r, streams, where, true, f, func(part []Interaction) error {
		list = append(list, part...)
		return nil
	}); err != nil {
		return err
	}
	slices.Reverse(list)
	for part := range slices.Chunk(list, page) {
		if err := each(part); err != nil {
			return err
		}
	}
	return nil
}

// List is Walk for a list that fits into memory: at most MaxList.
func (s *Service) List(r store.Reader, f Filter) ([]Interaction, error) {
	if f.Limit == 0 {
		f.Limit = MaxList
	}
	out := []Interaction{}
	return out, s.Walk(r, f, func(part []Interaction) error {
		out = append(out, part...)
		return nil
	})
}

// WalkContact gives the interactions of one contact, under any id it ever had, the
// last created first. The filter's Scope does not matter. Faults as Walk's.
func (s *Service) WalkContact(r store.Reader, cid id.ID, f Filter, each func([]Interaction) error) error {
	if err := f.check(); err != nil {
		return err
	}
	where, err := s.spanOf(r, f)
	if err != nil {
		return err
	}
	some := false
	_, err = s.contacts.Following(r, cid, func(at id.ID) (bool, error) {
		streams, err := s.ofContacts(r, []id.ID{at}, f.Via)
		if err != nil {
			return false, err
		}
		err = s.merge(r, streams, where, false, f, func(part []Interaction) error {
			some = some || len(part) > 0
			return each(part)
		})
		return some, err
	})
	return err
}

// OfContact is WalkContact for a list that fits into memory: at most MaxList.
func (s *Service) OfContact(r store.Reader, cid id.ID, f Filter) ([]Interaction, error) {
	if f.Limit == 0 {
		f.Limit = MaxList
	}
	out := []Interaction{}
	return out, s.WalkContact(r, cid, f, func(part []Interaction) error {
		out = append(out, part...)
		return nil
	})
}

// merge gives the rows of all streams in one order, as interactions that match.
func (s *Service) merge(r store.Reader, streams []*stream, where span, rising bool, f Filter, each func([]Interaction) error) error {
	for _, st := range streams {
		own := st.left // a stream may know better bounds
		st.left, st.rising = where, rising
		if own.high != (place{}) && own.high.less(where.high) {
			st.left.high = own.high
		}
		if f.Limit > 0 && f.Limit < fillSize {
			st.size = max(f.Limit, 20)
		}
	}
	var batch []found
	given := 0
	flush := func() error {
		list, err := s.load(r, batch)
		batch = batch[:0]
		if err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(i Interaction) bool { return !f.matches(i) })
		if list, err = s.worked(r, list); err != nil {
			return err
		}
		if f.Limit > 0 {
			list = list[:min(len(list), f.Limit-given)]
		}
		given += len(list)
		if len(list) == 0 {
			return nil
		}
		return each(list)
	}
	for f.Limit == 0 || given < f.Limit {
		var next *stream
		var best found
		for _, st := range streams {
			h, ok, err := st.head(r)
			if err != nil {
				return err
			}
			if ok && (next == nil || rising && h.less(best.place) || !rising && best.less(h.place)) {
				next, best = st, h
			}
		}
		if next != nil {
			next.buffer = next.buffer[1:]
			batch = append(batch, best)
		}
		if len(batch) > 0 && (next == nil || len(batch) == page || f.Limit > 0 && given+len(batch) >= f.Limit) {
			if err := flush(); err != nil {
				return err
			}
		}
		if next == nil {
			return nil
		}
	}
	return nil
}

// worked leaves out what is with somebody whom nobody works on: a contact that no
// list of prospects shows either, such as one that was erased while its longer
// histories are still being taken away.
func (s *Service) worked(r store.Reader, list []Interaction) ([]Interaction, error) {
	var people []id.ID
	for _, i := range list {
		if !slices.Contains(people, i.Contact) {
			people = append(people, i.Contact)
		}
	}
	if len(people) == 0 {
		return list, nil
	}
	work, err := s.handovers.GetMany(r, people)
	return slices.DeleteFunc(list, func(i Interaction) bool { _, ok := work[i.Contact]; return !ok }), err
}

// matches decides what the plans leave open.
func (f *Filter) matches(i Interaction) bool {
	return (f.Status == "" || f.Status == i.Status) && (f.Agent.IsZero() || f.Agent == i.Agent) && (len(f.Via) == 0 || slices.Contains(f.Via, i.Via))
}
