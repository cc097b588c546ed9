package record

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/filter"
)

// patched returns the record after a merge patch, checked.
func (rec Record) patched(p Patch) (Record, error) {
	attributes, err := Merged(rec.Attributes, p.Attributes)
	if err != nil {
		return Record{}, err
	}
	tags := rec.Tags
	if p.Tags != nil {
		tags = *p.Tags
	}
	return rec.with(attributes, tags, p.Title)
}

// replaced returns the record as a replacement leaves it.
func (rec Record) replaced(p Patch) (Record, error) {
	attributes, err := Merged(nil, p.Attributes)
	if err != nil {
		return Record{}, err
	}
	tags := []string{}
	if p.Tags != nil {
		tags = *p.Tags
	}
	return rec.with(attributes, tags, p.Title)
}

// with gives a record new contents.
func (rec Record) with(attributes map[string]any, tags []string, title *string) (Record, error) {
	tags, err := contact.Tags("_tags", tags)
	if err != nil {
		return Record{}, err
	}
	next := rec
	next.Attributes, next.Tags = attributes, tags
	next.Title = titleOf(attributes)
	switch {
	case next.Title != "":
	case title != nil:
		if next.Title, err = contact.Line("_title", *title, maxTitle); err != nil {
			return Record{}, err
		}
	case titleOf(rec.Attributes) == "": // it was given, and stays
		next.Title = rec.Title
	}
	return next, nil
}

// titleOf is what attributes say of themselves: name, else title, else first and
// last name, else subject.
func titleOf(attributes map[string]any) string {
	word := func(name string) string {
		switch t := attributes[name].(type) {
		case string:
			return strings.TrimSpace(t)
		case int64:
			return strconv.FormatInt(t, 10)
		case float64:
			return strconv.FormatFloat(t, 'f', -1, 64)
		}
		return ""
	}
	for _, s := range []string{word("name"), word("title"), strings.TrimSpace(word("first_name") + " " + word("last_name")), word("subject")} {
		if s = cut(s, maxTitle); s != "" {
			return s
		}
	}
	return ""
}

// cut shortens a text to a number of characters.
func cut(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return strings.TrimSpace(string([]rune(s)[:most]))
}

// Merged applies a JSON merge patch (RFC 7396) to attributes and returns the result
// in canonical form; neither argument changes. Faults: Invalid naming the attribute
// that cannot be kept, or "attributes" when they are too many or too much.
func Merged(old, patch map[string]any) (map[string]any, error) {
	tooMuch := fault.Field("attributes", "the attributes of an entity must not be larger than %d bytes of JSON", MaxJSON)
	if len(encoded(patch)) > MaxJSON {
		return nil, tooMuch
	}
	for _, name := range slices.Sorted(maps.Keys(patch)) {
		if patch[name] == nil { // taken away, whatever it is called
			continue
		}
		if err := checkName(name); err != nil {
			return nil, err
		}
		if err := check(name, patch[name], 1); err != nil {
			return nil, err
		}
	}
	canonical, _ := filter.Canonical(patch).(map[string]any)
	next := merge(old, canonical)
	if len(next) > MaxNames {
		return nil, fault.Field("attributes", "an entity has at most %d attributes", MaxNames)
	}
	if len(encoded(next)) > MaxJSON {
		return nil, tooMuch
	}
	// Merging may have put an object into one that was deep already.
	for _, name := range slices.Sorted(maps.Keys(patch)) {
		if err := check(name, next[name], 1); err != nil {
			return nil, err
		}
	}
	return next, nil
}

// merge is RFC 7396: the target is not changed.
func merge(target, patch map[string]any) map[string]any {
	out := make(map[string]any, len(target)+len(patch))
	maps.Copy(out, target)
	for k, v := range patch {
		switch t := v.(type) {
		case nil:
			delete(out, k)
		case map[string]any:
			below, _ := out[k].(map[string]any)
			out[k] = merge(below, t)
		default:
			out[k] = v
		}
	}
	return out
}

func checkName(name string) error {
	n, err := contact.Line("attributes", name, maxName)
	if err == nil && (n == "" || n != name) {
		err = fault.Field("attributes", "the name of an attribute must not be empty or begin or end with a space")
	}
	return err
}

// check refuses what a database cannot keep and what nobody can read. at is the
// path of the value.
func check(at string, v any, depth int) error {
	if len(at) > 300 {
		at = top(at)
	}
	if depth > MaxDepth {
		return fault.Field(top(at), "%s nests lists and objects deeper than %d levels", top(at), MaxDepth)
	}
	switch t := v.(type) {
	case string:
		if !utf8.ValidString(t) || strings.ContainsRune(t, 0) {
			return fault.Field(at, "%s holds characters that are not text", at)
		}
	case []any:
		for i, x := range t {
			if err := check(fmt.Sprintf("%s[%d]", at, i), x, depth+1); err != nil {
				return err
			}
		}
	case map[string]any:
		for k, x := range t {
			if !utf8.ValidString(k) || strings.ContainsRune(k, 0) {
				return fault.Field(at, "%s has a member whose name is not text", at)
			}
			if err := check(at+"."+k, x, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// top is the attribute that a path begins with, for messages.
func top(at string) string {
	if i := strings.IndexAny(at, ".["); i > 0 {
		return at[:i]
	}
	return at
}
