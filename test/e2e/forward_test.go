package e2e_test

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// forwarder is what stands between a client and the servers: an address that
// leads to one server, and then to another.
type forwarder struct {
	url string
	l   net.Listener

	mu     sync.Mutex
	target string
	open   map[net.Conn]bool
	wg     sync.WaitGroup
}

func newForwarder(t testing.TB) *forwarder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &forwarder{url: "http://" + l.Addr().String(), l: l, open: map[net.Conn]bool{}}
	f.wg.Go(f.run)
	t.Cleanup(func() {
		l.Close()
		f.to("")
		f.wg.Wait()
	})
	return f
}

// to leads new connections to a server and cuts those that are open; "" leads
// nowhere.
func (f *forwarder) to(url string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.target = strings.TrimPrefix(url, "http://")
	for c := range f.open {
		c.Close()
	}
}

func (f *forwarder) run() {
	for {
		in, err := f.l.Accept()
		if err != nil {
			return
		}
		f.mu.Lock()
		target := f.target
		f.mu.Unlock()
		out, err := net.Dial("tcp", target)
		if target == "" || err != nil {
			in.Close()
			continue
		}
		f.mu.Lock()
		f.open[in], f.open[out] = true, true
		stale := target != f.target
		f.mu.Unlock()
		if stale {
			in.Close()
			out.Close()
		}
		for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
			f.wg.Go(func() {
				_, _ = io.Copy(pair[0], pair[1])
				pair[0].Close()
				pair[1].Close()
				f.mu.Lock()
				delete(f.open, pair[0])
				f.mu.Unlock()
			})
		}
	}
}
