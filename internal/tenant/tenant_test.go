package tenant_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/secret"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tenant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bg = context.Background()

func newService(t *testing.T, db *store.DB) *tenant.Service {
	t.Helper()
	box, err := secret.NewBox([]byte(strings.Repeat("k", secret.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	return tenant.New(db, box)
}

func TestCreateAndFind(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newService(t, db)
		a, err := s.Create(bg, tenant.NewTenant{Name: " Acme "})
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`^ERIX_CLNT_[A-HJ-NP-Z2-9]{6}$`).MatchString(a.Code) {
			t.Errorf("code %q", a.Code)
		}
		want := tenant.Settings{Region: "IN", Timezone: "Asia/Kolkata", Currency: "INR", Distance: "km", WorkersMax: 2, ProspectShape: "array", MergePeriodDays: 90}
		if a.Name != "Acme" || a.Status != tenant.Active || a.Settings != want {
			t.Errorf("%+v", a)
		}
		got, err := s.ByCode(bg, strings.ToLower(a.Code))
		if err != nil || got != a {
			t.Errorf("by code: %+v, %v; want %+v", got, err, a)
		}
		if got, err = s.Get(db.Read(bg, a.ID)); err != nil || got != a {
			t.Errorf("get: %+v, %v", got, err)
		}
		hook, err := s.Secret(db.Read(bg, a.ID), tenant.WebhookSecret)
		if err != nil || !regexp.MustCompile(`^whsec_[0-9a-f]{64}$`).MatchString(hook) {
			t.Errorf("webhook secret %q, %v", hook, err)
		}
		b, err := s.Create(bg, tenant.NewTenant{Name: "Beta", Code: "beta-1"})
		if err != nil || b.Code != "BETA-1" {
			t.Fatalf("%+v, %v", b, err)
		}
		_, err = s.Create(bg, tenant.NewTenant{Name: "Again", Code: "BETA-1"})
		if f := fault.As(err); f == nil || f.Code != fault.Conflict {
			t.Errorf("a taken code: %v", err)
		}
		list, err := s.List(bg)
		if err != nil || len(list) != 2 {
			t.Errorf("list: %v, %v", list, err)
		}
		for _, err := range []error{second(s.Get(db.Read(bg, id.New()))), second(s.ByCode(bg, "ERIX_CLNT_ZZZZZZ")), second(s.ByCode(bg, "'")),
			second(s.Change(bg, id.New(), tenant.Edit{Status: new(tenant.Active)})), second(s.SettingsOf(db.Read(bg, id.New())))} {
			if !errors.Is(err, fault.Of(fault.NotFound)) {
				t.Errorf("want unknown tenant, got %v", err)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestBadInputNamesItsField(t *testing.T) {
	db := storetest.SQLite(t)
	s := newService(t, db)
	a, err := s.Create(bg, tenant.NewTenant{Name: "Acme"})
	if err != nil {
		t.Fatal(err)
	}
	configure := func(set tenant.Settings) error { return second(s.Configure(bg, a.ID, set)) }
	put := func(name, v string) error {
		return db.Write(bg, a.ID, func(tx *store.Tx) error { return s.SetSecretIn(tx, name, v) })
	}
	for field, err := range map[string]error{
		"name":       second(s.Create(bg, tenant.NewTenant{Name: " "})),
		"code":       second(s.Create(bg, tenant.NewTenant{Name: "x", Code: "a b"})),
		"status":     second(s.Change(bg, a.ID, tenant.Edit{Status: new("asleep")})),
		"region":     configure(tenant.Settings{Region: "India"}),
		"currency":   configure(tenant.Settings{Currency: "₹"}),
		"timezone":   configure(tenant.Settings{Timezone: "Mars/Olympus"}),
		"workersMax": configure(tenant.Settings{WorkersMax: -1}),
		"smtpPass":   put("smtpPass", ""),
	} {
		if f := fault.As(err); f == nil || f.Code != fault.Invalid || f.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if err := put("", "x"); !errors.Is(err, fault.Of(fault.Invalid)) {
		t.Errorf("a secret without a name: %v", err)
	}
}

func TestSecretsAreSealedAndBoundToTheirPlace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newService(t, db)
		a, b := id.New(), id.New()
		for _, v := range []string{"first", "second"} {
			if err := db.Write(bg, a, func(tx *store.Tx) error { return s.SetSecretIn(tx, "token", v) }); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := s.Secret(db.Read(bg, a), "token"); got != "second" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		var sealed string
		if err := db.Read(bg, a).QueryRow("SELECT sealed FROM tenant_secret WHERE tenant_id=?").Scan(&sealed); err != nil || strings.Contains(sealed, "second") {
			t.Errorf("stored as %q, %v", sealed, err)
		}
		if _, err := s.Secret(db.Read(bg, b), "token"); !errors.Is(err, fault.Of(fault.NotFound)) {
			t.Errorf("another tenant's secret: %v", err)
		}
		if _, err := s.OpenFor(b, "token", sealed); !errors.Is(err, secret.ErrSealed) {
			t.Errorf("opened for another tenant: %v", err)
		}
		if _, err := s.OpenFor(a, "other", sealed); !errors.Is(err, secret.ErrSealed) {
			t.Errorf("opened under another name: %v", err)
		}
	})
}

func TestSettingsChangeOnEveryNode(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		here, there := newService(t, db), newService(t, db) // two nodes' caches
		a, err := here.Create(bg, tenant.NewTenant{Name: "Acme"})
		if err != nil {
			t.Fatal(err)
		}
		region := func(s *tenant.Service) string {
			set, err := s.SettingsOf(db.Read(bg, a.ID))
			if err != nil {
				t.Fatal(err)
			}
			return set.Region
		}
		if region(here) != "IN" || region(there) != "IN" {
			t.Fatal("no defaults")
		}
		if _, err := here.Configure(bg, a.ID, tenant.Settings{Region: "de"}); err != nil {
			t.Fatal(err)
		}
		for _, s := range []*tenant.Service{here, there} {
			for end := time.Now().Add(5 * time.Second); region(s) != "DE"; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("the change never arrived")
				}
			}
		}
		// What an undone transaction read is not kept.
		fresh := newService(t, db)
		_ = db.Write(bg, a.ID, func(tx *store.Tx) error {
			if _, err := tx.Exec("UPDATE tenant SET settings=? WHERE tenant_id=?", store.JSON(tenant.Settings{Region: "FR"})); err != nil {
				return err
			}
			set, err := fresh.SettingsOf(tx)
			if err != nil || set.Region != "FR" {
				t.Errorf("inside: %+v, %v", set, err)
			}
			return errors.New("undo")
		})
		if got := region(fresh); got != "DE" {
			t.Errorf("after the undo: %s", got)
		}
	})
}

func TestCodesStayUniqueUnderARace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newService(t, db)
		var wg sync.WaitGroup
		errs := make([]error, 20)
		for i := range errs {
			wg.Go(func() { _, errs[i] = s.Create(bg, tenant.NewTenant{Name: "n", Code: "SAME"}) })
		}
		wg.Wait()
		made := 0
		for _, err := range errs {
			if err == nil {
				made++
			} else if !errors.Is(err, fault.Of(fault.Conflict)) {
				t.Error(err)
			}
		}
		if made != 1 {
			t.Errorf("%d tenants with one code", made)
		}
	})
}
