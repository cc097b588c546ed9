package sales

import (
	"context"

	"parley/internal/access"
	"parley/internal/httpx"
	"parley/internal/id"
)

// integrationWire is who a key is (reference §3.5, Integration).
type integrationWire struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	ProviderKey string `json:"providerKey"`
	GroupID     string `json:"groupId"`
	Group       string `json:"group"`
	User        string `json:"user,omitempty"`
	Language    string `json:"language,omitempty"`
	Account     string `json:"account,omitempty"`
	AccountID   string `json:"accountId,omitempty"`
}

// success is the answer of calls that have nothing else to say (reference §6, 15).
type success struct {
	Success bool `json:"success"`
}

// checkCredentials answers whoever comes this far: the key is there and enabled.
func (f *Face) checkCredentials(_ context.Context, r *httpx.Request) (*httpx.Response, error) {
	return reply(r, success{true})
}

// integration answers the key's own integration.
func (f *Face) integration(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	key, err := f.s.Access.Get(ctx, r.Principal.Tenant, r.Principal.Key)
	if err != nil {
		return nil, err
	}
	list, err := f.integrationsOf(ctx, r.Principal.Tenant, []access.Key{key})
	if err != nil {
		return nil, err
	}
	return reply(r, list[0])
}

// integrations answers the active integrations of the key's group and of those
// below it.
func (f *Face) integrations(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	top, err := f.scope(ctx, r)
	if err != nil {
		return nil, err
	}
	keys, err := f.s.Access.List(ctx, r.Principal.Tenant)
	if err != nil {
		return nil, err
	}
	root, err := f.s.Agents.Root(ctx, r.Principal.Tenant)
	if err != nil {
		return nil, err
	}
	reads := f.s.Agents.Reads(ctx, r.Principal.Tenant)
	within := map[id.ID]bool{}
	groups, err := f.s.Agents.Subtree(reads, top)
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		within[g] = true
	}
	var seen []access.Key
	for _, k := range keys {
		group := k.Group
		if group.IsZero() {
			group = root.ID
		}
		if k.Face == Name && k.Enabled && k.RevokedAt.IsZero() && within[group] {
			seen = append(seen, k)
		}
	}
	list, err := f.integrationsOf(ctx, r.Principal.Tenant, seen)
	if err != nil {
		return nil, err
	}
	return reply(r, list)
}

// integrationsOf writes keys, in their order. A key without a group belongs to
// the top of the tree; one without a language speaks its group's.
func (f *Face) integrationsOf(ctx context.Context, tenant id.ID, keys []access.Key) ([]integrationWire, error) {
	root, err := f.s.Agents.Root(ctx, tenant)
	if err != nil {
		return nil, err
	}
	reads := f.s.Agents.Reads(ctx, tenant)
	account, err := f.s.Tenants.Get(reads)
	if err != nil {
		return nil, err
	}
	ids := make([]id.ID, len(keys))
	for i, k := range keys {
		if ids[i] = k.Group; k.Group.IsZero() {
			ids[i] = root.ID
		}
	}
	groups, err := f.s.Agents.GroupsByID(reads, ids)
	if err != nil {
		return nil, err
	}
	out := make([]integrationWire, len(keys))
	for i, k := range keys {
		g := groups[ids[i]]
		out[i] = integrationWire{ID: k.ID.String(), Name: k.Name, ProviderKey: k.Provider, GroupID: ids[i].String(), Group: g.Name,
			User: k.User.String(), Language: k.Language, Account: account.Name, AccountID: tenant.String()}
		if k.Language == "" {
			out[i].Language = g.Language
		}
	}
	return out, nil
}
