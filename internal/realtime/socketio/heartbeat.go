package socketio

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"parley/internal/clock"
)

// heartbeat keeps the next deadline of every session and wakes it. One loop
// for all: a timer and a goroutine for each connection would be most of its
// memory.
type heartbeat struct {
	clock clock.Clock
	wake  chan struct{}

	mu   sync.Mutex // taken after session.mu, never before
	heap deadlines
}

func newHeartbeat(c clock.Clock) *heartbeat {
	return &heartbeat{clock: c, wake: make(chan struct{}, 1)}
}

// set makes at the next deadline of s.
func (h *heartbeat) set(s *session, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.deadline = at
	if s.heapIndex < 0 {
		heap.Push(&h.heap, s)
	} else {
		heap.Fix(&h.heap, s.heapIndex)
	}
	if s.heapIndex == 0 {
		select {
		case h.wake <- struct{}{}:
		default:
		}
	}
}

// remove forgets s.
func (h *heartbeat) remove(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.heapIndex >= 0 {
		heap.Remove(&h.heap, s.heapIndex)
	}
}

// run wakes sessions until ctx ends.
func (h *heartbeat) run(ctx context.Context) {
	for {
		now := h.clock.Now()
		due, next, more := h.take(now)
		for _, s := range due {
			s.tick(now)
		}
		if len(due) > 0 {
			continue
		}
		var timer <-chan time.Time
		stop := func() {}
		if more {
			timer, stop = h.clock.After(next.Sub(now))
			if h.clock.Now().After(now) { // it moved in between: the timer may be late
				stop()
				continue
			}
		}
		select {
		case <-timer:
		case <-h.wake:
		case <-ctx.Done():
			stop()
			return
		}
		stop()
	}
}

// take removes and returns the sessions whose deadline has come, and else the
// next deadline if there is any.
func (h *heartbeat) take(now time.Time) (due []*session, next time.Time, more bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.heap) > 0 {
		if s := h.heap[0]; s.deadline.After(now) {
			return due, s.deadline, true
		}
		due = append(due, heap.Pop(&h.heap).(*session))
	}
	return due, time.Time{}, false
}

// deadlines is a heap of sessions, the earliest deadline first.
type deadlines []*session

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].deadline.Before(d[j].deadline) }
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].heapIndex, d[j].heapIndex = i, j
}
func (d *deadlines) Push(x any) {
	s := x.(*session)
	s.heapIndex = len(*d)
	*d = append(*d, s)
}
func (d *deadlines) Pop() any {
	old := *d
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*d = old[:len(old)-1]
	s.heapIndex = -1
	return s
}
