package sales_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/internal/access"
	"parley/internal/id"
	"parley/test/apitest"
)

var adminStart = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func TestGroupsAndAgentsAreAdministrated(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		tn := r.NewTenant("Acme")
		c := tn.Caller("admin", "leads:write", "prospects:read")
		g := c.Post("/admin/groups", map[string]any{"name": "Shop", "type": []string{"store"}, "timezone": "America/Sao_Paulo", "countryCode": "br", "language": "pt-BR",
			"workingHours":   []any{map[string]any{"day": "monday", "from": "09:00", "to": "18:00"}, map[string]any{"day": "friday", "from": "22:00", "to": "06:00"}},
			"absenceMessage": "We are closed", "assignment": map[string]any{"method": "roundRobin", "timeoutSeconds": 90}, "reassignAfter": "3h", "closeInactiveAfter": 86400}).OK()
		shop := g.Str("id")
		for path, want := range map[string]any{"parent": tn.Root.ID.String(), "countryCode": "BR", "workingHours.0.day": "monday", "workingHours.1.to": "06:00",
			"assignment.method": "roundRobin", "assignment.timeoutSeconds": 90.0, "reassignAfter": 10800.0, "closeInactiveAfter": 86400.0} {
			if got := g.Get(path); got != want {
				t.Errorf("%s: %v, want %v", path, got, want)
			}
		}
		changed := c.Patch("/admin/group/"+shop, map[string]any{"displayName": "The Shop", "workingHours": nil, "reassignAfter": "never"}).OK()
		if changed.Get("displayName") != "The Shop" || changed.Get("reassignAfter") != 0.0 || len(changed.Get("workingHours").([]any)) != 0 || changed.Get("countryCode") != "BR" {
			t.Errorf("%s", changed.Body)
		}
		for field, body := range map[string]any{
			"name": map[string]any{}, "parent": map[string]any{"name": "x", "parent": id.New().String()}, "workingHours[0].day": map[string]any{"name": "x", "workingHours": []any{map[string]any{"day": "noday", "from": "1:00", "to": "2:00"}}},
			"workingHours[0].to": map[string]any{"name": "x", "workingHours": []any{map[string]any{"day": "monday", "from": "10:00", "to": "25:00"}}}, "closeInactiveAfter": map[string]any{"name": "x", "closeInactiveAfter": "soon"},
			"assignment.method": map[string]any{"name": "x", "assignment": map[string]any{"method": "lottery"}}, "timezone": map[string]any{"name": "x", "timezone": "Mars/Olympus"}, "type": map[string]any{"name": "x", "type": []string{"band"}},
		} {
			a := c.Post("/admin/groups", body).Refused(400, "SCHEMA_VALIDATION_FAILED")
			if leaf := field[strings.LastIndex(field, ".")+1:]; !strings.Contains(string(a.Body), leaf) && !strings.Contains(string(a.Body), "time zone") && !strings.Contains(string(a.Body), "method") && !strings.Contains(string(a.Body), "types") {
				t.Errorf("%s is not named: %s", field, a.Body)
			}
		}
		a := c.Post("/admin/agents", map[string]any{"firstName": "Ana", "email": "Ana@Example.com", "cellPhone": "+5511987654321", "group": shop, "role": "admin", "legacyId": "7",
			"externalId": map[string]any{"crm": "1"}, "workingHours": []any{map[string]any{"day": "sunday", "from": "00:00", "to": "24:00"}}}).OK()
		ana := a.Str("id")
		if a.Get("email") != "ana@example.com" || a.Get("groupId") != shop || a.Get("active") != true || a.Get("workingHours.0.to") != "24:00" {
			t.Errorf("%s", a.Body)
		}
		ben := c.Post("/admin/agents", map[string]any{"firstName": "Ben", "group": shop, "active": false}).OK()
		if ben.Get("active") != false {
			t.Errorf("%s", ben.Body)
		}
		c.Post("/admin/agents", map[string]any{"firstName": "Eve", "email": "ana@example.com"}).Refused(409, "CONFLICT")
		c.Post("/admin/agents", map[string]any{"firstName": "Eve", "role": "king"}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		c.Patch("/admin/agent/"+ana, map[string]any{"group": "nowhere"}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		c.Patch("/admin/agent/"+ben.Str("id"), map[string]any{"active": true}).OK()
		p := c.Put("/admin/agent/"+ana+"/presence", map[string]any{"online": true, "seconds": 60}).OK()
		if p.Get("online") != true || p.Get("onlineUntil") == nil {
			t.Errorf("%s", p.Body)
		}
		c.Put("/admin/agent/"+ana+"/presence", map[string]any{}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		c.Put("/admin/agent/"+ana+"/presence", map[string]any{"online": true, "seconds": 9e9}).Refused(400, "SCHEMA_VALIDATION_FAILED")

		// Nothing is deleted with something in it.
		lead := c.Post("/lead/retail", map[string]any{"utmSource": "x", "phones": []string{"+5511900000001"}, "agent": ana}).OK()
		for path, what := range map[string]string{"/admin/group/" + shop: "agents", "/admin/group/" + tn.Root.ID.String(): "first group", "/admin/agent/" + ana: "transferTo"} {
			if a := c.Delete(path).Refused(409, "CONFLICT"); !strings.Contains(string(a.Body), what) {
				t.Errorf("%s does not say %s: %s", path, what, a.Body)
			}
		}
		c.Delete("/admin/agent/"+ana+"?transferTo="+ana).Refused(400, "SCHEMA_VALIDATION_FAILED")
		c.Delete("/admin/agent/"+ana+"?transferTo="+id.New().String()).Refused(400, "SCHEMA_VALIDATION_FAILED")
		if a := c.Do("DELETE", "/admin/agent/"+ana, map[string]any{"transferTo": map[string]any{"user": ben.Str("id")}}).OK(); a.Get("deleting") != true || a.Get("active") != false {
			t.Errorf("%s", a.Body)
		}
		_ = lead
		c.Get("/admin/group/"+id.New().String()).Refused(404, "NOT_FOUND")
	})
}

func TestIntegrationsAreAdministrated(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		tn := r.NewTenant("Acme")
		c := tn.Caller("admin")
		shop, other := tn.Group("Shop", id.Zero), tn.Group("Other", id.Zero)
		ana := tn.Agent("Ana", "", shop.ID)
		made := c.Post("/admin/integrations", map[string]any{"name": "My app", "group": shop.ID.String(), "user": ana.ID.String(), "scopes": []string{"prospects:read", "admin"}, "rateLimit": 100}).OK()
		key, iid := made.Str("apiKey"), made.Str("id")
		as := func(token string) *apitest.Caller { return &apitest.Caller{Tenant: tn, Token: token} }
		with := func(token, method, path string, body any) apitest.Answer {
			return as(token).Do(method, "/api/v1"+path, body)
		}
		with(key, "GET", "/integration", nil).OK()
		c.Post("/admin/integrations", map[string]any{"name": "x", "scopes": []string{"prospects:reed"}}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		c.Post("/admin/integrations", map[string]any{"name": "x"}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		c.Post("/admin/integrations", map[string]any{"scopes": []string{"admin"}}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		c.Post("/admin/integrations", map[string]any{"name": "x", "scopes": []string{"admin"}, "user": id.New().String()}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		c.Post("/admin/integrations", map[string]any{"name": "x", "scopes": []string{"admin"}, "rateLimit": -1}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		if a := c.Get("/admin/integration/" + iid).OK(); a.Get("apiKey") != nil || a.Get("rateLimit") != 100.0 || fmt.Sprint(a.Get("scopes")) != "[prospects:read admin]" {
			t.Errorf("%s", a.Body)
		}
		fresh := c.Post("/admin/integration/"+iid+"/refresh", nil).OK().Str("apiKey")
		with(key, "GET", "/integration", nil).Refused(401, "INVALID_API_KEY")
		c.Patch("/admin/integration/"+iid, map[string]any{"enabled": false}).OK()
		with(fresh, "GET", "/integration", nil).Refused(403, "INTEGRATION_DISABLED")
		c.Patch("/admin/integration/"+iid, map[string]any{"enabled": true, "name": "Renamed"}).OK()

		// It administrates its own group and below, nothing else.
		with(fresh, "GET", "/admin/group/"+other.ID.String(), nil).Refused(404, "NOT_FOUND")
		with(fresh, "PATCH", "/admin/group/"+other.ID.String(), map[string]any{"name": "mine"}).Refused(404, "NOT_FOUND")
		with(fresh, "POST", "/admin/groups", map[string]any{"name": "x", "parent": other.ID.String()}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		if a := with(fresh, "POST", "/admin/groups", map[string]any{"name": "Below"}).OK(); a.Get("parent") != shop.ID.String() {
			t.Errorf("%s", a.Body)
		}
		for _, k := range []string{"/admin/integration/" + c.Key.ID.String(), "/admin/integration/" + id.New().String()} {
			with(fresh, "GET", k, nil).Refused(404, "NOT_FOUND")
		}
		if list := with(fresh, "GET", "/admin/integrations", nil).OK().List(); len(list) != 1 || list[0]["id"] != iid {
			t.Errorf("%v", list)
		}
		if a := with(fresh, "POST", "/admin/integrations", map[string]any{"name": "y", "scopes": []string{"admin"}}).OK(); a.Get("groupId") != shop.ID.String() {
			t.Errorf("a key of a group gave a key to the whole account: %s", a.Body)
		}
		with(fresh, "PUT", "/admin/labels", []any{}).Refused(403, "INVALID_SCOPE")
		with(fresh, "PATCH", "/admin/account/"+tn.ID.String(), map[string]any{"name": "x"}).Refused(403, "INVALID_SCOPE")
		with(fresh, "PATCH", "/admin/integration/"+iid, map[string]any{"scopes": []string{"leads:write"}}).Refused(409, "CONFLICT")
		with(fresh, "DELETE", "/admin/integration/"+iid, nil).Refused(409, "CONFLICT")
		c.Delete("/admin/integration/" + iid).OK()
		with(fresh, "GET", "/integration", nil).Refused(401, "INVALID_API_KEY")
		c.Get("/admin/integration/"+iid).Refused(404, "NOT_FOUND")
		tn.Caller("prospects:read").Get("/admin/accounts").Refused(403, "INVALID_SCOPE")
	})
}

func TestTheAccountAndItsWords(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		tn, other := r.NewTenant("Acme"), r.NewTenant("Other")
		c := tn.Caller("admin", "leads:write")
		if list := c.Get("/admin/accounts").OK().List(); len(list) != 1 || list[0]["id"] != tn.ID.String() || list[0]["mergePeriodDays"] != 90.0 {
			t.Errorf("%v", list)
		}
		c.Post("/admin/accounts", map[string]any{"name": "x"}).Refused(403, "INVALID_SCOPE")
		c.Get("/admin/account/"+other.ID.String()).Refused(404, "NOT_FOUND")
		a := c.Patch("/admin/account/"+tn.ID.String(), map[string]any{"name": "Acme 2", "mergePeriodDays": 30, "defaultCurrency": "brl", "defaultDistance": "mi", "webhookProspectShape": "object",
			"industries": []string{"retail", "boats"}}).OK()
		if a.Get("name") != "Acme 2" || a.Get("mergePeriodDays") != 30.0 || a.Get("defaultCurrency") != "brl" || a.Get("defaultDistance") != "mi" || a.Get("webhookProspectShape") != "object" || fmt.Sprint(a.Get("industries")) != "[retail boats]" {
			t.Errorf("%s", a.Body)
		}
		if d := c.Get("/leads/defaults").OK(); d.Get("currency") != "brl" || d.Get("distance") != "mi" {
			t.Errorf("%s", d.Body)
		}
		for field, body := range map[string]any{"defaultCurrency": map[string]any{"defaultCurrency": "money"}, "defaultDistance": map[string]any{"defaultDistance": "yd"}, "mergePeriodDays": map[string]any{"mergePeriodDays": 0},
			"webhookProspectShape": map[string]any{"webhookProspectShape": "blob"}, "name": map[string]any{"name": " "}} {
			c.Patch("/admin/account/"+tn.ID.String(), body).Refused(400, "SCHEMA_VALIDATION_FAILED")
			_ = field
		}
		c.Put("/admin/labels", []any{map[string]any{"key": "a", "name": "A"}, map[string]any{"key": "b"}}).OK()
		if list := c.Get("/admin/labels").OK().List(); len(list) != 2 || list[1]["name"] != "b" {
			t.Errorf("%v", list)
		}
		if list := c.Put("/admin/archiving-reasons", []any{map[string]any{"reason": "sold", "name": "Sold", "snooze": false}, map[string]any{"reason": "later", "snooze": true}}).OK().List(); len(list) != 2 || list[1]["reason"] != "later" || list[1]["snooze"] != true {
			t.Errorf("%v", list)
		}
		if a := c.Put("/admin/categories", []any{map[string]any{"key": "x"}, map[string]any{"key": "x"}}).Refused(400, "SCHEMA_VALIDATION_FAILED"); !strings.Contains(string(a.Body), "twice") {
			t.Errorf("%s", a.Body)
		}
		// No list is not the empty list: the words stay.
		for _, path := range []string{"/admin/labels", "/admin/archiving-reasons", "/admin/categories", "/admin/industries"} {
			c.Put(path, nil).Refused(400, "SCHEMA_VALIDATION_FAILED")
			c.Put(path, json.RawMessage("null")).Refused(400, "SCHEMA_VALIDATION_FAILED")
		}
		if list := c.Get("/admin/labels").OK().List(); len(list) != 2 {
			t.Errorf("%v", list)
		}
		if a := c.Put("/admin/archiving-reasons", []any{map[string]any{"name": "Sold"}}).Refused(400, "SCHEMA_VALIDATION_FAILED"); a.Str("message") != "archiving-reasons[0].reason is required" {
			t.Errorf("%s", a.Body)
		}
		if list := c.Put("/admin/labels", []any{}).OK().List(); len(list) != 3 {
			t.Errorf("the stock did not come back: %v", list)
		}
		if a := c.Get("/admin/industries?format=csv"); !strings.HasPrefix(string(a.Body), "key,") {
			t.Errorf("%s", a.Body)
		}
	})
}

func TestTheDeskOfAnAgent(t *testing.T) {
	apitest.Each(t, apitest.Options{At: adminStart}, func(t *testing.T, r *apitest.Rig) {
		tn := r.NewTenant("Acme")
		shop := tn.Group("Shop", id.Zero)
		ana, ben := tn.Agent("Ana", "", shop.ID), tn.Agent("Ben", "", shop.ID)
		a, b, plain := tn.As(ana), tn.As(ben), tn.In(shop.ID)
		pid := plain.Post("/lead/retail", map[string]any{"utmSource": "x", "phones": []string{"+5511900000001"}}).OK().Str("id")
		at := "/prospect/" + pid + "/as-user/"
		plain.Post(at+"claim", nil).Refused(409, "INTEGRATION_HAS_NO_USER")
		got := a.Post(at+"claim", nil).OK()
		if got.Get("status") != "followUp" || got.Get("agent.id") != ana.ID.String() || got.Get("assigned") == nil {
			t.Errorf("%s", got.Body)
		}
		b.Post(at+"claim", nil).Refused(409, "CONFLICT")
		a.Post(at+"reminder", map[string]any{}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		a.Post(at+"reminder", map[string]any{"at": "tomorrow"}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		due := adminStart.Add(time.Hour)
		set := a.Post(at+"reminder", map[string]any{"at": due.Format("2006-01-02T15:04:05.000Z")}).OK()
		if set.Get("nextReminder") != due.Format("2006-01-02T15:04:05.000Z") {
			t.Errorf("%s", set.Body)
		}
		told := func() (n int) {
			if err := r.App.DB.Read(context.Background(), tn.ID).QueryRow("SELECT COUNT(*) FROM event WHERE tenant_id=? AND type='handover.reminder_due'").Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if told() != 0 {
			t.Fatal("told before it was due")
		}
		r.Clock.Advance(time.Hour)
		r.Eventually("the reminder is told", func() bool { r.Clock.Advance(time.Second); return told() == 1 })
		a.Post(at+"reminder", map[string]any{"at": nil}).OK()
		a.Post(at+"archive", map[string]any{"archivingReason": "converted"}).OK()
		if got := a.Post(at+"unarchive", nil).OK(); got.Get("status") != "followUp" || got.Get("archivingReason") != nil || got.Get("nextReminder") != nil {
			t.Errorf("%s", got.Body)
		}
		if told() != 1 {
			t.Error("told more than once")
		}
	})
}

func TestALoopbackChannel(t *testing.T) {
	apitest.Each(t, apitest.Options{}, func(t *testing.T, r *apitest.Rig) {
		tn := r.NewTenant("Acme")
		c := tn.Caller()
		made := c.Post("/admin/channels", map[string]any{"channel": "whatsapp", "channelId": "loop-" + tn.Code, "provider": map[string]any{"type": "loopback"}}).OK()
		cid := made.Str("id")
		c.Post("/admin/channels", map[string]any{"channel": "whatsapp", "channelId": "loop-" + tn.Code, "provider": map[string]any{"type": "loopback"}}).Refused(409, "CONFLICT")
		c.Post("/admin/channels", map[string]any{"channel": "fax", "channelId": "1", "provider": map[string]any{"type": "pigeon"}}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		c.Post("/admin/channels", map[string]any{"channel": "whatsapp", "channelId": "9", "provider": map[string]any{"type": "meta"}}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		c.Put("/admin/channel/"+cid+"/templates", []any{map[string]any{"key": "Hello!", "body": "x"}}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		c.Put("/admin/channel/"+cid+"/templates", nil).Refused(400, "SCHEMA_VALIDATION_FAILED")
		c.Put("/admin/channel/"+cid+"/templates", json.RawMessage(" null ")).Refused(400, "SCHEMA_VALIDATION_FAILED")
		if a := c.Put("/admin/channel/"+cid+"/templates", []any{map[string]any{"key": "ok", "body": "x"}, map[string]any{"body": "x"}}).Refused(400, "SCHEMA_VALIDATION_FAILED"); a.Str("message") != "[1].key is required" {
			t.Errorf("%s", a.Body)
		}
		set := c.Put("/admin/channel/"+cid+"/templates", []any{map[string]any{"key": "hello", "body": "Hi {{prospect.firstName}} from {{shop}}", "defaults": map[string]string{"shop": "Acme"}}}).OK()
		if set.Get("templates.0.key") != "hello" {
			t.Errorf("%s", set.Body)
		}
		in := map[string]any{"from": "+5511900000009", "name": "Rita", "providerId": "m1", "content": "Hello?"}
		for range 3 { // the same message, however often it comes
			c.Post("/admin/channel/"+cid+"/inbound", in).OK()
		}
		c.Post("/admin/channel/"+cid+"/inbound", map[string]any{"from": "x", "providerId": "m2", "content": "?"}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		c.Post("/admin/channel/"+cid+"/inbound", map[string]any{"content": "?"}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		var pid string
		r.Eventually("the person who wrote is a prospect", func() bool {
			list := c.Get("/prospects?limit=10").OK().List()
			if len(list) == 1 {
				pid, _ = list[0]["id"].(string)
			}
			return pid != ""
		})
		if list := c.Get("/prospect/" + pid + "/interactions?via=whatsApp").OK().List(); len(list) != 1 {
			t.Errorf("%v", list)
		}
		sent := c.Post("/prospect/"+pid+"/messaging/whatsapp", map[string]any{"content": "At your service"}).OK().List()
		mid := sent[0]["id"].(string)
		c.Post("/prospect/"+pid+"/messaging/whatsapp/notification", map[string]any{"key": "hello"}).OK()
		status := func() string {
			return fmt.Sprint(c.Get("/prospect/" + pid + "/interaction/" + mid).OK().Get("status"))
		}
		r.Eventually("the message has left", func() bool { return status() == "sent" })
		for range 2 {
			c.Post("/admin/channel/"+cid+"/status", map[string]any{"providerId": mid, "status": "read"}).OK()
		}
		c.Post("/admin/channel/"+cid+"/status", map[string]any{"providerId": mid, "status": "delivered"}).OK()
		if got := status(); got != "read" {
			t.Errorf("%s", got)
		}
		c.Post("/admin/channel/"+cid+"/status", map[string]any{"providerId": mid, "status": "lost"}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		c.Post("/admin/channel/"+cid+"/status", map[string]any{"providerId": id.New().String(), "status": "read"}).Refused(404, "NOT_FOUND")
		shop := tn.Group("Shop", id.Zero)
		inShop := tn.WithKey(access.NewKey{Group: shop.ID})
		inShop.Post("/admin/channel/"+cid+"/inbound", in).Refused(404, "NOT_FOUND")
		if a := c.Patch("/admin/channel/"+cid, map[string]any{"group": shop.ID.String()}).OK(); a.Get("groupId") != shop.ID.String() {
			t.Errorf("%s", a.Body)
		}
		if list := inShop.Get("/admin/channels").OK().List(); len(list) != 1 {
			t.Errorf("%v", list)
		}
		r.Eventually("nothing waits to be sent", func() bool { return c.Delete("/admin/channel/"+cid).Status == 200 })
		c.Delete("/admin/channel/"+cid).Refused(404, "NOT_FOUND")
	})
}
