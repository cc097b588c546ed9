package campaign

import (
	"context"
	"time"

	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// purgeJob takes the recipients of a purged campaign away, and the campaign last.
const purgeJob = "campaign.purge"

// purged is how many recipients one transaction takes away.
const purged = 500

type purgeArgs struct {
	Campaign id.ID `json:"campaign"`
}

func owePurge(tx *store.Tx, cid id.ID) error {
	_, _, err := job.Enqueue(tx, job.New{Kind: purgeJob, Args: purgeArgs{cid}, UniqueKey: cid.String(), Priority: 7})
	return err
}

// RegisterJobs gives the runner the handlers of this room's jobs.
func (s *Service) RegisterJobs(r *job.Runner) {
	r.Register(job.Kind{Name: purgeJob, Handle: s.handlePurge, Timeout: 10 * time.Minute})
	r.Register(job.Kind{Name: "react." + titleReactor, Handle: s.handleTitle})
}

func (s *Service) handlePurge(ctx context.Context, j *job.Job) error {
	var a purgeArgs
	if err := j.Decode(&a); err != nil {
		return nil // it never named a campaign
	}
	for {
		more, err := store.Write(ctx, s.db, j.Tenant, func(tx *store.Tx) (bool, error) { return purgeSome(tx, a.Campaign) })
		if err != nil || !more {
			return err
		}
	}
}

func purgeSome(tx *store.Tx, cid id.ID) (more bool, err error) {
	n, err := tx.Exec("DELETE FROM campaign_recipient WHERE tenant_id=?1 AND campaign_id=?2 AND entity_id IN (SELECT entity_id FROM campaign_recipient WHERE tenant_id=?1 AND campaign_id=?2 LIMIT ?3)", cid, purged)
	if err != nil || n == purged {
		return true, err
	}
	if _, err := tx.Exec("DELETE FROM campaign_tally WHERE tenant_id=? AND campaign_id=?", cid); err != nil {
		return false, err
	}
	_, err = tx.Exec("DELETE FROM campaign WHERE tenant_id=? AND id=? AND purged_at IS NOT NULL", cid)
	return false, err
}
