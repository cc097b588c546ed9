package campaign

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"parley/internal/automation"
	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// shifted is what a merge moved of this room.
type shifted struct {
	Moved  []id.ID  `json:"moved,omitempty"`  // campaigns whose recipient became the survivor
	Merged []absorb `json:"merged,omitempty"` // campaigns that had reached both
}

// absorb is a recipient that is not listed any more, since the survivor is one too.
type absorb struct {
	Campaign id.ID `json:"campaign"`
	// Adopted says that the survivor took over the other's execution; what it had
	// before comes back with an unmerge.
	Adopted   bool   `json:"adopted,omitempty"`
	Status    string `json:"status,omitempty"`
	Run       id.ID  `json:"run"`
	Execution string `json:"execution,omitempty"`
}

// ranks order what is known of a recipient twice: what went further is kept.
var (
	ranks       = map[string]int{Cancelled: 1, Failed: 2, Pending: 3, InProgress: 4, Success: 5}
	portalRanks = map[string]int{Sent: 1, Seen: 2, Clicked: 3, Dismissed: 4}
)

// merged makes the survivor the recipient of what reached the other contact. Where a
// campaign had reached both, the survivor keeps what went further, the other recipient
// is listed no more, and the execution that was left behind ends: nobody gets a
// campaign twice.
func (s *Service) merged(tx *store.Tx, m contact.Merge) (any, error) {
	var out shifted
	mine, err := reachedAll(tx, m.Merged)
	if err != nil || len(mine) == 0 {
		return out, err
	}
	theirs, err := reachedAll(tx, m.Survivor)
	if err != nil {
		return nil, err
	}
	for _, v := range mine {
		at := slices.IndexFunc(theirs, func(x Recipient) bool { return x.Campaign == v.Campaign })
		if at < 0 {
			if _, err := tx.Exec("UPDATE campaign_recipient SET entity_id=?, updated_at=? WHERE tenant_id=? AND campaign_id=? AND entity_id=?",
				m.Survivor, tx.Now(), v.Campaign, m.Merged); err != nil {
				return nil, err
			}
			out.Moved = append(out.Moved, v.Campaign)
			continue
		}
		a, err := s.absorb(tx, m, theirs[at], v)
		if err != nil {
			return nil, err
		}
		out.Merged = append(out.Merged, a)
	}
	return out, nil
}

// reachedAll reads and locks the listed recipients of an entity.
func reachedAll(tx *store.Tx, entity id.ID) ([]Recipient, error) {
	rows, err := tx.Query("SELECT "+recipientColumns+" FROM campaign_recipient WHERE tenant_id=? AND entity_id=? AND merged_into IS NULL ORDER BY campaign_id"+tx.Dialect().ForUpdate(), entity)
	return store.Collect(rows, err, scanRecipient)
}

func (s *Service) absorb(tx *store.Tx, m contact.Merge, to, from Recipient) (absorb, error) {
	a := absorb{Campaign: from.Campaign}
	was := to
	// The automation room goes first and ends the other's run where both were open.
	if ended, err := s.endedByMerge(tx, from); err != nil {
		return a, err
	} else if ended {
		from.AutomationStatus = Cancelled
	}
	left := from // whose execution is left behind
	if ranks[from.AutomationStatus] > ranks[to.AutomationStatus] {
		a = absorb{from.Campaign, true, to.AutomationStatus, to.Run, to.Execution}
		left = to
		to.AutomationStatus, to.Run, to.Execution = from.AutomationStatus, from.Run, from.Execution
	}
	to.starts = max(to.starts, from.starts)
	if portalRanks[from.PortalStatus] > portalRanks[to.PortalStatus] {
		to.PortalStatus, to.PortalAt = from.PortalStatus, from.PortalAt
	}
	if to.PortalState == nil {
		to.PortalState = from.PortalState
	}
	if portalRanks[from.UIStatus] > portalRanks[to.UIStatus] {
		to.UIStatus, to.UIAt, to.UIBefore = from.UIStatus, from.UIAt, from.UIBefore
	}
	if !same(was, to) || was.starts != to.starts {
		if err := keep(tx, &to); err != nil {
			return a, err
		}
	}
	if _, err := tx.Exec("UPDATE campaign_recipient SET merged_into=?, automation_status=?, updated_at=? WHERE tenant_id=? AND campaign_id=? AND entity_id=?",
		m.Survivor, from.AutomationStatus, tx.Now(), from.Campaign, m.Merged); err != nil {
		return a, err
	}
	if left.Run.IsZero() || left.Run == to.Run || left.AutomationStatus != Pending && left.AutomationStatus != InProgress {
		return a, nil
	}
	if a.Adopted {
		a.Status = Cancelled // as it would come back
	}
	_, err := s.automations.Abort(store.Join(context.Background(), tx), tx.Tenant(), m.Actor, left.Run)
	if errors.Is(err, fault.Of(fault.Conflict)) || gone(err) {
		err = nil
	}
	return a, err
}

// endedByMerge reports whether a recipient's run was ended because the survivor has
// one that goes on: it did not come to its end, as its word, skipped, could mean.
func (s *Service) endedByMerge(tx *store.Tx, v Recipient) (bool, error) {
	if v.Run.IsZero() || v.AutomationStatus != Success {
		return false, nil
	}
	run, err := s.automations.Run(store.Join(context.Background(), tx), tx.Tenant(), v.Run)
	if gone(err) {
		return false, nil
	}
	return run.ExitReason == automation.ExitMerged, err
}

// unmerged gives back what a merge moved. An execution that ended by the merge stays
// ended.
func (s *Service) unmerged(tx *store.Tx, m contact.Merge, moved json.RawMessage) error {
	var list shifted
	if len(moved) == 0 {
		return nil
	}
	if err := json.Unmarshal(moved, &list); err != nil {
		return err
	}
	for part := range slices.Chunk(list.Moved, batch) {
		in, args := contact.Among(part)
		if _, err := tx.Exec("UPDATE campaign_recipient SET entity_id=?, updated_at=? WHERE tenant_id=? AND entity_id=? AND campaign_id IN "+in,
			append([]any{m.Merged, tx.Now(), m.Survivor}, args...)...); err != nil {
			return err
		}
	}
	for _, a := range list.Merged {
		if err := release(tx, m, a); err != nil {
			return err
		}
	}
	return nil
}

// release lists an absorbed recipient again.
func release(tx *store.Tx, m contact.Merge, a absorb) error {
	var run id.ID
	ok, err := store.Found(tx.QueryRow("UPDATE campaign_recipient SET merged_into=NULL, updated_at=? WHERE tenant_id=? AND campaign_id=? AND entity_id=? AND merged_into=? RETURNING run_id",
		tx.Now(), a.Campaign, m.Merged, m.Survivor).Scan(&run))
	if err != nil || !ok || !a.Adopted {
		return err
	}
	// Unless the survivor was started anew since.
	where, args := "run_id IS NULL", []any{}
	if !run.IsZero() {
		where, args = "run_id=?", []any{run}
	}
	_, err = tx.Exec("UPDATE campaign_recipient SET automation_status=?, run_id=?, execution=?, updated_at=? WHERE tenant_id=? AND campaign_id=? AND entity_id=? AND "+where,
		append([]any{a.Status, a.Run, store.NullText(a.Execution), tx.Now(), a.Campaign, m.Survivor}, args...)...)
	return err
}

// erased takes a person's recipients away.
func erased(tx *store.Tx, e contact.Erased) error {
	in, args := e.In()
	_, err := tx.Exec("DELETE FROM campaign_recipient WHERE tenant_id=? AND entity_id IN "+in, args...)
	return err
}
