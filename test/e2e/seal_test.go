package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
