package entity

import (
	"bytes"
	"cmp"
	"strings"
	"time"

	"parley/internal/contact"
)

// worded tells whether every word, folded, begins a word of a title.
func worded(title string, words []string) bool {
	if len(words) == 0 {
		return true
	}
	folded := " " + contact.Fold(title)
	for _, w := range words {
		if !strings.Contains(folded, " "+w) {
			return false
		}
	}
	return true
}

// compare orders hits. One that lacks the field stands at the end either way, and
// equals follow by id.
func (f *finder) compare(a, b hit) int {
	if f.sort.field != "" {
		x, y := f.value(a), f.value(b)
		if c := cmp.Compare(x.rank, y.rank); c != 0 && (x.rank == none || y.rank == none) {
			return c
		} else if c != 0 {
			return f.turned(c)
		}
		if c := cmp.Or(cmp.Compare(x.n, y.n), cmp.Compare(x.s, y.s)); c != 0 {
			return f.turned(c)
		}
	}
	return f.turned(bytes.Compare(a.id[:], b.id[:]))
}

func (f *finder) turned(c int) int {
	if f.sort.desc {
		return -c
	}
	return c
}

// sorted is a value by which hits are ordered: numbers before texts before the
// rest, and what is missing at the end.
type sorted struct {
	rank int
	n    float64
	s    string
}

const none = 9

func (f *finder) value(h hit) sorted {
	if h.doc == nil { // met along the index of the field
		return sorted{n: float64(h.key)}
	}
	v := element(h.doc, f.sort.field)
	s, isText := v.(string)
	if isText && (f.sort.field == "_created_at" || f.sort.field == "_updated_at") {
		if t, err := time.Parse(time.RFC3339, s); err == nil {
			return sorted{n: float64(t.UnixMilli())}
		}
	}
	switch x := v.(type) {
	case int64:
		return sorted{n: float64(x)}
	case float64:
		return sorted{n: x}
	case string:
		return sorted{rank: 1, s: x}
	case bool:
		if x {
			return sorted{rank: 2, n: 1}
		}
		return sorted{rank: 2}
	}
	return sorted{rank: none}
}

// element finds the value at a dotted path; of an array it is the first element.
func element(v any, path string) any {
	for {
		if list, ok := v.([]any); ok {
			if len(list) == 0 {
				return nil
			}
			v = list[0]
			continue
		}
		if path == "" {
			return v
		}
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		if x, ok := m[path]; ok {
			v, path = x, ""
			continue
		}
		first, rest, more := strings.Cut(path, ".")
		if !more {
			return nil
		}
		v, path = m[first], rest
	}
}

// clip shortens what a user wrote for a message.
func clip(s string) string {
	const most = 60
	for i := range s {
		if i >= most {
			return s[:i] + "..."
		}
	}
	return s
}
