// Package intake takes leads in: one inquiry of one person, whatever industry it
// comes from, becomes one contact with its card, its work and its history, in one
// transaction. It owns no table and no noun; it is the order in which contact,
// deal, handover and interaction do their parts. Faces call it.
//
// Whoever a lead's phones and e-mails touch is one person afterwards (DESIGN §3,
// sales reference §4.1): the same leads in any order, and at once, end in the same
// contacts. Every lead is kept as an inquiry with what it said, also one that was
// sent before under the same id of its provider.
package intake

import (
	"context"
	"slices"
	"strings"

	"parley/internal/agent"
	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/interaction"
	"parley/internal/store"
)

// Kinds of leads (sales reference §3.2).
const (
	Retail     = "retail"
	Insurance  = "insurance"
	Vehicle    = "vehicle"
	SavingPlan = "savingPlan"
	RealEstate = "realEstate"
)

// Kinds lists them all.
var Kinds = []string{Retail, Insurance, Vehicle, SavingPlan, RealEstate}

// Face is the API that inquiries of this room name as theirs.
const Face = "sales"

// Lead is one inquiry on its way in.
type Lead struct {
	Kind                string // one of Kinds
	FirstName, LastName string
	Phones, Emails      []string // as they were given
	Nin                 []contact.Nin
	Category            string // "": the tenant's first
	// Company, Store and Agent name who should get it: a group by its name or id,
	// an agent by e-mail, phone or id. Who is unknown is ignored, the text is kept.
	Company, Store, Agent string
	Source                string // required: who sends the traffic
	ProviderLeadID        string
	ProviderKey           string
	Comments              string
	Priority              *float64
	// Data is everything else that is kept with the inquiry, under the names of the
	// wire.
	Data    map[string]any
	History []interaction.New // in order; they become interactions
	// Group is whose lead it is when it names nobody, and the top of the groups that
	// it can name; zero is the tenant's first group.
	Group     id.ID
	CreatedBy id.ID // the agent or the integration
}

// Taken is what became of a lead.
type Taken struct {
	Contact contact.Contact
	Inquiry contact.Inquiry
	Merged  bool // the person was known
	Work    handover.Work
	Absence string // what to tell the person when nobody works now, ""
	// Interactions are those made of the history, in its order.
	Interactions []interaction.Interaction
}

// Service is the room's door. It is safe for concurrent use.
type Service struct {
	db           *store.DB
	log          *event.Log
	contacts     *contact.Service
	cards        *deal.Service
	agents       *agent.Service
	handovers    *handover.Service
	interactions *interaction.Service
}

// NewService returns the room's service.
func NewService(db *store.DB, log *event.Log, contacts *contact.Service, cards *deal.Service, agents *agent.Service, handovers *handover.Service, interactions *interaction.Service) *Service {
	return &Service{db, log, contacts, cards, agents, handovers, interactions}
}

// Take is TakeIn in a transaction of its own.
func (s *Service) Take(ctx context.Context, tenant id.ID, actor string, l Lead) (Taken, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Taken, error) { return s.TakeIn(tx, actor, l) })
}

// TakeIn makes one contact of everybody whom the lead's phones and e-mails touch,
// gives it a card and work, keeps the inquiry, and records the history. A new
// person appends contact.created, deal.created and handover.moved; a known one
// contact.merged for each contact that became one with it and contact.updated for
// what it gained; both inquiry.created and interaction.created. Faults are those of
// contact.GatherIn; Invalid naming "type", "utmSource", "category", "data" or
// "history[n].<field>".
func (s *Service) TakeIn(tx *store.Tx, actor string, l Lead) (Taken, error) {
	if err := l.check(); err != nil {
		return Taken{}, err
	}
	// Reads first: from GatherIn on, people are locked.
	to, err := s.route(tx, l)
	if err != nil {
		return Taken{}, err
	}
	g, err := s.contacts.GatherIn(tx, actor, contact.Person{FirstName: l.FirstName, LastName: l.LastName,
		Phones: l.Phones, Emails: l.Emails, Nins: l.Nin, Source: l.Source})
	if err != nil {
		return Taken{}, err
	}
	out := Taken{Contact: g.Contact, Merged: !g.Fresh}
	news := g.News
	if g.Fresh {
		made, err := s.cards.AttachNewIn(tx, actor, g.Contact)
		if err != nil {
			return Taken{}, err
		}
		news = append(news, made...)
	} else if err := s.cards.AttachIn(tx, actor, g.Contact); err != nil {
		return Taken{}, err
	}
	arrived, moved, err := s.place(tx, actor, &out.Contact, to, g.Fresh)
	if err != nil {
		return Taken{}, err
	}
	out.Work, out.Absence = arrived.Work, arrived.Absence
	if !arrived.Work.Agent.IsZero() {
		out.Contact.AssignedTo = arrived.Work.Agent.String()
	}
	q, asked, err := s.contacts.AddInquiryHeldIn(tx, actor, contact.Inquiry{Contact: out.Contact.ID, Face: Face, Kind: l.Kind, Source: l.Source, Data: l.data()})
	if err != nil {
		return Taken{}, err
	}
	out.Inquiry = q
	if err := s.log.AppendMany(tx, append(append(news, moved...), asked)); err != nil {
		return Taken{}, err
	}
	out.Interactions, err = s.record(tx, actor, out.Contact.ID, l.History)
	return out, err
}

// maxHistory bounds the events of one lead.
const maxHistory = 200

func (l *Lead) check() error {
	switch {
	case !slices.Contains(Kinds, l.Kind):
		return fault.Field("type", "the type of a lead is one of %s", strings.Join(Kinds, ", "))
	case strings.TrimSpace(l.Source) == "":
		return fault.Missing("utmSource")
	case len(l.History) > maxHistory:
		return fault.Field("history", "history holds at most %d events; send further ones as interactions of the contact", maxHistory)
	}
	return nil
}
