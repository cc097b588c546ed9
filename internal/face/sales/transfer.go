package sales

import (
	"context"

	"parley/internal/fault"
	"parley/internal/handover"
	"parley/internal/httpx"
	"parley/internal/id"
)

// transferBody is where a prospect goes: exactly one of the two (reference §3.2).
type transferBody struct {
	Group string `json:"group"`
	User  string `json:"user"`
}

// transferWire is the answer to a transfer.
type transferWire struct {
	Success bool   `json:"success"`
	Error   string `json:"error,omitempty"`
}

// transfer moves a prospect; the integration signs it. The answer comes behind the
// move (reference §4.3).
func (f *Face) transfer(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	if _, err := f.move(ctx, r, actor(r)); err != nil {
		return nil, err
	}
	return reply(r, transferWire{Success: true})
}

// move reads a transfer and does it.
func (f *Face) move(ctx context.Context, r *httpx.Request, by string) (handover.Work, error) {
	var body transferBody
	cid, err := f.prospectAndBody(ctx, r, &body)
	if err != nil {
		return handover.Work{}, err
	}
	to, err := f.destination(ctx, r, body)
	if err != nil {
		return handover.Work{}, err
	}
	return f.s.Handovers.Transfer(ctx, r.Principal.Tenant, by, cid, to)
}

// destination reads where a transfer leads: a group that the key sees, or an agent
// of one.
func (f *Face) destination(ctx context.Context, r *httpx.Request, body transferBody) (to handover.Destination, err error) {
	if (body.Group == "") == (body.User == "") {
		return to, fault.Field("group", "name either a group or a user to transfer to, not both")
	}
	if body.User != "" {
		to.Agent, err = f.seenAgent(ctx, r, "user", body.User)
		return to, err
	}
	if to.Group, err = parseID("group", "group", body.Group); err != nil {
		return to, err
	}
	return to, f.sees(ctx, r, to.Group)
}

// seenAgent reads the id of an agent whose group the key sees; NotFound of the
// field's noun for any other.
func (f *Face) seenAgent(ctx context.Context, r *httpx.Request, field, text string) (id.ID, error) {
	v, err := parseID(field, field, text)
	if err != nil {
		return v, err
	}
	a, err := f.s.Agents.Agent(f.s.Agents.Reads(ctx, r.Principal.Tenant), v)
	if err == nil && !a.DeletedAt.IsZero() {
		err = fault.Unknown(field)
	}
	if err == nil {
		err = f.sees(ctx, r, a.Group)
	}
	if isUnknown(err) {
		err = fault.Unknown(field)
	}
	return v, err
}
