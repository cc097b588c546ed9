package httpx

import (
	"context"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"
)

// Clients open connections ahead of need; one that never asked for anything is
// no running request and holds up no stop.
func TestServeWaitsForNoSilentConnection(t *testing.T) {
	s, err := NewHandler(Options{Log: slog.New(slog.DiscardHandler)}, face("x", []string{"/"}))
	if err != nil {
		t.Fatal(err)
	}
	ln := must(net.Listen("tcp", "127.0.0.1:0"))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	accepted := make(chan struct{}, 1)
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, noting{ln, accepted}, s, ServeOptions{Grace: time.Second}) }()
	c := must(net.Dial("tcp", ln.Addr().String()))
	defer c.Close()
	<-accepted
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection is not closed: %v", err)
	}
}

// noting tells of every connection that was accepted.
type noting struct {
	net.Listener
	accepted chan struct{}
}

func (n noting) Accept() (net.Conn, error) {
	c, err := n.Listener.Accept()
	if err == nil {
		n.accepted <- struct{}{}
	}
	return c, err
}
