package socketio

import (
	"slices"
	"sync"
)

// hub knows which socket is in which room.
type hub struct {
	mu    sync.RWMutex // guards rooms and the room lists of sockets
	rooms map[string]*room
}

// room is the set of its sockets. Its lock is taken after hub.mu, or alone by
// an emit, which reads only.
type room struct {
	mu      sync.RWMutex
	members map[*Socket]struct{}
}

func newHub() *hub { return &hub{rooms: map[string]*room{}} }

// join puts k into the rooms, unless it has disconnected.
func (h *hub) join(k *Socket, names ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if k.gone {
		return
	}
	for _, name := range names {
		if slices.Contains(k.rooms, name) {
			continue
		}
		r := h.rooms[name]
		if r == nil {
			r = &room{members: map[*Socket]struct{}{}}
			h.rooms[name] = r
		}
		r.mu.Lock()
		r.members[k] = struct{}{}
		r.mu.Unlock()
		k.rooms = append(k.rooms, name)
	}
}

// leave takes k out of the rooms.
func (h *hub) leave(k *Socket, names ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, name := range names {
		if i := slices.Index(k.rooms, name); i >= 0 {
			k.rooms = slices.Delete(k.rooms, i, i+1)
			h.drop(k, name)
		}
	}
}

// forget takes k out of all rooms for good.
func (h *hub) forget(k *Socket) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k.gone = true
	for _, name := range k.rooms {
		h.drop(k, name)
	}
	k.rooms = nil
}

// drop removes k from a room, and the room when it was the last. h.mu is held.
func (h *hub) drop(k *Socket, name string) {
	r := h.rooms[name]
	r.mu.Lock()
	delete(r.members, k)
	empty := len(r.members) == 0
	r.mu.Unlock()
	if empty {
		delete(h.rooms, name)
	}
}

// roomsOf lists the rooms of k, sorted.
func (h *hub) roomsOf(k *Socket) []string {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return slices.Sorted(slices.Values(k.rooms))
}

// has says whether anybody is in the room.
func (h *hub) has(name string) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.rooms[name] != nil
}

// size is the number of rooms with somebody in them.
func (h *hub) size() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.rooms)
}

// send queues p for every socket of the room and counts those that took it.
func (h *hub) send(name string, p []byte) (delivered int) {
	h.mu.RLock()
	r := h.rooms[name]
	h.mu.RUnlock()
	if r == nil {
		return 0
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	for k := range r.members {
		if k.sess.enqueue(p) {
			delivered++
		}
	}
	return delivered
}
