package platform

import (
	"context"

	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// mergeInput names the other lead of a merge. The route is our own: the reference
// knows no merge.
type mergeInput struct {
	LeadID string `json:"leadId"`
}

// parted is the answer of an unmerge.
type parted struct {
	Lead     lead `json:"lead"`
	Restored lead `json:"restored"`
}

// mergeLeads makes one lead of two and answers the older one, which stays.
func (f *Face) mergeLeads(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	one, err := pathID("lead", r.Param("id"))
	if err != nil {
		return nil, err
	}
	var in mergeInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if in.LeadID == "" {
		return nil, fault.Missing("leadId")
	}
	other, err := bodyID("lead", "leadId", in.LeadID)
	if err != nil {
		return nil, err
	}
	// Which of the two is unknown the merge could not tell.
	if _, err := f.s.Deals.Card(ctx, r.Principal.Tenant, one); err != nil {
		return nil, err
	}
	c, err := f.s.Contacts.Merge(ctx, r.Principal.Tenant, actor(r), one, other)
	if err != nil {
		return nil, elsewhere(err, "contact", "leadId")
	}
	return f.answerLead(ctx, r, c.ID)
}

func (f *Face) answerLead(ctx context.Context, r *httpx.Request, v id.ID) (*httpx.Response, error) {
	card, err := f.s.Deals.Card(ctx, r.Principal.Tenant, v)
	if err != nil {
		return nil, err
	}
	return ok(leadOf(r.Principal.TenantCode, card))
}

// unmergeLeads takes the last merge of a lead back and answers both.
func (f *Face) unmergeLeads(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	contact, err := pathID("lead", r.Param("id"))
	if err != nil {
		return nil, err
	}
	remaining, restored, err := f.s.Contacts.Unmerge(ctx, r.Principal.Tenant, actor(r), contact)
	if err != nil {
		return nil, err
	}
	a, err := f.s.Deals.Card(ctx, r.Principal.Tenant, remaining.ID)
	if err != nil {
		return nil, err
	}
	b, err := f.s.Deals.Card(ctx, r.Principal.Tenant, restored.ID)
	if err != nil {
		return nil, err
	}
	code := r.Principal.TenantCode
	return ok(parted{leadOf(code, a), leadOf(code, b)})
}
