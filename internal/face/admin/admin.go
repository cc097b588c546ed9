// Package admin is Parley's own API under /parley/v1: tenants, keys, secrets,
// channel accounts, verification, backup. It is what the commands speak, over the
// command socket of the data folder, whose file mode (0600) is its
// authentication; a command that finds no running server opens the database and
// calls the same routes in its own process. What is about tenants is on the public
// port as well, for whoever sends the operator's token.
package admin

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"parley/internal/access"
	"parley/internal/account"
	"parley/internal/agent"
	"parley/internal/contact"
	"parley/internal/conversation"
	"parley/internal/deal"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/outbox"
	"parley/internal/tenant"
	"parley/internal/token"
	"parley/internal/verify"
)

// Name is the face's name.
const Name = "admin"

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
	Deals         *deal.Service
	Contacts      *contact.Service
	Agents        *agent.Service
	Tokens        *token.Service
	// Scopes lists the scopes that a face has; nil for one that names none.
	Scopes    func(face string) []string
	Outbox    *outbox.Outbox
	Operator  access.Operator // who may call the public port
	Status    func(ctx context.Context) Status
	Restore   func(ctx context.Context, file string) error  // nil: no server runs
	Changed   func(ctx context.Context, tenant id.ID) error // told of a new tenant or account; may be nil
	Simulator http.Handler                                  // nil: not simulated
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

// tenants are the routes about tenants: the command socket and the public port
// both serve them.
func (f *Face) tenants() []httpx.Route {
	tenant := Prefix + "tenants/{code}"
	r := []httpx.Route{
		{Method: "GET", Pattern: Prefix + "tenants", Handler: f.listTenants},
		{Method: "POST", Pattern: Prefix + "tenants", Handler: f.createTenant},
		{Method: "GET", Pattern: tenant, Handler: f.showOne},
		{Method: "PATCH", Pattern: tenant, Handler: f.changeTenant},
		{Method: "GET", Pattern: tenant + "/keys", Handler: f.listKeys},
		{Method: "POST", Pattern: tenant + "/keys", Handler: f.createKey},
		{Method: "DELETE", Pattern: tenant + "/keys/{id}", Handler: f.revokeKey},
		{Method: "POST", Pattern: tenant + "/keys/{id}/rotate", Handler: f.rotateKey},
		{Method: "GET", Pattern: tenant + "/tokens", Handler: f.listTokens},
		{Method: "POST", Pattern: tenant + "/tokens", Handler: f.createToken},
		{Method: "DELETE", Pattern: tenant + "/tokens/{id}", Handler: f.revokeToken},
		{Method: "POST", Pattern: Prefix + "tokens/rotate", Handler: f.rotateSigner},
		{Method: "GET", Pattern: tenant + "/secrets", Handler: f.listSecrets},
		{Method: "PUT", Pattern: tenant + "/secrets/{name}", Handler: f.setSecret},
		{Method: "DELETE", Pattern: tenant + "/secrets/{name}", Handler: f.dropSecret},
		{Method: "POST", Pattern: tenant + "/channels", Handler: f.connect},
		{Method: "POST", Pattern: tenant + "/erase", Handler: f.erase},
		{Method: "GET", Pattern: tenant + "/outbox/unknown", Handler: f.unknown},
		{Method: "POST", Pattern: tenant + "/outbox/{id}/retry", Handler: f.retry},
		{Method: "POST", Pattern: tenant + "/outbox/{id}/cancel", Handler: f.cancel},
	}
	for i := range r {
		r[i].Scope = operator
	}
	return r
}

// operator is the one scope of these routes; the operator's token carries it.
const operator = "operator"

// Socket returns the face of the command socket. Every route is public because
// only the owner of the data folder can open the socket.
func (f *Face) Socket() httpx.Face {
	r := append(f.tenants(),
		httpx.Route{Method: "GET", Pattern: Prefix + "tenants/{code}/people", Handler: f.exportPeople},
		httpx.Route{Method: "POST", Pattern: Prefix + "tenants/{code}/people", Handler: f.importPeople, NoTx: true, MaxBody: 64 << 20},
		httpx.Route{Method: "GET", Pattern: Prefix + "status", Handler: f.status},
		httpx.Route{Method: "GET", Pattern: Prefix + "verify", Handler: f.verify},
		httpx.Route{Method: "POST", Pattern: Prefix + "backup", Handler: f.backup},
		httpx.Route{Method: "POST", Pattern: Prefix + "restore", Handler: f.restore},
	)
	if f.s.Simulator != nil {
		for _, m := range []string{"GET", "POST"} {
			r = append(r, httpx.Route{Method: m, Pattern: "/_sim/*", Raw: f.s.Simulator.ServeHTTP})
		}
	}
	for i := range r {
		r[i].Scope, r[i].Public = "", true
	}
	return httpx.Face{Name: Name, Prefixes: []string{"/"}, Routes: r, WriteError: writeError}
}

// HTTP returns the face of the public port: the routes about tenants, for the
// operator's token. What reads or writes files of the server is not among them.
func (f *Face) HTTP() httpx.Face {
	return httpx.Face{Name: Name, Prefixes: []string{Prefix}, Routes: f.tenants(), WriteError: writePublicError,
		Authenticate: func(_ context.Context, r *httpx.Request) (httpx.Principal, error) {
			token, bearer := httpx.Bearer(r.Header)
			if !bearer {
				token = strings.TrimSpace(r.Header.Get("x-core-api-key"))
			}
			if err := f.s.Operator.Check(token); err != nil {
				return httpx.Principal{}, err
			}
			return httpx.Principal{Face: Name, Scopes: []string{operator}}, nil
		}}
}

// writePublicError is writeError without the cause of an error of ours, which
// stays in the log.
func writePublicError(w http.ResponseWriter, r *httpx.Request, err error) {
	if fault.As(err) == nil {
		err = errors.New("something went wrong on the server; its log tells more")
	}
	writeError(w, r, err)
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
