package webhook

import (
	"hash/fnv"
	"slices"
	"time"

	"parley/internal/id"
	"parley/internal/store"
)

// Policy is how deliveries of one kind are made and tried again, as data.
type Policy struct {
	Attempts int             // at most
	Timeout  time.Duration   // of one attempt
	Pauses   []time.Duration // after the first, second ... failed attempt; the last one repeats
	// First and Cap, in the place of Pauses, double the pause from First to Cap.
	First, Cap time.Duration
	// Jitter shortens each pause of First and Cap by up to this part of it, so that
	// receivers which come back are not called by everybody at once.
	Jitter float64
	Keep   int // bytes kept of an answer; 0 means 2 kB
	// Below is the least status that is a failure; 0 means 300.
	Below int
	// Again are the statuses below 500 that are tried again; nil means all that are
	// failures. Those from 500 on always are, as are timeouts and broken connections.
	Again []int
	// Stay takes a redirect as the answer instead of following it.
	Stay bool
	// Unsigned sends no SignatureHeader and needs no secret.
	Unsigned bool
	// Quiet tells the feed nothing of how deliveries end.
	Quiet bool
	// Stamp names what is written into the body at each attempt (stamps); "" nothing.
	Stamp string
}

// Names of policies.
const (
	// DefaultPolicy is the policy of a delivery that names none.
	DefaultPolicy = "platform"
	// SalesPolicy is the policy of notifications to subscriptions.
	SalesPolicy = "sales"
)

// Policies are the known retry schedules. "platform": seed 000, callbacks (3
// attempts of 8 s, pauses of 2 s and 4 s). "sales": sales reference §4.10 (20
// retries, success below 400: S).
var Policies = map[string]Policy{
	DefaultPolicy: {Attempts: 3, Timeout: 8 * time.Second, Pauses: []time.Duration{2 * time.Second, 4 * time.Second}},
	CallPolicy:    {Attempts: 3, Timeout: 8 * time.Second, Pauses: []time.Duration{2 * time.Second, 4 * time.Second}, Keep: 32 << 10},
	SalesPolicy: {Attempts: 21, Timeout: 10 * time.Second, First: time.Second, Cap: time.Hour, Jitter: 0.1, Below: 400,
		Again: []int{408, 425, 429}, Stay: true, Unsigned: true, Quiet: true, Stamp: "notification"},
}

// Alive tells whether the deliveries of a lane are still wanted.
type Alive func(r store.Reader, lane string) (bool, error)

// Ask makes a room be asked, before a delivery of a policy is tried again, whether
// its lane still wants it. Call it before the first use.
func (s *Service) Ask(policy string, a Alive) { s.alive[policy] = a }

// pause returns how long to wait after the given failed attempt, from 1.
func (p Policy) pause(delivery id.ID, attempt int) time.Duration {
	if p.First > 0 {
		d := p.Cap
		if attempt < 40 {
			d = min(d, p.First<<(max(attempt, 1)-1))
		}
		return d - time.Duration(float64(d)*p.Jitter*share(delivery, attempt))
	}
	if len(p.Pauses) == 0 {
		return 0
	}
	return p.Pauses[min(max(attempt, 1), len(p.Pauses))-1]
}

// share is a number from 0 to 1 that differs between deliveries and attempts and
// is the same whenever it is asked.
func share(delivery id.ID, attempt int) float64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(delivery.String()))
	_, _ = h.Write([]byte{byte(attempt)})
	return float64(h.Sum32()) / (1 << 32)
}

// succeeded reports whether a status is what the receiver should answer.
func (p Policy) succeeded(status int) bool {
	below := p.Below
	if below == 0 {
		below = 300
	}
	return status >= 200 && status < below
}

// again reports whether a failure with this status is tried again.
func (p Policy) again(status int) bool {
	return p.Again == nil || status >= 500 || slices.Contains(p.Again, status)
}
