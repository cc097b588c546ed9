package sales

import (
	"context"
	"errors"
	"strings"

	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// refused is the one answer to every key that does not let anybody in.
var refused = fault.New(fault.Unauthorized, "send a valid API key in the query parameter api-key or the header X-API-Key")

// authenticate names the caller by the key (reference §1.2).
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
	p := httpx.Principal{
		Tenant: key.Tenant, TenantCode: key.TenantCode, Key: key.ID, Face: Name,
		Scopes: key.Scopes, Group: key.Group, User: key.User, Provider: key.Provider,
	}
	if key.Rate > 0 {
		p.Rates = map[string]httpx.Rate{rateLimit: {PerMinute: key.Rate}}
	}
	return p, nil
}

// apiKey reads the key from the places that may carry it; the query wins.
func apiKey(r *httpx.Request) string {
	if v := r.QueryString("api-key"); v != "" {
		return v
	}
	for _, header := range []string{"X-API-Key", "X-API-Token"} {
		if v := strings.TrimSpace(r.Header.Get(header)); v != "" {
			return v
		}
	}
	token, _ := httpx.Bearer(r.Header)
	return token
}

// actor is how changes made through a request are signed.
func actor(r *httpx.Request) string { return "key:" + r.Principal.Key.String() }

// user returns the agent for whom a key acts, and how that agent signs. A key
// without one cannot act as a user, nor can one whose user is not active any more:
// 409 (reference §2.6).
func (f *Face) user(ctx context.Context, r *httpx.Request) (agent id.ID, actor string, err error) {
	own := r.Principal.User
	if own.IsZero() {
		return id.Zero, "", fault.New(fault.Conflict, "this integration acts for no user; bind one to it, then call again").Because("no user")
	}
	a, err := f.s.Agents.Agent(f.s.Agents.Reads(ctx, r.Principal.Tenant), own)
	if isUnknown(err) || err == nil && (!a.Active || !a.DeletedAt.IsZero()) {
		err = fault.New(fault.Conflict, "the user of this integration is not active; activate the user or bind another one, then call again").Because("no user")
	}
	if err != nil {
		return id.Zero, "", err
	}
	return own, "agent:" + own.String(), nil
}

// scope returns the group that a key sees with all below it: its own, else the
// top of the tree.
func (f *Face) scope(ctx context.Context, r *httpx.Request) (id.ID, error) {
	if !r.Principal.Group.IsZero() {
		return r.Principal.Group, nil
	}
	root, err := f.s.Agents.Root(ctx, r.Principal.Tenant)
	return root.ID, err
}

// prospect returns the contact that the path names, under any id it ever had: an
// INVALID_ID for what is no id, and NotFound for whom the key does not see.
func (f *Face) prospect(ctx context.Context, r *httpx.Request) (id.ID, error) {
	cid, err := pathID(r, "prospectId", "prospect")
	if err != nil {
		return id.Zero, err
	}
	return f.seen(ctx, r, cid)
}

// seen returns the contact that an id leads to when the key sees it, else
// NotFound.
func (f *Face) seen(ctx context.Context, r *httpx.Request, cid id.ID) (id.ID, error) {
	group, err := f.scope(ctx, r)
	if err != nil {
		return id.Zero, err
	}
	reads := f.s.Handovers.Reads(ctx, r.Principal.Tenant)
	visible, err := f.s.Handovers.Visible(reads, cid, group)
	if err != nil {
		return id.Zero, err
	}
	if !visible {
		return id.Zero, fault.Unknown("prospect")
	}
	return f.s.Contacts.Resolve(reads, cid)
}

// sees returns NotFound of "group" unless the key sees a group.
func (f *Face) sees(ctx context.Context, r *httpx.Request, group id.ID) error {
	top, err := f.scope(ctx, r)
	if err != nil {
		return err
	}
	within, err := f.s.Agents.Within(f.s.Agents.Reads(ctx, r.Principal.Tenant), top, group)
	if err == nil && !within {
		err = fault.Unknown("group")
	}
	return err
}
