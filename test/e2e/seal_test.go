package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"parley/internal/store/storetest"
)

// A server that lost its sealing key must say so at once, not at the first
// secret that it cannot open.
func TestALostSealingKeyIsRefused(t *testing.T) {
	dir := t.TempDir()
	p := serve(t, []string{"--data", dir})
	p.tenant("Acme")
	if code := p.stop(); code != 0 {
		t.Fatalf("stopped with %d", code)
	}
	key := filepath.Join(dir, "secret.key")
	kept, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	lost := launch(t, []string{"--data", dir}, nil, "--listen", "127.0.0.1:0")
	if code := lost.wait(); code == 0 || !strings.Contains(lost.stderr.String(), "sealed with another key") {
		t.Fatalf("ended with %d: %s", code, lost.stderr.String())
	}
	if err := os.WriteFile(key, kept, 0o600); err != nil {
		t.Fatal(err)
	}
	if code := serve(t, []string{"--data", dir}).stop(); code != 0 {
		t.Fatalf("with its key back it ended with %d", code)
	}
}

// A key from the environment serves the commands as it serves the server.
func TestCommandsTakeTheKeyOfTheEnvironment(t *testing.T) {
	env := []string{"PARLEY_SECRET_KEY=" + strings.Repeat("0f", 32)}
	for name, data := range map[string][]string{"sqlite": {"--data", t.TempDir()}, "postgres": {"--data", t.TempDir(), "--database", storetest.PostgresURL(t)}} {
		p := launch(t, data, env, "--listen", "127.0.0.1:0")
		p.ready()
		if name == "sqlite" { // beside a server its socket is used, which knows the key
			p.stop()
		}
		if r := command(t, env, with([]string{"tenant", "create", "--name", "Acme"}, data)...); r.code != 0 {
			t.Errorf("%s: %s", name, r.stderr)
		}
		if r := command(t, nil, with([]string{"tenant", "create", "--name", "Other"}, data)...); r.code == 0 || !strings.Contains(r.stderr, "PARLEY_SECRET_KEY") {
			t.Errorf("%s: without the key: %d %s", name, r.code, r.stderr)
		}
	}
}
