package simulator

import (
	"bytes"
	"container/heap"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Attempt is one try to deliver a webhook.
type Attempt struct {
	Seq      uint64          `json:"seq"`
	At       time.Time       `json:"at"`
	Account  string          `json:"account"`
	Kind     string          `json:"kind"` // message, sent, delivered, read, failed, preference
	Subject  string          `json:"subject"`
	URL      string          `json:"url"`
	Attempt  int             `json:"attempt"`         // from 1
	Status   int             `json:"status"`          // of the answer; 0 without one
	Error    string          `json:"error,omitempty"` // why there was no answer
	Accepted bool            `json:"accepted"`        // only by 200
	Body     json.RawMessage `json:"body"`
}

// delivery is one webhook on its way.
type delivery struct {
	account, url, secret string
	kind, subject        string
	lane                 string // webhooks of one lane go one after the other
	body                 []byte
	due, first           time.Time
	attempt              int
	seq                  uint64
}

// Webhooks are repeated until they get 200, with growing pauses, for up to
// seven days (Meta Cloud API, "Webhooks, Retries").
const (
	longestPause = time.Hour
	giveUpAfter  = 7 * 24 * time.Hour
	hookTimeout  = 10 * time.Second
)

// postman delivers webhooks: those due wait in lanes for a worker, those for
// later in a heap for the clock.
type postman struct {
	opt    *Options
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	wake   chan struct{} // tells the timekeeper that the heap changed

	mu      sync.Mutex
	change  *sync.Cond
	lanes   map[string]*lane
	ready   []*lane
	later   deliveries
	waiting int // in lanes and heap
	active  int
	seq     uint64
	round   int // grows with each reset
	log     []Attempt
	closed  bool
}

type lane struct {
	key   string
	queue []*delivery
}

func newPostman(opt *Options) *postman {
	p := &postman{opt: opt, wake: make(chan struct{}, 1), lanes: map[string]*lane{}}
	p.change = sync.NewCond(&p.mu)
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.wg.Add(opt.Workers + 1)
	for range opt.Workers {
		go p.work()
	}
	go p.keepTime()
	return p
}

func (p *postman) close() {
	p.mu.Lock()
	p.closed = true
	p.cancel()
	p.change.Broadcast()
	p.mu.Unlock()
	p.wg.Wait()
}

func (p *postman) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.round++
	p.lanes, p.ready, p.later, p.waiting, p.log = map[string]*lane{}, nil, nil, 0, nil
	p.change.Broadcast()
}

// enqueue takes webhooks over, in their order.
func (p *postman) enqueue(ds ...*delivery) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range ds {
		if p.waiting >= p.opt.MaxPending {
			p.opt.Logger.Warn("simulator: too many webhooks wait, one is dropped", "account", d.account, "kind", d.kind)
			continue
		}
		p.waiting++
		p.seq++
		d.seq = p.seq
		p.place(d, p.opt.Clock.Now())
	}
	p.change.Broadcast()
}

// place puts a delivery where it has to wait; the caller holds mu.
func (p *postman) place(d *delivery, now time.Time) {
	if d.due.After(now) {
		heap.Push(&p.later, d)
		select {
		case p.wake <- struct{}{}:
		default:
		}
		return
	}
	l := p.lanes[d.lane]
	if l == nil {
		l = &lane{key: d.lane}
		p.lanes[d.lane] = l
		p.ready = append(p.ready, l)
	}
	l.queue = append(l.queue, d)
}

// keepTime moves deliveries from the heap to their lanes as they fall due.
func (p *postman) keepTime() {
	defer p.wg.Done()
	for {
		p.mu.Lock()
		now := p.opt.Clock.Now()
		for len(p.later) > 0 && !p.later[0].due.After(now) {
			p.place(heap.Pop(&p.later).(*delivery), now)
		}
		p.change.Broadcast()
		var timer <-chan time.Time
		stop := func() {}
		if len(p.later) > 0 {
			timer, stop = p.opt.Clock.After(p.later[0].due.Sub(now))
		}
		p.mu.Unlock()
		if p.opt.Clock.Now().After(now) { // time moved on before the timer was set
			stop()
			select {
			case <-p.ctx.Done():
				return
			default:
				continue
			}
		}
		select {
		case <-timer:
		case <-p.wake:
		case <-p.ctx.Done():
			stop()
			return
		}
		stop()
	}
}

func (p *postman) work() {
	defer p.wg.Done()
	for {
		p.mu.Lock()
		for len(p.ready) == 0 && !p.closed {
			p.change.Wait()
		}
		if p.closed {
			p.mu.Unlock()
			return
		}
		l := p.ready[0]
		p.ready = p.ready[1:]
		d := l.queue[0]
		l.queue = l.queue[1:]
		p.waiting--
		p.active++
		round := p.round
		p.mu.Unlock()

		a := p.try(p.ctx, d)

		p.mu.Lock()
		p.active--
		if round == p.round {
			p.record(a)
			if len(l.queue) > 0 {
				p.ready = append(p.ready, l)
			} else {
				delete(p.lanes, l.key)
			}
			if !a.Accepted {
				p.again(d)
			}
		}
		p.change.Broadcast()
		p.mu.Unlock()
	}
}

// again schedules the next try of a refused delivery; the caller holds mu.
func (p *postman) again(d *delivery) {
	now := p.opt.Clock.Now()
	pause := p.opt.RetryBase
	for i := 1; i < d.attempt && pause < longestPause; i++ {
		pause *= 2
	}
	d.due = now.Add(min(pause, longestPause))
	if d.due.Sub(d.first) > giveUpAfter || p.closed {
		p.opt.Logger.Warn("simulator: a webhook is given up", "account", d.account, "kind", d.kind)
		return
	}
	p.waiting++
	p.place(d, now)
}

// deliverNow tries a delivery at once, outside the lanes, and leaves the
// repetition of a refused one to the workers.
func (p *postman) deliverNow(ctx context.Context, d *delivery) Attempt {
	p.mu.Lock()
	round := p.round
	p.mu.Unlock()
	a := p.try(ctx, d)
	p.mu.Lock()
	defer p.mu.Unlock()
	if round == p.round {
		p.record(a)
		if !a.Accepted {
			p.again(d)
		}
		p.change.Broadcast()
	}
	return a
}

// try posts once. The signature is the hex HMAC-SHA256 of the body under the
// app secret (Meta Graph API, "Webhooks, Validating payloads").
func (p *postman) try(ctx context.Context, d *delivery) Attempt {
	now := p.opt.Clock.Now()
	if d.attempt == 0 {
		d.first = now
	}
	d.attempt++
	a := Attempt{At: now, Account: d.account, Kind: d.kind, Subject: d.subject, URL: d.url, Attempt: d.attempt, Body: d.body}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer, stop := p.opt.Clock.After(hookTimeout)
	defer stop()
	go func() {
		select {
		case <-timer:
			cancel(fmt.Errorf("no answer within %s", hookTimeout))
		case <-p.ctx.Done():
			cancel(p.ctx.Err())
		case <-ctx.Done():
		}
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, bytes.NewReader(d.body))
	if err != nil {
		a.Error = err.Error()
		return a
	}
	mac := hmac.New(sha256.New, []byte(d.secret))
	mac.Write(d.body)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "facebookexternalua")
	req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := p.opt.Doer.Do(req)
	if err != nil {
		a.Error = err.Error()
		return a
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	resp.Body.Close()
	a.Status, a.Accepted = resp.StatusCode, resp.StatusCode == http.StatusOK
	return a
}

// record logs an attempt; the caller holds mu.
func (p *postman) record(a Attempt) {
	p.seq++
	a.Seq = p.seq
	if len(p.log) >= p.opt.LogSize {
		p.log = append(p.log[:0], p.log[1:]...)
	}
	p.log = append(p.log, a)
}

func (p *postman) attempts() []Attempt {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.log)
}

func (p *postman) idle(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() {
		p.mu.Lock()
		p.change.Broadcast()
		p.mu.Unlock()
	})()
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.active > 0 || len(p.ready) > 0 || (len(p.later) > 0 && !p.later[0].due.After(p.opt.Clock.Now())) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if p.closed {
			return context.Canceled
		}
		p.change.Wait()
	}
	return nil
}

// deliveries is a heap by time, then by order of arrival.
type deliveries []*delivery

func (h deliveries) Len() int { return len(h) }
func (h deliveries) Less(i, j int) bool {
	if !h[i].due.Equal(h[j].due) {
		return h[i].due.Before(h[j].due)
	}
	return h[i].seq < h[j].seq
}
func (h deliveries) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *deliveries) Push(x any)   { *h = append(*h, x.(*delivery)) }
func (h *deliveries) Pop() any {
	old := *h
	d := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return d
}
