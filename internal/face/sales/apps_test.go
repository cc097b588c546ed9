package sales_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"parley/internal/access"
	"parley/internal/agent"
	"parley/internal/app"
	"parley/internal/app/apptest"
	"parley/internal/automation"
	"parley/test/apitest"
)

const icon = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

func newApp(b *apptest.Backend) map[string]any {
	return map[string]any{"developer": "acme", "key": "calendar", "name": map[string]any{"en": "Calendar", "es": "Calendario"}, "baseUrl": b.URL,
		"clientId": b.ClientID, "clientSecret": b.Secret, "scopes": []string{"leads:write", "prospects:read", "prospects:write", "notifications"},
		"prospectFields": []any{map[string]any{"key": "score", "name": map[string]any{"en": "Score"}, "type": "number"}},
		"reports":        []any{map[string]any{"key": "r", "name": map[string]any{"en": "Report"}, "url": "https://a.example/r?u=${user._id}"}},
		"buttons":        []any{map[string]any{"key": "b", "name": map[string]any{"en": "Book"}, "url": "https://a.example/b/${prospect._id}", "icon": icon}}}
}

// An app from its registration to its end, over the API, with the app as a real
// server on the other side that uses its key.
func TestAnAppOverTheAPI(t *testing.T) {
	apitest.Each(t, apitest.Options{Simulate: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		admin := acme.Caller()
		shop := acme.Group("Shop", acme.Root.ID)
		back := apptest.New(t, "cal", "s3cret")

		made := admin.Post("/admin/apps", newApp(back)).OK()
		id := made.Str("id")
		if made.Status != http.StatusCreated || made.Str("clientSecret") != "s3cret" || len(made.Str("privateKey")) != 64 {
			t.Errorf("%d %s", made.Status, made.Body)
		}
		for _, a := range []apitest.Answer{admin.Get("/admin/app/" + id).OK(), admin.Get("/admin/apps").OK()} {
			if strings.Contains(string(a.Body), "s3cret") || strings.Contains(string(a.Body), made.Str("privateKey")) || !strings.Contains(string(a.Body), "calendar") {
				t.Errorf("%s", a.Body)
			}
		}
		admin.Post("/admin/apps", newApp(back)).Refused(409, "CONFLICT")

		i := admin.Post("/admin/app/"+id+"/instances", map[string]any{"group": shop.ID.String()}).OK()
		if i.Status != http.StatusCreated || i.Str("state") != "enabled" || i.Str("groupId") != shop.ID.String() {
			t.Fatalf("%d %s", i.Status, i.Body)
		}
		admin.Post("/admin/app/"+id+"/instances", map[string]any{"group": shop.ID.String()}).Refused(409, "CONFLICT")
		key, _ := back.Key()
		at := "/admin/app-instance/" + i.Str("id")
		as := func(key, method, path string, body any) apitest.Answer {
			t.Helper()
			return r.Call(method, "/api/v1"+path+"?api-key="+url.QueryEscape(key), body)
		}
		if me := as(key, "GET", "/integration", nil).OK(); me.Str("id") != i.Str("integrationId") || me.Str("providerKey") != "acme_calendar" || me.Str("name") != "Calendar" {
			t.Errorf("%s", me.Body)
		}
		as(key, "GET", "/admin/apps", nil).Refused(403, "INVALID_SCOPE")

		lead := as(key, "POST", "/lead/retail", map[string]any{"utmSource": "web", "firstName": "Ana", "phones": []string{"+541155551234"}}).OK()
		pid := lead.Str("id")
		fields := admin.Get("/prospect/" + pid + "/prospectAdditionalFields").OK().List()
		if len(fields) != 1 || fields[0]["key"] != "acme_calendar_score" || fields[0]["name"] != "Score" {
			t.Errorf("%v", fields)
		}
		admin.Patch("/prospect/"+pid+"/additionalData", map[string]any{"acme_calendar_score": "high"}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		admin.Patch("/prospect/"+pid+"/additionalData", map[string]any{"acme_calendar_score": 4, "free": "x"}).OK()

		// The rule was made on the other API; the event comes through this one.
		if _, err := r.App.Automations.Create(context.Background(), acme.ID, "test", map[string]any{"name": "booked", "trigger": "visit_booked", "isActive": true,
			"actions": []any{map[string]any{"type": "add_tag", "config": map[string]any{"tag": "booked"}}}}); err != nil {
			t.Fatal(err)
		}
		event := map[string]any{"event": "visit_booked", "type": "prospect", "prospectId": pid, "data": map[string]any{"apiKey": key, "details": map[string]any{"room": "4"}}}
		taken := as(key, "POST", "/apps/event", event).OK()
		if taken.Str("status") != "received" {
			t.Errorf("%s", taken.Body)
		}
		seen := admin.Get("/prospect/" + pid + "/interaction/" + taken.Str("messageId")).OK()
		if seen.Str("via") != "customApp" || seen.Str("output.customEvent.event") != "visit_booked" || seen.Str("output.customEvent.data.details.room") != "4" || strings.Contains(string(seen.Body), key) {
			t.Errorf("%s", seen.Body)
		}
		if l := admin.Get("/prospects/interactions?via=customApp&limit=5").OK().List(); len(l) != 1 {
			t.Errorf("%v", l)
		}
		r.Eventually("the rule has run", func() bool {
			logs, _, err := r.App.Automations.Logs(context.Background(), acme.ID, automation.LogQuery{Trigger: "visit_booked"})
			return err == nil && len(logs) == 1 && logs[0].RulesMatched == 1
		})
		event["data"] = map[string]any{"apiKey": "parley_sales_other"}
		as(key, "POST", "/apps/event", event).Refused(400, "SCHEMA_VALIDATION_FAILED")

		// Settings.
		if s := admin.Get(at + "/settings").OK(); s.Get("automaticReplyEnabled") != true {
			t.Errorf("%s", s.Body)
		}
		if s := admin.Put(at+"/settings", map[string]any{"automaticReplyEnabled": false}).OK(); s.Get("automaticReplyEnabled") != false {
			t.Errorf("%s", s.Body)
		}
		admin.Put(at+"/settings", map[string]any{"nothing": 1}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		if form := admin.Get(at + "/settings/form").OK(); form.Str("sections.0.name") != "main" {
			t.Errorf("%s", form.Body)
		}
		admin.Post(at+"/settings/check", map[string]any{"text": "x"}).OK()
		back.Fail(500)
		admin.Get(at+"/settings").Refused(503, "SERVICE_UNAVAILABLE")
		back.Fail(0)

		// The key.
		if got := admin.Post(at+"/refresh", nil).OK(); got.Get("refreshing") != false {
			t.Errorf("%s", got.Body)
		}
		fresh, _ := back.Key()
		as(key, "GET", "/integration", nil).Refused(401, "INVALID_API_KEY")
		if me := as(fresh, "GET", "/integration", nil).OK(); me.Str("id") != i.Str("integrationId") {
			t.Errorf("the integration changed its id: %s", me.Body)
		}
		admin.Post(at+"/retry", nil).Refused(409, "CONFLICT")

		if got := admin.Put(at, map[string]any{"enabled": false}).OK(); got.Str("state") != "disabled" {
			t.Errorf("%s", got.Body)
		}
		as(fresh, "GET", "/integration", nil).Refused(403, "INTEGRATION_DISABLED")
		admin.Put(at, map[string]any{"enabled": true, "name": "Our calendar"}).OK()
		if me := as(fresh, "GET", "/integration", nil).OK(); me.Str("name") != "Our calendar" {
			t.Errorf("%s", me.Body)
		}

		admin.Delete("/admin/app/"+id).Refused(409, "CONFLICT")
		if got := admin.Delete(at).OK(); got.Str("state") != "uninstalled" || got.Get("pendingCall") != nil {
			t.Errorf("%s", got.Body)
		}
		as(fresh, "GET", "/integration", nil).Refused(401, "INVALID_API_KEY")
		admin.Delete(at).Refused(404, "NOT_FOUND")
		if l := admin.Get("/admin/app/" + id + "/instances").OK().List(); len(l) != 0 {
			t.Errorf("%v", l)
		}
		if l := admin.Get("/admin/app/" + id + "/instances?all=true&format=csv").OK(); !strings.Contains(string(l.Body), ",uninstalled,") {
			t.Errorf("%s", l.Body)
		}
		admin.Delete("/admin/app/" + id).OK()
		admin.Get("/admin/app/"+id).Refused(404, "NOT_FOUND")
	})
}

// The server may be stopped whenever it likes: what an app has yet to hear is told
// when it runs again, and an app that is down is shown as pending meanwhile.
func TestAnAppThatIsDownIsPending(t *testing.T) {
	apitest.Each(t, apitest.Options{Simulate: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		admin := acme.Caller()
		back := apptest.New(t, "cal", "s3cret")
		back.Fail(502)
		id := admin.Post("/admin/apps", newApp(back)).OK().Str("id")
		i := admin.Post("/admin/app/"+id+"/instances", nil).OK()
		if i.Str("state") != "pending" || i.Str("pendingCall") != "install" || i.Str("lastError") != "the app answered with status 502" || i.Str("nextTry") == "" {
			t.Errorf("%s", i.Body)
		}
		at := "/admin/app-instance/" + i.Str("id")
		admin.Get(at+"/settings").Refused(409, "NOT_READY")
		back.Fail(0)
		if got := admin.Post(at+"/retry", nil).OK(); got.Str("state") != "enabled" || got.Get("lastError") != nil {
			t.Errorf("%s", got.Body)
		}
	})
}

// What agents see of apps.
func TestAppsForAgents(t *testing.T) {
	apitest.Each(t, apitest.Options{Simulate: true}, func(t *testing.T, r *apitest.Rig) {
		acme, globex := r.NewTenant("Acme"), r.NewTenant("Globex")
		admin := acme.Caller()
		shop, other := acme.Group("Shop", acme.Root.ID), acme.Group("Other", acme.Root.ID)
		asha, far := acme.Agent("Asha", "Rao", shop.ID), acme.Agent("Far", "Off", other.ID)
		role := agent.RoleAdmin
		if _, err := r.App.Agents.Update(context.Background(), acme.ID, "test", asha.ID, agent.Patch{Role: &role}); err != nil {
			t.Fatal(err)
		}
		back := apptest.New(t, "cal", "s3cret")
		made := admin.Post("/admin/apps", newApp(back)).OK()
		id := made.Str("id")
		admin.Post("/admin/app/"+id+"/instances", map[string]any{"group": shop.ID.String()}).OK()
		key, _ := back.Key()
		pid := acme.In(shop.ID).Post("/lead/retail", map[string]any{"utmSource": "portal", "firstName": "Ana", "emails": []string{"a@b.example"}}).OK().Str("id")

		me, they := acme.As(asha), acme.As(far)
		list := me.Get("/as-user/reports?range=custom&start=2020-12-01&end=2020-12-31").OK().List()
		if len(list) != 1 || !app.Verify(list[0]["url"].(string), made.Str("privateKey")) || !strings.Contains(list[0]["url"].(string), "&start=2020-12-01&end=2020-12-31&group="+shop.ID.String()+"&parentGroup="+shop.ID.String()+"&signature=") {
			t.Errorf("%v", list)
		}
		me.Get("/as-user/reports?range=custom").Refused(400, "SCHEMA_VALIDATION_FAILED")
		me.Get("/as-user/reports?group="+other.ID.String()).Refused(404, "NOT_FOUND")
		list = me.Get("/prospect/" + pid + "/as-user/buttons").OK().List()
		if len(list) != 1 || list[0]["icon"] != icon || !app.Verify(list[0]["url"].(string), made.Str("privateKey")) || !strings.HasPrefix(list[0]["url"].(string), "https://a.example/b/"+pid+"?signature=") {
			t.Errorf("%v", list)
		}
		they.Get("/prospect/"+pid+"/as-user/buttons").Refused(404, "NOT_FOUND")
		admin.Get("/as-user/reports").Refused(409, "INTEGRATION_HAS_NO_USER")

		push := map[string]any{"type": "reminder", "target": map[string]any{"user": []string{asha.ID.String(), far.ID.String()}, "role": []string{"owner"}}, "platforms": map[string]any{"desktop": map[string]any{"title": "Hi"}}}
		send := func(key string, body any) apitest.Answer {
			return r.Call("POST", "/api/v1/apps/notifications", body, "X-API-Key", key)
		}
		send(key, push).Refused(400, "UNEXPECTED_ERROR")
		admin.Post("/apps/notifications", push).Refused(400, "UNEXPECTED_ERROR")
		admin.Patch("/admin/app/"+id, map[string]any{"push": true}).OK()
		if got := send(key, push).OK(); len(got.Get("finalTargets").([]any)) != 1 || got.Str("finalTargets.0") != asha.ID.String() || got.Str("status") != "sent" {
			t.Errorf("%s", got.Body)
		}
		send(key, map[string]any{"type": "x", "target": map[string]any{}, "platforms": map[string]any{}}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		notices := me.Get("/as-user/notifications").OK().List()
		if len(notices) != 1 || notices[0]["type"] != "reminder" || notices[0]["app"] != "acme_calendar" || notices[0]["seen"] != nil {
			t.Fatalf("%v", notices)
		}
		if l := they.Get("/as-user/notifications").OK().List(); len(l) != 0 {
			t.Errorf("%v", l)
		}
		nid := notices[0]["id"].(string)
		me.Post("/as-user/notification/"+nid+"/seen", nil).OK()
		they.Post("/as-user/notification/"+nid+"/seen", nil).Refused(404, "NOT_FOUND")
		if l := me.Get("/as-user/notifications").OK().List(); l[0]["seen"] == nil {
			t.Errorf("%v", l)
		}

		told := r.Call("POST", "/api/v1/apps/event", map[string]any{"event": "login", "type": "user", "userId": asha.ID.String(), "data": map[string]any{"apiKey": key}}, "X-API-Key", key).OK()
		r.Call("POST", "/api/v1/apps/event", map[string]any{"event": "login", "type": "user", "userId": far.ID.String(), "data": map[string]any{"apiKey": key}}, "X-API-Key", key).Refused(404, "NOT_FOUND")
		instance := admin.Get("/admin/app/" + id + "/instances").OK().List()[0]["id"].(string)
		if l := admin.Get("/admin/app-instance/" + instance + "/events").OK().List(); len(l) != 1 || l[0]["id"] != told.Str("messageId") || l[0]["userId"] != asha.ID.String() {
			t.Errorf("%v", l)
		}

		fields := []any{map[string]any{"key": "birthdate", "name": map[string]any{"en": "Born"}, "type": "date"}}
		admin.Put("/admin/additional-fields", map[string]any{"fields": fields}).OK()
		if l := admin.Get("/admin/additional-fields").OK().List(); len(l) != 2 || l[0]["key"] != "birthdate" || l[1]["app"] != "acme_calendar" {
			t.Errorf("%v", l)
		}
		admin.Put("/admin/additional-fields", map[string]any{"fields": []any{map[string]any{"key": "acme_calendar_x", "name": map[string]any{"en": "X"}}}}).Refused(409, "CONFLICT")
		admin.Put("/admin/additional-fields", nil).Refused(400, "SCHEMA_VALIDATION_FAILED")
		// A bare list, as the other vocabularies have it (reference §5).
		if l := admin.Put("/admin/additional-fields?entity=user", []any{map[string]any{"key": "shirt", "name": map[string]any{"en": "Shirt"}}}).OK().List(); len(l) != 1 || l[0]["key"] != "shirt" || l[0]["type"] != "text" {
			t.Errorf("%v", l)
		}
		if l := admin.Get("/admin/additional-fields?entity=user").OK().List(); len(l) == 0 || l[0]["key"] != "shirt" {
			t.Errorf("%v", l)
		}
		if l := admin.Get("/admin/additional-fields").OK().List(); len(l) != 2 || l[0]["key"] != "birthdate" {
			t.Errorf("the fields of prospects went with those of users: %v", l)
		}
		// What agents hold is of the kind that the fields say.
		uma := admin.Post("/admin/agents", map[string]any{"firstName": "Uma", "appFields": map[string]any{"shirt": "L", "free": 1}}).OK()
		if uma.Get("appFields.shirt") != "L" {
			t.Errorf("%s", uma.Body)
		}
		admin.Post("/admin/agents", map[string]any{"firstName": "Uma", "appFields": map[string]any{"shirt": 5}}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		admin.Patch("/admin/agent/"+uma.Str("id"), map[string]any{"appFields": map[string]any{"shirt": 5}}).Refused(400, "SCHEMA_VALIDATION_FAILED")

		// A key of a group, and another account.
		low := acme.In(other.ID)
		low.Post("/admin/apps", newApp(back)).Refused(403, "INVALID_SCOPE")
		low.Put("/admin/additional-fields", map[string]any{"fields": fields}).Refused(403, "INVALID_SCOPE")
		low.Get("/admin/app-instance/"+instance).Refused(404, "NOT_FOUND")
		low.Delete("/admin/app-instance/"+instance).Refused(404, "NOT_FOUND")
		if l := low.Get("/admin/app/" + id + "/instances").OK().List(); len(l) != 0 {
			t.Errorf("%v", l)
		}
		for _, path := range []string{"/admin/app/" + id, "/admin/app/" + id + "/instances", "/admin/app-instance/" + instance, "/admin/app-instance/" + instance + "/settings"} {
			globex.Caller().Get(path).Refused(404, "NOT_FOUND")
		}
		globex.WithKey(access.NewKey{}).Delete("/admin/app-instance/"+instance).Refused(404, "NOT_FOUND")
	})
}
