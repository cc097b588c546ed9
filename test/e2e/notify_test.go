package e2e_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A server that a service manager started tells it when it is ready, and when it
// begins to stop (sd_notify(3)).
func TestTheServiceManagerIsTold(t *testing.T) {
	dir, err := os.MkdirTemp("", "parley-notify") // a short path, for the socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	name := filepath.Join(dir, "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	hear := func(want string) {
		t.Helper()
		if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 256)
		n, err := c.Read(b)
		if err != nil || string(b[:n]) != want {
			t.Fatalf("heard %q, %v; want %q", b[:n], err, want)
		}
	}
	p := launch(t, []string{"--data", t.TempDir()}, []string{"NOTIFY_SOCKET=" + name}, "--listen", "127.0.0.1:0")
	hear("READY=1")
	p.ready()
	p.stop()
	hear("STOPPING=1")
}
