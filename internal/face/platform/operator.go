package platform

import (
	"context"
	"strings"

	"parley/internal/access"
	"parley/internal/account"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/tenant"
)

// OperatorServices are the rooms that the operator's routes speak to.
type OperatorServices struct {
	Operator access.Operator
	Tenants  *tenant.Service
	Access   *access.Service
	Accounts *account.Service
	Changed  func(ctx context.Context, tenant id.ID) error // told of a new tenant or account; may be nil
}

// Operator serves the part of the platform API that whoever runs the server
// uses: clients, their keys, their secrets (reference §1.2). It is the platform's
// spelling of what package admin offers under /parley/v1.
type Operator struct{ s OperatorServices }

// NewOperator returns the routes over their services.
func NewOperator(s OperatorServices) *Operator { return &Operator{s} }

const clients = "/api/clients"

// operator is the one scope of these routes; the operator's token carries it.
const operator = "operator"

// HTTP returns the operator's routes as the shared HTTP layer wants them.
func (o *Operator) HTTP() httpx.Face {
	client := clients + "/{client}"
	return httpx.Face{
		Name: "platform operator", Prefixes: []string{clients + "/"}, Authenticate: o.authenticate, WriteError: writeError,
		Routes: []httpx.Route{
			{Method: "GET", Pattern: clients, Scope: operator, Handler: o.list},
			{Method: "POST", Pattern: clients, Scope: operator, Handler: o.create},
			{Method: "GET", Pattern: clients + "/count", Scope: operator, Handler: o.count},
			{Method: "GET", Pattern: client, Scope: operator, Handler: o.client},
			{Method: "DELETE", Pattern: client, Scope: operator, Handler: o.terminate},
			{Method: "PATCH", Pattern: client + "/identity", Scope: operator, Handler: o.identity},
			{Method: "GET", Pattern: client + "/api-key", Scope: operator, Handler: o.apiKey},
			{Method: "POST", Pattern: client + "/api-key", Scope: operator, Handler: o.rotateKey},
			{Method: "GET", Pattern: client + "/config", Scope: operator, Handler: o.config},
			{Method: "PATCH", Pattern: client + "/config", Scope: operator, Handler: o.configure},
			{Method: "GET", Pattern: client + "/secrets", Scope: operator, Handler: o.secrets},
			{Method: "POST", Pattern: client + "/secrets", Scope: operator, Handler: o.setSecrets},
			{Method: "PUT", Pattern: client + "/secrets", Scope: operator, Handler: o.setSecrets},
			{Method: "PATCH", Pattern: client + "/secrets", Scope: operator, Handler: o.setSecrets},
		},
	}
}

// authenticate takes the operator's token from either of its headers.
func (o *Operator) authenticate(_ context.Context, r *httpx.Request) (httpx.Principal, error) {
	token := strings.TrimSpace(r.Header.Get("x-core-api-key"))
	if token == "" {
		token, _ = httpx.Bearer(r.Header)
	}
	if err := o.s.Operator.Check(token); err != nil {
		return httpx.Principal{}, err
	}
	return httpx.Principal{Face: Name, Scopes: []string{operator}}, nil
}

// find returns the client that a path names, by its code or its id.
func (o *Operator) find(ctx context.Context, r *httpx.Request) (tenant.Tenant, error) {
	name := r.Param("client")
	t, err := o.s.Tenants.ByCode(ctx, name)
	if fe := fault.As(err); fe != nil && fe.Code == fault.NotFound {
		if tid, perr := id.Parse(name); perr == nil {
			return o.s.Tenants.ByID(ctx, tid)
		}
	}
	return t, err
}

func (o *Operator) changed(ctx context.Context, tenant id.ID) error {
	if o.s.Changed == nil {
		return nil
	}
	return o.s.Changed(ctx, tenant)
}
