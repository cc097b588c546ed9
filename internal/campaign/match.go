package campaign

import (
	"cmp"
	"database/sql"
	"slices"

	"parley/internal/entity"
	"parley/internal/id"
	"parley/internal/store"
)

// Match returns those of the campaigns whose target contains any of the entities now,
// in the order of ids; status narrows them, "" does not (reference §4.7). Unknown
// campaigns and those without a target or filters are left out.
func (s *Service) Match(r store.Reader, refs []entity.Ref, ids []id.ID, status string) ([]Campaign, error) {
	out := []Campaign{}
	if len(refs) == 0 {
		return out, nil
	}
	known, err := s.GetMany(r, ids)
	if err != nil {
		return nil, err
	}
	var targets []id.ID
	for _, c := range known {
		if !c.TargetID.IsZero() && (status == "" || c.Status == status) {
			targets = append(targets, c.TargetID)
		}
	}
	slices.SortFunc(targets, func(a, b id.ID) int { return slices.Compare(a[:], b[:]) })
	if targets = slices.Compact(targets); len(targets) == 0 {
		return out, nil
	}
	segments, err := s.segments.Match(r, refs, targets)
	if err != nil {
		return nil, err
	}
	in := map[id.ID]bool{}
	for _, t := range segments {
		in[t.ID] = true
	}
	for _, cid := range ids {
		if c, ok := known[cid]; ok && in[c.TargetID] && (status == "" || c.Status == status) {
			out = append(out, c)
		}
	}
	return out, nil
}

// Discovered is a campaign that has something to offer to an entity.
type Discovered struct {
	Campaign  Campaign
	Recipient Recipient // zero for an entity that the campaign has not reached
}

// Discover returns the active campaigns with a valid next best action whose target
// contains an entity now, those of the highest priority first (reference §2.2).
func (s *Service) Discover(r store.Reader, ref entity.Ref) ([]Discovered, error) {
	out := []Discovered{}
	in, err := s.segments.Containing(r, ref)
	if err != nil || len(in) == 0 {
		return out, err
	}
	// Index campaign_discover.
	rows, err := r.Query("SELECT " + columns + " FROM campaign WHERE tenant_id=? AND status='active' AND next_best_action IS NOT NULL AND deleted_at IS NULL AND kind='target' ORDER BY id")
	list, err := store.Collect(rows, err, scan)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(c Campaign) bool { return !slices.Contains(in, c.TargetID) })
	valid, err := s.actions(r, list)
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		if _, ok := valid[c.ID]; ok {
			out = append(out, Discovered{Campaign: c})
		}
	}
	slices.SortStableFunc(out, func(a, b Discovered) int {
		return cmp.Compare(valid[b.Campaign.ID].Priority, valid[a.Campaign.ID].Priority)
	})
	return out, s.reached(r, ref, out)
}

// reached adds the entity's recipients.
func (s *Service) reached(r store.Reader, ref entity.Ref, list []Discovered) error {
	if len(list) == 0 {
		return nil
	}
	who, err := s.contacts.Resolve(r, ref.ID)
	if err != nil {
		return err
	}
	rows, err := r.Query("SELECT "+recipientColumns+" FROM campaign_recipient WHERE tenant_id=? AND entity_id=? AND merged_into IS NULL", who)
	mine, err := store.Collect(rows, err, func(rows *sql.Rows) (Recipient, error) { return scanRecipient(rows) })
	for i := range list {
		for _, v := range mine {
			if v.Campaign == list[i].Campaign.ID {
				list[i].Recipient = v
			}
		}
	}
	return err
}
