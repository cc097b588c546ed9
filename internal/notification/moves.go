package notification

import (
	"slices"
	"strconv"
	"strings"

	"parley/internal/event"
	"parley/internal/handover"
	"parley/internal/id"
)

// update is a field that changed, with what is known of it.
type update struct {
	field    string
	from, to *string
	now      bool // to is what the prospect shows now; from is not known
}

// moved tells of a move of the work: the prospect is there or changed, the agent
// for whom a key acts made it or was given it, and a transfer or the like is an
// interaction. What moved stands in the history with what it was.
func (b *batch) moved(n note, w handover.Work) error {
	e := n.row.event
	version, err := strconv.Atoi(word(e, "version"))
	if err != nil {
		return nil // put into the first group because there were no groups before: nothing new
	}
	entry, found, err := b.s.handovers.Entry(b.r, e.Contact, version)
	if err != nil || !found {
		return err
	}
	var updates []update
	given := id.Zero // to whom it was given
	for _, c := range entry.Changes {
		if c.Field == "agent" {
			given, _ = id.Parse(c.To)
		}
		if field := b.draw.Field(c.Field); field != "" {
			updates = append(updates, update{field: field, from: text(c.From), to: text(c.To)})
		}
	}
	fresh := placed(e)
	switch {
	case fresh:
		b.add(n, Prospects, Created, w)
	case len(updates) > 0:
		b.add(n, Prospects, Updated, w, updates...)
	}
	b.agents(n, w, entry, fresh, given, updates)
	if activity, err := id.Parse(word(e, "activity")); err == nil && !activity.IsZero() {
		n.ref = Ref{n.contact, activity}
		b.add(n, Interactions, Created, w)
	}
	return nil
}

// agents tells the topic of that name: created when the agent for whom the key
// acts made the prospect, updated when somebody else's move gave it to that agent.
func (b *batch) agents(n note, w handover.Work, entry handover.Entry, fresh bool, given id.ID, updates []update) {
	made, got := n, n
	made.topic, made.typ = Agents, Created
	got.topic, got.typ, got.updates = Agents, Updated, updates
	for _, t := range b.tellers {
		if !slices.Contains(t.Topics, Agents) || !t.agents || t.user.IsZero() || !b.sees(t, w) || n.row.event.At.Before(t.CreatedAt) {
			continue
		}
		switch by := b.actorUser(entry.Actor); {
		case fresh && by == t.user:
			made.to = append(made.to, t)
		case given == t.user && !(entry.Move == handover.Claimed && by == t.user):
			got.to = append(got.to, t)
		}
	}
	b.put(made)
	b.put(got)
}

// actorUser returns the agent who did something: himself, or through a key that
// acts for him.
func (b *batch) actorUser(actor string) id.ID {
	kind, rest, _ := strings.Cut(actor, ":")
	v, err := id.Parse(rest)
	if err != nil {
		return id.Zero
	}
	switch kind {
	case "agent":
		return v
	case "key":
		if k, err := b.key(v); err == nil {
			return k.User
		}
	}
	return id.Zero
}

// changed tells of a contact's own fields, of which the event knows the names.
func (b *batch) changed(n note) error {
	e, w := n.row.event, b.work[n.row.event.Contact]
	if e.Type == "contact.merged" {
		from := word(e, "from")
		to := n.contact.String()
		b.add(n, Prospects, Updated, w, update{field: "id", from: &from, to: &to})
		return nil
	}
	if b.comes(n.row) {
		return nil
	}
	if updates := b.named(e); len(updates) > 0 {
		b.add(n, Prospects, Updated, w, updates...)
	}
	return nil
}

func (b *batch) named(e event.Event) []update {
	var out []update
	for _, c := range e.Changed {
		field := b.draw.Field(c)
		if field != "" && !slices.ContainsFunc(out, func(u update) bool { return u.field == field }) {
			out = append(out, update{field: field, now: true})
		}
	}
	return out
}

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
