package outbox_test

import (
	"testing"
	"time"

	"parley/internal/conversation"
	"parley/internal/conversation/convtest"
	"parley/internal/id"
	"parley/internal/outbox/ledger"
	"parley/internal/store"
)

// refuse makes the database refuse outcomes, as one that is away does, until the
// returned function is called.
func refuse(t *testing.T, db *store.DB) (again func()) {
	t.Helper()
	on := []string{`CREATE TRIGGER outbox_refused BEFORE UPDATE ON outbox WHEN NEW.state='sent' BEGIN SELECT RAISE(ABORT, 'away'); END`}
	off := []string{"DROP TRIGGER IF EXISTS outbox_refused"}
	if db.Dialect() == store.Postgres {
		on = []string{`CREATE FUNCTION outbox_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'away'; END $$`,
			`CREATE TRIGGER outbox_refused BEFORE UPDATE ON outbox FOR EACH ROW WHEN (NEW.state='sent') EXECUTE FUNCTION outbox_refuse()`}
		off = []string{"DROP TRIGGER IF EXISTS outbox_refused ON outbox", "DROP FUNCTION IF EXISTS outbox_refuse"}
	}
	do := func(list []string) {
		for _, q := range list {
			if err := db.Write(bg, id.Zero, func(tx *store.Tx) error { _, err := tx.System().Exec(q); return err }); err != nil {
				t.Errorf("%s: %v", q, err)
			}
		}
	}
	do(on)
	again = func() { do(off) }
	t.Cleanup(again) // the database is used again
	return again
}

// The database is away for seconds when the provider has taken a message, as when
// it restarts: what the provider said is not forgotten.
func TestAnOutageForgetsNoAnswer(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		w.Hello(t, convtest.Number)
		m := w.Text(t, convtest.Number, "hi")
		again := refuse(t, w.DB)
		work := claim(t, w, 1)
		ended := make(chan struct{})
		go func() { defer close(ended); work[0](bg) }()
		waits := func() bool {
			select {
			case <-ended:
				return false
			case <-time.After(2 * time.Millisecond):
				return true
			}
		}
		for from := w.Clock.Now(); w.Clock.Now().Sub(from) < 5*time.Second && waits(); {
			w.Clock.Advance(100 * time.Millisecond)
		}
		again()
		for waits() {
			w.Clock.Advance(100 * time.Millisecond)
		}
		want(t, w, m.ID, ledger.Sent, conversation.Sent)
	})
}
