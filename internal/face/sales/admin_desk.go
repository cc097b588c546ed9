package sales

import (
	"context"
	"time"

	"parley/internal/fault"
	"parley/internal/httpx"
)

// claimAsUser gives a prospect to the bound user, who takes it (reference §5).
func (f *Face) claimAsUser(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	agent, by, err := f.user(ctx, r)
	if err != nil {
		return nil, err
	}
	cid, err := f.prospect(ctx, r)
	if err != nil {
		return nil, err
	}
	if _, err := f.s.Handovers.Claim(ctx, r.Principal.Tenant, by, cid, agent); err != nil {
		return nil, err
	}
	return f.replyProspect(ctx, r, cid)
}

// unarchiveAsUser takes a prospect up again in the bound user's name.
func (f *Face) unarchiveAsUser(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	_, by, err := f.user(ctx, r)
	if err != nil {
		return nil, err
	}
	cid, err := f.prospect(ctx, r)
	if err != nil {
		return nil, err
	}
	if _, err := f.s.Handovers.Unarchive(ctx, r.Principal.Tenant, by, cid); err != nil {
		return nil, err
	}
	return f.replyProspect(ctx, r, cid)
}

// remindAsUser sets when the bound user wants to be reminded; null takes the
// reminder away. When it is due an interactions notification says so.
func (f *Face) remindAsUser(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	_, by, err := f.user(ctx, r)
	if err != nil {
		return nil, err
	}
	var body struct {
		At given[string] `json:"at"`
	}
	cid, err := f.prospectAndBody(ctx, r, &body)
	if err != nil {
		return nil, err
	}
	if !body.At.Set {
		return nil, fault.Missing("at")
	}
	var at time.Time
	if !body.At.Null {
		if at, err = parseMoment("at", body.At.Value); err != nil {
			return nil, err
		}
		if at.IsZero() {
			return nil, fault.Field("at", "at must be a date-time like 2020-09-30T03:00:00.000Z, or null")
		}
	}
	if _, err := f.s.Handovers.Remind(ctx, r.Principal.Tenant, by, cid, at); err != nil {
		return nil, err
	}
	return f.replyProspect(ctx, r, cid)
}
