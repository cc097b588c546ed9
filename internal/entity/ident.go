package entity

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"parley/internal/filter"
	"parley/internal/id"
)

// zone is that of times that a filter writes without one.
var zone = time.UTC

// isoMillis is how moments are shown, and what filter.Time presumes.
const isoMillis = "2006-01-02T15:04:05.000Z"

func moment(ms int64) string { return time.UnixMilli(ms).UTC().Format(isoMillis) }

// stored is a filter as SQL can ask it: where it compares an id with UUIDs, it
// compares what is stored with the same ids; where it compares a number with a whole
// one, it asks a condition, which is put into made. SQL leaves other conditions on
// ids and numbers to the match.
func (t *table) stored(f filter.Filter, made map[string]filter.Source) filter.Filter {
	if len(f.Of) > 0 && f.Field == "" {
		of := make([]filter.Filter, len(f.Of))
		for i := range f.Of {
			of[i] = t.stored(f.Of[i], made)
		}
		f.Of = of
		return f
	}
	if base, _, below := strings.Cut(f.Field, "."); below && t.made[base] {
		f.Field = base // what is inside is not stored: SQL leaves the field to the match
		return f
	}
	if column, ok := t.reals[f.Field]; ok {
		return numeric(f, column, made)
	}
	if _, ok := t.columns.Fields[hidden+f.Field]; !ok {
		return f
	}
	switch f.Op {
	case filter.Exists, filter.Filled, filter.Present, filter.Absent:
		f.Field = hidden + f.Field
		return f
	}
	values, ok := constants(f)
	if !ok {
		return f
	}
	var ids []any
	for _, v := range values {
		s, ok := v.(string)
		if !ok {
			return f
		}
		if v, ok, err := id.FromUUID(s); err == nil && ok && !v.IsZero() && v.UUID() == s {
			ids = append(ids, v.String())
		}
	}
	out := filter.Filter{Op: filter.In, Field: hidden + f.Field, List: ids}
	if len(ids) == 0 {
		out = filter.Filter{Op: filter.Or} // nothing
	}
	if negative(f.Op) {
		return filter.Filter{Op: filter.Not, Of: []filter.Filter{out}}
	}
	return out
}

// constants returns what a condition on one value compares with, when it asks
// whether the value is one of them, or none, byte for byte.
func constants(f filter.Filter) ([]any, bool) {
	switch f.Op {
	case filter.Eq, filter.Ne, filter.Equal:
		return []any{f.Value}, true
	case filter.In, filter.Nin, filter.AnyOf:
		return f.List, true
	}
	return nil, false
}

func negative(op filter.Op) bool { return slices.Contains([]filter.Op{filter.Ne, filter.Nin}, op) }

// signs are the conditions on a number that SQL decides.
var signs = map[filter.Op]string{filter.Over: ">", filter.From: ">=", filter.Under: "<", filter.UpTo: "<=", filter.Equal: "=",
	filter.Gt: ">", filter.Gte: ">=", filter.Lt: "<", filter.Lte: "<=", filter.Eq: "="}

// written are those for which a text that writes a number is that number.
var written = []filter.Op{filter.Over, filter.From, filter.Under, filter.UpTo, filter.Equal}

// numeric is a condition on a number in a column of fractions. Only whole constants
// are compared in SQL: both databases read them alike.
func numeric(f filter.Filter, column string, made map[string]filter.Source) filter.Filter {
	condition := ""
	switch sign, ok := signs[f.Op]; {
	case f.Op == filter.Filled, f.Op == filter.Present, f.Op == filter.Exists && f.Value == true:
		condition = column + " IS NOT NULL"
	case ok:
		n, whole := f.Value.(int64)
		if s, isText := f.Value.(string); isText && slices.Contains(written, f.Op) {
			v, err := strconv.ParseInt(s, 10, 64)
			n, whole = v, err == nil && strconv.FormatInt(v, 10) == s
		}
		if !whole || n > 1<<53 || n < -1<<53 {
			return f
		}
		condition = column + sign + strconv.FormatInt(n, 10)
	default:
		return f
	}
	name := hidden + condition
	made[name] = filter.Source{Kind: filter.Bool, SQL: "(" + condition + ")"}
	return filter.Filter{Op: filter.Eq, Field: name, Value: true}
}
