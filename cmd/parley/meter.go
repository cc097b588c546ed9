package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// meter shows how far a long command is: a bar that is drawn anew on a terminal,
// a line a second elsewhere. It writes to stderr.
type meter struct {
	what  string
	total int64 // bytes of the input, 0 when unknown
	tty   bool
	begun time.Time

	mu    sync.Mutex
	read  int64
	rows  int
	shown time.Time
	ended bool
}

func newMeter(what string, total int64) *meter {
	info, err := os.Stderr.Stat()
	now := time.Now()
	return &meter{what: what, total: total, tty: err == nil && info.Mode()&os.ModeCharDevice != 0, begun: now, shown: now}
}

// count passes r on and counts its bytes.
func (m *meter) count(r io.Reader) io.Reader { return io.TeeReader(r, m) }

// Write implements io.Writer for count.
func (m *meter) Write(b []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.read += int64(len(b))
	return len(b), nil
}

// add tells of rows that are done.
func (m *meter) add(rows int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows += rows
	every := time.Second
	if m.tty {
		every = 100 * time.Millisecond
	}
	if now := time.Now(); now.Sub(m.shown) >= every {
		m.shown = now
		m.draw()
	}
}

// end clears the bar. It may be called twice.
func (m *meter) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tty && !m.ended {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
	m.ended = true
}

func (m *meter) draw() {
	if m.ended {
		return
	}
	text := fmt.Sprintf("%d %s, %.0f a second", m.rows, m.what, float64(m.rows)/time.Since(m.begun).Seconds())
	if m.total > 0 {
		part := min(float64(m.read)/float64(m.total), 1)
		if m.tty {
			text = "[" + strings.Repeat("#", int(part*30)) + strings.Repeat(".", 30-int(part*30)) + "] " + text
		}
		text = fmt.Sprintf("%s, %.0f%%", text, part*100)
	}
	if m.tty {
		fmt.Fprint(os.Stderr, "\r"+text+"\x1b[K")
	} else {
		fmt.Fprintln(os.Stderr, text)
	}
}
