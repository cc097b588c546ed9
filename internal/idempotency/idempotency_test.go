package idempotency_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/clock"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/idempotency"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bg = context.Background()

type rig struct {
	db     *store.DB
	ledger *idempotency.Ledger
	tenant id.ID
	key    id.ID
}

func (r rig) claim(token, body string) httpx.Claim {
	return httpx.Claim{Tenant: r.tenant, Key: r.key, Method: "POST", Path: "/x", Token: token, BodyHash: sha256.Sum256([]byte(body)),
		Render: func(err error) *httpx.Response {
			if f := fault.As(err); f != nil {
				return httpx.JSON(422, map[string]any{"message": f.Message})
			}
			return httpx.JSON(500, nil)
		}}
}

// put is a handler that stores one row in a Write of its own.
func (r rig) put(end error) func(context.Context) (*httpx.Response, error) {
	return func(ctx context.Context) (*httpx.Response, error) {
		name := id.New().String()
		if err := r.db.Write(ctx, r.tenant, func(tx *store.Tx) error {
			_, err := tx.Exec("INSERT INTO tenant_secret (tenant_id, name, sealed, updated_at) VALUES (?,?,'x',0)", name)
			return err
		}); err != nil {
			return nil, err
		}
		if end != nil {
			return nil, end
		}
		return httpx.JSON(201, map[string]string{"name": name}), nil
	}
}

func (r rig) rows(t *testing.T) (n int) {
	t.Helper()
	if err := r.db.Read(bg, r.tenant).QueryRow("SELECT COUNT(*) FROM tenant_secret WHERE tenant_id=?").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func each(t *testing.T, f func(t *testing.T, r rig)) {
	fake := clock.NewFake(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f(t, rig{db, idempotency.New(db), id.New(), id.New()})
	}, storetest.Clock(fake))
}

// An answer that holds a secret is not kept: repeating the call changes nothing and
// says why nothing is shown.
func TestSecretsAreNotKept(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		for _, noTx := range []bool{false, true} {
			c := r.claim(fmt.Sprintf("t-%v", noTx), "b")
			c.NoTx, c.Secret = noTx, true
			before := r.rows(t)
			resp, replayed, err := r.ledger.Do(bg, c, r.put(nil))
			if err != nil || replayed || resp.Status != 201 {
				t.Fatalf("%v %v %v", resp, replayed, err)
			}
			shown := body(resp)
			var kept string
			if err := r.db.Read(bg, r.tenant).QueryRow("SELECT body FROM idempotency WHERE tenant_id=? AND token=?", c.Token).Scan(store.Text(&kept)); err != nil {
				t.Fatal(err)
			}
			if kept == "" || kept == shown {
				t.Errorf("what is kept of %s: %q", shown, kept)
			}
			resp, replayed, err = r.ledger.Do(bg, c, r.put(nil))
			if again := body(resp); err != nil || !replayed || resp.Status != 422 || again != kept || r.rows(t) != before+1 {
				t.Errorf("repeated: %v %s %v %v, %d rows", resp.Status, again, replayed, err, r.rows(t)-before)
			}
			// What was refused holds no secret, and is told again.
			c.Token += "-refused"
			for range 2 {
				if resp, _, err := r.ledger.Do(bg, c, r.put(fault.Missing("name"))); err != nil || resp.Status != 422 || !strings.Contains(body(resp), "name is required") {
					t.Errorf("refused: %v %v", body(resp), err)
				}
			}
		}
	})
}

func body(resp *httpx.Response) string {
	b, _ := resp.Encode()
	return string(b)
}

func TestManyCallsOneEffectOneAnswer(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		var wg sync.WaitGroup
		var fresh atomic.Int32
		bodies := make([]string, 40)
		for i := range bodies {
			wg.Add(1)
			go func() {
				defer wg.Done()
				resp, replayed, err := r.ledger.Do(bg, r.claim("t", "b"), r.put(nil))
				if err != nil || resp.Status != 201 {
					t.Errorf("%v %v", resp, err)
					return
				}
				if !replayed {
					fresh.Add(1)
				}
				b, _ := resp.Encode()
				bodies[i] = string(b)
			}()
		}
		wg.Wait()
		if fresh.Load() != 1 || r.rows(t) != 1 {
			t.Fatalf("%d fresh answers, %d rows; want 1 and 1", fresh.Load(), r.rows(t))
		}
		for _, b := range bodies {
			if b != bodies[0] {
				t.Fatalf("answers differ: %s and %s", b, bodies[0])
			}
		}
	})
}

func TestAnotherBodyConflictsAndAnotherKeyDoesNot(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		if _, _, err := r.ledger.Do(bg, r.claim("t", "b"), r.put(nil)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.ledger.Do(bg, r.claim("t", "other"), r.put(nil)); !errors.Is(err, fault.Of(fault.Conflict)) {
			t.Fatalf("want a conflict, got %v", err)
		}
		r2 := r
		r2.key = id.New()
		if _, replayed, err := r.ledger.Do(bg, r2.claim("t", "b"), r.put(nil)); err != nil || replayed {
			t.Fatalf("another API key has its own tokens: %v %v", replayed, err)
		}
		r.db.Clock().(*clock.Fake).Advance(idempotency.Keep + time.Second)
		if _, replayed, err := r.ledger.Do(bg, r.claim("t", "other"), r.put(nil)); err != nil || replayed {
			t.Fatalf("after a day the token is free: %v %v", replayed, err)
		}
	})
}

func TestRefusalsReplayAndFailuresDoNot(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		refuse := fault.Field("phone", "no")
		resp, _, err := r.ledger.Do(bg, r.claim("4xx", "b"), r.put(refuse))
		if err != nil || resp.Status != 422 {
			t.Fatalf("%v %v", resp, err)
		}
		if resp, replayed, err := r.ledger.Do(bg, r.claim("4xx", "b"), r.put(nil)); err != nil || !replayed || resp.Status != 422 {
			t.Fatalf("a refusal must replay: %v %v %v", resp, replayed, err)
		}
		before := r.rows(t)
		if _, _, err := r.ledger.Do(bg, r.claim("5xx", "b"), r.put(fmt.Errorf("disk on fire"))); err == nil {
			t.Fatal("a failure must come back as an error")
		}
		if r.rows(t) != before {
			t.Fatal("a failed call must leave nothing behind")
		}
		if resp, replayed, err := r.ledger.Do(bg, r.claim("5xx", "b"), r.put(nil)); err != nil || replayed || resp.Status != 201 {
			t.Fatalf("after a failure the call runs again: %v %v %v", resp, replayed, err)
		}
	})
}

func TestHandlersWithoutATransactionAreStoredAfterwards(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		c := r.claim("t", "b")
		c.NoTx = true
		for i := 0; i < 2; i++ {
			resp, replayed, err := r.ledger.Do(bg, c, r.put(nil))
			if err != nil || resp.Status != 201 || replayed != (i == 1) {
				t.Fatalf("call %d: %v %v %v", i, resp, replayed, err)
			}
		}
		if n := r.rows(t); n != 1 {
			t.Fatalf("%d rows", n)
		}
	})
}
