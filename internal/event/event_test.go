package event_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bg = context.Background()

func TestAnEventAndItsJobsCommitTogether(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		log := event.NewLog()
		kind := log.Register(event.Reactor{Name: "all", Types: []string{"contact.*"}})
		log.Register(event.Reactor{Name: "never", Types: []string{"contact.created"},
			Wants: func(*store.Tx, event.Event) (bool, error) { return false, nil }})
		tenant, contact := id.New(), id.New()
		add := func(typ string, end error) error {
			return db.Write(bg, tenant, func(tx *store.Tx) error {
				if _, err := log.Append(tx, event.New{Type: typ, Subject: contact, Contact: contact, Changed: []string{"source"}, Actor: "system"}); err != nil {
					return err
				}
				return end
			})
		}
		if err := add("contact.created", errors.New("undo")); err == nil {
			t.Fatal("the closure's error was lost")
		}
		for _, typ := range []string{"contact.created", "deal.moved", "contact.updated"} {
			if err := add(typ, nil); err != nil {
				t.Fatal(err)
			}
		}
		events, err := event.After(db.Read(bg, tenant), event.Cursor{}, 10)
		if err != nil || len(events) != 3 || events[0].Type != "contact.created" || events[2].Changed[0] != "source" {
			t.Fatalf("feed: %+v %v", events, err)
		}
		if rest, _ := event.After(db.Read(bg, tenant), events[1].Cursor, 10); len(rest) != 1 || rest[0].Type != "contact.updated" {
			t.Fatalf("after the second: %+v", rest)
		}
		if foreign, _ := event.After(db.Read(bg, id.New()), event.Cursor{}, 10); len(foreign) != 0 {
			t.Fatalf("another tenant reads %+v", foreign)
		}
		var jobs, others int
		r := db.Read(bg, tenant)
		_ = r.QueryRow("SELECT COUNT(*) FROM job WHERE tenant_id=? AND kind=?", kind).Scan(&jobs)
		_ = r.QueryRow("SELECT COUNT(*) FROM job WHERE tenant_id=? AND kind<>?", kind).Scan(&others)
		if jobs != 2 || others != 0 {
			t.Fatalf("%d jobs of the reactor, %d others; want 2 and 0", jobs, others)
		}
		end, err := event.End(db.Read(bg, tenant))
		if err != nil || end != events[2].Cursor {
			t.Fatalf("end %v, want %v (%v)", end, events[2].Cursor, err)
		}
		if err := add("", nil); err == nil {
			t.Fatal("an event without a type must be refused")
		}
	})
}

// Writers commit out of order; a reader that follows the feed by cursor must see
// every event once, in one order.
func TestAReaderNeverSkipsALateCommit(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		log := event.NewLog()
		tenant := id.New()
		const writers, each = 8, 40
		var wg sync.WaitGroup
		for w := 0; w < writers; w++ {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := 0; i < each; i++ {
					if err := db.Write(bg, tenant, func(tx *store.Tx) error {
						_, err := log.Append(tx, event.New{Type: "a.b", Subject: id.New(), Actor: "system"})
						return err
					}); err != nil {
						t.Error(err)
					}
				}
			}()
		}
		done := make(chan struct{})
		go func() { wg.Wait(); close(done) }()
		seen := map[id.ID]bool{}
		var c event.Cursor
		follow := func() {
			for {
				list, err := event.AfterAll(db.Read(bg, id.Zero), c, 7)
				if err != nil {
					t.Error(err)
					return
				}
				for _, e := range list {
					if seen[e.Subject] {
						t.Errorf("event %v twice", e.Cursor)
					}
					seen[e.Subject] = true
					c = e.Cursor
				}
				if len(list) == 0 {
					return
				}
			}
		}
		for running := true; running; {
			select {
			case <-done:
				running = false
			default:
			}
			follow()
		}
		for i := 0; i < 1000 && len(seen) < writers*each; i++ {
			follow() // PostgreSQL's horizon may lag a moment behind the last commit
		}
		if len(seen) != writers*each {
			t.Fatalf("read %d of %d events", len(seen), writers*each)
		}
	}, storetest.Once())
}

// A transaction that stays open holds the feed back, and the lag tells.
func TestLag(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		log := event.NewLog()
		add := func() {
			t.Helper()
			if err := db.Write(bg, id.New(), func(tx *store.Tx) error {
				_, err := log.Append(tx, event.New{Type: "a.b", Subject: id.New(), Actor: "system"})
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		lag := func() time.Duration {
			t.Helper()
			d, err := event.Lag(db.Read(bg, id.Zero))
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		add()
		if db.Dialect() == store.SQLite {
			if lag() != 0 {
				t.Fatal("SQLite commits in order and never lags")
			}
			return
		}
		open, held, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			done <- db.Write(bg, id.New(), func(tx *store.Tx) error {
				_, err := log.Append(tx, event.New{Type: "a.b", Subject: id.New(), Actor: "system"})
				close(held)
				<-open
				return err
			})
		}()
		<-held
		add()
		for deadline := time.Now().Add(time.Minute); lag() == 0; {
			if time.Now().After(deadline) {
				t.Fatal("an event behind an open transaction must lag")
			}
		}
		close(open)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if d := lag(); d != 0 {
			t.Fatalf("with nothing open the feed lags %s", d)
		}
	}, storetest.Once())
}

func TestCursorText(t *testing.T) {
	var c event.Cursor
	if err := c.UnmarshalText([]byte("12.34")); err != nil || c != (event.Cursor{XID: 12, Seq: 34}) || c.String() != "12.34" {
		t.Fatal(c, err)
	}
	for _, bad := range []string{"", "1", "a.b", "-1.2", "1.2.3"} {
		if c.UnmarshalText([]byte(bad)) == nil {
			t.Errorf("%q must not be a cursor", bad)
		}
	}
}
