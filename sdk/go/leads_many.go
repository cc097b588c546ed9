package parley

import (
	"context"
	"errors"
	"sync"
)

// DefaultConcurrency is the number of calls that CreateMany makes at a time.
const DefaultConcurrency = 8

// Created is what became of one lead of CreateMany: a Lead, or an error.
type Created struct {
	Lead Lead
	Err  error
}

// CreateMany creates leads, concurrency of them at a time (DefaultConcurrency
// when 0), and tells of each what became of it, in the order given. Each is a
// call of its own with its own idempotency key, so that a lead which the server
// refuses stops no other, and what it reports is exact also when others take a
// phone at the same moment. [Leads.Import] is faster where an existing lead may
// be updated.
//
// The error is the first that is not about its lead: the network, the key, the
// context. Leads that were not sent because of it carry it too.
func (s *Leads) CreateMany(ctx context.Context, leads []LeadInput, concurrency int) ([]Created, error) {
	if concurrency <= 0 {
		concurrency = DefaultConcurrency
	}
	out := make([]Created, len(leads))
	var mu sync.Mutex
	var broken error // ends the walk
	next := 0
	take := func() (int, error) {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next - 1, broken
	}
	var wg sync.WaitGroup
	for range min(concurrency, len(leads)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				i, err := take()
				if i >= len(leads) {
					return
				}
				if err == nil {
					out[i].Lead, err = s.Create(ctx, leads[i])
				}
				out[i].Err = err
				if err != nil && !aboutLead(err) {
					mu.Lock()
					if broken == nil {
						broken = err
					}
					mu.Unlock()
				}
			}
		}()
	}
	wg.Wait()
	return out, broken
}

// aboutLead says whether a refusal is the lead's own fault.
func aboutLead(err error) bool {
	var e *APIError
	return errors.As(err, &e) && (e.Status == 400 || e.Status == 404 || e.Status == 409 || e.Status == 422)
}
