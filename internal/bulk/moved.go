package bulk

import (
	"parley/internal/automation"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// moved keeps the items of runs that moved in step with them. It takes no lock of a
// job: batches take that one before those of people and runs.
func (s *Service) moved(tx *store.Tx, list []automation.Moved) error {
	for len(list) > 0 {
		owner := list[0].Owner
		var own, rest []automation.Moved
		for _, m := range list {
			if m.Owner == owner {
				own = append(own, m)
			} else {
				rest = append(rest, m)
			}
		}
		if err := s.movedOf(tx, owner, own); err != nil {
			return err
		}
		list = rest
	}
	return nil
}

func (s *Service) movedOf(tx *store.Tx, owner id.ID, list []automation.Moved) error {
	j, err := get(tx, owner)
	if f := fault.As(err); f != nil && f.Code == fault.NotFound {
		return nil // it is no job of ours
	}
	if err != nil {
		return err
	}
	ended := false
	for _, m := range list {
		it := Item{Run: m.Run, Status: m.Status}
		if _, err := tx.Exec("UPDATE bulk_item SET status=?, error=?, is_open=?, updated_at=? WHERE tenant_id=? AND job_id=? AND entity_id=? AND run_id=?",
			m.Status, store.NullText(m.Error), isOpen(it), tx.Now(), owner, m.Entity, m.Run); err != nil {
			return err
		}
		ended = ended || !isOpen(it)
	}
	if ended && j.Status == Watching {
		// The last one calls whoever watches. On PostgreSQL two last ones may not see
		// each other; then the watch finds out by itself.
		open, err := anyOpen(tx, owner)
		if err != nil {
			return err
		}
		if !open {
			if err := job.WithdrawIn(tx, kindAdvance, owner.String()); err != nil {
				return err
			}
			if err := s.carryOn(tx, owner); err != nil {
				return err
			}
		}
	}
	f, err := s.followerOf(tx, j.Owner)
	if err != nil || f.Moved == nil {
		return err
	}
	return f.Moved(tx, j, list)
}
