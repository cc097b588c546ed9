package server

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"parley/internal/config"
	"parley/internal/tenant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A restore that is cut off at any of its steps leaves the old base or the new
// one, never an empty one.
func TestACutOffRestoreLeavesABase(t *testing.T) {
	ctx := context.Background()
	open := func(d config.Database) *App {
		t.Helper()
		a, err := OpenForCommand(ctx, d)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	names := func(d config.Database) string {
		t.Helper()
		a := open(d)
		defer a.Close()
		list, err := a.Tenants.List(ctx)
		if err != nil {
			t.Fatal(err)
		}
		all := ""
		for _, x := range list {
			all += x.Name + " "
		}
		return all
	}
	add := func(d config.Database, name string) {
		t.Helper()
		a := open(d)
		defer a.Close()
		if _, err := a.Tenants.Create(ctx, tenant.NewTenant{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	for step, want := range []string{"old new ", "old ", "old ", "old "} {
		d := config.Database{Data: t.TempDir()}
		add(d, "old")
		file := filepath.Join(t.TempDir(), "backup.db")
		a := open(d)
		if err := a.Backup(ctx, file); err != nil {
			t.Fatal(err)
		}
		_ = a.Close()
		add(d, "new")
		if err := stage(ctx, d, file, nil); err != nil {
			t.Fatal(err)
		}
		aside := d.File() + ".before-restore"
		if step >= 1 { // the old base was put aside, a companion of it was not
			if err := os.Rename(d.File(), aside); err != nil {
				t.Fatal(err)
			}
		}
		if step == 2 {
			if err := os.WriteFile(d.File()+"-wal", []byte("left behind"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if step == 3 { // it was finished
			if err := os.Rename(staged(d), d.File()); err != nil {
				t.Fatal(err)
			}
		}
		if got := names(d); got != want {
			t.Errorf("cut off at step %d, the base holds %q, want %q", step, got, want)
		}
	}
}

func TestLocalURL(t *testing.T) {
	for listen, want := range map[string]string{
		"0.0.0.0:8080": "http://127.0.0.1:8080", "[::]:80": "http://127.0.0.1:80", "127.0.0.1:1": "http://127.0.0.1:1",
		"10.1.2.3:9": "http://10.1.2.3:9", ":8080": "http://127.0.0.1:8080", "[::1]:5": "http://[::1]:5",
	} {
		if got := local(listen); got != want {
			t.Errorf("local(%s) = %s, want %s", listen, got, want)
		}
	}
}
