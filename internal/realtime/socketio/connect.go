package socketio

import (
	"errors"
	"time"

	"parley/internal/fault"
)

// maxRefusals is how many CONNECTs of one connection may be refused before it
// is closed, so that one connection cannot try keys for long.
const maxRefusals = 5

// connectState is how far a session is with the root namespace.
type connectState uint8

const (
	connectNone connectState = iota
	connectAsked
	connectDone
)

// handle acts on a Socket.IO packet of size bytes.
func (s *session) handle(p packet, size int) {
	s.mu.Lock()
	state, sock := s.connectState, s.sock
	asks := p.typ == typeConnect && p.nsp == rootNamespace && state == connectNone
	if asks {
		s.connectState = connectAsked
	}
	s.mu.Unlock()
	switch {
	case p.typ == typeConnect && p.nsp != rootNamespace:
		s.enqueue(encodeConnectError(p.nsp, "Invalid namespace", nil))
	case asks:
		s.call(size, func() { s.connect(p.auth) })
	case sock == nil || p.nsp != rootNamespace || p.typ == typeConnect:
		s.violation(closeProtocol, "unexpected packet")
	case p.typ == typeDisconnect:
		s.shut(ReasonClient, closeNormal, "", nil)
	case p.typ == typeAck:
		sock.answered(p.id, p.args)
	case s.srv.opts.OnEvent != nil: // EVENT: parsePacket lets nothing else through
		s.call(size, func() {
			s.srv.opts.OnEvent(s.ctx, sock, p.name, p.args, sock.ackFunc(p.id, p.hasID))
		})
	}
}

// connect asks whether the client may come in and tells it the answer.
func (s *session) connect(auth map[string]any) {
	h := *s.handshake
	h.Auth = auth
	var in Entry
	if f := s.srv.opts.Authenticate; f != nil {
		var err error
		if in, err = f(s.ctx, h); err != nil {
			s.refuse(s.explain(err))
			return
		}
	}
	sock := &Socket{sess: s, id: newID(), own: in.Session}
	hello, _ := encode(typeConnect, rootNamespace, 0, false, struct { // cannot fail: strings
		SID string `json:"sid"`
		PID string `json:"pid,omitempty"`
	}{sock.id, in.PID})

	s.mu.Lock()
	if s.state != stateOpen {
		s.mu.Unlock()
		return
	}
	s.sock, s.connectState, s.handshake = sock, connectDone, nil
	if in.Enter != nil { // it is in no room yet, so nothing can overtake the answer
		s.connectBy = time.Time{}
		s.push(hello)
		s.kick()
		s.mu.Unlock()
		in.Enter(s.ctx, sock)
		return
	}
	// The client must hear that it is connected before any event, and must miss
	// no event after that: so the answer is queued, the rooms are joined, and
	// only then is it sent.
	s.push(hello)
	s.held = true
	s.mu.Unlock()
	s.srv.hub.join(sock, in.Rooms...)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = false
	if s.state == stateOpen {
		s.connectBy = time.Time{}
		s.kick()
	}
}

// explain says why err keeps the client out, without showing an inner error.
func (s *session) explain(err error) []byte {
	var f *fault.Error
	if errors.As(err, &f) {
		return encodeConnectError(rootNamespace, f.Message, map[string]string{"code": string(f.Code)})
	}
	if s.ctx.Err() == nil {
		s.srv.opts.Logger.Error("socketio: authentication failed", "sid", s.id, "error", err)
	}
	return encodeConnectError(rootNamespace, "Internal error: try again later", nil)
}

// refuse answers a CONNECT to the root namespace with a CONNECT_ERROR. The
// connection stays, as with the reference server: the client may ask again,
// but not forever.
func (s *session) refuse(answer []byte) {
	s.mu.Lock()
	s.connectState = connectNone
	s.refusals++
	last := s.refusals >= maxRefusals
	if !last {
		s.enqueueLocked(answer)
	}
	s.mu.Unlock()
	if last {
		s.shut(ReasonParseError, closePolicy, "too many refused connects", answer)
	}
}
