package httpx

import (
	"net/http"
	"strconv"
	"time"
)

// Window makes a face count the calls of a key in fixed windows instead of a
// bucket that flows: a window begins with a key's first call and ends with the
// last whole second of its time, and then the whole number is there again. Every answer of the face tells where its
// caller stands; one to nobody known tells where the address stands among those.
type Window struct {
	Every time.Duration // whole seconds
	// Prefix begins the names of three headers: Limit, Remaining, and Reset in
	// Unix seconds.
	Prefix string
	// Limit names the limit of calls that meet no route; "" is "default".
	Limit string
}

// span is one running window.
type span struct {
	until time.Time // a whole second
	used  int
}

// count spends one call of a window.
func (l *limiter) count(k bucketKey, r Rate, every time.Duration) standing {
	if r.PerMinute <= 0 {
		return standing{ok: true}
	}
	allowed := max(int(float64(r.PerMinute)*every.Minutes()), 1)
	now := l.clock.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweepSpans(now)
	s := l.spans[k]
	if !now.Before(s.until) {
		s = span{until: now.Add(every).Truncate(time.Second)}
	}
	ok := s.used < allowed
	if ok {
		s.used++
	}
	l.spans[k] = s
	return standing{ok: ok, limited: true, allowed: allowed, remaining: max(allowed-s.used, 0), until: s.until, wait: s.until.Sub(now)}
}

// sweepSpans forgets windows that are over, once a minute; under a flood of
// callers it forgets others too, to stay within bounds.
func (l *limiter) sweepSpans(now time.Time) {
	if len(l.spans) < l.max && now.Sub(l.sweptSpans) < time.Minute {
		return
	}
	l.sweptSpans = now
	for k, s := range l.spans {
		if !now.Before(s.until) {
			delete(l.spans, k)
		}
	}
	if len(l.spans) < l.max {
		return
	}
	for k := range l.spans {
		if len(l.spans) <= l.max*9/10 {
			return
		}
		delete(l.spans, k)
	}
}

// standing is what one call learns about its window.
type standing struct {
	ok        bool
	limited   bool // false when the rate is unlimited: no headers
	allowed   int
	remaining int
	until     time.Time
	wait      time.Duration
}

// headers tells the caller where it stands (sales reference §1.4).
func (v standing) headers(h http.Header, w *Window) {
	if !v.limited {
		return
	}
	// In the letters of the contract, which Set would change.
	h[w.Prefix+"Limit"] = []string{strconv.Itoa(v.allowed)}
	h[w.Prefix+"Remaining"] = []string{strconv.Itoa(v.remaining)}
	h[w.Prefix+"Reset"] = []string{strconv.FormatInt(v.until.Unix(), 10)}
}
