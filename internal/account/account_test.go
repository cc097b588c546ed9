package account_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/account"
	"parley/internal/clock"
	"parley/internal/conversation/convtest"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/outbox"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tenant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bg = context.Background()

func TestConnect(t *testing.T) {
	c := clock.NewFake(convtest.Start)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := convtest.New(t, db, c, outbox.Options{})
		n := account.NewAccount{Kind: "whatsapp", ExternalID: w.Account.ExternalID, Secrets: map[string]string{"verifyToken": "new"}}
		a, err := w.Accounts.Connect(bg, w.Tenant, n)
		if err != nil || a.ID != w.Account.ID {
			t.Fatalf("%+v %v", a, err)
		}
		if w.Accounts.ByVerifyToken(bg, "whatsapp", "verify-me") || !w.Accounts.ByVerifyToken(bg, "whatsapp", "new") || w.Accounts.ByVerifyToken(bg, "whatsapp", "") {
			t.Fatal("verify tokens")
		}
		other, err := w.Tenants.Create(bg, tenant.NewTenant{Name: "Other"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Accounts.Connect(bg, other.ID, n)
		if f := fault.As(err); f == nil || f.Code != fault.Conflict || f.Field != "externalId" {
			t.Fatalf("an account that another tenant holds: %v", err)
		}
		if got, found, err := w.Accounts.ByExternal(bg, "whatsapp", n.ExternalID); err != nil || !found || got.Tenant != w.Tenant || got.Secrets["verifyToken"] != "new" {
			t.Fatalf("%+v %v", got, err)
		}
		if _, err := w.Accounts.Get(db.Read(bg, other.ID), a.ID); fault.As(err) == nil {
			t.Fatal("another tenant sees the account")
		}
		var sealed string
		if err := db.Read(bg, w.Tenant).QueryRow("SELECT sealed FROM channel_account WHERE tenant_id=? AND id=?", a.ID).Scan(&sealed); err != nil || strings.Contains(sealed, "new") {
			t.Fatalf("stored %q: %v", sealed, err)
		}
		_, err = w.Accounts.Connect(bg, w.Tenant, account.NewAccount{Kind: "whatsapp"})
		if f := fault.As(err); f == nil || f.Field != "externalId" || f.Reason != "missing" {
			t.Fatalf("without an external id: %v", err)
		}
		all, err := w.Accounts.List(bg, w.Tenant)
		if err != nil || len(all) != 1 {
			t.Fatalf("%v %v", all, err)
		}
	}, storetest.Clock(c))
}

func TestTwoTenantsRaceForOneNumber(t *testing.T) {
	c := clock.NewFake(convtest.Start)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := convtest.New(t, db, c, outbox.Options{})
		other, err := w.Tenants.Create(bg, tenant.NewTenant{Name: "Other"})
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			n := account.NewAccount{Kind: "whatsapp", ExternalID: id.New().String()}
			errs := make([]error, 2)
			var wg sync.WaitGroup
			for i, who := range []id.ID{w.Tenant, other.ID} {
				wg.Add(1)
				go func() {
					defer wg.Done()
					_, errs[i] = w.Accounts.Connect(bg, who, n)
				}()
			}
			wg.Wait()
			won := 0
			for _, err := range errs {
				if err == nil {
					won++
				} else if f := fault.As(err); f == nil || f.Code != fault.Conflict {
					t.Fatalf("the loser hears %v", err)
				}
			}
			if won != 1 {
				t.Fatalf("%d tenants got the number", won)
			}
		}
	}, storetest.Clock(c))
}

func TestPauseOnlyGrowsAndEndsWithAReconnect(t *testing.T) {
	c := clock.NewFake(convtest.Start)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := convtest.New(t, db, c, outbox.Options{})
		pause := func(d time.Duration, why string) {
			if err := db.Write(bg, w.Tenant, func(tx *store.Tx) error { return w.Accounts.PauseIn(tx, w.Account.ID, tx.Now().Add(d), why) }); err != nil {
				t.Fatal(err)
			}
		}
		want := func(d time.Duration, why string) {
			t.Helper()
			until, got, err := w.Accounts.Paused(db.Read(bg, w.Tenant), w.Account.ID)
			if err != nil || got != why || d > 0 && !until.Equal(c.Now().Add(d)) || d == 0 && !until.IsZero() {
				t.Fatalf("paused until %v for %q: %v", until, got, err)
			}
		}
		want(0, "")
		pause(time.Hour, "spam")
		pause(time.Minute, "throughput")
		want(time.Hour, "spam")
		c.Advance(time.Hour)
		want(0, "")
		pause(time.Hour, "token")
		if _, err := w.Accounts.Connect(bg, w.Tenant, account.NewAccount{Kind: "whatsapp", ExternalID: w.Account.ExternalID}); err != nil {
			t.Fatal(err)
		}
		want(0, "")
	}, storetest.Clock(c))
}
