package crossface

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"parley/internal/agent"
	"parley/test/apitest"
)

// person is somebody new, for one way to write.
type person struct {
	first, last, phone, email string
	id                        string // once known
	other                     string // a second contact, of facts about two
	campaign                  string // of the targeting API, over the person alone
}

var born atomic.Int64

func newPerson() *person {
	n := born.Add(1)
	return &person{first: fmt.Sprintf("Ada%d", n), last: "Lovelace", phone: fmt.Sprintf("9190000%05d", n), email: fmt.Sprintf("ada%d@x.example", n)}
}

// world is one tenant with a key of each API, two groups, an agent, a rule and a
// subscription.
type world struct {
	*testing.T
	tenant   *apitest.Tenant
	sales    *apitest.Caller
	user     *apitest.Caller // of the sales API, acts for ann
	platform *apitest.Caller
	targets  *apitest.Caller // of the targeting API
	ann      agent.Agent
	shop     agent.Group
	hooks    *receiver
	live     *feed
	made     *made
}

// made are the targets that exist, by name.
type made struct {
	sync.Mutex
	targets map[string]string
}

// receiver keeps the bodies of what is posted to it.
type receiver struct {
	*httptest.Server
	bodies chan string
	heard  []string // of bodies, so far
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{bodies: make(chan string, 10_000)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		b := new(strings.Builder)
		buf := make([]byte, 4096)
		for {
			n, err := req.Body.Read(buf)
			b.Write(buf[:n])
			if err != nil {
				break
			}
		}
		r.bodies <- b.String()
	}))
	t.Cleanup(r.Close)
	return r
}

const (
	leads = "/api/saas/crm/leads"
	chat  = "/api/saas/chat"
	rules = "/api/saas/crm/automations"
)

func newWorld(t *testing.T, r *apitest.Rig) *world {
	w := &world{T: t, tenant: r.NewTenant("Cross"), hooks: newReceiver(t)}
	w.sales, w.platform, w.targets = w.tenant.Caller(), w.tenant.Platform(), w.tenant.Targeting()
	w.made = &made{targets: map[string]string{}}
	w.shop = w.tenant.Group("Shop", w.tenant.Root.ID)
	w.ann = w.tenant.Agent("Ann", "Arbor", w.tenant.Root.ID)
	w.user = w.tenant.As(w.ann)
	w.sales.Post("/notifications/subscriptions", map[string]any{"topics": []string{"prospects", "interactions"}, "callbackUrl": w.hooks.URL}).OK()
	w.platform.Post(rules, map[string]any{"name": "greeter", "trigger": "lead_created", "isActive": true, "nodes": []map[string]any{
		{"id": "t", "type": "trigger"}, {"id": "tag", "type": "action", "action": "add_tag", "config": map[string]any{"tag": "greeted"}}},
		"edges": []map[string]any{{"source": "t", "target": "tag"}}}).OK()
	vip := w.target("vips", item("_tags", "equals", "vip"))
	w.platform.Post(rules, map[string]any{"name": "welcome", "trigger": "segment_entered", "isActive": true, "triggerConfig": map[string]any{"segmentId": vip}, "nodes": []map[string]any{
		{"id": "t", "type": "trigger"}, {"id": "tag", "type": "action", "action": "add_tag", "config": map[string]any{"tag": "welcomed"}}},
		"edges": []map[string]any{{"source": "t", "target": "tag"}}}).OK()
	w.live = w.listen()
	return w
}

// in is the world for a subtest, which fails by itself.
func (w *world) in(t *testing.T) *world {
	out, tenant, rig := *w, *w.tenant, *w.tenant.Rig
	rig.TB, tenant.Rig = t, &rig
	out.T, out.tenant = t, &tenant
	for _, c := range []**apitest.Caller{&out.sales, &out.user, &out.platform, &out.targets} {
		caller := **c
		caller.Tenant, *c = &tenant, &caller
	}
	return &out
}

// lead is the person as a body of the platform API; prospect as one of the sales
// API.
func (p *person) lead() map[string]any {
	return map[string]any{"firstName": p.first, "lastName": p.last, "phone": p.phone, "email": p.email}
}

func (p *person) prospect() map[string]any {
	return map[string]any{"firstName": p.first, "lastName": p.last, "phones": []string{"+" + p.phone}, "emails": []string{p.email}, "utmSource": "crossface"}
}

// known makes the person known by way of an API.
func (w *world) known(p *person, face string) {
	w.Helper()
	switch face {
	case targeting:
		p.id = hex(w.targets.Post("/v1/entity/contact", p.entityBody()).OK().Str("_id"))
	case sales:
		p.id = w.sales.Post("/lead/retail", p.prospect()).OK().Str("id")
	default:
		p.id = w.platform.Post(leads, p.lead()).OK().Str("data._id")
	}
	if p.id == "" {
		w.Fatal("no id")
	}
	w.Eventually("the prospect is placed", func() bool { return w.sales.Get("/prospect/"+p.id).Status == 200 })
}

// Eventually is the rig's, for this test.
func (w *world) Eventually(what string, ok func() bool) { w.Helper(); w.tenant.Eventually(what, ok) }

// texts has the person write on WhatsApp, by the simulated provider.
func (w *world) texts(p *person, text string) {
	w.Helper()
	w.tenant.Call("POST", "/_sim/reply", map[string]any{"from": "+" + p.phone, "to": w.number(), "text": text}).OK()
}

// number is the tenant's simulated number.
func (w *world) number() string {
	w.Helper()
	list, err := w.tenant.App.Accounts.List(w.Context(), w.tenant.ID)
	if err != nil || len(list) == 0 {
		w.Fatal("the tenant has no number", err)
	}
	return list[0].ExternalID
}
