package job

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"parley/internal/store"
)

// quantum bounds how long a lane keeps its slot while others may wait; the next
// sweep brings it back.
const quantum = 5 * time.Second

// drain works on a lane while it holds its lease: claims rows, does them beside
// each other, and lets the lane go when nothing has been due for a while.
func (ls *Lanes) drain(ctx context.Context, l Ledger, lane Lane, poke <-chan struct{}) {
	held, err := ls.acquire(ctx, l, lane)
	if err != nil && ctx.Err() == nil {
		ls.o.Logger.Error("could not take a lane", "ledger", l.Name(), "lane", lane.Name, "error", err)
	}
	if !held {
		return
	}
	begun := ls.o.Clock.Now()
	renewed := begun
	var wg sync.WaitGroup
	defer func() {
		wg.Wait()
		settle(ctx, l, lane)
		ls.release(l, lane)
	}()
	room := ls.o.inFlight(l)
	ended := make(chan struct{}, room)
	busy := 0
	for {
		now := ls.o.Clock.Now()
		if now.Sub(renewed) > ls.o.Lease/3 {
			if ok, err := ls.acquire(ctx, l, lane); err != nil || !ok {
				return // somebody else has it; rows are fenced by their attempt
			}
			renewed = now
		}
		var next time.Time
		over := now.Sub(begun) > quantum && len(ls.slots) == cap(ls.slots)
		if !over && ctx.Err() == nil && busy < room {
			var work []Work
			asked := room - busy
			work, next, err = l.Claim(ctx, lane, asked)
			if err != nil {
				if ctx.Err() == nil {
					ls.o.Logger.Error("could not claim rows of a lane", "ledger", l.Name(), "lane", lane.Name, "error", err)
				}
				return
			}
			for _, w := range work {
				busy++
				wg.Add(1)
				go func() {
					defer wg.Done()
					defer func() { ended <- struct{}{} }()
					ls.do(ctx, l, w)
				}()
			}
			if len(work) == asked || len(work) > 0 && next.IsZero() {
				continue // there may be more
			}
			if !next.After(now) {
				next = time.Time{} // due, but behind a row at work: its end wakes us
			}
		} else if busy < room { // else the end of a call claims
			settle(ctx, l, lane)
		}
		if busy == 0 && (over || ctx.Err() != nil) {
			return
		}
		wait := ls.o.Lease / 3
		if busy == 0 {
			wait = ls.o.Linger
		}
		timer, stop := ls.o.Clock.At(soonest(next, now.Add(wait)))
		done := ctx.Done()
		if busy > 0 {
			done = nil // finish what is at work; the items see ctx themselves
		}
		select {
		case <-ended:
			busy--
			for len(ended) > 0 { // one claim for all that ended meanwhile
				<-ended
				busy--
			}
		case <-poke:
		case <-timer:
			// By the clock as it is now: a row may have fallen due meanwhile.
			if busy == 0 && (next.IsZero() || next.After(ls.o.Clock.Now().Add(ls.o.Linger))) {
				stop()
				return
			}
		case <-done:
		}
		stop()
	}
}

// do runs one item. A panic costs the item, whose lease will end, not the server.
func (ls *Lanes) do(ctx context.Context, l Ledger, w Work) {
	defer func() {
		if p := recover(); p != nil {
			ls.o.Logger.Error("panic in a lane", "ledger", l.Name(), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	w(ctx)
}

// acquire takes or renews the lane's lease.
func (ls *Lanes) acquire(ctx context.Context, l Ledger, lane Lane) (bool, error) {
	return store.Write(ctx, ls.db, lane.Tenant, func(tx *store.Tx) (bool, error) {
		n, err := tx.Exec(`INSERT INTO lane (tenant_id, ledger, lane, holder, lease_until) VALUES (?,?,?,?,?)
			ON CONFLICT (tenant_id, ledger, lane) DO UPDATE SET holder=excluded.holder, lease_until=excluded.lease_until
			WHERE lane.holder=excluded.holder OR lane.lease_until<?`,
			l.Name(), lane.Name, ls.o.Node, tx.Now().Add(ls.o.Lease), tx.Now())
		return n > 0, err
	})
}

func (ls *Lanes) release(l Ledger, lane Lane) {
	err := ls.db.Write(context.Background(), lane.Tenant, func(tx *store.Tx) error {
		_, err := tx.Exec("DELETE FROM lane WHERE tenant_id=? AND ledger=? AND lane=? AND holder=?", l.Name(), lane.Name, ls.o.Node)
		return err
	})
	if err != nil {
		ls.o.Logger.Warn("could not let a lane go; its lease will end", "ledger", l.Name(), "lane", lane.Name, "error", err)
	}
}

// ForgetLanes drops every lane lease. Only a process that knows it is alone with
// the database may call it, at its start: a SQLite server after a crash.
func ForgetLanes(ctx context.Context, db *store.DB) error {
	return db.Write(ctx, systemTenant, func(tx *store.Tx) error {
		_, err := tx.System().Exec("DELETE FROM lane")
		return err
	})
}
