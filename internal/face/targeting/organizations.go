package targeting

import (
	"context"
	"net/http"
	"strings"

	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/tenant"
	"parley/internal/token"
)

// organizationsPath is where organisations are: the one place of this API where the
// operator's token opens.
const organizationsPath = "/v1/admin/organizations"

// organizationWire is an organisation (reference §5.4; the fields are ours).
type organizationWire struct {
	ID        string  `json:"id"`
	Code      string  `json:"code"`
	Name      string  `json:"name"`
	Status    string  `json:"status"`
	CreatedAt *string `json:"created_at"`
	UpdatedAt *string `json:"updated_at"`
	Token     string  `json:"token,omitempty"` // only in the answer that made it
}

func organizationOf(t tenant.Tenant) organizationWire {
	return organizationWire{ID: t.ID.UUID(), Code: t.Code, Name: t.Name, Status: t.Status, CreatedAt: moment(t.CreatedAt), UpdatedAt: moment(t.UpdatedAt)}
}

// organizationList is a list of organisations.
type organizationList struct {
	Hits    int                `json:"hits"`
	Results []organizationWire `json:"results"`
}

// byOperator reports whether the operator asks: he belongs to no organisation.
func byOperator(r *httpx.Request) bool { return r.Principal.Tenant.IsZero() }

// listOrganizations answers the token's own organisation; to the operator all.
func (f *Face) listOrganizations(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var list []tenant.Tenant
	var err error
	if byOperator(r) {
		list, err = f.s.Tenants.List(ctx)
	} else {
		list = make([]tenant.Tenant, 1)
		list[0], err = f.s.Tenants.ByID(ctx, r.Principal.Tenant)
	}
	if err != nil {
		return nil, err
	}
	out := organizationList{len(list), make([]organizationWire, len(list))}
	for i, t := range list {
		out.Results[i] = organizationOf(t)
	}
	return httpx.JSON(http.StatusOK, out), nil
}

// organizationBody makes or changes an organisation.
type organizationBody struct {
	Name *string `json:"name"`
	Code string  `json:"code"`
}

// addOrganization makes an organisation and a first token for it. That is the
// operator's to do.
func (f *Face) addOrganization(ctx context.Context, r *httpx.Request, body organizationBody) (*httpx.Response, error) {
	if !byOperator(r) {
		return nil, fault.New(fault.Forbidden, "Forbidden: organizations are made by the operator of the server, with PARLEY_ADMIN_TOKEN or the command parley tenant create")
	}
	if body.Name == nil {
		return nil, fault.Missing("name")
	}
	t, text, _, err := f.s.Tokens.SignUp(ctx, tenant.NewTenant{Name: *body.Name, Code: body.Code}, token.New{Name: "first token"})
	if err != nil {
		return nil, err
	}
	if f.s.Changed != nil {
		if err := f.s.Changed(ctx, t.ID); err != nil {
			return nil, err
		}
	}
	w := organizationOf(t)
	w.Token = text
	return httpx.JSON(http.StatusCreated, w), nil
}

// organization finds the organisation of a path by its id or its code. Another one
// than the token's is unknown, but not to the operator.
func (f *Face) organization(ctx context.Context, r *httpx.Request) (tenant.Tenant, error) {
	text := strings.TrimSpace(r.Param("id"))
	var t tenant.Tenant
	var oid id.ID
	var err error
	if oid, err = parseAnyID("tenant", text); err == nil {
		t, err = f.s.Tenants.ByID(ctx, oid)
	} else {
		t, err = f.s.Tenants.ByCode(ctx, text)
	}
	if err == nil && !byOperator(r) && t.ID != r.Principal.Tenant {
		err = fault.Unknown("tenant")
	}
	return t, err
}

func (f *Face) showOrganization(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := f.organization(ctx, r)
	if err != nil {
		return nil, err
	}
	return httpx.JSON(http.StatusOK, organizationOf(t)), nil
}

// changeOrganization changes the name.
func (f *Face) changeOrganization(ctx context.Context, r *httpx.Request, body organizationBody) (*httpx.Response, error) {
	t, err := f.organization(ctx, r)
	if err != nil {
		return nil, err
	}
	if t, err = f.s.Tenants.Change(ctx, t.ID, tenant.Edit{Name: body.Name}); err != nil {
		return nil, err
	}
	return httpx.JSON(http.StatusOK, organizationOf(t)), nil
}
