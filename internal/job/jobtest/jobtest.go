// Package jobtest moves the clock of tests in which jobs run.
package jobtest

import (
	"context"
	"testing"
	"time"

	"parley/internal/clock"
	"parley/internal/id"
	"parley/internal/store"
)

// pause is how long Pace lets the workers work.
const pause = 2 * time.Millisecond

// Pace lets the workers work for a moment and moves the clock on: by step while
// nothing is at work, else as fast as time itself, so that no lease ends while
// its holder works, however slow the machine is.
func Pace(t testing.TB, db *store.DB, c *clock.Fake, step time.Duration) {
	t.Helper()
	var busy bool
	err := db.Read(context.Background(), id.Zero).All().QueryRow(`SELECT EXISTS (SELECT 1 FROM job WHERE state='running')
		OR EXISTS (SELECT 1 FROM webhook_delivery WHERE state='sending') OR EXISTS (SELECT 1 FROM outbox WHERE state='sending')`).Scan(&busy)
	if err != nil {
		t.Errorf("what is at work: %v", err)
	}
	if busy {
		step = pause
	}
	c.Advance(step)
	time.Sleep(pause)
}
