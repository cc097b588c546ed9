package clock

import (
	"sync/atomic"
	"time"
)

// Shifted is another clock put forward, or back: the one that a whole
// installation goes by, as seen from a machine whose own clock is off.
type Shifted struct {
	base Clock
	by   atomic.Int64 // nanoseconds
}

// NewShifted returns a clock that is ahead of base by d.
func NewShifted(base Clock, d time.Duration) *Shifted {
	s := &Shifted{base: base}
	s.Shift(d)
	return s
}

// Shift sets how far the clock is ahead of its base. Durations that run keep
// their length.
func (s *Shifted) Shift(d time.Duration) { s.by.Store(int64(d)) }

// Ahead tells how far the clock is ahead of its base.
func (s *Shifted) Ahead() time.Duration { return time.Duration(s.by.Load()) }

// Now returns the base's time, shifted.
func (s *Shifted) Now() time.Time { return s.base.Now().Add(s.Ahead()).Truncate(time.Millisecond) }

// After is the base's.
func (s *Shifted) After(d time.Duration) (<-chan time.Time, func()) { return s.base.After(d) }

// At receives when the shifted clock shows t, as far as that is known now.
func (s *Shifted) At(t time.Time) (<-chan time.Time, func()) { return s.base.At(t.Add(-s.Ahead())) }
