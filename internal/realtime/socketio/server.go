package socketio

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
)

// Server is a Socket.IO server. It is an http.Handler for DefaultPath.
type Server struct {
	opts      Options
	hub       *hub
	heartbeat *heartbeat
	ctx       context.Context // ends when Close is done or out of patience
	cancel    context.CancelFunc
	loop      sync.WaitGroup // the heartbeat
	wg        sync.WaitGroup // everything that serves a session
	dropped   atomic.Int64

	mu        sync.Mutex
	closed    bool
	accepting int
	sessions  map[string]*session
}

var _ http.Handler = (*Server)(nil)

// Busy reports whether anybody is connected.
func (s *Server) Busy() bool { return s.Stats().Connections > 0 }

// Stats are figures of a Server.
type Stats struct {
	Connections int   // open connections, let in or not
	Rooms       int   // rooms with somebody in them
	Dropped     int64 // connections cut since the start because they did not keep up
}

// New returns a Server, which runs until Close.
func New(o Options) *Server {
	o = o.withDefaults()
	s := &Server{opts: o, hub: newHub(), heartbeat: newHeartbeat(o.Clock), sessions: map[string]*session{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.loop.Go(func() { s.heartbeat.run(s.ctx) })
	return s
}

// ServeHTTP serves one request of a client: a poll, a payload, or the WebSocket
// into which it turns the request. A WebSocket lives on after ServeHTTP has
// returned, and is Close's to end, not the HTTP server's.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	s.cors(w, r)
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if f := s.check(w, r, query); f != nil {
		f.write(w)
		return
	}
	ws := query.Get("transport") == "websocket"
	if sid := query.Get("sid"); sid != "" {
		s.mu.Lock()
		sess := s.sessions[sid]
		s.mu.Unlock()
		switch {
		case sess == nil:
			unknownSession.write(w)
		case ws:
			sess.upgrade(w, r)
		case r.Method == http.MethodPost:
			sess.post(w, r)
		default:
			sess.get(w, r)
		}
		return
	}
	if f := s.reserve(); f != nil {
		f.write(w)
		return
	}
	handshake := &Handshake{Query: query, Header: r.Header, RemoteAddr: r.RemoteAddr}
	if !ws {
		sess := newSession(s, newID(), nil, handshake)
		sess.t, sess.poll = pollTransport{sess}, &poller{}
		s.admit(sess)
		sess.open()
		sess.get(w, r)
		return
	}
	t, err := accept(w, r, s.opts.MaxPayload)
	if err != nil { // the client has been answered
		s.release()
		s.opts.Logger.Debug("socketio: upgrade failed", "error", err)
		return
	}
	sess := newSession(s, newID(), t, handshake)
	s.admit(sess)
	sess.open()
	go func() { sess.finish(t.read(sess.receive)) }()
}

// reserve keeps a place for a connection, and Close waiting.
func (s *Server) reserve() *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return serverClosed
	case len(s.sessions)+s.accepting >= s.opts.MaxConnections:
		return serverFull
	}
	s.accepting++
	s.wg.Add(1)
	return nil
}

func (s *Server) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepting--
	s.wg.Done()
}

// admit gives the session the reserved place.
func (s *Server) admit(sess *session) {
	s.mu.Lock()
	s.accepting--
	s.sessions[sess.id] = sess
	closed := s.closed
	s.mu.Unlock()
	if closed {
		sess.shut(ReasonShutdown, closeGoingAway, ReasonShutdown, nil)
	}
}

func (s *Server) forget(sess *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, sess.id)
}

// Emit queues an event for every socket of a room and returns how many took
// it. It encodes the arguments once and waits for nobody. Arguments that are
// not JSON, and names that Socket.IO reserves, are logged and reach nobody.
func (s *Server) Emit(room, event string, args ...any) (delivered int) {
	if !s.hub.has(room) { // spare the encoding
		return 0
	}
	p, err := encodeEvent(event, 0, false, args)
	if err != nil {
		s.opts.Logger.Error("socketio: an event cannot be encoded", "event", event, "error", err)
		return 0
	}
	return s.hub.send(room, p)
}

// Send queues a message for every socket that is in one of the rooms, once
// each, and returns how many took it. Sockets that Seat has placed behind the
// message do not get it.
func (s *Server) Send(m *Message, rooms ...string) (delivered int) { return s.hub.spread(m, rooms) }

// Occupied reports whether anybody is in a room.
func (s *Server) Occupied(room string) bool { return s.hub.has(room) }

// Concerned reports whether anybody is in a room, or in one below it: "a/b" is
// below "a".
func (s *Server) Concerned(room string) bool { return s.hub.concerned(room) }

// Sockets returns those that are connected now.
func (s *Server) Sockets() []*Socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*Socket, 0, len(s.sessions))
	for _, sess := range s.sessions {
		sess.mu.Lock()
		if sess.sock != nil && sess.state == stateOpen {
			out = append(out, sess.sock)
		}
		sess.mu.Unlock()
	}
	return out
}

// EmitRaw is Emit with one argument that is JSON already; an empty payload
// means no argument.
func (s *Server) EmitRaw(room, event string, payload json.RawMessage) (delivered int) {
	if len(payload) == 0 {
		return s.Emit(room, event)
	}
	return s.Emit(room, event, payload)
}

// Stats returns the figures of this moment.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	n := len(s.sessions)
	s.mu.Unlock()
	return Stats{Connections: n, Rooms: s.hub.size(), Dropped: s.dropped.Load()}
}

// Close refuses new connections, sends what is queued, closes every connection
// with code 1001, so that clients come back by themselves, and waits for their
// callbacks. A polling client of which no poll waits learns of it by its next. When ctx ends first, it cuts what is left, ends the contexts of
// the callbacks and returns ctx's error.
func (s *Server) Close(ctx context.Context) error {
	for _, sess := range s.end() {
		sess.retire()
	}
	done := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(done)
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = ctx.Err()
		for _, sess := range s.end() {
			sess.kill(ReasonShutdown)
		}
	}
	s.cancel()
	s.loop.Wait()
	return err
}

// end marks the server closed and returns the sessions it has.
func (s *Server) end() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	all := make([]*session, 0, len(s.sessions))
	for _, sess := range s.sessions {
		all = append(all, sess)
	}
	return all
}

// newID returns 120 random bits in 20 characters, the form of the reference
// server's ids.
func newID() string {
	var b [15]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}
