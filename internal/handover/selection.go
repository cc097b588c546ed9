package handover

import (
	"context"
	"database/sql"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// Bounds of selections.
const (
	MaxSelection  = 100_000 // contacts
	KeepSelection = 30 * 24 * time.Hour
	selectionPage = 1000 // ids of one row
)

// Selection is a list of contacts as it was at a moment: ids only, in the list's
// order. It does not change when the contacts do.
type Selection struct {
	ID        id.ID
	Group     id.ID // who sees this group sees the selection
	Total     int
	CreatedAt time.Time
}

// Select keeps the contacts of a list, newest first, under an id. With a Limit those
// of the first rows. It is deleted after KeepSelection. Faults are those of List, and
// Invalid naming "limit" when the list has more than MaxSelection contacts.
func (s *Service) Select(ctx context.Context, tenant id.ID, actor string, group id.ID, f Filter) (Selection, error) {
	most := f.Limit
	if most < 0 || most > MaxSelection {
		return Selection{}, fault.Field("limit", "a selection holds at most %d contacts", MaxSelection)
	}
	if most == 0 {
		most = MaxSelection + 1
	}
	var ids []id.ID
	rising := !f.After.IsZero() && f.Before.IsZero() && f.Limit > 0
	err := s.walk(s.db.Read(ctx, tenant), f, rising, most, func(page []Work) error {
		for _, w := range page {
			if len(ids) == most {
				return errEnough
			}
			ids = append(ids, w.Contact)
		}
		return nil
	})
	if err != nil {
		return Selection{}, err
	}
	if len(ids) > MaxSelection {
		return Selection{}, fault.Field("limit", "the filter finds more than %d contacts; narrow it, or name a limit", MaxSelection)
	}
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Selection, error) {
		v := Selection{ID: id.New(), Group: group, Total: len(ids), CreatedAt: tx.Now()}
		if _, err := tx.Exec("INSERT INTO selection (tenant_id, id, group_id, total, actor, created_at) VALUES (?,?,?,?,?,?)", v.ID, v.Group, v.Total, actor, v.CreatedAt); err != nil {
			return v, err
		}
		var rows [][]any
		for at := 0; at < len(ids); at += selectionPage {
			rows = append(rows, []any{v.ID, at / selectionPage, store.JSON(ids[at:min(len(ids), at+selectionPage)])})
		}
		_, err := store.InsertRows(tx, "selection_page (tenant_id, selection_id, page, ids)", rows, "")
		return v, err
	})
}

// Selected returns a selection. NotFound.
func (s *Service) Selected(r store.Reader, selection id.ID) (v Selection, err error) {
	v.ID = selection
	found, err := store.Found(r.QueryRow("SELECT group_id, total, created_at FROM selection WHERE tenant_id=? AND id=?", selection).Scan(&v.Group, &v.Total, store.Time(&v.CreatedAt)))
	if err == nil && !found {
		err = fault.Unknown("selection")
	}
	return v, err
}

// SelectedIDs returns the contacts of a selection from an offset on, at most limit:
// the ids they had then.
func (s *Service) SelectedIDs(r store.Reader, selection id.ID, offset, limit int) ([]id.ID, error) {
	first, last := offset/selectionPage, (offset+limit-1)/selectionPage
	rows, err := r.Query("SELECT ids FROM selection_page WHERE tenant_id=? AND selection_id=? AND page>=? AND page<=? ORDER BY page", selection, first, last)
	pages, err := store.Collect(rows, err, func(rows *sql.Rows) (ids []id.ID, err error) { return ids, rows.Scan(store.JSON(&ids)) })
	var out []id.ID
	for _, p := range pages {
		out = append(out, p...)
	}
	skip := min(offset%selectionPage, len(out))
	return out[skip:min(len(out), skip+limit)], err
}

const selectionJob = "handover.selections"

// registerSelections makes the job known that deletes old selections.
func (s *Service) registerSelections(r *job.Runner) {
	r.Register(job.Kind{Name: selectionJob, Timeout: 10 * time.Minute, Handle: func(ctx context.Context, _ *job.Job) error { return s.ForgetSelections(ctx) }})
	r.Cron(selectionJob, "29 3 * * *", job.New{Kind: selectionJob, UniqueKey: "selections", Priority: 9})
}

// ForgetSelections deletes the selections of every tenant that are older than
// KeepSelection, one by one. The index selection_age is in this order.
func (s *Service) ForgetSelections(ctx context.Context) error {
	type old struct{ tenant, selection id.ID }
	for {
		r := s.db.Read(ctx, id.Zero)
		rows, err := r.All().Query("SELECT tenant_id, id FROM selection WHERE created_at<? ORDER BY created_at LIMIT 200", r.Now().Add(-KeepSelection))
		list, err := store.Collect(rows, err, func(rows *sql.Rows) (v old, err error) { return v, rows.Scan(&v.tenant, &v.selection) })
		if err != nil || len(list) == 0 {
			return err
		}
		for _, v := range list {
			if err := s.db.Write(ctx, v.tenant, func(tx *store.Tx) error {
				if _, err := tx.Exec("DELETE FROM selection_page WHERE tenant_id=? AND selection_id=?", v.selection); err != nil {
					return err
				}
				_, err := tx.Exec("DELETE FROM selection WHERE tenant_id=? AND id=?", v.selection)
				return err
			}); err != nil {
				return err
			}
		}
	}
}
