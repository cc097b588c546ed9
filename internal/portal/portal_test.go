package portal_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"parley/internal/campaign"
	"parley/internal/clock"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/portal"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bg = context.Background()

const actor = "key:test"

type world struct {
	*testing.T
	db     *store.DB
	clock  *clock.Fake
	s      *portal.Service
	tenant id.ID
}

func each(t *testing.T, f func(w world), opts ...storetest.Option) {
	start := clock.NewFake(time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC))
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f(world{t, db, start, portal.NewService(db, event.NewLog(), nil, nil), id.New()})
	}, append(opts, storetest.Clock(start))...)
}

func (w world) r() store.Reader { return w.s.Reads(bg, w.tenant) }

// widgets reads widgets as a body of JSON has them.
func widgets(t testing.TB, body string) (out []map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func (w world) place(origin, body string) []portal.Widget {
	w.Helper()
	out, err := w.s.Place(bg, w.tenant, actor, origin, widgets(w, body))
	if err != nil {
		w.Fatal(err)
	}
	return out
}

// usage shows where a campaign is used as "<origin>: <widget> <widget>".
func (w world) usage(c id.ID) (out []string) {
	w.Helper()
	list, err := w.s.UsageOf(w.r(), c)
	if err != nil {
		w.Fatal(err)
	}
	for _, u := range list {
		var ids []string
		for _, x := range u.Widgets {
			ids = append(ids, x.ID)
		}
		out = append(out, u.Portal.Origin+": "+strings.Join(ids, " "))
	}
	refers, err := w.s.Refers(w.r(), c)
	if err != nil || refers != (len(list) > 0) {
		w.Errorf("%s refers: %v, %v; it is used by %v", c, refers, err, out)
	}
	return out
}

func (w world) events() (out []string) {
	w.Helper()
	rows, err := w.r().Query("SELECT type, changed FROM event WHERE tenant_id=? ORDER BY seq")
	if err != nil {
		w.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var typ string
		var changed []string
		if err := rows.Scan(&typ, store.JSON(&changed)); err != nil {
			w.Fatal(err)
		}
		out = append(out, typ+" "+strings.Join(changed, ","))
	}
	return out
}

func text(s string) *string { return &s }

func TestAPortalIsMadeOnceAndChanged(t *testing.T) {
	each(t, func(w world) {
		off := false
		p, made, err := w.s.Save(bg, w.tenant, actor, portal.EndCustomer, portal.Change{Name: text(" My energy "), Domain: text("my.example.com"),
			Extra: map[string]any{"pages": []any{map[string]any{"id": "p", "blocks": []any{1.0}}}, "design": "x"}})
		if err != nil || !made || p.Name != "My energy" || !p.Enabled || p.Domain != "my.example.com" {
			t.Fatalf("made %+v %v %v", p, made, err)
		}
		w.clock.Advance(time.Second)
		again, made, err := w.s.Save(bg, w.tenant, actor, portal.EndCustomer, portal.Change{Enabled: &off, Extra: map[string]any{"design": nil, "more": 1.0}})
		if err != nil || made || again.ID != p.ID || again.Name != p.Name || again.Enabled || !again.UpdatedAt.After(p.UpdatedAt) {
			t.Fatalf("changed %+v %v %v", again, made, err)
		}
		if d := cmp.Diff(map[string]any{"pages": p.Extra["pages"], "more": 1.0}, again.Extra); d != "" {
			t.Error(d)
		}
		same, _, err := w.s.Save(bg, w.tenant, actor, portal.EndCustomer, portal.Change{Enabled: &off, Extra: map[string]any{"more": 1.0, "gone": nil}})
		if err != nil || !cmp.Equal(same, again) {
			t.Errorf("the same again: %v %s", err, cmp.Diff(again, same))
		}
		got, err := w.s.Get(w.r(), p.ID)
		if err != nil || !cmp.Equal(got, again) {
			t.Errorf("read: %v %s", err, cmp.Diff(again, got))
		}
		if _, made, err := w.s.Save(bg, w.tenant, actor, portal.Installer, portal.Change{}); err != nil || !made {
			t.Errorf("the other: %v %v", made, err)
		}
		list, err := w.s.List(w.r())
		if err != nil || len(list) != 2 || list[0].Origin != portal.EndCustomer || list[1].Origin != portal.Installer {
			t.Errorf("listed %+v %v", list, err)
		}
		if d := cmp.Diff([]string{"portal.created name,domain,settings", "portal.updated enabled,settings", "portal.created "}, w.events()); d != "" {
			t.Error(d)
		}
		// Another tenant has none of it.
		if _, err := w.s.Get(w.s.Reads(bg, id.New()), p.ID); !errors.Is(err, fault.Of(fault.NotFound)) && fault.As(err).Reason != "portal" {
			t.Errorf("of another tenant: %v", err)
		}
		if list, err := w.s.List(w.s.Reads(bg, id.New())); err != nil || len(list) != 0 {
			t.Errorf("of another tenant: %v %v", list, err)
		}
	})
}

func TestWhatAPortalMayNotBe(t *testing.T) {
	each(t, func(w world) {
		many := map[string]any{}
		for i := range 501 {
			many[fmt.Sprint("k", i)] = 1.0
		}
		for field, c := range map[string]struct {
			origin string
			portal.Change
		}{
			"origin":  {"", portal.Change{}},
			"origin ": {"ELSEWHERE", portal.Change{}},
			"name":    {portal.Installer, portal.Change{Name: text(strings.Repeat("ü", 201))}},
			"domain":  {portal.Installer, portal.Change{Domain: text(strings.Repeat("a", 254))}},
			"":        {portal.Installer, portal.Change{Extra: map[string]any{"pages": strings.Repeat("a", 1<<20)}}},
			" ":       {portal.Installer, portal.Change{Extra: many}},
		} {
			_, _, err := w.s.Save(bg, w.tenant, actor, c.origin, c.Change)
			if f := fault.As(err); f == nil || f.Code != fault.Invalid || f.Field != strings.TrimSpace(field) {
				t.Errorf("%q: %v", field, err)
			}
		}
		if list, err := w.s.List(w.r()); err != nil || len(list) != 0 {
			t.Errorf("what was refused is there: %v %v", list, err)
		}
	})
}

func TestWidgetsAreReplacedAsAWhole(t *testing.T) {
	each(t, func(w world) {
		c, d := id.New(), id.New()
		first := fmt.Sprintf(`[{"id":"b","type":"CAMPAIGN_WIDGET","listIndex":2,"headline":{"en":"Switch","de":"Wechseln"},"campaign_id":%q,"own":{"x":[1,null]}},
			{"id":"a","type":"PRODUCT_RECOMMENDATIONS_WIDGET","listIndex":1,"campaign_id":%q,"imageUrl":"https://x/y.png","button":{"label":{"en":"Go"},"url":"/go"}},
			{"id":"t","type":"TEASER_WIDGET","listIndex":0,"campaign_id":%q},
			{"id":"none","type":"CAMPAIGN_WIDGET","listIndex":0},
			{"id":"foreign","type":"CAMPAIGN_WIDGET","listIndex":0,"campaign_id":"b8c01433-5556-4e2b-aad4-6f5348d1df84"}]`, c.UUID(), c.UUID(), c.UUID())
		given := w.place(portal.EndCustomer, first)
		got, err := w.s.Widgets(w.r(), portal.EndCustomer)
		if err != nil || !cmp.Equal(got, given) || !cmp.Equal(bodies(got), widgets(t, first)) {
			t.Errorf("read %v %s %s", err, cmp.Diff(given, got), cmp.Diff(widgets(t, first), bodies(got)))
		}
		// By the order of the page, and a teaser refers to nothing.
		if d := cmp.Diff([]string{"END_CUSTOMER_PORTAL: a b"}, w.usage(c)); d != "" {
			t.Error(d)
		}
		if h := got[0].Headline(); !cmp.Equal(h, map[string]string{"en": "Switch", "de": "Wechseln"}) || got[1].Headline() != nil {
			t.Errorf("headlines %v, %v", h, got[1].Headline())
		}
		w.place(portal.Installer, fmt.Sprintf(`[{"id":"a","type":"CAMPAIGN_WIDGET","listIndex":0,"campaign_id":%q},{"id":"b","type":"CAMPAIGN_WIDGET","listIndex":0,"campaign_id":%q}]`, strings.ToUpper(c.UUID()), d.UUID()))
		if d := cmp.Diff([]string{"END_CUSTOMER_PORTAL: a b", "INSTALLER_PORTAL: a"}, w.usage(c)); d != "" {
			t.Error(d)
		}
		all, err := w.s.Widgets(w.r(), "")
		if err != nil || len(all) != 7 {
			t.Errorf("all widgets: %d %v", len(all), err)
		}
		if used, err := w.s.UsageOf(w.s.Reads(bg, id.New()), c); err != nil || used != nil {
			t.Errorf("for another tenant: %v %v", used, err)
		}

		portals, err := w.s.List(w.r())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.s.PlaceAt(bg, w.tenant, actor, portals[1].ID, nil); err != nil {
			t.Fatal(err)
		}
		w.place(portal.EndCustomer, fmt.Sprintf(`[{"id":"b","type":"CAMPAIGN_WIDGET","listIndex":2,"campaign_id":%q}]`, d.UUID()))
		if got := w.usage(c); got != nil {
			t.Errorf("still used by %v", got)
		}
		if diff := cmp.Diff([]string{"END_CUSTOMER_PORTAL: b"}, w.usage(d)); diff != "" {
			t.Error(diff)
		}
		if _, err := w.s.PlaceAt(bg, id.New(), actor, portals[0].ID, nil); fault.As(err) == nil || fault.As(err).Reason != "portal" {
			t.Errorf("a portal of another tenant: %v", err)
		}
		want := []string{"portal.created widgets", "portal.created widgets", "portal.updated widgets", "portal.updated widgets"}
		if d := cmp.Diff(want, w.events()); d != "" {
			t.Error(d)
		}
	})
}

func bodies(list []portal.Widget) (out []map[string]any) {
	for _, w := range list {
		out = append(out, w.Body)
	}
	return out
}

func TestWhatAWidgetMayNotBe(t *testing.T) {
	each(t, func(w world) {
		w.place(portal.EndCustomer, `[{"id":"kept","type":"ENTITY_WIDGET","listIndex":0}]`)
		good := `{"id":"g","type":"CONTENT_WIDGET","listIndex":0}`
		campaign := func(more string) string { return `[{"id":"x","type":"CAMPAIGN_WIDGET","listIndex":0,` + more + `}]` }
		for _, c := range []struct{ field, body string }{
			{"widgets[0]", `[null]`},
			{"widgets[0].id", `[{"type":"CONTENT_WIDGET","listIndex":0}]`},
			{"widgets[0].id", `[{"id":" ","type":"CONTENT_WIDGET","listIndex":0}]`},
			{"widgets[0].id", `[{"id":7,"type":"CONTENT_WIDGET","listIndex":0}]`},
			{"widgets[0].id", `[{"id":"` + strings.Repeat("x", 201) + `","type":"CONTENT_WIDGET","listIndex":0}]`},
			{"widgets[1].id", "[" + good + "," + good + "]"},
			{"widgets[1].type", "[" + good + `,{"id":"x","listIndex":0}]`},
			{"widgets[0].type", `[{"id":"x","type":"BANNER","listIndex":0}]`},
			{"widgets[0].type", `[{"id":"x","type":{},"listIndex":0}]`},
			{"widgets[0].listIndex", `[{"id":"x","type":"CONTENT_WIDGET"}]`},
			{"widgets[0].listIndex", `[{"id":"x","type":"CONTENT_WIDGET","listIndex":"0"}]`},
			{"widgets[0].listIndex", `[{"id":"x","type":"CONTENT_WIDGET","listIndex":-1}]`},
			{"widgets[0].listIndex", `[{"id":"x","type":"CONTENT_WIDGET","listIndex":0.5}]`},
			{"widgets[0].listIndex", `[{"id":"x","type":"CONTENT_WIDGET","listIndex":1e300}]`},
			{"widgets[0].headline", `[{"id":"x","type":"CONTENT_WIDGET","listIndex":0,"headline":"Hello"}]`},
			{"widgets[0].headline.de", `[{"id":"x","type":"CONTENT_WIDGET","listIndex":0,"headline":{"en":"Hello","de":5}}]`},
			{"widgets[0].subHeadline.en", `[{"id":"x","type":"CONTENT_WIDGET","listIndex":0,"subHeadline":{"en":"` + strings.Repeat("x", 2001) + `"}}]`},
			{"widgets[0].imageUrl", campaign(`"imageUrl":[]`)},
			{"widgets[0].button", campaign(`"button":"Go"`)},
			{"widgets[0].button.label", campaign(`"button":{"label":"Go"}`)},
			{"widgets[0].button.url", campaign(`"button":{"url":1}`)},
			{"widgets[0].campaign_id", campaign(`"campaign_id":"one"`)},
			{"widgets[0].campaign_id", campaign(`"campaign_id":""`)},
			{"widgets[0].campaign_id", campaign(`"campaign_id":["b8c01433-5556-4e2b-aad4-6f5348d1df84"]`)},
			{"widgets[0]", `[{"id":"x","type":"CONTENT_WIDGET","listIndex":0,"more":"` + strings.Repeat("x", 64<<10) + `"}]`},
			{"widgets", "[" + strings.Repeat("{},", 200) + "{}]"},
		} {
			_, err := w.s.Place(bg, w.tenant, actor, portal.EndCustomer, widgets(t, c.body))
			if f := fault.As(err); f == nil || f.Code != fault.Invalid || f.Field != c.field {
				t.Errorf("%.80s: %v, want one of %s", c.body, err, c.field)
			}
		}
		large := make([]string, 20)
		for i := range large {
			large[i] = fmt.Sprintf(`{"id":"%d","type":"CONTENT_WIDGET","listIndex":0,"more":%q}`, i, strings.Repeat("x", 60<<10))
		}
		_, err := w.s.Place(bg, w.tenant, actor, portal.EndCustomer, widgets(t, "["+strings.Join(large, ",")+"]"))
		if f := fault.As(err); f == nil || f.Field != "widgets" {
			t.Errorf("a list of more than a megabyte: %v", err)
		}
		if got, err := w.s.Widgets(w.r(), portal.EndCustomer); err != nil || len(got) != 1 || got[0].ID != "kept" {
			t.Errorf("after what was refused: %v %v", got, err)
		}
		if _, err := w.s.Widgets(w.r(), "ELSEWHERE"); fault.As(err) == nil || fault.As(err).Field != "origin" {
			t.Errorf("widgets of nowhere: %v", err)
		}
		// Null stands for what is absent.
		w.place(portal.EndCustomer, campaign(`"campaign_id":null,"headline":null,"button":null,"imageUrl":null,"subHeadline":{"en":null}`))
	})
}

func TestASetUpGetsAWidget(t *testing.T) {
	each(t, func(w world) {
		a, b := id.New(), id.New()
		w.place(portal.Installer, `[{"id":"text","type":"CONTENT_WIDGET","listIndex":7},{"id":"shows","type":"CAMPAIGN_WIDGET","listIndex":3,"headline":{"en":"Hi"}}]`)
		list, err := w.s.List(w.r())
		if err != nil {
			t.Fatal(err)
		}
		set := func(at, block string, c id.ID) error {
			got, err := store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (string, error) {
				return w.s.WidgetIn(tx, actor, campaign.Widget{Portal: at, Block: block, Campaign: campaign.Campaign{ID: c}})
			})
			if err == nil && got != block {
				t.Errorf("the widget is %s, not %s", got, block)
			}
			return err
		}
		here := list[0].ID
		for _, err := range []error{set(here.UUID(), "shows", a), set(here.String(), "added", a), set(here.UUID(), "shows", b)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if d := cmp.Diff([]string{"INSTALLER_PORTAL: added"}, w.usage(a)); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff([]string{"INSTALLER_PORTAL: shows"}, w.usage(b)); d != "" {
			t.Error(d)
		}
		got, err := w.s.WidgetsOf(w.r(), here)
		if err != nil || len(got) != 3 || got[1].Headline()["en"] != "Hi" || got[2].Type != portal.CampaignWidget || got[2].Index != 8 {
			t.Errorf("widgets %+v %v", got, err)
		}
		for _, block := range []string{"text", " ", strings.Repeat("x", 201)} {
			if f := fault.As(set(here.UUID(), block, a)); f == nil || f.Field != "block_id" {
				t.Errorf("at %.20s: %v", block, f)
			}
		}
		for _, at := range []string{"", "me", id.New().UUID(), "b8c01433-5556-4e2b-aad4-6f5348d1df84"} {
			if f := fault.As(set(at, "x", a)); f == nil || f.Code != fault.NotFound || f.Reason != "portal" {
				t.Errorf("on %q: %v", at, f)
			}
		}
	})
}

// TestConcurrentLists: whoever is last, the list is one of those that were sent, and
// a reader never sees a mixture.
func TestConcurrentLists(t *testing.T) {
	each(t, func(w world) {
		list := func(n int) string {
			var out []string
			for i := range 20 {
				out = append(out, fmt.Sprintf(`{"id":"%d-%d","type":"CONTENT_WIDGET","listIndex":%d}`, n, i, i))
			}
			return "[" + strings.Join(out, ",") + "]"
		}
		check := func() {
			got, err := w.s.Widgets(w.r(), portal.EndCustomer)
			if err != nil {
				t.Error(err)
			}
			for i, x := range got {
				if n, _, _ := strings.Cut(got[0].ID, "-"); len(got) != 20 || x.ID != fmt.Sprintf("%s-%d", n, i) {
					t.Errorf("%d widgets, the %d. is %s", len(got), i, x.ID)
					return
				}
			}
		}
		var wg sync.WaitGroup
		for n := range 8 {
			wg.Go(func() {
				for range 5 {
					if _, err := w.s.Place(bg, w.tenant, actor, portal.EndCustomer, widgets(t, list(n))); err != nil {
						t.Error(err)
					}
					check()
				}
			})
		}
		wg.Wait()
		check()
		if list, err := w.s.List(w.r()); err != nil || len(list) != 1 {
			t.Errorf("%d portals, %v", len(list), err)
		}
	}, storetest.Once())
}

// TestRefersIsALookUp: the question that every activation asks reads an index.
func TestRefersIsALookUp(t *testing.T) {
	each(t, func(w world) {
		if w.db.Dialect() != store.SQLite {
			return // the plan of a small table there is a scan, whatever the index
		}
		var a, b, c int
		var plan string
		if err := w.r().QueryRow("EXPLAIN QUERY PLAN SELECT 1 FROM portal_widget WHERE tenant_id=? AND campaign_id=? LIMIT 1", id.New()).Scan(&a, &b, &c, &plan); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(plan, "portal_widget_campaign (tenant_id=? AND campaign_id=?)") {
			t.Error(plan)
		}
	})
}
