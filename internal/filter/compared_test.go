package filter

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"parley/internal/fault"
)

func one(t testing.TB, text string) Filter {
	t.Helper()
	f, err := ParseComparisons("additionalData", []string{text})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return f
}

// The reference's own examples (sales §4.5), and what numbers, days and texts mean.
func TestComparisons(t *testing.T) {
	for _, c := range []struct {
		doc  string
		text string
		want bool
	}{
		{`{"finance":1}`, "finance=1", true},
		{`{"finance":"1"}`, "finance=1", true},
		{`{"finance":"1.0"}`, "finance=1", true},
		{`{"finance":2}`, "finance=1", false},
		{`{}`, "finance=1", false},
		{`{"finance":null}`, "finance<1", false},
		{`{"birthdate":"31/12/1999"}`, "birthdate<01/01/2000", true},
		{`{"birthdate":"01/01/2000"}`, "birthdate<01/01/2000", false},
		{`{"birthdate":"01/01/1990"}`, "birthdate>=01/01/1990", true},
		{`{"birthdate":"1/1/1990"}`, "birthdate=01/01/1990", true},
		{`{"birthdate":"1990-01-01"}`, "birthdate=01/01/1990", true},
		{`{"birthdate":"1990-01-01T00:00:00Z"}`, "birthdate<=1990-01-01", true},
		{`{"birthdate":"02/01/1990"}`, "birthdate<01/02/1990", true}, // days before months
		{`{"birthdate":"31/02/1990"}`, "birthdate=03/03/1990", false},
		{`{"style":"Navy Blue"}`, "style~blue", true},
		{`{"style":"Navy"}`, "style~blue", false},
		{`{"style":"blue"}`, "style=blue", true},
		{`{"style":"Blue"}`, "style=blue", false},
		{`{"n":10}`, "n>9", true}, // not as text
		{`{"n":"10"}`, "n>9", true},
		{`{"n":"ten"}`, "n>9", true}, // as text: a letter is behind a digit
		{`{"n":-3}`, "n<-2.5", true},
		{`{"n":true}`, "n=true", true},
		{`{"n":""}`, "n=", true},
		{`{"n":"x"}`, "n=", false},
		{`{"list":["a","b"]}`, "list=b", true},
		{`{"list":["a","b"]}`, "list=c", false},
		{`{"in":{"x":5}}`, "in.x>4", true},
		{`{"in.x":5}`, "in.x>4", true},
		{`{"in":{"x":5}}`, "in=5", false},
		{`{"a b":"c d"}`, "a b=c d", true},
	} {
		var doc any
		if err := json.Unmarshal([]byte(c.doc), &doc); err != nil {
			t.Fatal(err)
		}
		m, err := Compile(one(t, c.text))
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Match(doc); got != c.want {
			t.Errorf("%s on %s: %v", c.text, c.doc, got)
		}
	}
	both, err := ParseComparisons("additionalData", []string{"birthdate>=01/01/1990", "birthdate<01/01/2000"})
	if err != nil {
		t.Fatal(err)
	}
	m, _ := Compile(both)
	for day, want := range map[string]bool{"05/05/1995": true, "05/05/1989": false, "01/01/2000": false} {
		if m.Match(map[string]any{"birthdate": day}) != want {
			t.Errorf("%s: %v", day, !want)
		}
	}
	if f, err := ParseComparisons("x", nil); err != nil || f.Op != "" {
		t.Error(f, err)
	}
}

func TestBadComparisons(t *testing.T) {
	for _, text := range []string{"", "finance", "=1", "a!=1", "a==1", "a=>1", "a<>1", "a=<1", "a~~b", strings.Repeat("x", MaxField+1) + "=1"} {
		_, err := ParseComparisons("additionalData", []string{"ok=1", text})
		if f := fault.As(err); f == nil || f.Code != fault.Invalid || f.Field != "additionalData[1]" {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ParseComparisons("additionalData", slices.Repeat([]string{"a=1"}, MaxComparisons+1)); fault.As(err) == nil {
		t.Error(err)
	}
	for _, raw := range []string{`{"op":"same","field":"a","value":{"x":1}}`, `{"op":"more","field":"a"}`, `{"op":"less","value":1}`, `{"op":"same","field":"a","list":[1]}`} {
		var f Filter
		if err := json.Unmarshal([]byte(raw), &f); err == nil {
			t.Errorf("%s was accepted", raw)
		}
	}
}

// An index by Keys, asked for Spans, misses nothing that a comparison holds for.
func TestSpansCoverWhatMatches(t *testing.T) {
	long := strings.Repeat("p", maxKey-1)
	values := []any{"", "a", "b", "ä", "aé", 0, 1, -1, 1.5, -2.25, 9, 10, "10", "9", " 7 ", "007", 1e300, -1e300, 9007199254740993, 9007199254740992.0, "1e3", 1000,
		"01/01/1990", "1/1/1990", "31/12/1989", "1990-01-01", "1990-01-01T00:00:00.001Z", "1990-01-01T02:00:00+02:00", "1990-01-01T02:00:00", "1990-01-01T02:00:00.1234567-14:30", "01/01/0001", "31/12/9999", "true", true, false,
		long, long + "a", long + "b", long + "é", long + "aa", long + "ab", long + "éa", long + "éb", long[:60], long[:61] + "é", long[:62] + "é", "\U0010FFFF"}
	for range 300 {
		values = append(values, rand.IntN(20)-10, fmt.Sprint(rand.IntN(40)), fmt.Sprintf("%02d/%02d/%04d", 1+rand.IntN(28), 1+rand.IntN(12), 1980+rand.IntN(3)), string(rune('a'+rand.IntN(5))))
	}
	matched := 0
	for _, c := range values {
		for _, op := range []Op{Same, More, MoreOrSame, Less, LessOrSame, Includes, Equal, AnyOf, Over, From, Under, UpTo, Holds, Begins, Ends} {
			f := Filter{Op: op, Field: "x", Value: Canonical(c)}
			if op == AnyOf {
				f.Value, f.List = nil, []any{f.Value, "b", "1990-01-01"}
			}
			if c == "" && (op == Holds || op == Begins || op == Ends) {
				continue
			}
			m, err := Compile(f)
			if err != nil {
				t.Fatal(c, err)
			}
			spans := Spans(f)
			for _, v := range values {
				if !m.Match(map[string]any{"x": v}) {
					continue
				}
				matched++
				if !slices.ContainsFunc(Keys(v), func(k string) bool {
					return slices.ContainsFunc(spans, func(s Span) bool { return s.Low <= k && k <= s.High })
				}) {
					t.Fatalf("%v %s %v: the keys %q are not in %q", v, op, c, Keys(v), spans)
				}
			}
		}
	}
	if matched < 100_000 {
		t.Errorf("only %d pairs matched", matched)
	}
	if len(Keys(nil)) != 0 || len(Keys(map[string]any{})) != 0 || len(Keys("10")) != 2 || len(Keys("01/01/1990")) != 2 {
		t.Error(Keys(nil), Keys("10"), Keys("01/01/1990"))
	}
}

func FuzzParseComparisons(f *testing.F) {
	for _, s := range []string{"finance=1", "birthdate>=01/01/1990", "style~blue", "a==", "é<\x00", "=", "a~"} {
		f.Add(s, "x")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		if !bindable(text) || !bindable(value) { // neither stored nor sent
			return
		}
		flt, err := ParseComparisons("additionalData", []string{text})
		if err != nil {
			if fault.As(err) == nil {
				t.Fatal(err)
			}
			return
		}
		m, err := Compile(flt)
		if err != nil {
			t.Fatal(err)
		}
		if m.Match(map[string]any{flt.Field: value}) && !strings.Contains(flt.Field, ".") {
			if !slices.ContainsFunc(Keys(value), func(k string) bool {
				return slices.ContainsFunc(Spans(flt), func(s Span) bool { return s.Low <= k && k <= s.High })
			}) {
				t.Fatalf("%q holds for %q, whose keys %q are not in %q", text, value, Keys(value), Spans(flt))
			}
		}
	})
}
