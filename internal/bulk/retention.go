package bulk

import (
	"context"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

const pruneBatch = 500 // entities of one transaction

// Prune deletes jobs that ended longer ago than keep says, with their entities, and
// those that nobody has approved for as long, over every tenant, in small transactions;
// zero keeps them for ever. One of whose runs any is open stays. It returns how many jobs went. What their owners keep, such as the
// recipients of a campaign, stays as it is.
func (s *Service) Prune(ctx context.Context, keep time.Duration) (jobs int64, err error) {
	for keep > 0 {
		found, gone, err := s.pruneSome(ctx, keep, pruneBatch)
		if err != nil || !found {
			return jobs, err
		}
		if gone {
			jobs++
		}
	}
	return jobs, nil
}

// pruneSome takes some entities of one job away, and the job with the last of them. A
// job counts what it still has, so that it is sound whenever this stops.
func (s *Service) pruneSome(ctx context.Context, keep time.Duration, batch int) (found, gone bool, err error) {
	err = s.db.Write(ctx, id.Zero, func(tx *store.Tx) error {
		found, gone = false, false
		var tenant, job id.ID
		before := tx.Now().Add(-keep)
		ok, err := store.Found(tx.System().QueryRow(`SELECT j.tenant_id, j.id FROM bulk_job j WHERE (j.ended_at<? OR j.status='approval' AND j.updated_at<?)
			AND NOT EXISTS (SELECT 1 FROM bulk_item i WHERE i.tenant_id=j.tenant_id AND i.job_id=j.id AND i.is_open) ORDER BY j.updated_at, j.id LIMIT 1`, before, before).Scan(&tenant, &job))
		if err != nil || !ok {
			return err
		}
		found = true
		t := tx.For(tenant)
		if err := s.LockIn(t, job); err != nil {
			return err
		}
		if j, err := get(t, job); fault.As(err) != nil || err == nil && j.Status != Approval && !j.Over() {
			return nil // pruned by somebody else, or approved in this very moment
		} else if err != nil {
			return err
		}
		gone, err = pruneJob(t, job, batch)
		return err
	})
	return found, gone, err
}

func pruneJob(tx *store.Tx, job id.ID, batch int) (gone bool, err error) {
	rows, err := tx.Query(`DELETE FROM bulk_item WHERE tenant_id=?1 AND job_id=?2 AND entity_id IN
		(SELECT entity_id FROM bulk_item WHERE tenant_id=?1 AND job_id=?2 ORDER BY entity_id LIMIT ?3) RETURNING `+itemColumns, job, batch)
	list, err := store.Collect(rows, err, scanItem)
	if err != nil {
		return false, err
	}
	if len(list) < batch {
		_, err := tx.Exec("DELETE FROM bulk_job WHERE tenant_id=? AND id=?", job)
		return err == nil, err
	}
	started, refused := 0, 0
	for _, it := range list {
		switch {
		case !it.Run.IsZero():
			started++
		case it.Status != untouched && it.Status != waiting:
			refused++
		}
	}
	_, err = tx.Exec("UPDATE bulk_job SET total=total-?, started=started-?, refused=refused-? WHERE tenant_id=? AND id=?", len(list), started, refused, job)
	return false, err
}
