package notification

import (
	"context"
	"slices"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Known returns a subscription, an ended one too. NotFound.
func (s *Service) Known(ctx context.Context, tenant, subscription id.ID) (Subscription, error) {
	v, err := scan(s.db.Read(ctx, tenant).QueryRow("SELECT "+columns+" FROM notification_subscription WHERE tenant_id=? AND id=?", subscription))
	found, err := store.Found(err)
	if err == nil && !found {
		err = fault.Unknown("subscription")
	}
	return v, err
}

// Of returns every subscription, the ended ones too, of some groups, the newest
// first, at most limit.
func (s *Service) Of(ctx context.Context, tenant id.ID, groups []id.ID, limit int) ([]Subscription, error) {
	r := s.db.Read(ctx, tenant)
	var out []Subscription
	for part := range slices.Chunk(groups, 500) {
		in, args := contact.Among(part)
		list, err := collect(r.Query("SELECT "+columns+" FROM notification_subscription WHERE tenant_id=? AND group_id IN "+in+" ORDER BY id DESC LIMIT ?", append(args, limit)...))
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	slices.SortFunc(out, func(a, b Subscription) int { return -compare(a.ID, b.ID) })
	return out[:min(len(out), limit)], nil
}

func compare(a, b id.ID) int { return slices.Compare(a[:], b[:]) }

// Reachable makes Subscribe refuse addresses that may not be called. It is asked
// with the URL, and answers a fault; names are checked again whenever they are
// called, by what they lead to then.
func (s *Service) Reachable(f func(url string) error) { s.reachable = f }
