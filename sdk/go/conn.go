package parley

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// maxEvent bounds one message of the feed, in bytes.
const maxEvent = 16 << 20

// conn is one connection of the feed.
type conn struct {
	ws    *websocket.Conn
	quiet time.Duration // no word from the server for so long means it is gone
	ctx   context.Context
	end   context.CancelCauseFunc

	mu   sync.Mutex
	last uint64
	acks map[uint64]chan []json.RawMessage
}

// errGone marks the server's word that the client shall not come back.
var errGone = errors.New("parley: the server ended the live feed")

// open makes a connection and waits until the server has let it in, which it
// tells together with whether it recovers the former one.
func (r *Realtime) open(ctx context.Context) (*conn, error) {
	cfg := &r.c.cfg
	if cfg.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, cfg.timeout)
		defer cancel()
	}
	h := *cfg.http
	h.Timeout = 0 // it would end the connection
	ws, resp, err := websocket.Dial(ctx, cfg.socketURL+"/socket.io/?EIO=4&transport=websocket",
		&websocket.DialOptions{HTTPClient: &h, HTTPHeader: http.Header{"User-Agent": {cfg.userAgent}}})
	if err != nil {
		if resp != nil && resp.StatusCode >= 300 {
			return nil, errorOf(&request{method: "GET", path: "/socket.io/"}, resp, nil, cfg.clock.Now())
		}
		return nil, fmt.Errorf("parley: the live feed could not be opened: %w", err)
	}
	ws.SetReadLimit(maxEvent)
	c := &conn{ws: ws, acks: map[uint64]chan []json.RawMessage{}}
	c.ctx, c.end = context.WithCancelCause(context.Background())
	if err := r.greet(ctx, c); err != nil {
		c.drop()
		return nil, err
	}
	return c, nil
}

// greet goes through the handshakes of Engine.IO and Socket.IO.
func (r *Realtime) greet(ctx context.Context, c *conn) error {
	broken := func(err error) error { return fmt.Errorf("parley: the live feed could not be opened: %w", err) }
	_, b, err := c.ws.Read(ctx)
	if err != nil {
		return broken(err)
	}
	var hello struct{ PingInterval, PingTimeout int64 }
	if len(b) == 0 || b[0] != engineOpen || json.Unmarshal(b[1:], &hello) != nil {
		return broken(errPacket)
	}
	c.quiet = time.Duration(hello.PingInterval+hello.PingTimeout) * time.Millisecond

	auth := map[string]string{"apiKey": r.c.cfg.apiKey}
	if r.c.cfg.clientCode != "" {
		auth["clientCode"] = r.c.cfg.clientCode
	}
	r.mu.Lock()
	pid, offset := r.pid, r.offset
	r.mu.Unlock()
	if pid != "" {
		auth["pid"] = pid
	}
	if offset != "" {
		auth["offset"] = offset
	}
	connect, _ := encodePacket(sioConnect, 0, false, auth) // cannot fail: strings
	if err := c.ws.Write(ctx, websocket.MessageText, connect); err != nil {
		return broken(err)
	}
	for {
		_, b, err := c.ws.Read(ctx)
		if err != nil {
			return broken(err)
		}
		switch {
		case len(b) == 1 && b[0] == enginePing:
			if err := c.ws.Write(ctx, websocket.MessageText, []byte{enginePong}); err != nil {
				return broken(err)
			}
			continue
		case len(b) < 2 || b[0] != engineMessage:
			return broken(errPacket)
		}
		p, err := parsePacket(b[1:])
		if err != nil {
			return broken(err)
		}
		switch p.kind {
		case sioConnect:
			var in struct{ PID string }
			_ = json.Unmarshal(p.data, &in)
			r.begin(c, pid, in.PID)
			return nil
		case sioConnectError:
			return refusalOf(p.data)
		default:
			return broken(errPacket)
		}
	}
}

// begin notes that a connection stands.
func (r *Realtime) begin(c *conn, before, pid string) {
	r.mu.Lock()
	in := Connected{Recovered: pid != "" && pid == before, First: !r.everOpen}
	r.everOpen, r.conn = true, c
	r.pid = pid
	if !in.Recovered {
		r.offset = ""
	}
	list := r.onConnect
	r.mu.Unlock()
	r.force(func() {
		for _, f := range list {
			r.guard("connect", func() { f(in) })
		}
	})
}

// force queues what must not be lost, however much waits.
func (r *Realtime) force(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue = append(r.queue, f)
	r.nudge()
}

// refusalOf makes the error of a CONNECT_ERROR.
func refusalOf(data json.RawMessage) error {
	var in struct {
		Message string
		Data    struct{ Code string }
	}
	_ = json.Unmarshal(data, &in)
	e := &APIError{Status: http.StatusServiceUnavailable, Code: strings.ToUpper(in.Data.Code), Message: firstOf(in.Message, "refused"),
		Raw: data, method: "CONNECT", path: "/socket.io/"}
	switch {
	case e.Code == CodeUnauthorized || strings.EqualFold(in.Message, "unauthorized"):
		e.Status, e.Code = http.StatusUnauthorized, CodeUnauthorized
		return &AuthenticationError{e}
	case e.Code == CodeForbidden:
		e.Status = http.StatusForbidden
	}
	return e
}

// read takes what the server sends until the connection ends.
func (c *conn) read(ctx context.Context, r *Realtime) error {
	for {
		wait, cancel := context.WithTimeout(ctx, c.quiet+5*time.Second)
		_, b, err := c.ws.Read(wait)
		silent := wait.Err() != nil && ctx.Err() == nil
		cancel()
		if silent {
			return errors.New("parley: the server has not been heard of")
		}
		if err != nil {
			return err
		}
		if len(b) == 0 {
			return errPacket
		}
		switch b[0] {
		case enginePing:
			if err := c.ws.Write(ctx, websocket.MessageText, []byte{enginePong}); err != nil {
				return err
			}
		case engineClose:
			return errors.New("parley: the server closed the connection")
		case engineMessage:
			if err := c.take(r, b[1:]); err != nil {
				return err
			}
		}
	}
}

// errSlow says that the callbacks do not keep up.
var errSlow = errors.New("parley: the callbacks lag behind; the feed stops until they have caught up")

// take acts on one Socket.IO packet.
func (c *conn) take(r *Realtime, b []byte) error {
	p, err := parsePacket(b)
	if err != nil {
		return err
	}
	switch p.kind {
	case sioDisconnect:
		return errGone
	case sioAck:
		var args []json.RawMessage
		if json.Unmarshal(p.data, &args) != nil {
			return errPacket
		}
		c.mu.Lock()
		answer := c.acks[p.id]
		delete(c.acks, p.id)
		c.mu.Unlock()
		if answer != nil {
			answer <- args
		}
	case sioEvent:
		name, args, err := p.event()
		if err != nil {
			return err
		}
		// With connection state recovery the last argument of a broadcast is its
		// offset. It is ours only, and counts once the event is queued.
		r.mu.Lock()
		recovers := r.pid != ""
		r.mu.Unlock()
		offset := ""
		if n := len(args); recovers && n > 0 && !p.hasID && unquote(args[n-1], &offset) {
			args = args[:n-1]
		}
		if !r.post(func() { r.dispatch(Event{name, args}) }) {
			return errSlow
		}
		if offset != "" {
			r.mu.Lock()
			r.offset = offset
			r.mu.Unlock()
		}
	}
	return nil
}

// emit sends an event and waits for its acknowledgement.
func (c *conn) emit(ctx context.Context, event string, args []any) ([]json.RawMessage, error) {
	answer := make(chan []json.RawMessage, 1)
	c.mu.Lock()
	id := c.last
	c.last++
	c.acks[id] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.acks, id)
		c.mu.Unlock()
	}()
	b, err := encodePacket(sioEvent, id, true, append([]any{event}, args...))
	if err != nil {
		return nil, err
	}
	if err := c.ws.Write(ctx, websocket.MessageText, b); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, ErrDisconnected
	}
	select {
	case args := <-answer:
		return args, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.ctx.Done():
		return nil, ErrDisconnected
	}
}

// drop ends a connection without a goodbye.
func (c *conn) drop() {
	c.end(ErrDisconnected)
	_ = c.ws.CloseNow()
}

// leave ends a connection politely.
func (c *conn) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.ws.Write(ctx, websocket.MessageText, []byte{engineMessage, sioDisconnect})
	c.drop()
}
