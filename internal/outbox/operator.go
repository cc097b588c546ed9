package outbox

import (
	"context"
	"time"

	"parley/internal/conversation"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/outbox/ledger"
	"parley/internal/store"
)

// listLimit bounds a list for operators.
const listLimit = 1000

// Entry is a message whose outcome is unknown.
type Entry struct {
	Message      id.ID
	Account      id.ID
	Conversation id.ID
	Contact      id.ID
	Attempt      int
	TriedAt      time.Time // when it was handed over
	Since        time.Time // since when it is unknown
	Why          string
}

// Unknown lists the messages whose outcome is unknown, the longest first, at
// most 1000.
func (o *Outbox) Unknown(ctx context.Context, tenant id.ID) ([]Entry, error) {
	rows, err := ledger.Unknowns(o.db.Read(ctx, tenant), listLimit)
	out := make([]Entry, 0, len(rows))
	for _, r := range rows {
		out = append(out, Entry{Message: r.ID, Account: r.Account, Conversation: r.Conversation, Contact: r.Contact, Attempt: r.Attempt,
			TriedAt: r.TriedAt, Since: r.UpdatedAt, Why: r.LastError})
	}
	return out, err
}

// Retry sends a message whose outcome is unknown again: the person may get it
// twice, which is the operator's decision. Faults: NotFound; Conflict when the
// outcome is known meanwhile, or the message's account was disconnected.
func (o *Outbox) Retry(ctx context.Context, tenant id.ID, by string, message id.ID) error {
	return o.decide(ctx, tenant, message, func(tx *store.Tx, row ledger.Row) error {
		held, err := o.accounts.HoldIn(tx, row.Account)
		if err == nil {
			_, err = o.accounts.Get(tx, row.Account)
		}
		if f := fault.As(err); err == nil && !held || f != nil && f.Code == fault.NotFound {
			return fault.New(fault.Conflict, "the channel of the message was disconnected; cancel the message and write a new one")
		}
		if err != nil {
			return err
		}
		return o.messages.UncertainIn(tx, by, message, nil)
	}, ledger.Change{From: []string{ledger.Unknown}, To: ledger.Queued})
}

// Cancel gives a message whose outcome is unknown up: it counts as failed,
// until a receipt says otherwise. Faults as Retry's.
func (o *Outbox) Cancel(ctx context.Context, tenant id.ID, by string, message id.ID) error {
	why := conversation.SendFailure{Title: "cancelled; whether the message was sent is not known"}
	return o.decide(ctx, tenant, message, func(tx *store.Tx, _ ledger.Row) error {
		return o.messages.FailedIn(tx, by, message, why)
	}, ledger.Change{From: []string{ledger.Unknown}, To: ledger.Cancelled, Why: why.Title})
}

func (o *Outbox) decide(ctx context.Context, tenant, message id.ID, then func(tx *store.Tx, row ledger.Row) error, c ledger.Change) error {
	return o.db.Write(ctx, tenant, func(tx *store.Tx) error {
		if err := o.messages.LockIn(tx, message); err != nil {
			return err
		}
		row, found, err := ledger.Get(tx, message)
		if err == nil && !found {
			err = fault.Unknown("message")
		}
		if err != nil {
			return err
		}
		step := c
		step.Attempt, step.NextAt = row.Attempt, tx.Now()
		ok, err := ledger.ApplyIn(tx, message, step)
		if err != nil {
			return err
		}
		if !ok {
			return fault.New(fault.Conflict, "the message is %s by now; only one whose outcome is unknown can be settled", row.State)
		}
		return then(tx, row)
	})
}
