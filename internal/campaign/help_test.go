package campaign_test

import (
	"database/sql"

	"parley/internal/entity"
	"parley/internal/id"
	"parley/internal/segment"
	"parley/internal/store"
)

func ref(v id.ID) entity.Ref { return entity.Ref{Schema: entity.Contact, ID: v} }

func segmentNew(name string) segment.New {
	return segment.New{Name: name, Schema: entity.Contact, CreatedBy: actor}
}

func (w *world) tag(who id.ID, tag string) {
	w.Helper()
	w.check(w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
		_, err := w.Contacts.TagIn(tx, actor, who, []string{tag}, nil)
		return err
	}))
}

func scanText(rows *sql.Rows) (s string, err error) { return s, rows.Scan(&s) }
