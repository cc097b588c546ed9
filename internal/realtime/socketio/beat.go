package socketio

import "time"

var pingPacket = []byte{enginePing}

// arm sets the next deadline. s.mu is held.
func (s *session) arm() {
	at := s.beat
	if !s.connectBy.IsZero() && s.connectBy.Before(at) {
		at = s.connectBy
	}
	s.srv.heartbeat.set(s, at)
}

// tick does what is due at now: cut a silent peer, or send a ping.
func (s *session) tick(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.state == stateClosing:
		s.killLocked(s.reason)
	case s.state != stateOpen:
	case !s.connectBy.IsZero() && !now.Before(s.connectBy):
		s.killLocked(ReasonTransportClose)
	case now.Before(s.beat):
		s.arm()
	case s.pinged:
		s.killLocked(ReasonPingTimeout)
	default:
		if s.enqueueLocked(pingPacket) {
			s.pinged, s.beat = true, now.Add(s.srv.opts.PingTimeout)
			s.arm()
		}
	}
}

// pong starts the next interval.
func (s *session) pong() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == stateOpen && s.pinged {
		s.pinged, s.beat = false, s.srv.opts.Clock.Now().Add(s.srv.opts.PingInterval)
		s.arm()
	}
}
