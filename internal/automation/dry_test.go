package automation

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// everything is all that the database holds of the tenant, table by table.
func (w *world) everything() map[string]string {
	w.Helper()
	r, out := w.DB.Read(bg, w.Tenant), map[string]string{}
	for _, table := range []string{"run", "run_branch", "run_step", "job", "event", "message", "outbox", "conversation", "contact", "contact_tag", "activity", "deal", "deal_stage_history", "webhook_delivery", "trigger_log", "automation", "rule_decision"} {
		rows, err := r.Query("SELECT * FROM " + table + " WHERE tenant_id=?")
		if err != nil && strings.Contains(err.Error(), table) {
			continue // not a table of this version
		}
		list, err := store.Collect(rows, err, func(rows *sql.Rows) (string, error) {
			cols, err := rows.Columns()
			if err != nil {
				return "", err
			}
			vals, ptrs := make([]any, len(cols)), make([]any, len(cols))
			for i := range vals {
				ptrs[i] = &vals[i]
			}
			err = rows.Scan(ptrs...)
			return fmt.Sprint(vals), err
		})
		if err != nil {
			w.Fatal(err)
		}
		out[table] = strings.Join(list, "\n")
	}
	return out
}

func TestDryRun(t *testing.T) {
	each(t, func(w *world) {
		w.says("hello")
		w.settled()
		p, err := w.Cards.Pipelines(bg, w.Tenant)
		if err != nil {
			w.Fatal(err)
		}
		r := w.rule(`{"name":"x","trigger":"go","isActive":false,"conditions":[{"field":"lead.source","operator":"exists"},{"field":"plan","operator":"neq","value":"none"}],"nodes":[
			{"id":"g","type":"add_tag","data":{"tag":"hot"}},{"id":"c","type":"condition","data":{"field":"lead.tags","operator":"contains","value":"hot"}},
			{"id":"s","type":"send_whatsapp","data":{"text":"Hi {{lead.firstName}} {{plan}}"}},{"id":"d","type":"delay","data":{"delayMinutes":10}},{"id":"m","type":"move_stage","data":{"stageId":"` + p[0].Stages[1].ID.String() + `"}},
			{"id":"h","type":"webhook","data":{"url":"http://127.0.0.1:9/","payload":{"plan":"{{plan}}"}}},{"id":"w","type":"wait_event","data":{"eventName":"paid"}},{"id":"r","type":"wait_reply"},
			{"id":"f","type":"send_whatsapp","data":{"templateName":"missing"}},{"id":"n","type":"add_tag","data":{"tag":"never"}}],
			"edges":[{"source":"g","target":"c"},{"source":"c","target":"s","sourceHandle":"yes"},{"source":"c","target":"n","sourceHandle":"no"},{"source":"s","target":"d"},{"source":"d","target":"m"},{"source":"m","target":"h"},{"source":"h","target":"w"},
			{"source":"w","target":"r"},{"source":"r","target":"f","sourceHandle":"reply"}]}`)
		c, ok, err := w.Contacts.Find(w.DB.Read(bg, w.Tenant), "phone", "919876543210")
		if err != nil || !ok {
			w.Fatal(ok, err)
		}
		before := w.everything()
		got, err := w.s.Test(bg, w.Tenant, r.ID, c.ID, map[string]any{"plan": "gold"})
		if err != nil {
			w.Fatal(err)
		}
		path := ""
		for _, st := range got.Path {
			path += " " + st.Node + "=" + st.Status
		}
		if path != " g=completed c=completed s=completed d=waiting m=completed h=waiting w=waiting r=waiting f=failed" || !got.Passed || got.Status != Failed || !strings.Contains(got.Error, "template") || len(got.Checks) != 2 {
			w.Errorf("%s\n%+v", path, got)
		}
		if got.Path[2].Text != "Hi "+c.FirstName+" gold" || fmt.Sprintf("%s", got.Path[5].Output["payload"]) != `{"plan":"gold"}` {
			w.Errorf("%+v", got.Path)
		}
		no, err := w.s.Test(bg, w.Tenant, r.ID, c.ID, map[string]any{"plan": "none"})
		if err != nil || no.Passed || len(no.Path) != 0 {
			w.Errorf("%+v %v", no, err)
		}
		after := w.everything()
		for table, rows := range before {
			if after[table] != rows {
				w.Errorf("%s changed:\n%s\n%s", table, rows, after[table])
			}
		}
		_, err = w.s.Test(bg, w.Tenant, r.ID, id.New(), nil)
		w.wantFault(err, fault.NotFound, "", "lead")
		_, err = w.s.Test(bg, w.Tenant, id.New(), c.ID, nil)
		w.wantFault(err, fault.NotFound, "", "automation")
	})
}
