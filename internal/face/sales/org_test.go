package sales_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/access"
	"parley/internal/account"
	"parley/internal/agent"
	"parley/internal/channel"
	"parley/internal/conversation"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/test/apitest"
)

var bg = context.Background()

// monday is a Monday morning in UTC.
var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func idRow(list []map[string]any) string {
	var out []string
	for _, m := range list {
		out = append(out, m["id"].(string))
	}
	return strings.Join(out, " ")
}

func TestCheckCredentials(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		c := r.NewTenant("Acme").Caller("leads:write")
		if a := r.Call("GET", "/api/v1/checkCredentials?api-key="+c.Token, nil).OK(); string(a.Body) != `{"success":true}` {
			t.Errorf("%s", a.Body)
		}
		r.Call("GET", "/api/v1/checkCredentials?api-key=parley_sales_nothing", nil).Refused(401, "INVALID_API_KEY")
		r.Call("GET", "/api/v1/checkCredentials", nil).Refused(401, "INVALID_API_KEY")
		off := false
		if _, err := r.App.Access.Edit(bg, c.Tenant.ID, c.Key.ID, access.Edit{Enabled: &off}); err != nil {
			t.Fatal(err)
		}
		c.Get("/checkCredentials").Refused(403, "INTEGRATION_DISABLED")
	})
}

func TestIntegrations(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		r.NewTenant("Other").Caller()
		north, south := acme.Group("North", id.Zero), acme.Group("South", id.Zero)
		shop := acme.Group("Shop", north.ID)
		asha := acme.Agent("Asha", "Rao", north.ID)
		lang := "pt-BR"
		if _, err := r.App.Agents.UpdateGroup(bg, acme.ID, "test", shop.ID, agent.GroupPatch{Language: &lang}); err != nil {
			t.Fatal(err)
		}
		all := acme.WithKey(access.NewKey{Name: "Whole"})
		n := acme.WithKey(access.NewKey{Name: "My Sales App", Group: north.ID, User: asha.ID, Language: "es"})
		s := acme.WithKey(access.NewKey{Name: "South", Group: south.ID})
		below := acme.WithKey(access.NewKey{Name: "", Group: shop.ID, Provider: "meli"})
		off := acme.WithKey(access.NewKey{Group: north.ID, Disabled: true})
		gone := acme.WithKey(access.NewKey{Group: north.ID})
		acme.Platform()
		if err := r.App.Access.Revoke(bg, acme.ID, gone.Key.ID); err != nil {
			t.Fatal(err)
		}
		a := n.Get("/integration").OK()
		for path, want := range map[string]string{"id": n.Key.ID.String(), "name": "My Sales App", "providerKey": "my-sales-app", "groupId": north.ID.String(),
			"group": "North", "user": asha.ID.String(), "language": "es", "account": "Acme", "accountId": acme.ID.String()} {
			if got := a.Str(path); got != want {
				t.Errorf("%s is %q, want %q", path, got, want)
			}
		}
		b := below.Get("/integration").OK()
		if b.Str("language") != "pt-BR" || b.Str("providerKey") != "meli" || b.Get("user") != nil {
			t.Errorf("%s", b.Body)
		}
		if w := all.Get("/integration").OK(); w.Str("groupId") != acme.Root.ID.String() || w.Str("group") != "Acme" || w.Get("language") != nil {
			t.Errorf("%s", w.Body)
		}
		if got, want := idRow(n.Get("/integrations").OK().List()), n.Key.ID.String()+" "+below.Key.ID.String(); got != want {
			t.Errorf("North sees %s, want %s", got, want)
		}
		if got, want := idRow(s.Get("/integrations").OK().List()), s.Key.ID.String(); got != want {
			t.Errorf("South sees %s, want %s", got, want)
		}
		want := strings.Join([]string{all.Key.ID.String(), n.Key.ID.String(), s.Key.ID.String(), below.Key.ID.String()}, " ")
		if got := idRow(all.Get("/integrations").OK().List()); got != want {
			t.Errorf("the whole account sees %s, want %s", got, want)
		}
		off.Get("/integrations").Refused(403, "INTEGRATION_DISABLED")
		gone.Get("/integrations").Refused(401, "INVALID_API_KEY")
	})
}

func TestGroups(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		other := r.NewTenant("Other")
		north, south := acme.Group("North", id.Zero), acme.Group("South", id.Zero)
		shop := acme.Group("Shop", north.ID)
		desk := acme.Group("Desk", shop.ID)
		zone, shown, country := "America/Sao_Paulo", "The North", "BR"
		types := []string{agent.TypeStore, agent.TypeOEM}
		if _, err := r.App.Agents.UpdateGroup(bg, acme.ID, "test", north.ID, agent.GroupPatch{Timezone: &zone, DisplayName: &shown, CountryCode: &country, Types: &types}); err != nil {
			t.Fatal(err)
		}
		all, n := acme.Caller(), acme.In(north.ID)
		row := func(list ...agent.Group) string {
			var out []string
			for _, g := range list {
				out = append(out, g.ID.String())
			}
			return strings.Join(out, " ")
		}
		for _, c := range []struct {
			who  *apitest.Caller
			path string
			want string
		}{
			{all, "/groups", row(acme.Root, north, south, shop, desk)},
			{n, "/groups", row(north, shop, desk)},
			{all, "/groups?parent=" + north.ID.String(), row(shop, desk)},
			{n, "/groups?parent=" + north.ID.String(), row(shop, desk)},
			{n, "/groups?parent=" + desk.ID.String(), ""},
			{all, "/groups/children", row(north, south)},
			{n, "/groups/children", row(shop)},
			{all, "/groups/children?parent=" + north.ID.String(), row(shop)},
			{all, "/group/" + north.ID.String() + "/children", row(shop)},
			{n, "/group/" + shop.ID.String() + "/children", row(desk)},
		} {
			if got := idRow(c.who.Get(c.path).OK().List()); got != c.want {
				t.Errorf("%s: %s, want %s", c.path, got, c.want)
			}
		}
		for _, path := range []string{"/groups?parent=", "/groups/children?parent=", "/group/"} {
			for _, g := range []id.ID{south.ID, acme.Root.ID, other.Root.ID, id.New()} {
				n.Get(path+g.String()).Refused(404, "NOT_FOUND")
			}
			n.Get(path+"nonsense").Refused(400, "INVALID_ID")
		}
		whole := all.Get("/group/" + shop.ID.String()).OK()
		want := map[string]any{"id": shop.ID.String(), "displayName": "Shop", "name": "Shop", "parent": north.ID.String(),
			"ancestors": []any{north.ID.String(), acme.Root.ID.String()}, "descendants": []any{desk.ID.String()}, "type": []any{"group"}, "timezone": "America/Sao_Paulo"}
		same(t, whole.JSON(), want)
		same(t, n.Get("/group/"+north.ID.String()).OK().JSON(), map[string]any{"id": north.ID.String(), "displayName": "The North", "name": "North",
			"ancestors": []any{}, "descendants": []any{shop.ID.String(), desk.ID.String()}, "type": []any{"OEM", "store"}, "timezone": "America/Sao_Paulo", "countryCode": "BR"})
		if got := all.Get("/group/" + south.ID.String()).OK().Str("timezone"); got != "Asia/Kolkata" {
			t.Errorf("South's zone is %q, not the account's", got)
		}
		for _, g := range all.Get("/groups").OK().List() {
			if zone, inNorth := g["timezone"], slices.Contains([]any{north.ID.String(), shop.ID.String(), desk.ID.String()}, g["id"]); inNorth != (zone == "America/Sao_Paulo") {
				t.Errorf("%v has the zone %v", g["name"], zone)
			}
		}
	})
}

func TestAgents(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true, At: monday}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		other := r.NewTenant("Other")
		stranger := other.Agent("Stranger", "X", id.Zero)
		north, south := acme.Group("North", id.Zero), acme.Group("South", id.Zero)
		asha, err := r.App.Agents.Create(bg, acme.ID, "test", agent.Agent{FirstName: "Asha", LastName: "Rao", Email: "asha@example.com", Phone: "+91 98765 00001", LegacyID: "L1",
			Group: north.ID, ExternalID: map[string]any{"erp": "7"}, AppFields: map[string]any{"dev_app_code": "A"}})
		if err != nil {
			t.Fatal(err)
		}
		bela, carl, dina := acme.Agent("Bela", "B", north.ID), acme.Agent("Carl", "C", north.ID), acme.Agent("Dina", "D", south.ID)
		no, yes := false, true
		night := agent.Hours{{Day: 1, From: 20 * 60, To: 23 * 60}}
		for aid, p := range map[id.ID]agent.Patch{carl.ID: {Active: &no}, bela.ID: {Hours: &night}} {
			if _, err := r.App.Agents.Update(bg, acme.ID, "test", aid, p); err != nil {
				t.Fatal(err)
			}
		}
		n := acme.In(north.ID, "prospects:read")
		at := "/agents?group=" + north.ID.String()
		a := n.Get(at).OK()
		same(t, a.List()[0], map[string]any{"id": asha.ID.String(), "firstName": "Asha", "lastName": "Rao", "email": "asha@example.com", "phone": "+91 98765 00001", "legacyId": "L1",
			"externalId": map[string]any{"erp": "7"}, "appFields": map[string]any{"dev_app_code": "A"}})
		for query, want := range map[string][]agent.Agent{"": {asha, bela}, "&active=true": {asha, bela}, "&active=false": {carl}, "&active=all": {asha, bela, carl}} {
			var list []string
			for _, a := range want {
				list = append(list, a.ID.String())
			}
			if got := idRow(n.Get(at + query).OK().List()); got != strings.Join(list, " ") {
				t.Errorf("%q: %s, want %v", query, got, list)
			}
		}
		n.Get("/agents").Refused(400, "SCHEMA_VALIDATION_FAILED")
		n.Get(at+"&active=maybe").Refused(400, "SCHEMA_VALIDATION_FAILED")
		n.Get("/agents?group="+south.ID.String()).Refused(404, "NOT_FOUND")
		n.Get("/agents?group=x").Refused(400, "INVALID_ID")

		// Who is there, and of those who may be given somebody.
		online := "/group/" + north.ID.String() + "/agents/online"
		same(t, n.Get(online).OK().JSON(), map[string]any{"officeHours": true, "agents": []any{}})
		for _, aid := range []id.ID{asha.ID, bela.ID} {
			if _, err := r.App.Agents.SetPresence(bg, acme.ID, "test", aid, agent.Presence{Online: &yes}); err != nil {
				t.Fatal(err)
			}
		}
		there := func(query string) string {
			var out []string
			for _, v := range n.Get(online + query).OK().Get("agents").([]any) {
				out = append(out, v.(map[string]any)["firstName"].(string))
			}
			return strings.Join(out, " ")
		}
		if all, free := there(""), there("?availableAgents=true"); all != "Asha Bela" || free != "Asha" {
			t.Errorf("online %q, available %q", all, free)
		}
		if _, err := r.App.Agents.SetPresence(bg, acme.ID, "test", asha.ID, agent.Presence{Paused: &yes}); err != nil {
			t.Fatal(err)
		}
		if all, free := there("?availableAgents=false"), there("?availableAgents=true"); all != "Asha Bela" || free != "" {
			t.Errorf("with a pause: online %q, available %q", all, free)
		}
		n.Get(online+"?availableAgents=perhaps").Refused(400, "SCHEMA_VALIDATION_FAILED")

		// is-working.
		for path, want := range map[string]bool{"/agents/" + asha.ID.String(): true, "/agents/" + bela.ID.String(): false, "/agents/" + carl.ID.String(): false, "/groups/" + north.ID.String(): true} {
			if got := n.Get(path + "/is-working").OK().Get("isWorking"); got != want {
				t.Errorf("%s works: %v, want %v", path, got, want)
			}
		}
		for _, path := range []string{"/agents/" + dina.ID.String(), "/agents/" + stranger.ID.String(), "/agents/" + id.New().String(), "/groups/" + south.ID.String(), "/groups/" + other.Root.ID.String()} {
			n.Get(path+"/is-working").Refused(404, "NOT_FOUND")
			n.Post(path+"/response-time", map[string]any{}).Refused(404, "NOT_FOUND")
		}
		if _, _, err := r.App.Handovers.Remove(bg, acme.ID, "test", carl.ID, handover.Destination{}); err != nil {
			t.Fatal(err)
		}
		n.Get("/agents/"+carl.ID.String()+"/is-working").Refused(404, "NOT_FOUND")
		if got := idRow(n.Get(at + "&active=all").OK().List()); strings.Contains(got, carl.ID.String()) {
			t.Errorf("a deleted agent is listed: %s", got)
		}
	})
}

// The mean over answers: from an arrival or a message to what a person of ours
// said first, and for an agent not from before the contact was the agent's.
func TestResponseTime(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true, At: monday}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		north, south := acme.Group("North", id.Zero), acme.Group("South", id.Zero)
		asha, bela := acme.Agent("Asha", "Rao", north.ID), acme.Agent("Bela", "B", north.ID)
		n := acme.In(north.ID, "prospects:read")
		ask := func(path string) any {
			t.Helper()
			return n.Post(path+"/response-time", map[string]any{}).OK().Get("responseTime")
		}
		group, ofAsha, ofBela := "/groups/"+north.ID.String(), "/agents/"+asha.ID.String(), "/agents/"+bela.ID.String()
		for _, path := range []string{group, ofAsha} {
			if got := ask(path); got != nil {
				t.Errorf("%s before anything: %v", path, got)
			}
		}
		line, err := r.App.Accounts.Connect(bg, acme.ID, account.NewAccount{Kind: "whatsapp", ExternalID: "pn1", Settings: map[string]string{"wabaId": "w1"},
			Secrets: map[string]string{"token": "t", "appSecret": "s", "verifyToken": "v"}})
		if err != nil {
			t.Fatal(err)
		}
		said := 0
		says := func(phone string) {
			t.Helper()
			said++
			if err := r.App.Conversations.Receive(bg, line, channel.Batch{Messages: []channel.Incoming{{Account: line.ExternalID, ProviderID: "wamid." + string(rune('a'+said)), From: phone,
				At: r.Clock.Now(), Kind: channel.Text, Text: "hello"}}}); err != nil {
				t.Fatal(err)
			}
		}
		answers := func(cid id.ID, actor string) {
			t.Helper()
			if _, err := r.App.Conversations.Send(bg, acme.ID, actor, conversation.Send{Contact: cid, Text: "yes?"}); err != nil {
				t.Fatal(err)
			}
		}
		platform := acme.Platform()
		person := func(phone string) id.ID {
			t.Helper()
			cid, err := id.Parse(platform.Post("/api/saas/crm/leads", map[string]any{"firstName": "P", "phone": phone}).OK().Str("data._id"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.App.Handovers.Place(bg, acme.ID, "test", cid, handover.Arrival{Group: north.ID}); err != nil {
				t.Fatal(err)
			}
			return cid
		}
		// Arrives, writes twice, hears an automation, and after 60 s a person.
		first := person("+919876500001")
		if _, err := r.App.Handovers.Claim(bg, acme.ID, "test", first, asha.ID); err != nil {
			t.Fatal(err)
		}
		r.Clock.Advance(20 * time.Second)
		says("919876500001")
		r.Clock.Advance(20 * time.Second)
		says("919876500001")
		answers(first, "run:1")
		r.Clock.Advance(20 * time.Second)
		answers(first, "agent:"+asha.ID.String())
		r.Clock.Advance(time.Hour)
		answers(first, "agent:"+asha.ID.String()) // nobody waited
		if g, a, b := ask(group), ask(ofAsha), ask(ofBela); g != 60.0 || a != 60.0 || b != nil {
			t.Errorf("after one answer: group %v, Asha %v, Bela %v", g, a, b)
		}
		// A second message is answered after 120 s, half of them after Bela has it.
		says("919876500001")
		r.Clock.Advance(60 * time.Second)
		if _, err := r.App.Handovers.Transfer(bg, acme.ID, "test", first, handover.Destination{Agent: bela.ID}); err != nil {
			t.Fatal(err)
		}
		r.Clock.Advance(60 * time.Second)
		answers(first, "agent:"+bela.ID.String())
		if a, b := ask(ofAsha), ask(ofBela); a != nil || b != 60.0 {
			t.Errorf("after the transfer: Asha %v, Bela %v", a, b)
		}
		if got := acme.Caller().Post("/groups/"+acme.Root.ID.String()+"/response-time", nil).OK().Get("responseTime"); got != ask(group) {
			t.Errorf("the group above says %v", got)
		}
		if got := acme.Caller().Post("/groups/"+south.ID.String()+"/response-time", nil).OK().Get("responseTime"); got != nil {
			t.Errorf("a group without contacts says %v", got)
		}
		r.Clock.Advance(31 * 24 * time.Hour)
		if got := ask(group); got != nil {
			t.Errorf("after 31 days: %v", got)
		}
	})
}
