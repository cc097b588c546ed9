package entity

import (
	"database/sql"

	"parley/internal/id"
	"parley/internal/store"
)

// records are documents without a declared shape (targeting reference §5.2): every
// attribute stands at the top.
var records = (table{
	name:   "record",
	live:   "record.deleted_at IS NULL",
	scope:  "record.schema=?",
	title:  "record.title",
	owner:  "record.owner_id",
	lists:  tagged,
	orders: map[string]string{"_created_at": "record.created_at", "_updated_at": "record.updated_at"},
	fields: []field{
		{name: "_id", kind: ident, sql: "record.id"},
		{name: "_schema", kind: text, sql: "record.schema"},
		{name: "_title", kind: text, sql: "record.title"},
		{name: "_created_at", kind: at, sql: "record.created_at"},
		{name: "_updated_at", kind: at, sql: "record.updated_at"},
		{name: "_tags", kind: list, sql: "t.tag", from: "record_tag t WHERE t.tenant_id=record.tenant_id AND t.record_id=record.id"},
		{name: "_org", kind: fixed},
		{name: "_owners", kind: fixed},
		{name: "_acl", kind: fixed},
		{name: "", kind: open, sql: "record.attributes"},
	},
}).ready()

// tagged reads the tags of records.
func tagged(r store.Reader, in string, args []any, out map[id.ID]Doc) error {
	rows, err := r.Query("SELECT record_id, tag FROM record_tag WHERE tenant_id=? AND record_id IN "+in+" ORDER BY record_id, tag", args...)
	_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
		var rid id.ID
		var tag string
		if err = rows.Scan(&rid, &tag); err == nil {
			push(out[rid], "_tags", tag)
		}
		return
	})
	return err
}
