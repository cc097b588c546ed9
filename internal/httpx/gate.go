package httpx

import (
	"context"
	"sync"
)

// gate counts running requests and turns new ones away while draining.
type gate struct {
	mu       sync.Mutex
	running  int // all of them
	short    int // those of Handlers, which the cap is about
	draining bool
	closed   chan struct{} // closed when draining begins
	idle     []chan struct{}
}

func newGate() *gate { return &gate{closed: make(chan struct{})} }

type admission int

const (
	admitted admission = iota
	refusedDraining
	refusedBusy
)

// enter lets one request in. limit caps the short ones; 0 = no cap.
func (g *gate) enter(always, short bool, limit int) admission {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.draining && !always {
		return refusedDraining
	}
	if short && limit > 0 && g.short >= limit && !always {
		return refusedBusy
	}
	g.running++
	if short {
		g.short++
	}
	return admitted
}

func (g *gate) leave(short bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running--
	if short {
		g.short--
	}
	if g.running == 0 {
		for _, c := range g.idle {
			close(c)
		}
		g.idle = nil
	}
}

func (g *gate) drain() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.draining {
		g.draining = true
		close(g.closed)
	}
}

// wait returns once nothing runs, or with the context's error.
func (g *gate) wait(ctx context.Context) error {
	g.mu.Lock()
	if g.running == 0 {
		g.mu.Unlock()
		return nil
	}
	c := make(chan struct{})
	g.idle = append(g.idle, c)
	g.mu.Unlock()
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
