package filter

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// ParseSearch reads the search DSL of the entity API (targeting reference §5.2): a
// list of filters of one key each, all of which must hold. at is its place, for
// faults, such as filter[0].range.score.gt.
func ParseSearch(list []any, at string) (Filter, error) {
	all, err := searchList(list, at, 1)
	if err != nil {
		return Filter{}, err
	}
	f := conjunction(all)
	if err := f.Validate(); err != nil { // each alone was right: together they are too much
		return Filter{}, placed(err, at)
	}
	return f, nil
}

func searchList(v any, at string, depth int) ([]Filter, error) {
	list, ok := plainly(v).([]any)
	switch {
	case !ok:
		return nil, bad(at, "%s must be an array of search filters", at)
	case depth >= MaxDepth:
		return nil, tooDeep(at)
	case len(list) > MaxNodes:
		return nil, misplaced(at, "a filter must not have more than %d parts", MaxNodes)
	}
	var out []Filter
	for i, x := range list {
		f, err := searchElement(x, fmt.Sprintf("%s[%d]", at, i), depth)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

const searchKeys = "term, terms, ids, range, exists, $and, $or or $not"

func searchElement(x any, at string, depth int) (f Filter, err error) {
	m, ok := plainly(x).(map[string]any)
	if !ok || len(m) != 1 {
		return f, bad(at, "%s must be an object with exactly one of %s", at, searchKeys)
	}
	for key, v := range m {
		place := join(at, key)
		switch key {
		case "$and", "$or", "$not":
			f.Op = map[string]Op{"$and": And, "$or": Or, "$not": Nor}[key]
			f.Of, err = searchList(v, place, depth+1)
			return f, err
		case "term", "terms":
			return searchTerm(v, place)
		case "ids":
			return searchIDs(v, place)
		case "range":
			return searchRange(v, place)
		case "exists":
			return searchExists(v, place)
		}
		return f, misplaced(place, "there is no search filter %q; use %s", clip(key), searchKeys)
	}
	return f, nil
}

// single returns the only member of an object.
func single(v any, at string) (string, any, error) {
	m, ok := plainly(v).(map[string]any)
	if !ok || len(m) != 1 {
		return "", nil, bad(at, "%s must be an object with exactly one attribute", at)
	}
	for key, x := range m {
		name, err := fieldName(key, at)
		return name, x, err
	}
	return "", nil, nil
}

// searchTerm reads {field: value} and {field: [values]}. null is what has no value.
func searchTerm(v any, at string) (Filter, error) {
	name, x, err := single(v, at)
	if err != nil {
		return Filter{}, err
	}
	at = join(at, name)
	list, several := plainly(x).([]any)
	if !several {
		list = []any{x}
	}
	var (
		equals []Filter
		null   bool
	)
	for i, x := range list {
		place := at
		if several {
			place = fmt.Sprintf("%s[%d]", at, i)
		}
		if x == nil {
			null = true
			continue
		}
		c, err := plainConstant(x, place)
		if err != nil {
			return Filter{}, err
		}
		equals = append(equals, Filter{Op: Equal, Field: name, Value: c})
	}
	none := Filter{Op: Not, Of: []Filter{{Op: Filled, Field: name}}}
	switch {
	case null && equals == nil:
		return none, nil
	case null:
		return Filter{Op: Or, Of: []Filter{none, anyOf(name, equals)}}, nil
	case len(equals) == 1:
		return equals[0], nil
	}
	return anyOf(name, equals), nil
}

func searchIDs(v any, at string) (Filter, error) {
	m, ok := plainly(v).(map[string]any)
	list, isList := plainly(m["values"]).([]any)
	if !ok || !isList || len(m) != 1 {
		return Filter{}, bad(at, `%s must be {"values": [ids]}`, at)
	}
	f := Filter{Op: AnyOf, Field: "_id"}
	for i, x := range list {
		s, ok := x.(string)
		if !ok {
			return f, misplaced(fmt.Sprintf("%s.values[%d]", at, i), "an id must be a text")
		}
		f.List = append(f.List, s)
	}
	return f, nil
}

func searchExists(v any, at string) (Filter, error) {
	m, ok := plainly(v).(map[string]any)
	if !ok || len(m) != 1 || m["field"] == nil {
		return Filter{}, bad(at, `%s must be {"field": "name of an attribute"}`, at)
	}
	name, err := fieldName(m["field"], at+".field")
	return Filter{Op: Filled, Field: name}, err
}

// isoFormats are the names of formats that mean what isoMoment reads.
var isoFormats = []string{"strict_date_optional_time", "date_optional_time", "strict_date_time", "date_time", "strict_date", "date", "yyyy-MM-dd", "iso8601", "strict_date_optional_time_nanos"}

func searchRange(v any, at string) (Filter, error) {
	name, x, err := single(v, at)
	if err != nil {
		return Filter{}, err
	}
	at = join(at, name)
	m, ok := plainly(x).(map[string]any)
	if !ok {
		return Filter{}, bad(at, "%s must be an object with gt, gte, lt or lte", at)
	}
	zone, err := rangeOptions(m, at)
	if err != nil {
		return Filter{}, err
	}
	var all []Filter
	for _, key := range slices.Sorted(maps.Keys(m)) {
		place := join(at, key)
		op, ok := map[string]Op{"gt": Over, "gte": From, "lt": Under, "lte": UpTo}[key]
		switch {
		case key == "format" || key == "time_zone" || key == "relation":
			continue
		case !ok:
			return Filter{}, misplaced(place, "there is no bound %q; use gt, gte, lt or lte", clip(key))
		case m[key] == nil: // unbounded
			continue
		}
		c, err := plainConstant(m[key], place)
		if err != nil {
			return Filter{}, err
		}
		f, err := rangeBound(Filter{Op: op, Field: name, Value: c}, zone, place)
		if err != nil {
			return Filter{}, err
		}
		all = append(all, f)
	}
	if all == nil {
		return Filter{Op: Filled, Field: name}, nil
	}
	return conjunction(all), nil
}

func rangeOptions(m map[string]any, at string) (*time.Location, error) {
	for _, key := range []string{"format", "relation", "time_zone"} {
		if _, ok := m[key].(string); !ok && m[key] != nil {
			return nil, bad(join(at, key), "%s must be a text", key)
		}
	}
	if formats, ok := m["format"].(string); ok {
		for _, one := range strings.Split(formats, "||") {
			if !slices.Contains(isoFormats, one) {
				return nil, misplaced(at+".format", "there is no format %q; write dates as 2026-01-31 or 2026-01-31T12:00:00Z", clip(one))
			}
		}
	}
	name, _ := m["time_zone"].(string)
	if name == "" {
		return time.UTC, nil
	}
	if t, err := time.Parse("-07:00", name); err == nil {
		return t.Location(), nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, misplaced(at+".time_zone", "there is no time zone %q; use +02:00 or Europe/Berlin", clip(name))
	}
	return zone, nil
}

// rangeBound reads the bound's date in a zone, when it has none of its own.
func rangeBound(f Filter, zone *time.Location, at string) (Filter, error) {
	s, ok := f.Value.(string)
	if !ok {
		return f, nil
	}
	if relative(s) {
		return f, misplaced(at, "%s", notRelative(s))
	}
	_, day, ok := isoMoment(s)
	if !ok || zone == time.UTC || !day && (strings.HasSuffix(s, "Z") || len(s) > 6 && strings.ContainsAny(s[len(s)-6:len(s)-5], "+-")) {
		return f, nil
	}
	form := "2006-01-02T15:04:05.999999999"
	if day {
		form = time.DateOnly
	}
	t, err := time.ParseInLocation(form, s, zone)
	if err != nil {
		return f, nil
	}
	if day && (f.Op == Over || f.Op == UpTo) { // behind the whole day
		t = t.AddDate(0, 0, 1)
		f.Op = map[Op]Op{Over: From, UpTo: Under}[f.Op]
	}
	f.Value = t.UTC().Format("2006-01-02T15:04:05.000Z")
	return f, nil
}

// relative reports whether a bound is a date that is told from another, such as now,
// now-7d or 2026-01-31||+1M: whoever writes one does not mean that text.
func relative(s string) bool {
	anchor, _, far := strings.Cut(s, "||")
	if _, _, date := isoMoment(anchor); far && date {
		return true
	}
	sum, ok := strings.CutPrefix(s, "now")
	return ok && (sum == "" || strings.ContainsAny(sum[:1], "+-/|"))
}

func notRelative(s string) string {
	return fmt.Sprintf("dates such as %q, relative to now, are not known here; write 2026-01-31", clip(s))
}
