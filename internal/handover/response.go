package handover

import (
	"cmp"
	"database/sql"
	"slices"
	"strconv"
	"time"

	"parley/internal/conversation"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// What a response time looks at: those of the last days who were active last.
const (
	responseDays   = 30
	responseSample = 1000
)

// GroupResponseTime returns the mean time between a contact's arrival or message
// and our first answer, in a group and those below it (sales reference §2.7), and
// over how many answers. It looks at the 1000 contacts who were active last, and
// not further back than 30 days. Automations and bots do not answer; a transfer
// begins the wait anew. NotFound.
func (s *Service) GroupResponseTime(r store.Reader, group id.ID) (mean time.Duration, answers int, err error) {
	groups, err := s.agents.Subtree(r, group)
	if err != nil {
		return 0, 0, err
	}
	if len(groups) == 0 {
		return 0, 0, fault.Unknown("group")
	}
	each := min(max(50*responseSample/len(groups), 5), responseSample)
	var found []active
	for _, g := range groups {
		list, err := s.lately(r, "group_id=?", g, each) // the index handover_active
		if err != nil {
			return 0, 0, err
		}
		found = append(found, list...)
	}
	slices.SortFunc(found, func(a, b active) int { return cmp.Compare(b.at, a.at) })
	return s.meanWait(r, found[:min(len(found), responseSample)], func(w Work) time.Time { return w.TransferredAt })
}

// AgentResponseTime is GroupResponseTime for the contacts that an agent has; their
// wait begins when they were given to the agent, at the earliest. NotFound.
func (s *Service) AgentResponseTime(r store.Reader, agent id.ID) (mean time.Duration, answers int, err error) {
	if a, err := s.agents.Agent(r, agent); err != nil {
		return 0, 0, err
	} else if !a.DeletedAt.IsZero() {
		return 0, 0, fault.Unknown("agent")
	}
	found, err := s.lately(r, "agent_id=?", agent, responseSample) // the index handover_active_agent
	if err != nil {
		return 0, 0, err
	}
	return s.meanWait(r, found, func(w Work) time.Time { return w.AssignedAt })
}

// active is a contact and when something last happened to it, in milliseconds.
type active struct {
	contact id.ID
	at      int64
}

// lately returns those of a group or an agent who were active last.
func (s *Service) lately(r store.Reader, whose string, of id.ID, limit int) ([]active, error) {
	rows, err := r.Query("SELECT contact_id, active_at FROM handover WHERE tenant_id=? AND "+whose+" AND active_at>=? ORDER BY active_at DESC LIMIT "+strconv.Itoa(limit),
		of, r.Now().AddDate(0, 0, -responseDays))
	return store.Collect(rows, err, func(rows *sql.Rows) (a active, err error) { return a, rows.Scan(&a.contact, &a.at) })
}

// meanWait is the mean time until answers to contacts; nobody waits for us before
// handed.
func (s *Service) meanWait(r store.Reader, found []active, handed func(Work) time.Time) (time.Duration, int, error) {
	since := r.Now().AddDate(0, 0, -responseDays)
	ids := make([]id.ID, len(found))
	for i, a := range found {
		ids[i] = a.contact
	}
	work, err := s.GetMany(r, ids)
	if err != nil {
		return 0, 0, err
	}
	said, err := conversation.SpokenSince(r, ids, since)
	if err != nil {
		return 0, 0, err
	}
	by := make(map[id.ID][]conversation.Spoken, len(ids))
	for _, x := range said {
		by[x.Contact] = append(by[x.Contact], x)
	}
	var sum time.Duration
	answers := 0
	for _, cid := range ids {
		w, ok := work[cid]
		if !ok {
			continue
		}
		for _, wait := range waits(w, by[cid], since, handed(w)) {
			sum += wait
			answers++
		}
	}
	if answers == 0 {
		return 0, 0, nil
	}
	return sum / time.Duration(answers), answers, nil
}

// waits returns how long a contact waited for each answer. A first contact that
// left no message, a call, answers too.
func waits(w Work, said []conversation.Spoken, since, handed time.Time) []time.Duration {
	var out []time.Duration
	var waiting time.Time
	answered := func(at time.Time) {
		if from := latest(waiting, handed); !waiting.IsZero() && !at.Before(from) {
			out = append(out, at.Sub(from))
		}
		waiting = time.Time{}
	}
	if !w.UserMade && !w.CreatedAt.Before(since) {
		waiting = w.CreatedAt
	}
	first := w.FirstContactedAt
	if first.Before(since) {
		first = time.Time{}
	}
	for _, x := range said {
		if !first.IsZero() && !first.After(x.At) {
			answered(first)
			first = time.Time{}
		}
		switch {
		case x.Inbound && waiting.IsZero():
			waiting = x.At
		case !x.Inbound && x.SentBy != "automation" && !automatic(x.SentBy):
			answered(x.At)
		}
	}
	if !first.IsZero() {
		answered(first)
	}
	return out
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
