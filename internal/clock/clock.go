// Package clock is the only source of time in Parley. It owns the interface,
// the real clock and a fake one for tests; every room may import it. It knows
// no noun. Times are UTC with millisecond precision, as they are stored.
package clock

import (
	"sync"
	"time"
)

// Clock tells the time and wakes sleepers.
type Clock interface {
	// Now returns the current UTC time, truncated to milliseconds.
	Now() time.Time
	// After returns a channel that receives once d has passed, and a function
	// that gives the timer up early.
	After(d time.Duration) (<-chan time.Time, func())
	// At is After for a moment instead of a duration; a past one receives at once.
	At(t time.Time) (<-chan time.Time, func())
}

// Real is the machine's clock.
type Real struct{}

var (
	_ Clock = Real{}
	_ Clock = (*Fake)(nil)
)

// Now returns the machine's time.
func (Real) Now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// After is time.After with a way to stop.
func (Real) After(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
}

// At receives at t.
func (c Real) At(t time.Time) (<-chan time.Time, func()) { return c.After(time.Until(t)) }

// Fake is a clock that moves only when a test says so.
type Fake struct {
	mu     sync.Mutex
	now    time.Time
	timers map[*fakeTimer]struct{}
}

type fakeTimer struct {
	at time.Time
	ch chan time.Time
}

// NewFake returns a Fake that stands at now.
func NewFake(now time.Time) *Fake {
	return &Fake{now: now.UTC().Truncate(time.Millisecond), timers: map[*fakeTimer]struct{}{}}
}

// Now returns the time the fake stands at.
func (f *Fake) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

// After returns a channel that receives when Advance passes the moment.
func (f *Fake) After(d time.Duration) (<-chan time.Time, func()) {
	return f.at(func(now time.Time) time.Time { return now.Add(d) })
}

// At returns a channel that receives when Advance reaches t.
func (f *Fake) At(t time.Time) (<-chan time.Time, func()) {
	return f.at(func(time.Time) time.Time { return t })
}

func (f *Fake) at(when func(now time.Time) time.Time) (<-chan time.Time, func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := &fakeTimer{at: when(f.now), ch: make(chan time.Time, 1)}
	if !t.at.After(f.now) {
		t.ch <- f.now
		return t.ch, func() {}
	}
	f.timers[t] = struct{}{}
	return t.ch, func() {
		f.mu.Lock()
		delete(f.timers, t)
		f.mu.Unlock()
	}
}

// Advance moves the clock by d and wakes everyone whose moment has come.
func (f *Fake) Advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d).Truncate(time.Millisecond)
	for t := range f.timers {
		if !t.at.After(f.now) {
			t.ch <- f.now
			delete(f.timers, t)
		}
	}
}
