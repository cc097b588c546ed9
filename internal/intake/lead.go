package intake

import (
	"fmt"
	"maps"

	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/interaction"
	"parley/internal/store"
)

// data is what the inquiry keeps: what the lead said, word for word, so that a
// merge loses nothing of it.
func (l *Lead) data() map[string]any {
	out := make(map[string]any, len(l.Data)+12)
	maps.Copy(out, l.Data)
	for name, v := range map[string]string{"utmSource": l.Source, "providerKey": l.ProviderKey, "providerLeadId": l.ProviderLeadID, "comments": l.Comments,
		"company": l.Company, "store": l.Store, "agent": l.Agent, "category": l.Category, "firstName": l.FirstName, "lastName": l.LastName, "createdBy": l.CreatedBy.String()} {
		if v != "" {
			out[name] = v
		}
	}
	if l.Priority != nil {
		out["priority"] = *l.Priority
	}
	if len(l.Phones) > 0 {
		out["phones"] = l.Phones
	}
	if len(l.Emails) > 0 {
		out["emails"] = l.Emails
	}
	return out
}

// route finds whom a lead names (sales reference §3.1, §6.25): an agent at work in
// the groups that it can name, who takes it into the agent's own group; else the
// store, looked for in the company first; else the company; else nobody, and it
// stays with the group of whoever sent it.
func (s *Service) route(tx *store.Tx, l Lead) (handover.Arrival, error) {
	to := handover.Arrival{Group: l.Group, Category: l.Category}
	if l.Agent == "" && l.Store == "" && l.Company == "" {
		return to, nil
	}
	top := l.Group
	if top.IsZero() {
		g, err := s.agents.RootIn(tx)
		if err != nil {
			return to, err
		}
		top = g.ID
	}
	if l.Agent != "" {
		a, found, err := s.agents.Find(tx, l.Agent)
		if err != nil {
			return to, err
		}
		if found && a.Active {
			within, err := s.agents.Within(tx, top, a.Group)
			if err != nil {
				return to, err
			}
			if within {
				to.Agent, to.Group = a.ID, a.Group
				return to, nil
			}
		}
	}
	roots := []id.ID{top}
	if l.Company != "" {
		g, found, err := s.agents.FindGroup(tx, top, l.Company)
		if err != nil {
			return to, err
		}
		if found {
			to.Group, roots = g.ID, []id.ID{g.ID, top}
		}
	}
	if l.Store == "" {
		return to, nil
	}
	for _, root := range roots {
		g, found, err := s.agents.FindGroup(tx, root, l.Store)
		if err != nil {
			return to, err
		}
		if found {
			to.Group = g.ID
			break
		}
	}
	return to, nil
}

// place gives the contact to whom the lead was routed. Whoever left in between is
// passed over: a lead is never refused for that.
func (s *Service) place(tx *store.Tx, actor string, c *contact.Contact, to handover.Arrival, fresh bool) (out handover.Arrived, news []event.New, err error) {
	for {
		if fresh {
			var moved event.New
			out, moved, err = s.handovers.PlaceNewIn(tx, actor, c, to)
			news = []event.New{moved}
		} else {
			out, err = s.handovers.PlaceHeldIn(tx, actor, *c, to)
		}
		f := fault.As(err)
		switch {
		case f != nil && f.Field == "agent" && !to.Agent.IsZero():
			to.Agent = id.Zero
		case f != nil && f.Field == "group" && !to.Group.IsZero():
			to.Group = id.Zero
		default:
			return out, news, err
		}
	}
}

// record makes interactions of a lead's history.
func (s *Service) record(tx *store.Tx, actor string, cid id.ID, history []interaction.New) ([]interaction.Interaction, error) {
	out := make([]interaction.Interaction, 0, len(history))
	for i, n := range history {
		made, err := s.interactions.RecordIn(tx, actor, cid, n)
		if err != nil {
			return nil, within(fmt.Sprintf("history[%d]", i), err)
		}
		out = append(out, made)
	}
	return out, nil
}

// within says of a fault in which entry its field lies.
func within(at string, err error) error {
	f := fault.As(err)
	if f == nil {
		return err
	}
	c := *f
	if c.Field = at; f.Field != "" {
		c.Field = at + "." + f.Field
	}
	c.Fields = nil
	for _, e := range f.Fields {
		c.Fields = append(c.Fields, fault.As(within(at, e)))
	}
	return &c
}
