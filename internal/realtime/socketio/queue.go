package socketio

// enqueue queues a message without waiting and says whether the session took
// it. A session whose queue is full is cut: its peer does not keep up.
func (s *session) enqueue(p []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.enqueueLocked(p)
}

func (s *session) enqueueLocked(p []byte) bool {
	if s.state != stateOpen {
		return false
	}
	if len(s.queue)-s.head >= s.srv.opts.SendQueue {
		s.srv.dropped.Add(1)
		s.srv.opts.Logger.Info("socketio: cut a client that does not keep up", "sid", s.id)
		s.killLocked(ReasonSlow)
		return false
	}
	s.push(p)
	s.kick()
	return true
}

// push appends to the queue, reusing the room of messages already sent.
func (s *session) push(p []byte) {
	if s.head > 0 && len(s.queue) == cap(s.queue) {
		n := copy(s.queue, s.queue[s.head:])
		clear(s.queue[n:])
		s.queue, s.head = s.queue[:n], 0
	}
	s.queue = append(s.queue, p)
}

// kick lends the session a goroutine that writes, unless it has one.
func (s *session) kick() {
	if !s.writing {
		s.writing = true
		s.srv.wg.Add(1)
		go s.flush()
	}
}

// next takes the oldest message from the queue.
func (s *session) next() ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state >= stateDead || s.held || s.head == len(s.queue) {
		return nil, false
	}
	p := s.queue[s.head]
	s.queue[s.head] = nil
	if s.head++; s.head == len(s.queue) {
		s.queue, s.head = s.queue[:0], 0
		if cap(s.queue) > 8 { // an idle connection keeps no burst's memory
			s.queue = nil
		}
	}
	return p, true
}

// flush writes until there is nothing to write.
func (s *session) flush() {
	defer s.srv.wg.Done()
	for {
		if err := s.t.write(s.next); err != nil {
			s.kill(ReasonTransportError)
		}
		s.mu.Lock()
		if s.state < stateDead && !s.held && s.head < len(s.queue) {
			s.mu.Unlock()
			continue
		}
		closing, code, text := s.state == stateClosing, s.code, s.text
		s.writing = closing // nobody else may write after the goodbye
		s.mu.Unlock()
		if closing {
			s.t.close(code, text)
		}
		return
	}
}
