package entity

import (
	"database/sql"
	"maps"
	"slices"

	"parley/internal/contact"
	"parley/internal/id"
	"parley/internal/store"
)

// batch bounds the ids of one query.
const batch = 512

// Documents returns entities by the ids given. The id of a merged contact leads to
// the survivor, whose document has an _id of its own. Unknown, erased and deleted
// ones are left out. It takes a constant number of queries by key for up to 512.
func (s *Service) Documents(r store.Reader, schema string, ids []id.ID) (map[id.ID]Doc, error) {
	if len(ids) == 0 {
		return map[id.ID]Doc{}, nil
	}
	if schema == Contact {
		return s.persons(r, ids)
	}
	if src, ok := s.sources[schema]; ok {
		return src.Documents(r, ids)
	}
	out := make(map[id.ID]Doc, len(ids))
	for part := range slices.Chunk(ids, batch) {
		if err := records.load(r, part, schema, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// persons are documents of contacts.
func (s *Service) persons(r store.Reader, ids []id.ID) (map[id.ID]Doc, error) {
	out := make(map[id.ID]Doc, len(ids))
	load := func(ids []id.ID) error {
		for part := range slices.Chunk(ids, batch) {
			if err := people.load(r, part, "", out); err != nil {
				return err
			}
		}
		return nil
	}
	if err := load(ids); err != nil {
		return nil, err
	}
	var missing []id.ID
	for _, cid := range ids {
		if out[cid] == nil {
			missing = append(missing, cid)
		}
	}
	if len(missing) == 0 {
		return out, nil
	}
	leads, err := s.contacts.ResolveMany(r, missing)
	if err != nil || len(leads) == 0 {
		return out, err
	}
	var again []id.ID
	for _, to := range leads {
		if out[to] == nil && !slices.Contains(again, to) {
			again = append(again, to)
		}
	}
	if err := load(again); err != nil {
		return nil, err
	}
	found := maps.Clone(out)
	clear(out)
	for _, cid := range ids {
		at := cid
		if to, ok := leads[cid]; ok {
			at = to
		}
		if d := found[at]; d != nil {
			out[cid] = d
		}
	}
	return out, nil
}

// load reads the documents of up to 512 ids, of a schema if the table holds several.
func (t *table) load(r store.Reader, ids []id.ID, schema string, out map[id.ID]Doc) error {
	if len(ids) == 0 {
		return nil
	}
	in, args := contact.Among(ids)
	query, values := "SELECT "+t.name+".id, "+t.owner+", "+t.selects+" FROM "+t.all+" WHERE "+t.name+".tenant_id=? AND "+t.live+" AND "+t.name+".id IN "+in, args
	if t.scope != "" {
		query, values = query+" AND "+t.scope, append(slices.Clone(args), schema)
	}
	rows, err := r.Query(query, values...)
	n := 0
	_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
		var v, owner id.ID
		doc, err := t.scan(rows, &v, &owner)
		if err == nil {
			system(doc, r.Tenant(), owner)
			out[v] = doc
			n++
		}
		return
	})
	if err != nil || n == 0 || t.lists == nil {
		return err
	}
	return t.lists(r, in, args, out)
}

// personal reads the lists of contacts: tags, and identities with the primary ones
// first.
func personal(r store.Reader, in string, args []any, out map[id.ID]Doc) error {
	rows, err := r.Query("SELECT contact_id, kind, value FROM identity WHERE tenant_id=? AND contact_id IN "+in+" AND kind IN ('phone','email') ORDER BY contact_id, is_primary DESC, value", args...)
	_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
		var cid id.ID
		var kind, value string
		if err = rows.Scan(&cid, &kind, &value); err == nil {
			name := "emails"
			if kind == contact.Phone {
				name, value = "phones", "+"+value
			}
			push(out[cid], name, value)
		}
		return
	})
	if err != nil {
		return err
	}
	rows, err = r.Query("SELECT contact_id, tag FROM contact_tag WHERE tenant_id=? AND contact_id IN "+in+" ORDER BY contact_id, tag", args...)
	_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
		var cid id.ID
		var tag string
		if err = rows.Scan(&cid, &tag); err == nil {
			push(out[cid], "_tags", tag)
		}
		return
	})
	return err
}

func push(doc Doc, name, value string) {
	if doc != nil {
		list, _ := doc[name].([]any)
		doc[name] = append(list, value)
	}
}
