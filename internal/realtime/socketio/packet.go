package socketio

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"
)

// The Engine.IO packet types, the first byte of every message.
const (
	engineOpen    = '0'
	engineClose   = '1'
	enginePing    = '2'
	enginePong    = '3'
	engineMessage = '4'
	engineUpgrade = '5'
	engineNoop    = '6'
)

// The Socket.IO packet types, the second byte of an Engine.IO message.
const (
	typeConnect      = '0'
	typeDisconnect   = '1'
	typeEvent        = '2'
	typeAck          = '3'
	typeConnectError = '4'
	typeBinaryEvent  = '5'
	typeBinaryAck    = '6'
)

// rootNamespace is the only namespace served.
const rootNamespace = "/"

// Limits of what a packet may hold. An id must survive the client's numbers,
// which are exact to 15 digits; a namespace is echoed, so it is kept short.
const (
	maxIDDigits  = 15
	maxNamespace = 256
)

var (
	errMalformed = errors.New("malformed packet")
	errBinary    = errors.New("binary packets are not supported")
)

// reserved are the event names that clients use for themselves; a client that
// receives one drops the connection.
var reserved = []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}

// packet is a Socket.IO packet.
type packet struct {
	typ   byte
	nsp   string
	id    uint64
	hasID bool
	// auth is the payload of CONNECT, nil when there is none.
	auth map[string]any
	// name is that of an EVENT; args are those of an EVENT or ACK.
	name string
	args []json.RawMessage
}

// parsePacket reads a Socket.IO packet: type, namespace and a comma unless it
// is the root, id, payload (socket.io-protocol, "Packet encoding"). The result
// shares no memory with b.
func parsePacket(b []byte) (packet, error) {
	if len(b) == 0 || b[0] < typeConnect || b[0] > typeBinaryAck {
		return packet{}, errMalformed
	}
	p := packet{typ: b[0], nsp: rootNamespace}
	if p.typ == typeBinaryEvent || p.typ == typeBinaryAck {
		return packet{}, errBinary
	}
	if !utf8.Valid(b) {
		return packet{}, errMalformed
	}
	b = b[1:]
	if len(b) > 0 && b[0] == '/' {
		name, rest, _ := bytes.Cut(b, []byte{','})
		if len(name) > maxNamespace {
			return packet{}, errMalformed
		}
		p.nsp, b = string(name), rest
	}
	digits := 0
	for digits < len(b) && b[digits] >= '0' && b[digits] <= '9' {
		digits++
	}
	if digits > maxIDDigits {
		return packet{}, errMalformed
	}
	if digits > 0 {
		id, err := strconv.ParseUint(string(b[:digits]), 10, 64)
		if err != nil {
			return packet{}, errMalformed
		}
		p.id, p.hasID, b = id, true, b[digits:]
	}
	if err := p.payload(b); err != nil {
		return packet{}, err
	}
	return p, nil
}

// payload reads what the type of p wants and refuses anything else.
func (p *packet) payload(b []byte) error {
	switch p.typ {
	case typeConnect:
		if len(b) == 0 {
			return nil
		}
		if json.Unmarshal(b, &p.auth) != nil || p.auth == nil {
			return errMalformed
		}
		return nil
	case typeDisconnect:
		if len(b) > 0 {
			return errMalformed
		}
		return nil
	case typeEvent:
		if json.Unmarshal(b, &p.args) != nil || len(p.args) == 0 || p.args[0][0] != '"' {
			return errMalformed
		}
		if json.Unmarshal(p.args[0], &p.name) != nil || slices.Contains(reserved, p.name) {
			return errMalformed
		}
		p.args = p.args[1:]
		return nil
	case typeAck:
		if !p.hasID || json.Unmarshal(b, &p.args) != nil || p.args == nil {
			return errMalformed
		}
		return nil
	default: // CONNECT_ERROR only travels to the client
		return errMalformed
	}
}

// encodeOpen returns the Engine.IO handshake.
func encodeOpen(sid string, upgrade bool, o Options) []byte {
	upgrades := []string{}
	if upgrade {
		upgrades = append(upgrades, "websocket")
	}
	b, _ := json.Marshal(struct { // cannot fail: strings and integers
		SID          string   `json:"sid"`
		Upgrades     []string `json:"upgrades"`
		PingInterval int64    `json:"pingInterval"`
		PingTimeout  int64    `json:"pingTimeout"`
		MaxPayload   int64    `json:"maxPayload"`
	}{sid, upgrades, o.PingInterval.Milliseconds(), o.PingTimeout.Milliseconds(), o.MaxPayload})
	return append([]byte{engineOpen}, b...)
}

// encode returns an Engine.IO message that holds a Socket.IO packet of the
// namespace, with an id when hasID, and data as JSON unless it is nil.
func encode(typ byte, nsp string, id uint64, hasID bool, data any) ([]byte, error) {
	buf := bytes.NewBuffer(make([]byte, 0, 128))
	buf.WriteByte(engineMessage)
	buf.WriteByte(typ)
	if nsp != rootNamespace {
		buf.WriteString(nsp)
		buf.WriteByte(',')
	}
	if hasID {
		buf.Write(strconv.AppendUint(buf.AvailableBuffer(), id, 10))
	}
	if data == nil {
		return buf.Bytes(), nil
	}
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(data); err != nil {
		return nil, err
	}
	return bytes.TrimRight(buf.Bytes(), "\n"), nil
}

// encodeEvent returns an EVENT of the root namespace.
func encodeEvent(event string, id uint64, hasID bool, args []any) ([]byte, error) {
	if slices.Contains(reserved, event) {
		return nil, fmt.Errorf("the event name %q is reserved by Socket.IO: choose another", event)
	}
	return encode(typeEvent, rootNamespace, id, hasID, append([]any{event}, args...))
}

// encodeConnectError returns a CONNECT_ERROR; data is left out when nil.
func encodeConnectError(nsp, message string, data any) []byte {
	b, _ := encode(typeConnectError, nsp, 0, false, struct { // cannot fail: strings
		Message string `json:"message"`
		Data    any    `json:"data,omitempty"`
	}{message, data})
	return b
}
