package platform

import (
	"context"
	"errors"
	"strings"

	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/tenant"
)

// refused is the one answer to every credential problem, so that nothing tells
// a wrong key from a wrong client code (reference §1.1).
var refused = fault.New(fault.Unauthorized, "send a valid API key in x-api-key, and its own client code in x-client-code if you send one")

// authenticate names the caller by its key. A client code is optional, but one
// that is sent must be the key's.
func (f *Face) authenticate(ctx context.Context, r *httpx.Request) (httpx.Principal, error) {
	token := apiKey(r)
	if token == "" {
		return httpx.Principal{}, refused
	}
	key, err := f.s.Access.Authenticate(ctx, Name, token)
	if errors.Is(err, fault.Of(fault.Unauthorized)) {
		return httpx.Principal{}, refused
	}
	if err != nil {
		return httpx.Principal{}, err
	}
	for _, header := range []string{"x-client-code", "x-erix-client-code"} {
		if code := strings.TrimSpace(r.Header.Get(header)); code != "" && strings.ToUpper(code) != key.TenantCode {
			return httpx.Principal{}, refused
		}
	}
	if key.TenantStatus != tenant.Active && key.TenantStatus != tenant.Pending {
		return httpx.Principal{}, fault.New(fault.Forbidden, "this client account is %s; ask the operator of the server", key.TenantStatus).
			Because("tenant")
	}
	return httpx.Principal{
		Tenant: key.Tenant, TenantCode: key.TenantCode, Key: key.ID, Face: Name,
		Scopes: key.Scopes, Group: key.Group, User: key.User,
	}, nil
}

// apiKey reads the key from the headers that may carry it (reference §1.1).
func apiKey(r *httpx.Request) string {
	for _, header := range []string{"x-api-key", "x-erix-api-key"} {
		if v := strings.TrimSpace(r.Header.Get(header)); v != "" {
			return v
		}
	}
	token, _ := httpx.Bearer(r.Header)
	return token
}

// actor is how changes made through a request are signed.
func actor(r *httpx.Request) string { return "key:" + r.Principal.Key.String() }
