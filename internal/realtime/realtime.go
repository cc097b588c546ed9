// Package realtime owns live delivery: it follows the feed and tells connected
// clients what happened. What an event looks like on the wire, and who may hear
// it, belongs to a Face; how it travels belongs to the transport below (package
// socketio). Each node follows the feed by itself and serves the sockets
// connected to it; no node remembers a socket that has gone.
//
// Every message carries its offset: its event's cursor in the feed, and its
// index among the messages of that event. A client that comes back with the
// last offset it got, to whichever node, is told first what it missed, read from
// the feed, and then hears on: each message once and in order (docs/decisions,
// 0017). What an event is told as is made from the rows as they are when it is
// told, so a message of a replay may show a later state than it did live.
package realtime

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/realtime/socketio"
	"parley/internal/store"
)

// Push is one of the messages that an event is told as.
type Push struct {
	Event string
	// Narrow says that the message may also concern rooms below the tenant's.
	Narrow bool
	// Make builds the message when somebody is there to hear it. fault.NotFound
	// means that its row has gone since: nothing is told.
	Make func(ctx context.Context) (Body, error)
}

// Body is what a message holds.
type Body struct {
	// Rooms are those below the tenant's room that it concerns, of a Narrow push.
	Rooms []string
	// Args are the arguments before the offset: none, or the payload.
	Args []any
}

// Guest is who a socket speaks for; the zero Guest hears nothing.
type Guest struct {
	Tenant id.ID
	Token  string // what Face.Check is asked about, as long as the socket is connected
	Data   any    // the face's own
}

// Face is the API that live clients speak.
type Face interface {
	// Admit says for whom a client speaks, or why it is refused.
	Admit(ctx context.Context, h socketio.Handshake) (Guest, error)
	// Check is asked again and again about the token of a connected client; a
	// *fault.Error disconnects it.
	Check(ctx context.Context, token string) error
	// Translate lists what an event is told as. The list depends on the event
	// alone, never on rows, so that an index means the same on every node.
	Translate(e event.Event) []Push
	// SocketEvent answers what a client sends.
	SocketEvent(ctx context.Context, s *Seat, name string, args []json.RawMessage, ack func(args ...any))
}

// Transport holds the sockets.
type Transport interface {
	Send(m *socketio.Message, rooms ...string) int
	// Occupied reports whether anybody is in a room, Concerned also below it.
	Occupied(room string) bool
	Concerned(room string) bool
	// Busy reports whether anybody is connected; without listeners nothing is read.
	Busy() bool
	Sockets() []*socketio.Socket
}

// Sealer makes texts that only the servers of one installation can make and
// read; *secret.Box is one.
type Sealer interface {
	Seal(plain, place string) string
	Open(sealed, place string) (string, error)
}

// Dispatcher follows the feed for one node and seats its clients.
type Dispatcher struct {
	db        *store.DB
	transport Transport
	face      Face
	sealer    Sealer
	log       *slog.Logger
	tales     tales
	missed    int          // maxMissed, but for tests
	gaveUp    atomic.Int64 // when a message was last left out, in nanoseconds

	// mu makes the telling of an event and the seating of a client one step each:
	// whoever is seated at the cursor hears all that follows it.
	mu     sync.Mutex
	begun  bool
	cursor event.Cursor // everything up to here has been told
}

// batch bounds how many events are read at once; idle is how long the follower
// waits for a wake before it looks by itself; calm gathers the wakes of a busy
// moment into one look; look is how often the clients' keys are looked at.
const (
	batch = 500
	idle  = time.Second
	calm  = 10 * time.Millisecond
	look  = 2 * time.Second
)

// New returns a dispatcher.
func New(db *store.DB, t Transport, f Face, sealer Sealer, log *slog.Logger) *Dispatcher {
	return &Dispatcher{db: db, transport: t, face: f, sealer: sealer, log: log, missed: maxMissed, tales: tales{known: map[event.Cursor]*tale{}}}
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
	if _, err := d.position(ctx); err != nil {
		return err
	}
	var watcher sync.WaitGroup
	watcher.Go(func() { d.watch(ctx) })
	defer watcher.Wait()
	for ctx.Err() == nil {
		n, err := d.follow(ctx)
		if err != nil && ctx.Err() == nil {
			d.log.Error("could not tell the feed to live clients; trying again", "error", err)
			d.wait(ctx, nil)
			continue
		}
		if n < batch {
			d.wait(ctx, kick)
		}
	}
	return nil
}

// position returns how far the feed has been told.
func (d *Dispatcher) position(ctx context.Context) (event.Cursor, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.begun {
		end, err := d.end(ctx)
		if err != nil {
			return end, err
		}
		d.cursor, d.begun = end, true
	}
	return d.cursor, nil
}

func (d *Dispatcher) end(ctx context.Context) (event.Cursor, error) {
	return event.End(d.db.Read(ctx, id.Zero))
}

// follow tells the events after the cursor, at most a batch of them.
func (d *Dispatcher) follow(ctx context.Context) (int, error) {
	if !d.transport.Busy() {
		// The end is taken before the second look whether anybody listens, so that
		// whoever is seated in between is seated before it and misses nothing.
		end, err := d.end(ctx)
		if err != nil {
			return 0, err
		}
		d.mu.Lock()
		quiet := !d.transport.Busy()
		if quiet {
			d.cursor = end
		}
		d.mu.Unlock()
		if quiet {
			return 0, nil
		}
	}
	cursor, err := d.position(ctx)
	if err != nil {
		return 0, err
	}
	events, err := event.AfterAll(d.db.Read(ctx, id.Zero), cursor, batch)
	for _, e := range events {
		if err := d.tell(ctx, e); err != nil {
			return 0, err
		}
	}
	return len(events), err
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
