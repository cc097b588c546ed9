package campaign

import (
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Recommendations is the schema of product recommendations.
const Recommendations = "product_recommendation"

// Action is what a campaign's next best action says, as far as it is read.
type Action struct {
	Recommendation id.ID
	Priority       float64
}

// parseAction reads a next best action: product_recommendation_id is the UUID of a
// product recommendation, priority a number, 0 when it is not there.
func parseAction(m map[string]any) (a Action, field string) {
	text, _ := m["product_recommendation_id"].(string)
	v, ok, err := id.FromUUID(text)
	if err != nil || !ok {
		return a, "product_recommendation_id"
	}
	a.Recommendation = v
	switch p := m["priority"].(type) {
	case nil:
	case int64:
		a.Priority = float64(p)
	case float64:
		a.Priority = p
	default:
		return a, "priority"
	}
	return a, ""
}

// actionOf reads a next best action that has to be valid: with the product
// recommendation that it names. A fault with ReasonNextBest otherwise.
func (s *Service) actionOf(r store.Reader, m map[string]any) (Action, error) {
	a, field := parseAction(m)
	if field == "" {
		known, err := s.recommended(r, []id.ID{a.Recommendation})
		if err != nil || known[a.Recommendation] {
			return a, err
		}
		field = "product_recommendation_id"
	}
	return a, fault.New(fault.Conflict, "the campaign's next_best_action is invalid: mend its %s", field).Because(ReasonNextBest)
}

// actions returns the valid next best actions of campaigns.
func (s *Service) actions(r store.Reader, list []Campaign) (map[id.ID]Action, error) {
	out := map[id.ID]Action{}
	var ids []id.ID
	for _, c := range list {
		if a, field := parseAction(c.NextBestAction); field == "" {
			out[c.ID] = a
			ids = append(ids, a.Recommendation)
		}
	}
	known, err := s.recommended(r, ids)
	for cid, a := range out {
		if !known[a.Recommendation] {
			delete(out, cid)
		}
	}
	return out, err
}

// recommended tells which ids are product recommendations that are there.
func (s *Service) recommended(r store.Reader, ids []id.ID) (map[id.ID]bool, error) {
	out := map[id.ID]bool{}
	if len(ids) == 0 {
		return out, nil
	}
	list, err := s.records.GetMany(r, ids)
	for v, rec := range list {
		if rec.Schema == Recommendations && rec.DeletedAt.IsZero() {
			out[v] = true
		}
	}
	return out, err
}
