package filter

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"parley/internal/fault"
)

var luceneCases = []struct {
	q, text string
	yes, no []string
}{
	{``, "", []string{`{}`}, nil},
	{`*`, "", []string{`{}`}, nil},
	{`*:*`, "", []string{`{}`}, nil},
	{`anna lee`, "anna lee", nil, nil},
	{`  anna  `, "anna", nil, nil},
	{`anna\:lee o\ b`, "anna:lee o b", nil, nil},
	{`ann@example.com`, "ann@example.com", nil, nil},
	{`"anna lee"`, "", []string{`{"_title":"Anna Lee-Smith"}`}, []string{`{"_title":"lee anna"}`}},
	{`ann*`, "", []string{`{"_title":"Anna Lee"}`, `{"_title":"Lee Anna"}`}, []string{`{"_title":"Hanna"}`}},
	{`status:active`, "", []string{`{"status":"active"}`, `{"status":["active"]}`}, []string{`{"status":"inactive"}`, `{}`}},
	{`status: active`, "", []string{`{"status":"active"}`}, []string{`{}`}},
	{`address.city.keyword:"New York"`, "", []string{`{"address":[{"city":"New York"}]}`}, []string{`{"address":{"city":"York"}}`}},
	{`url:https://a.b/c?d`, "", []string{`{"url":"https://a.b/c/d"}`}, []string{`{"url":"https://a.b/c"}`}},
	{`n:5`, "", []string{`{"n":5}`, `{"n":"5"}`}, []string{`{"n":50}`}},
	{`b:true`, "", []string{`{"b":true}`}, []string{`{"b":false}`}},
	{`name:Ann*`, "", []string{`{"name":"anna"}`, `{"name":["x","ANN"]}`}, []string{`{"name":"Hanna"}`}},
	{`name:*ann`, "", []string{`{"name":"Hann"}`}, []string{`{"name":"Hanna"}`}},
	{`tags:*ann*`, "", []string{`{"tags":["Hanna"]}`, `{"tags":"Hanna"}`}, []string{`{"tags":["x"]}`}},
	{`tags:/.*ann.*/`, "", []string{`{"tags":["Ann"]}`, `{"tags":"Hanna"}`}, []string{`{"tags":["Hanna"]}`}},
	{`name:a?c`, "", []string{`{"name":"ABC"}`}, []string{`{"name":"abbc"}`}},
	{`name:a\*c`, "", []string{`{"name":"a*c"}`}, []string{`{"name":"abc"}`}},
	{`name:*`, "", []string{`{"name":0}`}, []string{`{}`}},
	{`_exists_:a.b`, "", []string{`{"a":{"b":1}}`}, []string{`{"a":{}}`}},
	{`n:[5 TO 10]`, "", []string{`{"n":5}`, `{"n":10}`}, []string{`{"n":4}`, `{"n":11}`}},
	{`n:{5 TO 10}`, "", []string{`{"n":6}`}, []string{`{"n":5}`, `{"n":10}`}},
	{`n:[5 TO 10}`, "", []string{`{"n":5}`}, []string{`{"n":10}`}},
	{`n:[* TO 10]`, "", []string{`{"n":-1}`}, []string{`{"n":11}`, `{}`}},
	{`n:[* TO *]`, "", []string{`{"n":0}`}, []string{`{}`}},
	{`at:[2026-01-01 TO "2026-01-31T12:00:00Z"}`, "", []string{`{"at":"2026-01-31T11:59:59Z"}`}, []string{`{"at":"2026-01-31T12:00:00Z"}`}},
	{`at:[2026-01-01T10:00:00Z TO *]`, "", []string{`{"at":"2026-01-01T10:00:00Z"}`}, []string{`{"at":"2026-01-01T09:00:00Z"}`}},
	{`n:>5`, "", []string{`{"n":6}`}, []string{`{"n":5}`}},
	{`n:>=5 AND n:<6 AND n:<=5.5`, "", []string{`{"n":5.5}`}, []string{`{"n":6}`, `{"n":5.7}`}},
	{`a:1 AND b:2`, "", []string{`{"a":1,"b":2}`}, []string{`{"a":1}`}},
	{`a:1 && b:2`, "", []string{`{"a":1,"b":2}`}, []string{`{"a":1}`}},
	{`a:1 OR b:2`, "", []string{`{"a":1}`, `{"b":2}`}, []string{`{}`}},
	{`a:1 || b:2`, "", []string{`{"a":1}`}, []string{`{}`}},
	{`a:1 b:2`, "", []string{`{"a":1}`, `{"b":2}`}, []string{`{}`}},
	{`a:1 OR b:2 AND c:3`, "", []string{`{"a":1}`, `{"b":2,"c":3}`}, []string{`{"b":2}`}},
	{`(a:1 OR b:2) AND c:3`, "", []string{`{"a":1,"c":3}`}, []string{`{"a":1}`}},
	{`NOT a:1`, "", []string{`{}`}, []string{`{"a":1}`}},
	{`a:1 AND NOT b:2`, "", []string{`{"a":1}`}, []string{`{"a":1,"b":2}`}},
	{`a:1 -b:2`, "", []string{`{"a":1}`}, []string{`{"a":1,"b":2}`, `{}`}},
	{`!b:2 a:1`, "", []string{`{"a":1}`}, []string{`{"a":1,"b":2}`, `{}`}},
	{`-a:1 -b:2`, "", []string{`{}`}, []string{`{"b":2}`}},
	{`+a:1 b:2`, "", []string{`{"a":1}`}, []string{`{"b":2}`}},
	{`+a:1 +b:2 -c:3`, "", []string{`{"a":1,"b":2}`}, []string{`{"a":1,"b":2,"c":3}`, `{"a":1}`}},
	{`f:(a OR b)`, "", []string{`{"f":"a"}`, `{"f":"b"}`}, []string{`{"f":"c"}`}},
	{`f:(a AND b)`, "", []string{`{"f":["a","b"]}`}, []string{`{"f":"a"}`}},
	{`f:(+a -b) OR g:x`, "", []string{`{"f":"a"}`, `{"g":"x","f":"b"}`}, []string{`{"f":["a","b"]}`}},
	{`f:("a b" c*)^2`, "", []string{`{"f":"a b"}`, `{"f":"cd"}`}, []string{`{"f":"b"}`}},
	{`f:(>5 AND <7)`, "", []string{`{"f":6}`}, []string{`{"f":7}`}},
	{`anna AND status:active`, "", []string{`{"_title":"Hanna","status":"active"}`}, []string{`{"_title":"Hanna"}`}},
	{`anna -lee`, "", []string{`{"_title":"Anna"}`}, []string{`{"_title":"Anna Lee"}`}},
	{`o\ k:1`, "", []string{`{"o k":1}`}, []string{`{}`}},
	{`\_exists_:x`, "", []string{`{"_exists_":"x"}`}, []string{`{"x":1}`}},
	{`a - b`, "a - b", nil, nil},
	{`+919000000001`, "919000000001", nil, nil}, // all of bare words are wanted anyway
	{`+anna +lee`, "anna lee", nil, nil},
	{`f:["now" TO nowhere]`, "", []string{`{"f":"now"}`}, nil},
	{`f:>"now-7d"`, "", []string{`{"f":"pow"}`}, nil},
	{`f:""`, "", []string{`{"f":""}`}, []string{`{}`}},
}

func TestLucene(t *testing.T) {
	for _, c := range luceneCases {
		f, text, err := ParseLucene(c.q)
		if err != nil || text != c.text {
			t.Errorf("%s: text %q, %v", c.q, text, err)
			continue
		}
		matched(t, c.q, f, c.yes, true)
		matched(t, c.q, f, c.no, false)
		relucened(t, f)
	}
}

// The words of a search begin words of the title, whatever signs they hold.
func TestTitled(t *testing.T) {
	for text, c := range map[string]struct{ yes, no []string }{
		"anna lee":     {[]string{`{"_title":"Anna Lee-Smith"}`, `{"_title":"Lee, ANNA"}`}, []string{`{"_title":"Anna"}`, `{"_title":"Hanna Lee"}`, `{}`}},
		`o"k) OR b:c*`: {[]string{`{"_title":"b:c* or o\"k)"}`}, []string{`{"b":"cd"}`, `{"_title":"o"}`, `{"_title":"b:cd or o\"k)"}`}},
		"":             {[]string{`{}`}, nil},
	} {
		matched(t, text, Titled(text), c.yes, true)
		matched(t, text, Titled(text), c.no, false)
	}
}

func TestBadLucene(t *testing.T) {
	for _, q := range []string{`(`, `)`, `()`, `(a`, `a)`, `a:`, `a: `, `a:(`, `"a`, `a:"b`, `a:[1 TO 2`, `a:[1 2]`, `a:[1 TO]`, `a:[a* TO b]`, `AND`, `a AND`, `AND a`, `a OR OR b`, `NOT`, `+`, `a:1 AND`, `a~`, `a~2`, `"a b"~3`, `a^x`, `f*:1`, `*:a`, `_exists_:a*`, `\`, `a:\`,
		`at:>now-7d`, `at:<now`, `at:[now/d TO *]`, `at:{2026-01-01||+1M TO *]`, `a:/x/`, `a:/.*x`, `a:/.*a|b.*/`, `a:>`, `a:>*`, `a..b:1`, `:x`, `[a TO b]`, `{`, `a:*b*c*d*e*f*g*h*i*j*k`, strings.Repeat("(", 500) + "a" + strings.Repeat(")", 500), strings.Repeat("-", 5000) + "a", strings.Repeat("x:1 AND y:1 ", 500), strings.Repeat("x", MaxText+1)} {
		_, _, err := ParseLucene(q)
		if f := fault.As(err); f == nil || f.Code != fault.Invalid || f.Field != "q" {
			if q == "+" && err == nil {
				continue // a sign that stands alone is a word
			}
			t.Errorf("%.60s: %v", q, err)
		}
	}
	for _, f := range []Filter{{Op: Eq, Field: "a", Value: 1}, {Op: Equal, Field: "a.keyword", Value: "x"}, {Op: Equal, Field: "a", Value: 1e300}, {Op: Equal, Field: "a", Value: "\xff"}} {
		if q, err := Lucene(f); fault.As(err) == nil {
			t.Errorf("%s is written as %s: %v", written(f), q, err)
		}
	}
}

// relucened writes a filter as a query, and wants the same answers of both.
func relucened(t interface {
	Helper()
	Fatalf(string, ...any)
}, f Filter, docs ...any) {
	t.Helper()
	q, err := Lucene(f)
	if err != nil {
		if fault.As(err) == nil {
			t.Fatalf("%s: %v", written(f), err)
		}
		return
	}
	g, text, err := ParseLucene(q)
	if err != nil || text != "" {
		t.Fatalf("%s became %s: %v, text %q", written(f), q, err, text)
	}
	m, err := Compile(f)
	if err != nil {
		t.Fatalf("%v", err)
	}
	n, err := Compile(g)
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, d := range docs {
		if a, b := m.MatchAt(d, at, time.UTC), n.MatchAt(d, at, time.UTC); a != b {
			t.Fatalf("%s became %s, then %s: %v and %v for %v", written(f), q, written(g), a, b, d)
		}
	}
}

// TestLuceneRoundTrip: a filter and its query mean the same.
func TestLuceneRoundTrip(t *testing.T) {
	had, all := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		var docs []any
		var pool []hint
		for range 6 {
			r := genRow().Draw(t, "row")
			docs = append(docs, r.document())
			pool = hints(r.document(), "", pool)
		}
		for range 5 {
			f := targeted(t, genFilter(3, false, pool).Draw(t, "filter"), pool)
			if all++; hasLucene(f) {
				had++
			}
			relucened(t, f, docs...)
		}
	})
	if had*2 < all {
		t.Errorf("only %d of %d filters had a form: the test proves little", had, all)
	}
}

func hasLucene(f Filter) bool {
	_, err := Lucene(f)
	return err == nil
}

// targeted replaces what is not of the fifth group.
func targeted(t *rapid.T, f Filter, pool []hint) Filter {
	of := f.Of
	f.Of = nil
	switch f.Op {
	case "", And, Or, Nor, Not:
		for _, x := range of {
			f.Of = append(f.Of, targeted(t, x, pool))
		}
		return f
	}
	if f.Op.targeting() {
		return f
	}
	for range 10 {
		if f = genLeaf(false, 0, pool).Draw(t, "of the fifth group"); f.Op.targeting() {
			return f
		}
	}
	return Filter{Op: Filled, Field: f.Field}
}

func FuzzLucene(f *testing.F) {
	for _, c := range luceneCases {
		f.Add(c.q)
	}
	f.Add(`((((a:/.*\/x.*/ || -"b\"") && f:[* TO "x y"}))^2) !c:*\*?`)
	docs := []any{map[string]any{}, map[string]any{"a": "x", "f": "a b", "_title": "Ann"}}
	f.Fuzz(func(t *testing.T, q string) {
		got, _, err := ParseLucene(q)
		used(t, got, err)
		if err == nil {
			relucened(t, got, docs...)
		}
	})
}
