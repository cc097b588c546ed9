package deal_test

import (
	"fmt"
	"slices"
	"testing"

	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// meanwhile runs f on PostgreSQL, where two transactions go on at once; SQLite has one
// writer.
func meanwhile(t *testing.T, f func(w world)) {
	if testing.Short() {
		t.Skip("PostgreSQL is left out of short runs")
	}
	f(newWorld(t, storetest.Postgres(t, storetest.Once()), event.NewLog()))
}

// holding takes the lock of a phone.
func (w world) holding(phone string) func(tx *store.Tx) error {
	return func(tx *store.Tx) error { return w.people.LockIn(tx, []string{phone}, nil) }
}

// while lets take take a lock, lets call begin, which waits for it, runs f, and lets
// call go on.
func (w world) while(take func(tx *store.Tx) error, call func() error, f func()) error {
	w.Helper()
	held, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
			err := take(tx)
			close(held)
			<-release
			return err
		})
	}()
	<-held
	done := make(chan error, 1)
	go func() { done <- call() }()
	storetest.AwaitWaiting(w, w.db, 1)
	f()
	close(release)
	if err := <-ended; err != nil {
		w.Fatal(err)
	}
	return <-done
}

// The ways in which a card is made.
var makings = map[string]func(w world, n deal.NewCard) error{
	"create": func(w world, n deal.NewCard) error { _, err := w.s.Create(bg, w.tenant, actor, n); return err },
	"import": func(w world, n deal.NewCard) error {
		res, err := w.s.Import(bg, w.tenant, actor, []deal.NewCard{n})
		if err == nil && res.Created != 1 {
			err = fmt.Errorf("%+v", res)
		}
		return err
	},
}

// A stage becomes a won one while a card is on its way into it: the card is won.
func TestAStageThatIsWonMeanwhile(t *testing.T) {
	for name, call := range makings {
		t.Run(name, func(t *testing.T) {
			meanwhile(t, func(w world) {
				first := w.create(deal.NewCard{New: person("A", "9000000001")})
				err := w.while(w.holding("919000000002"), func() error { return call(w, deal.NewCard{New: person("B", "9000000002")}) }, func() {
					if _, err := w.s.UpdateStage(bg, w.tenant, actor, first.Deal.Stage, deal.StagePatch{Won: ptr(true)}); err != nil {
						t.Fatal(err)
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				got := w.must(w.s.CardByPhone(bg, w.tenant, "9000000002"))
				if got.Deal.Status != deal.Won || got.Deal.ConvertedAt.IsZero() || !slices.Contains(w.events(got.Contact.ID), "deal.won") {
					t.Errorf("%+v, %v", got.Deal, w.events(got.Contact.ID))
				}
				w.sound(t)
			})
		})
	}
}

// The stage where cards begin goes away while a card that names none is on its way
// into it: it begins where cards begin now.
func TestAStageThatGoesMeanwhile(t *testing.T) {
	for name, call := range makings {
		t.Run(name, func(t *testing.T) {
			meanwhile(t, func(w world) {
				first := w.create(deal.NewCard{New: person("A", "9000000001")})
				p, err := w.s.Pipeline(bg, w.tenant, first.Deal.Pipeline)
				if err != nil {
					t.Fatal(err)
				}
				err = w.while(w.holding("919000000002"), func() error { return call(w, deal.NewCard{New: person("B", "9000000002")}) }, func() {
					if _, err := w.s.DeleteStage(bg, w.tenant, actor, first.Deal.Stage, p.Stages[1].ID); err != nil {
						t.Fatal(err)
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				if got := w.must(w.s.CardByPhone(bg, w.tenant, "9000000002")); got.Deal.Stage != p.Stages[1].ID {
					t.Errorf("%+v", got.Deal)
				}
				w.sound(t)
			})
		})
	}
}

// What an import would do is told of as many rows as one call takes, and no transaction
// of it takes more locks than one that stores them: the server's table of locks is
// everybody's.
func TestTryingTakesFewLocks(t *testing.T) {
	each(t, func(w world) {
		rows := make([]deal.NewCard, deal.ImportLimit)
		for i := range rows {
			rows[i] = deal.NewCard{New: contact.New{FirstName: "P", Phone: fmt.Sprint(9000000000 + i), Email: fmt.Sprint(i, "@x.de")}}
		}
		if res, err := w.s.Import(bg, w.tenant, actor, rows); err != nil || res.Created != len(rows) {
			t.Fatal(res.Created, err)
		}
		try := func() error {
			res, err := w.s.TryImport(bg, w.tenant, actor, rows)
			if err != nil || res.Updated != len(rows) || res.Created != 0 {
				t.Errorf("%d created, %d updated, %v", res.Created, res.Updated, err)
			}
			return err
		}
		if w.db.Dialect() == store.SQLite {
			_ = try()
			return
		}
		stop := func(tx *store.Tx) error { // before a batch reads the tags of people whose locks it has
			_, err := tx.System().Exec("LOCK TABLE contact_tag IN ACCESS EXCLUSIVE MODE")
			return err
		}
		_ = w.while(stop, try, func() {
			var n int
			if err := w.db.Read(bg, w.tenant).All().QueryRow("SELECT COUNT(*) FROM pg_locks WHERE locktype='advisory' AND granted AND " +
				"database=(SELECT oid FROM pg_database WHERE datname=current_database())").Scan(&n); err != nil {
				t.Fatal(err)
			}
			if n < 1000 || n > 1500 {
				t.Errorf("%d locks are taken at once", n)
			}
		})
	}, storetest.Once())
}
