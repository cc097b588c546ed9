package automation

import (
	"database/sql"
	"encoding/json"
	"slices"
	"strings"

	"parley/internal/contact"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// shifted is what a merge moved of this room.
type shifted struct {
	Runs []id.ID `json:"runs,omitempty"`
}

// follow makes runs take part in merges of contacts.
func (s *Service) follow() {
	s.contacts.Follow(contact.Follower{Name: "automation", Merge: s.merged, Unmerge: s.unmerged, Erase: s.erased, Purge: s.purged})
}

// matter is what a run is about: its rule, and the record for which it was launched,
// zero for its contact.
type matter struct{ rule, record id.ID }

func matterOf(rule id.ID, schema string, entity id.ID) matter {
	if schema == "" || schema == People {
		return matter{rule: rule}
	}
	return matter{rule, entity}
}

// merged gives the survivor the open runs and the enrollments of the other
// contact. A run of a rule in which the survivor has an open run too ends: the
// person is in it already. Runs about records go on beside each other, unless they are
// of a sequence, in which nobody is twice.
func (s *Service) merged(tx *store.Tx, m contact.Merge) (any, error) {
	if err := lockWaits(tx, m.Survivor, m.Merged); err != nil {
		return nil, err
	}
	runs, err := runsOf(tx, m.Merged, m.Survivor)
	if err != nil || len(runs) == 0 {
		return shifted{}, err
	}
	there, enrolled := map[matter]bool{}, map[id.ID]bool{}
	rows, err := tx.Query("SELECT automation_id, entity_schema, entity_id, enrollment FROM run WHERE tenant_id=? AND contact_id=? AND completed_at IS NULL", m.Survivor)
	_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
		var rule, entity id.ID
		var schema string
		var seat bool
		if err = rows.Scan(&rule, store.Text(&schema), &entity, &seat); err == nil {
			there[matterOf(rule, schema, entity)] = true
			enrolled[rule] = enrolled[rule] || seat
		}
		return
	})
	if err != nil {
		return nil, err
	}
	t := &tally{}
	for _, r := range runs {
		if r.alive() && (there[matterOf(r.rule, r.schema, r.entity)] || r.enrolled && enrolled[r.rule]) {
			if err := s.stopRun(tx, t, r, Aborted, ExitMerged, ""); err != nil {
				return nil, err
			}
		}
		if err := reassign(tx, r, m.Merged, m.Survivor); err != nil {
			return nil, err
		}
	}
	out := shifted{}
	for _, r := range runs {
		out.Runs = append(out.Runs, r.id)
	}
	return out, t.flush(tx)
}

// unmerged gives back the runs that a merge moved. One that ended by the merge
// stays ended: what it was to do has been the other run's.
func (s *Service) unmerged(tx *store.Tx, m contact.Merge, moved json.RawMessage) error {
	var list shifted
	if err := json.Unmarshal(moved, &list); err != nil {
		return err
	}
	if err := lockWaits(tx, m.Survivor, m.Merged); err != nil {
		return err
	}
	keys := make([]string, len(list.Runs))
	for i, v := range list.Runs {
		keys[i] = v.String()
	}
	if err := tx.Lock("run", keys...); err != nil {
		return err
	}
	for _, v := range list.Runs {
		r, ok, err := loadRun(tx, v)
		if err != nil {
			return err
		}
		if !ok || r.contact != m.Survivor {
			continue
		}
		if err := reassign(tx, r, m.Survivor, m.Merged); err != nil {
			return err
		}
	}
	return nil
}

// lockWaits keeps replies and events of both contacts from being looked up while
// waits move between them.
func lockWaits(tx *store.Tx, a, b id.ID) error {
	if err := tx.Lock("reply", a.String(), b.String()); err != nil {
		return err
	}
	return tx.Lock("await", a.String(), b.String())
}

// runsOf locks and reads what moves with a contact: open runs (index run_open)
// and enrollments (index run_enrollments). The open runs of the survivor are locked
// too: a follower behind this one may end some, when rows of rules are taken already.
func runsOf(tx *store.Tx, cid id.ID, survivor ...id.ID) ([]*run, error) {
	rows, err := tx.Query(`SELECT id FROM run WHERE tenant_id=?1 AND contact_id=?2 AND completed_at IS NULL
		UNION SELECT id FROM run WHERE tenant_id=?1 AND contact_id=?2 AND enrollment ORDER BY 1`, cid)
	list, err := collectTexts(rows, err)
	if err != nil {
		return nil, err
	}
	held := slices.Clone(list)
	for _, v := range survivor {
		rows, err := tx.Query("SELECT id FROM run WHERE tenant_id=? AND contact_id=? AND completed_at IS NULL", v)
		theirs, err := collectTexts(rows, err)
		if err != nil {
			return nil, err
		}
		held = append(held, theirs...)
	}
	if err := tx.Lock("run", held...); err != nil {
		return nil, err
	}
	var out []*run
	for _, text := range list {
		v, err := id.Parse(text)
		if err != nil {
			return nil, err
		}
		r, ok, err := loadRun(tx, v)
		if err != nil {
			return nil, err
		}
		if ok && (r.alive() || r.enrolled) {
			out = append(out, r)
		}
	}
	return out, nil
}

// reassign gives a locked run and what it waits for to another contact. A branch
// is never changed: it is taken and left again, with the time since when it waits.
func reassign(tx *store.Tx, r *run, from, to id.ID) error {
	goal := r.goal
	if rest, ok := strings.CutPrefix(goal, goalKey(from, "")); ok {
		goal = goalKey(to, rest)
	}
	branches, err := branchesOf(tx, r.id)
	if err != nil {
		return err
	}
	for _, b := range branches {
		key := b.waitKey
		switch {
		case key == replyKey(from.String()):
			key = replyKey(to.String())
		case b.event != "":
			key = eventKey(to, b.event)
		}
		if key == b.waitKey {
			continue
		}
		if _, ok, err := takeBranch(tx, r, b.turn); err != nil || !ok {
			return err
		}
		if err := job.WithdrawIn(tx, kindStep, stepKey(r.id, b.turn)); err != nil {
			return err
		}
		b.waitKey = key
		w := &walk{tx: tx, r: r}
		if err := w.leave(b); err != nil {
			return err
		}
	}
	_, err = tx.Exec("UPDATE run SET contact_id=?, goal_key=?, turns=?, updated_at=? WHERE tenant_id=? AND id=?", to, store.NullText(goal), r.turns, tx.Now(), r.id)
	return err
}
