package sales

import (
	"context"

	"parley/internal/httpx"
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

// integration answers the key's own integration.
func (f *Face) integration(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	keys, err := f.s.Access.List(ctx, r.Principal.Tenant)
	if err != nil {
		return nil, err
	}
	out := integrationWire{ID: r.Principal.Key.String(), AccountID: r.Principal.Tenant.String()}
	for _, k := range keys {
		if k.ID == r.Principal.Key {
			out.Name = k.Name
		}
	}
	top, err := f.scope(ctx, r)
	if err != nil {
		return nil, err
	}
	out.GroupID = top.String()
	return reply(r, out)
}
