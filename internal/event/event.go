// Package event owns the feed: an append-only record of what happened, written
// in the transaction that made it happen. Every noun appends to it; every
// reaction reads from it, either as a reactor (a durable job per event) or as a
// reader with a cursor. It knows no noun: subjects are ids, and an event carries
// ids and field names, never personal values.
package event

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/internal/id"
	"parley/internal/store"
)

// Topic is the wake that every appended event raises; its key is the tenant's id.
const Topic = "event"

// Event is one entry of the feed.
type Event struct {
	Cursor  Cursor    `json:"cursor"`
	Tenant  id.ID     `json:"-"`
	Type    string    `json:"type"`    // "contact.created": noun, dot, past participle
	Subject id.ID     `json:"subject"` // the row of the noun that Type names
	Contact id.ID     `json:"contact"` // the person concerned, zero when none
	Changed []string  `json:"changed,omitempty"`
	Actor   string    `json:"actor"`           // "key:<id>", "run:<id>", "channel:whatsapp", "system"
	Cause   string    `json:"cause,omitempty"` // the run or event that led to this one
	At      time.Time `json:"at"`
}

// New is what a noun appends. Type, Subject and Actor are required.
type New struct {
	Type    string
	Subject id.ID
	Contact id.ID
	Changed []string
	Actor   string
	Cause   string
}

// Log is the feed with its reactors. Register every reactor before the first
// Append; after that a Log is safe for concurrent use.
type Log struct {
	reactors []Reactor
}

// NewLog returns a feed without reactors.
func NewLog() *Log { return &Log{} }

// Append writes an event in tx and enqueues one job for every reactor that
// wants it, so that both commit with what happened or not at all.
func (l *Log) Append(tx *store.Tx, n New) (Event, error) {
	if n.Type == "" || n.Subject.IsZero() || n.Actor == "" {
		return Event{}, fmt.Errorf("event: an event needs a type, a subject and an actor: %+v", n)
	}
	e := Event{Tenant: tx.Tenant(), Type: n.Type, Subject: n.Subject, Contact: n.Contact,
		Changed: n.Changed, Actor: n.Actor, Cause: n.Cause, At: tx.Now()}
	var err error
	e.Cursor.XID, e.Cursor.Seq, err = tx.InsertFed("INSERT INTO event (tenant_id, xid, type, subject, contact_id, changed, actor, cause, at) VALUES (?,"+
		tx.Dialect().XID()+",?,?,?,?,?,?,?)",
		e.Type, e.Subject, e.Contact, store.JSON(e.Changed), e.Actor, store.NullText(e.Cause), e.At)
	if err != nil {
		return Event{}, fmt.Errorf("event: append %s: %w", n.Type, err)
	}
	if err := l.owe(tx, e); err != nil {
		return Event{}, err
	}
	if err := l.oweAll(tx, []Event{e}); err != nil {
		return Event{}, err
	}
	tx.Wake(Topic, tx.Tenant().String())
	return e, nil
}

// Reactor answers events with work of its own, once per event, by a job or a row
// of its ledger that is written with the event.
type Reactor struct {
	Name  string   // names the job kind "react.<name>"
	Types []string // exact types, or "noun.*"
	// Wants narrows Types further with a query in the event's own transaction;
	// nil wants all of them. It must be cheap.
	Wants func(tx *store.Tx, e Event) (bool, error)
	// Owe, when set, takes the place of Wants and of the job: it writes what the
	// reactor owes into a ledger of its own, in the event's own transaction. It must
	// be cheap too.
	Owe func(tx *store.Tx, e Event) error
	// OweAll takes the place of Owe for a reactor that owes events which are appended
	// together less than each of them alone.
	OweAll      func(tx *store.Tx, list []Event) error
	Priority    int
	MaxAttempts int
}

func (r *Reactor) kind() string { return "react." + r.Name }

func (r *Reactor) matches(typ string) bool {
	noun, _, _ := strings.Cut(typ, ".")
	return slices.Contains(r.Types, typ) || slices.Contains(r.Types, noun+".*")
}

// Register adds a reactor and returns the name of its job kind, whose handler
// the reactor's room gives to the job runner. The job's args are the Event.
func (l *Log) Register(r Reactor) (kind string) {
	l.reactors = append(l.reactors, r)
	return r.kind()
}
