package portal

import (
	"maps"
	"slices"

	"parley/internal/campaign"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// WidgetIn makes a block of a portal show a campaign that is set up, and returns the
// widget's id, which is the block's: a widget of that id gets the campaign, and where
// there is none, one is added behind the others. Faults: NotFound naming "portal";
// Invalid naming "block_id".
func (s *Service) WidgetIn(tx *store.Tx, actor string, w campaign.Widget) (string, error) {
	p, err := s.named(tx, w.Portal)
	if err != nil {
		return "", err
	}
	if err := lock(tx, p.Origin); err != nil {
		return "", err
	}
	list, err := s.WidgetsOf(tx, p.ID)
	if err != nil {
		return "", err
	}
	bodies, last, found := make([]map[string]any, 0, len(list)+1), -1, false
	for _, x := range list {
		body := x.Body
		last = max(last, x.Index)
		if x.ID == w.Block {
			if !slices.Contains(referring, x.Type) {
				return "", fault.Field("block_id", "block_id is a widget of type %s, which shows no campaign", x.Type)
			}
			body, found = maps.Clone(body), true
			body["campaign_id"] = w.Campaign.ID.UUID()
		}
		bodies = append(bodies, body)
	}
	if !found {
		bodies = append(bodies, map[string]any{"id": w.Block, "type": CampaignWidget, "listIndex": float64(last + 1), "campaign_id": w.Campaign.ID.UUID()})
	}
	widgets, err := checkWidgets(bodies)
	if f := fault.As(err); f != nil {
		return "", fault.Field("block_id", "%s", f.Message)
	}
	return w.Block, s.replace(tx, actor, p, false, widgets)
}

// named returns a portal by its id as a caller writes it: a UUID or 24 digits.
func (s *Service) named(r store.Reader, text string) (Portal, error) {
	v, ok, err := id.FromUUID(text)
	if err != nil {
		v, err = id.Parse(text)
		ok = err == nil
	}
	if !ok {
		return Portal{}, fault.Unknown("portal")
	}
	return s.Get(r, v)
}
