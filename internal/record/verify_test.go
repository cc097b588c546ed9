package record_test

import (
	"slices"
	"testing"

	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/verify"
)

// Each way in which what lies beside a record can differ from it has its name.
func TestVerifySeesBrokenRecords(t *testing.T) {
	for _, c := range []struct{ invariant, sql string }{
		{"record-child", "UPDATE record_tag SET record_id='nowhere'"},
		{"record-child", "UPDATE record_relation SET record_id='nowhere'"},
		{"record-child", "UPDATE record_attribute SET schema='another' WHERE name='name'"},
		{"record-child", "UPDATE record SET deleted_at=1"},
		{"record-event", "DELETE FROM event WHERE type='record.created'"},
		{"record-event", "UPDATE record SET tenant_id='nobody'"},
		{"record-index", "DELETE FROM record_attribute WHERE name='name'"},
		{"record-index", "DELETE FROM record_attribute WHERE name='_tags'"},
		{"record-index", "UPDATE record_attribute SET value='tother' WHERE name='at.city'"},
		{"record-index", "INSERT INTO record_attribute (tenant_id, schema, name, value, record_id) SELECT tenant_id, schema, 'more', 'tmore', id FROM record"},
		{"record-index", "UPDATE record SET attributes='{}'"},
		{"record-index", "DELETE FROM record_relation"},
		{"record-index", "DELETE FROM record_tag"},
	} {
		each(t, func(t *testing.T, w world) {
			w.create("contract", map[string]any{"name": "a", "at": map[string]any{"city": "Pune"}, "of": refers(id.New())}, "t")
			if rep, err := verify.Run(bg, w.db); err != nil || !rep.OK {
				t.Fatal(err, rep.Breaks)
			}
			if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error { _, err := tx.System().Exec(c.sql); return err }); err != nil {
				t.Fatal(err)
			}
			rep, err := verify.Run(bg, w.db)
			if err != nil || !slices.Contains(rep.Broken, c.invariant) {
				t.Errorf("%s: %v %v", c.sql, err, rep.Broken)
			}
		})
	}
}
