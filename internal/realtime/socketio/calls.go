package socketio

// maxWaitingCalls is how many events of one socket may wait for OnEvent.
const maxWaitingCalls = 64

// callQueue holds the callbacks that a session owes. It is guarded by the
// session's lock.
type callQueue struct {
	waiting []call
	bytes   int64
	running bool // a goroutine is in work
}

type call struct {
	size int64
	run  func()
}

// call queues a callback that came in as size bytes. It waits while too many
// wait already, which stops the reading of this connection only.
func (s *session) call(size int, run func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := &s.calls
	for s.state == stateOpen && len(q.waiting) > 0 &&
		(len(q.waiting) >= maxWaitingCalls || q.bytes+int64(size) > s.srv.opts.MaxPayload) {
		s.room.Wait()
	}
	if s.state == stateOpen {
		s.addCall(call{int64(size), run})
	}
}

// callLast queues a callback even though the session has ended.
func (s *session) callLast(run func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addCall(call{run: run})
}

func (s *session) addCall(c call) {
	q := &s.calls
	q.waiting = append(q.waiting, c)
	q.bytes += c.size
	if !q.running {
		q.running = true
		s.srv.wg.Add(1)
		go s.work()
	}
}

// work runs the callbacks one by one until none waits.
func (s *session) work() {
	defer s.srv.wg.Done()
	for {
		s.mu.Lock()
		q := &s.calls
		if len(q.waiting) == 0 {
			q.waiting, q.running = nil, false
			s.mu.Unlock()
			return
		}
		c := q.waiting[0]
		q.waiting[0] = call{}
		q.waiting, q.bytes = q.waiting[1:], q.bytes-c.size
		s.room.Broadcast()
		s.mu.Unlock()
		s.runCall(c)
	}
}

func (s *session) runCall(c call) {
	defer s.guard("callback")
	c.run()
}
