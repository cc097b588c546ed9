package segment

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/filter"
)

// slug is how names of schemas look (reference §5.2).
var slug = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,100}$`)

// segment checks what was given and returns it as a segment.
func (n New) segment() (v Segment, err error) {
	var c fault.Collector
	keep := func(err error) {
		if err != nil {
			c.Add(err)
		}
	}
	if v.Name, err = contact.Line("name", n.Name, MaxName); err != nil {
		keep(err)
	} else if v.Name == "" {
		c.Add(fault.Missing("name"))
	}
	v.Description = n.Description
	if !utf8.ValidString(n.Description) || strings.ContainsRune(n.Description, 0) {
		c.Add(fault.Field("description", "description holds characters that are not text"))
	} else if utf8.RuneCountInString(n.Description) > MaxText {
		c.Add(fault.Field("description", "description must not be longer than %d characters", MaxText))
	}
	if v.Schema = n.Schema; v.Schema != "" && !slug.MatchString(v.Schema) {
		c.Add(fault.Field("entity_schema", "entity_schema must be the name of a schema, such as contact: letters, digits, _ and -, at most 100"))
	}
	v.Tags, err = tags(n.Tags)
	keep(err)
	v.Empty = true
	if n.Filters != nil {
		keep(plain("entity_filters", n.Filters, 0))
		doc, _ := filter.Canonical(n.Filters).(map[string]any)
		v.Filters = doc
		if raw, err := json.Marshal(doc); err != nil || len(raw) > MaxFilters {
			c.Add(fault.Field("entity_filters", "entity_filters must not be longer than %d bytes of JSON", MaxFilters))
		}
		v.Filter, v.Empty, err = filter.ParseTarget(doc)
		keep(err)
		if v.Empty {
			v.Filter = filter.Filter{}
		}
	}
	for k, x := range n.Extra {
		if len(k) > 256 || k == "" || strings.ContainsRune(k, 0) {
			c.Add(fault.Field("attributes", "names of attributes must have 1 to 256 bytes"))
			continue
		}
		keep(plain(k, x, 0))
	}
	if v.Extra, _ = filter.Canonical(n.Extra).(map[string]any); v.Extra == nil {
		v.Extra = map[string]any{}
	}
	if raw, err := json.Marshal(v.Extra); err != nil || len(raw) > MaxExtra {
		c.Add(fault.Field("attributes", "the other attributes together must not be longer than %d bytes of JSON", MaxExtra))
	}
	return v, c.Err()
}

// tags checks tags and drops empty and repeated ones; nil stays nil.
func tags(in []string) ([]string, error) {
	if in == nil {
		return nil, nil
	}
	out, seen := []string{}, map[string]bool{}
	for i, t := range in {
		t, err := contact.Line(fmt.Sprintf("_tags[%d]", i), t, MaxTag)
		if err != nil {
			return nil, err
		}
		if t != "" && !seen[t] {
			seen[t] = true
			out = append(out, t)
		}
	}
	if len(out) > MaxTags {
		return nil, fault.Field("_tags", "_tags must not hold more than %d tags", MaxTags)
	}
	return out, nil
}

// maxDepth bounds values inside each other: more, no database reads.
const maxDepth = 32

// plain refuses what a database cannot hold.
func plain(at string, v any, depth int) error {
	if depth > maxDepth {
		return fault.Field(at, "%s must not be nested deeper than %d levels", at, maxDepth)
	}
	switch t := v.(type) {
	case string:
		if strings.ContainsRune(t, 0) {
			return fault.Field(at, "%s holds characters that are not text", at)
		}
	case []any:
		for _, x := range t {
			if err := plain(at, x, depth+1); err != nil {
				return err
			}
		}
	case map[string]any:
		for k, x := range t {
			if strings.ContainsRune(k, 0) {
				return fault.Field(at, "%s holds characters that are not text", at)
			}
			if err := plain(at, x, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}
