package contact

import (
	"context"
	"database/sql"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// AddActivityIn adds an entry to a contact's timeline and returns it with its
// id. It appends no event. Without CreatedAt it happened now. Faults: NotFound;
// Invalid naming "type", "title", "body" or "metadata".
func (s *Service) AddActivityIn(tx *store.Tx, a Activity) (Activity, error) {
	var err error
	if a.Metadata, err = checkOpen("metadata", a.Metadata); err != nil {
		return a, err
	}
	if a.Contact, err = exists(tx, a.Contact); err != nil {
		return a, err
	}
	return s.RecordIn(tx, a)
}

// RecordIn is AddActivityIn for rooms that make up the metadata themselves: it
// does not look at it.
func (s *Service) RecordIn(tx *store.Tx, a Activity) (Activity, error) {
	var err error
	if a.Type, err = Line("type", a.Type, maxTag); err != nil {
		return a, err
	}
	if a.Type == "" {
		return a, fault.Missing("type")
	}
	if a.Title, err = Line("title", a.Title, 500); err != nil {
		return a, err
	}
	if a.Body, err = Line("body", a.Body, maxBody); err != nil {
		return a, err
	}
	if a.PerformedBy, err = Line("performedBy", a.PerformedBy, maxWord); err != nil {
		return a, err
	}
	if a.PerformedBy == "" {
		a.PerformedBy = "system"
	}
	if a.CreatedAt.IsZero() {
		a.CreatedAt = tx.Now()
	}
	if a.Metadata == nil {
		a.Metadata = map[string]any{}
	}
	a.ID = id.New()
	// HoldIn and the insert in one statement.
	share := ""
	if tx.Dialect() == store.Postgres {
		share = " FOR KEY SHARE"
	}
	for again := false; ; {
		n, err := tx.Exec("INSERT INTO activity (tenant_id, id, contact_id, type, title, body, metadata, performed_by, created_at) "+
			"SELECT ?,?,id,?,?,?,?,?,? FROM contact WHERE tenant_id=? AND id=? AND erased_at IS NULL"+share,
			a.ID, a.Type, a.Title, a.Body, store.JSON(a.Metadata), a.PerformedBy, a.CreatedAt, a.Contact)
		if err != nil || n == 1 {
			return a, err
		}
		to, more, err := elsewhere(tx, a.Contact, &again)
		if err == nil && !more {
			err = fault.Unknown("contact")
		}
		if err != nil {
			return a, err
		}
		a.Contact = to
	}
}

// Timeline returns a page of a contact's activities, newest first, and how many
// there are: exactly up to CountLimit, one more for all that is beyond. Pages count from 1. NotFound.
func (s *Service) Timeline(ctx context.Context, tenant, cid id.ID, page, limit int) ([]Activity, int, error) {
	return below(s.db.Read(ctx, tenant), cid, page, limit, "activity", "id, contact_id, type, title, body, metadata, performed_by, created_at", "created_at DESC, id DESC",
		func(rows *sql.Rows) (Activity, error) {
			a := Activity{Metadata: map[string]any{}}
			err := rows.Scan(&a.ID, &a.Contact, &a.Type, &a.Title, &a.Body, store.JSON(&a.Metadata), &a.PerformedBy, store.Time(&a.CreatedAt))
			return a, err
		})
}

// below returns a page of the rows of a table that lie below a contact, and how
// many there are, as Timeline does.
func below[T any](r store.Reader, cid id.ID, page, limit int, table, columns, order string, scan func(*sql.Rows) (T, error)) ([]T, int, error) {
	offset, err := Page(&page, &limit)
	if err != nil {
		return nil, 0, err
	}
	if cid, err = exists(r, cid); err != nil {
		return nil, 0, err
	}
	var total int
	if err := r.QueryRow("SELECT COUNT(*) FROM (SELECT 1 FROM "+table+" WHERE tenant_id=? AND contact_id=? LIMIT ?) AS counted", cid, CountLimit+1).Scan(&total); err != nil {
		return nil, 0, err
	}
	if offset >= CountLimit {
		return nil, total, TooFar(total)
	}
	rows, err := r.Query("SELECT "+columns+" FROM "+table+" WHERE tenant_id=? AND contact_id=? ORDER BY "+order+" LIMIT ? OFFSET ?", cid, limit, offset)
	list, err := store.Collect(rows, err, scan)
	return list, total, err
}

// CountLimit is the number up to which totals are exact, and how far pages
// reach: a total of CountLimit+1 means that there is more.
const CountLimit = 100_000

// TooFar is the answer to a page beyond CountLimit: nothing when the list ends
// before it, else a fault naming "page", since rows must not be left out silently.
func TooFar(total int) error {
	if total <= CountLimit {
		return nil
	}
	return fault.Field("page", "pages reach the first %d rows; narrow the filter to see the others", CountLimit)
}

// Page checks a page (from 1, 0 meaning 1) and its limit (1 to 1000, 0 meaning
// 25), and returns the offset of its first row, at most CountLimit: no page
// reaches further. Faults name "page" or "limit".
func Page(page, limit *int) (offset int, err error) {
	if *page == 0 {
		*page = 1
	}
	if *limit == 0 {
		*limit = 25
	}
	if *page < 1 {
		return 0, fault.Field("page", "pages count from 1")
	}
	if *limit < 1 || *limit > maxPage {
		return 0, fault.Field("limit", "a page holds 1 to %d rows", maxPage)
	}
	if *page-1 > CountLimit / *limit {
		return CountLimit, nil
	}
	return (*page - 1) * *limit, nil
}
