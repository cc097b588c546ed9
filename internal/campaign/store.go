package campaign

import (
	"database/sql"
	"slices"
	"time"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Reasons of this room's faults, by which a face names the conditions of its
// contract (reference §1.4).
const (
	ReasonNoTarget   = "campaign_no_target"
	ReasonNoFilters  = "campaign_no_filters"
	ReasonNoDelivery = "campaign_no_delivery"
	ReasonBusy       = "campaign_busy"
	ReasonStatus     = "campaign_status"
	ReasonNoToken    = "campaign_no_token"
	ReasonNextBest   = "campaign_next_best_action"
)

// unknown is what is said of an id that is no campaign of the tenant.
func unknown() error { return fault.Unknown("campaign") }

// batch bounds the ids of one query.
const batch = 500

const columns = "id, name, goal, status, start_date, end_date, flow_id, job_id, job_token, target, target_id, next_best_action, tags, attributes, " +
	"owner_id, created_by, created_at, updated_at, deleted_at"

func (c *Campaign) fields() []any {
	return []any{&c.ID, &c.Name, &c.Goal, &c.Status, &c.StartDate, &c.EndDate, &c.Flow, &c.Job, store.Text(&c.token), store.JSON(&c.Target), &c.TargetID,
		store.JSON(&c.NextBestAction), store.JSON(&c.Tags), store.JSON(&c.Extra), &c.Owner, &c.CreatedBy, store.Time(&c.CreatedAt), store.Time(&c.UpdatedAt), store.Time(&c.deleted)}
}

// tidy brings what was read into the form in which it is shown.
func (c *Campaign) tidy() {
	c.NextBestAction, c.Extra = canonical(c.NextBestAction), canonical(c.Extra)
}

func scan(rows *sql.Rows) (c Campaign, err error) {
	err = rows.Scan(c.fields()...)
	c.tidy()
	return c, err
}

// read returns a campaign; suffix may lock it.
func read(r store.Reader, cid id.ID, suffix string) (c Campaign, err error) {
	ok, err := store.Found(r.QueryRow("SELECT "+columns+" FROM campaign WHERE tenant_id=? AND id=? AND kind='target' AND deleted_at IS NULL"+suffix, cid).Scan(c.fields()...))
	if err == nil && !ok {
		err = unknown()
	}
	c.tidy()
	return c, err
}

// locked reads a campaign that nobody else changes until the commit.
func locked(tx *store.Tx, cid id.ID) (Campaign, error) {
	return read(tx, cid, tx.Dialect().ForUpdate())
}

// Get returns a campaign. NotFound naming "campaign".
func (s *Service) Get(r store.Reader, cid id.ID) (Campaign, error) { return read(r, cid, "") }

// GetMany returns those of the campaigns that there are.
func (s *Service) GetMany(r store.Reader, ids []id.ID) (map[id.ID]Campaign, error) {
	out := make(map[id.ID]Campaign, len(ids))
	for part := range slices.Chunk(ids, batch) {
		in, args := contact.Among(part)
		rows, err := r.Query("SELECT "+columns+" FROM campaign WHERE tenant_id=? AND kind='target' AND deleted_at IS NULL AND id IN "+in, args...)
		list, err := store.Collect(rows, err, scan)
		if err != nil {
			return nil, err
		}
		for _, c := range list {
			out[c.ID] = c
		}
	}
	return out, nil
}

// List returns at most limit campaigns that follow an id, by id.
func (s *Service) List(r store.Reader, after id.ID, limit int) ([]Campaign, error) {
	rows, err := r.Query("SELECT "+columns+" FROM campaign WHERE tenant_id=? AND id>? AND kind='target' AND deleted_at IS NULL ORDER BY id LIMIT ?", after.String(), limit)
	return store.Collect(rows, err, scan)
}

// save writes what may change of a campaign. Its UpdatedAt grows with every change.
func save(tx *store.Tx, c *Campaign) error {
	c.UpdatedAt = later(tx, c.UpdatedAt)
	_, err := tx.Exec(`UPDATE campaign SET name=?, goal=?, status=?, start_date=?, end_date=?, flow_id=?, job_id=?, job_token=?, target=?, target_id=?, next_best_action=?, tags=?,
		attributes=?, updated_at=? WHERE tenant_id=? AND id=?`, c.Name, c.Goal, c.Status, c.StartDate, c.EndDate, c.Flow, c.Job, store.NullText(c.token), store.JSON(c.Target),
		c.TargetID, object(c.NextBestAction), store.JSON(c.Tags), store.JSON(c.Extra), c.UpdatedAt, c.ID)
	return err
}

// later is the moment of the transaction, or one that follows what was.
func later(tx *store.Tx, was time.Time) time.Time {
	if now := tx.Now(); now.UnixMilli() > was.UnixMilli() {
		return now
	}
	return was.Add(time.Millisecond)
}

// object stores nil as NULL.
func object(m map[string]any) any {
	if m == nil {
		return nil
	}
	return store.JSON(m)
}

const recipientColumns = "campaign_id, entity_id, entity_schema, title, automation_status, run_id, execution, starts, portal_status, portal_at, portal_state, " +
	"ui_status, ui_at, ui_before, created_at, updated_at, place"

func (v *Recipient) fields() []any {
	return []any{&v.Campaign, &v.Entity, &v.Schema, &v.Title, &v.AutomationStatus, &v.Run, store.Text(&v.Execution), &v.starts, &v.PortalStatus, store.Time(&v.PortalAt),
		store.JSON(&v.PortalState), &v.UIStatus, store.Time(&v.UIAt), store.Text(&v.UIBefore), store.Time(&v.CreatedAt), store.Time(&v.UpdatedAt), &v.place}
}

func scanRecipient(rows *sql.Rows) (v Recipient, err error) { return v, rows.Scan(v.fields()...) }

// recipients reads those of a campaign's recipients that are listed, by entity;
// suffix may lock them.
func recipients(r store.Reader, cid id.ID, entities []id.ID, suffix string) (map[id.ID]Recipient, error) {
	out := make(map[id.ID]Recipient, len(entities))
	for part := range slices.Chunk(entities, batch) {
		in, args := contact.Among(part)
		rows, err := r.Query("SELECT "+recipientColumns+" FROM campaign_recipient WHERE tenant_id=? AND campaign_id=? AND merged_into IS NULL AND entity_id IN "+in+" ORDER BY entity_id"+suffix,
			append([]any{cid}, args...)...)
		list, err := store.Collect(rows, err, scanRecipient)
		if err != nil {
			return nil, err
		}
		for _, v := range list {
			out[v.Entity] = v
		}
	}
	return out, nil
}

// places gives the next n places of a campaign's list and returns the first of them.
// It holds the campaign's row until the commit: who adds others waits, so that nobody
// comes later in a place before one that can be seen, and whoever takes the campaign
// away waits too. NotFound naming "campaign".
func places(tx *store.Tx, cid id.ID, n int) (first int64, err error) {
	var last int64
	ok, err := store.Found(tx.QueryRow("UPDATE campaign SET places=places+? WHERE tenant_id=? AND id=? AND deleted_at IS NULL RETURNING places", n, cid).Scan(&last))
	if err == nil && !ok {
		err = unknown()
	}
	return last - int64(n) + 1, err
}

// put writes a new recipient. It returns false when the entity is one already.
func put(tx *store.Tx, v *Recipient) (fresh bool, err error) {
	v.CreatedAt, v.UpdatedAt = tx.Now(), tx.Now()
	if v.place, err = places(tx, v.Campaign, 1); err != nil {
		return false, err
	}
	n, err := tx.Exec("INSERT INTO campaign_recipient (tenant_id, "+recipientColumns+", folded) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING", v.values()...)
	return n > 0, err
}

// putMany writes new recipients of a campaign, of whom none is one already.
func putMany(tx *store.Tx, cid id.ID, list []Recipient) error {
	if len(list) == 0 {
		return nil
	}
	first, err := places(tx, cid, len(list))
	if err != nil {
		return err
	}
	rows := make([][]any, len(list))
	for i := range list {
		list[i].place = first + int64(i)
		rows[i] = list[i].values()
	}
	_, err = store.InsertRows(tx, "campaign_recipient (tenant_id, "+recipientColumns+", folded)", rows, "")
	return err
}

// values are those of recipientColumns and the folded title.
func (v *Recipient) values() []any {
	return []any{v.Campaign, v.Entity, v.Schema, v.Title, v.AutomationStatus, v.Run, store.NullText(v.Execution), v.starts, v.PortalStatus, v.PortalAt, object(v.PortalState),
		v.UIStatus, v.UIAt, store.NullText(v.UIBefore), v.CreatedAt, v.UpdatedAt, v.place, contact.Fold(v.Title)}
}

// keep writes what may change of a recipient.
func keep(tx *store.Tx, v *Recipient) error {
	v.UpdatedAt = later(tx, v.UpdatedAt)
	_, err := tx.Exec(`UPDATE campaign_recipient SET automation_status=?, run_id=?, execution=?, starts=?, portal_status=?, portal_at=?, portal_state=?, ui_status=?, ui_at=?, ui_before=?,
		updated_at=? WHERE tenant_id=? AND campaign_id=? AND entity_id=?`, v.AutomationStatus, v.Run, store.NullText(v.Execution), v.starts, v.PortalStatus, v.PortalAt,
		object(v.PortalState), v.UIStatus, v.UIAt, store.NullText(v.UIBefore), v.UpdatedAt, v.Campaign, v.Entity)
	return err
}
