package parley

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The packet types of Engine.IO 4 and of Socket.IO 5 inside its messages.
const (
	engineOpen, engineClose, enginePing, enginePong, engineMessage      = '0', '1', '2', '3', '4'
	sioConnect, sioDisconnect, sioEvent, sioAck, sioConnectError   byte = '0', '1', '2', '3', '4'
)

// packet is a Socket.IO packet of the root namespace.
type packet struct {
	kind  byte
	id    uint64
	hasID bool
	data  json.RawMessage
}

var errPacket = errors.New("parley: the server sent something that is no Socket.IO packet")

// parsePacket reads what follows the Engine.IO type. Packets of another
// namespace, which nobody asked for, are errors.
func parsePacket(b []byte) (packet, error) {
	if len(b) == 0 || b[0] < sioConnect || b[0] > sioConnectError {
		return packet{}, errPacket
	}
	p := packet{kind: b[0]}
	rest := string(b[1:])
	if strings.HasPrefix(rest, "/") {
		nsp, after, ok := strings.Cut(rest, ",")
		if !ok {
			nsp, after = rest, ""
		}
		if nsp != "/" {
			return packet{}, errPacket
		}
		rest = after
	}
	n := 0
	for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
		n++
	}
	if n > 0 {
		id, err := strconv.ParseUint(rest[:n], 10, 64)
		if err != nil {
			return packet{}, errPacket
		}
		p.id, p.hasID = id, true
	}
	if rest = rest[n:]; rest != "" {
		if !json.Valid([]byte(rest)) {
			return packet{}, errPacket
		}
		p.data = json.RawMessage(rest)
	}
	return p, nil
}

// event splits an EVENT into its name and arguments.
func (p packet) event() (name string, args []json.RawMessage, err error) {
	if json.Unmarshal(p.data, &args) != nil || len(args) == 0 || json.Unmarshal(args[0], &name) != nil {
		return "", nil, errPacket
	}
	return name, args[1:], nil
}

// encodePacket writes an Engine.IO message.
func encodePacket(kind byte, id uint64, hasID bool, data any) ([]byte, error) {
	b := []byte{engineMessage, kind}
	if hasID {
		b = strconv.AppendUint(b, id, 10)
	}
	if data != nil {
		j, err := json.Marshal(data)
		if err != nil {
			return nil, fmt.Errorf("parley: the event cannot be written as JSON: %w", err)
		}
		b = append(b, j...)
	}
	return b, nil
}
