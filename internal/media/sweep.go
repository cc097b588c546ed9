package media

import (
	"context"
	"time"

	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// sweepJob looks for files that nobody needs.
const sweepJob = "media.sweep"

// sweepBatch bounds the files that are looked at in one go.
const sweepBatch = 200

// RegisterJobs gives the runner what the room owes.
func (s *Service) RegisterJobs(r *job.Runner) {
	r.Register(job.Kind{Name: sweepJob, Timeout: 5 * time.Minute, Handle: func(ctx context.Context, _ *job.Job) error {
		for {
			n, err := s.Sweep(ctx)
			if err != nil || n < sweepBatch {
				return err
			}
		}
	}})
	r.Cron(sweepJob, "17 * * * *", job.New{Kind: sweepJob})
}

// Sweep looks at the files whose time has come, of all tenants, deletes those
// that nobody needs, and returns at how many it looked.
func (s *Service) Sweep(ctx context.Context) (int, error) {
	all, err := due(s.db.Read(ctx, id.Zero), s.db.Clock().Now(), sweepBatch)
	if err != nil {
		return 0, err
	}
	for _, f := range all {
		if err := s.db.Write(ctx, f.Tenant, func(tx *store.Tx) error { return s.sweepIn(tx, f.ID) }); err != nil {
			return 0, err
		}
	}
	return len(all), nil
}

func (s *Service) sweepIn(tx *store.Tx, file id.ID) error {
	if err := tx.Lock("media", file.String()); err != nil {
		return err
	}
	var at time.Time // a chunk may have come since
	found, err := store.Found(tx.QueryRow("SELECT check_at FROM media WHERE tenant_id=? AND id=?", file).Scan(store.Time(&at)))
	if err != nil || !found || at.After(tx.Now()) {
		return err
	}
	f, _, err := byID(tx, file)
	if err != nil {
		return err
	}
	for _, inUse := range s.inUse {
		if f.state != ready {
			break
		}
		used, err := inUse(tx, file)
		if err != nil {
			return err
		}
		if used {
			_, err = tx.Exec("UPDATE media SET check_at=? WHERE tenant_id=? AND id=?", tx.Now().Add(recheck), file)
			return err
		}
	}
	return deleteIn(tx, file)
}

// LetGoIn says that whoever named a file does so no more: the next sweep looks
// whether anybody else does.
func (s *Service) LetGoIn(tx *store.Tx, file id.ID) error {
	_, err := tx.Exec("UPDATE media SET check_at=? WHERE tenant_id=? AND id=? AND state='ready'", tx.Now(), file)
	return err
}

// DropIn deletes a file at once, unless somebody still uses it: the file of a
// message that was erased.
func (s *Service) DropIn(tx *store.Tx, file id.ID) error {
	if _, err := tx.Exec("UPDATE media SET check_at=? WHERE tenant_id=? AND id=?", tx.Now(), file); err != nil {
		return err
	}
	return s.sweepIn(tx, file)
}
