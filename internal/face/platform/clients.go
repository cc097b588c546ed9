package platform

import (
	"context"
	"maps"
	"net/http"

	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/tenant"
)

// client is a tenant as its operator sees it (reference §3.21).
type client struct {
	record
	Name       string         `json:"name"`
	Status     string         `json:"status"`
	Business   map[string]any `json:"business"`
	Plan       map[string]any `json:"plan"`
	Tags       []string       `json:"tags"`
	Labels     map[string]any `json:"labels"`
	AgencyID   *string        `json:"agencyId"`
	AgencyCode *string        `json:"agencyCode"`
	APIKey     string         `json:"apiKey,omitempty"` // only in the answer that made it
}

func clientOf(t tenant.Tenant, p tenant.Profile) client {
	c := client{record: recordOf(t.Code, t.ID, t.CreatedAt, t.UpdatedAt), Name: t.Name, Status: t.Status, Business: p.Business,
		Plan: map[string]any{"name": "Free"}, Tags: p.Tags, Labels: p.Labels, AgencyID: optional(p.AgencyID), AgencyCode: optional(p.AgencyCode)}
	maps.Copy(c.Plan, p.Plan)
	if c.Business == nil {
		c.Business = map[string]any{}
	}
	if c.Labels == nil {
		c.Labels = map[string]any{}
	}
	if c.Tags == nil {
		c.Tags = []string{}
	}
	return c
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// clientIn is what a client can be given; absent fields stay.
type clientIn struct {
	Name       *string        `json:"name"`
	ClientCode *string        `json:"clientCode"`
	Status     *string        `json:"status"`
	Business   map[string]any `json:"business"`
	Plan       map[string]any `json:"plan"`
	Tags       *[]string      `json:"tags"`
	Labels     map[string]any `json:"labels"`
	AgencyID   *string        `json:"agencyId"`
	AgencyCode *string        `json:"agencyCode"`
}

// note writes what in gives into a profile; maps are merged, null takes a key away.
func (in clientIn) note(p *tenant.Profile) {
	merge(&p.Business, in.Business)
	merge(&p.Plan, in.Plan)
	merge(&p.Labels, in.Labels)
	if in.Tags != nil {
		p.Tags = *in.Tags
	}
	if in.AgencyID != nil {
		p.AgencyID = *in.AgencyID
	}
	if in.AgencyCode != nil {
		p.AgencyCode = *in.AgencyCode
	}
}

func merge(dst *map[string]any, src map[string]any) {
	if *dst == nil && len(src) > 0 {
		*dst = map[string]any{}
	}
	for k, v := range src {
		if v == nil {
			delete(*dst, k)
		} else {
			(*dst)[k] = v
		}
	}
}

func (in clientIn) noted() bool {
	return in.Business != nil || in.Plan != nil || in.Labels != nil || in.Tags != nil || in.AgencyID != nil || in.AgencyCode != nil
}

func (o *Operator) show(ctx context.Context, t tenant.Tenant) (client, error) {
	p, err := o.s.Tenants.Profile(ctx, t.ID)
	return clientOf(t, p), err
}

// list answers every client, oldest first.
func (o *Operator) list(ctx context.Context, _ *httpx.Request) (*httpx.Response, error) {
	all, err := o.s.Tenants.List(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]client, 0, len(all))
	for _, t := range all {
		c, err := o.show(ctx, t)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return whole(out)
}

// count answers how many clients there are, and a code that none has.
func (o *Operator) count(ctx context.Context, _ *httpx.Request) (*httpx.Response, error) {
	all, err := o.s.Tenants.List(ctx)
	if err != nil {
		return nil, err
	}
	code, err := o.s.Tenants.FreeCode(ctx)
	if err != nil {
		return nil, err
	}
	return dual(map[string]any{"count": len(all), "clientCode": code})
}

// create makes a client; its first key is shown in this answer only.
func (o *Operator) create(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in clientIn
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := checkStatus(in.Status); err != nil { // also of one that is sent empty
		return nil, err
	}
	n := tenant.NewTenant{}
	for _, f := range []struct{ dst, given *string }{{&n.Name, in.Name}, {&n.Code, in.ClientCode}, {&n.Status, in.Status}} {
		if f.given != nil {
			*f.dst = *f.given
		}
	}
	in.note(&n.Profile)
	t, token, err := o.s.Access.SignUp(ctx, n)
	if err != nil {
		return nil, err
	}
	if err := o.changed(ctx, t.ID); err != nil {
		return nil, err
	}
	c := clientOf(t, n.Profile)
	c.APIKey = token
	return created(c)
}

func checkStatus(s *string) error {
	if s == nil {
		return nil
	}
	switch *s {
	case tenant.Active, tenant.Suspended, tenant.Pending, tenant.Terminated:
		return nil
	}
	return fault.Field("status", "a status is one of active, suspended, pending, terminated")
}

// client answers one client.
func (o *Operator) client(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := o.find(ctx, r)
	if err != nil {
		return nil, err
	}
	c, err := o.show(ctx, t)
	if err != nil {
		return nil, err
	}
	return ok(c)
}

// identity changes a client's name, status and notes. The code stays: keys and
// integrations are bound to it.
func (o *Operator) identity(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := o.find(ctx, r)
	if err != nil {
		return nil, err
	}
	var in clientIn
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := checkStatus(in.Status); err != nil {
		return nil, err
	}
	if in.ClientCode != nil && *in.ClientCode != t.Code {
		return nil, fault.Field("clientCode", "a client keeps its code %s; make a new client for another code", t.Code)
	}
	e := tenant.Edit{Name: in.Name, Status: in.Status}
	if in.noted() {
		e.Profile = func(p *tenant.Profile) error { in.note(p); return nil }
	}
	if t, err = o.s.Tenants.Change(ctx, t.ID, e); err != nil {
		return nil, err
	}
	c, err := o.show(ctx, t)
	if err != nil {
		return nil, err
	}
	return ok(c)
}

// terminate ends a client: its keys open nothing any more. Its data stays until
// the operator erases it.
func (o *Operator) terminate(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := o.find(ctx, r)
	if err != nil {
		return nil, err
	}
	if _, err := o.s.Tenants.Change(ctx, t.ID, tenant.Edit{Status: new(tenant.Terminated)}); err != nil {
		return nil, err
	}
	return told("The client is terminated; its keys no longer work. Its data is kept.", nil)
}

// apiKey tells of the client's key. The key itself is stored nowhere, so it
// cannot be shown (reference §1.1).
func (o *Operator) apiKey(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := o.find(ctx, r)
	if err != nil {
		return nil, err
	}
	k, err := o.s.Access.First(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"clientCode": t.Code, "hasKey": !k.ID.IsZero(), "apiKey": nil, "keyId": nil, "createdAt": nil}
	if !k.ID.IsZero() {
		out["keyId"], out["createdAt"] = k.ID, stamp(k.CreatedAt)
	}
	return httpx.JSON(http.StatusOK, success{Success: true, Message: "A key is shown once, when it is made; POST makes a new one in its place.", Data: out}), nil
}

// rotateKey puts a new key in the place of the client's key.
func (o *Operator) rotateKey(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := o.find(ctx, r)
	if err != nil {
		return nil, err
	}
	token, k, err := o.s.Access.RotateFirst(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	return dual(map[string]any{"clientCode": t.Code, "hasKey": true, "apiKey": token, "keyId": k.ID, "createdAt": stamp(k.CreatedAt)})
}

// clientConfig are the service flags of a client (reference §1.2).
type clientConfig struct {
	Workers struct {
		MaxParallelTasks *int `json:"maxParallelTasks"`
	} `json:"workers"`
	Region   *string `json:"region"`
	Timezone *string `json:"timezone"`
	Currency *string `json:"currency"`
}

func configOf(s tenant.Settings) clientConfig {
	c := clientConfig{Region: &s.Region, Timezone: &s.Timezone, Currency: &s.Currency}
	c.Workers.MaxParallelTasks = &s.WorkersMax
	return c
}

// config answers a client's settings with their defaults.
func (o *Operator) config(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := o.find(ctx, r)
	if err != nil {
		return nil, err
	}
	return ok(configOf(t.Settings))
}

// configure changes the settings that are given.
func (o *Operator) configure(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := o.find(ctx, r)
	if err != nil {
		return nil, err
	}
	var in clientConfig
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	t, err = o.s.Tenants.EditSettings(ctx, t.ID, func(s *tenant.Settings) {
		for _, f := range []struct {
			dst   *string
			given *string
		}{{&s.Region, in.Region}, {&s.Timezone, in.Timezone}, {&s.Currency, in.Currency}} {
			if f.given != nil {
				*f.dst = *f.given
			}
		}
		if n := in.Workers.MaxParallelTasks; n != nil {
			s.WorkersMax = *n
		}
	})
	if err != nil {
		return nil, blameConfig(err)
	}
	return ok(configOf(t.Settings))
}

// blameConfig names the field as this API spells it.
func blameConfig(err error) error {
	if fe := fault.As(err); fe != nil && fe.Field == "workersMax" {
		return fault.Field("workers.maxParallelTasks", "the number of parallel tasks must be between 1 and 1000")
	}
	return err
}
