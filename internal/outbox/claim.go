package outbox

import (
	"context"
	"fmt"
	"time"

	"parley/internal/channel"
	"parley/internal/conversation"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/outbox/ledger"
	"parley/internal/store"
)

// actor is who changes messages on the way out.
const actor = "outbox"

// Due implements job.Ledger: accounts of all tenants, one of each tenant in turn.
func (o *Outbox) Due(ctx context.Context, now time.Time, limit int) ([]job.Lane, time.Time, error) {
	all, err := ledger.Lanes(o.db.Read(ctx, id.Zero))
	if err != nil {
		return nil, time.Time{}, err
	}
	var next time.Time
	turns := map[id.ID][]job.Lane{}
	var tenants []id.ID
	for _, l := range all {
		if l.At.After(now) {
			if next.IsZero() || l.At.Before(next) {
				next = l.At
			}
			continue
		}
		if turns[l.Tenant] == nil {
			tenants = append(tenants, l.Tenant)
		}
		turns[l.Tenant] = append(turns[l.Tenant], job.Lane{Tenant: l.Tenant, Name: l.Account.String()})
	}
	var lanes []job.Lane
	for len(tenants) > 0 && len(lanes) < limit {
		t := tenants[0]
		tenants = tenants[1:]
		lanes = append(lanes, turns[t][0])
		if turns[t] = turns[t][1:]; len(turns[t]) > 0 {
			tenants = append(tenants, t)
		}
	}
	return lanes, next, nil
}

// claimed is what one claim transaction took.
type claimed struct {
	sends   []channel.Outgoing
	rows    []ledger.Row
	uploads []upload
	next    time.Time
}

// Claim implements job.Ledger.
func (o *Outbox) Claim(ctx context.Context, l job.Lane, n int) ([]job.Work, time.Time, error) {
	accountID, err := id.Parse(l.Name)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("outbox: %q is no lane: %w", l.Name, err)
	}
	r, now := o.db.Read(ctx, l.Tenant), o.clock.Now()
	a, err := o.accounts.Get(r, accountID)
	if fault.As(err) != nil {
		return nil, time.Time{}, nil // disconnected: nothing of it can leave
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	if until, _, err := o.accounts.Paused(r, accountID); err != nil || !until.IsZero() {
		return nil, until, err
	}
	ch := o.channels[a.Kind]
	if ch == nil {
		o.o.Logger.Error("no channel of this kind runs here; its messages wait", "kind", a.Kind, "account", a.ID)
		return nil, time.Time{}, o.pause(ctx, l.Tenant, accountID, now.Add(time.Minute), "this server has no channel of the account's kind")
	}
	// A look without a transaction spares the writer the idle claims.
	if due, err := ledger.Due(r, accountID, now, 1); err != nil || len(due) == 0 {
		if err != nil {
			return nil, time.Time{}, err
		}
		next, err := ledger.Next(r, accountID, now)
		return nil, next, err
	}
	caps := ch.Capabilities()
	granted, again := o.pace.take(accountID, caps.PerSecond, n, now)
	if granted == 0 {
		return nil, again, nil
	}
	got, err := store.Write(ctx, o.db, l.Tenant, func(tx *store.Tx) (claimed, error) { return o.claimIn(tx, a, caps, granted) })
	o.pace.giveBack(accountID, caps.PerSecond, granted-len(got.rows))
	if err != nil {
		return nil, time.Time{}, err
	}
	work := make([]job.Work, len(got.rows), len(got.rows)+len(got.uploads))
	for i := range got.rows {
		work[i] = o.work(a, ch, got.rows[i], got.sends[i])
	}
	for _, u := range got.uploads {
		work = append(work, o.carry(a, ch.(channel.Uploader), u))
	}
	return work, got.next, nil
}

func (o *Outbox) pause(ctx context.Context, tenantID, accountID id.ID, until time.Time, why string) error {
	return o.db.Write(ctx, tenantID, func(tx *store.Tx) error { return o.accounts.PauseIn(tx, accountID, until, why) })
}

// claimRounds bounds how often a claim looks for further rows after all it
// found were refused or put off.
const claimRounds = 8

func (o *Outbox) claimIn(tx *store.Tx, a channel.Account, caps channel.Capabilities, n int) (claimed, error) {
	var out claimed
	for round := 0; round < claimRounds && len(out.rows)+len(out.uploads) == 0; round++ {
		due, err := ledger.Due(tx, a.ID, tx.Now(), n)
		if err != nil {
			return claimed{}, err
		}
		if len(due) == 0 {
			out.next, err = ledger.Next(tx, a.ID, tx.Now())
			return out, err
		}
		var keys []string
		for _, row := range due {
			key, err := o.lockKey(tx, row)
			if err != nil {
				return claimed{}, err
			}
			keys = append(keys, key)
		}
		// From here on nobody can change these people's consent, and no other lane
		// can take a row of the same conversation, until the intent is on disk.
		if err := tx.Lock("contact", keys...); err != nil {
			return claimed{}, err
		}
		for _, row := range due {
			if err := o.tryIn(tx, a, caps, row, &out); err != nil {
				return claimed{}, err
			}
		}
	}
	out.next = tx.Now() // there may be more at once
	return out, nil
}

// lockKey is the contact, or for a person we do not know the conversation. The
// row may have been written before its contact was merged into another.
func (o *Outbox) lockKey(tx *store.Tx, r ledger.Row) (string, error) {
	if r.Contact.IsZero() {
		return r.Conversation.String(), nil
	}
	if tx.Dialect() == store.SQLite {
		return r.Contact.String(), nil // locks nothing: there is one writer
	}
	who, err := o.contacts.Resolve(tx, r.Contact)
	return who.String(), err
}

// tryIn takes one row through the gate: it is claimed, put off, or cancelled.
func (o *Outbox) tryIn(tx *store.Tx, a channel.Account, caps channel.Capabilities, row ledger.Row, out *claimed) error {
	why, err := o.refusalIn(tx, a, row)
	if err != nil {
		return err
	}
	if why != nil {
		return o.cancelIn(tx, row, *why)
	}
	waits, err := o.filesIn(tx, a, &row, out)
	if err != nil || waits {
		return err
	}
	if caps.PairGap > 0 {
		tries, err := ledger.Tries(tx, row.Conversation, tx.Now().Add(-pairMemory(caps)))
		if err != nil {
			return err
		}
		if at := pairOpens(tries, caps, tx.Now()); at.After(tx.Now()) {
			return ledger.PostponeIn(tx, row.Conversation, at)
		}
	}
	took, err := ledger.ClaimIn(tx, row, tx.Now().Add(o.o.Lease))
	if err != nil || !took {
		return err
	}
	send := channel.Outgoing{ID: row.ID, Attempt: row.Attempt + 1, To: row.Content.To, Kind: row.Content.Kind, Text: row.Content.Text,
		Media: row.Content.Media, Template: row.Content.Template, Reaction: row.Content.Reaction, Prompt: row.Content.Prompt}
	if !row.Content.ReplyTo.IsZero() {
		if send.ReplyTo, err = o.messages.ReplyTarget(tx, row.Content.ReplyTo); err != nil {
			return err
		}
	}
	row.Attempt++
	out.rows, out.sends = append(out.rows, row), append(out.sends, send)
	return nil
}

// refusalIn checks consent and window as they are now. nil means go.
func (o *Outbox) refusalIn(tx *store.Tx, a channel.Account, row ledger.Row) (*conversation.SendFailure, error) {
	who, open, err := o.messages.Gate(tx, row.Conversation)
	if err != nil {
		return nil, err
	}
	for _, c := range []id.ID{who, row.Contact} {
		if c.IsZero() {
			continue
		}
		out, err := o.messages.Refused(tx, c, a.Kind, row.Content.Purpose)
		if err != nil {
			return nil, err
		}
		if out {
			return &conversation.SendFailure{Title: conversation.OptedOut(row.Content.Purpose)}, nil
		}
		if who == row.Contact {
			break
		}
	}
	if !open && row.Content.Kind != channel.TemplateMsg {
		return &conversation.SendFailure{Title: "the window for free text closed before the message could leave; send a template"}, nil
	}
	return nil, nil
}

// cancelIn ends a row that may not leave.
func (o *Outbox) cancelIn(tx *store.Tx, row ledger.Row, why conversation.SendFailure) error {
	if err := o.messages.LockIn(tx, row.ID); err != nil {
		return err
	}
	ok, err := ledger.ApplyIn(tx, row.ID, ledger.Change{From: []string{ledger.Queued}, To: ledger.Cancelled, Why: why.Title})
	if err != nil || !ok {
		return err
	}
	return o.messages.FailedIn(tx, actor, row.ID, why)
}
