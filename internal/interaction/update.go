package interaction

import (
	"slices"

	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// rank orders the statuses of a recorded message: none ever falls
// (docs/state-machines.md).
var rank = map[string]int{Pending: 1, Sent: 2, Failed: 3, Received: 4, Read: 5, Deleted: 6}

// UpdateIn changes a recorded message or question (reference §3.4, UpdateEvent)
// and returns it; it appends interaction.updated with the fields that changed, or
// nothing when none did. Faults: NotFound, naming "interaction"; Invalid naming
// "type", "status", "error", "delivered", "answer" or "cancelReason"; Conflict with
// Reason "status" for a step back, "channel" for a message of one of our own
// channels, which alone tells what became of it.
func (s *Service) UpdateIn(tx *store.Tx, actor string, cid, iid id.ID, u Update) (Interaction, error) {
	c, err := s.contacts.LockedIn(tx, cid)
	if err != nil {
		return Interaction{}, err
	}
	i, err := s.Get(tx, c.ID, iid)
	if err != nil {
		return Interaction{}, err
	}
	if err := u.fits(i); err != nil {
		return Interaction{}, err
	}
	known, err := s.contacts.ActivitiesByID(tx, []id.ID{iid})
	if err != nil {
		return Interaction{}, err
	}
	a, ok := known[iid]
	if !ok {
		return Interaction{}, fault.Unknown("interaction")
	}
	var changed []string
	if u.Type == KindMessage {
		changed, err = u.message(&a, i)
	} else {
		changed, err = u.question(tx, &a, i)
	}
	if err != nil || len(changed) == 0 {
		return i, err
	}
	a.Metadata["updatedAt"] = moment(tx.Now())
	if err := s.contacts.ChangeActivityIn(tx, a); err != nil {
		return Interaction{}, err
	}
	if _, err := s.log.Append(tx, event.New{Type: "interaction.updated", Subject: iid, Contact: c.ID, Changed: changed, Actor: actor}); err != nil {
		return Interaction{}, err
	}
	return s.get(tx, iid)
}

// fits holds an update to what it changes.
func (u *Update) fits(i Interaction) error {
	switch u.Type {
	case "":
		return fault.Missing("type")
	case KindMessage:
		switch {
		case i.Output.Message == nil:
			return fault.Field("type", "the interaction is no message; send the type that it has")
		case !i.Output.Message.Recorded:
			return fault.New(fault.Conflict, "the message went through a channel of this account, which tells its status; only messages that were posted as events can be updated").Because("channel")
		case u.Answer != nil || u.CancelReason != nil:
			return fault.Field("answer", "a message has no answer and no cancelReason; send delivered, status or error")
		}
	case KindQuestion:
		switch {
		case i.Output.Question == nil:
			return fault.Field("type", "the interaction is no question; send the type that it has")
		case u.Status != "" || u.Error != "":
			return fault.Field("status", "the status of a question follows from answer and cancelReason; send one of them")
		}
	default:
		return fault.Field("type", "type must be message or question: calls and notes do not change")
	}
	return nil
}

// message moves a recorded message forward.
func (u *Update) message(a *contact.Activity, i Interaction) (changed []string, err error) {
	to := u.Status
	if to == "" && u.Delivered != nil && *u.Delivered && rank[i.Status] < rank[Received] {
		to = Received
	}
	if to == "" {
		to = i.Status
	}
	if rank[to] == 0 {
		return nil, fault.Field("status", "status must be pending, sent, received, read, failed or deleted")
	}
	reached := to == Received || to == Read
	if u.Delivered != nil && *u.Delivered != reached && to != Deleted {
		return nil, fault.Field("delivered", "delivered must be true for a message that is received or read, false for one that is not")
	}
	if u.Error != "" && to != Failed {
		return nil, fault.Field("error", "error belongs to the status failed; send both")
	}
	if rank[to] < rank[i.Status] {
		return nil, fault.New(fault.Conflict, "the message is %s already and cannot become %s", i.Status, to).Because("status").With("status", i.Status)
	}
	why, err := contact.Line("error", u.Error, maxLine)
	if err != nil {
		return nil, err
	}
	if to != i.Status {
		a.Metadata["status"] = to
		changed = append(changed, "status:"+to)
	}
	if why != "" && why != i.Output.Message.Error {
		a.Metadata["error"] = why
		changed = append(changed, "error")
	}
	if to != Failed && to != Deleted {
		delete(a.Metadata, "error")
	}
	return changed, nil
}

// question answers or cancels a question, once; an answer that has not reached the
// portal yet may still be put better.
func (u *Update) question(tx *store.Tx, a *contact.Activity, i Interaction) (changed []string, err error) {
	q := i.Output.Question
	answer, reason := q.Answer, q.CancelReason
	for _, f := range []struct {
		name string
		from *string
		to   *string
		max  int
	}{{"answer", u.Answer, &answer, maxAnswer}, {"cancelReason", u.CancelReason, &reason, maxLine}} {
		if f.from == nil {
			continue
		}
		if *f.to, err = contact.Line(f.name, *f.from, f.max); err != nil {
			return nil, err
		}
		if *f.to == "" {
			return nil, fault.Missing(f.name)
		}
	}
	delivered := q.Delivered != nil && *q.Delivered
	if u.Delivered != nil {
		delivered = *u.Delivered
	}
	wasDelivered := q.Delivered != nil && *q.Delivered
	closed := func(to string) error {
		return fault.New(fault.Conflict, "the question is %s already and cannot be %s", i.Status, to).Because("status").With("status", i.Status)
	}
	switch {
	case answer != "" && reason != "" && i.Status == Opened:
		return nil, fault.Field("cancelReason", "a question is either answered or cancelled; send answer or cancelReason")
	case answer != q.Answer && (i.Status == Cancelled || i.Status == Answered && wasDelivered):
		return nil, closed("answered again")
	case reason != q.CancelReason && i.Status != Opened:
		return nil, closed("cancelled")
	case u.Delivered != nil && delivered && answer == "":
		return nil, fault.Field("delivered", "only an answer can be delivered; send answer with it")
	case u.Delivered != nil && !delivered && wasDelivered:
		return nil, closed("undelivered")
	}
	if answer != q.Answer {
		a.Metadata["answer"], a.Metadata["status"] = answer, Answered
		changed = append(changed, "answer")
	}
	if reason != q.CancelReason {
		a.Metadata["cancelReason"], a.Metadata["status"] = reason, Cancelled
		changed = append(changed, "cancelReason")
	}
	if u.Delivered != nil && (q.Delivered == nil || *q.Delivered != delivered) {
		a.Metadata["delivered"] = delivered
		changed = append(changed, "delivered")
	}
	if slices.Contains(changed, "answer") || slices.Contains(changed, "cancelReason") {
		a.Metadata["finishedAt"] = moment(tx.Now())
		changed = append(changed, "status:"+text(*a, "status"))
	}
	return changed, nil
}
