// Package admin is Parley's own API under /parley/v1: tenants, keys, channel
// accounts, verification, backup. It is what the commands speak, over the
// command socket of the data folder, whose file mode (0600) is its
// authentication; a command that finds no running server opens the database and
// calls the same routes in its own process. It is not mounted on the public port.
package admin

import (
	"context"
	"net/http"
	"strings"

	"parley/internal/access"
	"parley/internal/account"
	"parley/internal/conversation"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/outbox"
	"parley/internal/tenant"
	"parley/internal/verify"
)

// Prefix is where the routes live.
const Prefix = "/parley/v1/"

// Database is what the server does for the commands beyond single rooms.
type Database interface {
	Verify(ctx context.Context) (verify.Report, error)
	Backup(ctx context.Context, file string) error
}

// Services are what the face needs.
type Services struct {
	DB            Database
	Tenants       *tenant.Service
	Access        *access.Service
	Accounts      *account.Service
	Conversations *conversation.Service
	Outbox        *outbox.Outbox
	Status        func(ctx context.Context) Status
	Restore       func(ctx context.Context, file string) error  // nil: no server runs
	Changed       func(ctx context.Context, tenant id.ID) error // told of a new tenant or account; may be nil
	Simulator     http.Handler                                  // nil: not simulated
}

// Status is how a server is doing.
type Status struct {
	URL           string   `json:"url,omitempty"` // empty: no server runs
	Version       string   `json:"version"`
	Database      string   `json:"database"` // "sqlite" or "postgres"
	Schema        int64    `json:"schema"`
	SchemaWant    int64    `json:"schemaWant"`
	Node          string   `json:"node,omitempty"`
	Roles         []string `json:"roles,omitempty"`
	Simulated     bool     `json:"simulated"`
	UptimeSeconds int64    `json:"uptimeSeconds"`
	QueueDepth    int      `json:"queueDepth"`
	WritesWaiting int      `json:"writesWaiting"`
	Problems      []string `json:"problems,omitempty"`
}

// Face serves the admin API.
type Face struct{ s Services }

// New returns the face.
func New(s Services) *Face { return &Face{s} }

// HTTP returns the face as the shared layer wants it. Every route is public
// because only the owner of the data folder can open the socket.
func (f *Face) HTTP() httpx.Face {
	r := []httpx.Route{
		{Method: "GET", Pattern: "/parley/v1/status", Handler: f.status},
		{Method: "GET", Pattern: "/parley/v1/tenants", Handler: f.listTenants},
		{Method: "POST", Pattern: "/parley/v1/tenants", Handler: f.createTenant},
		{Method: "GET", Pattern: "/parley/v1/tenants/{code}/keys", Handler: f.listKeys},
		{Method: "POST", Pattern: "/parley/v1/tenants/{code}/keys", Handler: f.createKey},
		{Method: "DELETE", Pattern: "/parley/v1/tenants/{code}/keys/{id}", Handler: f.revokeKey},
		{Method: "POST", Pattern: "/parley/v1/tenants/{code}/channels", Handler: f.connect},
		{Method: "GET", Pattern: "/parley/v1/tenants/{code}/outbox/unknown", Handler: f.unknown},
		{Method: "POST", Pattern: "/parley/v1/tenants/{code}/outbox/{id}/retry", Handler: f.retry},
		{Method: "POST", Pattern: "/parley/v1/tenants/{code}/outbox/{id}/cancel", Handler: f.cancel},
		{Method: "GET", Pattern: "/parley/v1/verify", Handler: f.verify},
		{Method: "POST", Pattern: "/parley/v1/backup", Handler: f.backup},
		{Method: "POST", Pattern: "/parley/v1/restore", Handler: f.restore},
	}
	if f.s.Simulator != nil {
		for _, m := range []string{"GET", "POST"} {
			r = append(r, httpx.Route{Method: m, Pattern: "/_sim/*", Raw: f.s.Simulator.ServeHTTP})
		}
	}
	for i := range r {
		r[i].Public = true
	}
	return httpx.Face{Name: "admin", Prefixes: []string{"/"}, Routes: r, WriteError: writeError}
}

// writeError answers {"error":{code, field, message}}. The caller is the
// operator: he sees the cause of an error of ours too.
func writeError(w http.ResponseWriter, _ *httpx.Request, err error) {
	f := fault.As(err)
	e := map[string]any{"code": "internal", "message": err.Error()}
	if f != nil {
		e = map[string]any{"code": f.Code, "field": f.Field, "message": f.Message}
	}
	httpx.WriteJSON(w, httpx.Status(f), map[string]any{"error": e})
}

func ok(v any) (*httpx.Response, error) { return httpx.JSON(http.StatusOK, v), nil }

func (f *Face) status(ctx context.Context, _ *httpx.Request) (*httpx.Response, error) {
	return ok(f.s.Status(ctx))
}

// tenant finds the tenant of a route by its code.
func (f *Face) tenant(ctx context.Context, r *httpx.Request) (tenant.Tenant, error) {
	t, err := f.s.Tenants.ByCode(ctx, strings.ToUpper(r.Param("code")))
	if fe := fault.As(err); fe != nil && fe.Code == fault.NotFound {
		return t, fault.New(fault.NotFound, "there is no tenant %s; `parley tenant list` shows those that exist", r.Param("code"))
	}
	return t, err
}

// changed tells the server of a new tenant or account.
func (f *Face) changed(ctx context.Context, tenant id.ID) error {
	if f.s.Changed == nil {
		return nil
	}
	return f.s.Changed(ctx, tenant)
}
