package contact

import (
	"bytes"
	"database/sql"
	"maps"
	"slices"
	"strings"

	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/store"
)

// attribute is one entry of the index of attributes: a name with a key of its
// value.
type attribute struct{ name, key string }

const (
	anyKey    = "*"
	maxListed = 400 // entries of one contact; more are one entry that stands for all
)

// attributesOf returns the entries of a contact's attributes, sorted. Objects have
// none: what is inside them is looked for without the index.
func attributesOf(open map[string]any) []attribute {
	var out []attribute
	for _, name := range slices.Sorted(maps.Keys(open)) {
		v := open[name]
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		} else {
			out = append(out, attribute{name, anyKey})
		}
		for _, x := range list {
			for _, k := range filter.Keys(x) {
				out = append(out, attribute{name, k})
			}
			if len(out) > maxListed {
				return []attribute{{"", anyKey}}
			}
		}
	}
	slices.SortFunc(out, func(a, b attribute) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.key, b.key)
	})
	return slices.Compact(out)
}

// reattribute writes the difference between the entries that a contact had and
// those that it has.
func reattribute(tx *store.Tx, cid id.ID, old, now []attribute) error {
	if slices.Equal(old, now) {
		return nil
	}
	for _, a := range old {
		if slices.Contains(now, a) {
			continue
		}
		if _, err := tx.Exec("DELETE FROM contact_attribute WHERE tenant_id=? AND name=? AND value=? AND contact_id=?", a.name, a.key, cid); err != nil {
			return err
		}
	}
	var rows [][]any
	for _, a := range now {
		if !slices.Contains(old, a) {
			rows = append(rows, []any{a.name, a.key, cid})
		}
	}
	return putAttributes(tx, rows)
}

func putAttributes(tx *store.Tx, rows [][]any) error {
	_, err := store.InsertRows(tx, "contact_attribute (tenant_id, name, value, contact_id)", rows, "ON CONFLICT DO NOTHING")
	return err
}

// LikelyWith returns contacts among which are all whose attributes match a filter:
// those that the index finds by one of its comparisons (see filter.ParseComparisons),
// or by all of them together. more tells that the index does not help, or that it
// finds more than limit; then ids are empty. With decides about each. The work is
// bounded by limit, and by the index's entries of the names for several comparisons.
func (s *Service) LikelyWith(r store.Reader, f filter.Filter, limit int) (ids []id.ID, more bool, err error) {
	var one int
	if unlisted, err := store.Found(r.QueryRow("SELECT 1 FROM contact_unlisted WHERE tenant_id=?").Scan(&one)); err != nil || unlisted {
		return nil, true, err
	}
	list := lookups(f)
	for _, l := range list {
		ids, more, err := l.find(r, limit)
		if err != nil || !more {
			return ids, more, err
		}
	}
	if len(list) < 2 {
		return nil, true, nil
	}
	// None is rare alone, but what they have in common may be.
	text, args := list[0].text(2)
	text = "SELECT contact_id FROM (" + text + ") AS first"
	for i, l := range list[1:] {
		more, values := l.text(len(args) + 2)
		text += []string{" WHERE", " AND"}[min(i, 1)] + " contact_id IN (" + more + ")"
		args = append(args, values...)
	}
	rows, err := r.Query(text+" LIMIT "+numbered(len(args)+2, 1), append(args, 3*limit)...)
	return distinct(rows, err, limit, 3*limit)
}

// LikelyAfter returns, by id, contacts that follow one, among which are those whose
// attribute equals a value as far as to: the zero id when there are no more behind
// them. At most some times limit entries of the index are read, however many have the
// value; ok tells whether it helps.
func (s *Service) LikelyAfter(r store.Reader, name string, value any, after id.ID, limit int) (ids []id.ID, to id.ID, ok bool, err error) {
	list := lookups(filter.Filter{Op: filter.Same, Field: name, Value: value})
	if len(list) != 1 || slices.ContainsFunc(list[0].spans, func(sp filter.Span) bool { return sp.Low != sp.High }) {
		return nil, id.Zero, false, nil
	}
	var one int
	if unlisted, err := store.Found(r.QueryRow("SELECT 1 FROM contact_unlisted WHERE tenant_id=?").Scan(&one)); err != nil || unlisted {
		return nil, id.Zero, false, err
	}
	entries := []attribute{{"", anyKey}, {name, anyKey}}
	for _, sp := range list[0].spans {
		entries = append(entries, attribute{name, sp.Low})
	}
	for _, e := range entries {
		rows, err := r.Query("SELECT contact_id FROM contact_attribute WHERE tenant_id=? AND name=? AND value=? AND contact_id>? ORDER BY contact_id LIMIT ?", e.name, e.key, after.String(), limit)
		part, err := store.Collect(rows, err, scanID)
		if err != nil {
			return nil, id.Zero, false, err
		}
		if n := len(part); n == limit && (to.IsZero() || bytes.Compare(part[n-1][:], to[:]) < 0) {
			to = part[n-1]
		}
		ids = append(ids, part...)
	}
	slices.SortFunc(ids, func(a, b id.ID) int { return bytes.Compare(a[:], b[:]) })
	ids = slices.Compact(ids)
	if !to.IsZero() {
		ids = slices.DeleteFunc(ids, func(v id.ID) bool { return bytes.Compare(v[:], to[:]) > 0 })
	}
	return ids, to, true, nil
}

// lookup is what the index is asked for one attribute.
type lookup struct {
	name  string
	spans []filter.Span
}

// lookups returns what the comparisons of a filter ask of the index, those of one
// attribute together: when they are of the same kinds, a value must be in a span of
// each. An attribute whose name has a dot may lie within another one, where the
// index does not look.
func lookups(f filter.Filter) []lookup {
	list := f.Of
	if f.Op != filter.And {
		list = []filter.Filter{f}
	}
	var out []lookup
	for _, c := range list {
		spans := filter.Spans(c)
		if len(spans) == 0 || strings.Contains(c.Field, ".") {
			continue
		}
		at := slices.IndexFunc(out, func(l lookup) bool { return l.name == c.Field && alike(l.spans, spans) })
		if at < 0 {
			out = append(out, lookup{c.Field, spans})
			continue
		}
		for i := range spans {
			have := &out[at].spans[i]
			have.Low, have.High = max(have.Low, spans[i].Low), min(have.High, spans[i].High)
		}
	}
	return out
}

// alike tells that two lists of spans are of the same kinds of keys.
func alike(a, b []filter.Span) bool {
	return slices.EqualFunc(a, b, func(x, y filter.Span) bool { return x.Low[:1] == y.Low[:1] })
}

// text is the query for the contacts of a lookup, with placeholders from a number
// on. It reads the table's own key, one range for each span.
func (l lookup) text(from int) (string, []any) {
	const part = "SELECT contact_id FROM contact_attribute WHERE tenant_id=?1 AND name="
	args := []any{l.name}
	name := numbered(from, 1)
	// Arrays may satisfy each comparison by another element.
	parts := []string{part + name + " AND value='" + anyKey + "'", part + "'' AND value='" + anyKey + "'"}
	for _, sp := range l.spans {
		if sp.Low > sp.High {
			continue
		}
		at := from + len(args)
		parts = append(parts, part+name+" AND value>="+numbered(at, 1)+" AND value<="+numbered(at+1, 1))
		args = append(args, sp.Low, sp.High)
	}
	return strings.Join(parts, " UNION ALL "), args
}

func (l lookup) find(r store.Reader, limit int) ([]id.ID, bool, error) {
	text, args := l.text(2)
	// A value may have two keys within the spans.
	rows, err := r.Query(text+" LIMIT "+numbered(len(args)+2, 1), append(args, 3*limit)...)
	return distinct(rows, err, limit, 3*limit)
}

// distinct collects the ids of at most bound rows, each once; more when there may
// be others than limit.
func distinct(rows *sql.Rows, err error, limit, bound int) ([]id.ID, bool, error) {
	list, err := store.Collect(rows, err, scanID)
	if err != nil || len(list) >= bound {
		return nil, true, err
	}
	slices.SortFunc(list, func(a, b id.ID) int { return strings.Compare(string(a[:]), string(b[:])) })
	list = slices.Compact(list)
	if len(list) > limit {
		return nil, true, nil
	}
	return list, false, nil
}

// With returns those of the contacts whose attributes match, in the order given.
func (s *Service) With(r store.Reader, m *filter.Matcher, ids []id.ID) ([]id.ID, error) {
	has := map[id.ID]bool{}
	for part := range slices.Chunk(ids, batch) {
		in, args := Among(part)
		rows, err := r.Query("SELECT id, attributes FROM contact WHERE tenant_id=? AND erased_at IS NULL AND id IN "+in, args...)
		_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
			var cid id.ID
			open := map[string]any{}
			if err = rows.Scan(&cid, store.JSON(&open)); err == nil {
				has[cid] = m.Match(open)
			}
			return
		})
		if err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(slices.Clone(ids), func(cid id.ID) bool { return !has[cid] }), nil
}

// AttributeNames returns names of attributes that contacts of the tenant have, in
// order and at most limit of them, by one look into the index for each.
func (s *Service) AttributeNames(r store.Reader, limit int) ([]string, error) {
	var out []string
	last := ""
	for len(out) < limit {
		found, err := store.Found(r.QueryRow("SELECT name FROM contact_attribute WHERE tenant_id=? AND name>? ORDER BY name LIMIT 1", last).Scan(&last))
		if err != nil || !found {
			return out, err
		}
		out = append(out, last)
	}
	return out, nil
}
