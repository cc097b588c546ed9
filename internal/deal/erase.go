package deal

import (
	"parley/internal/contact"
	"parley/internal/store"
)

// erase deletes the deals of a person. Boards, lists and forecasts count what they
// show, so a deal without anybody could only make them wrong; deal.deleted tells
// whoever keeps figures elsewhere (docs/decisions/0027-erasing.md).
func (s *Service) erase(tx *store.Tx, e contact.Erased) error {
	list, err := contactDeals(tx, e.Contact)
	if err != nil {
		return err
	}
	for _, d := range list {
		for _, q := range []string{"DELETE FROM deal_stage WHERE tenant_id=? AND deal_id=?", "DELETE FROM deal WHERE tenant_id=? AND id=?"} {
			if _, err := tx.Exec(q, d.ID); err != nil {
				return err
			}
		}
		if err := s.append(tx, e.Actor, "deal.deleted", d); err != nil {
			return err
		}
	}
	return nil
}
