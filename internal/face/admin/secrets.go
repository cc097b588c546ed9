package admin

import (
	"context"
	"net/http"
	"time"

	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// listSecrets names the secrets of a tenant; values never leave the server.
func (f *Face) listSecrets(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := f.tenant(ctx, r)
	if err != nil {
		return nil, err
	}
	list, err := f.s.Tenants.SecretNames(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	type row struct {
		Name      string    `json:"name"`
		UpdatedAt time.Time `json:"updatedAt"`
	}
	out := make([]row, len(list))
	for i, s := range list {
		out[i] = row(s)
	}
	return ok(out)
}

func (f *Face) setSecret(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := f.tenant(ctx, r)
	if err != nil {
		return nil, err
	}
	var in struct{ Value *string }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if in.Value == nil {
		return nil, fault.Missing("value")
	}
	if err := f.s.Tenants.CheckSeal(ctx); err != nil {
		return nil, err
	}
	if err := f.s.Tenants.SetSecret(ctx, t.ID, r.Param("name"), *in.Value); err != nil {
		return nil, err
	}
	return httpx.Empty(http.StatusNoContent), nil
}

func (f *Face) dropSecret(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := f.tenant(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := f.s.Tenants.DropSecret(ctx, t.ID, r.Param("name")); err != nil {
		return nil, err
	}
	return httpx.Empty(http.StatusNoContent), nil
}

// rotateKey puts a new key in the place of another, which ends at once.
func (f *Face) rotateKey(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := f.tenant(ctx, r)
	if err != nil {
		return nil, err
	}
	old, err := id.Parse(r.Param("id"))
	if err != nil {
		return nil, fault.Unknown("key")
	}
	token, k, err := f.s.Access.Rotate(ctx, t.ID, old)
	if err != nil {
		return nil, err
	}
	out := showKey(k)
	out.APIKey = token
	return httpx.JSON(http.StatusCreated, out), nil
}
