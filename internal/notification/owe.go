package notification

import (
	"slices"
	"strings"
	"time"

	"parley/internal/event"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

const (
	ledgerName = "notification"
	laneName   = "feed"
	// rated tells of a rating, which is an interaction.
	rated = "contact.rated"
)

// owe writes, in the event's own transaction, that somebody is to be told of it.
// A tenant without subscriptions owes nothing: one look at what is remembered, on
// PostgreSQL at an index without entries.
func (s *Service) owe(tx *store.Tx, e event.Event) error {
	subs, _, err := s.active.Get(tx, func() ([]Subscription, bool, error) {
		list, err := all(tx)
		return list, true, err
	})
	if err != nil || len(subs) == 0 {
		return err
	}
	if e.Type == "group.deleted" {
		_, err := s.endIn(tx, "group_id=?", e.Subject)
		return err
	}
	if e.Contact.IsZero() || !slices.ContainsFunc(subs, func(v Subscription) bool { return v.wants(e) }) {
		return nil
	}
	if _, err := tx.Exec("INSERT INTO notification_owed (tenant_id, seq, operation_id, contact_id, event, tries, next_at) VALUES (?,?,?,?,?,0,?)",
		e.Cursor.Seq, id.New(), e.Contact, store.JSON(e), tx.Now()); err != nil {
		return err
	}
	if placed(e) { // what came before it waited for that
		if _, err := tx.Exec("UPDATE notification_owed SET next_at=? WHERE tenant_id=? AND contact_id=? AND next_at>?", tx.Now(), e.Contact, tx.Now()); err != nil {
			return err
		}
	}
	job.WakeLane(tx, ledgerName, laneName)
	return nil
}

// wants reports whether an event may lead to a notification of one of the topics.
func (v *Subscription) wants(e event.Event) bool {
	has := func(topics ...string) bool {
		return slices.ContainsFunc(topics, func(t string) bool { return slices.Contains(v.Topics, t) })
	}
	noun, _, _ := strings.Cut(e.Type, ".")
	if e.Type == rated {
		noun = "interaction"
	}
	switch noun {
	case "handover":
		return e.Type == "handover.moved" && has(Prospects, Agents, Interactions)
	case "contact", "inquiry":
		return has(Prospects)
	case "message", "note", "interaction":
		return has(Interactions)
	case "quote":
		return has(Quotes)
	}
	return false
}

// word returns what stands behind a word in what an event changed.
func word(e event.Event, name string) string {
	for _, c := range e.Changed {
		if v, ok := strings.CutPrefix(c, name+":"); ok {
			return v
		}
	}
	return ""
}

// placed reports whether an event gave a contact its first work.
func placed(e event.Event) bool {
	return e.Type == "handover.moved" && word(e, "move") == handover.Placed && word(e, "version") != ""
}

// row is something owed.
type row struct {
	seq       int64
	operation id.ID
	event     event.Event
	tries     int
	at        time.Time // it was due
}
