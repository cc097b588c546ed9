package contact_test

import (
	"database/sql"
	"encoding/json"

	"parley/internal/contact"
	"parley/internal/id"
	"parley/internal/store"
)

// follow makes a room of toys take part in merges: rows that belong to contacts,
// moved and given back by their ids.
func (w world) follow() {
	w.Helper()
	if err := w.db.Write(bg, id.Zero, func(tx *store.Tx) error {
		_, err := tx.System().Exec("CREATE TABLE IF NOT EXISTS toy (tenant_id TEXT NOT NULL, id TEXT NOT NULL, contact_id TEXT NOT NULL, PRIMARY KEY (tenant_id, id))")
		return err
	}); err != nil {
		w.Fatal(err)
	}
	w.s.Follow(contact.Follower{Name: "toy",
		Merge: func(tx *store.Tx, m contact.Merge) (any, error) {
			rows, err := tx.Query("SELECT id FROM toy WHERE tenant_id=? AND contact_id=? ORDER BY id", m.Merged)
			ids, err := store.Collect(rows, err, func(rows *sql.Rows) (v id.ID, err error) { return v, rows.Scan(&v) })
			if err != nil {
				return nil, err
			}
			_, err = tx.Exec("UPDATE toy SET contact_id=? WHERE tenant_id=? AND contact_id=?", m.Survivor, m.Merged)
			return ids, err
		},
		Unmerge: func(tx *store.Tx, m contact.Merge, moved json.RawMessage) error {
			var ids []id.ID
			if err := json.Unmarshal(moved, &ids); err != nil {
				return err
			}
			for _, v := range ids {
				if _, err := tx.Exec("UPDATE toy SET contact_id=? WHERE tenant_id=? AND id=? AND contact_id=?", m.Merged, v, m.Survivor); err != nil {
					return err
				}
			}
			return nil
		}})
}

// toy gives a contact a toy, whatever it is called by now.
func (w world) toy(cid id.ID) error {
	return w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
		at, err := w.s.HoldIn(tx, cid)
		if err != nil {
			return err
		}
		_, err = tx.Exec("INSERT INTO toy (tenant_id, id, contact_id) VALUES (?,?,?)", id.New(), at)
		return err
	})
}

func (w world) count(query string, args ...any) (n int) {
	w.Helper()
	if err := w.db.Read(bg, w.tenant).QueryRow(query, args...).Scan(&n); err != nil {
		w.Fatal(err)
	}
	return n
}

func (w world) merge(ids ...id.ID) (contact.Contact, error) {
	return store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (contact.Contact, error) { return w.s.MergeIn(tx, actor, ids...) })
}

func (w world) consent(cid id.ID, c contact.Consent) (bool, error) {
	return store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (bool, error) { return w.s.ConsentIn(tx, cid, c) })
}

func (w world) note(cid id.ID, content string) (contact.Note, error) {
	return store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (contact.Note, error) {
		return w.s.AddNoteIn(tx, actor, contact.Note{Contact: cid, Content: content})
	})
}

func (w world) activity(cid id.ID) (contact.Activity, error) {
	return store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (contact.Activity, error) {
		return w.s.AddActivityIn(tx, contact.Activity{Contact: cid, Type: "call"})
	})
}
