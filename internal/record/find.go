package record

import (
	"database/sql"
	"slices"
	"strconv"
	"strings"

	"parley/internal/contact"
	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/store"
)

// places writes n numbered placeholders.
func places(from, n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = "?" + strconv.Itoa(from+i)
	}
	return strings.Join(list, ",")
}

// Schemas returns the schemas of living records by their ids; others are left out.
func (s *Service) Schemas(r store.Reader, ids []id.ID) (map[id.ID]string, error) {
	out := make(map[id.ID]string, len(ids))
	for part := range slices.Chunk(ids, batch) {
		in, args := contact.Among(part)
		rows, err := r.Query("SELECT id, schema FROM record WHERE tenant_id=? AND deleted_at IS NULL AND id IN "+in, args...)
		_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
			var v id.ID
			var name string
			if err = rows.Scan(&v, &name); err == nil {
				out[v] = name
			}
			return
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// SchemaNames returns the schemas of which there are living records, in order and
// at most limit of them, by one look into an index for each.
func (s *Service) SchemaNames(r store.Reader, limit int) ([]string, error) {
	var out []string
	last := ""
	for len(out) < limit {
		found, err := store.Found(r.QueryRow("SELECT schema FROM record WHERE tenant_id=? AND deleted_at IS NULL AND schema>? ORDER BY schema LIMIT 1", last).Scan(&last))
		if err != nil || !found {
			return out, err
		}
		out = append(out, last)
	}
	return out, nil
}

// LikelyWith returns living records of a schema among which are all whose documents
// match a filter: those that the index finds by one of its comparisons. more tells
// that the index does not help, or that it finds more than limit; then ids are
// empty. The match in memory decides about each.
func (s *Service) LikelyWith(r store.Reader, schema string, f filter.Filter, limit int) (ids []id.ID, more bool, err error) {
	list := f.Of
	if f.Op != filter.And {
		list = []filter.Filter{f}
	}
	for _, c := range list {
		if !listed(c.Field) {
			continue
		}
		spans := filter.Spans(c)
		if len(spans) == 0 {
			continue
		}
		ids, more, err := s.spanning(r, schema, c.Field, spans, limit)
		if err != nil || !more {
			return ids, more, err
		}
	}
	return nil, true, nil
}

// listed tells whether the index holds the values of a field: those of the columns
// are not in it, and a number in a path may lead into an array.
func listed(field string) bool {
	if field == "" || strings.HasPrefix(field, "_") && field != "_tags" {
		return false
	}
	for part := range strings.SplitSeq(field, ".") {
		if _, err := strconv.Atoi(part); err == nil {
			return false
		}
	}
	return true
}

func (s *Service) spanning(r store.Reader, schema, name string, spans []filter.Span, limit int) ([]id.ID, bool, error) {
	const part = "SELECT record_id FROM record_attribute WHERE tenant_id=?1 AND schema=?2 AND name="
	args := []any{schema, name}
	parts := []string{part + "'' AND value='" + AnyKey + "'"}
	for _, sp := range spans {
		if sp.Low > sp.High {
			continue
		}
		at := len(args) + 2
		parts = append(parts, part+"?3 AND value>="+places(at, 1)+" AND value<="+places(at+1, 1))
		args = append(args, sp.Low, sp.High)
	}
	bound := 3 * limit // a value may have several keys within the spans
	rows, err := r.Query(strings.Join(parts, " UNION ALL ")+" LIMIT "+places(len(args)+2, 1), append(args, bound)...)
	list, err := store.Collect(rows, err, scanID)
	if err != nil || len(list) >= bound {
		return nil, true, err
	}
	slices.SortFunc(list, compare)
	list = slices.Compact(list)
	if len(list) > limit {
		return nil, true, nil
	}
	return list, false, nil
}
