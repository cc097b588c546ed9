package app

import (
	"slices"

	"parley/internal/agent"
	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Shown is a report or a button as one viewer opens it.
type Shown struct {
	App  string // <developer>_<app>
	Key  string
	Name Localized
	// Label is the name in the language of the viewer's group.
	Label string
	Icon  string // of a button
	URL   string // signed, good as it is
}

// Reports returns the reports that an agent may open for a group, with their signed
// URLs: those of apps that are enabled in the group or above it. Reports are for
// managers, so an agent who is neither owner nor admin has none. A period without a
// group is about the agent's own, and the group must lie in it or below. Faults:
// those of Period.Check; NotFound of "agent" or "group".
func (s *Service) Reports(r store.Reader, viewer id.ID, p Period) ([]Shown, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	u, err := s.viewer(r, viewer)
	if err != nil {
		return nil, err
	}
	if p.Group.IsZero() {
		p.Group = u.Group
	}
	within, err := s.agents.Within(r, u.Group, p.Group)
	if err == nil && !within {
		err = fault.Unknown("group")
	}
	out := []Shown{}
	if err != nil || u.Role == agent.RoleAgent {
		return out, err
	}
	home, err := s.speaking(r, u.Group)
	if err != nil {
		return nil, err
	}
	err = s.eachAt(r, p.Group, func(a appRow, key string) {
		for _, d := range a.Reports {
			out = append(out, Shown{App: a.Slug(), Key: d.Key, Name: d.Name, Label: d.Name.In(languageOf(home)), URL: ReportURL(d, p, u, home, key)})
		}
	})
	return out, err
}

// Buttons returns the buttons that an agent has beside the conversation with a
// contact: those of apps that are enabled in the contact's group or above it.
// NotFound of "agent" or "handover".
func (s *Service) Buttons(r store.Reader, viewer, cid id.ID) ([]Shown, error) {
	u, err := s.viewer(r, viewer)
	if err != nil {
		return nil, err
	}
	w, err := s.works.Get(r, cid)
	if err != nil {
		return nil, err
	}
	at, err := s.speaking(r, w.Group)
	if err != nil {
		return nil, err
	}
	home, err := s.speaking(r, u.Group)
	if err != nil {
		return nil, err
	}
	who, err := s.person(r, w.Contact)
	if err != nil {
		return nil, err
	}
	out := []Shown{}
	err = s.eachAt(r, w.Group, func(a appRow, key string) {
		for _, b := range a.Buttons {
			out = append(out, Shown{App: a.Slug(), Key: b.Key, Name: b.Name, Label: b.Name.In(languageOf(home)), Icon: b.Icon, URL: ButtonURL(b, who, u, at, key)})
		}
	})
	return out, err
}

func (s *Service) viewer(r store.Reader, viewer id.ID) (agent.Agent, error) {
	u, err := s.agents.Agent(r, viewer)
	if err == nil && !u.Active {
		err = fault.Unknown("agent")
	}
	return u, err
}

// speaking returns a group with its language, else that of the nearest above it.
func (s *Service) speaking(r store.Reader, group id.ID) (agent.Group, error) {
	n, err := s.agents.Node(r, group)
	if err != nil || n.Language != "" || len(n.Ancestors) == 0 {
		return n.Group, err
	}
	above, err := s.agents.GroupsByID(r, n.Ancestors)
	for _, g := range n.Ancestors {
		if n.Language == "" {
			n.Language = above[g].Language
		}
	}
	return n.Group, err
}

// person reads what the placeholders of buttons show of a contact.
func (s *Service) person(r store.Reader, cid id.ID) (Person, error) {
	c, err := s.contacts.Get(r, cid)
	if err != nil {
		return Person{}, err
	}
	p := Person{Contact: c}
	inquiries, err := s.contacts.InquiriesOf(r, []id.ID{c.ID})
	for _, q := range slices.Backward(inquiries[c.ID]) { // the newest first
		lead, _ := q.Data["providerLeadId"].(string)
		p.Source, p.ProviderLeadID = first(p.Source, q.Source), first(p.ProviderLeadID, lead)
	}
	p.Source = first(p.Source, c.Source)
	return p, err
}

// eachAt gives the apps that are enabled in a group or above it, oldest first, each
// once, with their private keys.
func (s *Service) eachAt(r store.Reader, group id.ID, each func(a appRow, key string)) error {
	n, err := s.agents.Node(r, group)
	if err != nil {
		return err
	}
	in, args := contact.Among(append([]id.ID{group}, n.Ancestors...))
	on, err := instances(r, "state='enabled' AND group_id IN "+in, args...) // index app_instance_enabled
	if err != nil {
		return err
	}
	here := map[id.ID]bool{}
	for _, i := range on {
		here[i.App] = true
	}
	all, err := apps(r)
	if err != nil {
		return err
	}
	for _, a := range all {
		if !here[a.ID] || len(a.Reports)+len(a.Buttons) == 0 {
			continue
		}
		key, err := s.tenants.OpenFor(r.Tenant(), place(a.ID, ofPrivate), a.private)
		if err != nil {
			return err
		}
		each(a, key)
	}
	return nil
}

// first is the first text that is not empty.
func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
