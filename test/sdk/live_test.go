package sdk_test

import (
	"fmt"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	parley "parley/sdk/go"
)

// wire is a TCP way to the server that can be cut.
type wire struct {
	ln    net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func lay(h *house) *wire {
	target, err := url.Parse(h.main.URL())
	if err != nil {
		h.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.Fatal(err)
	}
	w := &wire{ln: ln}
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", target.Host)
			if err != nil {
				in.Close()
				continue
			}
			w.mu.Lock()
			w.conns = append(w.conns, in, out)
			w.mu.Unlock()
			wg.Add(2)
			for _, p := range [][2]net.Conn{{in, out}, {out, in}} {
				go func() {
					defer wg.Done()
					b := make([]byte, 4096)
					for {
						n, err := p[0].Read(b)
						if n > 0 {
							_, _ = p[1].Write(b[:n])
						}
						if err != nil {
							p[0].Close()
							p[1].Close()
							return
						}
					}
				}()
			}
		}
	}()
	h.Cleanup(func() { ln.Close(); w.cut(); wg.Wait() })
	return w
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}

// A feed that is cut again and again tells every lead once, in order.
func TestTheLiveFeedResumes(t *testing.T) {
	each(t, func(h *house) {
		w := lay(h)
		c, err := parley.New(parley.WithAPIKey(h.key), parley.WithClientCode(h.code), parley.WithBaseURL(h.main.URL()), parley.WithSocketURL("http://"+w.ln.Addr().String()))
		if err != nil {
			h.Fatal(err)
		}
		r := c.Realtime
		defer func() { r.Close(); <-r.Done() }()
		met := make(chan parley.Connected, 100)
		r.OnConnect(func(m parley.Connected) { met <- m })
		got := make(chan parley.LeadCreated, 1000)
		r.OnLeadCreated(func(l parley.LeadCreated) { got <- l })
		if err := r.Connect(h.ctx()); err != nil {
			h.Fatal(err)
		}
		<-met
		const n = 30
		var want []string
		for i := range n {
			l := h.lead(fmt.Sprint("Lead ", i), fmt.Sprintf("+1415555%04d", i))
			want = append(want, l.ID)
			if i%10 == 5 {
				w.cut()
			}
		}
		for i, id := range want {
			select {
			case l := <-got:
				if l.LeadID != id {
					h.Fatalf("event %d is about %s, want %s", i, l.LeadID, id)
				}
			case <-time.After(patience):
				h.Fatalf("event %d did not come", i)
			}
		}
		for len(met) > 0 {
			if m := <-met; !m.Recovered {
				h.Errorf("a connection was not recovered: %+v", m)
			}
		}
		if err := r.JoinRoom(h.ctx(), h.code); err != nil {
			h.Error(err)
		}
		if err := r.JoinRoom(h.ctx(), "ERIX_CLNT_ZZZZZZ"); err == nil {
			h.Error("another client's room was joined")
		}
		select {
		case l := <-got:
			h.Errorf("one too many: %+v", l)
		default:
		}
	})
}
