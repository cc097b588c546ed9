package httpx

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
)

type inner struct {
	Phone string    `json:"phone"`
	Age   int       `json:"age"`
	At    time.Time `json:"at"`
	Lead  id.ID     `json:"lead"`
}

type wide struct {
	Base
	Name   string           `json:"name"`
	Value  float64          `json:"value"`
	Open   bool             `json:"open"`
	Tags   []string         `json:"tags"`
	Inner  inner            `json:"inner"`
	List   []*inner         `json:"list"`
	Map    map[string]inner `json:"map"`
	Any    any              `json:"any"`
	Custom picky            `json:"custom"`
	Count  uint8            `json:"count"`
}

// Base is embedded, so that promoted fields are found.
type Base struct {
	Stage string `json:"stage"`
}

type picky string

func (p *picky) UnmarshalJSON(b []byte) error {
	if string(b) != `"ok"` {
		return fault.Field("mode", "mode must be ok").Because("picky")
	}
	*p = "ok"
	return nil
}

func TestDecodeNamesTheField(t *testing.T) {
	for body, want := range map[string]string{
		`{"name":1}`:                              "name",
		`{"stage":{}}`:                            "stage",
		`{"value":"x"}`:                           "value",
		`{"open":"true"}`:                         "open",
		`{"tags":"x"}`:                            "tags",
		`{"tags":["a",2]}`:                        "tags.1",
		`{"inner":[]}`:                            "inner",
		`{"inner":{"age":1.5}}`:                   "inner.age",
		`{"inner":{"age":99999999999999999999}}`:  "inner.age",
		`{"list":[{"phone":"1"},{"phone":2}]}`:    "list.1.phone",
		`{"list":[{"at":"yesterday"}]}`:           "list.0.at",
		`{"inner":{"lead":"zz"}}`:                 "inner.lead",
		`{"map":{"a":{},"b":{"phone":true}}}`:     "map.b.phone",
		`{"any":1e999}`:                           "any",
		`{"custom":"no"}`:                         "custom.mode",
		`{"count":300}`:                           "count",
		`{"name":"a\u0000b"}`:                     "name",
		`{"unknown":{"deep":["x","\u0000"]}}`:     "unknown.deep.1",
		`{"any":{"a\u0000":1}}`:                   "any",
		"{\"list\":[{\"phone\":\"\xff\"}]}":       "list.0.phone",
		`{"list":[[1],{"a":{"b":"\u0000"}}]}`:     "list.1.a.b",
		`{"a":[1,{"x":"y"},"\u0000"],"name":"z"}`: "a.2",
	} {
		var dst wide
		f := fault.As(DecodeJSON([]byte(body), &dst))
		if f == nil || f.Code != fault.Invalid || f.Field != want || f.Message == "" {
			t.Errorf("%s: %+v, want a fault of %s", body, f, want)
		}
	}
}

func TestDecodeRefusesWhatIsNotJSON(t *testing.T) {
	for _, body := range []string{
		`{`, `{"name":"x"} x`, `{"name":"x"}{}`, `nul`, `{"name":'x'}`, "{\"name\":\"a\x00b\"}", "\xff", `{"a":"\u0000"`,
		`[]`, `"text"`, `7`, strings.Repeat("[", 65) + strings.Repeat("]", 65), strings.Repeat(`{"any":`, 65) + "1" + strings.Repeat("}", 65),
		strings.Repeat("[", 5_000_000),
	} {
		var dst wide
		f := fault.As(DecodeJSON([]byte(body), &dst))
		if f == nil || f.Code != fault.Invalid || f.Reason != "json" || f.Field != "" {
			t.Errorf("%.60q: %+v, want Reason json", body, f)
		}
	}
}

func TestDecodeTolerates(t *testing.T) {
	for _, body := range []string{
		``, ` `, "\n", `{}`, `null`, "\xef\xbb\xbf{}", `{"unknown":1,"deep":{"x":[1,2]}}`, `{"name":null}`, `{"name":"a\\u0000b"}`, `{"name":"\ud800"}`,
		strings.Repeat(`{"any":`, 64) + "1" + strings.Repeat("}", 64), `{"name":"[[[[{{{{` + strings.Repeat("[", 200) + `"}`,
	} {
		var dst wide
		if err := DecodeJSON([]byte(body), &dst); err != nil {
			t.Errorf("%.60q: %v", body, err)
		}
	}
	var dst wide
	if err := DecodeJSON([]byte(`{"name":"é \"x\"","stage":"new","custom":"ok","list":[{"age":3}]}`), &dst); err != nil {
		t.Fatal(err)
	}
	want := wide{Base: Base{"new"}, Name: `é "x"`, Custom: "ok", List: []*inner{{Age: 3}}}
	if !reflect.DeepEqual(dst, want) {
		t.Errorf("got %+v", dst)
	}
}

func TestQueryHelpers(t *testing.T) {
	r := func(q string) *Request {
		return NewRequest(httptest.NewRequest("GET", "/x?"+q, nil), Principal{}, nil, nil)
	}
	if n, err := r("").QueryInt("limit", 20, 1, 100); n != 20 || err != nil {
		t.Error(n, err)
	}
	if n, err := r("limit=7").QueryInt("limit", 20, 1, 100); n != 7 || err != nil {
		t.Error(n, err)
	}
	for _, q := range []string{"limit=0", "limit=101", "limit=x", "limit=1.5", "limit=99999999999999999999"} {
		if _, err := r(q).QueryInt("limit", 20, 1, 100); fault.As(err) == nil || fault.As(err).Field != "limit" {
			t.Errorf("%s: %v", q, err)
		}
	}
	if b, err := r("all=TRUE").QueryBool("all", false); !b || err != nil {
		t.Error(b, err)
	}
	if _, err := r("all=maybe").QueryBool("all", false); fault.As(err) == nil || fault.As(err).Field != "all" {
		t.Error(err)
	}
	for q, want := range map[string]string{
		"2026-01-31":                    "2026-01-31T00:00:00Z",
		"2026-01-31T10:00:00Z":          "2026-01-31T10:00:00Z",
		"2026-01-31T10:00:00.5%2B02:00": "2026-01-31T08:00:00.5Z",
		"2026-01-31T10:00:00+02:00":     "2026-01-31T08:00:00Z",
	} {
		got, err := r("from=" + q).QueryTime("from")
		if err != nil || got.Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %s, %v", q, got, err)
		}
	}
	if got, err := r("").QueryTime("from"); !got.IsZero() || err != nil {
		t.Error(got, err)
	}
	if _, err := r("from=soon").QueryTime("from"); fault.As(err) == nil || fault.As(err).Field != "from" {
		t.Error(err)
	}
	if got := r("t=a&t=b&t[]=c&t[0]=d&t[1]=e;f").QueryList("t"); fmt.Sprint(got) != "[a b c d e;f]" {
		t.Error(got)
	}
	// Numbers may be missing, as when a client took elements out of its list.
	if got := r("t[10]=d&t[2]=c&t[1]=a&t[1]=b&t[x]=no&t[-1]=no&t[01]=no&t[1=no&t[99999999999999999999]=e").QueryList("t"); fmt.Sprint(got) != "[a b c d e]" {
		t.Error(got)
	}
	if got := r("q=%20a%20").QueryString("q"); got != "a" {
		t.Errorf("%q", got)
	}
}

func TestResponseEncodesOnceAndPlainly(t *testing.T) {
	calls := 0
	r := JSON(200, map[string]any{"a": "<b>&", "n": counter{&calls}})
	for range 2 {
		b, err := r.Encode()
		if err != nil || string(b) != `{"a":"<b>&","n":1}` {
			t.Fatalf("%s %v", b, err)
		}
	}
	for _, body := range []any{[]byte(" raw "), json.RawMessage(" raw ")} {
		if b, _ := (&Response{Body: body}).Encode(); string(b) != " raw " {
			t.Errorf("%q", b)
		}
	}
	if b, err := Empty(204).Encode(); b != nil || err != nil {
		t.Error(b, err)
	}
	if _, err := JSON(200, make(chan int)).Encode(); err == nil {
		t.Error("a channel was encoded")
	}
}

type counter struct{ n *int }

func (c counter) MarshalJSON() ([]byte, error) { *c.n++; return fmt.Appendf(nil, "%d", *c.n), nil }

func TestAllows(t *testing.T) {
	for _, c := range []struct {
		scopes string
		scope  string
		want   bool
	}{
		{"platform:crm:read", "platform:crm:read", true},
		{"platform:crm:read", "platform:crm:write", false},
		{"platform:*", "platform:crm:read", true},
		{"platform:*", "platformx:crm", false},
		{"platform:crm:*", "platform:chat:read", false},
		{"*", "anything", true},
		{"a b", "b", true},
		{"", "a", false},
		{"", "", true},
		{"platform", "platform:crm:read", false},
	} {
		if got := (Principal{Scopes: strings.Fields(c.scopes)}).Allows(c.scope); got != c.want {
			t.Errorf("%q allows %q = %v", c.scopes, c.scope, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"name":1}`, `{"list":[{"phone":"\u0000"}]}`, `{"inner":{"at":"x"}}`, "\xff", `[]`, `{"custom":{}}`, `{"a":"\ud800\u0000"}`, `{"":{"":"\u0000"}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var dst wide
		err := DecodeJSON(body, &dst)
		if err != nil {
			if e := fault.As(err); e == nil || e.Code != fault.Invalid || e.Message == "" {
				t.Fatalf("%q: %v is no fault of the caller", body, err)
			}
			return
		}
		out, err := json.Marshal(dst)
		if err != nil {
			t.Fatalf("%q decodes to what cannot be encoded: %v", body, err)
		}
		if strings.Contains(string(out), `\u0000`) && !strings.Contains(string(out), `\\u0000`) {
			t.Fatalf("%q lets a NUL through: %s", body, out)
		}
	})
}
