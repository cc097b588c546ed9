package realtime

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/realtime/socketio"
)

// What is told to a client that comes back: not more events of its tenant, and
// none older. Beyond that it reads its lists again, which is cheaper for both.
const (
	maxMissed = 5000
	maxAway   = 10 * time.Minute
	page      = 200
)

// Events of our own. RoomsEvent follows a change of rooms, ResumedEvent answers
// auth.after.
const (
	RoomsEvent   = "parley.rooms"
	ResumedEvent = "parley.resumed"
)

// place of the sealed pids.
const pidPlace = "realtime/pid"

// Handshake lets a client in: it is the transport's Authenticate.
func (d *Dispatcher) Handshake(ctx context.Context, h socketio.Handshake) (socketio.Entry, error) {
	g, err := d.face.Admit(ctx, h)
	if err != nil {
		return socketio.Entry{}, err
	}
	s := &Seat{d: d, guest: g}
	in := socketio.Entry{Session: s, Enter: func(_ context.Context, k *socketio.Socket) { s.k = k }}
	if g.Tenant.IsZero() {
		return in, nil
	}
	w, err := d.wish(ctx, g.Tenant, h.Auth)
	if err != nil {
		return socketio.Entry{}, err
	}
	s.pid, in.PID = true, w.pid
	in.Enter = func(ctx context.Context, k *socketio.Socket) {
		s.k = k
		if err := d.enter(ctx, s, w); err != nil {
			if ctx.Err() == nil {
				d.log.Warn("a live client could not be told what it missed; it is sent away to come back", "error", err)
			}
			k.Break()
		}
	}
	return in, nil
}

// SocketEvent hands the face what a client sends: it is the transport's OnEvent.
func (d *Dispatcher) SocketEvent(ctx context.Context, k *socketio.Socket, name string, args []json.RawMessage, ack func(args ...any)) {
	if s, ok := k.Session().(*Seat); ok {
		d.face.SocketEvent(ctx, s, name, args, ack)
	}
}

// wish is what a client that knocks wants to hear.
type wish struct {
	pid   string
	from  socketio.Offset // where it left
	tell  bool            // what followed from is told
	why   string          // why not, when it was asked for
	after bool            // it asked by auth.after
	rooms []string
}

// wish reads the pid and offset of socket.io's connection state recovery, or
// auth.after, the way of plain clients. A pid of ours wins even when its time
// has passed: a client sends the same auth each time it comes back.
func (d *Dispatcher) wish(ctx context.Context, tenant id.ID, auth map[string]any) (w wish, err error) {
	w.rooms = []string{""}
	pid, _ := auth["pid"].(string)
	after, _ := auth["after"].(string)
	began, known := d.openPID(tenant, pid)
	switch {
	case known:
		w.from = began
		w.tell = true
		if offset, ok := auth["offset"].(string); ok {
			var tail string
			if w.from, tail, err = socketio.ParseOffset(offset); err != nil {
				w.tell, err = false, nil
			} else {
				w.rooms = roomsOf(tail)
			}
		}
	case after != "":
		w.after = true
		if w.from, _, err = socketio.ParseOffset(after); err != nil {
			w.why, err = "not an offset: give the last argument of the last event you got", nil
		} else {
			w.tell = true
		}
	}
	if w.tell {
		if w.why, err = d.lost(ctx, tenant, w.from); err != nil {
			return w, err
		}
		w.tell = w.why == ""
	}
	if w.tell && known {
		w.pid = pid
		return w, nil
	}
	if !w.tell {
		at, err := d.position(ctx)
		if err != nil {
			return w, err
		}
		w.from, w.rooms = whole(at), []string{""}
	}
	w.pid = d.sealer.Seal(tenant.String()+" "+w.from.String(), pidPlace)
	return w, nil
}

// openPID reads a pid that some server of this installation gave to a client of
// the tenant, and where that client began.
func (d *Dispatcher) openPID(tenant id.ID, pid string) (from socketio.Offset, ok bool) {
	if pid == "" || len(pid) > 1000 {
		return from, false
	}
	plain, err := d.sealer.Open(pid, pidPlace)
	if err != nil {
		return from, false
	}
	whose, at, _ := strings.Cut(plain, " ")
	from, _, err = socketio.ParseOffset(at)
	return from, err == nil && whose == tenant.String()
}

// lost says why what followed an offset cannot be told, "" when it can.
func (d *Dispatcher) lost(ctx context.Context, tenant id.ID, from socketio.Offset) (why string, err error) {
	end, err := d.end(ctx)
	if err != nil {
		return "", err
	}
	c := cursorBefore(from)
	if w := whole(c); w.Compare(whole(end)) > 0 {
		return "unknown: this installation has not got so far", nil
	}
	n, oldest, err := event.Behind(d.db.Read(ctx, tenant), c, d.missed+1)
	switch {
	case err != nil:
		return "", err
	case n > d.missed:
		return "too much was missed: read your lists again", nil
	case n > 0 && d.db.Clock().Now().Sub(oldest) > maxAway:
		return "too long away: read your lists again", nil
	}
	return "", nil
}

// enter seats a client that has just been let in.
func (d *Dispatcher) enter(ctx context.Context, s *Seat, w wish) error {
	s.k.Narrow(tailOf(w.rooms))
	if w.after {
		m, err := socketio.NewMessage(ResumedEvent, w.from, map[string]any{"recovered": w.tell, "reason": w.why})
		if err == nil {
			err = s.k.Write(m)
		}
		if err != nil {
			return err
		}
	}
	return d.resume(ctx, s, w.from, w.rooms)
}

// resume tells a client what happened in rooms after an offset, and seats it
// there so that it hears all that follows: nothing is left out in between, and
// nothing told twice. Most of the past is told before it is seated; while the
// rest is told, what happens meanwhile waits behind it.
func (d *Dispatcher) resume(ctx context.Context, s *Seat, from socketio.Offset, rooms []string) error {
	p := past{d: d, s: s, from: from, at: cursorBefore(from)}
	for _, r := range rooms {
		p.rooms = append(p.rooms, roomOf(s.Guest().Tenant, r))
	}
	for {
		told, err := d.position(ctx)
		if err != nil {
			return err
		}
		n, err := p.tell(ctx, told)
		if err != nil {
			return err
		}
		if n < page {
			break
		}
	}
	d.mu.Lock()
	told := d.cursor
	behind := p.at.Before(told)
	s.place(from, behind, rooms)
	d.mu.Unlock()
	if !behind {
		return nil
	}
	defer s.k.Release()
	for {
		if n, err := p.tell(ctx, told); err != nil || n < page {
			return err
		}
	}
}

// past tells one client what happened.
type past struct {
	d     *Dispatcher
	s     *Seat
	from  socketio.Offset // told already
	at    event.Cursor    // read up to here
	rooms []string
}

// tell tells a page of events, none behind the cursor until, and returns how
// many it read.
func (p *past) tell(ctx context.Context, until event.Cursor) (int, error) {
	if !p.at.Before(until) {
		return 0, nil
	}
	events, err := event.After(p.d.db.Read(ctx, p.s.Guest().Tenant), p.at, page)
	if err != nil {
		return 0, err
	}
	for i, e := range events {
		if until.Before(e.Cursor) {
			return i, nil
		}
		if err := p.event(ctx, e); err != nil {
			return i, err
		}
		p.at = e.Cursor
	}
	return len(events), nil
}

func (p *past) event(ctx context.Context, e event.Event) error {
	t := p.d.tales.of(p.d, e)
	tenantRoom := roomOf(e.Tenant, "")
	for i := range t.slots {
		if !contains(p.rooms, tenantRoom) && !t.slots[i].push.Narrow {
			continue
		}
		m, err := t.slots[i].make(ctx, p.d, t, i)
		if err != nil {
			return err
		}
		if m.Message == nil || m.At().Compare(p.from) <= 0 || !contains(p.rooms, m.rooms...) {
			continue
		}
		if err := p.s.k.Write(m.Message); err != nil {
			return err
		}
	}
	return nil
}

// contains says whether one of the names is in the list.
func contains(list []string, names ...string) bool {
	for _, n := range names {
		for _, l := range list {
			if l == n {
				return true
			}
		}
	}
	return false
}
