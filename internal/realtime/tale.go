package realtime

import (
	"context"
	"sync"
	"time"

	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/realtime/socketio"
)

// Bounds of the tales that are kept: long enough for the clients that all come
// back after a restart, short enough that a row erased since is not shown again.
// A message of more than keepBytes is made anew for each who is told the past.
const (
	keepTales = 1000
	keepBytes = 8 << 10
	keepFor   = 20 * time.Second
)

// tries is how often a message that cannot be made is tried, once in idle, before
// the feed goes on without it; for a minute after that every failure is final, so
// that what keeps failing does not hold everybody up for long.
const (
	tries = 4
	curt  = time.Minute
)

// message is what is sent: nil when there is nothing to say.
type message struct {
	*socketio.Message
	rooms []string
}

// tale is an event as it is told. It is shared by the follower and by all who
// are told the past, so that a message is made and encoded once.
type tale struct {
	e     event.Event
	at    time.Time
	slots []slot
}

// slot is one message of a tale.
type slot struct {
	push Push

	mu       sync.Mutex
	done     bool
	made     message
	failures int
	failedAt time.Time
}

// tales keeps the newest, by their event's cursor.
type tales struct {
	mu    sync.Mutex
	known map[event.Cursor]*tale
	order []*tale
}

// of returns the tale of an event.
func (ts *tales) of(d *Dispatcher, e event.Event) *tale {
	now := d.db.Clock().Now()
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for len(ts.order) > 0 && (len(ts.order) >= keepTales || now.Sub(ts.order[0].at) > keepFor) {
		delete(ts.known, ts.order[0].e.Cursor)
		ts.order[0] = nil
		ts.order = ts.order[1:]
	}
	if t := ts.known[e.Cursor]; t != nil {
		return t
	}
	pushes := d.face.Translate(e)
	t := &tale{e: e, at: now, slots: make([]slot, len(pushes))}
	for i, p := range pushes {
		t.slots[i].push = p
	}
	ts.known[e.Cursor] = t
	ts.order = append(ts.order, t)
	return t
}

// make returns the message of a slot. An error is worth another try.
func (s *slot) make(ctx context.Context, d *Dispatcher, t *tale, index int) (message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return s.made, nil
	}
	body, err := s.push.Make(ctx)
	f := fault.As(err)
	switch {
	case err == nil:
	case f != nil && f.Code == fault.NotFound: // the row has gone since
		s.done = true
		return message{}, nil
	default:
		return message{}, s.failed(ctx, d, t, err)
	}
	at := whole(t.e.Cursor)
	if index < len(t.slots)-1 {
		at.Index = int32(index)
	}
	m, err := socketio.NewMessage(s.push.Event, at, body.Args...)
	if err != nil {
		d.log.Error("a live message cannot be encoded", "event", s.push.Event, "error", err)
		s.done = true
		return message{}, nil
	}
	made := message{Message: m, rooms: []string{roomOf(t.e.Tenant, "")}}
	for _, name := range body.Rooms {
		made.rooms = append(made.rooms, roomOf(t.e.Tenant, name))
	}
	if m.Size() <= keepBytes {
		s.done, s.made = true, made
	}
	return made, nil
}

// failed counts a failure and gives the message up after many.
func (s *slot) failed(ctx context.Context, d *Dispatcher, t *tale, err error) error {
	if ctx.Err() != nil {
		return err
	}
	if now := d.db.Clock().Now(); s.failures == 0 || now.Sub(s.failedAt) >= idle {
		s.failures, s.failedAt = s.failures+1, now
	}
	now := d.db.Clock().Now().UnixNano()
	if last := d.gaveUp.Load(); s.failures < tries && (last == 0 || now-last > int64(curt)) {
		return err
	}
	d.gaveUp.Store(now)
	d.log.Error("an event could not be told to live clients and is left out", "type", t.e.Type, "subject", t.e.Subject, "as", s.push.Event, "error", err)
	s.done = true
	return nil
}
