package contact

import (
	"database/sql"
	"slices"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Resolve returns the contact that an id leads to: the survivor when its contact
// was merged, else the id itself, whether or not there is such a contact. Rooms
// that look for a contact's rows in tables of their own, by an id from outside,
// call it first.
func (s *Service) Resolve(r store.Reader, cid id.ID) (id.ID, error) { return resolve(r, cid) }

func resolve(r store.Reader, cid id.ID) (id.ID, error) {
	to := cid
	_, err := store.Found(r.QueryRow("SELECT contact_id FROM contact_alias WHERE tenant_id=? AND old_id=?", cid).Scan(&to))
	return to, err
}

// ResolveMany returns where those of the ids lead whose contacts were merged.
func (s *Service) ResolveMany(r store.Reader, ids []id.ID) (map[id.ID]id.ID, error) {
	out := map[id.ID]id.ID{}
	for part := range slices.Chunk(ids, batch) {
		in, args := Among(part)
		rows, err := r.Query("SELECT old_id, contact_id FROM contact_alias WHERE tenant_id=? AND old_id IN "+in, args...)
		_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
			var old, to id.ID
			if err = rows.Scan(&old, &to); err == nil {
				out[old] = to
			}
			return
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// living is the id of the contact that the query's second placeholder leads to,
// for statements whose placeholders are numbered.
const living = "COALESCE((SELECT contact_id FROM contact_alias WHERE tenant_id=?1 AND old_id=?2), ?2)"

// HoldIn returns the id under which rows of a contact are to be written now, and
// keeps that contact from being merged away until the commit. It is for rooms
// that add rows without the contact's lock; many may hold a contact at once.
// NotFound.
func (s *Service) HoldIn(tx *store.Tx, cid id.ID) (id.ID, error) {
	share := ""
	if tx.Dialect() == store.Postgres {
		share = " FOR KEY SHARE" // a merge deletes the row, and waits for us
	}
	for again := false; ; {
		var one int
		ok, err := store.Found(tx.QueryRow("SELECT 1 FROM contact WHERE tenant_id=? AND id=? AND erased_at IS NULL"+share, cid).Scan(&one))
		if err != nil || ok {
			return cid, err
		}
		to, more, err := elsewhere(tx, cid, &again)
		if err == nil && !more {
			err = fault.Unknown("contact")
		}
		if err != nil {
			return cid, err
		}
		cid = to
	}
}

// elsewhere returns under which id a contact that was not met under cid, without its
// lock, is to be looked for next; more is false when it is nowhere. An id that leads
// nowhere is looked for once more: a merge may have been taken back between the two
// looks. SQLite has one writer.
func elsewhere(tx *store.Tx, cid id.ID, again *bool) (to id.ID, more bool, err error) {
	if to, err = resolve(tx, cid); err != nil {
		return cid, false, err
	}
	if to != cid {
		*again = false
		return to, true, nil
	}
	more = !*again && tx.Dialect() == store.Postgres
	*again = true
	return cid, more, nil
}

// locked takes the lock of the contact that an id leads to and reads it: what it
// returns stays true until the commit. NotFound.
func (s *Service) locked(tx *store.Tx, cid id.ID) (Contact, error) {
	for {
		if err := tx.Lock("contact", cid.String()); err != nil {
			return Contact{}, err
		}
		out := make(map[id.ID]Contact, 1)
		if err := load(tx, []id.ID{cid}, out); err != nil {
			return Contact{}, err
		}
		if c, ok := out[cid]; ok {
			return c, nil
		}
		// Merged, perhaps by whoever had the lock before us: then its survivor is
		// seen now, behind the lock.
		to, err := resolve(tx, cid)
		if err != nil {
			return Contact{}, err
		}
		if to == cid {
			return Contact{}, fault.Unknown("contact")
		}
		cid = to
	}
}

// exists returns the contact that an id leads to. NotFound.
func exists(r store.Reader, cid id.ID) (id.ID, error) {
	var at id.ID
	ok, err := store.Found(r.QueryRow("SELECT id FROM contact WHERE tenant_id=?1 AND erased_at IS NULL AND id="+living, cid).Scan(&at))
	if err == nil && !ok {
		err = fault.Unknown("contact")
	}
	return at, err
}
