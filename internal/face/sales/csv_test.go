package sales

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"parley/internal/fault"
	"parley/internal/httpx"
)

type inner struct {
	First string `json:"firstName"`
	Tags  []string
}

type self struct {
	Name  string `json:"name"`
	Under *self  `json:"under"`
}

// upper is a value that writes itself.
type upper string

func (u upper) MarshalJSON() ([]byte, error) { return json.Marshal(strings.ToUpper(string(u))) }

func TestColumns(t *testing.T) {
	type embedded struct {
		ID string `json:"id"`
	}
	type item struct {
		embedded
		Agent   *inner           `json:"agent,omitempty"`
		Phones  []string         `json:"phones"`
		Numbers []int            `json:"numbers"`
		Any     []any            `json:"any"`
		Leads   []inner          `json:"leads"`
		Open    map[string]any   `json:"open"`
		On      bool             `json:"on"`
		At      *string          `json:"at"`
		Mean    *float64         `json:"mean"`
		Word    upper            `json:"word"`
		Raw     json.RawMessage  `json:"raw"`
		Hidden  string           `json:"-"`
		Self    *self            `json:"self"`
		Words   []upper          `json:"words"`
		Nested  []map[string]any `json:"nested"`
		private string
	}
	at := "2026-01-01T00:00:00.000Z"
	full := item{embedded: embedded{"1"}, Agent: &inner{"As,ha", []string{"a", "b"}}, Phones: []string{"+1", "+2"}, Numbers: []int{1, 2}, Any: []any{"x", 1.5, true},
		Leads: []inner{{First: "L"}}, Open: map[string]any{"k": "v"}, On: true, At: &at, Word: "a\"b", Raw: json.RawMessage(`{"a":[1]}`), Hidden: "h",
		Self: &self{"top", &self{Name: "below"}}, Words: []upper{"x", "y"}, Nested: []map[string]any{{"a": 1}}, private: "p"}
	want := [][]string{
		{"id", "agent.firstName", "agent.Tags", "phones", "numbers", "any", "leads", "open", "on", "at", "mean", "word", "raw", "self.name", "self.under", "words", "nested"},
		{"1", "As,ha", "a|b", "+1|+2", "1|2", "x|1.5|true", `[{"firstName":"L","Tags":null}]`, `{"k":"v"}`, "true", at, "", `A"B`, `{"a":[1]}`, "top", `{"name":"below","under":null}`, "X|Y", `[{"a":1}]`},
		{"", "", "", "", "", "", "", "", "false", "", "", "", "", "", "", "", ""},
	}
	cols := columnsOf(reflect.TypeFor[*item]())
	raw := line4180(nil, cols.header)
	raw = cols.row(raw, reflect.ValueOf(full))
	raw = cols.row(raw, reflect.ValueOf(&item{}))
	got, err := csv.NewReader(strings.NewReader(string(raw))).ReadAll()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n got %q\nwant %q", err, got, want)
	}
}

func TestLinesFollowTheStandard(t *testing.T) {
	for want, cells := range map[string][]string{
		"a,b\r\n":                        {"a", "b"},
		"\"a,b\",\"say \"\"hi\"\"\"\r\n": {"a,b", `say "hi"`},
		"\"two\nlines\",\"c\rd\"\r\n":    {"two\nlines", "c\rd"},
		"\" led\",\"trailed \",\r\n":     {" led", "trailed ", ""},
		"\"\"\r\n":                       {""},
		"=1+1,ñandú\r\n":                 {"=1+1", "ñandú"},
	} {
		if got := string(line4180(nil, cells)); got != want {
			t.Errorf("%q is %q, want %q", cells, got, want)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("a", "b,\"c\"\n")
	f.Fuzz(func(t *testing.T, a, b string) {
		r := csv.NewReader(strings.NewReader(string(line4180(nil, []string{a, b}))))
		got, err := r.Read()
		norm := func(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") } // the reader's own rule
		if err != nil || len(got) != 2 || got[0] != norm(a) || got[1] != norm(b) {
			t.Errorf("%q, %q came back as %q, %v", a, b, got, err)
		}
	})
}

func TestListsOfPlainValuesAreTables(t *testing.T) {
	r := httpx.NewRequest(httptest.NewRequest("GET", "/?format=CSV", nil), httpx.Principal{}, nil, nil)
	for want, v := range map[string]any{
		"value\r\nnew\r\nused\r\n":       []string{"new", "used"},
		"value\r\n":                      []string(nil),
		"value\r\n\"{\"\"a\"\":1}\"\r\n": []map[string]any{{"a": 1}},
	} {
		resp, err := reply(r, v)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := resp.Encode(); string(body) != want || resp.Header.Get("Content-Type") != csvType {
			t.Errorf("%v is %q, want %q", v, body, want)
		}
	}
	r = httpx.NewRequest(httptest.NewRequest("GET", "/", nil), httpx.Principal{}, nil, nil)
	if resp, err := reply(r, []string(nil)); err != nil {
		t.Error(err)
	} else if body, _ := resp.Encode(); string(body) != "[]" {
		t.Errorf("an empty list is %q", body)
	}
}

// accepted is what a client that sends Accept gets.
func TestAccept(t *testing.T) {
	for accept, want := range map[string]bool{
		"": false, "*/*": false, "application/json, text/csv, text/plain": false, "text/csv": true, "text/csv, application/json": true,
		"application/json;q=0.2, text/csv;q=0.8": true, "text/csv;q=0.2, application/json;q=0.8": false, "text/csv; Q=0.2, */*": false,
		"text/csv;q=0": false, "text/plain, text/*;q=0.5": true, "TEXT/CSV": true, "text/csv;header=present;q=0.3, application/json;q=0.4": false,
		"application/xml": false, "text/csv;q=nonsense": true, "text/csv;q=7, application/json": true,
	} {
		hr := httptest.NewRequest("GET", "/", nil)
		hr.Header.Set("Accept", accept)
		if got, err := wantsCSV(httpx.NewRequest(hr, httpx.Principal{}, nil, nil)); err != nil || got != want {
			t.Errorf("%q: %v, %v", accept, got, err)
		}
	}
}

// A list that fails before anything was sent is an error like any other; one that
// fails later is cut off, so that nobody takes it for whole.
func TestStreamsThatFail(t *testing.T) {
	f := &Face{}
	list := func(n int, last error) rows {
		return func(context.Context, *httpx.Request) (any, iter.Seq2[any, error], error) {
			return inner{}, func(yield func(any, error) bool) {
				for range n {
					if !yield(inner{First: strings.Repeat("x", 1000)}, nil) {
						return
					}
				}
				if last != nil {
					yield(nil, last)
				}
			}, nil
		}
	}
	boom := errors.New("the disk is on fire")
	server := func(l rows) (int, string, error) {
		h, err := httpx.NewHandler(httpx.Options{}, httpx.Face{Name: "x", Prefixes: []string{"/"}, WriteError: writeError,
			Routes: []httpx.Route{{Method: "GET", Pattern: "/list", Public: true, Raw: f.stream(l)}}})
		if err != nil {
			t.Fatal(err)
		}
		s := httptest.NewServer(h)
		defer s.Close()
		resp, err := s.Client().Get(s.URL + "/list?format=csv")
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body), err
	}
	if status, body, err := server(list(10, boom)); err != nil || status != 500 || !strings.Contains(body, "INTERNAL_ERROR") || strings.Contains(body, "fire") || strings.Contains(body, "xxx") {
		t.Errorf("early: %d %.200s %v", status, body, err)
	}
	if status, body, err := server(list(10, fault.Field("limit", "too much"))); err != nil || status != 400 || !strings.Contains(body, "too much") {
		t.Errorf("early and the caller's: %d %.200s %v", status, body, err)
	}
	if status, _, err := server(list(1000, boom)); status != 200 || err == nil {
		t.Errorf("late: %d, %v: the answer looks whole", status, err)
	}
	if status, body, err := server(list(1000, nil)); err != nil || status != 200 || strings.Count(body, "\r\n") != 1001 {
		t.Errorf("whole: %d, %v, %d lines", status, err, strings.Count(body, "\r\n"))
	}
	if status, body, err := server(list(0, nil)); err != nil || status != http.StatusOK || body != "firstName,Tags\r\n" {
		t.Errorf("empty: %d %q %v", status, body, err)
	}
}
