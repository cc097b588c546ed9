package chaos

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// balancer stands before several nodes as an operator's load balancer would: it
// hands each new connection to the next node that takes it.
type balancer struct {
	ln    net.Listener
	url   string
	mu    sync.Mutex
	nodes []string
	next  int
	open  map[net.Conn]struct{}
	wg    sync.WaitGroup
}

func newBalancer(t testing.TB, nodes ...*proc) *balancer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{ln: ln, url: "http://" + ln.Addr().String(), open: map[net.Conn]struct{}{}}
	for _, p := range nodes {
		b.nodes = append(b.nodes, p.listen)
	}
	b.wg.Add(1)
	go b.accept()
	t.Cleanup(func() {
		_ = ln.Close()
		b.mu.Lock()
		for c := range b.open {
			_ = c.Close()
		}
		b.mu.Unlock()
		b.wg.Wait()
	})
	return b
}

func (b *balancer) accept() {
	defer b.wg.Done()
	for {
		c, err := b.ln.Accept()
		if err != nil {
			return
		}
		b.wg.Add(1)
		go b.serve(c)
	}
}

// serve joins a client to a node until either hangs up.
func (b *balancer) serve(client net.Conn) {
	defer b.wg.Done()
	defer b.drop(client)
	b.keep(client)
	node := b.dial()
	if node == nil {
		return // nobody is there: the client sees its connection close
	}
	defer b.drop(node)
	b.keep(node)
	both := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{client, node}, {node, client}} {
		go func() {
			_, _ = io.Copy(way[0], way[1])
			_ = way[0].Close()
			both <- struct{}{}
		}()
	}
	<-both
	_ = client.Close()
	_ = node.Close()
	<-both
}

// dial connects to the next node that answers, nil when none does.
func (b *balancer) dial() net.Conn {
	for range b.nodes {
		b.mu.Lock()
		addr := b.nodes[b.next%len(b.nodes)]
		b.next++
		b.mu.Unlock()
		if c, err := net.DialTimeout("tcp", addr, 2*time.Second); err == nil {
			return c
		}
	}
	return nil
}

func (b *balancer) keep(c net.Conn) {
	b.mu.Lock()
	b.open[c] = struct{}{}
	b.mu.Unlock()
}

func (b *balancer) drop(c net.Conn) {
	_ = c.Close()
	b.mu.Lock()
	delete(b.open, c)
	b.mu.Unlock()
}
