package sales

import (
	"context"
	"slices"

	"parley/internal/fault"
	"parley/internal/handover"
	"parley/internal/httpx"
	"parley/internal/id"
)

// matchWire is whom a phone or an e-mail found (reference §3.2, ProspectMatch, and
// §6.2): one object as documented, with the id under both names that are in use.
type matchWire struct {
	ID        string   `json:"id"`
	OldID     string   `json:"_id"`
	FirstName string   `json:"firstName,omitempty"`
	LastName  string   `json:"lastName,omitempty"`
	Phones    []string `json:"phones"`
	Emails    []string `json:"emails"`
	Account   string   `json:"account"`
	ClaimedBy string   `json:"claimedBy,omitempty"`
}

// prospectBy finds a prospect by its phone, its e-mail or both. Who has both comes
// before who has one, then whoever was active last.
func (f *Face) prospectBy(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	email, phone := r.QueryString("email"), r.QueryString("phoneNumber")
	if email == "" && phone == "" {
		return nil, fault.Field("email", "give an email or a phoneNumber, or both")
	}
	reads := f.s.Handovers.Reads(ctx, r.Principal.Tenant)
	hits := map[id.ID]int{}
	var found []id.ID
	note := func(ids []id.ID, err error) error {
		for _, v := range ids {
			if hits[v]++; hits[v] == 1 {
				found = append(found, v)
			}
		}
		return fault.Renamed(err, map[string]string{"phone": "phoneNumber"})
	}
	if email != "" {
		if err := note(f.s.Contacts.WithEmail(reads, email)); err != nil {
			return nil, err
		}
	}
	if phone != "" {
		if err := note(f.s.Contacts.WithPhone(reads, phone)); err != nil {
			return nil, err
		}
	}
	top, err := f.scope(ctx, r)
	if err != nil {
		return nil, err
	}
	list, err := f.s.Handovers.List(reads, handover.Filter{Scope: top, Among: append([]id.ID{}, found...)})
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fault.Unknown("prospect")
	}
	w := slices.MaxFunc(list, func(a, b handover.Work) int {
		if d := hits[a.Contact] - hits[b.Contact]; d != 0 {
			return d
		}
		return a.ActiveAt.Compare(b.ActiveAt)
	})
	p, err := f.shown(ctx, r, w.Contact)
	if err != nil {
		return nil, err
	}
	out := matchWire{ID: p.ID, OldID: p.ID, FirstName: p.FirstName, LastName: p.LastName, Phones: p.Phones, Emails: p.Emails, Account: p.AccountID}
	if !w.Agent.IsZero() {
		out.ClaimedBy = w.Agent.String()
	}
	return reply(r, out)
}
