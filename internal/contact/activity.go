package contact

import (
	"context"
	"database/sql"
	"strings"
	"time"

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
	if err := exists(tx, a.Contact); err != nil {
		return a, err
	}
	return s.RecordIn(tx, a)
}

// RecordIn is AddActivityIn for rooms that have the contact at hand and make up
// the metadata themselves: it looks for neither.
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
	_, err = tx.Exec("INSERT INTO activity (tenant_id, id, contact_id, type, title, body, metadata, performed_by, created_at) VALUES (?,?,?,?,?,?,?,?,?)",
		a.ID, a.Contact, a.Type, a.Title, a.Body, store.JSON(a.Metadata), a.PerformedBy, a.CreatedAt)
	return a, err
}

// Timeline returns a page of a contact's activities, newest first, and how many
// there are: exactly up to CountLimit, one more for all that is beyond. Pages count from 1. NotFound.
func (s *Service) Timeline(ctx context.Context, tenant, cid id.ID, page, limit int) ([]Activity, int, error) {
	offset, err := Page(&page, &limit)
	if err != nil {
		return nil, 0, err
	}
	r := s.db.Read(ctx, tenant)
	if err := exists(r, cid); err != nil {
		return nil, 0, err
	}
	var total int
	if err := r.QueryRow("SELECT COUNT(*) FROM (SELECT 1 FROM activity WHERE tenant_id=? AND contact_id=? LIMIT ?) AS counted", cid, CountLimit+1).Scan(&total); err != nil {
		return nil, 0, err
	}
	if offset >= CountLimit {
		return nil, total, TooFar(total)
	}
	rows, err := r.Query("SELECT id, contact_id, type, title, body, metadata, performed_by, created_at FROM activity WHERE tenant_id=? AND contact_id=? "+
		"ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?", cid, limit, offset)
	list, err := store.Collect(rows, err, func(rows *sql.Rows) (Activity, error) {
		a := Activity{Metadata: map[string]any{}}
		err := rows.Scan(&a.ID, &a.Contact, &a.Type, &a.Title, &a.Body, store.JSON(&a.Metadata), &a.PerformedBy, store.Time(&a.CreatedAt))
		return a, err
	})
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

// OptedOut reports whether the contact refused messages on a channel.
func (s *Service) OptedOut(r store.Reader, cid id.ID, channel string) (bool, error) {
	state, err := consent(r, cid, channel)
	return state == Out, err
}

// States of consent.
const (
	In  = "in"
	Out = "out"
)

func consent(r store.Reader, cid id.ID, channel string) (state string, err error) {
	_, err = store.Found(r.QueryRow("SELECT state FROM consent WHERE tenant_id=? AND contact_id=? AND channel=?", cid, channel).Scan(&state))
	return state, err
}

// SetConsentIn records what a contact wants on a channel. Source says who
// recorded it ("channel:whatsapp", "key:<id>") and is the actor of the event
// contact.opted_out or contact.opted_in, which follows a change. Faults:
// NotFound; Invalid naming "channel" or "state".
func (s *Service) SetConsentIn(tx *store.Tx, cid id.ID, channel, state, source string) error {
	return s.ConsentSaidIn(tx, cid, channel, state, source, tx.Now())
}

// ConsentSaidIn is SetConsentIn for what the contact said at a moment that may
// be long ago: it changes nothing when something was said after it.
func (s *Service) ConsentSaidIn(tx *store.Tx, cid id.ID, channel, state, source string, said time.Time) error {
	channel, err := Line("channel", channel, maxTag)
	if err != nil {
		return err
	}
	if channel == "" {
		return fault.Missing("channel")
	}
	if state != In && state != Out {
		return fault.Field("state", "consent is %q or %q", In, Out)
	}
	if source, err = Line("source", source, maxWord); err != nil {
		return err
	}
	actor := source
	if !strings.Contains(actor, ":") {
		actor = "system"
	}
	if err := tx.Lock("contact", cid.String()); err != nil {
		return err
	}
	if err := exists(tx, cid); err != nil {
		return err
	}
	before, err := consent(tx, cid, channel)
	if err != nil {
		return err
	}
	if said.IsZero() || said.After(tx.Now()) {
		said = tx.Now()
	}
	n, err := tx.Exec("INSERT INTO consent (tenant_id, contact_id, channel, state, source, at) VALUES (?,?,?,?,?,?) "+
		"ON CONFLICT (tenant_id, contact_id, channel) DO UPDATE SET state=excluded.state, source=excluded.source, at=excluded.at WHERE consent.at<=excluded.at",
		cid, channel, state, source, said)
	if err != nil || n == 0 {
		return err
	}
	switch {
	case state == Out && before != Out:
		return s.append(tx, actor, "contact.opted_out", cid, "channel:"+channel)
	case state == In && before == Out:
		return s.append(tx, actor, "contact.opted_in", cid, "channel:"+channel)
	}
	return nil
}
