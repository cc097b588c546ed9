// Package realtime owns live delivery: it follows the feed and tells connected
// clients what happened. What an event looks like on the wire belongs to a
// face, which hands in a Translator; how it travels belongs to the transport
// below (package socketio). Each node follows the feed by itself and serves the
// sockets connected to it.
package realtime

import (
	"context"
	"log/slog"
	"time"

	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/store"
)

// Push is one message for a room.
type Push struct {
	Room    string
	Event   string
	Payload any
}

// Translator turns an event of the feed into messages. It may read; an error
// costs this event its messages, not the feed.
type Translator func(ctx context.Context, e event.Event) ([]Push, error)

// Transport delivers to the sockets that are in a room.
type Transport interface {
	Emit(room, event string, args ...any) int
	// Busy reports whether anybody is connected; without listeners nothing is read.
	Busy() bool
}

// Dispatcher follows the feed for one node.
type Dispatcher struct {
	db          *store.DB
	transport   Transport
	translators []Translator
	log         *slog.Logger
}

// batch bounds how many events are read at once; idle is how long the follower
// waits for a wake before it looks by itself; calm gathers the wakes of a busy
// moment into one look.
const (
	batch = 500
	idle  = time.Second
	calm  = 10 * time.Millisecond
)

// New returns a dispatcher.
func New(db *store.DB, t Transport, log *slog.Logger, translators ...Translator) *Dispatcher {
	return &Dispatcher{db: db, transport: t, translators: translators, log: log}
}

// Run follows the feed from its present end until ctx ends.
func (d *Dispatcher) Run(ctx context.Context) error {
	kick := make(chan struct{}, 1)
	stop := d.db.OnWake(event.Topic, func(string) {
		select {
		case kick <- struct{}{}:
		default:
		}
	})
	defer stop()
	cursor, err := d.end(ctx)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		n, err := 0, error(nil)
		// The end is taken before the look whether anybody listens, so that whoever
		// connects in between misses nothing.
		if end, eerr := d.end(ctx); !d.transport.Busy() {
			if err = eerr; err == nil {
				cursor = end
			}
		} else {
			cursor, n, err = d.follow(ctx, cursor)
		}
		if err != nil && ctx.Err() == nil {
			d.log.Error("could not read the feed for live clients", "error", err)
		}
		if n == batch {
			continue
		}
		d.wait(ctx, kick)
	}
	return nil
}

func (d *Dispatcher) end(ctx context.Context) (event.Cursor, error) {
	return event.End(d.db.Read(ctx, id.Zero))
}

// follow tells the events after a cursor, at most a batch of them.
func (d *Dispatcher) follow(ctx context.Context, cursor event.Cursor) (event.Cursor, int, error) {
	events, err := event.AfterAll(d.db.Read(ctx, id.Zero), cursor, batch)
	for _, e := range events {
		cursor = e.Cursor
		d.tell(ctx, e)
	}
	return cursor, len(events), err
}

// wait returns calm after a wake, or when the follower has been idle for long:
// on PostgreSQL the newest events may lie beyond the horizon when the wake comes.
func (d *Dispatcher) wait(ctx context.Context, kick <-chan struct{}) {
	timer, stop := d.db.Clock().After(idle)
	defer stop()
	select {
	case <-timer:
		return
	case <-ctx.Done():
		return
	case <-kick:
	}
	soon, stopSoon := d.db.Clock().After(calm)
	defer stopSoon()
	select {
	case <-soon:
	case <-ctx.Done():
	}
}

func (d *Dispatcher) tell(ctx context.Context, e event.Event) {
	for _, translate := range d.translators {
		pushes, err := translate(ctx, e)
		if err != nil && ctx.Err() == nil {
			d.log.Warn("an event could not be told to live clients", "type", e.Type, "subject", e.Subject, "error", err)
		}
		for _, p := range pushes {
			d.transport.Emit(p.Room, p.Event, p.Payload)
		}
	}
}
