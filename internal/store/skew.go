package store

import (
	"context"
	"time"

	"parley/internal/clock"
	"parley/internal/id"
)

// Nodes of one database compare times that they did not write themselves: did
// the reply come after the question? So all of them go by the database's clock;
// each measures how far its machine is off, since asking for the time in every
// transaction would cost a round trip.
const (
	skewEvery   = time.Minute
	skewSamples = 5
	// skewTrust is the least difference that is worth a correction, beside half of
	// the round trip in which it was measured.
	skewTrust = 2 * time.Millisecond
)

// goByDatabase makes the node's clock the database's; a fake clock stays what it
// is.
func (db *DB) goByDatabase(ctx, run context.Context) error {
	if _, fake := db.opts.Clock.(*clock.Fake); fake {
		return nil
	}
	machine := db.opts.Clock
	ours := clock.NewShifted(machine, 0)
	if err := db.correct(ctx, machine, ours); err != nil {
		return err
	}
	db.opts.Clock = ours
	db.wg.Add(1)
	go func() {
		defer db.wg.Done()
		for {
			select {
			case <-time.After(skewEvery):
				_ = db.correct(run, machine, ours) // an outage shows elsewhere; the last measure holds
			case <-run.Done():
				return
			}
		}
	}()
	return nil
}

// correct measures the difference to the database's clock, by the quickest of a
// few samples.
func (db *DB) correct(ctx context.Context, machine clock.Clock, ours *clock.Shifted) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c, err := db.read.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	best, ahead := time.Duration(-1), time.Duration(0)
	for range skewSamples {
		var micros int64
		from, begun := machine.Now(), time.Now()
		if err := c.QueryRowContext(ctx, "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp())*1000000 AS BIGINT)").Scan(&micros); err != nil {
			return err
		}
		took := time.Since(begun)
		if best < 0 || took < best {
			best, ahead = took, time.UnixMicro(micros).Sub(from.Add(took/2))
		}
	}
	off := ahead - ours.Ahead()
	if off.Abs() > best/2+skewTrust {
		ours.Shift(ahead)
	}
	id.Ahead(time.Until(ours.Now())) // what is written later has the larger id, whichever node writes it
	if off.Abs() > time.Second {
		db.opts.Logger.Warn("this machine's clock is off; the database's is used instead. Check the machine's time service", "off", -ahead)
	}
	return nil
}
