package sales

import (
	"context"
	"maps"
	"slices"

	"parley/internal/app"
	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/handover"
	"parley/internal/httpx"
	"parley/internal/id"
)

// one answers the prospect of the path.
func (f *Face) one(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	cid, err := f.prospect(ctx, r)
	if err != nil {
		return nil, err
	}
	return f.replyProspect(ctx, r, cid)
}

// replyProspect answers a prospect.
func (f *Face) replyProspect(ctx context.Context, r *httpx.Request, cid id.ID) (*httpx.Response, error) {
	p, err := f.shown(ctx, r, cid)
	if err != nil {
		return nil, err
	}
	return reply(r, p)
}

// shown returns a prospect as the key sees it. NotFound.
func (f *Face) shown(ctx context.Context, r *httpx.Request, cid id.ID) (prospectWire, error) {
	list, err := f.prospects(ctx, r.Principal.Tenant, []id.ID{cid}, r.Principal.Allows(readData))
	if err == nil && len(list) == 0 {
		err = fault.Unknown("prospect")
	}
	if err != nil {
		return prospectWire{}, err
	}
	return list[0], nil
}

// updateBody is what may be changed of a prospect (reference §3.2, UpdateProspect).
type updateBody struct {
	ArchivingReason *string `json:"archivingReason"`
	FirstName       *string `json:"firstName"`
	LastName        *string `json:"lastName"`
	Phone           string  `json:"phone"`
	Email           string  `json:"email"`
	Label           *string `json:"label"`
}

func (b updateBody) edit() handover.Edit {
	return handover.Edit{Amendment: contact.Amendment{FirstName: b.FirstName, LastName: b.LastName, Phone: b.Phone, Email: b.Email},
		Label: b.Label, ArchivingReason: b.ArchivingReason}
}

// update changes a prospect, all of it or nothing. A phone and an e-mail are added.
func (f *Face) update(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var body updateBody
	cid, err := f.prospectAndBody(ctx, r, &body)
	if err != nil {
		return nil, err
	}
	if _, err := f.s.Handovers.Edit(ctx, r.Principal.Tenant, actor(r), cid, body.edit()); err != nil {
		return nil, err
	}
	return f.replyProspect(ctx, r, cid)
}

// prospectAndBody returns the prospect of the path and reads the body; the format
// is looked at too, before anything is written.
func (f *Face) prospectAndBody(ctx context.Context, r *httpx.Request, body any) (id.ID, error) {
	cid, err := f.prospect(ctx, r)
	if err != nil {
		return cid, err
	}
	if _, err := wantsCSV(r); err != nil {
		return cid, err
	}
	return cid, r.Decode(body)
}

// remove erases a prospect and answers it as it was: its personal data are gone for
// good, its id leads nowhere from now on (reference §6.26).
func (f *Face) remove(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	cid, err := f.prospect(ctx, r)
	if err != nil {
		return nil, err
	}
	was, err := f.shown(ctx, r, cid)
	if err != nil {
		return nil, err
	}
	out, err := reply(r, was)
	if err != nil {
		return nil, err
	}
	if _, err := f.s.Contacts.Erase(ctx, r.Principal.Tenant, actor(r), cid); err != nil {
		return nil, err
	}
	return out, nil
}

// updateData sets additional data key by key; null takes a key away.
func (f *Face) updateData(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var body map[string]any
	cid, err := f.prospectAndBody(ctx, r, &body)
	if err != nil {
		return nil, err
	}
	declared, err := f.s.Apps.Fields(f.s.Apps.Reads(ctx, r.Principal.Tenant), app.Prospect)
	if err == nil {
		err = app.Check(declared, "additionalData", body, false)
	}
	if err != nil {
		return nil, err
	}
	if _, err := f.s.Handovers.Edit(ctx, r.Principal.Tenant, actor(r), cid, handover.Edit{Amendment: contact.Amendment{Attributes: body}}); err != nil {
		return nil, fault.Renamed(err, map[string]string{"attributes": "additionalData"})
	}
	return f.replyProspect(ctx, r, cid)
}

// fieldWire is an additional field that a prospect may have.
type fieldWire struct {
	Key  string `json:"key"`
	Name string `json:"name"`
}

// fields lists the additional fields of a prospect: those that apps declare and do
// not hide, and what else it has a value for.
func (f *Face) fields(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	cid, err := f.prospect(ctx, r)
	if err != nil {
		return nil, err
	}
	reads := f.s.Handovers.Reads(ctx, r.Principal.Tenant)
	declared, err := f.s.Apps.Fields(reads, app.Prospect)
	if err != nil {
		return nil, err
	}
	key, err := f.s.Access.Get(ctx, r.Principal.Tenant, r.Principal.Key)
	if err != nil {
		return nil, err
	}
	known, out := map[string]bool{}, []fieldWire{}
	for _, d := range declared {
		known[d.Key] = true
		if !d.Hidden {
			out = append(out, fieldWire{d.Key, d.Name.In(key.Language)})
		}
	}
	c, err := f.s.Contacts.Get(reads, cid)
	if err != nil {
		return nil, err
	}
	for _, k := range slices.Sorted(maps.Keys(c.Attributes)) {
		if !known[k] {
			out = append(out, fieldWire{k, k})
		}
	}
	return reply(r, out)
}

// csatBody is how content a prospect was (reference §3.2, CSAT).
type csatBody struct {
	Result  *int   `json:"result"`
	Comment string `json:"comment"`
}

// csatWire is a rating that was kept; the original's answer is an object without a
// published shape.
type csatWire struct {
	ID         string  `json:"id"`
	ProspectID string  `json:"prospectId"`
	Result     int     `json:"result"`
	Comment    string  `json:"comment,omitempty"`
	CreatedAt  *string `json:"createdAt"`
}

func (f *Face) csat(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var body csatBody
	cid, err := f.prospectAndBody(ctx, r, &body)
	if err != nil {
		return nil, err
	}
	if body.Result == nil {
		return nil, fault.Missing("result")
	}
	a, err := f.s.Handovers.Rate(ctx, r.Principal.Tenant, actor(r), cid, *body.Result, body.Comment)
	if err != nil {
		return nil, err
	}
	return reply(r, csatWire{a.ID.String(), a.Contact.String(), *body.Result, a.Body, moment(a.CreatedAt)})
}
