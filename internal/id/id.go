// Package id makes and reads Parley's identifiers. It owns the one id type of
// the house; every room may import it. It knows no noun.
//
// An ID is 12 bytes that grow with time: 6 bytes of Unix milliseconds, 2 bytes
// of a counter within the millisecond, 4 random bytes. It is written as 24
// lower-case hex digits, or, where a contract wants one, as a UUIDv8.
package id

import (
	"crypto/rand"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// ID identifies one row of one tenant. The zero ID means "none".
type ID [12]byte

// Zero is the ID that identifies nothing.
var Zero ID

// ErrMalformed reports text that is neither 24 hex digits nor a UUID, and the
// digits of Zero, which nothing is called.
var ErrMalformed = errors.New("id: want 24 hexadecimal digits")

var last struct {
	sync.Mutex
	ms  uint64
	seq uint16
}

// ahead is how far the installation's clock is ahead of the machine's.
var ahead atomic.Int64

// Ahead makes New go by a clock that is d ahead of the machine's, so that the ids of
// several nodes grow by one clock.
func Ahead(d time.Duration) { ahead.Store(int64(d)) }

// New returns an ID greater than every ID this process made before.
func New() ID {
	return at(uint64(time.Now().Add(time.Duration(ahead.Load())).UnixMilli()))
}

func at(ms uint64) ID {
	last.Lock()
	switch {
	case ms > last.ms:
		last.ms, last.seq = ms, 0
	case last.seq == 0xffff: // the counter is spent: borrow the next millisecond
		last.ms, last.seq = last.ms+1, 0
	default:
		last.seq++
	}
	ms, seq := last.ms, last.seq
	last.Unlock()

	var v ID
	for i := 0; i < 6; i++ {
		v[i] = byte(ms >> (8 * (5 - i)))
	}
	v[6], v[7] = byte(seq>>8), byte(seq)
	_, _ = rand.Read(v[8:]) // crypto/rand.Read never fails since Go 1.24
	return v
}

// IsZero reports whether v identifies nothing.
func (v ID) IsZero() bool { return v == Zero }

// Time returns the millisecond at which v was made.
func (v ID) Time() time.Time {
	var ms uint64
	for i := 0; i < 6; i++ {
		ms = ms<<8 | uint64(v[i])
	}
	return time.UnixMilli(int64(ms)).UTC()
}

// String returns 24 lower-case hex digits, or "" for the zero ID.
func (v ID) String() string {
	if v.IsZero() {
		return ""
	}
	return hex.EncodeToString(v[:])
}

// Parse reads 24 hex digits of either case. Anything else is ErrMalformed, and
// so are 24 zeros: whoever sends them names something, and Zero would mean that
// nothing was named.
func Parse(s string) (ID, error) {
	var v ID
	if len(s) != 24 {
		return Zero, ErrMalformed
	}
	if _, err := hex.Decode(v[:], []byte(s)); err != nil || v.IsZero() {
		return Zero, ErrMalformed
	}
	return v, nil
}

// MarshalText writes the 24 digits; the zero ID writes nothing.
func (v ID) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads the 24 digits; empty text is the zero ID.
func (v *ID) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*v = Zero
		return nil
	}
	p, err := Parse(string(b))
	if err != nil {
		return err
	}
	*v = p
	return nil
}

// Value stores an ID as text, the zero ID as NULL.
func (v ID) Value() (driver.Value, error) {
	if v.IsZero() {
		return nil, nil
	}
	return v.String(), nil
}

// Scan reads what Value wrote.
func (v *ID) Scan(src any) error {
	switch s := src.(type) {
	case nil:
		*v = Zero
		return nil
	case string:
		return v.UnmarshalText([]byte(s))
	case []byte:
		return v.UnmarshalText(s)
	}
	return fmt.Errorf("id: cannot scan %T", src)
}
