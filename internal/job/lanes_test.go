package job_test

import (
	"context"
	"fmt"
	"sort"
	"sync"
	"testing"
	"time"

	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// slips is a small ledger over trigger_log rows: callback_status is their state
// and phone the lane; rows of one (lane, email) follow each other.
type slips struct {
	db     *store.DB
	mu     sync.Mutex
	did    map[string][]string // lane -> payload order
	atOnce map[string]int
	worst  int
	hold   map[string]chan struct{}
}

func (s *slips) Name() string { return "slips" }

func (s *slips) Due(ctx context.Context, now time.Time, limit int) ([]job.Lane, time.Time, error) {
	rows, err := s.db.Read(ctx, id.Zero).All().Query("SELECT DISTINCT tenant_id, phone FROM trigger_log WHERE callback_status='due' LIMIT ?", limit)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer rows.Close()
	var out []job.Lane
	for rows.Next() {
		var l job.Lane
		if err := rows.Scan(&l.Tenant, &l.Name); err != nil {
			return nil, time.Time{}, err
		}
		out = append(out, l)
	}
	return out, time.Time{}, rows.Err()
}

func (s *slips) Claim(ctx context.Context, l job.Lane, n int) ([]job.Work, time.Time, error) {
	type row struct{ id, key, text string }
	got, err := store.Write(ctx, s.db, l.Tenant, func(tx *store.Tx) ([]row, error) {
		rows, err := tx.Query(`SELECT id, email, trigger_name FROM trigger_log t WHERE tenant_id=? AND phone=? AND callback_status='due'
			AND NOT EXISTS (SELECT 1 FROM trigger_log o WHERE o.tenant_id=t.tenant_id AND o.phone=t.phone AND o.email=t.email
				AND o.id<t.id AND o.callback_status IN ('due','busy')) ORDER BY id LIMIT ?`, l.Name, n)
		if err != nil {
			return nil, err
		}
		var out []row
		for rows.Next() {
			var r row
			if err := rows.Scan(&r.id, &r.key, &r.text); err != nil {
				rows.Close()
				return nil, err
			}
			out = append(out, r)
		}
		rows.Close()
		for _, r := range out {
			if _, err := tx.Exec("UPDATE trigger_log SET callback_status='busy' WHERE tenant_id=? AND id=?", r.id); err != nil {
				return nil, err
			}
		}
		return out, nil
	})
	var work []job.Work
	for _, r := range got {
		work = append(work, func(context.Context) {
			k := l.Name + "/" + r.key
			s.mu.Lock()
			s.atOnce[k]++
			s.worst = max(s.worst, s.atOnce[k])
			s.did[k] = append(s.did[k], r.text)
			hold := s.hold[l.Name]
			s.mu.Unlock()
			if hold != nil {
				<-hold
			}
			s.mu.Lock()
			s.atOnce[k]--
			s.mu.Unlock()
			_ = s.db.Write(bg, l.Tenant, func(tx *store.Tx) error {
				_, err := tx.Exec("UPDATE trigger_log SET callback_status='done' WHERE tenant_id=? AND id=?", r.id)
				return err
			})
		})
	}
	return work, time.Time{}, err
}

func (s *slips) Rescue(context.Context) (int, error) { return 0, nil }

func (s *slips) add(t *testing.T, tenant id.ID, lane, key, text string) {
	t.Helper()
	if err := s.db.Write(bg, tenant, func(tx *store.Tx) error {
		_, err := tx.Exec(`INSERT INTO trigger_log (tenant_id, id, trigger_name, phone, email, status, rules_matched, runs_open, runs_failed, payload,
			callback_status, created_at, updated_at) VALUES (?,?,?,?,?,'x',0,0,0,'{}','due',0,0)`, id.New(), text, lane, key)
		job.WakeLane(tx, "slips", lane)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func (s *slips) done() (n int) {
	_ = s.db.Read(bg, id.Zero).All().QueryRow("SELECT COUNT(*) FROM trigger_log WHERE callback_status='done'").Scan(&n)
	return n
}

// Two nodes drain the same lanes: every row once, in order per key, one at a
// time per key; and a lane that hangs holds up no other.
func TestLanesDrainInOrderBesideEachOther(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := &slips{db: db, did: map[string][]string{}, atOnce: map[string]int{}, hold: map[string]chan struct{}{"stuck": make(chan struct{})}}
		ctx, cancel := context.WithCancel(bg)
		var wg sync.WaitGroup
		for _, node := range []string{"a", "b"} {
			ls := job.NewLanes(db, job.LaneOptions{Node: node, InFlight: 4, Sweep: 20 * time.Millisecond, Linger: 10 * time.Millisecond})
			ls.Add(s)
			wg.Add(1)
			go func() { defer wg.Done(); ls.Run(ctx) }()
		}
		tenant, other := id.New(), id.New()
		s.add(t, tenant, "stuck", "k", "0")
		for i := 0; i < 20; i++ {
			for _, key := range []string{"x", "y", "z"} {
				s.add(t, tenant, "lane", key, fmt.Sprintf("%02d", i))
			}
			s.add(t, other, "lane2", "x", fmt.Sprintf("%02d", i))
		}
		eventually(t, "all but the stuck one are done", func() bool { return s.done() == 80 })
		close(s.hold["stuck"])
		eventually(t, "the stuck one too", func() bool { return s.done() == 81 })
		cancel()
		wg.Wait()
		if s.worst != 1 {
			t.Errorf("%d rows of one key were at work at once", s.worst)
		}
		for k, texts := range s.did {
			if !sort.StringsAreSorted(texts) {
				t.Errorf("%s was drained in the order %v", k, texts)
			}
		}
		var held int
		if err := db.Read(bg, id.Zero).All().QueryRow("SELECT COUNT(*) FROM lane").Scan(&held); err != nil || held != 0 {
			t.Errorf("%d lanes are still held (%v)", held, err)
		}
	})
}
