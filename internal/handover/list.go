package handover

import (
	"slices"
	"strings"
	"time"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/store"
)

// MaxList is how many rows a list holds at most (reference §2.2: the live cap).
const MaxList = 5000

// Filter narrows a list; zero fields do not. All must hold. Ranges include both
// ends.
type Filter struct {
	Scope  id.ID // the key's group: it and what is below
	Group  id.ID // this group and what is below
	Agent  id.ID
	Status string
	Label  string
	// Category is compared as it is.
	Category                            string
	WithAgent                           *bool
	CreatedAfter, CreatedBefore         time.Time
	ClaimedAfter, ClaimedBefore         time.Time
	TransferredAfter, TransferredBefore time.Time
	// Search is what contact.Candidates finds people by, and Phone a whole number.
	Search, Phone string
	// Attributes is a filter over the contact's open attributes.
	Attributes filter.Filter
	// Among, when not nil, are the only contacts looked at, at most MaxList.
	Among []id.ID
	// Before and After are contacts; the list shows those created before or after
	// them, never themselves.
	Before, After id.ID
	Limit         int // of List; 0: MaxList, and more is cut to it
}

// List returns contacts' work, the last created first. With After and without
// Before it returns the page that follows After, oldest rows of the list, still
// the last created first. It reads along one index of the table, or of each group
// of the subtree. Faults: Invalid naming "status", "limit", "search", "phone" or a
// part of the filter.
func (s *Service) List(r store.Reader, f Filter) ([]Work, error) {
	if f.Limit < 0 {
		return nil, fault.Field("limit", "limit must be a positive number")
	}
	if f.Limit == 0 || f.Limit > MaxList {
		f.Limit = MaxList
	}
	rising := !f.After.IsZero() && f.Before.IsZero()
	out := []Work{}
	err := s.walk(r, f, rising, f.Limit, func(page []Work) error {
		if out = append(out, page...); len(out) >= f.Limit {
			return errEnough
		}
		return nil
	})
	out = out[:min(len(out), f.Limit)]
	if rising {
		slices.Reverse(out)
	}
	return out, err
}

// query is a list on its way to SQL: conditions that hold for all rows, the two
// ends of the part of the order that it shows, and the branches of which the list
// is made, each along one index.
type query struct {
	where     []string
	args      []any
	low, high bound
	each      []branch
}

type branch struct {
	where string
	args  []any
	// whole says that the branch is read at once, in no order: it has few rows.
	whole bool
}

// bound is one end of the order; an empty one does not bind.
type bound struct {
	where string
	args  []any
}

func (q *query) and(where string, args ...any) {
	q.where, q.args = append(q.where, where), append(q.args, args...)
}

// maxBranches bounds the branches of one list.
const maxBranches = 100

// early is how much earlier than it was made, by another node's clock, a contact
// may have been claimed.
const early = time.Hour

// query compiles a filter; some is false when nothing can match.
func (s *Service) query(r store.Reader, f Filter) (q query, some bool, err error) {
	groups, all, err := s.groupsOf(r, f)
	if err != nil || !all && len(groups) == 0 {
		return q, false, err
	}
	if err := s.bounds(r, f, &q); err != nil {
		return q, false, err
	}
	between := func(column string, after, before time.Time) {
		if !after.IsZero() {
			q.and(column+">=?", after)
		}
		if !before.IsZero() {
			q.and(column+"<=?", before)
			if q.high.where == "" { // nobody is claimed before there is anybody
				q.high = bound{"created_at<=?", []any{before.Add(early)}}
			}
		}
	}
	// The sign keeps the databases from beginning with an index of another order.
	between("+claimed_at", f.ClaimedAfter, f.ClaimedBefore)
	between("+transferred_at", f.TransferredAfter, f.TransferredBefore)
	statuses := Statuses
	if f.Status != "" {
		statuses = []string{f.Status}
	}
	if f.WithAgent != nil {
		without := []string{Unclaimed, Processing, Archived}
		if *f.WithAgent {
			q.and("agent_id IS NOT NULL")
			without = []string{New, FollowUp, Processing, Archived}
		} else {
			q.and("agent_id IS NULL")
		}
		statuses = slices.DeleteFunc(slices.Clone(statuses), func(v string) bool { return !slices.Contains(without, v) })
		if len(statuses) == 0 {
			return q, false, nil
		}
	}
	if f.Label != "" {
		q.and("label=? AND label<>''", f.Label)
	}
	if f.Category != "" {
		q.and("category=?", f.Category)
	}
	return q, s.branches(f, &q, groups, all, statuses), nil
}

// branches chooses the index that a list begins with: the contacts named
// (PRIMARY KEY), an agent's (handover_agent), each group (handover_group_created)
// or each status of it (handover_group), a label (handover_label), a category
// (handover_category), each status (handover_status), or all (handover_created).
// All but the first are read in the order of the list.
func (s *Service) branches(f Filter, q *query, groups []id.ID, all bool, statuses []string) bool {
	within := func() {
		if !all {
			in, args := contact.Among(groups)
			q.and("group_id IN "+in, args...)
		}
	}
	status := func() {
		if len(statuses) < len(Statuses) {
			q.and("status IN (?"+strings.Repeat(",?", len(statuses)-1)+")", anys(statuses)...)
		}
	}
	switch {
	case f.Among != nil:
		if len(f.Among) == 0 {
			return false
		}
		within()
		status()
		if !f.Agent.IsZero() {
			q.and("agent_id=?", f.Agent)
		}
		for part := range slices.Chunk(f.Among[:min(len(f.Among), MaxList)], batch) {
			in, args := contact.Among(part)
			q.each = append(q.each, branch{"contact_id IN " + in, args, true})
		}
	case !f.Agent.IsZero():
		within()
		status()
		q.each = []branch{{where: "agent_id=?", args: []any{f.Agent}}}
	case !all && len(statuses) == len(Statuses) && len(groups) <= maxBranches:
		for _, g := range groups {
			q.each = append(q.each, branch{where: "group_id=?", args: []any{g}})
		}
	case !all && len(groups)*len(statuses) <= maxBranches:
		for _, g := range groups {
			for _, v := range statuses {
				q.each = append(q.each, branch{where: "group_id=? AND status=?", args: []any{g, v}})
			}
		}
	case f.Label != "" || f.Category != "":
		within()
		status()
		q.each = []branch{{}}
	default:
		within()
		if len(statuses) == len(Statuses) {
			q.each = []branch{{}}
			break
		}
		for _, v := range statuses {
			q.each = append(q.each, branch{where: "status=?", args: []any{v}})
		}
	}
	return true
}

func anys[T any](list []T) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}

// groupsOf returns the groups that a filter looks into; all when none is left out.
func (s *Service) groupsOf(r store.Reader, f Filter) (groups []id.ID, all bool, err error) {
	top := f.Scope
	if !f.Group.IsZero() {
		if !top.IsZero() {
			around, err := s.agents.Within(r, f.Group, top)
			if err != nil {
				return nil, false, err
			}
			inside, err := s.agents.Within(r, top, f.Group)
			if err != nil || !inside && !around {
				return nil, false, err
			}
			if inside {
				top = f.Group
			}
		} else {
			top = f.Group
		}
	}
	if top.IsZero() {
		return nil, true, nil
	}
	if g, err := s.agents.Group(r, top); fault.As(err) != nil {
		return nil, false, nil
	} else if err != nil || g.Root() && g.DeletedAt.IsZero() {
		return nil, true, err
	}
	groups, err = s.agents.Subtree(r, top)
	return groups, false, err
}

// bounds turns the contacts that a page lies between into their places in the
// order, and says of each end whichever is narrower, the place or the range: one
// bound is what an index takes. A contact that is gone, or never was, stands where
// its id does.
func (s *Service) bounds(r store.Reader, f Filter, q *query) error {
	for _, end := range []struct {
		cid          id.ID
		at           time.Time
		beyond, upTo string
		to           *bound
		narrower     func(cursor, at time.Time) bool
	}{
		{f.Before, f.CreatedBefore, "<", "<=", &q.high, func(cursor, at time.Time) bool { return !cursor.After(at) }},
		{f.After, f.CreatedAfter, ">", ">=", &q.low, func(cursor, at time.Time) bool { return !cursor.Before(at) }},
	} {
		cursor, cid := end.cid.Time(), end.cid
		if !cid.IsZero() {
			w, err := s.Get(r, cid)
			switch {
			case err == nil:
				cursor, cid = w.CreatedAt, w.Contact
			case fault.As(err) == nil:
				return err
			}
		}
		switch {
		case !cid.IsZero() && (end.at.IsZero() || end.narrower(cursor, end.at)):
			*end.to = bound{"(created_at, contact_id) " + end.beyond + " (?,?)", []any{cursor, cid}}
		case !end.at.IsZero():
			*end.to = bound{"created_at" + end.upTo + "?", []any{end.at}}
		}
	}
	return nil
}
