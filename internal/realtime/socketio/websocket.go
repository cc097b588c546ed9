package socketio

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/coder/websocket"
)

// Buffer sizes of a connection in bytes. net/http would leave 4 KiB each; what
// clients send is small, and most events fit the write buffer, so that they
// leave in one system call.
const (
	readBuffer  = 512
	writeBuffer = 2048
	// keepBuffer is the largest shared message buffer worth keeping.
	keepBuffer = 64 << 10
)

var messageBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// wsTransport is a transport over one WebSocket.
type wsTransport struct {
	conn *websocket.Conn
	raw  net.Conn // closing it is the only way past a stuck write or a silent peer
}

var _ transport = (*wsTransport)(nil)

// accept upgrades the request. It has answered the client when it fails.
func accept(w http.ResponseWriter, r *http.Request, maxPayload int64) (*wsTransport, error) {
	h := &hijacker{ResponseWriter: w}
	conn, err := websocket.Accept(h, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // check has seen the origin
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(maxPayload)
	return &wsTransport{conn: conn, raw: h.conn}, nil
}

func (t *wsTransport) write(next func() ([]byte, bool)) error {
	for {
		p, ok := next()
		if !ok {
			return nil
		}
		// No deadline: the heartbeat cuts a peer that takes nothing, and a
		// context that can end costs a registration for each message.
		if err := t.conn.Write(context.Background(), websocket.MessageText, p); err != nil {
			return err
		}
	}
}

// send writes one message.
func (t *wsTransport) send(p []byte) error {
	return t.conn.Write(context.Background(), websocket.MessageText, p)
}

// expect reads one message, which must be this text.
func (t *wsTransport) expect(text string) bool {
	typ, r, err := t.conn.Reader(context.Background())
	if err != nil || typ != websocket.MessageText {
		return false
	}
	got, err := io.ReadAll(io.LimitReader(r, int64(len(text))+1))
	if err != nil || string(got) != text {
		return false
	}
	_, err = r.Read(make([]byte, 1)) // the frame's end, so that the next can be read
	return errors.Is(err, io.EOF)
}

func (t *wsTransport) close(code int, text string) {
	_ = t.conn.Close(websocket.StatusCode(code), text) // the peer may be gone already
}

func (t *wsTransport) kill() { _ = t.raw.Close() }

// read hands each message to receive until the connection ends, and returns
// the reason. The bytes are receive's only during the call.
func (t *wsTransport) read(receive func(msg []byte, binary bool)) (reason string) {
	defer func() {
		t.kill()
		_ = t.conn.CloseNow()
	}()
	for {
		typ, r, err := t.conn.Reader(context.Background())
		if err != nil {
			return readReason(err)
		}
		buf := messageBuffers.Get().(*bytes.Buffer)
		buf.Reset()
		_, err = buf.ReadFrom(r)
		if err == nil {
			receive(buf.Bytes(), typ == websocket.MessageBinary)
		}
		if buf.Cap() <= keepBuffer {
			messageBuffers.Put(buf)
		}
		if err != nil {
			return readReason(err)
		}
	}
}

func readReason(err error) string {
	if websocket.CloseStatus(err) != -1 || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return ReasonTransportClose
	}
	return ReasonTransportError
}

// hijacker keeps the network connection that the WebSocket library takes over
// and gives the library smaller buffers.
type hijacker struct {
	http.ResponseWriter
	conn net.Conn
}

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if n := rw.Reader.Buffered(); n > 0 { // the client has sent ahead
		early, _ := rw.Reader.Peek(n)
		conn = &earlyConn{Conn: conn, early: bytes.Clone(early)}
	}
	h.conn = conn
	return conn, bufio.NewReadWriter(bufio.NewReaderSize(conn, readBuffer), bufio.NewWriterSize(conn, writeBuffer)), nil
}

// earlyConn returns what was read before the connection was taken over first.
type earlyConn struct {
	net.Conn
	early []byte
}

func (c *earlyConn) Read(p []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(p, c.early)
		c.early = c.early[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// canHijack looks through the wrappers of middleware, as Hijack will.
func canHijack(w http.ResponseWriter) bool {
	for {
		if _, ok := w.(http.Hijacker); ok {
			return true
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = u.Unwrap()
	}
}
