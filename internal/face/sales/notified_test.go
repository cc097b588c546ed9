package sales_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/internal/access"
	"parley/internal/id"
	"parley/internal/tenant"
	"parley/test/apitest"
)

// receiver is a real HTTP server that keeps what it is told.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []heard
	answer func(n int) int
}

// heard is a notification as it came.
type heard struct {
	raw    map[string]any
	header http.Header
}

func (v heard) str(path string) string {
	s, _ := v.get(path).(string)
	return s
}

// get reads a dotted path; numbers index lists.
func (v heard) get(path string) any {
	var at any = v.raw
	for _, key := range strings.Split(path, ".") {
		switch x := at.(type) {
		case map[string]any:
			at = x[key]
		case []any:
			var n int
			if _, err := fmt.Sscan(key, &n); err != nil || n >= len(x) {
				return nil
			}
			at = x[n]
		default:
			return nil
		}
	}
	return at
}

// update returns the update of a field, nil when there is none.
func (v heard) update(field string) map[string]any {
	list, _ := v.raw["updates"].([]any)
	for _, u := range list {
		if m := u.(map[string]any); m["field"] == field {
			return m
		}
	}
	return nil
}

func newReceiver(t testing.TB, answer func(n int) int) *receiver {
	v := &receiver{answer: answer}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		m := heard{header: r.Header}
		if err := json.Unmarshal(b, &m.raw); err != nil || r.Method != "POST" {
			t.Errorf("%s %s: %v", r.Method, b, err)
		}
		v.mu.Lock()
		v.got = append(v.got, m)
		n := len(v.got)
		v.mu.Unlock()
		status := 200
		if v.answer != nil {
			status = v.answer(n)
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(v.Close)
	return v
}

func (v *receiver) all() []heard {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]heard(nil), v.got...)
}

// find waits for the first notification that matches, from a place on.
func (v *receiver) find(c *apitest.Caller, what string, from int, match func(m heard) bool) (found heard) {
	c.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		for _, m := range v.all()[from:] {
			if match(m) {
				return m
			}
		}
	}
	var have []string
	for _, m := range v.all()[from:] {
		have = append(have, fmt.Sprint(m.raw["topic"], ".", m.raw["type"], " ", m.raw["updates"]))
	}
	c.Fatalf("%s: not told; there were\n%s", what, strings.Join(have, "\n"))
	return found
}

func subscribe(c *apitest.Caller, url string, topics ...string) string {
	c.Helper()
	a := c.Post("/notifications/subscriptions", map[string]any{"topics": topics, "callbackUrl": url}).OK()
	if a.Status != 201 {
		c.Errorf("subscribing answers %d", a.Status)
	}
	return a.Str("id")
}

// Every event of the reference's table (§4.10), by real calls, to a real receiver.
func TestWhatNotificationsTell(t *testing.T) {
	apitest.Each(t, apitest.Options{Simulate: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		shop, other := acme.Group("Shop", id.Zero), acme.Group("Other", id.Zero)
		asha, bela := acme.Agent("Asha", "Rao", shop.ID), acme.Agent("Bela", "Roy", shop.ID)
		v := newReceiver(t, nil)
		whole := acme.Caller()
		c := acme.As(asha)
		mine := acme.In(shop.ID)
		sub := subscribe(c, v.URL+"/hook?secret=s", "prospects", "interactions", "quotes", "agents")
		var pid string
		var last, iid, qid string
		for _, s := range []struct {
			name, topic, typ string
			do               func()
			check            func(m heard) string
		}{
			{"a new prospect", "prospects", "created", func() {
				pid = lead(mine, map[string]any{"firstName": "Priya", "phones": phones("+54 9 11 4552 0371")})
			}, func(m heard) string {
				if m.str("prospect.0.firstName") != "Priya" || m.str("prospect.0.groupId") != shop.ID.String() || m.get("updates") != nil || m.get("prospect.0.leads.0.utmSource") != "google" {
					return "the whole prospect with its lead"
				}
				return ""
			}},
			{"a second lead", "prospects", "updated", func() { lead(mine, map[string]any{"phones": phones("+54 11 4552 0371"), "comments": "again"}) }, func(m heard) string {
				if u := m.update("leads"); u == nil || len(u["to"].([]any)) != 2 {
					return "updates of leads"
				}
				return ""
			}},
			{"edited", "prospects", "updated", func() { c.Patch("/prospect/"+pid, map[string]any{"lastName": "Shah"}).OK() }, func(m heard) string {
				if u := m.update("lastName"); u == nil || u["to"] != "Shah" {
					return "updates of lastName"
				}
				return ""
			}},
			{"additional data", "prospects", "updated", func() { c.Patch("/prospect/"+pid+"/additionalData", map[string]any{"finance": 1}).OK() }, func(m heard) string {
				if u := m.update("additionalData.finance"); u == nil || u["to"] != 1.0 || m.get("prospect.0.additionalData.finance") != 1.0 {
					return "updates of additionalData.finance"
				}
				return ""
			}},
			{"a label", "prospects", "updated", func() { c.Post("/prospect/"+pid+"/as-user/label", map[string]any{"label": "hot"}).OK() }, func(m heard) string {
				if u := m.update("label"); u == nil || u["from"] != nil || u["to"] != "hot" || m.str("prospect.0.label") != "hot" {
					return "updates of label, from nothing to hot"
				}
				return ""
			}},
			{"transferred to another agent", "prospects", "updated", func() { mine.Post("/prospect/"+pid+"/transfer", map[string]any{"user": bela.ID}).OK() }, func(m heard) string {
				if u := m.update("agent"); u == nil || u["from"] != nil || u["to"] != bela.ID.String() || m.str("prospect.0.agent.0.id") != bela.ID.String() {
					return "updates of agent"
				}
				if u := m.update("status"); u == nil || u["from"] != "unclaimed" || u["to"] != "followUp" || m.str("prospect.0.status") != "followUp" {
					return "updates of status"
				}
				return ""
			}},
			{"transferred to the agent of the key", "agents", "updated", func() { mine.Post("/prospect/"+pid+"/transfer", map[string]any{"user": asha.ID}).OK() }, func(m heard) string {
				if u := m.update("agent"); u == nil || u["from"] != bela.ID.String() || u["to"] != asha.ID.String() {
					return "updates of agent"
				}
				return ""
			}},
			{"the transfer as an interaction", "interactions", "created", nil, func(m heard) string {
				if m.str("interaction.output.transferedToAgentId") != asha.ID.String() || m.str("operationId") != m.str("interaction.id") {
					return "an interaction with transferedToAgentId"
				}
				return ""
			}},
			{"a note", "interactions", "created", func() {
				iid = c.Post("/prospect/"+pid+"/interactions", map[string]any{"type": "note", "content": "wants a red one"}).OK().Str("0.id")
			}, func(m heard) string {
				if m.str("interaction.id") != iid || m.str("interaction.output.comment") != "wants a red one" || m.str("operationId") != iid || m.str("prospect.0.id") != pid {
					return "the note with its id"
				}
				return ""
			}},
			{"a message from elsewhere", "interactions", "created", func() {
				iid = c.Post("/prospect/"+pid+"/interactions", map[string]any{"type": "message", "content": "hello", "sender": "a", "recipient": "b"}).OK().Str("0.id")
			}, func(m heard) string {
				if m.str("interaction.id") != iid || m.str("interaction.output.message.content") != "hello" {
					return "the message"
				}
				return ""
			}},
			{"its status", "interactions", "updated", func() {
				c.Put("/prospect/"+pid+"/interaction/"+iid, map[string]any{"type": "message", "status": "read"}).OK()
			}, func(m heard) string {
				if m.str("interaction.id") != iid || m.str("interaction.status") != "read" || m.str("operationId") != iid {
					return "the message read"
				}
				return ""
			}},
			{"a quote", "quotes", "created", func() {
				qid = c.Post("/prospect/"+pid+"/quotes", map[string]any{"items": []map[string]any{{"quantity": 1, "price": "100", "concept": "Bike"}}}).OK().Str("id")
			}, func(m heard) string {
				if m.str("quote.id") != qid || m.str("quote.status") != "pending" {
					return "the quote"
				}
				return ""
			}},
			{"accepted", "quotes", "updated", func() { c.Put("/prospect/"+pid+"/quote/"+qid, map[string]any{"status": "accepted"}).OK() }, func(m heard) string {
				if m.str("quote.id") != qid || m.str("quote.status") != "accepted" {
					return "the quote accepted"
				}
				return ""
			}},
			{"archived", "prospects", "updated", func() {
				reason := c.Get("/as-user/archiving-reasons").OK().Str("0.reason")
				c.Post("/prospect/"+pid+"/as-user/archive", map[string]any{"archivingReason": reason}).OK()
			}, func(m heard) string {
				if u := m.update("status"); u == nil || u["to"] != "archived" || m.str("prospect.0.status") != "archived" || m.update("archivingReason") == nil {
					return "updates of status and archivingReason"
				}
				return ""
			}},
			{"made by the agent of the key", "agents", "created", func() { last = lead(c, map[string]any{"phones": phones("+54 9 11 4552 0399")}) }, func(m heard) string {
				if m.str("prospect.0.id") != last {
					return "the prospect"
				}
				return ""
			}},
			{"through the platform API", "prospects", "updated", func() {
				acme.Platform().Do("PATCH", "/api/saas/crm/leads/"+pid, map[string]any{"firstName": "Priyanka"}).OK()
			}, func(m heard) string {
				if u := m.update("firstName"); u == nil || u["to"] != "Priyanka" {
					return "updates of firstName"
				}
				return ""
			}},
		} {
			from := 0
			if s.do != nil {
				from = len(v.all())
				s.do()
			}
			m := v.find(c, s.name, from, func(m heard) bool {
				return m.raw["topic"] == s.topic && m.raw["type"] == s.typ && s.check(m) == ""
			})
			if m.str("subscriptionId") != sub || m.get("attempts") != 1.0 || m.str("received") == "" || m.str("sent") < m.str("received") || m.str("updatedAt") == "" || !isID(m.str("operationId")) {
				t.Errorf("%s: the envelope is %v", s.name, m.raw)
			}
			if m.header.Get("X-Ecodrix-Signature") != "" || m.header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: headers %v", s.name, m.header)
			}
		}
		// Nobody hears of a prospect that lies elsewhere; who sees everything does.
		before := len(v.all())
		top := newReceiver(t, nil)
		subscribe(whole, top.URL, "prospects", "interactions", "quotes")
		foreign := lead(acme.In(other.ID), map[string]any{"phones": phones("+54 9 11 4552 0400")})
		top.find(whole, "the top group", 0, func(m heard) bool { return m.str("prospect.0.id") == foreign })
		for _, m := range v.all()[before:] {
			if m.str("prospect.0.id") == foreign {
				t.Errorf("the shop was heard of another group's prospect: %v", m.raw)
			}
		}
		// In order: of each prospect, created comes first.
		first := map[string]bool{}
		for _, m := range v.all() {
			if p := m.str("prospect.0.id"); !first[p] {
				first[p] = true
				if m.raw["type"] != "created" {
					t.Errorf("the first that was said of %s is %v.%v", p, m.raw["topic"], m.raw["type"])
				}
			}
		}
	})
}

func isID(s string) bool {
	_, err := id.Parse(s)
	return err == nil
}

// A notification shows a prospect as an array of one or as an object, by the
// setting of the account and of the subscription; data only to who may see it.
func TestTheShapeOfNotifications(t *testing.T) {
	apitest.Each(t, apitest.Options{Simulate: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		for _, k := range []struct{ setting, own, want string }{{"", "", "array"}, {"object", "", "object"}, {"object", "array", "array"}, {"array", "object", "object"}} {
			if _, err := r.App.Tenants.EditSettings(t.Context(), acme.ID, shapeOf(k.setting)); err != nil {
				t.Fatal(err)
			}
			g := acme.Group("G "+k.setting+k.own, id.Zero)
			blind := acme.WithKey(access.NewKey{Group: g.ID, Scopes: []string{"sales:notifications"}})
			c := acme.In(g.ID)
			v := newReceiver(t, nil)
			body := map[string]any{"topics": []string{"prospects"}, "callbackUrl": v.URL}
			if k.own != "" {
				body["prospectShape"] = k.own
			}
			made := blind.Post("/notifications/subscriptions", body).OK()
			if k.own != "" && made.Str("prospectShape") != k.own {
				t.Errorf("%v: %s", k, made.Body)
			}
			pid := lead(c, map[string]any{"firstName": "P", "phones": phones("+54 9 11 4552 " + fmt.Sprint(1000+len(k.own)*100+len(k.setting)*10))})
			m := v.find(c, "created", 0, func(m heard) bool { return m.raw["type"] == "created" })
			at := "prospect."
			if k.want == "array" {
				at = "prospect.0."
			}
			if m.str(at+"id") != pid {
				t.Errorf("%v: %v", k, m.raw["prospect"])
			}
			c.Patch("/prospect/"+pid+"/additionalData", map[string]any{"secret": 1}).OK()
			c.Patch("/prospect/"+pid, map[string]any{"lastName": "Q"}).OK()
			v.find(c, "edited", 0, func(m heard) bool { return m.update("lastName") != nil })
			for _, m := range v.all() {
				if m.get(at+"additionalData") != nil || m.update("additionalData.secret") != nil {
					t.Errorf("%v: a key without the scope was heard %v", k, m.raw)
				}
			}
		}
	})
}

func shapeOf(shape string) func(s *tenant.Settings) {
	return func(s *tenant.Settings) { s.ProspectShape = shape }
}

// Subscriptions: one of a group, seen by its keys alone (reference §2.8, §7.9).
func TestSubscriptions(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		shop := acme.Group("Shop", id.Zero)
		asha := acme.Agent("Asha", "Rao", shop.ID)
		c, whole := acme.In(shop.ID, "notifications"), acme.Caller()
		if got := c.Get("/notifications/topics").OK().List(); len(got) != 4 || got[0]["name"] != "prospects" || got[3]["name"] != "agents" {
			t.Errorf("topics %v", got)
		}
		finds(t, c, "/notifications/subscriptions")
		body := func(topics ...string) map[string]any {
			return map[string]any{"topics": topics, "callbackUrl": "https://example.com/hook?secret=1"}
		}
		first := c.Post("/notifications/subscriptions", body("quotes", "prospects", "prospects"))
		if first.Status != 201 || first.Str("topics.0") != "prospects" || first.Str("topics.1") != "quotes" || first.Get("topics.2") != nil || first.Str("callbackUrl") != "https://example.com/hook?secret=1" {
			t.Errorf("%d %s", first.Status, first.Body)
		}
		finds(t, c, "/notifications/subscriptions", first.Str("id"))
		finds(t, whole, "/notifications/subscriptions") // another group's
		whole.Get("/notifications/subscription/"+first.Str("id")).Refused(404, "NOT_FOUND")
		whole.Delete("/notifications/subscription/"+first.Str("id")).Refused(404, "NOT_FOUND")
		second := c.Post("/notifications/subscriptions", body("interactions")).OK()
		finds(t, c, "/notifications/subscriptions", second.Str("id"))
		c.Get("/notifications/subscription/"+first.Str("id")).Refused(404, "NOT_FOUND")
		if got := c.Get("/notifications/subscription/" + second.Str("id")).OK(); got.Str("topics.0") != "interactions" {
			t.Errorf("%s", got.Body)
		}
		if got := c.Delete("/notifications/subscription/" + second.Str("id")).OK(); got.Str("id") != second.Str("id") {
			t.Errorf("%s", got.Body)
		}
		c.Get("/notifications/subscription/"+second.Str("id")).Refused(404, "NOT_FOUND")
		c.Delete("/notifications/subscription/"+second.Str("id")).Refused(404, "NOT_FOUND")
		c.Post("/notifications/subscriptions", body("interactions")).OK()
		if got := c.Delete("/notifications/subscriptions").OK(); got.Get("modified") != 1.0 {
			t.Errorf("%s", got.Body)
		}
		if got := c.Delete("/notifications/subscriptions").OK(); got.Get("modified") != 0.0 {
			t.Errorf("%s", got.Body)
		}
		// agents needs its scope, and somebody to act for.
		c.Post("/notifications/subscriptions", body("agents")).Refused(403, "INVALID_SCOPE")
		acme.In(shop.ID).Post("/notifications/subscriptions", body("agents")).Refused(409, "INTEGRATION_HAS_NO_USER")
		acme.As(asha).Post("/notifications/subscriptions", body("agents")).OK()
		for name, bad := range map[string]any{
			"topics":         map[string]any{"callbackUrl": "https://example.com"},
			"nothing":        map[string]any{"topics": []string{"nothing"}, "callbackUrl": "https://example.com"},
			"callbackUrl":    map[string]any{"topics": []string{"quotes"}},
			"http":           map[string]any{"topics": []string{"quotes"}, "callbackUrl": "ftp://example.com"},
			"cannot be":      map[string]any{"topics": []string{"quotes"}, "callbackUrl": "http://10.0.0.1/x"},
			"cannot be call": map[string]any{"topics": []string{"quotes"}, "callbackUrl": "http://[::1]:80/x"},
			"prospectShape":  map[string]any{"topics": []string{"quotes"}, "callbackUrl": "https://example.com", "prospectShape": "list"},
		} {
			a := c.Post("/notifications/subscriptions", bad).Refused(400, "SCHEMA_VALIDATION_FAILED")
			if !strings.Contains(a.Str("message"), name) {
				t.Errorf("%s: %s", name, a.Body)
			}
		}
		acme.Caller("prospects:read").Get("/notifications/subscriptions").Refused(403, "INVALID_SCOPE")
		c.Get("/notifications/subscription/nope").Refused(400, "INVALID_ID")
		// However many subscribe at once, one is active.
		var wg sync.WaitGroup
		for range 12 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				c.Post("/notifications/subscriptions", body("prospects")).OK()
			}()
		}
		wg.Wait()
		if got := c.Get("/notifications/subscriptions").OK().List(); len(got) != 1 {
			t.Errorf("%d are active", len(got))
		}
	})
}

// The log shows what was sent and what was not; a replay sends it again, under
// its own id; another account and another group see nothing of it.
func TestTheLogOfNotifications(t *testing.T) {
	apitest.Each(t, apitest.Options{Simulate: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		shop, other := acme.Group("Shop", id.Zero), acme.Group("Other", id.Zero)
		v := newReceiver(t, func(n int) int { return map[bool]int{true: 410, false: 200}[n == 1] })
		c, boss := acme.In(shop.ID), acme.Caller()
		sub := subscribe(c, v.URL, "prospects")
		first, second := lead(c, map[string]any{"phones": phones("+5491145521111")}), ""
		var failed string
		c.Eventually("the first has failed", func() bool {
			failed = boss.Get("/admin/notifications/deliveries?status=failed&payload=true").OK().Str("0.id")
			return failed != ""
		})
		a := boss.Get("/admin/notifications/deliveries?payload=true&prospectId=" + first).OK()
		if a.Str("0.subscriptionId") != sub || a.Str("0.topic") != "prospects" || a.Str("0.type") != "created" || a.Get("0.attempts") != 1.0 ||
			a.Get("0.responseStatus") != 410.0 || a.Str("0.payload.prospect.0.id") != first || a.Str("0.callbackUrl") != v.URL {
			t.Errorf("%s", a.Body)
		}
		second = lead(c, map[string]any{"phones": phones("+5491145522222")})
		c.Eventually("the second is sent", func() bool {
			return boss.Get("/admin/notifications/deliveries?status=sent&subscriptionId="+sub).OK().Str("0.prospectId") == second
		})
		sent := boss.Get("/admin/notifications/deliveries?limit=1").OK().Str("0.id")
		finds(t, boss, "/admin/notifications/deliveries", sent, failed)
		finds(t, boss, "/admin/notifications/deliveries?before="+sent, failed)
		finds(t, boss, "/admin/notifications/deliveries?after="+failed, sent)
		finds(t, boss, "/admin/notifications/deliveries?topic=quotes")
		finds(t, boss, "/admin/notifications/deliveries?status=sent&status=failed", sent, failed)
		boss.Get("/admin/notifications/deliveries?topic=x").Refused(400, "SCHEMA_VALIDATION_FAILED")
		boss.Get("/admin/notifications/deliveries?status=x").Refused(400, "SCHEMA_VALIDATION_FAILED")
		for _, who := range []*apitest.Caller{acme.In(other.ID), r.NewTenant("Else").Caller()} {
			finds(t, who, "/admin/notifications/deliveries")
			finds(t, who, "/admin/notifications/deliveries?subscriptionId="+sub)
			who.Post("/admin/notifications/delivery/"+failed+"/retry", nil).Refused(404, "NOT_FOUND")
		}
		finds(t, c, "/admin/notifications/deliveries", sent, failed)
		for _, d := range []string{failed, sent} {
			n := len(v.all())
			if a := boss.Post("/admin/notifications/delivery/"+d+"/retry", nil).OK(); a.Str("id") != d {
				t.Errorf("%s", a.Body)
			}
			m := v.find(c, "the replay", n, func(m heard) bool { return m.header.Get("X-Parley-Delivery") == d })
			if m.get("attempts") != 1.0 {
				t.Errorf("%v", m.raw)
			}
		}
		c.Eventually("both are sent", func() bool { return len(boss.Get("/admin/notifications/deliveries?status=sent").OK().List()) == 2 })
		c.Delete("/notifications/subscriptions").OK()
		boss.Post("/admin/notifications/delivery/"+sent+"/retry", nil).Refused(409, "CONFLICT")
		boss.Post("/admin/notifications/delivery/"+id.New().String()+"/retry", nil).Refused(404, "NOT_FOUND")
		acme.Caller("notifications").Get("/admin/notifications/deliveries").Refused(403, "INVALID_SCOPE")
	})
}

// Messages of a channel are told as they come, as they go and as they arrive; a
// stranger who writes is a new prospect first; and the free-reply window is told.
func TestMessagesAreTold(t *testing.T) {
	apitest.Each(t, apitest.Options{Simulate: true}, func(t *testing.T, r *apitest.Rig) {
		k := newTalk(t, r)
		v := newReceiver(t, nil)
		subscribe(k.Caller, v.URL, "prospects", "interactions")
		k.writes("919876543299", "is the blue one there?")
		m := v.find(k.Caller, "the message", 0, func(m heard) bool {
			return m.raw["topic"] == "interactions" && m.raw["type"] == "created" && m.str("interaction.output.message.content") == "is the blue one there?"
		})
		if m.str("operationId") != m.str("interaction.id") || m.str("interaction.output.message.performer") != "integration" || m.str("interaction.via") != "whatsApp" {
			t.Errorf("%v", m.raw)
		}
		pid := m.str("prospect.0.id")
		if first := v.all()[0]; first.raw["topic"] != "prospects" || first.raw["type"] != "created" || first.str("prospect.0.id") != pid || first.str("whatsAppDueAt") == "" {
			t.Errorf("the first was %v", first.raw)
		}
		from := len(v.all())
		iid := k.Post("/prospect/"+pid+"/messaging/whatsapp", map[string]any{"content": "it is"}).OK().Str("0.id")
		for _, want := range []struct{ typ, status string }{{"created", ""}, {"updated", "sent"}, {"updated", "received"}} {
			v.find(k.Caller, fmt.Sprint(want), from, func(m heard) bool {
				s := m.str("interaction.status")
				return m.raw["type"] == want.typ && m.str("operationId") == iid && (want.status == "" || s == want.status || s == "received" || s == "read")
			})
		}
	})
}

// TestRatingsAreTold: how content a prospect was is an interaction, and is told as
// one (reference §4.10).
func TestRatingsAreTold(t *testing.T) {
	apitest.Each(t, apitest.Options{Simulate: true}, func(t *testing.T, r *apitest.Rig) {
		c := r.NewTenant("Acme").Caller()
		v := newReceiver(t, nil)
		subscribe(c, v.URL, "interactions")
		pid := c.Post("/lead/retail", map[string]any{"utmSource": "web", "firstName": "Asha", "emails": []string{"asha@example.com"}}).OK().Str("id")
		iid := c.Post("/prospect/"+pid+"/csat", map[string]any{"result": 4, "comment": "Quick"}).OK().Str("id")
		m := v.find(c, "the rating", 0, func(m heard) bool { return m.str("operationId") == iid })
		if m.raw["topic"] != "interactions" || m.raw["type"] != "created" || m.str("interaction.output.response") != "4" || m.str("interaction.output.comment") != "Quick" || m.str("prospect.0.id") != pid {
			t.Errorf("%v", m.raw)
		}
	})
}
