package token_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/access"
	"parley/internal/clock"
	"parley/internal/fault"
	"parley/internal/secret"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tenant"
	"parley/internal/token"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	bg    = context.Background()
	start = time.Date(2026, 3, 1, 12, 0, 0, 250_000_000, time.UTC)
)

type world struct {
	db     *store.DB
	clock  *clock.Fake
	ten    *tenant.Service
	keys   *access.Service
	tokens *token.Service
	acme   tenant.Tenant
	box    *secret.Box
}

func build(t testing.TB, db *store.DB, c *clock.Fake) world {
	t.Helper()
	box, err := secret.NewBox([]byte(strings.Repeat("k", secret.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	w := world{db: db, clock: c, box: box}
	w.ten = tenant.New(db, box)
	w.keys = access.New(db, w.ten)
	w.tokens = token.NewService(db, w.ten, w.keys, token.Options{})
	if w.acme, err = w.ten.Create(bg, tenant.NewTenant{Name: "Acme"}); err != nil {
		t.Fatal(err)
	}
	return w
}

func each(t *testing.T, f func(t *testing.T, w world)) {
	t.Run("sqlite", func(t *testing.T) {
		c := clock.NewFake(start)
		f(t, build(t, storetest.SQLite(t, storetest.Clock(c)), c))
	})
	t.Run("postgres", func(t *testing.T) {
		if testing.Short() {
			t.Skip("PostgreSQL is left out of short runs")
		}
		c := clock.NewFake(start)
		f(t, build(t, storetest.Postgres(t, storetest.Clock(c)), c))
	})
}

func (w world) issue(t testing.TB, n token.New) (string, token.Token) {
	t.Helper()
	if n.Name == "" {
		n.Name = "test"
	}
	text, tok, err := w.tokens.Issue(bg, w.acme.ID, n)
	if err != nil {
		t.Fatal(err)
	}
	return text, tok
}

func refuses(t *testing.T, s *token.Service, what, text string) {
	t.Helper()
	k, err := s.Verify(bg, text)
	if f := fault.As(err); f == nil || f.Code != fault.Unauthorized || !k.ID.IsZero() {
		t.Errorf("%s: %+v, %v", what, k, err)
	}
}
