package conversation

import (
	"context"
	"database/sql"
	"fmt"
	"sort"
	"strings"

	"parley/internal/channel"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

const templateColumns = "id, channel, name, language, provider_id, status, category, header_type, header_text, body_text, footer_text, buttons, components, variables, mapping, mapping_status, on_empty, is_active, subject, content_type, attachments, mapped_at, last_synced_at, created_at, updated_at"

func scanTemplate(row scanner) (Template, error) {
	var t Template
	var components string
	err := row.Scan(&t.ID, &t.Channel, &t.Name, &t.Language, store.Text(&t.ProviderID), &t.Status, &t.Category, &t.HeaderType, &t.HeaderText,
		&t.BodyText, &t.FooterText, store.JSON(&t.Buttons), store.Text(&components), &t.Variables, store.JSON(&t.Mapping), &t.MappingStatus,
		&t.OnEmpty, &t.Active, &t.Subject, &t.ContentType, store.JSON(&t.Attachments), store.Time(&t.MappedAt), store.Time(&t.LastSyncedAt), store.Time(&t.CreatedAt), store.Time(&t.UpdatedAt))
	if components != "" {
		t.Components = []byte(components)
	}
	t.Positions = positions(t)
	return t, err
}

func saveTemplate(tx *store.Tx, t Template) error {
	var components any
	if len(t.Components) > 0 {
		components = string(t.Components)
	}
	if t.Buttons == nil {
		t.Buttons = []channel.TemplateButton{}
	}
	if t.Mapping == nil {
		t.Mapping = []Mapping{}
	}
	_, err := tx.Exec(`INSERT INTO template (tenant_id, `+templateColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
		ON CONFLICT (tenant_id, id) DO UPDATE SET provider_id=excluded.provider_id, status=excluded.status, category=excluded.category,
		header_type=excluded.header_type, header_text=excluded.header_text, body_text=excluded.body_text, footer_text=excluded.footer_text,
		buttons=excluded.buttons, components=excluded.components, variables=excluded.variables, mapping=excluded.mapping,
		mapping_status=excluded.mapping_status, on_empty=excluded.on_empty, is_active=excluded.is_active,
		name=excluded.name, language=excluded.language, subject=excluded.subject, content_type=excluded.content_type, attachments=excluded.attachments, mapped_at=excluded.mapped_at,
		last_synced_at=excluded.last_synced_at, updated_at=excluded.updated_at`,
		t.ID, t.Channel, t.Name, t.Language, store.NullText(t.ProviderID), t.Status, t.Category, t.HeaderType, t.HeaderText,
		t.BodyText, t.FooterText, store.JSON(t.Buttons), components, t.Variables, store.JSON(t.Mapping), t.MappingStatus,
		t.OnEmpty, t.Active, t.Subject, t.ContentType, orNull(len(t.Attachments) > 0, t.Attachments), t.MappedAt, t.LastSyncedAt, t.CreatedAt, tx.Now())
	if err != nil {
		return fmt.Errorf("conversation: store a template: %w", err)
	}
	return nil
}

func selectTemplates(r store.Reader, where string, args ...any) ([]Template, error) {
	rows, err := r.Query("SELECT "+templateColumns+" FROM template WHERE tenant_id=?"+where+" ORDER BY name, language, id", args...)
	return store.Collect(rows, err, func(rows *sql.Rows) (Template, error) { return scanTemplate(rows) })
}

// named returns the templates of a name, oldest first.
func (t *Templates) named(r store.Reader, kind, name string) ([]Template, error) {
	all, err := selectTemplates(r, " AND channel=? AND name=?", kind, name)
	sort.SliceStable(all, func(i, j int) bool { return all[i].CreatedAt.Before(all[j].CreatedAt) })
	return all, err
}

// List returns the tenant's templates by name and language.
func (t *Templates) List(ctx context.Context, tenantID id.ID, q TemplateQuery) ([]Template, error) {
	where, args := "", []any{}
	if q.Channel != "" {
		where += " AND channel=?"
		args = append(args, q.Channel)
	}
	if q.Status != "" {
		where += " AND status=?"
		args = append(args, strings.ToUpper(q.Status))
	}
	if m := strings.ToLower(q.MappingStatus); m != "" {
		if m == "mapped" {
			m = "complete"
		}
		where += " AND mapping_status=?"
		args = append(args, m)
	}
	return selectTemplates(t.db.Read(ctx, tenantID), where, args...)
}

// Get returns a template by id or by name (the oldest of that name), or
// fault.Unknown("template").
func (t *Templates) Get(r store.Reader, nameOrID string) (Template, error) {
	var found []Template
	var err error
	if tid, perr := id.Parse(nameOrID); perr == nil {
		found, err = selectTemplates(r, " AND id=?", tid)
	}
	if err == nil && len(found) == 0 {
		found, err = selectTemplates(r, " AND name=?", nameOrID)
		sort.SliceStable(found, func(i, j int) bool { return found[i].CreatedAt.Before(found[j].CreatedAt) })
	}
	if err != nil {
		return Template{}, err
	}
	if len(found) == 0 {
		return Template{}, fault.Unknown("template")
	}
	return found[0], nil
}

// lockedIn is Get for a change: what it returns is so until the commit, and a
// synchronisation of its channel waits. The whole row is written back.
func (t *Templates) lockedIn(tx *store.Tx, nameOrID string) (Template, error) {
	tpl, err := t.Get(tx, nameOrID)
	if err != nil {
		return tpl, err
	}
	if err := tx.Lock("templates", tpl.Channel); err != nil {
		return tpl, err
	}
	return t.Get(tx, tpl.ID.String())
}

// SetMapping replaces the mapping of a template's positions. An empty onEmpty
// keeps the present policy.
func (t *Templates) SetMapping(ctx context.Context, tenantID id.ID, nameOrID string, mapping []Mapping, onEmpty string) (Template, error) {
	if err := checkOnEmpty(onEmpty); err != nil {
		return Template{}, err
	}
	return store.Write(ctx, t.db, tenantID, func(tx *store.Tx) (Template, error) {
		tpl, err := t.lockedIn(tx, nameOrID)
		if err != nil {
			return tpl, err
		}
		if tpl.Mapping, err = checkMapping(tpl, mapping); err != nil {
			return tpl, err
		}
		tpl.MappingStatus, tpl.MappedAt = mappingStatus(tpl.Positions, tpl.Mapping), tx.Now()
		if onEmpty != "" {
			tpl.OnEmpty = onEmpty
		}
		tpl.UpdatedAt = tx.Now()
		return tpl, saveTemplate(tx, tpl)
	})
}

// Find is Get for callers without a handle on the database.
func (t *Templates) Find(ctx context.Context, tenantID id.ID, nameOrID string) (Template, error) {
	return t.Get(t.db.Read(ctx, tenantID), nameOrID)
}
