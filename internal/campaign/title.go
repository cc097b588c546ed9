package campaign

import (
	"context"
	"strings"

	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// titleReactor refreshes the titles of recipients when those of their entities change.
const titleReactor = "campaign.title"

// retitle are the events after which an entity may be called otherwise.
var retitle = []string{"contact.updated", "contact.merged", "contact.unmerged", "record.updated", "record.restored"}

// titled asks for those of the events that concern a recipient: one look at the index
// campaign_recipient_entity.
func titled(tx *store.Tx, e event.Event) (bool, error) {
	in, args := contact.Among(concerned(e))
	var one int
	return store.Found(tx.QueryRow("SELECT 1 FROM campaign_recipient WHERE tenant_id=? AND entity_id IN "+in+" LIMIT 1", args...).Scan(&one))
}

// concerned are the entities whose titles an event may change: its subject, and the
// contact that an unmerge brought back.
func concerned(e event.Event) []id.ID {
	out := []id.ID{e.Subject}
	for _, word := range e.Changed {
		if text, ok := strings.CutPrefix(word, "restored:"); ok {
			if v, err := id.Parse(text); err == nil {
				out = append(out, v)
			}
		}
	}
	return out
}

func (s *Service) handleTitle(ctx context.Context, j *job.Job) error {
	var e event.Event
	if err := j.Decode(&e); err != nil {
		return nil // written by no version of ours
	}
	return s.db.Write(ctx, j.Tenant, func(tx *store.Tx) error {
		if !e.Contact.IsZero() { // behind whoever changes them, so that the last word is the last title
			if _, err := s.hold(tx, concerned(e)); err != nil {
				return err
			}
		}
		for _, who := range concerned(e) {
			if err := s.refresh(tx, who); err != nil {
				return err
			}
		}
		return nil
	})
}

// refresh gives an entity's recipients the title that it has now.
func (s *Service) refresh(tx *store.Tx, who id.ID) error {
	var schema string
	ok, err := store.Found(tx.QueryRow("SELECT entity_schema FROM campaign_recipient WHERE tenant_id=? AND entity_id=? LIMIT 1", who).Scan(&schema))
	if err != nil || !ok {
		return err
	}
	docs, err := s.entities.Documents(tx, schema, []id.ID{who})
	doc, there := docs[who]
	if err != nil || !there {
		return err
	}
	_, err = tx.Exec("UPDATE campaign_recipient SET title=?, folded=?, updated_at=? WHERE tenant_id=? AND entity_id=? AND title<>?",
		title(doc), contact.Fold(title(doc)), tx.Now(), who, title(doc))
	return err
}
