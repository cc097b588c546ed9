package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// socketFigures are those of live delivery to many connections of one tenant.
type socketFigures struct {
	Connections   int     `json:"connections"`
	ConnectPerSec float64 `json:"connectsPerSecond"`
	Deliveries    int64   `json:"deliveries"`
	PerSecond     float64 `json:"deliveriesPerSecond"`
	Bytes         float64 `json:"bytesPerDelivery"`
	BareRate      float64 `json:"bareDeliveriesPerSecond"` // the same bytes by plain writes
	Ratio         float64 `json:"ratioToBare"`
	ServerCPU     float64 `json:"serverCPUMicros"` // a delivery
	IdleRSS       int64   `json:"idleRSS"`         // of the server before anybody connected
	OpenRSS       int64   `json:"openRSS"`         // with every connection open and idle
	LoadRSS       int64   `json:"loadRSS"`         // at the end of the load
	PerConnection int64   `json:"bytesPerConnection"`
}

// measureSockets connects many clients, posts leads, and counts what arrives.
// Every connection must get everything.
func measureSockets(o options, dir string) (f *socketFigures, err error) {
	p, err := startParley(o.Bin, filepath.Join(dir, "sockets"), false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	if err := p.furnish(); err != nil {
		return nil, err
	}
	l := leads()
	var next atomic.Int64
	one := func(d time.Duration) (stretch, error) {
		return post(p.addr, 2, d, &next, 0, l.status, func(n int64) []byte { return l.request(p, n) })
	}
	if _, err := one(o.Warm); err != nil { // what a server needs once is not a connection's
		return nil, err
	}
	f = &socketFigures{Connections: o.Sockets}
	time.Sleep(time.Second)
	if f.IdleRSS, err = p.rss(); err != nil {
		return nil, err
	}
	begun := time.Now()
	all, err := dialAll(o.Sockets, func() (net.Conn, *bufio.Reader, error) { return dialSocket(p) })
	if err != nil {
		return nil, err
	}
	defer all.close()
	f.ConnectPerSec = float64(o.Sockets) / time.Since(begun).Seconds()
	time.Sleep(2 * time.Second)
	if f.OpenRSS, err = p.rss(); err != nil {
		return nil, err
	}
	f.PerConnection = (f.OpenRSS - f.IdleRSS) / int64(o.Sockets)

	var rates, bare, ratios []float64
	var cpu float64
	for range o.Rounds {
		before, err := p.cpu()
		if err != nil {
			return nil, err
		}
		got, size, took, err := all.during(func() error { _, err := one(o.Stretch); return err })
		if err != nil {
			return nil, err
		}
		after, err := p.cpu()
		if err != nil {
			return nil, err
		}
		if f.LoadRSS, err = p.rss(); err != nil {
			return nil, err
		}
		cpu += after - before
		f.Deliveries += got
		f.Bytes = float64(size) / float64(got)
		rates = append(rates, float64(got)/took.Seconds())
		b, err := bareFanout(o.Sockets, int(f.Bytes), int(got/int64(o.Sockets)))
		if err != nil {
			return nil, fmt.Errorf("the bound: %w", err)
		}
		bare = append(bare, b)
		ratios = append(ratios, rates[len(rates)-1]/b)
	}
	f.PerSecond, f.BareRate, f.Ratio = median(rates), median(bare), median(ratios)
	f.ServerCPU = cpu * 1e6 / float64(f.Deliveries)
	return f, nil
}

// crowd are many connections that count what they get.
type crowd struct {
	conns []net.Conn
	got   []atomic.Int64
	bytes atomic.Int64
	last  atomic.Int64 // when anything arrived, Unix nanoseconds
	wrong atomic.Pointer[error]
	wg    sync.WaitGroup
}

func dialAll(n int, dial func() (net.Conn, *bufio.Reader, error)) (*crowd, error) {
	c := &crowd{conns: make([]net.Conn, n), got: make([]atomic.Int64, n)}
	queue, failed := make(chan int), make(chan error, 16)
	for range 16 {
		go func() {
			var err error
			for i := range queue {
				var r *bufio.Reader
				if c.conns[i], r, err = dial(); err != nil {
					break
				}
				c.wg.Add(1)
				go c.listen(i, r)
			}
			for range queue { // the others must not wait for this one
			}
			failed <- err
		}()
	}
	for i := range n {
		queue <- i
	}
	close(queue)
	var err error
	for range 16 {
		err = errors.Join(err, <-failed)
	}
	if err != nil {
		c.close()
	}
	return c, err
}

func (c *crowd) close() {
	for _, conn := range c.conns {
		if conn != nil {
			_ = conn.Close()
		}
	}
	c.wg.Wait()
}

// listen counts the messages of a connection and answers its pings.
func (c *crowd) listen(i int, r *bufio.Reader) {
	defer c.wg.Done()
	for {
		text, size, err := readFrame(r)
		if err != nil {
			if !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.EOF) {
				c.wrong.CompareAndSwap(nil, &err)
			}
			return
		}
		switch text {
		case '2':
			_, _ = c.conns[i].Write(masked("3"))
		case '4':
			c.got[i].Add(1)
			c.bytes.Add(int64(size))
			c.last.Store(time.Now().UnixNano())
		}
	}
}

// during runs load and waits until nothing arrives any more. It returns how much
// arrived and how long that took; every connection must have got the same.
func (c *crowd) during(load func() error) (got, size int64, took time.Duration, err error) {
	before, bytes := make([]int64, len(c.got)), c.bytes.Load()
	for i := range c.got {
		before[i] = c.got[i].Load()
	}
	begun := time.Now()
	c.last.Store(begun.UnixNano())
	if err := load(); err != nil {
		return 0, 0, 0, err
	}
	for time.Since(time.Unix(0, c.last.Load())) < time.Second {
		time.Sleep(50 * time.Millisecond)
	}
	first := c.got[0].Load() - before[0]
	for i := range c.got {
		n := c.got[i].Load() - before[i]
		got += n
		if n != first {
			return 0, 0, 0, fmt.Errorf("connection %d got %d messages, connection 0 got %d", i, n, first)
		}
	}
	if e := c.wrong.Load(); e != nil {
		return 0, 0, 0, fmt.Errorf("a connection ended: %w", *e)
	}
	if got == 0 {
		return 0, 0, 0, errors.New("nothing was delivered")
	}
	return got, c.bytes.Load() - bytes, time.Unix(0, c.last.Load()).Sub(begun), nil
}

// dialSocket connects a Socket.IO client over a websocket, as light as it can be.
func dialSocket(p *parley) (net.Conn, *bufio.Reader, error) {
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		return nil, nil, err
	}
	q := url.Values{"EIO": {"4"}, "transport": {"websocket"}, "apiKey": {p.key}, "clientCode": {p.code}}
	_, err = fmt.Fprintf(conn, "GET /socket.io/?%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", q.Encode(), p.addr)
	if err != nil {
		return nil, nil, err
	}
	r := bufio.NewReaderSize(conn, 2048)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return nil, nil, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, nil, fmt.Errorf("the socket was answered with %s", resp.Status)
	}
	if t, _, err := readFrame(r); err != nil || t != '0' {
		return nil, nil, fmt.Errorf("no open packet: %q, %w", t, err)
	}
	if _, err := conn.Write(masked("40")); err != nil {
		return nil, nil, err
	}
	if t, _, err := readFrame(r); err != nil || t != '4' {
		return nil, nil, fmt.Errorf("no connect packet: %q, %w", t, err)
	}
	return conn, r, nil
}

// readFrame reads one whole text frame and returns its first byte and its size.
func readFrame(r *bufio.Reader) (first byte, size int, err error) {
	var h [2]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, 0, err
	}
	n := int(h[1] & 0x7f)
	switch n {
	case 126:
		var b [2]byte
		_, err = io.ReadFull(r, b[:])
		n = int(binary.BigEndian.Uint16(b[:]))
	case 127:
		var b [8]byte
		_, err = io.ReadFull(r, b[:])
		n = int(binary.BigEndian.Uint64(b[:]))
	}
	if err != nil {
		return 0, 0, err
	}
	if h[0]&0x0f == 8 {
		return 0, 0, errors.New("the server closed the socket")
	}
	if n > 0 {
		if first, err = r.ReadByte(); err != nil {
			return 0, 0, err
		}
		_, err = r.Discard(n - 1)
	}
	return first, n, err
}

// masked is a short text frame of a client; a mask of zeros changes nothing.
func masked(s string) []byte {
	return append([]byte{0x81, 0x80 | byte(len(s)), 0, 0, 0, 0}, s...)
}
