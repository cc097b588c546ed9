package handover

import (
	"context"
	"fmt"
	"time"

	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// dueJob tells that a reminder is due. The migration that brought it enqueues it
// for reminders that were set before.
const dueJob = "handover.reminder"

type dueArgs struct {
	Contact  id.ID `json:"contact"`
	At       int64 `json:"at"` // the reminder's moment, Unix milliseconds
	Activity id.ID `json:"activity,omitzero"`
}

// oweReminder has the reminder of some work announced when its time comes, and not
// before; whether the contact is put away counts then, not now. activity is its entry
// of the timeline.
func oweReminder(tx *store.Tx, w Work, activity id.ID) error {
	if w.NextReminder.IsZero() {
		return nil
	}
	_, _, err := job.Enqueue(tx, job.New{Kind: dueJob, RunAt: w.NextReminder, Args: dueArgs{w.Contact, w.NextReminder.UnixMilli(), activity}, MaxAttempts: 20,
		UniqueKey: dueKey(w)})
	return err
}

// dueKey names the announcement of the reminder of some work.
func dueKey(w Work) string { return fmt.Sprintf("%s:%d", w.Contact, w.NextReminder.UnixMilli()) }

// reminderDue appends handover.reminder_due ("at:<Unix ms>", "agent:<id>",
// "activity:<id>") and interaction.updated for the reminder's entry of the
// timeline, once, with the job's end. A reminder that was moved, taken away or put
// away with its contact is not due any more. What is due stays set until somebody
// changes it.
func (s *Service) reminderDue(ctx context.Context, j *job.Job) error {
	var args dueArgs
	if err := j.Decode(&args); err != nil {
		return job.GiveUp(err)
	}
	return s.db.Write(ctx, j.Tenant, func(tx *store.Tx) error {
		if err := s.announce(tx, args); err != nil {
			return err
		}
		return j.Complete(tx)
	})
}

func (s *Service) announce(tx *store.Tx, args dueArgs) error {
	c, err := s.contacts.LockedIn(tx, args.Contact)
	if fault.As(err) != nil {
		return nil // erased
	}
	if err != nil {
		return err
	}
	w, found, err := load(tx, c.ID)
	if err != nil || !found || w.Status == Archived || w.NextReminder.UnixMilli() != args.At {
		return err
	}
	changed := []string{fmt.Sprint("at:", args.At)}
	if !w.Agent.IsZero() {
		changed = append(changed, "agent:"+w.Agent.String())
	}
	if !args.Activity.IsZero() {
		changed = append(changed, "activity:"+args.Activity.String())
		if _, err := s.log.Append(tx, event.New{Type: "interaction.updated", Subject: args.Activity, Contact: w.Contact, Changed: []string{"due"}, Actor: "system"}); err != nil {
			return err
		}
	}
	_, err = s.log.Append(tx, event.New{Type: "handover.reminder_due", Subject: w.Contact, Contact: w.Contact, Changed: changed, Actor: "system"})
	return err
}

// Due reports whether the reminder of some work has come.
func (w Work) Due(now time.Time) bool {
	return !w.NextReminder.IsZero() && !w.NextReminder.After(now) && w.Status != Archived
}
