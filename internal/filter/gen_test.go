package filter

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// Names and values come from small sets, so that filters meet documents.
var (
	names = []string{"a", "b", "c", "0", "1", "a.b", `q"uo'te`, "$d", "ключ", "sp ace", `back\slash`, "x.0", "\u2028", "<k>", "?", "$1", "_id"}
	texts = []string{"", "a", "b", "A", "ab", "Ab", "a b", "z", "é", "e\u0301", "日本", "😀", "\uffff", "K", "0", "5", "5.0", "-1", "true", "false", "null",
		"2026-11-11", "2026-11-11T12:00:00.000Z", "it's", `"`, `\`, "%", "_", "?", "$1", "<&>", "\t", "9007199254740993",
		"12.5", "0.1", "-3", "007", "1e3", "-", "1.", ".5", "1.2.3", "123456789012345", "0.30000000000000004", "Straße", "STRASSE", "ẞ", "Ärger", "ä", "İ", "\u212a", "a*b", "a%b", "VIP", "10",
		"2024-02-29", "2026-02-29", "2026-02-30", "0000-01-01", "2026-11-11T12:00:00", "2026-11-11T13:00:00+02:00", "2026-11-11T11:00:00.5-01:00", "2026-11-11T12:00:00.1234567Z", "2026-11-11T24:00:00Z",
		"2026-11-11T12:00:60Z", "2026-11-11T12:00:00ZZ", "2026-11-11T12:00:00+15:00", "2026-11-11 12:00:00", "2026-11-11T12:00Z", "2026-11-10T23:59:59.999Z", "2026-11-11T23:59:59.999Z", "2026-11-12"}
	numbers = []any{int64(0), int64(1), int64(-1), int64(2), int64(5), 0.5, -0.5, 0.1, 0.30000000000000004, 1e300, -1e300, 1e-300, 5e-324, math.MaxFloat64,
		int64(1<<53 - 1), int64(1 << 53), int64(1<<53 + 1), int64(math.MaxInt64), int64(math.MinInt64), int64(math.MaxInt64 - 1), 9.3e18, 1e19, 1e21, 1e22, 1.0 / 3, 5.000000000000001, 4.999999999999999,
		int64(math.MaxInt32), int64(math.MaxInt32) + 1, 123456.789}
)

// at is the moment of every match in these tests.
var at = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func genScalar() *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		switch rapid.IntRange(0, 9).Draw(t, "scalar") {
		case 0:
			return nil
		case 1:
			return rapid.Bool().Draw(t, "bool")
		case 2, 3, 4:
			return rapid.SampledFrom(numbers).Draw(t, "number")
		case 5:
			return int64(rapid.IntRange(-3, 6).Draw(t, "int"))
		case 6:
			// Drawn texts hold no NUL: no room stores one.
			return strings.ReplaceAll(rapid.StringN(0, 4, 16).Draw(t, "text"), "\x00", "")
		case 7:
			if n, ok := floatNum(rapid.Float64().Draw(t, "float")); ok {
				return Canonical(n.value())
			}
			return 0.25
		}
		return rapid.SampledFrom(texts).Draw(t, "word")
	})
}

func genValue(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		n := rapid.IntRange(0, 9).Draw(t, "shape")
		switch {
		case depth > 0 && n < 2:
			return rapid.SliceOfN(genValue(depth-1), 0, 3).Draw(t, "array")
		case depth > 0 && n < 5:
			return genObject(depth-1).Draw(t, "object")
		}
		return genScalar().Draw(t, "value")
	})
}

func genObject(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		out := map[string]any{}
		for k, v := range rapid.MapOfN(genName(), genValue(depth), 0, 4).Draw(t, "members") {
			out[k] = v
		}
		return out
	})
}

func genName() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		if rapid.IntRange(0, 2).Draw(t, "plain") > 0 {
			return rapid.SampledFrom(names[:4]).Draw(t, "name")
		}
		return rapid.SampledFrom(names).Draw(t, "odd name")
	})
}

// columns is where the fields of the test's table are; "" is its document.
var fields = []string{"src", "opt", "some", "score", "flag", "seen", "tags", "labels"}

func genField() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		if rapid.IntRange(0, 3).Draw(t, "column") == 0 {
			f := rapid.SampledFrom(fields).Draw(t, "field")
			if rapid.IntRange(0, 9).Draw(t, "below") == 0 {
				f += "." + rapid.SampledFrom([]string{"a", "0"}).Draw(t, "name")
			}
			return f
		}
		n := rapid.IntRange(1, 3).Draw(t, "steps")
		parts := make([]string, n)
		for i := range parts {
			parts[i] = genName().Draw(t, "step")
		}
		if rapid.IntRange(0, 19).Draw(t, "deep") == 0 {
			return "attrs." + strings.Join(parts, ".") + ".a.b.c.a"
		}
		if rapid.Bool().Draw(t, "attrs") {
			return "attrs." + strings.Join(parts, ".")
		}
		return strings.Join(parts, ".")
	})
}

var patterns = []string{"a", "^a", "b$", "(?i)A", "[", "(?=a)", ".", "^$", "5|é", strings.Repeat("a", MaxPattern+1)}

func genRegex() *rapid.Generator[Regex] {
	return rapid.Custom(func(t *rapid.T) Regex {
		return Regex{Pattern: rapid.SampledFrom([]string{"a", "^a", "b$", ".", "^$", "5|é", " a # b"}).Draw(t, "pattern"),
			Options: rapid.SampledFrom([]string{"", "i", "x", "ims"}).Draw(t, "options")}
	})
}

func genOrdered(t *rapid.T) any {
	return rapid.OneOf(genScalar(), rapid.SampledFrom([]any{"\x00", "a\x00", "\xff", "a\xc0z"})).Draw(t, "value")
}

func genConstant(t *rapid.T) any {
	return rapid.OneOf(genValue(2), rapid.SampledFrom([]any{"\x00", "a\x00", "\xff"})).Draw(t, "value")
}

// hint is a field of a drawn document with its value, so that filters meet.
type hint struct {
	field string
	value any
}

// hints lists what a document holds.
func hints(v any, at string, out []hint) []hint {
	switch t := plainly(v).(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(t)) {
			if place := join(at, k); field(place, "", false) == nil {
				out = hints(t[k], place, append(out, hint{place, t[k]}))
			}
		}
	case []any:
		for _, x := range t {
			if _, ok := x.(map[string]any); ok {
				out = hints(x, at, out)
			} else {
				out = append(out, hint{at, x})
			}
		}
	}
	return out
}

func genLeaf(inside bool, depth int, pool []hint) *rapid.Generator[Filter] {
	return rapid.Custom(func(t *rapid.T) Filter {
		f := Filter{}
		genOrdered, genConstant := genOrdered, genConstant
		if !inside {
			f.Field = genField().Draw(t, "field")
			if len(pool) > 0 && rapid.IntRange(0, 2).Draw(t, "hinted") > 0 {
				h := rapid.SampledFrom(pool).Draw(t, "hint")
				f.Field = h.field
				genConstant = func(t *rapid.T) any {
					if rapid.IntRange(0, 3).Draw(t, "its value") > 0 {
						return near(t, h.value)
					}
					return genOrdered(t)
				}
				if k := kindOf(h.value); k != kindArray && k != kindObject && k != kindOther {
					genOrdered = genConstant
				}
			}
		}
		ops := []Op{Eq, Eq, Eq, Ne, Gt, Gte, Lt, Lte, In, In, Nin, All, Exists, Type, Size, Mod, Matches}
		if depth > 0 {
			ops = append(ops, Elem, ElemMatch)
		}
		if !inside {
			ops = append(ops, Is, Is, IsNot, Above, AtLeast, Below, AtMost, OneOf, Contains, StartsWith, EndsWith, Like, DaysAtLeast, DaysAtMost, Present, Absent,
				Equal, Equal, AnyOf, AnyOf, Holds, Holds, Begins, Ends, Wild, Over, From, Under, UpTo, Filled)
		}
		f.Op = rapid.SampledFrom(ops).Draw(t, "op")
		switch f.Op {
		case Gt, Gte, Lt, Lte:
			f.Value = genOrdered(t)
		case In, Nin, All:
			f.List = []any{}
			for range rapid.IntRange(0, 4).Draw(t, "values") {
				if f.Op != All && rapid.IntRange(0, 7).Draw(t, "regex") == 0 {
					f.List = append(f.List, genRegex().Draw(t, "re"))
				} else {
					f.List = append(f.List, genConstant(t))
				}
			}
		case Exists:
			f.Value = rapid.Bool().Draw(t, "exists")
		case Type:
			for range rapid.IntRange(1, 2).Draw(t, "types") {
				f.List = append(f.List, rapid.SampledFrom(typeNames[:10]).Draw(t, "type"))
			}
		case Size:
			f.Value = int64(rapid.IntRange(0, 3).Draw(t, "size"))
		case Mod:
			f.List = []any{rapid.SampledFrom([]any{int64(2), int64(-1), int64(3)}).Draw(t, "div"), int64(rapid.IntRange(-1, 1).Draw(t, "rem"))}
		case Matches:
			f.Value = genRegex().Draw(t, "re")
		case Elem:
			f.Of = []Filter{genFilter(depth-1, true, nil).Draw(t, "elem")}
		case ElemMatch:
			f.Of = []Filter{genFilter(depth-1, false, nil).Filter(func(f Filter) bool { return !anyLoose(&f) }).Draw(t, "elemMatch")}
		case Like:
			f.Value = rapid.SampledFrom(patterns).Draw(t, "pattern")
		case DaysAtLeast, DaysAtMost:
			f.Value = rapid.SampledFrom([]any{int64(10), int64(0), "9.5", 10.02, "x", int64(-5), 1e300}).Draw(t, "days")
		case OneOf:
			f.Value = rapid.OneOf(rapid.Just[any]("a, b,5"), rapid.Just[any]("vip,new"), rapid.Custom(genConstant)).Draw(t, "set")
		case Present, Absent, Filled:
		case AnyOf:
			for range rapid.IntRange(0, 4).Draw(t, "values") {
				f.List = append(f.List, genPlain(t, genConstant))
			}
		case Equal, Over, From, Under, UpTo:
			f.Value = genPlain(t, genConstant)
		case Holds, Begins, Ends:
			f.Value = genPart(t, genPlain(t, genConstant))
		case Wild:
			f.Value = genWild(t, genPlain(t, genConstant))
		default:
			f.Value = genConstant(t)
		}
		return f
	})
}

// genPlain is a constant of the fifth group: often the text of a value.
func genPlain(t *rapid.T, draw func(*rapid.T) any) any {
	v := draw(t)
	if !plain(v) {
		v = rapid.SampledFrom(texts).Draw(t, "plain")
	}
	if rapid.IntRange(0, 2).Draw(t, "as text") == 0 {
		return shown(v)
	}
	return v
}

// genPart is a piece of a text that is not empty, in another case perhaps.
func genPart(t *rapid.T, v any) any {
	s := []rune(shown(v))
	if len(s) > 0 {
		from := rapid.IntRange(0, len(s)-1).Draw(t, "from")
		s = s[from:rapid.IntRange(from+1, len(s)).Draw(t, "to")]
	}
	if len(s) == 0 {
		return "a"
	}
	if rapid.Bool().Draw(t, "upper") {
		return strings.ToUpper(string(s))
	}
	return string(s)
}

func genWild(t *rapid.T, v any) any {
	s := []rune(shown(v))
	out := ""
	for i, r := range s[:min(len(s), 8)] {
		switch rapid.IntRange(0, 3).Draw(t, "wild") {
		case 0:
			out += "?"
		case 1:
			if i < 4 {
				out += "*"
			}
		default:
			out += escaped(string(r))
		}
	}
	if out = strings.ToValidUTF8(out, ""); patternShape(out, "") != nil {
		return "a*"
	}
	return out
}

// near is a value, or one just beside it.
func near(t *rapid.T, v any) any {
	v = Canonical(v)
	if rapid.IntRange(0, 3).Draw(t, "beside") > 0 {
		return v
	}
	switch x := v.(type) {
	case int64:
		return Canonical(x + rapid.SampledFrom([]int64{-1, 1}).Draw(t, "step"))
	case float64:
		return Canonical(math.Nextafter(x, 0))
	case string:
		return strings.ToUpper(x)
	}
	return v
}

func anyLoose(f *Filter) bool {
	for i := range f.Of {
		if anyLoose(&f.Of[i]) {
			return true
		}
	}
	return f.Op.loose() || f.Op.targeting()
}

func genFilter(depth int, inside bool, pool []hint) *rapid.Generator[Filter] {
	return rapid.Custom(func(t *rapid.T) Filter {
		if depth > 0 && rapid.IntRange(0, 2).Draw(t, "logic") == 0 {
			f := Filter{Op: rapid.SampledFrom([]Op{And, Or, Nor, Not}).Draw(t, "word")}
			n := 1
			if f.Op != Not {
				n = rapid.IntRange(0, 3).Draw(t, "parts")
			}
			for range n {
				f.Of = append(f.Of, genFilter(depth-1, inside, pool).Draw(t, "part"))
			}
			return f
		}
		return genLeaf(inside, depth, pool).Draw(t, "leaf")
	})
}

// row is a document as the test's table stores it.
type row struct {
	n      int
	doc    map[string]any // the JSON column of ""
	attrs  any            // the JSON column of attrs: an object, or nil
	src    string
	opt    any // text or nil
	score  int64
	flag   any // bool or nil
	seen   any // milliseconds or nil
	tags   []string
	labels []string
	made   map[string]any // the document, once it was asked for
}

func genRow() *rapid.Generator[row] {
	return rapid.Custom(func(t *rapid.T) row {
		word := rapid.SampledFrom(texts)
		r := row{doc: genObject(3).Draw(t, "doc").(map[string]any), src: word.Draw(t, "src"), score: rapid.OneOf(rapid.Int64Range(-2, 6), rapid.Int64()).Draw(t, "score")}
		if rapid.Bool().Draw(t, "has attrs") {
			r.attrs = genObject(3).Draw(t, "attrs")
		}
		if rapid.Bool().Draw(t, "has opt") {
			r.opt = word.Draw(t, "opt")
		}
		if rapid.Bool().Draw(t, "has flag") {
			r.flag = rapid.Bool().Draw(t, "flag")
		}
		if rapid.Bool().Draw(t, "has seen") {
			r.seen = at.Add(-time.Duration(rapid.IntRange(0, 20).Draw(t, "days")) * 12 * time.Hour).UnixMilli()
		}
		tags := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"vip", "new", "a", "5", "", "VIP"}), 0, 3, rapid.ID[string])
		r.tags, r.labels = tags.Draw(t, "tags"), tags.Draw(t, "labels")
		return r
	})
}

// document is what the match sees of a row.
func (r *row) document() map[string]any {
	if r.made != nil {
		return r.made
	}
	out := map[string]any{}
	r.made = out
	for k, v := range r.doc {
		out[k] = v
	}
	for _, f := range append(fields, "attrs") {
		delete(out, f)
	}
	out["attrs"], out["src"], out["score"], out["flag"] = r.attrs, r.src, r.score, r.flag
	if r.opt != nil {
		out["opt"] = r.opt
		if r.opt != "" {
			out["some"] = r.opt
		}
	}
	out["seen"] = nil
	if r.seen != nil {
		out["seen"] = time.UnixMilli(r.seen.(int64)).UTC().Format("2006-01-02T15:04:05.000Z")
	}
	out["tags"] = r.tags
	if len(r.labels) > 0 {
		out["labels"] = r.labels
	}
	return out
}

func (r *row) String() string { return fmt.Sprintf("%d: %#v", r.n, r.document()) }
