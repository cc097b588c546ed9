package outbox

import (
	"math"
	"sync"
	"time"

	"parley/internal/channel"
	"parley/internal/id"
)

// breath is the shortest wait for tokens: a lane that is paced claims in small
// groups instead of one row at a time.
const breath = 50 * time.Millisecond

// pace holds a token bucket per account. A tenth of the provider's limit may go
// in a burst and nine tenths flow back in a second, so that no second sees more
// than the limit.
type pace struct {
	mu      sync.Mutex
	buckets map[id.ID]*bucket
}

type bucket struct {
	left float64
	at   time.Time
}

func newPace() *pace { return &pace{buckets: map[id.ID]*bucket{}} }

func shares(perSecond float64) (rate, burst float64) {
	return 0.9 * perSecond, math.Max(1, 0.1*perSecond)
}

// take reserves up to n sends; with none it tells when to ask again.
func (p *pace) take(account id.ID, perSecond float64, n int, now time.Time) (granted int, again time.Time) {
	if perSecond <= 0 {
		return n, time.Time{}
	}
	rate, burst := shares(perSecond)
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.buckets[account]
	if b == nil {
		b = &bucket{left: burst, at: now}
		p.buckets[account] = b
	}
	if d := now.Sub(b.at); d > 0 {
		b.left = math.Min(burst, b.left+d.Seconds()*rate)
		b.at = now
	}
	granted = min(n, int(b.left+1e-9))
	b.left -= float64(granted)
	if granted == 0 {
		wait := time.Duration(math.Ceil((1-b.left)/rate*1000)) * time.Millisecond
		return 0, now.Add(max(wait, breath))
	}
	return granted, time.Time{}
}

// giveBack returns reserved sends that were not used.
func (p *pace) giveBack(account id.ID, perSecond float64, n int) {
	if perSecond <= 0 || n <= 0 {
		return
	}
	_, burst := shares(perSecond)
	p.mu.Lock()
	defer p.mu.Unlock()
	if b := p.buckets[account]; b != nil {
		b.left = math.Min(burst, b.left+float64(n))
	}
}

// pairOpens tells from past attempts, oldest first, when a person may get the
// next message: now or earlier means at once. It is the rule that
// channel.Capabilities describes: a burst of up to PairBurst messages within
// one PairGap borrows n × PairGap from its first message on.
func pairOpens(tries []time.Time, caps channel.Capabilities, now time.Time) time.Time {
	if caps.PairGap <= 0 {
		return now
	}
	var start time.Time
	n := 0
	for _, t := range tries {
		if n == 0 || !t.Before(start.Add(time.Duration(n)*caps.PairGap)) {
			start, n = t, 1
		} else {
			n++
		}
	}
	if n == 0 || n < caps.PairBurst && now.Before(start.Add(caps.PairGap)) {
		return now
	}
	return start.Add(time.Duration(n) * caps.PairGap)
}

// pairMemory is how far back attempts matter: a full burst and the time it
// borrows, twice, so that a burst cut in half at the edge does not count.
func pairMemory(caps channel.Capabilities) time.Duration {
	return 2 * time.Duration(max(1, caps.PairBurst)) * caps.PairGap
}
