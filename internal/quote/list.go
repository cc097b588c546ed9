package quote

import (
	"slices"
	"strings"
	"time"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/store"
)

// Filter narrows a list; zero fields do not. All must hold; ranges include both
// ends.
type Filter struct {
	Scope                         id.ID // the key's group: it and what is below
	Status                        string
	CreatedAfter, CreatedBefore   time.Time
	AcceptedAfter, AcceptedBefore time.Time
	RejectedAfter, RejectedBefore time.Time
	// Before and After are quotes or contacts: only what was created before or
	// after them is shown, never themselves.
	Before, After id.ID
	Limit         int // 0: no limit; more than MaxList is cut to it
}

// MaxList is how many rows a limited list holds at most (reference §4.6).
const MaxList = 5000

// few is how many contacts are asked for by name; a group with more is found by
// passing over everybody's quotes.
var few = 500

func (f *Filter) check() error {
	if f.Limit < 0 {
		return fault.Field("limit", "limit must be a positive number")
	}
	f.Limit = min(f.Limit, MaxList)
	if f.Status != "" && !slices.Contains(Statuses, f.Status) {
		return fault.Field("status", "status must be one of %s", strings.Join(Statuses, ", "))
	}
	return nil
}

// query is a filter on its way to SQL, and where the next page begins.
type query struct {
	where  []string
	args   []any
	rising bool
}

func (q *query) and(where string, args ...any) {
	q.where, q.args = append(q.where, where), append(q.args, args...)
}

func (s *Service) query(r store.Reader, f Filter) (q query, err error) {
	if f.Status != "" {
		q.and("status=?", f.Status)
	}
	for _, c := range []struct {
		column        string
		after, before time.Time
		status        string
	}{{"created_at", f.CreatedAfter, f.CreatedBefore, ""}, {"accepted_at", f.AcceptedAfter, f.AcceptedBefore, Accepted}, {"rejected_at", f.RejectedAfter, f.RejectedBefore, Rejected}} {
		if !c.after.IsZero() {
			q.and(c.column+">=?", c.after)
		}
		if !c.before.IsZero() {
			q.and(c.column+"<=?", c.before)
		}
		if c.status != "" && f.Status == "" && !(c.after.IsZero() && c.before.IsZero()) {
			q.and("status=?", c.status) // the index quote_status
		}
	}
	for _, c := range []struct {
		at id.ID
		op string
	}{{f.Before, "<"}, {f.After, ">"}} {
		if c.at.IsZero() {
			continue
		}
		at, v, err := s.placeOf(r, c.at)
		if err != nil {
			return q, err
		}
		q.and("(created_at, id) "+c.op+" (?,?)", at, v.String())
	}
	q.rising = !f.After.IsZero() && f.Before.IsZero() && f.Limit > 0
	return q, nil
}

// placeOf finds where an id stands: as a quote, else as a contact (reference
// §4.6), else where it was made.
func (s *Service) placeOf(r store.Reader, v id.ID) (time.Time, id.ID, error) {
	known, err := s.ByID(r, []id.ID{v})
	if err != nil {
		return time.Time{}, v, err
	}
	if q, ok := known[v]; ok {
		return q.CreatedAt, q.ID, nil
	}
	c, err := s.contacts.Get(r, v)
	if err == nil {
		return c.CreatedAt, c.ID, nil
	}
	if fault.As(err) == nil {
		return time.Time{}, v, err
	}
	return v.Time(), v, nil
}

// read reads up to limit quotes behind the last one seen, along quote_recent or
// quote_status, or quote_by_contact with people.
func (q query) read(r store.Reader, people []id.ID, last *Quote, limit int) ([]Quote, error) {
	op, order := "<", " ORDER BY created_at DESC, id DESC"
	if q.rising {
		op, order = ">", " ORDER BY created_at, id"
	}
	where, args := append([]string{"tenant_id=?"}, q.where...), slices.Clone(q.args)
	if people != nil {
		in, more := contact.Among(people)
		where, args = append(where, "contact_id IN "+in), append(args, more...)
	}
	if last != nil {
		where, args = append(where, "(created_at, id) "+op+" (?,?)"), append(args, last.CreatedAt, last.ID.String())
	}
	rows, err := r.Query("SELECT "+columns+" FROM quote WHERE "+strings.Join(where, " AND ")+order+" LIMIT ?", append(args, limit)...)
	return store.Collect(rows, err, scan)
}

// Walk gives the quotes of everybody in a scope, the last created first, a page at
// a time. With After, a Limit and no Before it gives the page that follows After,
// still the last created first. Faults: Invalid naming "status" or "limit".
func (s *Service) Walk(r store.Reader, f Filter, each func([]Quote) error) error {
	if err := f.check(); err != nil {
		return err
	}
	q, err := s.query(r, f)
	if err != nil {
		return err
	}
	var people []id.ID
	var inside map[id.ID]bool
	if !f.Scope.IsZero() {
		g, err := s.agents.Group(r, f.Scope)
		if fault.As(err) != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if !g.Root() || !g.DeletedAt.IsZero() {
			work, err := s.handovers.List(r, handover.Filter{Scope: f.Scope, Limit: few + 1})
			if err != nil || len(work) == 0 {
				return err
			}
			if len(work) <= few {
				for _, w := range work {
					people = append(people, w.Contact)
				}
			} else if inside, err = s.groups(r, f.Scope); err != nil {
				return err
			}
		}
	}
	if people != nil {
		return s.ofPeople(r, q, people, f, each)
	}
	return s.pages(r, q, nil, inside, f, each)
}

func (s *Service) groups(r store.Reader, top id.ID) (map[id.ID]bool, error) {
	list, err := s.agents.Subtree(r, top)
	out := make(map[id.ID]bool, len(list))
	for _, g := range list {
		out[g] = true
	}
	return out, err
}

// ofPeople reads the quotes of few people and brings them in order.
func (s *Service) ofPeople(r store.Reader, q query, people []id.ID, f Filter, each func([]Quote) error) error {
	var all []Quote
	for part := range slices.Chunk(people, batch) {
		if err := s.pages(r, q, part, nil, f, func(list []Quote) error {
			all = append(all, list...)
			return nil
		}); err != nil {
			return err
		}
	}
	slices.SortFunc(all, func(a, b Quote) int {
		if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(b.ID.String(), a.ID.String())
	})
	if f.Limit > 0 && len(all) > f.Limit {
		if q.rising {
			all = all[len(all)-f.Limit:]
		} else {
			all = all[:f.Limit]
		}
	}
	for part := range slices.Chunk(all, batch) {
		if err := each(part); err != nil {
			return err
		}
	}
	return nil
}

// pages reads quotes page by page, leaves out those outside the groups, and stops
// at the limit.
func (s *Service) pages(r store.Reader, q query, people []id.ID, inside map[id.ID]bool, f Filter, each func([]Quote) error) error {
	var last *Quote
	var turned []Quote // a rising list, to be given the other way round
	given := 0
	for {
		size := batch
		if f.Limit > 0 && inside == nil {
			size = min(size, f.Limit-given)
		}
		list, err := q.read(r, people, last, size)
		if err != nil {
			return err
		}
		more := len(list) == size
		if more {
			end := list[len(list)-1]
			last = &end
		}
		if inside != nil {
			if list, err = s.within(r, list, inside); err != nil {
				return err
			}
		}
		if f.Limit > 0 {
			list = list[:min(len(list), f.Limit-given)]
		}
		given += len(list)
		switch {
		case len(list) == 0:
		case q.rising:
			turned = append(turned, list...)
		default:
			if err := each(list); err != nil {
				return err
			}
		}
		if !more || f.Limit > 0 && given >= f.Limit {
			break
		}
	}
	slices.Reverse(turned)
	if len(turned) == 0 {
		return nil
	}
	return each(turned)
}

func (s *Service) within(r store.Reader, list []Quote, inside map[id.ID]bool) ([]Quote, error) {
	ids := make([]id.ID, len(list))
	for i, q := range list {
		ids[i] = q.Contact
	}
	work, err := s.handovers.GetMany(r, ids)
	return slices.DeleteFunc(list, func(q Quote) bool { return !inside[work[q.Contact].Group] }), err
}

// OfContact returns the quotes of one contact, under any id it ever had, the last
// created first. The filter's Scope does not matter. Faults as Walk's.
func (s *Service) OfContact(r store.Reader, cid id.ID, f Filter) ([]Quote, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	q, err := s.query(r, f)
	if err != nil {
		return nil, err
	}
	out := []Quote{}
	_, err = s.contacts.Following(r, cid, func(at id.ID) (bool, error) {
		err := s.pages(r, q, []id.ID{at}, nil, f, func(list []Quote) error {
			out = append(out, list...)
			return nil
		})
		return len(out) > 0, err
	})
	return out, err
}
