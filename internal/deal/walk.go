package deal

import (
	"context"
	"errors"

	"parley/internal/id"
	"parley/internal/store"
)

// WalkLimit is the largest page of Walk.
const WalkLimit = 1000

// Walk returns the cards of the contacts behind an id, the oldest first, up to
// limit of them: every page is one look, and a walk from id.Zero to an empty page
// meets each contact that is there all the while once. Archived contacts are met
// only with archived; erased ones never. A contact without a deal comes with an
// empty one.
func (s *Service) Walk(ctx context.Context, tenant, after id.ID, limit int, archived bool) ([]Card, error) {
	r := s.db.Read(ctx, tenant)
	sql := "SELECT id FROM contact WHERE tenant_id=? AND id>? AND erased_at IS NULL" // the primary key
	if !archived {
		sql += " AND archived_at IS NULL"
	}
	from := "" // a zero id would be NULL, which is greater than nothing
	if !after.IsZero() {
		from = after.String()
	}
	ids, err := collectIDs(r.Query(sql+" ORDER BY id LIMIT ?", from, min(max(limit, 1), WalkLimit)))
	if err != nil {
		return nil, err
	}
	return s.cards(r, ids)
}

// untried carries the result of an import out of a transaction that is undone.
type untried struct{ res ImportResult }

func (*untried) Error() string { return "deal: an import was only tried" }

// TryImport tells what Import would do with up to 1000 rows, and does nothing.
func (s *Service) TryImport(ctx context.Context, tenant id.ID, actor string, rows []NewCard) (ImportResult, error) {
	_, err := store.Write(ctx, s.db, tenant, func(tx *store.Tx) (struct{}, error) {
		res, err := s.ImportIn(tx, actor, rows)
		if err == nil {
			err = &untried{res}
		}
		return struct{}{}, err
	})
	var u *untried
	if errors.As(err, &u) {
		return u.res, nil
	}
	return ImportResult{}, err
}
