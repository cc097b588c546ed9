package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
)

// ErrDisconnected is returned for a socket that is no longer connected, or was
// cut because it did not keep up.
var ErrDisconnected = errors.New("socketio: the socket is disconnected")

// Socket is a client that has been let in. Its methods may be called from any
// goroutine, also after it has disconnected.
type Socket struct {
	sess *session
	id   string
	own  any

	rooms []string // guarded by hub.mu
	gone  bool     // guarded by hub.mu
	from  Offset   // guarded by hub.mu: messages up to here are not for it
	tail  string   // guarded by hub.mu

	ackMu   sync.Mutex
	lastAck uint64
	acks    map[uint64]chan []json.RawMessage
}

// ID returns the id the client knows as socket.id. It is random and not
// secret.
func (k *Socket) ID() string { return k.id }

// Session returns what Authenticate gave with this client.
func (k *Socket) Session() any { return k.own }

// Join puts the socket into rooms; it does nothing once disconnected.
func (k *Socket) Join(rooms ...string) { k.sess.srv.hub.join(k, rooms...) }

// Leave takes the socket out of rooms.
func (k *Socket) Leave(rooms ...string) { k.sess.srv.hub.leave(k, rooms...) }

// Rooms lists the rooms of the socket, sorted.
func (k *Socket) Rooms() []string { return k.sess.srv.hub.roomsOf(k) }

// Emit queues an event for this socket alone. It does not wait. The error is
// ErrDisconnected, or says why the event cannot be written as JSON.
func (k *Socket) Emit(event string, args ...any) error {
	p, err := encodeEvent(event, 0, false, args)
	if err != nil {
		return err
	}
	if !k.sess.enqueue(p) {
		return ErrDisconnected
	}
	return nil
}

// Seat puts the socket into rooms and keeps from it the messages of Send up to
// and including an offset. With hold those that follow wait until Release, so
// that the past can be told first by Write.
func (k *Socket) Seat(from Offset, hold bool, rooms ...string) {
	if hold {
		k.sess.mu.Lock()
		k.sess.holding = true
		k.sess.mu.Unlock()
	}
	h := k.sess.srv.hub
	h.mu.Lock()
	k.from = from
	h.mu.Unlock()
	h.join(k, rooms...)
}

// Release lets the messages held back since Seat follow.
func (k *Socket) Release() { k.sess.release() }

// Narrow sets the tail of every offset that this socket is told: what a server
// must know to resume it that its pid does not tell. "" is none. The tail must
// need no escaping in JSON.
func (k *Socket) Narrow(tail string) {
	h := k.sess.srv.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	k.tail = tail
}

// Write queues a message for this socket alone, and waits while the client
// lags. Only callbacks may call it. The error is ErrDisconnected.
func (k *Socket) Write(m *Message) error {
	h := k.sess.srv.hub
	h.mu.RLock()
	tail := k.tail
	h.mu.RUnlock()
	if !k.sess.write(m.with(tail)) {
		return ErrDisconnected
	}
	return nil
}

// Send queues a message for this socket alone, without waiting.
func (k *Socket) Send(m *Message) {
	h := k.sess.srv.hub
	h.mu.RLock()
	tail := k.tail
	h.mu.RUnlock()
	k.sess.deliver(m.with(tail))
}

// Break cuts the connection, so that the client comes back by itself.
func (k *Socket) Break() { k.sess.shut(ReasonBroken, closeInternal, ReasonBroken, nil) }

// EmitWithAck sends an event and waits for the client's answer, for ctx, or
// for the end of the connection (ErrDisconnected). It may be called in OnEvent.
func (k *Socket) EmitWithAck(ctx context.Context, event string, args ...any) ([]json.RawMessage, error) {
	answer := make(chan []json.RawMessage, 1)
	k.ackMu.Lock()
	k.lastAck++
	id := k.lastAck
	if k.acks == nil {
		k.acks = map[uint64]chan []json.RawMessage{}
	}
	k.acks[id] = answer
	k.ackMu.Unlock()
	defer func() {
		k.ackMu.Lock()
		delete(k.acks, id)
		k.ackMu.Unlock()
	}()

	p, err := encodeEvent(event, id, true, args)
	if err != nil {
		return nil, err
	}
	if !k.sess.enqueue(p) {
		return nil, ErrDisconnected
	}
	select {
	case args := <-answer:
		return args, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-k.sess.ctx.Done():
		return nil, ErrDisconnected
	}
}

// answered hands an ACK to whom it concerns; one that nobody waits for is late
// or made up, and of no consequence.
func (k *Socket) answered(id uint64, args []json.RawMessage) {
	k.ackMu.Lock()
	defer k.ackMu.Unlock()
	if answer := k.acks[id]; answer != nil {
		delete(k.acks, id)
		answer <- args
	}
}

// ackFunc returns the ack of an event that came with id, if it had one.
func (k *Socket) ackFunc(id uint64, asked bool) func(args ...any) {
	if !asked {
		return func(...any) {}
	}
	var done atomic.Bool
	return func(args ...any) {
		if done.Swap(true) {
			return
		}
		if args == nil {
			args = []any{}
		}
		p, err := encode(typeAck, rootNamespace, id, true, args)
		if err != nil {
			k.sess.srv.opts.Logger.Error("socketio: an ack cannot be encoded", "error", err)
			return
		}
		k.sess.enqueue(p)
	}
}

// Disconnect tells the client to go and closes the connection once what is
// queued has gone out. The JavaScript client does not come back by itself.
func (k *Socket) Disconnect() {
	k.sess.shut(ReasonServer, closeNormal, "", []byte{engineMessage, typeDisconnect})
}
