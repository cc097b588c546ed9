package parley

import (
	"context"
	"encoding/json"
	"errors"
	"runtime/debug"
	"slices"
	"sync"
)

// ErrClosed is returned by a feed that was closed, or that the server told to go.
var ErrClosed = errors.New("parley: the live feed is closed")

// ErrDisconnected is returned by Emit when the connection breaks before the
// answer: whether the server took the event is not known.
var ErrDisconnected = errors.New("parley: the live feed is not connected")

// maxWaiting is how many events may wait for the callbacks. Beyond it the
// connection is given up, and taken up again where it stopped once they have
// caught up.
const maxWaiting = 4096

// Event is one event of the live feed.
type Event struct {
	Name string
	Args []json.RawMessage
}

// Decode reads the first argument, which is the payload, into v.
func (e Event) Decode(v any) error {
	if len(e.Args) == 0 {
		return errors.New("parley: the event " + e.Name + " has no payload")
	}
	return json.Unmarshal(e.Args[0], v)
}

// Connected tells how a connection began.
type Connected struct {
	// Recovered says that the feed goes on where the last connection broke off:
	// nothing is missing and nothing comes twice. Otherwise, and unless it is the
	// first connection, events in between may be missing: read anew what matters.
	Recovered bool
	// First says that it is the first connection of this feed.
	First bool
}

// Realtime is the live feed of the client. Callbacks run one at a time, in the
// order of the events; one that panics is logged and the next goes on. A callback
// may call On, Off, Emit and Close.
type Realtime struct {
	c *Client

	mu        sync.Mutex
	handlers  map[string][]*Subscription
	onConnect []func(Connected)
	onLoss    []func(error)
	state     feedState
	end       context.CancelFunc
	done      chan struct{} // closed when both goroutines have ended
	err       error         // why it ended
	conn      *conn         // the open connection, or nil
	pid       string        // private id for recovery
	offset    string        // of the last event that was queued
	everOpen  bool
	queue     []func()
	wake      chan struct{} // the queue has something, or has room again
}

type feedState uint8

const (
	feedIdle feedState = iota
	feedRunning
	feedClosed
)

// Subscription is a callback that can be taken away.
type Subscription struct {
	r    *Realtime
	name string
	fn   func(Event)
}

// Off takes the callback away. It does not wait for one that runs.
func (s *Subscription) Off() {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	// A new list: the old one may be in use.
	s.r.handlers[s.name] = slices.DeleteFunc(slices.Clone(s.r.handlers[s.name]), func(x *Subscription) bool { return x == s })
}

func newRealtime(c *Client) *Realtime {
	return &Realtime{c: c, handlers: map[string][]*Subscription{}, wake: make(chan struct{}, 1)}
}

// On calls fn for every event of the name; "*" is every event. It may be called
// before Connect.
func (r *Realtime) On(event string, fn func(Event)) *Subscription {
	s := &Subscription{r, event, fn}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.handlers[event] = append(slices.Clone(r.handlers[event]), s)
	return s
}

// Off takes away all callbacks of an event.
func (r *Realtime) Off(event string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.handlers, event)
}

// OnConnect calls fn when a connection begins, in order with the events.
func (r *Realtime) OnConnect(fn func(Connected)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.onConnect = append(r.onConnect, fn)
}

// OnDisconnect calls fn when a connection breaks, in order with the events. The
// feed comes back by itself unless it was closed.
func (r *Realtime) OnDisconnect(fn func(err error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.onLoss = append(r.onLoss, fn)
}

// Connect opens the feed and returns once the server has let it in. A key that
// the server refuses is an *AuthenticationError. ctx bounds the opening only: the
// feed then lives until Close, and reconnects with growing pauses when it breaks.
func (r *Realtime) Connect(ctx context.Context) error {
	r.mu.Lock()
	switch r.state {
	case feedRunning:
		r.mu.Unlock()
		return errors.New("parley: the live feed is open already")
	case feedClosed:
		r.mu.Unlock()
		return ErrClosed
	}
	life, end := context.WithCancel(context.Background())
	r.state, r.end, r.done = feedRunning, end, make(chan struct{})
	r.mu.Unlock()

	first, err := r.open(ctx)
	r.mu.Lock()
	if err == nil && life.Err() != nil {
		first.drop()
		err = ErrClosed
	}
	if err != nil {
		if r.state == feedRunning {
			r.state = feedIdle
		}
		end()
		close(r.done)
		r.mu.Unlock()
		return err
	}
	done := r.done
	r.mu.Unlock()
	var both sync.WaitGroup
	both.Add(2)
	go func() { defer both.Done(); r.stay(life, first) }()
	go func() { defer both.Done(); r.deliver(life) }()
	go func() { both.Wait(); close(done) }()
	return nil
}

// Close ends the feed for good. It does not wait for a callback that runs, so
// that a callback may call it; Done tells when none does any more.
func (r *Realtime) Close() {
	r.mu.Lock()
	was, conn, end := r.state, r.conn, r.end
	r.state = feedClosed
	r.mu.Unlock()
	if was != feedRunning {
		return
	}
	if conn != nil {
		conn.leave()
	}
	end()
}

// closed says whether Close was called, or the server told the feed to go.
func (r *Realtime) closed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state == feedClosed
}

// Done is closed when a feed that was open has ended and no callback runs any
// more: after Close, or when the server told it to go. It is nil before Connect.
func (r *Realtime) Done() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.done
}

// Err tells why a feed has ended: nil while it is open and after Close.
func (r *Realtime) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Emit sends an event and waits for the server's answer, whose arguments it
// returns. It is not repeated: when the connection breaks before the answer the
// error is ErrDisconnected.
func (r *Realtime) Emit(ctx context.Context, event string, args ...any) ([]json.RawMessage, error) {
	r.mu.Lock()
	conn, state := r.conn, r.state
	r.mu.Unlock()
	switch {
	case state == feedClosed:
		return nil, ErrClosed
	case conn == nil:
		return nil, ErrDisconnected
	}
	return conn.emit(ctx, event, args)
}

// JoinRoom asks for the events of a room, such as a conversation's id. Rooms
// other than the client's own are joined again by the server only when a
// connection is recovered: join them in OnConnect.
func (r *Realtime) JoinRoom(ctx context.Context, room string) error {
	answer, err := r.Emit(ctx, "join-room", room)
	if err != nil {
		return err
	}
	var ok struct {
		Success       bool
		Code, Message string
	}
	if len(answer) == 0 || json.Unmarshal(answer[0], &ok) != nil || !ok.Success {
		return &APIError{Status: 403, Code: ok.Code, Message: firstOf(ok.Message, "the server refused the room"), method: "join-room", path: room}
	}
	return nil
}

// post queues what to run on the goroutine of the callbacks. It returns false
// when too much waits.
func (r *Realtime) post(f func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) >= maxWaiting {
		return false
	}
	r.queue = append(r.queue, f)
	r.nudge()
	return true
}

func (r *Realtime) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// deliver runs the callbacks until the feed ends.
func (r *Realtime) deliver(life context.Context) {
	for {
		r.mu.Lock()
		var f func()
		if len(r.queue) > 0 {
			f = r.queue[0]
			r.queue[0] = nil
			r.queue = r.queue[1:]
		} else {
			r.queue = nil
		}
		r.mu.Unlock()
		if life.Err() != nil {
			return
		}
		if f == nil {
			select {
			case <-r.wake:
			case <-life.Done():
				return
			}
			continue
		}
		f()
	}
}

// dispatch gives an event to its callbacks.
func (r *Realtime) dispatch(e Event) {
	r.mu.Lock()
	list := slices.Concat(r.handlers[e.Name], r.handlers["*"])
	r.mu.Unlock()
	for _, s := range list {
		r.guard(e.Name, func() { s.fn(e) })
	}
}

// guard keeps a panic of a callback from taking the program along.
func (r *Realtime) guard(what string, f func()) {
	defer func() {
		if v := recover(); v != nil {
			r.c.cfg.log.Error("parley: a callback panicked", "event", what, "value", v, "stack", string(debug.Stack()))
		}
	}()
	f()
}
