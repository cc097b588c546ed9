package filter

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parley/internal/fault"
	"parley/internal/store"
)

// TestRoundTrip: a filter written as JSON and read again is the same filter and
// gives the same answers.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		drawn := genRow().Draw(t, "row")
		doc := drawn.document()
		f := genFilter(3, false, hints(doc, "", nil)).Draw(t, "filter")
		m, err := Compile(f)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		var g Filter
		if err := json.Unmarshal(b, &g); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if strings.Contains(string(b), `\ufffd`) {
			return // JSON cannot carry bytes that are no text
		}
		again, err := json.Marshal(g)
		if err != nil || string(again) != string(b) {
			t.Fatalf("%s became %s", b, again)
		}
		m2, err := Compile(g)
		if err != nil {
			t.Fatal(err)
		}
		if x, y := m.MatchAt(doc, at, time.UTC), m2.MatchAt(doc, at, time.UTC); x != y {
			t.Fatalf("%s: %v before, %v after", b, x, y)
		}
	})
	for _, c := range mongoCases {
		f, err := ParseMongo(parse(t, c.filter).(map[string]any))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := json.Marshal(f)
		var g Filter
		if err := json.Unmarshal(b, &g); err != nil {
			t.Errorf("%s: %v", b, err)
		}
		// An empty list and no list are one.
		if d := cmp.Diff(written(f), written(g)); d != "" {
			t.Errorf("%s: %s", c.rule, d)
		}
	}
}

func TestStoredFaults(t *testing.T) {
	deep := strings.Repeat(`{"op":"not","of":[`, 30) + `{}` + strings.Repeat(`]}`, 30)
	for text, place := range map[string]string{
		`{"op":"like2","field":"a"}`: "filter.op", `{"op":5}`: "filter.op", `{"field":"a"}`: "filter.op", `[]`: "filter", `{"op":"eq"}`: "filter.field",
		`{"op":"and","of":[{"op":"gt","field":"a","value":[1]}]}`: "filter.of[0].value", `{"op":"not","of":[]}`: "filter.of", `{"op":"and","of":5}`: "filter.of",
		`{"op":"in","field":"a","value":5}`: "filter", `{"op":"size","field":"a","value":-1}`: "filter.value", `{"op":"mod","field":"a","list":[0,1]}`: "filter.list", `{"op":"mod","field":"a"}`: "filter.list",
		`{"op":"exists","field":"a"}`: "filter.value", `{"op":"regex","field":"a","value":"x"}`: "filter.value", `{"op":"regex","field":"a","value":{"$regex":"("}}`: "filter.value",
		`{"op":"eq","field":"a","x":1}`: "filter.x", `{"op":"elem","field":"a","of":[{"op":"contains","field":"b","value":"x"}]}`: "filter.of[0].op", `{"op":"elem","field":"a","of":[{"op":"eq","field":"b"}]}`: "filter.of[0].field",
		`{"op":"elemMatch","field":"a"}`: "filter.of", `{"op":"type","field":"a","list":[2]}`: "filter.list[0]", `{"op":"contains","value":"x"}`: "filter.field", `{"op":"contains","field":"a","list":[]}`: "filter.list",
		`{"op":"in","field":"a","list":[{"$regex":"("}]}`: "filter.list[0]", `{"op":"and","field":"a"}`: "filter", `{"op":"eq","field":"a","of":[{}]}`: "filter.of", `{"list":[1]}`: "filter.op", deep: "",
	} {
		var f Filter
		err := json.Unmarshal([]byte(text), &f)
		if x := fault.As(err); x == nil || place != "" && x.Field != place {
			t.Errorf("%.60s: %v, want a fault of %s", text, err, place)
		}
	}
	if _, err := Compile(Filter{Op: Eq, Field: "a", Value: struct{}{}}); fault.As(err) == nil {
		t.Errorf("a value of an unknown kind: %v, want a fault", err)
	}
}

// checkText holds for every filter: nothing of its texts is in the SQL, and
// there is an argument for every placeholder.
func checkText(t interface {
	Fatalf(string, ...any)
}, f Filter) {
	for _, d := range []store.Dialect{store.SQLite, store.Postgres} {
		where, args, _ := SQL(f, cols, d)
		if n := strings.Count(where, "?"); n != len(args) {
			t.Fatalf("%s: %d placeholders for %d arguments: %s", written(f), n, len(args), where)
		}
		for _, r := range where {
			if r > '~' || r < ' ' || strings.ContainsRune(";\\`", r) {
				t.Fatalf("%s: %q in %s", written(f), r, where)
			}
		}
		if strings.Contains(where, "zqj") || strings.Contains(where, "ZQJ") || strings.Contains(where, "--") || strings.Contains(where, "/*") || strings.Count(where, "'")%2 != 0 || strings.Count(where, "(") != strings.Count(where, ")") {
			t.Fatalf("%s: %s", written(f), where)
		}
	}
}

// TestNoTextInSQL: with marked texts everywhere, none is found in the SQL, and
// its size does not depend on the values.
func TestNoTextInSQL(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := marked(genFilter(3, false, nil).Draw(t, "filter"))
		checkText(t, f)
	})
	short, _, _ := SQL(Filter{Op: In, Field: "a", List: []any{"x"}}, cols, store.SQLite)
	long, _, _ := SQL(Filter{Op: In, Field: "a", List: []any{"x", "y", "z"}}, cols, store.SQLite)
	if short != long {
		t.Errorf("the SQL of a list grows with it:\n%s\n%s", short, long)
	}
}

// marked puts zqj into every text of a filter and every field below a JSON column.
func marked(f Filter) Filter {
	var mark func(v any) any
	mark = func(v any) any {
		switch t := v.(type) {
		case string:
			return "zqj" + t
		case []any:
			out := make([]any, len(t))
			for i := range t {
				out[i] = mark(t[i])
			}
			return out
		case map[string]any:
			out := map[string]any{}
			for k, x := range t {
				out["zqj"+k] = mark(x)
			}
			return out
		}
		return v
	}
	if f.Op != Type {
		f.Value = mark(f.Value)
		if f.List != nil {
			f.List = mark(f.List).([]any)
		}
	}
	if f.Field != "" {
		if _, known := cols.Fields[f.Field]; !known {
			f.Field = "zqj" + f.Field
		}
	}
	of := f.Of
	f.Of = nil
	for _, x := range of {
		f.Of = append(f.Of, marked(x))
	}
	return f
}
