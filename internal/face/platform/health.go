package platform

import (
	"context"
	"html/template"
	"net/http"
	"strings"

	"parley/internal/automation"
	"parley/internal/httpx"
)

// systemView is the state of the server (reference §4.15).
type systemView struct {
	Status     string `json:"status"`
	Version    string `json:"version"`
	Env        string `json:"env"`
	Uptime     int64  `json:"uptime"` // seconds
	DB         string `json:"db"`
	QueueDepth int    `json:"queueDepth"`
	Timestamp  stamp  `json:"timestamp"`
}

// clientView is what a tenant has set up (reference §4.15).
type clientView struct {
	ClientCode        string   `json:"clientCode"`
	Services          services `json:"services"`
	ActiveAutomations int      `json:"activeAutomations"`
	QueueDepth        int      `json:"queueDepth"`
	Timestamp         stamp    `json:"timestamp"`
}

type services struct {
	WhatsApp   string `json:"whatsapp"`
	Email      string `json:"email"`
	GoogleMeet string `json:"googleMeet"`
}

const notConfigured = "not_configured"

// systemHealth answers how the server is doing; it asks for no key and answers
// 200 even when the database is away, because the answer says so.
func (f *Face) systemHealth(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	s := f.s.System.Status(ctx)
	v := systemView{Status: "ok", Version: s.Version, Env: s.Env, Uptime: int64(s.Uptime.Seconds()), DB: s.DB,
		QueueDepth: s.QueueDepth, Timestamp: stamp(f.s.Clock.Now())}
	if s.DB != "connected" {
		v.Status = "error"
	}
	if prefersHTML(r.Header.Get("Accept")) {
		return healthPage(v)
	}
	return dual(v)
}

// prefersHTML tells a browser from a client (§2.14).
func prefersHTML(accept string) bool {
	accept = strings.ToLower(accept)
	return strings.Contains(accept, "text/html") && !strings.Contains(accept, "json")
}

var healthHTML = template.Must(template.New("health").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Parley: {{.Status}}</title>
<h1>{{.Status}}</h1>
<dl><dt>Version<dd>{{.Version}}<dt>Database<dd>{{.DB}}<dt>Up<dd>{{.Uptime}} s<dt>Jobs waiting<dd>{{.QueueDepth}}</dl>
</html>
`))

func healthPage(v systemView) (*httpx.Response, error) {
	var b strings.Builder
	if err := healthHTML.Execute(&b, v); err != nil {
		return nil, err
	}
	return &httpx.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}, Body: []byte(b.String())}, nil
}

// clientHealth answers what the tenant has set up.
func (f *Face) clientHealth(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	accounts, err := f.s.Accounts.List(ctx, r.Principal.Tenant)
	if err != nil {
		return nil, err
	}
	active := true
	rules, err := f.s.Automations.List(ctx, r.Principal.Tenant, automation.RuleQuery{Active: &active})
	if err != nil {
		return nil, err
	}
	jobs, err := f.s.Jobs.Stats(ctx, r.Principal.Tenant)
	if err != nil {
		return nil, err
	}
	v := clientView{ClientCode: r.Principal.TenantCode, Services: services{notConfigured, notConfigured, notConfigured},
		ActiveAutomations: len(rules), QueueDepth: jobs.Available + jobs.Running, Timestamp: stamp(f.s.Clock.Now())}
	for _, a := range accounts {
		if a.Kind == "whatsapp" {
			v.Services.WhatsApp = "connected"
		}
	}
	return dual(v)
}
