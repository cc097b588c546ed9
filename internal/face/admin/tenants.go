package admin

import (
	"context"
	"net/http"
	"time"

	"parley/internal/access"
	"parley/internal/account"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/tenant"
)

type tenantOut struct {
	TenantID   string    `json:"tenantId"`
	ClientCode string    `json:"clientCode"`
	Name       string    `json:"name"`
	Status     string    `json:"status"`
	CreatedAt  time.Time `json:"createdAt"`
	APIKey     string    `json:"apiKey,omitempty"` // only in the answer that made it
}

func showTenant(t tenant.Tenant) tenantOut {
	return tenantOut{TenantID: t.ID.String(), ClientCode: t.Code, Name: t.Name, Status: t.Status, CreatedAt: t.CreatedAt}
}

func (f *Face) listTenants(ctx context.Context, _ *httpx.Request) (*httpx.Response, error) {
	list, err := f.s.Tenants.List(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]tenantOut, len(list))
	for i, t := range list {
		out[i] = showTenant(t)
	}
	return ok(out)
}

func (f *Face) createTenant(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in struct{ Name, Code string }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	// A command may have opened the database with a key of its own folder.
	if err := f.s.Tenants.CheckSeal(ctx); err != nil {
		return nil, err
	}
	t, token, err := f.s.Access.SignUp(ctx, tenant.NewTenant{Name: in.Name, Code: in.Code})
	if err != nil {
		return nil, err
	}
	out := showTenant(t)
	out.APIKey = token
	if err := f.changed(ctx, t.ID); err != nil {
		return nil, err
	}
	return httpx.JSON(http.StatusCreated, out), nil
}

func (f *Face) showOne(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := f.tenant(ctx, r)
	if err != nil {
		return nil, err
	}
	return ok(tenantDetail{showTenant(t), t.Settings})
}

// tenantDetail is one tenant with its settings, defaults applied.
type tenantDetail struct {
	tenantOut
	Settings tenant.Settings `json:"settings"`
}

// changeTenant changes what is given of a tenant's name, status and settings. The
// code stays, because clients send it.
func (f *Face) changeTenant(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := f.tenant(ctx, r)
	if err != nil {
		return nil, err
	}
	var in struct {
		Name, Status *string
		Settings     *struct {
			Region, Timezone, Currency, Distance, WebhookProspectShape *string
			WorkersMax, MergePeriodDays                                *int
		}
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	e := tenant.Edit{Name: in.Name, Status: in.Status}
	if set := in.Settings; set != nil {
		e.Settings = func(s *tenant.Settings) {
			for _, x := range []struct{ dst, given *string }{{&s.Region, set.Region}, {&s.Timezone, set.Timezone}, {&s.Currency, set.Currency},
				{&s.Distance, set.Distance}, {&s.ProspectShape, set.WebhookProspectShape}} {
				if x.given != nil {
					*x.dst = *x.given
				}
			}
			for _, x := range []struct{ dst, given *int }{{&s.WorkersMax, set.WorkersMax}, {&s.MergePeriodDays, set.MergePeriodDays}} {
				if x.given != nil {
					*x.dst = *x.given
				}
			}
		}
	}
	if t, err = f.s.Tenants.Change(ctx, t.ID, e); err != nil {
		return nil, err
	}
	return ok(tenantDetail{showTenant(t), t.Settings})
}

type keyOut struct {
	ID        string     `json:"id"`
	Face      string     `json:"face"`
	Name      string     `json:"name,omitempty"`
	Scopes    []string   `json:"scopes"`
	Group     string     `json:"group,omitempty"`
	User      string     `json:"user,omitempty"`
	CreatedAt time.Time  `json:"createdAt"`
	RevokedAt *time.Time `json:"revokedAt,omitempty"`
	APIKey    string     `json:"apiKey,omitempty"`
}

func showKey(k access.Key) keyOut {
	out := keyOut{ID: k.ID.String(), Face: k.Face, Name: k.Name, Scopes: k.Scopes, Group: k.Group.String(), User: k.User.String(), CreatedAt: k.CreatedAt}
	if !k.RevokedAt.IsZero() {
		out.RevokedAt = &k.RevokedAt
	}
	return out
}

func (f *Face) listKeys(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := f.tenant(ctx, r)
	if err != nil {
		return nil, err
	}
	list, err := f.s.Access.List(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	out := make([]keyOut, len(list))
	for i, k := range list {
		out[i] = showKey(k)
	}
	return ok(out)
}

func (f *Face) createKey(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := f.tenant(ctx, r)
	if err != nil {
		return nil, err
	}
	var in struct {
		Face, Name  string
		Scopes      []string
		Group, User string
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	n := access.NewKey{Face: in.Face, Scopes: in.Scopes, Name: in.Name}
	for _, x := range []struct {
		field, text string
		dst         *id.ID
	}{{"group", in.Group, &n.Group}, {"user", in.User, &n.User}} {
		if x.text == "" {
			continue
		}
		if *x.dst, err = id.Parse(x.text); err != nil {
			return nil, fault.Field(x.field, "%s must be an id of 24 hexadecimal digits", x.field)
		}
	}
	if err := f.checkKey(ctx, t.ID, n); err != nil {
		return nil, err
	}
	token, k, err := f.s.Access.Create(ctx, t.ID, n)
	if err != nil {
		return nil, err
	}
	out := showKey(k)
	out.APIKey = token
	return httpx.JSON(http.StatusCreated, out), nil
}

func (f *Face) revokeKey(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := f.tenant(ctx, r)
	if err != nil {
		return nil, err
	}
	key, err := id.Parse(r.Param("id"))
	if err != nil {
		return nil, fault.Unknown("key")
	}
	if err := f.s.Access.Revoke(ctx, t.ID, key); err != nil {
		return nil, err
	}
	return httpx.Empty(http.StatusNoContent), nil
}

func (f *Face) connect(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := f.tenant(ctx, r)
	if err != nil {
		return nil, err
	}
	var in struct {
		Kind       string
		ExternalID string `json:"externalId"`
		Settings   map[string]string
		Secrets    map[string]string
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := f.s.Tenants.CheckSeal(ctx); err != nil {
		return nil, err
	}
	a, err := f.s.Accounts.Connect(ctx, t.ID, account.NewAccount{Kind: in.Kind, ExternalID: in.ExternalID, Settings: in.Settings, Secrets: in.Secrets})
	if err != nil {
		return nil, err
	}
	if err := f.changed(ctx, t.ID); err != nil {
		return nil, err
	}
	return httpx.JSON(http.StatusCreated, map[string]any{"id": a.ID, "kind": a.Kind, "externalId": a.ExternalID}), nil
}
