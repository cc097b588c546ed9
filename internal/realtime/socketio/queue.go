package socketio

// deliver queues a live message without waiting, behind what the session is
// still to be told of the past, and says whether the session took it.
func (s *session) deliver(p []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.holding || s.state != stateOpen {
		return s.enqueueLocked(p)
	}
	if !s.hasRoom(p) {
		return false
	}
	s.pending = append(s.pending, p)
	s.queued += len(p)
	return true
}

// release lets the live messages that were held back follow.
func (s *session) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holding = false
	if s.state == stateOpen && len(s.pending) > 0 {
		for _, p := range s.pending {
			s.queued -= len(p)
			s.push(p)
		}
		s.kick()
	}
	s.pending = nil
}

// write queues a message and waits while the client lags by half of what it
// may, so that a long story cuts nobody. It is for callbacks.
func (s *session) write(p []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiters++
	for s.state == stateOpen && (len(s.queue)-s.head >= (s.srv.opts.SendQueue+1)/2 || s.queued > s.srv.opts.SendBytes/2) {
		s.room.Wait()
	}
	s.waiters--
	return s.enqueueLocked(p)
}

// hasRoom says whether p may wait too, and cuts the session when it may not.
func (s *session) hasRoom(p []byte) bool {
	waiting := len(s.queue) - s.head + len(s.pending)
	if waiting < s.srv.opts.SendQueue && (waiting == 0 || s.queued+len(p) <= s.srv.opts.SendBytes) {
		return true
	}
	s.srv.dropped.Add(1)
	s.srv.opts.Logger.Info("socketio: cut a client that does not keep up; it may resume", "sid", s.id, "reason", ReasonSlow,
		"messages", waiting, "bytes", s.queued)
	s.killLocked(ReasonSlow)
	return false
}

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
	if !s.hasRoom(p) {
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
	s.queued += len(p)
}

// kick lends the session a goroutine that writes, unless it has one, or wakes
// the poll that waits.
func (s *session) kick() {
	if s.poll != nil {
		s.poll.wake()
		return
	}
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
	return s.nextLocked()
}

func (s *session) nextLocked() ([]byte, bool) {
	if s.state >= stateDead || s.held || s.head == len(s.queue) {
		return nil, false
	}
	p := s.queue[s.head]
	s.queue[s.head] = nil
	s.queued -= len(p)
	if s.waiters > 0 {
		s.room.Broadcast()
	}
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
	s.mu.Lock()
	t := s.t // polling never flushes, and a WebSocket is final
	s.mu.Unlock()
	for {
		if err := t.write(s.next); err != nil {
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
			t.close(code, text)
		}
		return
	}
}
