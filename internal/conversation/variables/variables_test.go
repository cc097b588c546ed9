package variables_test

import (
	"strings"
	"testing"
	"time"

	"parley/internal/conversation/variables"
)

var source = variables.Source{Zone: time.FixedZone("IST", 19800), Currency: "INR",
	Lead:     map[string]any{"firstName": "asha", "lastName": "Rao", "dealValue": 125000.5, "createdAt": "2026-03-02T09:00:00.000Z", "dynamicFields": map[string]any{"city": "Pune"}},
	Vars:     map[string]any{"order_id": "O-7", "amount": 1500.0, "when": "2026-03-02T20:30:00Z", "items": []any{map[string]any{"name": "sofa"}}},
	Resolved: map[string]any{"meetLink": "https://meet.example/x"}}

func TestFormulas(t *testing.T) {
	for formula, want := range map[string]string{
		`uppercase(lead.firstName)`:                                   "ASHA",
		`concat(lead.firstName, " ", lowercase('RAO'))`:               "asha rao",
		`truncate("héllo wörld", 7)`:                                  "héllo w",
		`formatDate(vars.when, "DD MMM YYYY")`:                        "03 Mar 2026", // in the tenant's zone it is the next day
		`formatTime(when)`:                                            "2:00 am",
		`formatDate("soon")`:                                          "soon",
		`concat(items.0.name, ", ", vars.missing, resolved.meetLink)`: "sofa, https://meet.example/x",
		`{{lead.firstName}} {{order_id}}`:                             "asha O-7",
		`concat({{lead.firstName}}, 5)`:                               "asha5",
		`price`:                                                       "",
	} {
		if got, err := source.Eval(formula); err != nil || got != want {
			t.Errorf("%s is %q, not %q: %v", formula, got, want, err)
		}
	}
	for _, bad := range []string{"", "evil(1)", `concat("a"`, `concat("a" "b")`, `uppercase()`, `uppercase("a","b")`, `truncate("a", "x")`, `concat("a") b`, `"open`,
		strings.Repeat("uppercase(", 20) + "x" + strings.Repeat(")", 20), strings.Repeat("x", 2000)} {
		if err := variables.CheckFormula(bad); err == nil {
			t.Errorf("%.40q was taken", bad)
		}
	}
}

func TestTransforms(t *testing.T) {
	for _, c := range []struct {
		name, path string
		v          any
		want       string
	}{
		{"", "lead.firstName", "asha", "asha"}, {"uppercase", "x", "aé", "AÉ"}, {"titlecase", "x", "asha o'neil RAO", "Asha O'neil Rao"},
		{"date", "x", "2026-03-02T20:30:00Z", "3 March 2026"}, {"currency", "x", 125000.5, "₹1,25,000.50"}, {"currency", "x", "none", "none"},
		{"number", "x", 1234567.0, "12,34,567"}, {"none", "vars.amount", 1500.0, "₹1,500"},
	} {
		if got := source.Transform(c.name, c.path, c.v); got != c.want {
			t.Errorf("%s of %v is %q, not %q", c.name, c.v, got, c.want)
		}
	}
}

// Whatever somebody writes as a formula ends, and in bounds.
func FuzzEval(f *testing.F) {
	for _, s := range []string{`concat(lead.firstName, "x")`, `{{a}}`, `truncate("é", 1)`, `formatDate(when, "YYYYMMDD")`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if out, err := source.Eval(s); err == nil && len(out) > 64<<10 {
			t.Fatalf("%d bytes", len(out))
		}
	})
}
