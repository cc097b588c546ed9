package socketio

import (
	"slices"
	"strings"
	"sync"
)

// hub knows which socket is in which room.
type hub struct {
	mu    sync.RWMutex // guards rooms, below, and what sockets say is guarded by it
	rooms map[string]*room
	below map[string]int // how many rooms there are below a room: "a/b" is below "a"
}

// room is the set of its sockets. Its lock is taken after hub.mu, or alone by
// an emit, which reads only.
type room struct {
	mu      sync.RWMutex
	members map[*Socket]struct{}
}

func newHub() *hub { return &hub{rooms: map[string]*room{}, below: map[string]int{}} }

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
			if above, _, ok := strings.Cut(name, "/"); ok {
				h.below[above]++
			}
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
		if above, _, ok := strings.Cut(name, "/"); ok {
			if h.below[above]--; h.below[above] == 0 {
				delete(h.below, above)
			}
		}
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

// concerned says whether anybody is in the room or in one below it.
func (h *hub) concerned(name string) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.rooms[name] != nil || h.below[name] > 0
}

// spread queues m for the sockets of the rooms, once for each socket.
func (h *hub) spread(m *Message, rooms []string) (delivered int) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for i, name := range rooms {
		r := h.rooms[name]
		if r == nil {
			continue
		}
		r.mu.RLock()
		for k := range r.members {
			if i > 0 && slices.ContainsFunc(rooms[:i], func(before string) bool { return slices.Contains(k.rooms, before) }) {
				continue
			}
			if m.at.Compare(k.from) > 0 && k.sess.deliver(m.with(k.tail)) {
				delivered++
			}
		}
		r.mu.RUnlock()
	}
	return delivered
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
