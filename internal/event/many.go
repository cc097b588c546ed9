package event

import (
	"fmt"

	"parley/internal/job"
	"parley/internal/store"
)

// AppendMany is Append for many events by few statements: imports make thousands
// in one transaction. The events stand in the feed in the order given, and every
// reactor is owed what Append would owe it.
func (l *Log) AppendMany(tx *store.Tx, news []New) error {
	if len(news) == 0 {
		return nil
	}
	events := make([]Event, len(news))
	rows := make([][]any, len(news))
	wanted := false
	for i, n := range news {
		if n.Type == "" || n.Subject.IsZero() || n.Actor == "" {
			return fmt.Errorf("event: an event needs a type, a subject and an actor: %+v", n)
		}
		e := Event{Tenant: tx.Tenant(), Type: n.Type, Subject: n.Subject, Contact: n.Contact,
			Changed: n.Changed, Actor: n.Actor, Cause: n.Cause, At: tx.Now()}
		events[i] = e
		rows[i] = []any{e.Type, e.Subject, e.Contact, store.JSON(e.Changed), e.Actor, store.NullText(e.Cause), e.At}
		for j := range l.reactors {
			wanted = wanted || l.reactors[j].matches(e.Type)
		}
	}
	places, err := tx.InsertFedRows("event (tenant_id, xid, type, subject, contact_id, changed, actor, cause, at)", rows, wanted)
	if err != nil {
		return fmt.Errorf("event: append %d events: %w", len(news), err)
	}
	tx.Wake(Topic, tx.Tenant().String())
	if !wanted {
		return nil
	}
	if len(places) != len(events) {
		return fmt.Errorf("event: appended %d events of %d", len(places), len(events))
	}
	for i := range events {
		events[i].Cursor = Cursor{places[i][0], places[i][1]}
		if err := l.owe(tx, events[i]); err != nil {
			return err
		}
	}
	return l.oweAll(tx, events)
}

// oweAll tells the reactors that take events together.
func (l *Log) oweAll(tx *store.Tx, events []Event) error {
	for i := range l.reactors {
		r := &l.reactors[i]
		if r.OweAll == nil {
			continue
		}
		var list []Event
		for _, e := range events {
			if r.matches(e.Type) {
				list = append(list, e)
			}
		}
		if len(list) == 0 {
			continue
		}
		if err := r.OweAll(tx, list); err != nil {
			return fmt.Errorf("event: reactor %s: %w", r.Name, err)
		}
	}
	return nil
}

// owe enqueues the jobs of the reactors that want an event, and lets the others
// write what they owe.
func (l *Log) owe(tx *store.Tx, e Event) error {
	for i := range l.reactors {
		r := &l.reactors[i]
		if r.OweAll != nil || !r.matches(e.Type) {
			continue
		}
		if r.Owe != nil {
			if err := r.Owe(tx, e); err != nil {
				return fmt.Errorf("event: reactor %s: %w", r.Name, err)
			}
			continue
		}
		if r.Wants != nil {
			wants, err := r.Wants(tx, e)
			if err != nil {
				return fmt.Errorf("event: reactor %s: %w", r.Name, err)
			}
			if !wants {
				continue
			}
		}
		if _, _, err := job.Enqueue(tx, job.New{Kind: r.kind(), Args: e, Priority: r.Priority, MaxAttempts: r.MaxAttempts}); err != nil {
			return err
		}
	}
	return nil
}
