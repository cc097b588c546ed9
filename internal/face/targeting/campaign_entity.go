package targeting

import (
	"context"

	"parley/internal/campaign"
	"parley/internal/httpx"
	"parley/internal/id"
)

// campaignKind writes campaigns by the paths of entities (reference §5.2).
type campaignKind struct{ f *Face }

var _ entityKind = campaignKind{}

// campaignAttributes are what an author writes: everything but the system fields.
func campaignAttributes(b entityBody) map[string]any {
	out := make(map[string]any, len(b.Attributes)+1)
	for name, v := range b.Attributes {
		out[name] = v
	}
	if b.Tags != nil {
		list := make([]any, 0, len(*b.Tags))
		for _, t := range *b.Tags {
			list = append(list, t)
		}
		out["_tags"] = list
	}
	return out
}

func (k campaignKind) create(ctx context.Context, r *httpx.Request, b entityBody) (id.ID, error) {
	c, err := k.f.s.Campaigns.Create(ctx, r.Principal.Tenant, actor(r), campaign.New{Attributes: campaignAttributes(b), Owner: r.Principal.User})
	return c.ID, err
}

func (k campaignKind) patch(ctx context.Context, r *httpx.Request, v id.ID, b entityBody) error {
	return k.change(ctx, r, v, campaign.Change{Attributes: campaignAttributes(b), Seen: b.Seen, Restore: b.Restore})
}

func (k campaignKind) put(ctx context.Context, r *httpx.Request, v id.ID, b entityBody) error {
	return k.change(ctx, r, v, campaign.Change{Attributes: campaignAttributes(b), Seen: b.Seen, Restore: b.Restore, Whole: true})
}

func (k campaignKind) change(ctx context.Context, r *httpx.Request, v id.ID, ch campaign.Change) error {
	_, err := k.f.s.Campaigns.Update(ctx, r.Principal.Tenant, actor(r), v, ch)
	return err
}

func (k campaignKind) remove(ctx context.Context, r *httpx.Request, v id.ID, purge bool) error {
	_, err := k.f.s.Campaigns.Delete(ctx, r.Principal.Tenant, actor(r), v, purge)
	return err
}
