package socketio

import (
	"context"
	"runtime/debug"
	"sync"
	"time"
)

// closeWait is how long a connection that we end may take for its goodbye.
const closeWait = 5 * time.Second

// state says how alive a session is; it only grows.
type state uint8

const (
	stateOpen    state = iota
	stateClosing       // what is queued still goes out, then the goodbye
	stateDead          // the transport is being torn down
	stateEnded         // the transport is gone
)

// session is an Engine.IO session: it begins on polling or on a WebSocket, and
// may change once from the former to the latter. It holds the queue out, the
// queue of callbacks in, and the heartbeat's deadlines.
type session struct {
	srv    *Server
	id     string
	ctx    context.Context
	cancel context.CancelFunc

	deadline  time.Time // guarded by heartbeat.mu
	heapIndex int       // guarded by heartbeat.mu

	mu        sync.Mutex
	t         transport
	poll      *poller // while the transport is polling
	state     state
	reason    string // why it ended, once it is no longer open
	code      int    // the goodbye of stateClosing
	text      string
	queue     [][]byte // messages out; those before head are gone
	head      int
	queued    int      // bytes of the queue and of pending
	pending   [][]byte // live messages that wait for Release
	holding   bool     // live messages go to pending
	waiters   int      // callbacks that wait for room in the queue
	writing   bool     // a goroutine is in flush
	held      bool     // nothing more goes out for the moment
	pinged    bool     // a pong is awaited
	beat      time.Time
	connectBy time.Time // zero once connected
	calls     callQueue
	room      sync.Cond // calls or queue have room, or the session is no longer open

	connectState connectState // of the Socket.IO layer
	refusals     int
	handshake    *Handshake // until connected
	sock         *Socket    // once connected
}

func newSession(srv *Server, id string, t transport, h *Handshake) *session {
	s := &session{srv: srv, id: id, t: t, handshake: h, heapIndex: -1}
	s.room.L = &s.mu
	s.ctx, s.cancel = context.WithCancel(srv.ctx)
	return s
}

// open sends the handshake and starts the deadlines.
func (s *session) open() {
	s.mu.Lock()
	polls := s.poll != nil
	s.mu.Unlock()
	s.enqueue(encodeOpen(s.id, polls, s.srv.opts))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateOpen {
		return
	}
	now := s.srv.opts.Clock.Now()
	s.connectBy = now.Add(s.srv.opts.ConnectTimeout)
	s.beat = now.Add(s.srv.opts.PingInterval)
	s.arm()
}

// shut ends the session politely: last, unless nil, then what is queued before
// it has gone out, then a close frame.
func (s *session) shut(reason string, code int, text string, last []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateOpen {
		return
	}
	if last != nil {
		s.push(last)
	}
	s.state, s.reason, s.code, s.text = stateClosing, reason, code, text
	s.srv.heartbeat.set(s, s.srv.opts.Clock.Now().Add(closeWait))
	s.room.Broadcast()
	s.kick()
}

// retire ends the session because the server stops. A poll that is not there
// yet may never come: the HTTP server has stopped, or is about to. A client that
// is about to change over polls no more, but says so on its WebSocket; it would
// not notice the end of one that it does not use yet, so it may go on.
func (s *session) retire() {
	s.mu.Lock()
	if s.poll != nil && !s.poll.getting && !s.poll.upgrading {
		s.killLocked(ReasonShutdown)
	}
	s.mu.Unlock()
	s.shut(ReasonShutdown, closeGoingAway, ReasonShutdown, nil)
}

// violation ends a session whose client broke the protocol.
func (s *session) violation(code int, text string) {
	s.srv.opts.Logger.Debug("socketio: closed a connection", "sid", s.id, "why", text)
	s.shut(ReasonParseError, code, text, nil)
}

// kill ends the session at once.
func (s *session) kill(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.killLocked(reason)
}

func (s *session) killLocked(reason string) {
	if s.state >= stateDead {
		return
	}
	if s.state == stateOpen {
		s.reason = reason
	}
	s.state = stateDead
	s.room.Broadcast()
	s.srv.wg.Add(1)
	t := s.t
	go func() { // closing a TLS connection may wait
		defer s.srv.wg.Done()
		t.kill()
	}()
}

// finish is called once, when the transport has ended. It gives back the place
// that reserve took.
func (s *session) finish(reason string) {
	defer s.srv.wg.Done()
	s.mu.Lock()
	if s.state == stateOpen {
		s.reason = reason
	}
	s.state = stateEnded
	reason, sock := s.reason, s.sock
	s.queue, s.head, s.pending = nil, 0, nil
	var probe transport
	if s.poll != nil {
		probe = s.poll.probe
		s.poll.wake()
	}
	s.room.Broadcast()
	s.mu.Unlock()

	s.cancel()
	if probe != nil {
		probe.kill()
	}
	s.srv.heartbeat.remove(s)
	if sock != nil {
		s.srv.hub.forget(sock)
		if f := s.srv.opts.OnDisconnect; f != nil {
			s.callLast(func() { f(s.srv.ctx, sock, reason) })
		}
	}
	s.srv.forget(s)
}

// receive takes one message from the transport. msg is only ours during the
// call.
func (s *session) receive(msg []byte, binary bool) {
	defer s.guard("packet")
	switch {
	case binary:
		s.violation(closeUnsupported, errBinary.Error())
	case len(msg) == 0:
		s.violation(closeProtocol, errMalformed.Error())
	case msg[0] == engineMessage:
		p, err := parsePacket(msg[1:])
		switch err {
		case nil:
			s.handle(p, len(msg))
		case errBinary:
			s.violation(closeUnsupported, err.Error())
		default:
			s.violation(closeProtocol, err.Error())
		}
	case len(msg) > 1:
		s.violation(closeProtocol, errMalformed.Error())
	case msg[0] == enginePong:
		s.pong()
	case msg[0] == engineClose:
		s.leave()
	case msg[0] == engineNoop:
	default: // open, ping and upgrade are not the client's to send here
		s.violation(closeProtocol, "unexpected packet")
	}
}

// leave ends the session because the client said so. A polling client may not
// come for an answer any more.
func (s *session) leave() {
	s.mu.Lock()
	polls := s.poll != nil
	s.mu.Unlock()
	if polls {
		s.kill(ReasonTransportClose)
		return
	}
	s.shut(ReasonTransportClose, closeNormal, "", nil)
}

// guard keeps a panic from taking the process along; it costs the connection.
func (s *session) guard(where string) {
	if v := recover(); v != nil {
		s.srv.opts.Logger.Error("socketio: panic", "in", where, "value", v, "stack", string(debug.Stack()))
		s.shut(ReasonPanic, closeInternal, "server error", nil)
	}
}
