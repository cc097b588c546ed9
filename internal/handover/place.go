package handover

import (
	"time"

	"parley/internal/agent"
	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Arrival is what an inquiry says of who should work on the contact.
type Arrival struct {
	Group    id.ID  // zero: the agent's, else the tenant's first group
	Agent    id.ID  // zero: the group's method decides
	Category string // "" is the first of the tenant's categories; unknown ones are kept
	UserMade bool   // an agent made the contact by hand
	Status   string // "" or FollowUp: the agent is at it already
}

// Arrived is what became of an arrival.
type Arrived struct {
	Work  Work
	Fresh bool // the contact had no work before
	// Absence is what to tell the person: the group's absence message when whom
	// they came to does not work now, else "".
	Absence string
}

// PlaceIn notes an inquiry of a contact. The first one puts it into a group, which
// stays its InitialGroup, and gives it to an agent: the one named, else the one
// whose id stands in contact.AssignedTo, else by the group's method. A later one
// takes an archived contact up again (see UnarchiveIn) and gives an unclaimed one
// to the agent named; otherwise the work stays where it is. Faults: NotFound
// naming "group" or "agent" or of the contact; Conflict with Reason "inactive";
// Invalid naming "category" or "status".
func (s *Service) PlaceIn(tx *store.Tx, actor string, cid id.ID, n Arrival) (Arrived, error) {
	c, err := s.contacts.LockedIn(tx, cid)
	if err != nil {
		return Arrived{}, err
	}
	return s.PlaceHeldIn(tx, actor, c, n)
}

// PlaceHeldIn is PlaceIn for a caller that holds the contact's lock and read it
// behind that.
func (s *Service) PlaceHeldIn(tx *store.Tx, actor string, c contact.Contact, n Arrival) (Arrived, error) {
	category, err := n.category()
	if err != nil {
		return Arrived{}, err
	}
	old, found, err := load(tx, c.ID)
	if err != nil {
		return Arrived{}, err
	}
	out := Arrived{Fresh: !found}
	if found {
		out.Work, err = s.again(tx, actor, c, old, n, category)
	} else {
		out.Work, err = s.first(tx, actor, c, n, category)
	}
	if err != nil {
		return Arrived{}, err
	}
	out.Absence, err = s.absence(tx, out.Work)
	return out, err
}

// category checks an arrival's words.
func (n Arrival) category() (string, error) {
	if n.Status != "" && n.Status != FollowUp {
		return "", fault.Field("status", "an inquiry may say followUp, or nothing")
	}
	return contact.Line("category", n.Category, maxWord)
}

func (s *Service) first(tx *store.Tx, actor string, c contact.Contact, n Arrival, category string) (Work, error) {
	w, _, err := s.begin(tx, c, n, category)
	if err == nil {
		err = s.save(tx, actor, Placed, Work{}, &w, c)
	}
	return w, err
}

// begin is the work of a contact that has none, before it is written, and its group.
func (s *Service) begin(tx *store.Tx, c contact.Contact, n Arrival, category string) (Work, agent.Group, error) {
	a, err := s.named(tx, n, c)
	if err != nil {
		return Work{}, agent.Group{}, err
	}
	group := n.Group
	if group.IsZero() {
		group = a.Group
	}
	if group.IsZero() {
		top, err := s.agents.RootIn(tx)
		if err != nil {
			return Work{}, agent.Group{}, err
		}
		group = top.ID
	}
	g, err := s.agents.HoldGroupIn(tx, group)
	if err != nil {
		return Work{}, agent.Group{}, naming("group", err)
	}
	if category == "" {
		if category, err = s.defaultCategory(tx); err != nil {
			return Work{}, agent.Group{}, err
		}
	}
	w := Work{Contact: c.ID, Group: g.ID, InitialGroup: g.ID, Category: category, UserMade: n.UserMade, CreatedAt: c.CreatedAt, ActiveAt: tx.Now()}
	w.pool()
	if !a.ID.IsZero() {
		w.give(a.ID, given(n), tx.Now())
		if err := s.agents.TurnIn(tx, a); err != nil {
			return Work{}, agent.Group{}, err
		}
	} else if err := s.assign(tx, &w, g); err != nil {
		return Work{}, agent.Group{}, err
	}
	return w, g, nil
}

// given is the status of work that an arrival gives to an agent.
func given(n Arrival) string {
	if n.Status != "" {
		return n.Status
	}
	return New
}

// named returns the agent that an arrival, or the contact itself, names; none
// when nobody is named.
func (s *Service) named(tx *store.Tx, n Arrival, c contact.Contact) (agent.Agent, error) {
	if !n.Agent.IsZero() {
		a, err := s.agents.HoldAgentIn(tx, n.Agent)
		return a, naming("agent", err)
	}
	v, err := id.Parse(c.AssignedTo)
	if err != nil { // free text
		return agent.Agent{}, nil
	}
	a, err := s.agents.HoldAgentIn(tx, v)
	if fault.As(err) != nil {
		return agent.Agent{}, nil
	}
	return a, err
}

// naming says of a fault in which field it lies.
func naming(field string, err error) error {
	if f := fault.As(err); f != nil {
		c := *f
		c.Field = field
		return &c
	}
	return err
}

// again notes a further inquiry of a contact.
func (s *Service) again(tx *store.Tx, actor string, c contact.Contact, old Work, n Arrival, category string) (Work, error) {
	if old.Status == Archived {
		w, err := s.UnarchiveIn(tx, actor, c.ID)
		if err != nil {
			return w, err
		}
		if c, err = s.contacts.Get(tx, c.ID); err != nil {
			return w, err
		}
		old = w
	}
	w := old
	w.ActiveAt = tx.Now()
	if w.Category == "" {
		w.Category = category
	}
	if w.Status == Unclaimed && !n.Agent.IsZero() {
		a, err := s.agents.HoldAgentIn(tx, n.Agent)
		if err != nil {
			return w, naming("agent", err)
		}
		w.give(a.ID, given(n), tx.Now())
		if err := s.agents.TurnIn(tx, a); err != nil {
			return w, err
		}
	}
	if w.held == Archived { // a task is at it: it ends in what the inquiry makes of it
		if w.held = Unclaimed; !w.Agent.IsZero() {
			w.held = FollowUp
		}
		w.reopen()
	}
	var err error
	switch changed := len(w.changes(old)) > 0; {
	case !changed && w.held == old.held:
		err = touch(tx, w)
	case !changed:
		err = update(tx, &w)
	default:
		err = s.save(tx, actor, Assigned, old, &w, c)
	}
	return w, err
}

// absence returns the absence message of a work's group when its agent, or
// without one every agent of the group, is off duty now.
func (s *Service) absence(r store.Reader, w Work) (string, error) {
	g, err := s.agents.Group(r, w.Group)
	if err != nil {
		return "", err
	}
	return s.absenceOf(r, w, g)
}

func (s *Service) absenceOf(r store.Reader, w Work, g agent.Group) (string, error) {
	if g.AbsenceMessage == "" {
		return "", nil
	}
	var works bool
	var err error
	if w.Agent.IsZero() {
		works, err = s.agents.GroupIsWorking(r, w.Group, r.Now())
	} else {
		works, err = s.agents.IsWorking(r, w.Agent, r.Now())
	}
	if err != nil || works {
		return "", err
	}
	return g.AbsenceMessage, nil
}

// AbsenceSentIn notes that the person was told that nobody works. NotFound.
func (s *Service) AbsenceSentIn(tx *store.Tx, actor string, cid id.ID, at time.Time) (Work, error) {
	return s.change(tx, actor, cid, Absence, func(w *Work) error {
		w.AbsenceSentAt = at.UTC().Truncate(time.Millisecond)
		return nil
	})
}
