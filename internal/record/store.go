package record

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/store"
)

// Columns are those of the table record that Scan reads, in its order; each is
// preceded by "record.".
const Columns = "record.id, record.schema, record.title, record.attributes, record.owner_id, record.created_by, record.created_at, record.updated_at, record.deleted_at"

// Scan reads a row of Columns; the tags are left to Tagged.
func Scan(rows *sql.Rows) (Record, error) {
	rec := Record{Tags: []string{}}
	err := rows.Scan(&rec.ID, &rec.Schema, &rec.Title, document{&rec.Attributes}, &rec.Owner, &rec.CreatedBy,
		store.Time(&rec.CreatedAt), store.Time(&rec.UpdatedAt), store.Time(&rec.DeletedAt))
	return rec, err
}

// document scans attributes in canonical form: store.JSON would read every number
// as a float64.
type document struct{ to *map[string]any }

// Scan implements sql.Scanner.
func (d document) Scan(src any) error {
	var b []byte
	switch s := src.(type) {
	case string:
		b = []byte(s)
	case []byte:
		b = s
	default:
		return fmt.Errorf("record: cannot scan %T as attributes", src)
	}
	v, err := filter.Decode(b)
	if err != nil {
		return err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("record: attributes are %T", v)
	}
	*d.to = m
	return nil
}

// batch bounds the ids of one query.
const batch = 512

// Get returns a record that is not deleted. NotFound naming "record".
func (s *Service) Get(r store.Reader, rid id.ID) (Record, error) {
	m, err := s.GetMany(r, []id.ID{rid})
	if err != nil {
		return Record{}, err
	}
	rec, ok := m[rid]
	if !ok {
		return Record{}, fault.Unknown("record")
	}
	return rec, nil
}

// GetMany returns the records of the given ids, by two queries for up to 512;
// unknown and deleted ones are left out.
func (s *Service) GetMany(r store.Reader, ids []id.ID) (map[id.ID]Record, error) {
	out := make(map[id.ID]Record, len(ids))
	for part := range slices.Chunk(ids, batch) {
		in, args := contact.Among(part)
		rows, err := r.Query("SELECT "+Columns+" FROM record WHERE tenant_id=? AND deleted_at IS NULL AND id IN "+in, args...)
		list, err := store.Collect(rows, err, Scan)
		if err != nil {
			return nil, err
		}
		if err := Tagged(r, list); err != nil {
			return nil, err
		}
		for _, rec := range list {
			out[rec.ID] = rec
		}
	}
	return out, nil
}

// Tagged gives records that were scanned their tags, by one query for up to 512.
func Tagged(r store.Reader, list []Record) error {
	at := make(map[id.ID]*Record, len(list))
	ids := make([]id.ID, len(list))
	for i := range list {
		at[list[i].ID], ids[i] = &list[i], list[i].ID
	}
	for part := range slices.Chunk(ids, batch) {
		in, args := contact.Among(part)
		rows, err := r.Query("SELECT record_id, tag FROM record_tag WHERE tenant_id=? AND record_id IN "+in+" ORDER BY record_id, tag", args...)
		_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
			var rid id.ID
			var tag string
			if err = rows.Scan(&rid, &tag); err == nil && at[rid] != nil {
				at[rid].Tags = append(at[rid].Tags, tag)
			}
			return
		})
		if err != nil {
			return err
		}
	}
	for i := range list {
		slices.Sort(list[i].Tags) // by byte, whatever the database's collation
	}
	return nil
}

// locked takes the lock of a record and reads it, a deleted one too. NotFound.
func (s *Service) locked(tx *store.Tx, rid id.ID) (Record, error) {
	rows, err := tx.Query("SELECT "+Columns+" FROM record WHERE tenant_id=? AND id=?"+tx.Dialect().ForUpdate(), rid)
	list, err := store.Collect(rows, err, Scan)
	if err != nil {
		return Record{}, err
	}
	if len(list) == 0 {
		return Record{}, fault.Unknown("record")
	}
	err = Tagged(tx, list)
	return list[0], err
}

// insert writes a new record with all that belongs to it.
func insert(tx *store.Tx, rec Record) error {
	if _, err := tx.Exec("INSERT INTO record (tenant_id, id, schema, title, search_title, attributes, owner_id, created_by, created_at, updated_at) VALUES (?,?,?,?,?,?,?,?,?,?)",
		rec.ID, rec.Schema, rec.Title, contact.Fold(rec.Title), store.JSON(rec.Attributes), rec.Owner, rec.CreatedBy, rec.CreatedAt, rec.UpdatedAt); err != nil {
		return err
	}
	return around(tx, Record{ID: rec.ID, Schema: rec.Schema}, rec)
}

// update writes a record over what it was.
func update(tx *store.Tx, old, rec Record) error {
	if _, err := tx.Exec("UPDATE record SET title=?, search_title=?, attributes=?, updated_at=?, deleted_at=? WHERE tenant_id=? AND id=?",
		rec.Title, contact.Fold(rec.Title), store.JSON(rec.Attributes), rec.UpdatedAt, rec.DeletedAt, rec.ID); err != nil {
		return err
	}
	return around(tx, old, rec)
}

// drop takes a record away with all that belongs to it.
func drop(tx *store.Tx, rec Record) error {
	if err := around(tx, rec, Record{ID: rec.ID, Schema: rec.Schema, Attributes: map[string]any{}}); err != nil {
		return err
	}
	_, err := tx.Exec("DELETE FROM record WHERE tenant_id=? AND id=?", rec.ID)
	return err
}

// around writes the differences in what lies beside a record's own row: tags,
// entries of the index, relations.
func around(tx *store.Tx, old, rec Record) error {
	gone, fresh := difference(old.Tags, rec.Tags)
	for _, t := range gone {
		if _, err := tx.Exec("DELETE FROM record_tag WHERE tenant_id=? AND record_id=? AND tag=?", rec.ID, t); err != nil {
			return err
		}
	}
	rows := make([][]any, 0, len(fresh))
	for _, t := range fresh {
		rows = append(rows, []any{rec.ID, t})
	}
	if _, err := store.InsertRows(tx, "record_tag (tenant_id, record_id, tag)", rows, "ON CONFLICT DO NOTHING"); err != nil {
		return err
	}
	if err := reindex(tx, rec.Schema, rec.ID, old.entries(), rec.entries()); err != nil {
		return err
	}
	before, after := difference(ids(Relations(old.Attributes)), ids(Relations(rec.Attributes)))
	for _, v := range before {
		if _, err := tx.Exec("DELETE FROM record_relation WHERE tenant_id=? AND entity_id=? AND record_id=?", v, rec.ID); err != nil {
			return err
		}
	}
	rows = rows[:0]
	for _, v := range after {
		rows = append(rows, []any{v, rec.ID})
	}
	_, err := store.InsertRows(tx, "record_relation (tenant_id, entity_id, record_id)", rows, "ON CONFLICT DO NOTHING")
	return err
}

// difference returns what only the first list holds, and what only the second.
func difference[T comparable](old, now []T) (gone, fresh []T) {
	had, has := make(map[T]bool, len(old)), make(map[T]bool, len(now))
	for _, v := range old {
		had[v] = true
	}
	for _, v := range now {
		has[v] = true
		if !had[v] {
			fresh = append(fresh, v)
		}
	}
	for _, v := range old {
		if !has[v] {
			gone = append(gone, v)
		}
	}
	return gone, fresh
}

// ids are the entities that relations lead to, each once.
func ids(list []Relation) []id.ID {
	var out []id.ID
	seen := map[id.ID]bool{}
	for _, r := range list {
		if !seen[r.Entity] {
			seen[r.Entity] = true
			out = append(out, r.Entity)
		}
	}
	return out
}

// encoded is a value as it is stored, to compare and to measure.
func encoded(v any) string {
	b, _ := json.Marshal(v) // decoded from JSON
	return strings.TrimSpace(string(b))
}
