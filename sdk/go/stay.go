package parley

import (
	"context"
	"errors"
	"time"
)

// stay keeps the feed connected until its life ends or the server says no for
// good.
func (r *Realtime) stay(life context.Context, c *conn) {
	for {
		err := c.read(life, r)
		r.mu.Lock()
		r.conn = nil
		r.mu.Unlock()
		c.drop()
		if life.Err() != nil || r.closed() {
			return
		}
		if errors.Is(err, errGone) {
			r.finish(errors.Join(ErrClosed, err))
			return
		}
		r.lost(err)
		if c = r.again(life, errors.Is(err, errSlow)); c == nil {
			return
		}
	}
}

// again connects until it works. nil means that the feed has ended.
func (r *Realtime) again(life context.Context, slow bool) *conn {
	for slow && r.waiting() > maxWaiting/2 { // they shall catch up first
		if !r.pause(life, 50*time.Millisecond) {
			return nil
		}
	}
	for try := 0; ; try++ {
		if !r.pause(life, r.c.pause(try)) {
			return nil
		}
		c, err := r.open(life)
		if err == nil {
			return c
		}
		if life.Err() != nil {
			return nil
		}
		var refused *AuthenticationError
		if errors.As(err, &refused) {
			r.finish(err)
			return nil
		}
		r.c.cfg.log.Info("parley: the live feed could not be opened again", "try", try+1, "error", err)
	}
}

func (r *Realtime) waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.queue)
}

// pause waits and says whether the feed still lives.
func (r *Realtime) pause(life context.Context, d time.Duration) bool {
	select {
	case <-r.c.cfg.clock.After(d):
		return true
	case <-life.Done():
		return false
	}
}

// lost tells that a connection broke.
func (r *Realtime) lost(err error) {
	r.c.cfg.log.Info("parley: the live feed was interrupted", "error", err)
	r.mu.Lock()
	list := r.onLoss
	r.mu.Unlock()
	r.force(func() {
		for _, f := range list {
			r.guard("disconnect", func() { f(err) })
		}
	})
}

// finish ends the feed from the inside, after the callbacks that wait.
func (r *Realtime) finish(err error) {
	r.lost(err)
	r.force(func() {
		r.mu.Lock()
		r.state, r.err = feedClosed, err
		end := r.end
		r.mu.Unlock()
		end()
	})
}
