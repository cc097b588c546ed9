package automation

import (
	"slices"

	"parley/internal/id"
	"parley/internal/store"
)

// The words of an execution's status (targeting reference §4.3) that runs have.
const (
	ExecPending    = "pending"     // nothing of it has been done
	ExecScheduled  = "scheduled"   // its first action has a time to wait for
	ExecInProgress = "in_progress" // it is under way, or waits between two actions
	ExecPaused     = "paused"
	ExecSuccess    = "success"
	ExecFailed     = "failed"
	ExecCancelled  = "cancelled"
	ExecSkipped    = "skipped" // there was nothing to do: the conditions did not hold, or another run is the person's
)

// standpoint is what the word of a run's status follows from.
type standpoint struct {
	status, exit string
	steps, waits int
}

func (r *run) standpoint() standpoint { return standpoint{r.status, r.exit, r.steps, r.waits} }

// word is the status of a run as an execution. g may be nil.
func (p standpoint) word(g *Graph) string {
	switch p.status {
	case "":
		return ""
	case Running:
		if p.steps == 0 {
			return ExecPending
		}
	case Waiting:
		if g != nil && p.waits == p.steps && !slices.ContainsFunc(g.Starts, func(nid string) bool { n := g.Nodes[nid]; return n == nil || n.Kind != nodeDelay }) {
			return ExecScheduled
		}
	case Paused:
		return ExecPaused
	case Completed:
		if p.exit == ExitSkipped {
			return ExecSkipped
		}
		return ExecSuccess
	case Failed:
		return ExecFailed
	case Aborted:
		if p.exit == ExitMerged {
			return ExecSkipped
		}
		return ExecCancelled
	}
	return ExecInProgress
}

// OnMoved has f told of every status change of runs that have an owner, in the
// transaction in which they change. Call it before the service is used.
func (s *Service) OnMoved(f func(tx *store.Tx, list []Moved) error) {
	s.watchers = append(s.watchers, f)
}

// note keeps in t what the owner of a run is to be told, if there is anything.
func (s *Service) note(tx *store.Tx, t *tally, r *run) error {
	if r.owner.IsZero() {
		return nil
	}
	g, _, err := s.graphOf(tx, r.rule, r.version)
	if err != nil {
		return err
	}
	now := r.standpoint()
	was, word := r.told.word(g), now.word(g)
	r.told = now
	if was == word {
		return nil
	}
	m := Moved{Run: r.id, Rule: r.rule, Owner: r.owner, Entity: r.entity, Status: word}
	if word == ExecFailed || word == ExecCancelled {
		m.Error = r.err
	}
	t.moved, t.tell = append(t.moved, m), s.tellMoved
	return nil
}

func (s *Service) tellMoved(tx *store.Tx, list []Moved) error {
	for _, f := range s.watchers {
		if err := f(tx, list); err != nil {
			return err
		}
	}
	return nil
}

// CancelRunsIn ends at most limit open runs of an owner and returns how many
// (index run_owned_open).
func (s *Service) CancelRunsIn(tx *store.Tx, owner id.ID, limit int) (n int, err error) {
	rows, err := tx.Query("SELECT id FROM run WHERE tenant_id=? AND owner_id=? AND completed_at IS NULL ORDER BY id LIMIT ?", owner, limit)
	list, err := collectTexts(rows, err)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	if err := tx.Lock("run", list...); err != nil {
		return 0, err
	}
	t := &tally{}
	for _, text := range list {
		runID, err := id.Parse(text)
		if err != nil {
			return n, err
		}
		if err := s.stop(tx, t, runID, Aborted, ExitCancelled, ""); err != nil {
			return n, err
		}
	}
	return len(list), t.flush(tx)
}
