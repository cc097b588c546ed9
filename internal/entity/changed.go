package entity

import (
	"slices"
	"strings"

	"parley/internal/event"
	"parley/internal/id"
)

// ChangedBy lists the types of events after which a document may differ. A group,
// an agent, a stage or a pipeline that is renamed changes the documents of
// everybody in it and tells of no contact; nor does the moment of the last contact,
// which moves with every message. Such a change is seen when a document is read the
// next time.
var ChangedBy = []string{
	"contact.created", "contact.updated", "contact.archived", "contact.unarchived", "contact.tag_added", "contact.tag_removed",
	"contact.scored", "contact.merged", "contact.unmerged", "contact.erased",
	"deal.created", "deal.updated", "deal.moved", "deal.won", "deal.lost", "deal.deleted",
	"handover.moved",
	"record.created", "record.updated", "record.deleted", "record.restored", "record.purged",
}

// Changed returns the entity whose document may differ after an event: after a merge
// the survivor, after an unmerge the one that remains (see Affected).
func Changed(e event.Event) (Ref, bool) {
	if !slices.Contains(ChangedBy, e.Type) {
		return Ref{}, false
	}
	if strings.HasPrefix(e.Type, "record.") {
		slug, ok := named(e, "schema:")
		return Ref{slug, e.Subject}, ok
	}
	return Ref{Contact, e.Contact}, !e.Contact.IsZero()
}

// Affected is Changed with the other contact of a merge: the one that went into the
// survivor, whose id leads there now, and the one that an unmerge brought back.
func Affected(e event.Event) []Ref {
	ref, ok := Changed(e)
	if !ok {
		return nil
	}
	out := []Ref{ref}
	for typ, word := range map[string]string{"contact.merged": "from:", "contact.unmerged": "restored:"} {
		text, _ := named(e, word)
		if other, err := id.Parse(text); e.Type == typ && err == nil {
			out = append(out, Ref{Contact, other})
		}
	}
	return out
}

// named returns what an event's changes say behind a word.
func named(e event.Event, word string) (string, bool) {
	for _, c := range e.Changed {
		if v, ok := strings.CutPrefix(c, word); ok {
			return v, true
		}
	}
	return "", false
}
