package app_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/agent"
	"parley/internal/app"
	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/store"
)

func (w *world) person(group id.ID) id.ID {
	w.Helper()
	cid, err := store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (id.ID, error) {
		c, err := w.people.CreateIn(tx, actor, contact.New{FirstName: "Ana", Phone: "+541155551234", Source: "web"})
		if err != nil {
			return id.Zero, err
		}
		_, err = w.works.PlaceIn(tx, actor, c.ID, handover.Arrival{Group: group})
		return c.ID, err
	})
	if err != nil {
		w.Fatal(err)
	}
	return cid
}

var name = app.Localized{"en": "Score", "pt": "Nota"}

func keysOf(list []app.Field) (out []string) {
	for _, f := range list {
		out = append(out, f.Key)
	}
	return out
}

func TestFieldsOfTheAccountAndItsApps(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work()
		r := w.s.Reads(bg, w.tenant)
		score := []app.Field{{Key: "score", Name: name, Type: "number", ReadOnly: true}}
		if _, _, err := w.s.Update(bg, w.tenant, actor, w.app.ID, app.Patch{ProspectFields: &score}); err != nil {
			t.Fatal(err)
		}
		own := []app.Field{{Key: "birthdate", Name: name, Type: "date"}, {Key: "style", Name: name, Type: "select", Options: []string{"blue", "red"}}, {Key: "note", Name: name}}
		if got, err := w.s.SetFields(bg, w.tenant, actor, app.Prospect, own); err != nil || got[2].Type != "text" {
			t.Fatalf("%+v, %v", got, err)
		}
		if got, err := w.s.Fields(r, app.Prospect); err != nil || !slices.Equal(keysOf(got), []string{"birthdate", "style", "note"}) {
			t.Errorf("before the app is installed: %v, %v", keysOf(got), err)
		}
		i := w.installed()
		got, err := w.s.Fields(r, app.Prospect)
		if err != nil || !slices.Equal(keysOf(got), []string{"birthdate", "style", "note", "acme_calendar_score"}) || got[3].App != "acme_calendar" || !got[3].ReadOnly || got[3].Name.In("pt-BR") != "Nota" {
			t.Errorf("%+v, %v", got, err)
		}
		if users, err := w.s.Fields(r, app.User); err != nil || len(users) != 0 {
			t.Errorf("%+v, %v", users, err)
		}
		for _, c := range []struct {
			values map[string]any
			person bool
			field  string
		}{
			{map[string]any{"birthdate": "01/02/1990", "style": "red", "note": "x", "acme_calendar_score": 3.5, "free": []any{1}}, false, ""},
			{map[string]any{"birthdate": nil, "style": nil, "acme_calendar_score": nil}, false, ""},
			{map[string]any{"birthdate": "tomorrow"}, false, "additionalData.birthdate"},
			{map[string]any{"style": "green"}, false, "additionalData.style"},
			{map[string]any{"note": 1.0}, false, "additionalData.note"},
			{map[string]any{"acme_calendar_score": "3"}, false, "additionalData.acme_calendar_score"},
			{map[string]any{"acme_calendar_score": 3.0}, true, "additionalData.acme_calendar_score"},
			{map[string]any{"note": "x"}, true, ""},
		} {
			err := app.Check(got, "additionalData", c.values, c.person)
			if f := fault.As(err); (f == nil) != (c.field == "") || f != nil && f.Field != c.field {
				t.Errorf("%v: %v", c.values, err)
			}
		}
		// One namespace: neither may look like the other.
		clash := []app.Field{{Key: "acme_calendar_x", Name: name}}
		if _, err := w.s.SetFields(bg, w.tenant, actor, app.User, clash); !errors.Is(err, fault.Of(fault.Conflict)) {
			t.Errorf("a key of an app: %v", err)
		}
		if _, err := w.s.SetFields(bg, w.tenant, actor, app.User, []app.Field{{Key: "acme_other_x", Name: name}}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.s.Register(bg, w.tenant, actor, app.NewApp{App: app.App{Developer: "acme", Key: "other", Name: name, BaseURL: "https://x.example", Scopes: []string{"x"}}}); !errors.Is(err, fault.Of(fault.Conflict)) {
			t.Errorf("an app over a key: %v", err)
		}
		if _, err := w.s.SetFields(bg, w.tenant, actor, "planet", nil); fault.As(err) == nil || fault.As(err).Field != "entity" {
			t.Errorf("%v", err)
		}
		if other, err := w.s.Fields(w.s.Reads(bg, id.New()), app.Prospect); err != nil || len(other) != 0 {
			t.Errorf("another tenant: %+v, %v", other, err)
		}
		if _, err := w.s.Uninstall(bg, w.tenant, actor, i.ID); err != nil {
			t.Fatal(err)
		}
		if got, err := w.s.Fields(r, app.Prospect); err != nil || len(got) != 3 {
			t.Errorf("after the end: %v, %v", keysOf(got), err)
		}
	})
}

func TestAnEventOfAnApp(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		i := w.install(app.NewInstance{})
		cid, asha := w.person(w.shop.ID), w.agent("Asha", agent.RoleAgent, w.shop.ID)
		take := func(e app.Event) (id.ID, error) { return w.s.Take(bg, w.tenant, "key:"+i.Key.String(), i.Key, e) }
		v, err := take(app.Event{Name: "Visit booked", About: app.Prospect, Contact: cid, Agent: asha.ID, Details: map[string]any{"room": "4"}})
		if err != nil {
			t.Fatal(err)
		}
		list, _, err := w.people.Timeline(bg, w.tenant, cid, 1, 50)
		at := slices.IndexFunc(list, func(a contact.Activity) bool { return a.ID == v })
		if err != nil || at < 0 {
			t.Fatalf("%v, %v", list, err)
		}
		want := map[string]any{"event": "Visit booked", "type": "prospect", "app": "acme_calendar", "userId": asha.ID.String(), "data": map[string]any{"details": map[string]any{"room": "4"}}}
		if a := list[at]; a.Type != "custom_event" || !reflect.DeepEqual(a.Metadata, want) || a.PerformedBy != "key:"+i.Key.String() {
			t.Errorf("%+v", a)
		}
		if len(w.fired.calls) != 1 || w.fired.calls[0].Trigger != "Visit_booked" || w.fired.calls[0].Lead != cid || w.fired.calls[0].Data["room"] != "4" {
			t.Errorf("%+v", w.fired.calls)
		}
		feed, err := event.OfContact(w.s.Reads(bg, w.tenant), cid, 50)
		if err != nil || !slices.ContainsFunc(feed, func(e event.Event) bool { return e.Type == "interaction.created" && e.Subject == v }) {
			t.Errorf("%+v, %v", feed, err)
		}
		first, err := take(app.Event{Name: "login", About: app.User, Agent: asha.ID, Details: "x"})
		if err != nil {
			t.Fatal(err)
		}
		second, err := take(app.Event{Name: "logout", About: app.User, Agent: asha.ID})
		if err != nil {
			t.Fatal(err)
		}
		r := w.s.Reads(bg, w.tenant)
		told, err := w.s.ToldOf(r, i, id.Zero, 10)
		if err != nil || len(told) != 2 || told[0].ID != second || told[1].ID != first || told[1].Details != "x" || told[1].Agent != asha.ID {
			t.Errorf("%+v, %v", told, err)
		}
		if told, err = w.s.ToldOf(r, i, second, 10); err != nil || len(told) != 1 || told[0].ID != first {
			t.Errorf("%+v, %v", told, err)
		}
		for field, e := range map[string]app.Event{
			"event":        {About: app.Prospect, Contact: cid},
			"type":         {Name: "x", About: "planet", Contact: cid},
			"prospectId":   {Name: "x", About: app.Quote},
			"userId":       {Name: "x", About: app.User},
			"data.details": {Name: "x", About: app.Prospect, Contact: cid, Details: strings.Repeat("x", 40<<10)},
		} {
			if _, err := take(e); fault.As(err) == nil || fault.As(err).Field != field {
				t.Errorf("%s: %v", field, err)
			}
		}
		if _, err := take(app.Event{Name: "x", About: app.Prospect, Contact: cid, Details: map[string]any{"a": []any{"\x00"}}}); fault.As(err) == nil || fault.As(err).Field != "data.details" {
			t.Errorf("a NUL: %v", err)
		}
		for noun, e := range map[string]app.Event{"contact": {Name: "x", About: app.Prospect, Contact: id.New()}, "agent": {Name: "x", About: app.User, Agent: id.New()}} {
			if _, err := take(e); !errors.Is(err, fault.Of(fault.NotFound)) {
				t.Errorf("unknown %s: %v", noun, err)
			}
		}
	})
}

func TestNoticesReachWhoTheyAreFor(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		i := w.install(app.NewInstance{})
		asha, bela := w.agent("Asha", agent.RoleAgent, w.shop.ID), w.agent("Bela", agent.RoleAdmin, w.shop.ID)
		far, gone := w.agent("Far", agent.RoleAdmin, w.other.ID), w.agent("Gone", agent.RoleAgent, w.shop.ID)
		off := false
		if _, err := w.agents.Update(bg, w.tenant, actor, gone.ID, agent.Patch{Active: &off}); err != nil {
			t.Fatal(err)
		}
		n := app.Notice{Type: "reminder", Platforms: map[string]any{"desktop": map[string]any{"title": "Hi"}}}
		send := func(key id.ID, to app.Target) ([]id.ID, error) {
			return w.s.Notify(bg, w.tenant, "key:"+key.String(), key, w.shop.ID, n, to)
		}
		for _, key := range []id.ID{i.Key, id.New()} {
			if _, err := send(key, app.Target{Users: []id.ID{asha.ID}}); fault.As(err) == nil || fault.As(err).Reason != "refused" {
				t.Errorf("without permission: %v", err)
			}
		}
		on := true
		if _, _, err := w.s.Update(bg, w.tenant, actor, w.app.ID, app.Patch{Push: &on}); err != nil {
			t.Fatal(err)
		}
		for what, c := range map[string]struct {
			to   app.Target
			want []id.ID
		}{
			"users":        {app.Target{Users: []id.ID{asha.ID, far.ID, gone.ID, id.New()}}, []id.ID{asha.ID}},
			"role":         {app.Target{Roles: []string{"admin"}}, []id.ID{bela.ID}},
			"both":         {app.Target{Users: []id.ID{asha.ID}, Roles: []string{"admin"}}, []id.ID{asha.ID, bela.ID}},
			"nobody there": {app.Target{Roles: []string{"owner"}}, []id.ID{}},
		} {
			if got, err := send(i.Key, c.to); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, %v", what, got, err)
			}
		}
		for field, to := range map[string]app.Target{"target": {}, "target.role": {Roles: []string{"king"}}} {
			if _, err := send(i.Key, to); fault.As(err) == nil || fault.As(err).Field != field {
				t.Errorf("%s: %v", field, err)
			}
		}
		r := w.s.Reads(bg, w.tenant)
		list, err := w.s.Notices(r, asha.ID, id.Zero, 10)
		if err != nil || len(list) != 2 || list[0].App != "acme_calendar" || list[0].Type != "reminder" || !list[0].SeenAt.IsZero() || !reflect.DeepEqual(list[0].Platforms, n.Platforms) || list[1].ID.String() >= list[0].ID.String() {
			t.Fatalf("%+v, %v", list, err)
		}
		if more, err := w.s.Notices(r, asha.ID, list[0].ID, 10); err != nil || len(more) != 1 || more[0].ID != list[1].ID {
			t.Errorf("%+v, %v", more, err)
		}
		if sent, to, err := w.s.Sent(bg, w.tenant, list[0].ID); err != nil || sent.Type != "reminder" || !slices.Contains(to, asha.ID) {
			t.Errorf("%+v %v, %v", sent, to, err)
		}
		w.clock.Advance(time.Minute)
		first := w.clock.Now()
		for range 2 {
			if err := w.s.See(bg, w.tenant, asha.ID, list[0].ID); err != nil {
				t.Fatal(err)
			}
			w.clock.Advance(time.Minute)
		}
		if list, err = w.s.Notices(r, asha.ID, id.Zero, 1); err != nil || !list[0].SeenAt.Equal(first) {
			t.Errorf("%+v, %v", list, err)
		}
		if err := w.s.See(bg, w.tenant, far.ID, list[0].ID); !errors.Is(err, fault.Of(fault.NotFound)) {
			t.Errorf("somebody else's: %v", err)
		}
		if n, err := w.s.Prune(bg, w.clock.Now(), 2); err != nil || n != 2 {
			t.Errorf("%d, %v", n, err)
		}
		if n, err := w.s.Prune(bg, w.clock.Now(), 10); err != nil || n != 1 {
			t.Errorf("%d, %v", n, err)
		}
		var left int
		if err := r.QueryRow("SELECT COUNT(*) FROM app_notification_target WHERE tenant_id=?").Scan(&left); err != nil || left != 0 {
			t.Errorf("%d targets are left, %v", left, err)
		}
	})
}

func TestReportsAndButtonsOfAViewer(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work()
		dict := app.Localized{"en": "Sales", "pt": "Vendas"}
		reports := []app.Report{{Key: "r", Name: dict, URL: "https://a.example/r?u=${user._id}&g=${group._id}"}}
		buttons := []app.Button{{Key: "b", Name: dict, URL: "https://a.example/b/${group._id}?s=${prospect.source}&l=${prospect.providerLeadId}", Icon: dot}}
		if _, _, err := w.s.Update(bg, w.tenant, actor, w.app.ID, app.Patch{Reports: &reports, Buttons: &buttons}); err != nil {
			t.Fatal(err)
		}
		pt := "pt-BR"
		if _, err := w.agents.UpdateGroup(bg, w.tenant, actor, w.shop.ID, agent.GroupPatch{Language: &pt}); err != nil {
			t.Fatal(err)
		}
		desk, err := w.agents.CreateGroup(bg, w.tenant, actor, agent.Group{Name: "Desk", Parent: w.shop.ID})
		if err != nil {
			t.Fatal(err)
		}
		boss, clerk := w.agent("Boss", agent.RoleAdmin, w.shop.ID), w.agent("Clerk", agent.RoleAgent, desk.ID)
		stranger := w.agent("Far", agent.RoleOwner, w.other.ID)
		cid := w.person(desk.ID)
		if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
			for _, q := range []contact.Inquiry{{Source: "old", Data: map[string]any{"providerLeadId": "L1"}, At: w.clock.Now().Add(-time.Hour)}, {Source: "portal", At: w.clock.Now()}} {
				q.Contact, q.Face, q.Kind = cid, "sales", "retail"
				if _, _, err := w.people.AddInquiryIn(tx, actor, q); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		i := w.installed()
		r := w.s.Reads(bg, w.tenant)
		today := app.Period{Range: "today"}
		got, err := w.s.Reports(r, boss.ID, app.Period{Range: "today", Group: desk.ID})
		if err != nil || len(got) != 1 || got[0].Label != "Vendas" || got[0].App != "acme_calendar" || !app.Verify(got[0].URL, private) ||
			!strings.HasPrefix(got[0].URL, "https://a.example/r?u="+boss.ID.String()+"&g="+w.shop.ID.String()+"&range=today&group="+desk.ID.String()+"&parentGroup="+w.shop.ID.String()+"&signature=") {
			t.Errorf("%+v, %v", got, err)
		}
		for who, v := range map[string]id.ID{"an agent": clerk.ID, "somebody elsewhere": stranger.ID} {
			if got, err := w.s.Reports(r, v, today); err != nil || len(got) != 0 {
				t.Errorf("%s has %+v, %v", who, got, err)
			}
		}
		if _, err := w.s.Reports(r, boss.ID, app.Period{Range: "today", Group: w.other.ID}); !errors.Is(err, fault.Of(fault.NotFound)) {
			t.Errorf("a group elsewhere: %v", err)
		}
		for field, p := range map[string]app.Period{"range": {Range: "ever"}, "start": {Range: "custom", End: "2020-01-01"}, "end": {Range: "custom", Start: "2020-01-02", End: "2020-01-01"}} {
			if _, err := w.s.Reports(r, boss.ID, p); fault.As(err) == nil || fault.As(err).Field != field {
				t.Errorf("%+v: %v", p, err)
			}
		}
		b, err := w.s.Buttons(r, clerk.ID, cid)
		if err != nil || len(b) != 1 || b[0].Icon != dot || b[0].Label != "Vendas" || !app.Verify(b[0].URL, private) ||
			!strings.HasPrefix(b[0].URL, "https://a.example/b/"+desk.ID.String()+"?s=portal&l=L1&signature=") {
			t.Errorf("%+v, %v", b, err)
		}
		if _, err := w.s.Enable(bg, w.tenant, actor, i.ID, false); err != nil {
			t.Fatal(err)
		}
		if b, err := w.s.Buttons(r, clerk.ID, cid); err != nil || len(b) != 0 {
			t.Errorf("a disabled app shows %+v, %v", b, err)
		}
	})
}
