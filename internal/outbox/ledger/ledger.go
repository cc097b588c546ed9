// Package ledger owns the table outbox: one row per outgoing message, with the
// id of the message, and the only statements that change its state. The rooms
// conversation (which promises messages and receives their receipts) and outbox
// (which hands them over) are its only callers; it knows neither.
//
// # States
//
// queued: to be handed over at NextAt. sending: handed over under a lease; the
// answer is fenced by Attempt. unknown: the provider may have taken it. sent,
// failed, cancelled: ended. An ended row moves again only to agree with a
// receipt, which is a fact.
package ledger

import (
	"database/sql"
	"fmt"
	"strings"
	"time"

	"parley/internal/channel"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// Name is the name of the ledger; its lanes are ids of accounts.
const Name = "outbox"

// The states of a row.
const (
	Queued    = "queued"
	Sending   = "sending"
	Unknown   = "unknown"
	Sent      = "sent"
	Failed    = "failed"
	Cancelled = "cancelled"
)

// Row is one outgoing message on its way.
type Row struct {
	ID           id.ID // the message's
	Account      id.ID
	Conversation id.ID
	Contact      id.ID
	State        string
	Attempt      int // how often it was handed over
	Failures     int // refusals of this message that allowed another try
	NextAt       time.Time
	LeaseUntil   time.Time
	TriedAt      time.Time // when it was last handed over
	Content      Content
	LastError    string
	QueuedAt     time.Time
	UpdatedAt    time.Time
}

// Content is what is handed over: a channel.Outgoing without the parts that
// change with each attempt.
type Content struct {
	To       string                `json:"to"`
	Kind     string                `json:"kind"`
	Text     string                `json:"text,omitempty"`
	Media    *channel.Media        `json:"media,omitempty"`
	Template *channel.TemplateSend `json:"template,omitempty"`
	Reaction string                `json:"reaction,omitempty"`
	Prompt   *channel.Prompt       `json:"prompt,omitempty"`
	// ReplyTo is our id of the message this one answers, or reacts to. Its
	// provider id is looked up when the row is handed over.
	ReplyTo id.ID `json:"replyTo,omitzero"`
	// Purpose is what the message is for, for the consent that is asked when it is
	// handed over; "" for one that was promised before purposes were recorded.
	Purpose string `json:"purpose,omitempty"`
}

const columns = "id, account_id, conversation_id, contact_id, state, attempt, failures, next_at, lease_until, tried_at, sending, last_error, queued_at, updated_at"

// scan reads a row selected with columns.
func scan(row interface{ Scan(...any) error }) (Row, error) {
	var r Row
	err := row.Scan(&r.ID, &r.Account, &r.Conversation, &r.Contact, &r.State, &r.Attempt, &r.Failures, store.Time(&r.NextAt),
		store.Time(&r.LeaseUntil), store.Time(&r.TriedAt), store.JSON(&r.Content), store.Text(&r.LastError), store.Time(&r.QueuedAt), store.Time(&r.UpdatedAt))
	return r, err
}

// EnqueueIn promises a message: ID, Account, Conversation, Contact and Content
// of r are used.
func EnqueueIn(tx *store.Tx, r Row) error {
	_, err := tx.Exec(`INSERT INTO outbox (tenant_id, id, account_id, conversation_id, contact_id, state, attempt, failures, next_at, sending, queued_at, updated_at)
		VALUES (?,?,?,?,?,'queued',0,0,?,?,?,?)`, r.ID, r.Account, r.Conversation, r.Contact, tx.Now(), store.JSON(r.Content), tx.Now(), tx.Now())
	if err != nil {
		return fmt.Errorf("outbox: enqueue: %w", err)
	}
	job.WakeLane(tx, Name, r.Account.String())
	return nil
}

// Get returns a row; found is false when the message never was ours to send.
func Get(r store.Reader, message id.ID) (row Row, found bool, err error) {
	row, err = scan(r.QueryRow("SELECT "+columns+" FROM outbox WHERE tenant_id=? AND id=?", message))
	found, err = store.Found(err)
	return row, found, err
}

// Unknowns returns the rows whose outcome is unknown, the longest first.
func Unknowns(r store.Reader, limit int) ([]Row, error) {
	rows, err := r.Query("SELECT "+columns+" FROM outbox WHERE tenant_id=? AND state='unknown' ORDER BY updated_at, id LIMIT ?", limit)
	return store.Collect(rows, err, func(rows *sql.Rows) (Row, error) { return scan(rows) })
}

// blocked is the condition of a row that has to wait for another: the ones that keep later ones of their conversation
// waiting, behind the partial index outbox_open. A row whose outcome is unknown
// does not: it may stay so for days.
const blocked = `EXISTS (SELECT 1 FROM outbox e WHERE e.tenant_id=o.tenant_id AND e.conversation_id=o.conversation_id
	AND e.state IN ('queued', 'sending', 'unknown') AND (e.state='sending' OR e.state='queued' AND e.id<o.id))`

// Due returns up to limit rows of an account that may be handed over at now:
// the first of each conversation that has nothing under way.
func Due(r store.Reader, account id.ID, now time.Time, limit int) ([]Row, error) {
	rows, err := r.Query("SELECT "+columns+" FROM outbox o WHERE o.tenant_id=? AND o.account_id=? AND o.state='queued' AND o.next_at<=? AND NOT "+
		blocked+" ORDER BY o.next_at, o.id LIMIT ?", account, now, limit)
	return store.Collect(rows, err, func(rows *sql.Rows) (Row, error) { return scan(rows) })
}

// Next returns when the account's next row after now falls due, zero when none does.
func Next(r store.Reader, account id.ID, now time.Time) (time.Time, error) {
	var t time.Time
	_, err := store.Found(r.QueryRow("SELECT next_at FROM outbox WHERE tenant_id=? AND account_id=? AND state='queued' AND next_at>? ORDER BY next_at LIMIT 1",
		account, now).Scan(store.Time(&t)))
	return t, err
}

// Lane is an account with rows to hand over.
type Lane struct {
	Tenant, Account id.ID
	At              time.Time // when the first of them may go
}

// Lanes returns every account, of all tenants, that has rows to hand over now
// or later. An account that is paused is due when its pause ends.
func Lanes(r store.Reader) ([]Lane, error) {
	rows, err := r.All().Query(`SELECT tenant_id, id, paused_until, due FROM (
		SELECT a.tenant_id, a.id, a.paused_until, (SELECT o.next_at FROM outbox o WHERE o.tenant_id=a.tenant_id AND o.account_id=a.id
			AND o.state='queued' AND NOT ` + blocked + ` ORDER BY o.next_at LIMIT 1) AS due
		FROM channel_account a) x WHERE due IS NOT NULL ORDER BY due, id`)
	return store.Collect(rows, err, func(rows *sql.Rows) (Lane, error) {
		var l Lane
		var paused time.Time
		err := rows.Scan(&l.Tenant, &l.Account, store.Time(&paused), store.Time(&l.At))
		if paused.After(l.At) {
			l.At = paused
		}
		return l, err
	})
}

// Tries returns when messages of a conversation were handed over since a
// moment, oldest first, sent or not.
func Tries(r store.Reader, conversation id.ID, since time.Time) ([]time.Time, error) {
	rows, err := r.Query("SELECT tried_at FROM outbox WHERE tenant_id=? AND conversation_id=? AND tried_at IS NOT NULL AND tried_at>? ORDER BY tried_at", conversation, since)
	return store.Collect(rows, err, func(rows *sql.Rows) (time.Time, error) {
		var t time.Time
		err := rows.Scan(store.Time(&t))
		return t, err
	})
}

// ClaimIn takes a queued row under a lease: from now on it may have been sent.
// It reports false when somebody else was faster or the conversation has
// something under way. The caller holds the lock of the conversation's contact.
func ClaimIn(tx *store.Tx, r Row, lease time.Time) (bool, error) {
	n, err := tx.Exec(`UPDATE outbox AS o SET state='sending', attempt=attempt+1, lease_until=?, tried_at=?, updated_at=?
		WHERE o.tenant_id=? AND o.id=? AND o.state='queued' AND o.attempt=? AND NOT `+blocked, lease, tx.Now(), tx.Now(), r.ID, r.Attempt)
	return n == 1, err
}

// PostponeIn puts off every queued row of a conversation until a moment.
func PostponeIn(tx *store.Tx, conversation id.ID, until time.Time) error {
	_, err := tx.Exec("UPDATE outbox SET next_at=?, updated_at=? WHERE tenant_id=? AND conversation_id=? AND state='queued' AND next_at<?",
		until, tx.Now(), conversation, until)
	return err
}

// Change is a step of the state machine for one row.
type Change struct {
	From    []string  // the states it may be in
	Attempt int       // the attempt the step answers; 0 = any
	To      string    // the new state
	NextAt  time.Time // for To queued
	Failed  bool      // counts a failure
	Why     string    // last_error; "" clears it
}

// ApplyIn takes the step if the row still stands where the change expects it.
func ApplyIn(tx *store.Tx, message id.ID, c Change) (bool, error) {
	q := "UPDATE outbox SET state=?, lease_until=NULL, last_error=?, updated_at=?"
	args := []any{c.To, store.NullText(c.Why), tx.Now()}
	if c.To == Queued {
		q += ", next_at=?"
		args = append(args, c.NextAt)
	}
	if c.Failed {
		q += ", failures=failures+1"
	}
	q += " WHERE tenant_id=? AND id=?"
	args = append(args, message)
	if c.Attempt > 0 {
		q += " AND attempt=?"
		args = append(args, c.Attempt)
	}
	for i, s := range c.From {
		if i == 0 {
			q += " AND state IN (?"
		} else {
			q += ",?"
		}
		args = append(args, s)
	}
	if len(c.From) > 0 {
		q += ")"
	}
	n, err := tx.Exec(q, args...)
	if err != nil || n == 0 {
		return false, err
	}
	var account id.ID
	if err := tx.QueryRow("SELECT account_id FROM outbox WHERE tenant_id=? AND id=?", message).Scan(&account); err != nil {
		return false, err
	}
	// Whatever the step was, the conversation's next row may be free now.
	job.WakeLane(tx, Name, account.String())
	return true, nil
}

// AgreeIn brings a row in line with a receipt: the message is at the provider,
// or has failed there. A row that was never handed over is left alone, since no
// receipt can be about it.
func AgreeIn(tx *store.Tx, message id.ID, state, why string) error {
	n, err := tx.Exec("UPDATE outbox SET state=?, lease_until=NULL, last_error=?, updated_at=? WHERE tenant_id=? AND id=? AND attempt>0 AND state<>?",
		state, store.NullText(why), tx.Now(), message, state)
	if err != nil || n == 0 {
		return err
	}
	var account id.ID
	if err := tx.QueryRow("SELECT account_id FROM outbox WHERE tenant_id=? AND id=?", message).Scan(&account); err != nil {
		return err
	}
	job.WakeLane(tx, Name, account.String())
	return nil
}

// DropIn removes the rows of a conversation that is deleted.
func DropIn(tx *store.Tx, conversation id.ID) error {
	_, err := tx.Exec("DELETE FROM outbox WHERE tenant_id=? AND conversation_id=?", conversation)
	return err
}

// Stale is an attempt without an outcome.
type Stale struct {
	Tenant, Account, ID id.ID
	Kind                string // of the account
	State               string
	Attempt             int
}

// Overdue returns attempts of all tenants whose lease has ended at leasedBefore,
// and unknown ones with fewer than maxFailures failures that have not changed
// since unknownBefore and whose account is of one of the kinds.
func Overdue(r store.Reader, leasedBefore, unknownBefore time.Time, kinds []string, maxFailures, limit int) ([]Stale, error) {
	const from = "SELECT o.tenant_id, o.account_id, o.id, a.kind, o.state, o.attempt FROM outbox o JOIN channel_account a ON a.tenant_id=o.tenant_id AND a.id=o.account_id WHERE "
	read := func(rows *sql.Rows) (s Stale, err error) {
		err = rows.Scan(&s.Tenant, &s.Account, &s.ID, &s.Kind, &s.State, &s.Attempt)
		return s, err
	}
	rows, err := r.All().Query(from+"o.state='sending' AND o.lease_until<=? ORDER BY o.lease_until LIMIT ?", leasedBefore, limit)
	all, err := store.Collect(rows, err, read)
	for _, k := range kinds {
		if err != nil {
			return nil, err
		}
		var more []Stale
		rows, qerr := r.All().Query(from+"o.state='unknown' AND o.updated_at<=? AND a.kind=? AND o.failures<? ORDER BY o.updated_at LIMIT ?", unknownBefore, k, maxFailures, limit)
		more, err = store.Collect(rows, qerr, read)
		all = append(all, more...)
	}
	return all, err
}

// Tidy takes out of a foreign text what a database cannot hold: NUL and what is
// no UTF-8.
func Tidy(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}
