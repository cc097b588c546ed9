package automation

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func testScope() *scope {
	return &scope{
		lead: map[string]any{"firstName": "Asha", "score": map[string]any{"total": 40.0}, "tags": []any{"vip", "new"},
			"metadata": map[string]any{"extra": map[string]any{"plan": "gold"}}, "email": nil},
		vars: map[string]any{"orderId": "A-1", "totalAmount": 123456.5, "price": "1500", "coffee": 2.0, "a.b": "dotted", "a": map[string]any{"b": "nested", "c": "deep"},
			"start": "2026-11-21T10:30:00Z", "day": "2026-11-21", "items": []any{map[string]any{"sku": "S1"}}, "yes": true, "lead": "shadow", "n": 1500.0},
		resolved: map[string]any{"today": "2026-11-21"},
	}
}

func TestRender(t *testing.T) {
	kolkata, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	st := style{zone: kolkata, currency: "INR"}
	for in, want := range map[string]string{
		"":                                     "",
		"no placeholder":                       "no placeholder",
		"Hi {{lead.firstName}}!":               "Hi Asha!",
		"{{ lead.firstName }}{{orderId}}":      "AshaA-1",
		"{{ event.orderId }} {{vars.orderId}}": "A-1 A-1",
		"{{lead.metadata.extra.plan}}":         "gold",
		"{{missing}}|{{lead.nope.deeper}}":     "|",
		"{{lead.email}}":                       "",
		"{{ two words }}":                      "",
		"{{}}":                                 "",
		"open {{ lead.firstName":               "open {{ lead.firstName",
		"{{ a {{orderId}}":                     "{{ a A-1",
		"{ {{orderId}} }":                      "{ A-1 }",
		"}} {{orderId}}":                       "}} A-1",
		"{{a.b}} {{a.c}}":                      "dotted deep",
		"{{items.0.sku}}{{items.7.sku}}":       "S1",
		"{{items.-1.sku}}":                     "",
		"{{items}}":                            `[{"sku":"S1"}]`,
		"{{yes}}":                              "true",
		"{{start}}":                            "Saturday, 21 November 2026, 4:00 pm",
		"{{day}}":                              "Saturday, 21 November 2026",
		"{{totalAmount}}":                      "₹1,23,456.50",
		"{{price}}":                            "₹1,500",
		"{{coffee}}":                           "2", // fee inside a word is no fee
		"{{n}}":                                "1500",
		"{{lead.score.total}}":                 "40",
		"{{resolved.today}}":                   "Saturday, 21 November 2026",
		"{{lead.tags.1}}":                      "new",
	} {
		if got := render(in, testScope(), st); got != want {
			t.Errorf("render(%q) = %q, want %q", in, got, want)
		}
	}
	if got := render("{{start}} {{price}}", testScope(), style{plain: true}); got != "2026-11-21T10:30:00Z 1500" {
		t.Errorf("plain: %q", got)
	}
	if got := render("{{lead.fee}}", &scope{lead: map[string]any{"fee": -1234567.25}}, style{currency: "EUR"}); got != "-EUR 1,234,567.25" {
		t.Errorf("%q", got)
	}
}

func TestRenderIsBounded(t *testing.T) {
	sc := &scope{vars: map[string]any{"x": strings.Repeat("é", 10_000)}}
	got := render(strings.Repeat("{{x}}", 10_000), sc, style{plain: true})
	if len(got) > maxText || len(got) < maxText-1 || !utf8.ValidString(got) {
		t.Errorf("%d bytes, valid %v", len(got), utf8.ValidString(got))
	}
	begun := time.Now()
	render(strings.Repeat("{{", 1<<20), sc, style{plain: true})
	render(strings.Repeat("{{}}", 1<<20), sc, style{plain: true})
	if d := time.Since(begun); d > 20*time.Second {
		t.Errorf("hostile templates took %s", d)
	}
}

func FuzzRender(f *testing.F) {
	for _, s := range []string{"{{a}}", "{{ lead.firstName }}", "{{{{a}}}}", "{{", "}}", "{{a.b.c.0}}", "{{start}}{{totalAmount}}"} {
		f.Add(s, "value {{a}}")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		sc := testScope()
		sc.vars["a"] = value
		got := render(text, sc, style{zone: time.UTC, currency: "INR"})
		if len(got) > maxText {
			t.Fatalf("%d bytes", len(got))
		}
		if utf8.ValidString(text) && utf8.ValidString(value) && !utf8.ValidString(got) {
			t.Fatal("valid text became invalid")
		}
		if !strings.Contains(text, "{{") && got != cut(text, maxText) {
			t.Fatal("text without placeholders was changed")
		}
	})
}
