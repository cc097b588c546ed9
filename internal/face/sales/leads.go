package sales

import (
	"context"
	"net/http"
	"strings"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/handover"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/intake"
)

// createdWire is the answer to a lead (reference §3.2, ProspectCreated).
type createdWire struct {
	prospectWire
	Interactions []interactionWire `json:"interactions"`
}

// takeLead takes a lead of one kind in and answers with the prospect that it ended
// in. Of its leads only the new one is shown (reference §4.1), whichever group it
// is in: people are one over the whole account.
func (f *Face) takeLead(kind string) httpx.Handler {
	return func(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
		if _, err := wantsCSV(r); err != nil { // before anything is written
			return nil, err
		}
		var body leadBody
		if err := r.Decode(&body); err != nil {
			return nil, err
		}
		std, err := f.defaults(ctx, r)
		if err != nil {
			return nil, err
		}
		lead, err := body.read(kind, std)
		if err != nil {
			return nil, err
		}
		if lead.Group, err = f.scope(ctx, r); err != nil {
			return nil, err
		}
		if lead.ProviderKey == "" {
			lead.ProviderKey = r.Principal.Provider
		}
		if lead.CreatedBy = r.Principal.User; lead.CreatedBy.IsZero() {
			lead.CreatedBy = r.Principal.Key
		}
		taken, err := f.s.Intake.Take(ctx, r.Principal.Tenant, actor(r), lead)
		if err != nil {
			return nil, placed(err)
		}
		prospect, err := f.prospectOf(ctx, r, taken)
		if err != nil {
			return nil, err
		}
		out := createdWire{prospectWire: prospect}
		out.Merged, out.AbsenceMessage = &taken.Merged, taken.Absence
		if out.Interactions, err = f.interactionsFor(ctx, r, taken.Interactions); err != nil {
			return nil, err
		}
		return reply(r, out)
	}
}

// prospectOf is the prospect that a lead ended in, of whose leads this one alone is
// shown. It reads neither the contact again nor its leads, which may be many.
func (f *Face) prospectOf(ctx context.Context, r *httpx.Request, taken intake.Taken) (prospectWire, error) {
	reads := f.s.Handovers.Reads(ctx, r.Principal.Tenant)
	t, err := f.s.Tenants.Get(reads)
	if err != nil {
		return prospectWire{}, err
	}
	p := page{account: t.Name, accountID: t.ID.String(), withData: r.Principal.Allows(readData), newest: true,
		inquiries: map[id.ID][]contact.Inquiry{taken.Contact.ID: {taken.Inquiry}}}
	if err := p.around(ctx, f, r.Principal.Tenant, []handover.Work{taken.Work}); err != nil {
		return prospectWire{}, err
	}
	return p.prospect(taken.Work, taken.Contact), nil
}

// placed puts the field of a fault before its message, unless it is named there.
func placed(err error) error {
	f := fault.As(err)
	if f == nil || f.Field == "" || strings.Contains(f.Message, f.Field) {
		return err
	}
	c := *f
	c.Message = f.Field + ": " + f.Message
	return &c
}

// defaults are the account's currency and unit of distances.
func (f *Face) defaults(ctx context.Context, r *httpx.Request) (defaultsWire, error) {
	set, err := f.s.Tenants.Settings(ctx, r.Principal.Tenant)
	return defaultsWire{Currency: strings.ToLower(set.Currency), Distance: set.Distance}, err
}

func (f *Face) leadDefaults(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	std, err := f.defaults(ctx, r)
	if err != nil {
		return nil, err
	}
	return reply(r, std)
}

// categoryWire is a category with what people read; ours (reference §6, 17).
type categoryWire struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// leadCategories answers the keys of the account's categories; with detailed=true
// their names too.
func (f *Face) leadCategories(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	detailed, err := r.QueryBool("detailed", false)
	if err != nil {
		return nil, err
	}
	words, err := f.s.Handovers.Words(f.s.Handovers.Reads(ctx, r.Principal.Tenant), handover.Categories)
	if err != nil {
		return nil, err
	}
	objects, keys := make([]categoryWire, len(words)), make([]string, len(words))
	for i, w := range words {
		objects[i], keys[i] = categoryWire{w.Key, w.Name}, w.Key
	}
	asCSV, err := wantsCSV(r)
	if err != nil {
		return nil, err
	}
	if detailed || asCSV { // a row needs columns
		return reply(r, objects)
	}
	return httpx.JSON(http.StatusOK, keys), nil
}

// industryWire is an industry of the account.
type industryWire struct {
	Name string `json:"name"`
}

func (f *Face) industries(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	words, err := f.s.Handovers.Words(f.s.Handovers.Reads(ctx, r.Principal.Tenant), handover.Industries)
	if err != nil {
		return nil, err
	}
	out := make([]industryWire, len(words))
	for i, w := range words {
		out[i] = industryWire{w.Key}
	}
	return reply(r, out)
}
