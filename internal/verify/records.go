package verify

import (
	"database/sql"
	"hash/fnv"
	"slices"

	"parley/internal/filter"
	"parley/internal/record"
	"parley/internal/store"
)

// place is a record of a tenant.
type place struct{ tenant, id string }

// entry is what one row beside a record says: an entry of the index, or whom the
// record refers to.
type entry struct{ kind, schema, name, key string }

// mark is a number by which a set of entries is told from another one.
func (e entry) mark() uint64 {
	h := fnv.New64a()
	for _, s := range []string{e.kind, e.schema, e.name, e.key} {
		_, _ = h.Write([]byte(s))
		_, _ = h.Write([]byte{0})
	}
	return h.Sum64()
}

// pageOf is how many rows are read at once.
const pageOf = 1000

// recordIndex looks for records whose places in the index or among the relations
// are not what their attributes say: SQL cannot make the keys. It reads both sides
// once and compares sums; what differs then, perhaps because it changed meanwhile,
// is looked at again in one statement.
func recordIndex(all store.Raw, limit int) ([]Break, error) {
	sums := map[place]uint64{}
	type row struct {
		place
		schema, attributes string
		deleted            int
	}
	last := place{}
	for {
		rows, err := all.Query(`SELECT tenant_id, id, schema, CAST(attributes AS TEXT), CASE WHEN deleted_at IS NULL THEN 0 ELSE 1 END FROM record
			WHERE (tenant_id, id) > (?,?) ORDER BY tenant_id, id LIMIT ?`, last.tenant, last.id, pageOf)
		list, err := store.Collect(rows, err, func(rows *sql.Rows) (x row, err error) {
			return x, rows.Scan(&x.tenant, &x.id, &x.schema, &x.attributes, &x.deleted)
		})
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			break
		}
		before := last
		last = list[len(list)-1].place
		tags := map[place][]string{}
		rows, err = all.Query("SELECT tenant_id, record_id, tag FROM record_tag WHERE (tenant_id, record_id) > (?,?) AND (tenant_id, record_id) <= (?,?)",
			before.tenant, before.id, last.tenant, last.id)
		if _, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
			var p place
			var tag string
			if err = rows.Scan(&p.tenant, &p.id, &tag); err == nil {
				tags[p] = append(tags[p], tag)
			}
			return
		}); err != nil {
			return nil, err
		}
		for _, x := range list {
			for _, e := range expected(x.schema, x.attributes, tags[x.place], x.deleted == 0) {
				sums[x.place] += e.mark()
			}
		}
	}
	for _, t := range []string{
		"SELECT tenant_id, record_id, 'a' AS kind, schema, name, value FROM record_attribute",
		"SELECT tenant_id, record_id, 'r' AS kind, '' AS schema, '' AS name, entity_id AS value FROM record_relation",
	} {
		rows, err := all.Query(t)
		if _, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
			var p place
			var e entry
			if err = rows.Scan(&p.tenant, &p.id, &e.kind, &e.schema, &e.name, &e.key); err == nil {
				sums[p] -= e.mark()
			}
			return
		}); err != nil {
			return nil, err
		}
	}
	var out []Break
	for p, sum := range sums {
		if sum == 0 {
			continue
		}
		broken, err := recordBreak(all, p)
		if err != nil {
			return nil, err
		}
		if broken != "" {
			out = append(out, Break{Tenant: p.tenant, Row: p.id, Detail: broken})
		}
		if len(out) == limit {
			break
		}
	}
	return out, nil
}

// expected are the rows that belong beside a record.
func expected(schema, attributes string, tags []string, living bool) []entry {
	v, err := filter.Decode([]byte(attributes))
	if err != nil {
		return []entry{{kind: "unreadable"}}
	}
	m, _ := v.(map[string]any)
	var out []entry
	if living {
		for _, e := range record.Entries(m, tags) {
			out = append(out, entry{"a", schema, e.Name, e.Key})
		}
	}
	for _, r := range record.Relations(m) {
		if e := (entry{kind: "r", key: r.Entity.String()}); !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	return out
}

// recordBreak reads a record with all that lies beside it, as it is at one moment,
// and says what is wrong; "" when nothing is.
func recordBreak(all store.Raw, p place) (string, error) {
	rows, err := all.Query(`SELECT 'record' AS kind, schema AS a, CAST(attributes AS TEXT) AS b, CASE WHEN deleted_at IS NULL THEN '' ELSE 'deleted' END AS c FROM record WHERE tenant_id=?1 AND id=?2
		UNION ALL SELECT 'tag', tag, '', '' FROM record_tag WHERE tenant_id=?1 AND record_id=?2
		UNION ALL SELECT 'a', schema, name, value FROM record_attribute WHERE tenant_id=?1 AND record_id=?2
		UNION ALL SELECT 'r', '', '', entity_id FROM record_relation WHERE tenant_id=?1 AND record_id=?2`, p.tenant, p.id)
	list, err := store.Collect(rows, err, func(rows *sql.Rows) (e entry, err error) {
		return e, rows.Scan(&e.kind, &e.schema, &e.name, &e.key)
	})
	if err != nil {
		return "", err
	}
	var tags []string
	var rec *entry
	has := map[entry]bool{}
	for i, e := range list {
		switch e.kind {
		case "record":
			rec = &list[i]
		case "tag":
			tags = append(tags, e.schema)
		default:
			has[e] = true
		}
	}
	if rec == nil {
		if len(has) > 0 {
			return "no such record", nil
		}
		return "", nil
	}
	for _, e := range expected(rec.schema, rec.name, tags, rec.key == "") {
		if !has[e] {
			return "is not found by " + e.name + e.key, nil
		}
		delete(has, e)
	}
	for e := range has {
		return "is found by " + e.name + " " + e.key, nil
	}
	return "", nil
}
