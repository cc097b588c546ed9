package socketio

import (
	"bytes"
	"cmp"
	"errors"
	"math"
	"strconv"
	"strings"
)

// Offset is a place in the stream that a server tells its clients: the place
// of one message. Major and Minor name an entry of the stream, Index one of the
// messages that the entry gives rise to; Whole stands for all of them.
type Offset struct {
	Major, Minor int64
	Index        int32
}

// Whole is the Index of an Offset behind the last message of an entry.
const Whole = math.MaxInt32

// String returns "major.minor", or "major.minor.index" within an entry.
func (o Offset) String() string {
	s := strconv.FormatInt(o.Major, 10) + "." + strconv.FormatInt(o.Minor, 10)
	if o.Index != Whole {
		s += "." + strconv.FormatInt(int64(o.Index), 10)
	}
	return s
}

// Compare is negative, zero or positive when o is before, at or after p.
func (o Offset) Compare(p Offset) int {
	return cmp.Or(cmp.Compare(o.Major, p.Major), cmp.Compare(o.Minor, p.Minor), cmp.Compare(o.Index, p.Index))
}

var errOffset = errors.New("socketio: not an offset")

// ParseOffset reads what String wrote, and the tail that Socket.Narrow added.
func ParseOffset(s string) (o Offset, tail string, err error) {
	s, tail, _ = strings.Cut(s, tailMark)
	parts := strings.Split(s, ".")
	if len(parts) < 2 || len(parts) > 3 {
		return Offset{}, "", errOffset
	}
	o.Index = Whole
	var index int64
	var err1, err2, err3 error
	o.Major, err1 = strconv.ParseInt(parts[0], 10, 64)
	o.Minor, err2 = strconv.ParseInt(parts[1], 10, 64)
	if len(parts) == 3 {
		index, err3 = strconv.ParseInt(parts[2], 10, 32)
		o.Index = int32(index)
	}
	if errors.Join(err1, err2, err3) != nil || o.Major < 0 || o.Minor < 0 || o.Index < 0 {
		return Offset{}, "", errOffset
	}
	return o, tail, nil
}

// tailMark begins the tail of an offset.
const tailMark = "@"

// Message is an event, encoded once for every socket. Its last argument is its
// offset, which socket.io 4.6 and later keeps for when it comes back.
type Message struct {
	at   Offset
	body []byte
	cut  int // where a tail is put in
}

// NewMessage encodes an event of the root namespace with its offset. The error
// says why it cannot be JSON, or that Socket.IO reserves the name.
func NewMessage(event string, at Offset, args ...any) (*Message, error) {
	body, err := encodeEvent(event, 0, false, append(args[:len(args):len(args)], at.String()))
	if err != nil {
		return nil, err
	}
	return &Message{at: at, body: body, cut: len(body) - len(`"]`)}, nil
}

// At returns the message's place.
func (m *Message) At() Offset { return m.at }

// Size returns about how many bytes the message takes.
func (m *Message) Size() int { return len(m.body) }

// with returns the message for a socket with a tail.
func (m *Message) with(tail string) []byte {
	if tail == "" {
		return m.body
	}
	var b bytes.Buffer
	b.Grow(len(m.body) + len(tailMark) + len(tail))
	b.Write(m.body[:m.cut])
	b.WriteString(tailMark)
	b.WriteString(tail)
	b.Write(m.body[m.cut:])
	return b.Bytes()
}
