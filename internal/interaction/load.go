package interaction

import (
	"slices"
	"strings"

	"parley/internal/contact"
	"parley/internal/conversation"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// load reads rows as interactions, in their order; those that are none are left
// out. It costs a handful of queries for up to some hundred of them.
func (s *Service) load(r store.Reader, rows []found) ([]Interaction, error) {
	ids := map[string][]id.ID{}
	for _, f := range rows {
		v, err := id.Parse(f.id)
		if err != nil {
			return nil, err
		}
		ids[f.table] = append(ids[f.table], v)
	}
	var messages map[id.ID]conversation.Exchange
	var notes map[id.ID]contact.Note
	var activities map[id.ID]contact.Activity
	var err error
	if len(ids["message"]) > 0 {
		if messages, err = s.conversations.ByID(r, ids["message"]); err != nil {
			return nil, err
		}
	}
	if len(ids["note"]) > 0 {
		if notes, err = s.contacts.NotesByID(r, ids["note"]); err != nil {
			return nil, err
		}
	}
	if len(ids["activity"]) > 0 {
		if activities, err = s.contacts.ActivitiesByID(r, ids["activity"]); err != nil {
			return nil, err
		}
	}
	out := make([]Interaction, 0, len(rows))
	for _, f := range rows {
		v, _ := id.Parse(f.id)
		var i Interaction
		ok := false
		switch f.table {
		case "message":
			var x conversation.Exchange
			if x, ok = messages[v]; ok {
				message(x, &i)
			}
		case "note":
			var n contact.Note
			if n, ok = notes[v]; ok {
				i = ofNote(n)
			}
		case "activity":
			if a, have := activities[v]; have {
				i, ok = ofActivity(a)
			}
		}
		if ok && !i.Contact.IsZero() {
			out = append(out, i)
		}
	}
	return out, s.fill(r, out)
}

func ofNote(n contact.Note) Interaction {
	return Interaction{ID: n.ID, Contact: n.Contact, Actor: n.CreatedBy, CreatedAt: n.CreatedAt, StartedAt: n.CreatedAt, FinishedAt: n.CreatedAt, UpdatedAt: n.UpdatedAt,
		Status: Created, Proactive: true, Via: Other, Output: Output{Comment: n.Content}}
}

// ofActivity reads an activity; ok is false when it is no interaction.
func ofActivity(a contact.Activity) (i Interaction, ok bool) {
	k, ok := kinds[a.Type]
	if !ok {
		return i, false
	}
	i = Interaction{ID: a.ID, Contact: a.Contact, Actor: a.PerformedBy, CreatedAt: a.CreatedAt, StartedAt: a.CreatedAt, FinishedAt: a.CreatedAt, UpdatedAt: a.CreatedAt,
		Status: Created, Proactive: !k.byThem, Via: k.vias[0]}
	if via := text(a, "via"); slices.Contains(k.vias, via) {
		i.Via = via
	}
	switch text(a, "direction") {
	case conversation.Inbound:
		i.Proactive = false
	case conversation.Outbound:
		i.Proactive = true
	}
	if len(k.vias) > 1 && k.vias[0] == PhoneCall {
		switch { // the direction of a call is its way
		case i.Via == PhoneCall && text(a, "direction") == conversation.Inbound:
			i.Via = InboundCall
		case i.Via == PhoneCall && text(a, "direction") == conversation.Outbound:
			i.Via = OutboundCall
		case i.Via == InboundCall:
			i.Proactive = false
		}
	}
	return i, k.read(a, &i)
}

// fill puts in what lies elsewhere: the agents and the quotes.
func (s *Service) fill(r store.Reader, list []Interaction) error {
	var about, quotes []id.ID
	for n := range list {
		i := &list[n]
		i.Bot = automatic(*i)
		if text, ok := strings.CutPrefix(i.Actor, "agent:"); ok {
			i.Agent, _ = id.Parse(text)
		}
		if i.Agent.IsZero() && !i.Proactive && !slices.Contains(about, i.Contact) {
			about = append(about, i.Contact)
		}
		if p := i.Output.Proposal; p != nil {
			quotes = append(quotes, p.Quote)
		}
	}
	if len(about) > 0 {
		had, err := s.handovers.AgentsOver(r, about)
		if err != nil {
			return err
		}
		for n := range list {
			if i := &list[n]; i.Agent.IsZero() && !i.Proactive {
				i.Agent = had(i.Contact, i.CreatedAt)
			}
		}
	}
	if len(quotes) == 0 {
		return nil
	}
	known, err := s.quotes.ByID(r, quotes)
	if err != nil {
		return err
	}
	for n := range list {
		p := list[n].Output.Proposal
		if p == nil {
			continue
		}
		if q, ok := known[p.Quote]; ok {
			p.FirstCreatedAt, p.Items, p.Status = q.CreatedAt, q.Items, q.Status
			list[n].FinishedAt, list[n].UpdatedAt = q.FinishedAt(), q.UpdatedAt
		}
	}
	return nil
}

// automatic tells what no person did: a bot, an automation, or a message of ours
// that nobody wrote. "system" alone may be a person: activities that tell nobody
// have it.
func automatic(i Interaction) bool {
	return i.Actor == "automation" || strings.HasPrefix(i.Actor, "bot:") || strings.HasPrefix(i.Actor, "run:") ||
		i.Actor == "system" && i.Proactive && i.Output.Message != nil
}

// Get returns an interaction of a contact. NotFound naming "interaction" for one
// that does not exist or belongs to somebody else.
func (s *Service) Get(r store.Reader, cid, iid id.ID) (i Interaction, err error) {
	its, err := s.contacts.Following(r, cid, func(at id.ID) (bool, error) {
		i, err = s.get(r, iid)
		return i.Contact == at, err
	})
	if err == nil && !its {
		err = fault.Unknown("interaction")
	}
	if err != nil {
		return Interaction{}, err
	}
	return i, nil
}

// get returns an interaction by its id alone. NotFound naming "interaction".
func (s *Service) get(r store.Reader, iid id.ID) (Interaction, error) {
	for _, table := range []string{"message", "activity", "note"} {
		list, err := s.load(r, []found{{place{0, iid.String()}, table}})
		if err != nil || len(list) > 0 {
			return first(list), err
		}
	}
	return Interaction{}, fault.Unknown("interaction")
}

func first(list []Interaction) (i Interaction) {
	if len(list) > 0 {
		i = list[0]
	}
	return i
}

// OfMessages returns messages of conversations as interactions, in the order of
// the ids; those that do not exist, or are with nobody we know, are left out.
func (s *Service) OfMessages(r store.Reader, ids []id.ID) ([]Interaction, error) {
	rows := make([]found, len(ids))
	for n, v := range ids {
		rows[n] = found{place{0, v.String()}, "message"}
	}
	return s.load(r, rows)
}
