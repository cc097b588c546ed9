package targeting

import (
	"context"
	"errors"
	"strings"

	"parley/internal/access"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/token"
)

// refused is the one answer to every token that does not let anybody in.
var refused = fault.New(fault.Unauthorized, "Unauthorized")

// authenticate names the caller by the bearer token (reference §1.2): an access
// token, which is a JWT, or a key of this API. What is wrong with one that lets
// nobody in is not told.
func (f *Face) authenticate(ctx context.Context, r *httpx.Request) (httpx.Principal, error) {
	text, ok := httpx.Bearer(r.Header)
	if !ok {
		text = strings.TrimSpace(r.Header.Get("X-API-Key")) // ours, as on every other API
	}
	if text == "" {
		return httpx.Principal{}, refused
	}
	key, err := f.keyOf(ctx, text)
	if errors.Is(err, fault.Of(fault.Unauthorized)) {
		if strings.HasPrefix(r.Pattern, organizationsPath) && f.s.Operator.Check(text) == nil {
			return httpx.Principal{Face: Name, Scopes: []string{administer}}, nil
		}
		return httpx.Principal{}, refused
	}
	if err != nil {
		return httpx.Principal{}, err
	}
	p := httpx.Principal{Tenant: key.Tenant, TenantCode: key.TenantCode, Key: key.ID, Face: Name, Scopes: key.Scopes, Group: key.Group, User: key.User}
	if key.Rate > 0 {
		p.Rates = map[string]httpx.Rate{"default": {PerMinute: key.Rate}}
	}
	return p, ownOrganization(r, key)
}

// keyOf returns the key that a text stands for.
func (f *Face) keyOf(ctx context.Context, text string) (access.Key, error) {
	if token.Looks(text) {
		return f.s.Tokens.Verify(ctx, text)
	}
	return f.s.Access.Authenticate(ctx, Name, text)
}

// ownOrganization refuses a header that names another organisation than the token's:
// there are no tenants shared between organisations here (reference §1.2). The
// organisation's id is known in both spellings, and by its code.
func ownOrganization(r *httpx.Request, key access.Key) error {
	named := strings.TrimSpace(r.Header.Get("x-epilot-org-id"))
	if named == "" || strings.EqualFold(named, key.TenantCode) {
		return nil
	}
	if v, ok, err := id.FromUUID(named); err == nil && ok && v == key.Tenant {
		return nil
	}
	if v, err := id.Parse(named); err == nil && v == key.Tenant {
		return nil
	}
	return fault.New(fault.Forbidden, "Forbidden: x-epilot-org-id names another organization than the token's").Because("tenant")
}

// actor is how changes made through a request are signed.
func actor(r *httpx.Request) string { return "key:" + r.Principal.Key.String() }
