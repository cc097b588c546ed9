package targeting

import (
	"context"
	"errors"
	"strings"

	"parley/internal/fault"
	"parley/internal/httpx"
)

// refused is the one answer to every token that does not let anybody in.
var refused = fault.New(fault.Unauthorized, "Unauthorized")

// authenticate names the caller by the bearer token (reference §1.2).
func (f *Face) authenticate(ctx context.Context, r *httpx.Request) (httpx.Principal, error) {
	token, ok := httpx.Bearer(r.Header)
	if !ok {
		token = strings.TrimSpace(r.Header.Get("X-API-Key")) // ours, as on every other API
	}
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
	p := httpx.Principal{Tenant: key.Tenant, TenantCode: key.TenantCode, Key: key.ID, Face: Name, Scopes: key.Scopes, Group: key.Group, User: key.User}
	if key.Rate > 0 {
		p.Rates = map[string]httpx.Rate{"default": {PerMinute: key.Rate}}
	}
	return p, nil
}

// actor is how changes made through a request are signed.
func actor(r *httpx.Request) string { return "key:" + r.Principal.Key.String() }
