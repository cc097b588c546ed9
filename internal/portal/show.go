package portal

import (
	"context"
	"slices"
	"strings"

	"parley/internal/campaign"
	"parley/internal/entity"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Shown are the statuses that a portal may tell of (targeting reference §4.9).
var Shown = []string{campaign.Seen, campaign.Dismissed, campaign.Clicked}

// MaxRefs bounds the entities of one call.
const MaxRefs = 100

// Outcome counts what a call did for its entities, each counted once.
type Outcome struct {
	Updated int // have the status now
	Failed  int
	Total   int
}

// Show writes down what people did with a campaign on a portal. Each entity counts
// by itself: one fails that is unknown, that the campaign's target does not select
// and that was no recipient before, or whose status would go back. Faults: NotFound
// naming "campaign"; Invalid naming "status" or "entity_refs".
func (s *Service) Show(ctx context.Context, tenant id.ID, actor string, c id.ID, status string, refs []entity.Ref) (Outcome, error) {
	if !slices.Contains(Shown, status) {
		return Outcome{}, fault.Field("status", "status must be one of %s", strings.Join(Shown, ", "))
	}
	if len(refs) > MaxRefs {
		return Outcome{}, fault.Field("entity_refs", "entity_refs holds at most %d entities", MaxRefs)
	}
	if _, err := s.campaigns.Get(s.Reads(ctx, tenant), c); err != nil {
		return Outcome{}, err
	}
	var out Outcome
	seen := map[entity.Ref]bool{}
	for _, ref := range refs {
		if seen[ref] {
			continue
		}
		seen[ref] = true
		out.Total++
		err := s.show(ctx, tenant, actor, c, status, ref)
		switch f := fault.As(err); {
		case err == nil:
			out.Updated++
		case f == nil, f.Reason == "campaign", f.Code != fault.Invalid && f.Code != fault.NotFound && f.Code != fault.Conflict:
			return Outcome{}, err
		default:
			out.Failed++
		}
	}
	return out, nil
}

// show is a transaction of its own for each entity, so that two calls for the same
// entities never wait for each other in a circle.
func (s *Service) show(ctx context.Context, tenant id.ID, actor string, c id.ID, status string, ref entity.Ref) error {
	return s.db.Write(ctx, tenant, func(tx *store.Tx) error {
		if err := s.mayShow(tx, c, ref); err != nil {
			return err
		}
		_, err := s.campaigns.ShowOnPortalIn(tx, actor, c, ref, status)
		return err
	})
}

// mayShow refuses an entity that is no recipient yet and that the campaign's target
// does not select. Whoever was one stays one: what was clicked was shown.
func (s *Service) mayShow(tx *store.Tx, c id.ID, ref entity.Ref) error {
	_, err := s.campaigns.Recipient(tx, c, ref.ID)
	if f := fault.As(err); err == nil || f == nil || f.Reason != "recipient" {
		return err
	}
	it, err := s.campaigns.Get(tx, c)
	if err != nil {
		return err
	}
	selected, err := s.segments.Match(tx, []entity.Ref{ref}, []id.ID{it.TargetID})
	if err == nil && len(selected) == 0 {
		err = fault.Field("entity_refs", "the campaign's target does not select the entity")
	}
	return err
}
