package realtime

import (
	"context"
	"slices"
	"strings"
	"sync"

	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/realtime/socketio"
)

// maxRooms is how many rooms one client may be in: their names travel with
// every offset that it is told.
const maxRooms = 32

// Seat is a connected client: for whom it speaks and what it hears.
type Seat struct {
	d   *Dispatcher
	k   *socketio.Socket
	pid bool // it can resume by itself

	mu    sync.Mutex
	guest Guest
	from  socketio.Offset // where it began to hear
	rooms []string        // names as roomOf takes them, in the order joined
}

// Guest returns for whom the client speaks.
func (s *Seat) Guest() Guest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.guest
}

// Enter makes a client that showed no key at the handshake speak for g. A client
// speaks for one tenant: false when it is another's already.
func (s *Seat) Enter(g Guest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.guest.Tenant.IsZero() && s.guest.Tenant != g.Tenant {
		return false
	}
	if s.guest.Tenant.IsZero() {
		s.guest = g
	}
	return true
}

// Joined is what a client hears of after Join.
type Joined struct {
	// Offset is where it stands: what it is told follows it.
	Offset string
	// Recovered says that what was missed since the offset it named was told.
	Recovered bool
}

// Join puts the client into a room of its tenant: the tenant's own for "". A
// client that is in no room yet may name the last offset it got, to be told
// first what it missed in that room. Faults: Invalid for too many rooms.
func (s *Seat) Join(ctx context.Context, room, after string) (Joined, error) {
	s.mu.Lock()
	g, first, have := s.guest, len(s.rooms) == 0, slices.Contains(s.rooms, room)
	full := len(s.rooms) >= maxRooms
	s.mu.Unlock()
	switch {
	case have:
		return s.stand()
	case full:
		return Joined{}, fault.Field("room", "you are in %d rooms, which is the most; leave one first", maxRooms)
	}
	if from, _, err := socketio.ParseOffset(after); first && after != "" && err == nil {
		why, err := s.d.lost(ctx, g.Tenant, from)
		if err != nil {
			return Joined{}, err
		}
		if why == "" {
			if err := s.d.resume(ctx, s, from, []string{room}); err != nil {
				s.k.Break() // it comes back and asks again
				return Joined{}, err
			}
			j, err := s.stand()
			j.Recovered = true
			return j, err
		}
	}
	if err := s.sit(ctx, socketio.Offset{}, room); err != nil {
		return Joined{}, err
	}
	s.moved()
	return s.stand()
}

// Leave takes the client out of a room.
func (s *Seat) Leave(room string) {
	s.mu.Lock()
	at := slices.Index(s.rooms, room)
	if at >= 0 {
		s.rooms = slices.Delete(s.rooms, at, at+1)
	}
	tenant := s.guest.Tenant
	s.mu.Unlock()
	if at >= 0 {
		s.k.Leave(roomOf(tenant, room))
		s.moved()
	}
}

// sit seats the client where the feed has been told to.
func (s *Seat) sit(ctx context.Context, from socketio.Offset, rooms ...string) error {
	if _, err := s.d.position(ctx); err != nil {
		return err
	}
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.place(from, false, rooms)
	return nil
}

// place joins the rooms; s.d.mu is held.
func (s *Seat) place(from socketio.Offset, hold bool, rooms []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if from.Compare(s.from) > 0 {
		s.from = from
	}
	var names []string
	for _, r := range rooms {
		s.rooms = append(s.rooms, r)
		names = append(names, roomOf(s.guest.Tenant, r))
	}
	s.k.Seat(s.from, hold, names...)
}

// moved tells a client that resumes by itself which rooms it is in now: the
// event's offset carries them, so that they hold from the next moment on.
func (s *Seat) moved() {
	s.mu.Lock()
	rooms := slices.Clone(s.rooms)
	s.mu.Unlock()
	if !s.pid {
		return
	}
	s.k.Narrow(tailOf(rooms))
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if m, err := socketio.NewMessage(RoomsEvent, s.at(), map[string]any{"rooms": len(rooms)}); err == nil { // cannot fail
		s.k.Send(m)
	}
}

// at is the place up to which everything is told or on its way; s.d.mu is held.
func (s *Seat) at() socketio.Offset {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := whole(s.d.cursor)
	if s.from.Compare(at) > 0 {
		at = s.from
	}
	return at
}

func (s *Seat) stand() (Joined, error) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	return Joined{Offset: s.at().String()}, nil
}

// tailOf writes rooms into the tail of an offset; none when the client is in its
// tenant's room alone, as most are.
func tailOf(rooms []string) string {
	if len(rooms) == 1 && rooms[0] == "" {
		return ""
	}
	names := []string{}
	for _, r := range rooms {
		if r == "" {
			r = "*"
		}
		names = append(names, r)
	}
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ",")
}

// roomsOf reads what tailOf wrote. Only ids are names, so a tail made up by a
// client names nothing else.
func roomsOf(tail string) (rooms []string) {
	if tail == "" {
		return []string{""}
	}
	for name := range strings.SplitSeq(tail, ",") {
		if len(rooms) == maxRooms {
			break
		}
		if name == "*" {
			rooms = append(rooms, "")
		} else if rid, err := id.Parse(name); err == nil {
			rooms = append(rooms, rid.String())
		}
	}
	slices.Sort(rooms)
	return slices.Compact(rooms)
}

// cursorBefore is where to read from to see an offset's own event again, if some
// of its messages may be missing, and otherwise what follows it.
func cursorBefore(o socketio.Offset) event.Cursor {
	if o.Index == socketio.Whole {
		return event.Cursor{XID: o.Major, Seq: o.Minor}
	}
	return event.Cursor{XID: o.Major, Seq: max(o.Minor-1, 0)}
}
