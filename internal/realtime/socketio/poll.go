package socketio

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// separator stands between the packets of a polling payload (engine.io-protocol
// v4, "Payload encoding").
const separator = 0x1e

// maxPollBytes is about how much one poll takes from the queue.
const maxPollBytes = 1 << 20

var (
	closePacket = []byte{engineClose}
	noopPacket  = []byte{engineNoop}
)

// poller is the polling half of a session: at most one GET and one POST at a
// time. It is guarded by the session's lock. Between requests a session costs
// no goroutine.
type poller struct {
	waiting   chan struct{} // closed to wake the GET that waits; nil when none does
	getting   bool
	posting   bool
	upgrading bool      // the probe was answered: polls are released at once
	probe     transport // of an upgrade under way
}

func (p *poller) wake() {
	if p.waiting != nil {
		close(p.waiting)
		p.waiting = nil
	}
}

// pollTransport is a transport of which the requests do the work.
type pollTransport struct{ sess *session }

var _ transport = pollTransport{}

func (pollTransport) write(func() ([]byte, bool)) error { return nil }
func (pollTransport) close(int, string)                 {}
func (t pollTransport) kill()                           { t.sess.finish(ReasonTransportClose) }

// get answers a poll: with what waits, or as soon as something does.
func (s *session) get(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	p := s.poll
	if f := s.mayPoll(p != nil && p.getting); f != nil {
		s.mu.Unlock()
		f.write(w)
		return
	}
	p.getting = true
	payload, last := s.await(r, p)
	s.mu.Unlock()

	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=UTF-8")
	h.Set("Cache-Control", "no-store")
	_, err := w.Write(payload)
	switch {
	case last:
		s.finish(ReasonTransportClose)
	case err != nil || r.Context().Err() != nil: // what it carried may be lost: only a resume tells it again
		s.kill(ReasonTransportError)
	}
	s.mu.Lock()
	p.getting = false
	s.mu.Unlock()
}

// await returns what a poll is answered with, and whether that ends the session.
// s.mu is held, but not while it waits.
func (s *session) await(r *http.Request, p *poller) (payload []byte, last bool) {
	var draining <-chan struct{}
	if f := s.srv.opts.Draining; f != nil {
		draining = f(r)
	}
	for {
		switch {
		case s.state >= stateDead:
			return closePacket, false
		case s.poll != p: // it became a WebSocket
			return noopPacket, false
		}
		if payload, last = s.take(); payload != nil {
			return payload, last
		}
		if p.upgrading {
			return noopPacket, false
		}
		wake := make(chan struct{})
		p.waiting = wake
		s.mu.Unlock()
		select {
		case <-wake:
		case <-draining:
			draining = nil
			s.shut(ReasonShutdown, closeGoingAway, ReasonShutdown, nil)
		case <-r.Context().Done():
			s.kill(ReasonTransportClose)
		}
		s.mu.Lock()
		if p.waiting == wake {
			p.waiting = nil
		}
	}
}

// take joins what waits into one payload, and ends a closing session with it.
func (s *session) take() (payload []byte, last bool) {
	for len(payload) < maxPollBytes {
		b, ok := s.nextLocked()
		if !ok {
			break
		}
		if payload != nil {
			payload = append(payload, separator)
		}
		payload = append(payload, b...)
	}
	if s.state != stateClosing || s.held || s.head < len(s.queue) {
		return payload, false
	}
	if payload != nil {
		payload = append(payload, separator)
	}
	s.state = stateDead
	return append(payload, closePacket...), true
}

// mayPoll says why a request of a polling session is refused; overlap when
// another of its kind is under way, which also ends the session, as with the
// reference server: two readers would share the messages between them.
func (s *session) mayPoll(overlap bool) *refusal {
	switch {
	case s.state >= stateDead:
		return unknownSession
	case s.poll == nil:
		return wrongTransport
	case overlap:
		s.killLocked(ReasonTransportError)
		return overlapping
	}
	return nil
}

// post takes a payload from a polling client.
func (s *session) post(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	p := s.poll
	f := s.mayPoll(p != nil && p.posting)
	if f == nil {
		p.posting = true
	}
	s.mu.Unlock()
	if f != nil {
		f.write(w)
		return
	}
	defer func() {
		s.mu.Lock()
		p.posting = false
		s.mu.Unlock()
	}()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.srv.opts.MaxPayload))
	if err != nil {
		var tooBig *http.MaxBytesError
		if errors.As(err, &tooBig) {
			s.violation(closeTooBig, "payload too large")
			tooLarge.write(w)
			return
		}
		s.kill(ReasonTransportError)
		badPayload.write(w)
		return
	}
	for more := true; more; {
		var msg []byte
		if msg, body, more = bytes.Cut(body, []byte{separator}); !s.receiveText(msg) {
			break
		}
	}
	w.Header().Set("Content-Type", "text/html")
	_, _ = io.WriteString(w, "ok") // a client that is gone needs no answer
}

// receiveText takes one packet of a payload and says whether the next may come.
func (s *session) receiveText(msg []byte) bool {
	// "b" begins a binary packet in base64.
	s.receive(msg, len(msg) > 0 && msg[0] == 'b')
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == stateOpen
}
