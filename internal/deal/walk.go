package deal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"parley/internal/contact"
	"parley/internal/id"
	"parley/internal/store"
)

// WalkLimit is the largest page of Walk.
const WalkLimit = 2000

// Row is a contact with its primary deal as an export writes them. Phone and
// Email are the primary ones. Without a deal, Pipeline, Stage and Title are
// empty and Value is zero.
type Row struct {
	ID                  id.ID
	FirstName, LastName string
	Phone, Email        string // Phone is digits, with the country's code
	Source, AssignedTo  string
	Tags                []string // sorted
	Refs                map[string]string
	Extra, Attributes   map[string]any
	Pipeline, Stage     string // their names
	Status              string // the deal's; archived for a contact that is
	Value               float64
	Currency, Title     string
	Score               int
	CreatedAt           time.Time // the contact's
	UpdatedAt           time.Time
}

// Walk returns the contacts behind an id, the oldest first, up to limit of them:
// a walk from id.Zero to an empty page meets each contact that is there all the
// while once. Archived contacts are met only with archived; erased ones never.
//
// Each page is three walks along primary keys side by side: of the contacts with
// their deals, of their identities, of their tags.
func (s *Service) Walk(ctx context.Context, tenant, after id.ID, limit int, archived bool) ([]Row, error) {
	r := s.db.Read(ctx, tenant)
	from := "" // a zero id would be NULL, which is greater than nothing
	if !after.IsZero() {
		from = after.String()
	}
	page, stages, err := walkContacts(r, from, min(max(limit, 1), WalkLimit), archived)
	if err != nil || len(page) == 0 {
		return nil, err
	}
	till := page[len(page)-1].ID
	if err := walkIdentities(r, from, till, page); err != nil {
		return nil, err
	}
	if err := walkTags(r, from, till, page); err != nil {
		return nil, err
	}
	return page, s.nameStages(r, page, stages)
}

const walked = "SELECT c.id, c.first_name, c.last_name, c.source, COALESCE(c.assigned_to,''), c.refs, c.extra, c.attributes, c.score, COALESCE(c.archived_at,0), c.created_at, c.updated_at," +
	" d.stage_id, COALESCE(d.status,'open'), COALESCE(d.value,0), COALESCE(d.currency,''), COALESCE(d.title,'')" +
	" FROM contact c LEFT JOIN deal d ON d.tenant_id=c.tenant_id AND d.contact_id=c.id AND d.is_primary" + // index deal_primary
	" WHERE c.tenant_id=? AND c.id>? AND c.erased_at IS NULL" // the primary key

func walkContacts(r store.Reader, from string, limit int, archived bool) (page []Row, stages []id.ID, err error) {
	sql := walked
	if !archived {
		sql += " AND c.archived_at IS NULL"
	}
	rows, err := r.Query(sql+" ORDER BY c.id LIMIT ?", from, limit)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	page, stages = make([]Row, 0, limit), make([]id.ID, 0, limit)
	var (
		c                       Row
		stage                   id.ID
		refs, extra, attributes string
		put, created, updated   int64
	)
	at := []any{&c.ID, &c.FirstName, &c.LastName, &c.Source, &c.AssignedTo, &refs, &extra, &attributes, &c.Score, &put, &created, &updated,
		&stage, &c.Status, &c.Value, &c.Currency, &c.Title}
	for rows.Next() {
		c.Refs, c.Extra, c.Attributes = nil, nil, nil
		if err := rows.Scan(at...); err != nil {
			return nil, nil, err
		}
		if err := errors.Join(open(refs, &c.Refs), open(extra, &c.Extra), open(attributes, &c.Attributes)); err != nil {
			return nil, nil, err
		}
		c.CreatedAt, c.UpdatedAt = time.UnixMilli(created).UTC(), time.UnixMilli(updated).UTC()
		if put != 0 {
			c.Status = Archived
		}
		page, stages = append(page, c), append(stages, stage)
	}
	return page, stages, rows.Err()
}

// open reads a JSON object; most are empty.
func open[T any](text string, m *map[string]T) error {
	if text == "{}" {
		return nil
	}
	return json.Unmarshal([]byte(text), m)
}

// walkIdentities gives a page its phones and e-mails.
func walkIdentities(r store.Reader, from string, till id.ID, page []Row) error {
	rows, err := r.Query("SELECT contact_id, kind, value FROM identity WHERE tenant_id=? AND contact_id>? AND contact_id<=? AND is_primary ORDER BY contact_id, kind, value", from, till)
	var cid, kind, value string
	return along(rows, err, page, &cid, func(c *Row) {
		switch kind {
		case contact.Phone:
			c.Phone = value
		case contact.Email:
			c.Email = value
		}
	}, &cid, &kind, &value)
}

// walkTags gives a page its tags.
func walkTags(r store.Reader, from string, till id.ID, page []Row) error {
	rows, err := r.Query("SELECT contact_id, tag FROM contact_tag WHERE tenant_id=? AND contact_id>? AND contact_id<=? ORDER BY contact_id, tag", from, till)
	var cid, tag string
	return along(rows, err, page, &cid, func(c *Row) { c.Tags = append(c.Tags, tag) }, &cid, &tag)
}

// along reads rows that stand in the order of a page and gives each to its
// contact. Rows of contacts that the page leaves out are passed over.
func along(rows *sql.Rows, err error, page []Row, cid *string, give func(*Row), fields ...any) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	at, key := 0, page[0].ID.String()
	for rows.Next() {
		if err := rows.Scan(fields...); err != nil {
			return err
		}
		for key < *cid && at+1 < len(page) {
			at++
			key = page[at].ID.String()
		}
		if key == *cid {
			give(&page[at])
		}
	}
	return rows.Err()
}

// nameStages writes the names of the stages and their pipelines, and the
// currency of the tenant where there is no deal.
func (s *Service) nameStages(r store.Reader, page []Row, stages []id.ID) error {
	var distinct []id.ID
	for _, v := range stages {
		if !slices.Contains(distinct, v) {
			distinct = append(distinct, v)
		}
	}
	where, err := placements(r, slices.DeleteFunc(slices.Clone(distinct), id.ID.IsZero))
	if err != nil {
		return err
	}
	for i := range page {
		if at, ok := where[stages[i]]; ok {
			page[i].Pipeline, page[i].Stage = at.Pipeline.Name, at.Stage.Name
		}
	}
	if !slices.Contains(distinct, id.Zero) {
		return nil
	}
	set, err := s.tenants.SettingsOf(r)
	for i := range page {
		if stages[i].IsZero() {
			page[i].Currency = set.Currency
		}
	}
	return err
}

// untried carries the result of an import out of a transaction that is undone.
type untried struct{ res ImportResult }

func (*untried) Error() string { return "deal: an import was only tried" }

// TryImport tells what Import would do, and does nothing. It works in the same batches:
// a new person who stands in two of them is told as created by both.
func (s *Service) TryImport(ctx context.Context, tenant id.ID, actor string, rows []NewCard) (ImportResult, error) {
	return s.inBatches(rows, func(part []NewCard) (ImportResult, error) {
		_, err := store.Write(ctx, s.db, tenant, func(tx *store.Tx) (struct{}, error) {
			res, err := s.ImportIn(tx, actor, part)
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
	})
}
