package record

import (
	"maps"
	"slices"
	"strings"

	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/store"
)

// Entry is one entry of the index: the dotted path of a value with a key of it.
type Entry struct{ Name, Key string }

const (
	// AnyKey is the key of what may hold any value: an array, and what lies within
	// the objects of one, where each comparison may be satisfied by another element.
	AnyKey    = "*"
	maxListed = 400 // entries of one record; more are one entry that stands for all
	maxPath   = 250 // bytes of a path in the index
)

// Entries returns the entries of a living record, sorted: every scalar of its
// attributes by its path, whatever arrays it lies in, and its tags under _tags. A
// record with too many, or with a path that is too long, has the one entry
// {"", AnyKey}, by which every filter looks at it.
func Entries(attributes map[string]any, tags []string) []Entry {
	l := lister{}
	l.tags(tags)
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		l.put(name, attributes[name], false)
	}
	if l.over {
		return []Entry{{"", AnyKey}}
	}
	slices.SortFunc(l.list, compareEntries)
	return slices.Compact(l.list)
}

func compareEntries(a, b Entry) int {
	if c := strings.Compare(a.Name, b.Name); c != 0 {
		return c
	}
	return strings.Compare(a.Key, b.Key)
}

type lister struct {
	list []Entry
	over bool
}

func (l *lister) tags(tags []string) {
	if len(tags) == 0 {
		return
	}
	l.add("_tags", AnyKey)
	for _, t := range tags {
		l.scalar("_tags", t)
	}
}

func (l *lister) add(name, key string) {
	if len(name) > maxPath || len(l.list) >= 2*maxListed { // twice: some are the same
		l.over = true
	}
	if !l.over {
		l.list = append(l.list, Entry{name, key})
		if len(l.list) > maxListed {
			slices.SortFunc(l.list, compareEntries)
			l.list = slices.Compact(l.list)
			l.over = len(l.list) > maxListed
		}
	}
}

func (l *lister) scalar(name string, v any) {
	for _, k := range filter.Keys(v) {
		l.add(name, k)
	}
}

// put lists a value; within tells that it lies in an array.
func (l *lister) put(name string, v any, within bool) {
	if l.over {
		return
	}
	switch t := v.(type) {
	case []any:
		l.add(name, AnyKey)
		for _, x := range t {
			if l.over {
				return
			}
			l.put(name, x, true)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(t)) {
			l.put(name+"."+k, t[k], within)
		}
	default:
		keys := filter.Keys(v)
		if within && len(keys) > 0 {
			l.add(name, AnyKey)
		}
		for _, k := range keys {
			l.add(name, k)
		}
	}
}

// entries are those that the record has in the index now.
func (rec Record) entries() []Entry {
	if !rec.DeletedAt.IsZero() {
		return nil
	}
	return Entries(rec.Attributes, rec.Tags)
}

// reindex writes the difference between the entries that a record had and those
// that it has.
func reindex(tx *store.Tx, schema string, rid id.ID, old, now []Entry) error {
	gone, fresh := difference(old, now)
	for _, e := range gone {
		if _, err := tx.Exec("DELETE FROM record_attribute WHERE tenant_id=? AND schema=? AND name=? AND value=? AND record_id=?", schema, e.Name, e.Key, rid); err != nil {
			return err
		}
	}
	rows := make([][]any, len(fresh))
	for i, e := range fresh {
		rows[i] = []any{schema, e.Name, e.Key, rid}
	}
	_, err := store.InsertRows(tx, "record_attribute (tenant_id, schema, name, value, record_id)", rows, "ON CONFLICT DO NOTHING")
	return err
}
