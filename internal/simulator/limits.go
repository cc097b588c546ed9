package simulator

import "time"

// bucket counts tokens that come back at a steady rate.
type bucket struct {
	left float64
	last time.Time
}

// take removes a token if there is one; force removes it anyway, down to -size.
func (b *bucket) take(now time.Time, size int, force bool) bool {
	if b.last.IsZero() {
		b.left = float64(size)
	} else {
		b.left = min(float64(size), b.left+now.Sub(b.last).Seconds()*float64(size))
	}
	b.last = now
	if b.left < 1 && !force {
		return false
	}
	b.left = max(b.left-1, -float64(size))
	return true
}

// pair applies the pair rate: one message in 6 seconds to the same person, or a
// burst of up to 45 within 6 seconds, after which the person is closed for as
// long as the messages would have taken at the steady rate (Meta Cloud API,
// "Pair rate limits": after 20 at once, about two minutes).
type pair struct {
	start time.Time
	n     int
}

func (p *pair) take(now time.Time, gap time.Duration, burst int) bool {
	since := now.Sub(p.start)
	switch {
	case p.n == 0 || since >= time.Duration(p.n)*gap:
		p.start, p.n = now, 1
	case since < gap && p.n < burst:
		p.n++
	default:
		return false
	}
	return true
}
