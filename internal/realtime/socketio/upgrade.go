package socketio

import "net/http"

// The words of a probe (engine.io-protocol v4, "Upgrade").
const (
	probePing = string(enginePing) + "probe"
	probePong = string(enginePong) + "probe"
)

// upgrade takes a WebSocket beside a polling session: the client pings on it,
// gets a pong, lets its last poll end, and says that it changes. Only then does
// the WebSocket carry the session; whatever goes wrong before leaves it polling.
func (s *session) upgrade(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	p := s.poll
	f := s.mayPoll(false)
	switch {
	case f != nil:
	case s.state != stateOpen:
		f = unknownSession
	case p.probe != nil:
		f = overlapping
	default:
		p.probe = noTransport{} // the place is taken
	}
	s.mu.Unlock()
	if f != nil {
		f.write(w)
		return
	}
	t, err := accept(w, r, s.srv.opts.MaxPayload)
	if err != nil { // the client has been answered
		s.giveUp(p, nil)
		s.srv.opts.Logger.Debug("socketio: upgrade failed", "error", err)
		return
	}
	s.mu.Lock()
	ended := s.state != stateOpen
	p.probe = t
	s.mu.Unlock()
	if ended {
		s.giveUp(p, t)
		return
	}
	s.srv.wg.Add(1)
	go func() {
		defer s.srv.wg.Done()
		if !s.probe(p, t) {
			s.giveUp(p, t)
			return
		}
		s.finish(t.read(s.receive))
	}()
}

// probe goes through the steps and says whether t carries the session now.
func (s *session) probe(p *poller, t *wsTransport) bool {
	late, stop := s.srv.opts.Clock.After(s.srv.opts.UpgradeTimeout)
	done := make(chan struct{})
	s.srv.wg.Add(1)
	go func() {
		defer s.srv.wg.Done()
		defer stop()
		select {
		case <-late:
			t.kill()
		case <-done:
		}
	}()
	defer close(done)

	if !t.expect(probePing) || t.send([]byte(probePong)) != nil {
		return false
	}
	s.mu.Lock()
	p.upgrading = true
	p.wake() // the client's last poll ends with a noop
	s.mu.Unlock()
	if !t.expect(string(engineUpgrade)) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state >= stateDead {
		return false
	}
	s.t, s.poll, p.probe = t, nil, nil
	p.wake()
	if s.head < len(s.queue) || s.state == stateClosing {
		s.kick()
	}
	return true
}

// giveUp ends a probe and leaves the session polling.
func (s *session) giveUp(p *poller, t *wsTransport) {
	if t != nil {
		t.kill()
		_ = t.conn.CloseNow()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p.probe, p.upgrading = nil, false
}

// noTransport keeps the place of a probe that is not there yet.
type noTransport struct{ transport }

func (noTransport) kill() {}
