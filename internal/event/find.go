package event

import (
	"parley/internal/store"
)

// Find returns the event at a cursor; ok is false when the tenant has none
// there, or it was pruned.
func Find(r store.Reader, c Cursor) (e Event, ok bool, err error) {
	rows, err := r.Query("SELECT "+columns+" FROM event WHERE tenant_id=? AND xid=? AND seq=?", c.XID, c.Seq)
	list, err := store.Collect(rows, err, scan)
	if err != nil || len(list) == 0 {
		return Event{}, false, err
	}
	return list[0], true, nil
}
