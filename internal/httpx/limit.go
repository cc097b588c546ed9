package httpx

import (
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"parley/internal/clock"
	"parley/internal/fault"
	"parley/internal/id"
)

// maxBuckets bounds the memory of the limiter, whoever calls.
const maxBuckets = 100_000

// bucketKey names a bucket: an API key or a network address, and a limit.
type bucketKey struct {
	key  id.ID
	ip   netip.Addr
	name string
}

type limiter struct {
	clock clock.Clock
	max   int

	mu      sync.Mutex
	buckets map[bucketKey]*rate.Limiter
	swept   time.Time

	spans      map[bucketKey]span
	sweptSpans time.Time
}

func newLimiter(c clock.Clock) *limiter {
	return &limiter{clock: c, max: maxBuckets, buckets: map[bucketKey]*rate.Limiter{}, swept: c.Now(), spans: map[bucketKey]span{}, sweptSpans: c.Now()}
}

// verdict is what one call learns about its bucket.
type verdict struct {
	ok        bool
	limited   bool // false when the rate is unlimited: no headers
	rate      Rate
	remaining int
	reset     time.Duration // until the bucket is full again
	wait      time.Duration // until the next call may pass, when !ok
}

// take spends one token of a bucket.
func (l *limiter) take(k bucketKey, r Rate) verdict {
	if r.PerMinute <= 0 {
		return verdict{ok: true}
	}
	if r.Burst <= 0 {
		r.Burst = r.PerMinute
	}
	now := l.clock.Now()
	per := rate.Limit(float64(r.PerMinute) / 60)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
	b := l.buckets[k]
	if b == nil {
		b = rate.NewLimiter(per, r.Burst)
		l.buckets[k] = b
	} else if b.Limit() != per || b.Burst() != r.Burst { // the setting changed
		b.SetLimitAt(now, per)
		b.SetBurstAt(now, r.Burst)
	}
	v := verdict{limited: true, rate: r, ok: b.AllowN(now, 1)}
	left := max(b.TokensAt(now), 0)
	v.remaining = int(math.Floor(left))
	v.reset = seconds((float64(r.Burst) - left) / float64(per))
	if !v.ok {
		v.wait = max(seconds((1-left)/float64(per)), time.Second)
	}
	return v
}

// seconds rounds up to whole seconds.
func seconds(s float64) time.Duration { return time.Duration(math.Ceil(s)) * time.Second }

// sweep forgets full buckets once a minute: a full bucket and a new one are the
// same. Under a flood of callers it forgets others too, to stay within bounds.
func (l *limiter) sweep(now time.Time) {
	if len(l.buckets) < l.max && now.Sub(l.swept) < time.Minute {
		return
	}
	l.swept = now
	for k, b := range l.buckets {
		if b.TokensAt(now) >= float64(b.Burst()) {
			delete(l.buckets, k)
		}
	}
	if len(l.buckets) < l.max {
		return
	}
	for k := range l.buckets {
		if len(l.buckets) <= l.max*9/10 {
			return
		}
		delete(l.buckets, k)
	}
}

// headers tells the caller where it stands: IETF draft-7 RateLimit and
// RateLimit-Policy (platform reference §1.6).
func (v verdict) headers(h http.Header) {
	if !v.limited {
		return
	}
	policy := fmt.Sprintf("%d;w=60", v.rate.PerMinute)
	if v.rate.Burst != v.rate.PerMinute {
		policy += ";burst=" + strconv.Itoa(v.rate.Burst)
	}
	h.Set("RateLimit-Policy", policy)
	h.Set("RateLimit", fmt.Sprintf("limit=%d, remaining=%d, reset=%d", v.rate.Burst, v.remaining, int(v.reset/time.Second)))
}

func tooMany(wait time.Duration) error {
	wait = seconds(wait.Seconds())
	return fault.New(fault.RateLimited, "too many requests: wait %d s, then send again", int(wait/time.Second)).After(wait)
}

// callerIP returns the address to hold a caller to. IPv6 callers own whole /64
// networks, so those share one bucket.
func callerIP(a netip.Addr) netip.Addr {
	if a.Is6() && !a.Is4In6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a.Unmap()
}
