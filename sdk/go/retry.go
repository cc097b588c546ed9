package parley

import (
	"net/http"
	"strconv"
	"time"
)

// waitTime is a pause.
type waitTime = time.Duration

const (
	// firstPause is the pause before the first repetition; each further one is
	// twice as long, up to lastPause.
	firstPause = 500 * time.Millisecond
	lastPause  = 8 * time.Second
	// maxWait is the longest Retry-After that is waited for. A longer one is the
	// caller's to know.
	maxWait = time.Minute
)

// pause is how long to wait after the failure of a try, counted from 0: half of
// it fixed, half of it by chance, so that many clients do not come back at once.
func (c *Client) pause(try int) time.Duration {
	d := lastPause
	if try < 5 {
		d = min(firstPause<<try, lastPause)
	}
	return d/2 + time.Duration(c.cfg.jitter()*float64(d/2))
}

// passes says whether a status may be another one next time. A 409 is told to
// wait only while an earlier try of the same call still runs (reference §1.7).
func passes(status int, toldToWait bool) bool {
	switch {
	case status == http.StatusTooManyRequests:
		return true
	case status == http.StatusConflict:
		return toldToWait
	}
	return status >= 500 && status != http.StatusNotImplemented
}

// retryAfter reads the header, whole seconds or a date.
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	v := h.Get("Retry-After")
	if v == "" {
		return 0, false
	}
	if n, err := strconv.ParseInt(v, 10, 32); err == nil && n >= 0 {
		return time.Duration(n) * time.Second, true
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(t.Sub(now), 0), true
	}
	return 0, false
}
