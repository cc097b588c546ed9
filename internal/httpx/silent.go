package httpx

import (
	"net"
	"net/http"
	"sync"
)

// silent keeps the connections on which nobody has asked for anything yet.
// http.Server.Shutdown counts them as busy for their first five seconds.
type silent struct {
	mu   sync.Mutex
	open map[net.Conn]struct{}
	shut bool
}

// watch is for http.Server.ConnState.
func (s *silent) watch(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(s.open, c)
	case s.shut:
		_ = c.Close()
	default:
		if s.open == nil {
			s.open = map[net.Conn]struct{}{}
		}
		s.open[c] = struct{}{}
	}
}

// close ends them, and those that come.
func (s *silent) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shut = true
	for c := range s.open {
		_ = c.Close()
	}
}
