package campaign

import (
	"slices"

	"parley/internal/automation"
	"parley/internal/bulk"
	"parley/internal/contact"
	"parley/internal/entity"
	"parley/internal/id"
	"parley/internal/store"
)

// words are what the statuses of executions are to recipients (reference §4.3).
var words = map[string]string{
	"pending": Pending, "starting": Pending, "scheduled": Pending, "hot": Pending,
	"in_progress": InProgress, "paused": InProgress,
	"success": Success, "skipped": Success,
	"failed": Failed, "cancelled": Cancelled,
}

// follower is the campaigns' part in their bulk jobs.
func (s *Service) follower() bulk.Follower {
	// What moves later is told by the automation room itself, as of runs that belong to
	// no job; see moved.
	return bulk.Follower{Owns: s.owns, Begin: s.begin, Began: s.began, Ended: s.ended}
}

func (s *Service) owns(tx *store.Tx, owner id.ID) (bool, error) {
	var one int
	return store.Found(tx.QueryRow("SELECT 1 FROM campaign WHERE tenant_id=? AND id=?", owner).Scan(&one))
}

// begin writes the recipients of a batch and says which of them are to be started:
// who is new, whom the automation has not met, and whose last execution was cancelled
// (reference §6.14).
func (s *Service) begin(tx *store.Tx, j bulk.Job, batch []bulk.Item) ([]bool, error) {
	start := make([]bool, len(batch))
	living, err := s.heldOf(tx, batch)
	if err != nil {
		return nil, err
	}
	docs, err := s.documentsOf(tx, batch)
	if err != nil {
		return nil, err
	}
	ids := make([]id.ID, 0, len(batch))
	for _, v := range living {
		ids = append(ids, v)
	}
	have, err := recipients(tx, j.Owner, ids, tx.Dialect().ForUpdate())
	if err != nil {
		return nil, err
	}
	var news []Recipient
	met := map[id.ID]bool{}
	for i, it := range batch {
		at := living[it.Entity]
		doc, ok := docs[it.Entity]
		if !ok || met[at] { // gone since, or the same person by another id
			continue
		}
		met[at] = true
		v, known := have[at]
		switch {
		case !known:
			news = append(news, Recipient{Campaign: j.Owner, Entity: at, Schema: it.Schema, Title: title(doc), AutomationStatus: Pending, starts: 1, CreatedAt: tx.Now(), UpdatedAt: tx.Now()})
		case v.AutomationStatus == "" || v.AutomationStatus == Cancelled:
			v.AutomationStatus, v.Run, v.Execution = Pending, id.Zero, ""
			v.starts++
			if err := keep(tx, &v); err != nil {
				return nil, err
			}
		default:
			continue
		}
		start[i] = true
	}
	return start, putMany(tx, j.Owner, news)
}

// heldOf is living for whoever is to lock recipients: the people are held first, as a
// merge does it.
func (s *Service) heldOf(tx *store.Tx, batch []bulk.Item) (map[id.ID]id.ID, error) {
	var people []id.ID
	out := make(map[id.ID]id.ID, len(batch))
	for _, it := range batch {
		out[it.Entity] = it.Entity
		if it.Schema == entity.Contact {
			people = append(people, it.Entity)
		}
	}
	held, err := s.hold(tx, people)
	for old, to := range held {
		out[old] = to
	}
	return out, err
}

// living returns where the ids of a batch lead today.
func (s *Service) living(tx *store.Tx, batch []bulk.Item) (map[id.ID]id.ID, error) {
	out := make(map[id.ID]id.ID, len(batch))
	var people []id.ID
	for _, it := range batch {
		out[it.Entity] = it.Entity
		if it.Schema == entity.Contact {
			people = append(people, it.Entity)
		}
	}
	moved, err := s.contacts.ResolveMany(tx, people)
	for old, to := range moved {
		out[old] = to
	}
	return out, err
}

// documentsOf reads those of a batch that are still there.
func (s *Service) documentsOf(tx *store.Tx, batch []bulk.Item) (map[id.ID]entity.Doc, error) {
	by := map[string][]id.ID{}
	for _, it := range batch {
		by[it.Schema] = append(by[it.Schema], it.Entity)
	}
	out := make(map[id.ID]entity.Doc, len(batch))
	for schema, ids := range by {
		part, err := s.entities.Documents(tx, schema, ids)
		if err != nil {
			return nil, err
		}
		for v, doc := range part {
			out[v] = doc
		}
	}
	return out, nil
}

func title(doc entity.Doc) string {
	text, _ := doc["_title"].(string)
	return text
}

// began gives the recipients of a batch the runs that stand for them.
func (s *Service) began(tx *store.Tx, j bulk.Job, batch []bulk.Item) error {
	living, err := s.living(tx, batch)
	if err != nil {
		return err
	}
	for _, it := range batch {
		status := words[it.Status]
		if it.Run.IsZero() {
			status = Failed
		}
		if _, err := tx.Exec(`UPDATE campaign_recipient SET run_id=?, automation_status=? WHERE tenant_id=? AND campaign_id=? AND entity_id=? AND merged_into IS NULL
			AND automation_status='pending' AND run_id IS NULL`, it.Run, status, j.Owner, living[it.Entity]); err != nil {
			return err
		}
	}
	return nil
}

// moved takes the statuses of runs over, in the transactions in which they change.
func (s *Service) moved(tx *store.Tx, list []automation.Moved) error {
	by := map[string][]id.ID{}
	for _, m := range list {
		status, ok := words[m.Status]
		if !ok {
			continue
		}
		by[status] = append(by[status], m.Run)
	}
	for _, status := range AutomationStatuses {
		for part := range slices.Chunk(by[status], batch) {
			in, args := contact.Among(part)
			if _, err := tx.Exec("UPDATE campaign_recipient SET automation_status=?, updated_at=? WHERE tenant_id=? AND automation_status<>? AND run_id IN "+in,
				append([]any{status, tx.Now(), status}, args...)...); err != nil {
				return err
			}
		}
	}
	return nil
}

// ended makes a campaign active when its job is finished, inactive when it failed or
// was cancelled (reference §4.1).
func (s *Service) ended(tx *store.Tx, j bulk.Job) error {
	c, err := locked(tx, j.Owner)
	if gone(err) {
		return nil
	}
	if err != nil || c.Job != j.ID || c.Status != Activating {
		return err
	}
	to := Inactive
	if j.Status == bulk.Finished {
		to = Active
	}
	_, err = s.move(tx, "system", c, to)
	return err
}
