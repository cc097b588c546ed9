package realtime

import (
	"context"

	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/realtime/socketio"
)

// roomOf names a room of a tenant for the transport: the tenant's own for "",
// and rooms below it. A room's name begins with its tenant, so that no name a
// client can say reaches into another.
func roomOf(tenant id.ID, name string) string {
	if name == "" {
		return tenant.String()
	}
	return tenant.String() + "/" + name
}

// whole is the offset behind everything that an event is told as.
func whole(c event.Cursor) socketio.Offset {
	return socketio.Offset{Major: c.XID, Minor: c.Seq, Index: socketio.Whole}
}

// tell tells an event to whom it concerns, and moves the cursor behind it.
// Nothing is read or made for a tenant without listeners, nor for a room that
// nobody is in.
func (d *Dispatcher) tell(ctx context.Context, e event.Event) error {
	room := roomOf(e.Tenant, "")
	for {
		d.mu.Lock()
		if !d.transport.Concerned(room) {
			d.cursor = e.Cursor
			d.mu.Unlock()
			return nil
		}
		everything := d.transport.Occupied(room)
		d.mu.Unlock()

		t := d.tales.of(d, e)
		ready := make([]message, len(t.slots))
		for i := range t.slots {
			if !everything && !t.slots[i].push.Narrow {
				continue
			}
			var err error
			if ready[i], err = t.slots[i].make(ctx, d, t, i); err != nil {
				return err
			}
		}
		d.mu.Lock()
		if !everything && d.transport.Occupied(room) { // somebody came for what was left out
			d.mu.Unlock()
			continue
		}
		for _, m := range ready {
			if m.Message != nil {
				d.transport.Send(m.Message, m.rooms...)
			}
		}
		d.cursor = e.Cursor
		d.mu.Unlock()
		return nil
	}
}
