package conversation_test

import (
	"testing"

	"parley/internal/conversation"
	"parley/internal/conversation/convtest"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// A mapping that is saved while a synchronisation writes the template keeps what
// the provider has just said of it. SQLite has one writer.
func TestAMappingKeepsWhatASynchronisationWrites(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		if w.DB.Dialect() != store.Postgres {
			t.Skip("one writer at a time")
		}
		tpl := w.Approve(t, "offer", "UTILITY", "Hello {{1}}")
		done := make(chan error, 1)
		err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
			if err := tx.Lock("templates", tpl.Channel); err != nil { // as Sync does
				return err
			}
			if _, err := tx.Exec("UPDATE template SET status='PAUSED' WHERE tenant_id=? AND id=?", tpl.ID); err != nil {
				return err
			}
			go func() {
				_, err := w.Templates.SetMapping(bg, w.Tenant, "offer", []conversation.Mapping{{Position: 1, Source: "static", Static: "you"}}, "")
				done <- err
			}()
			storetest.AwaitWaiting(t, w.DB, 1)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if tpl, err = w.Templates.Find(bg, w.Tenant, "offer"); err != nil || tpl.Status != "PAUSED" || tpl.MappingStatus != "complete" {
			t.Fatalf("%s, mapping %s, %v", tpl.Status, tpl.MappingStatus, err)
		}
	}, storetest.Once())
}

// Two channels may have templates of one name; deleting by name takes those of one.
func TestDeleteByNameStaysInItsChannel(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		w.Approve(t, "offer", "UTILITY", "Hello")
		name, mail, body := "offer", conversation.EmailChannel, "<p>Hello</p>"
		if _, err := w.Templates.Create(bg, w.Tenant, conversation.TemplatePatch{Name: &name, Channel: &mail, BodyText: &body}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Templates.Delete(bg, w.Tenant, "offer"); err != nil {
			t.Fatal(err)
		}
		left, err := w.Templates.List(bg, w.Tenant, conversation.TemplateQuery{})
		if err != nil || len(left) != 1 || left[0].Channel != mail {
			t.Fatalf("%+v %v", left, err)
		}
	})
}
