package sales

import (
	"context"
	"slices"
	"strings"
	"time"

	"parley/internal/agent"
	"parley/internal/contact"
	"parley/internal/handover"
	"parley/internal/id"
)

// prospectWire is a contact with its work and its inquiries (reference §3.2).
type prospectWire struct {
	ID              string         `json:"id"`
	Created         *string        `json:"created"`
	Account         string         `json:"account"`
	AccountID       string         `json:"accountId"`
	Group           string         `json:"group"`
	GroupID         string         `json:"groupId"`
	InitialGroup    string         `json:"initialGroup,omitempty"`
	InitialGroupID  string         `json:"initialGroupId,omitempty"`
	FirstName       string         `json:"firstName,omitempty"`
	Label           string         `json:"label,omitempty"`
	LastName        string         `json:"lastName,omitempty"`
	Category        string         `json:"category,omitempty"`
	Status          string         `json:"status"`
	Nin             []ninWire      `json:"nin,omitempty"`
	UserMade        bool           `json:"userMade"`
	ArchivingReason string         `json:"archivingReason,omitempty"`
	Phones          []string       `json:"phones"`
	Emails          []string       `json:"emails"`
	ContactMediums  []mediumWire   `json:"contactMediums"`
	AdditionalData  map[string]any `json:"additionalData,omitzero"`
	// Merged and AbsenceMessage belong to the answer to a lead.
	Merged                 *bool      `json:"merged,omitempty"`
	AbsenceMessage         string     `json:"absenceMessage,omitempty"`
	Leads                  []leadWire `json:"leads"`
	Agent                  *agentWire `json:"agent,omitempty"`
	Assigned               *string    `json:"assigned,omitempty"`
	NextReminder           *string    `json:"nextReminder,omitempty"`
	FirstContactedAt       *string    `json:"firstContactedAt,omitempty"`
	SentWorkingHourMessage *string    `json:"sentWorkingHourMessage,omitempty"`
	WhatsAppDueAt          *string    `json:"whatsAppDueAt,omitempty"`
	FacebookDueAt          *string    `json:"facebookDueAt,omitempty"`
	InstagramDueAt         *string    `json:"instagramDueAt,omitempty"`
}

// ninWire is a national identification number (reference §3.1).
type ninWire struct {
	Type   string `json:"type"`
	Number string `json:"number"`
}

// mediumWire is one way to reach a prospect. The shape is ours: the original's is
// unpublished.
type mediumWire struct {
	Type    string `json:"type"` // phone, email, facebook, instagram ...
	Value   string `json:"value"`
	Primary bool   `json:"primary"`
}

// prospects returns contacts as this API shows them, in the order of ids, by a
// handful of queries for up to some hundred of them. Those that are gone, or that
// nobody works on, are left out. withData shows additionalData.
func (f *Face) prospects(ctx context.Context, tenant id.ID, ids []id.ID, withData bool) ([]prospectWire, error) {
	work, err := f.s.Handovers.GetMany(f.s.Handovers.Reads(ctx, tenant), ids)
	if err != nil {
		return nil, err
	}
	list := make([]handover.Work, 0, len(ids))
	for _, cid := range ids {
		if w, ok := work[cid]; ok {
			list = append(list, w)
		}
	}
	return f.prospectsOf(ctx, tenant, list, withData)
}

// prospectsOf is prospects for work that was read already.
func (f *Face) prospectsOf(ctx context.Context, tenant id.ID, list []handover.Work, withData bool) ([]prospectWire, error) {
	r := f.s.Handovers.Reads(ctx, tenant)
	p := page{withData: withData}
	if err := p.load(ctx, f, tenant, list); err != nil {
		return nil, err
	}
	t, err := f.s.Tenants.Get(r)
	if err != nil {
		return nil, err
	}
	p.account, p.accountID = t.Name, t.ID.String()
	out := make([]prospectWire, 0, len(list))
	for _, w := range list {
		if c, ok := p.contacts[w.Contact]; ok {
			out = append(out, p.prospect(w, c))
		}
	}
	return out, nil
}

// page is what the prospects of a page are made of.
type page struct {
	account, accountID string
	withData           bool
	newest             bool // inquiries holds one of several
	contacts           map[id.ID]contact.Contact
	inquiries          map[id.ID][]contact.Inquiry
	groups             map[id.ID]agent.Group
	agents             map[id.ID]agent.Agent
	windows            map[id.ID]map[string]time.Time
}

// load reads the parts that lie in other rooms, each for the whole page.
func (p *page) load(ctx context.Context, f *Face, tenant id.ID, list []handover.Work) (err error) {
	r := f.s.Handovers.Reads(ctx, tenant)
	ids := make([]id.ID, 0, len(list))
	for _, w := range list {
		ids = append(ids, w.Contact)
	}
	if p.contacts, err = f.s.Contacts.GetMany(r, ids); err != nil {
		return err
	}
	if p.inquiries, err = f.s.Contacts.InquiriesOf(r, ids); err != nil {
		return err
	}
	return p.around(ctx, f, tenant, list)
}

// around reads what stands beside contacts and inquiries.
func (p *page) around(ctx context.Context, f *Face, tenant id.ID, list []handover.Work) (err error) {
	r := f.s.Handovers.Reads(ctx, tenant)
	ids, groups, agents := make([]id.ID, 0, len(list)), map[id.ID]bool{}, map[id.ID]bool{}
	for _, w := range list {
		ids = append(ids, w.Contact)
		groups[w.Group], groups[w.InitialGroup] = true, true
		if !w.Agent.IsZero() {
			agents[w.Agent] = true
		}
	}
	if p.groups, err = f.s.Agents.GroupsByID(r, keysOf(groups)); err != nil {
		return err
	}
	if p.agents, err = f.s.Agents.AgentsByID(r, keysOf(agents)); err != nil {
		return err
	}
	p.windows, err = f.s.Conversations.Windows(r, ids)
	return err
}

func keysOf(set map[id.ID]bool) []id.ID {
	out := make([]id.ID, 0, len(set))
	for v := range set {
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b id.ID) int { return strings.Compare(a.String(), b.String()) })
	return out
}

// prospect puts one together.
func (p *page) prospect(w handover.Work, c contact.Contact) prospectWire {
	out := prospectWire{ID: w.Contact.String(), Created: moment(w.CreatedAt), Account: p.account, AccountID: p.accountID,
		Group: p.groups[w.Group].Shown(), GroupID: w.Group.String(), InitialGroup: p.groups[w.InitialGroup].Shown(), InitialGroupID: w.InitialGroup.String(),
		FirstName: c.FirstName, LastName: c.LastName, Label: w.Label, Category: w.Category, Status: w.Status, UserMade: w.UserMade,
		ArchivingReason: w.ArchivingReason, Phones: []string{}, Emails: []string{}, ContactMediums: []mediumWire{},
		Assigned: moment(w.AssignedAt), NextReminder: moment(w.NextReminder), FirstContactedAt: moment(w.FirstContactedAt),
		SentWorkingHourMessage: moment(w.AbsenceSentAt)}
	open := p.windows[w.Contact]
	out.WhatsAppDueAt, out.FacebookDueAt, out.InstagramDueAt = moment(open["whatsapp"]), moment(open["messenger"]), moment(open["instagram"])
	for _, n := range c.Nins() {
		out.Nin = append(out.Nin, ninWire{n.Type, n.Number})
	}
	for _, i := range c.Identities {
		if i.Kind == contact.NinKind {
			continue
		}
		m := mediumWire{Type: i.Kind, Value: i.Value, Primary: i.Primary}
		switch i.Kind {
		case contact.Phone:
			m.Value = phoneOf(i)
			out.Phones = append(out.Phones, m.Value)
		case contact.Email:
			out.Emails = append(out.Emails, i.Value)
		case "messenger":
			m.Type = "facebook"
		}
		out.ContactMediums = append(out.ContactMediums, m)
	}
	if p.withData {
		out.AdditionalData = c.Attributes
	}
	if a, ok := p.agents[w.Agent]; ok {
		out.Agent = agentOf(a)
	}
	out.Leads = p.leads(w, c)
	return out
}

// leads are the inquiries, oldest first. A contact that came through an API
// without inquiries shows its source as its first lead, since integrations read the
// source there; one that an agent made by hand has none.
func (p *page) leads(w handover.Work, c contact.Contact) []leadWire {
	asked := p.inquiries[w.Contact]
	out := make([]leadWire, 0, len(asked)+1)
	if !w.UserMade && !p.newest && len(asked) < contact.MaxInquiries && (len(asked) == 0 || asked[0].At.After(c.CreatedAt)) {
		out = append(out, leadWire{Created: moment(c.CreatedAt), Source: c.Source, UTMSource: c.Source, Type: "retail"})
	}
	for _, q := range asked {
		out = append(out, leadOf(q))
	}
	return out
}

// minNational is how many digits a phone with its country code has at least.
const minNational = 8

// phoneOf writes a phone as it was given, with its country code: a national one is
// written by its key, and what is too short for a phone as it is.
func phoneOf(i contact.Identity) string {
	if strings.HasPrefix(i.Raw, "+") || len(i.Value) < minNational {
		return i.Raw
	}
	return "+" + i.Value
}
