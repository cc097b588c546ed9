package e2e

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parley/internal/access"
	"parley/internal/channel"
	"parley/internal/contact"
	"parley/internal/conversation"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/verify"
	"parley/test/apitest"
)

// The marks of one person: a word that every text of theirs holds, and a phone.
const (
	mark      = "Zzmarkq"
	markPhone = "5491155557777"
	marked2   = "5491166668888"
)

// holding lists the columns of the whole database that hold a text in any row.
func holding(t *testing.T, db *store.DB, texts ...string) (found []string) {
	t.Helper()
	ctx := context.Background()
	all := db.Read(ctx, id.Zero).All()
	q := "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type='table'"
	holds := "INSTR(LOWER(CAST(%s AS TEXT)), ?)>0"
	if db.Dialect() == store.Postgres {
		q = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema='public'"
		holds = "STRPOS(LOWER(%s::text), ?)>0"
	}
	type column struct{ table, name string }
	rows, err := all.Query(q)
	list, err := store.Collect(rows, err, func(rows *sql.Rows) (c column, err error) { return c, rows.Scan(&c.table, &c.name) })
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 200 {
		t.Fatalf("only %d columns", len(list))
	}
	for _, c := range list {
		for _, text := range texts {
			var n int
			if err := all.QueryRow("SELECT COUNT(*) FROM "+c.table+" WHERE "+fmt.Sprintf(holds, `"`+c.name+`"`), strings.ToLower(text)).Scan(&n); err != nil {
				t.Fatal(c, err)
			}
			if n > 0 {
				found = append(found, fmt.Sprintf("%s.%s holds %s in %d rows", c.table, c.name, text, n))
			}
		}
	}
	return found
}

// owned lists the tables where rows name one of the ids as their contact.
func owned(t *testing.T, db *store.DB, ids []id.ID) (found []string) {
	t.Helper()
	all := db.Read(context.Background(), id.Zero).All()
	q := "SELECT m.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type='table' AND c.name='contact_id'"
	if db.Dialect() == store.Postgres {
		q = "SELECT table_name FROM information_schema.columns WHERE table_schema='public' AND column_name='contact_id'"
	}
	rows, err := all.Query(q)
	tables, err := store.Collect(rows, err, func(rows *sql.Rows) (s string, err error) { return s, rows.Scan(&s) })
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		switch table {
		case "event", "contact_alias", "contact_erasure": // ids that remain
			continue
		}
		for _, v := range ids {
			var n int
			if err := all.QueryRow("SELECT COUNT(*) FROM "+table+" WHERE contact_id=?", v).Scan(&n); err != nil {
				t.Fatal(table, err)
			}
			if n > 0 {
				found = append(found, fmt.Sprintf("%s: %d rows of %s", table, n, v))
			}
		}
	}
	return found
}

// connected waits for the tenant's number at the simulated provider.
func connected(r *apitest.Rig, tn *apitest.Tenant) (accounts []channel.Account) {
	r.Eventually("the tenant has a number", func() bool {
		var err error
		accounts, err = r.App.Accounts.List(context.Background(), tn.ID)
		return err == nil && len(accounts) > 0
	})
	return accounts
}

// fill writes everything that can be known of a person, under two ids that become
// one, and returns both.
func fill(t *testing.T, tn *apitest.Tenant, sales, crm *apitest.Caller) (ids []id.ID) {
	ctx := context.Background()
	lead := func(phone, n string) id.ID {
		a := sales.Post("/lead/retail", map[string]any{"utmSource": "web " + mark, "firstName": mark + n, "lastName": "Last" + mark, "phones": []string{"+" + phone},
			"emails": []string{mark + n + "@example.com"}, "comments": "says " + mark, "nin": []any{map[string]any{"type": "DNI", "number": "Z" + mark}},
			"company": mark, "store": mark, "provider": "p" + mark, "providerLeadId": "id" + mark + n, "listingTitle": mark,
			"product": map[string]any{"make": mark, "model": mark, "price": map[string]any{"amount": 5}},
			"history": []any{map[string]any{"type": "note", "content": mark}, map[string]any{"type": "message", "content": "hello " + mark, "providerId": "h" + mark + n}}}).OK()
		v, err := id.Parse(a.Str("id"))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	rule := crm.Post("/api/saas/crm/automations", map[string]any{"name": "waits", "trigger": "sale", "isActive": true,
		"actions": []any{map[string]any{"type": "add_tag", "config": map[string]any{"tag": "buyer"}}, map[string]any{"type": "add_tag", "delayMinutes": 600, "config": map[string]any{"tag": "later"}}}})
	if rule.Status >= 300 {
		t.Fatalf("%d %s", rule.Status, rule.Body)
	}
	accounts := connected(tn.Rig, tn)
	for i, phone := range []string{markPhone, marked2} {
		n := fmt.Sprint(i)
		cid := lead(phone, n)
		ids = append(ids, cid)
		if err := tn.App.DB.Write(ctx, tn.ID, func(tx *store.Tx) error {
			m := mark
			if _, _, err := tn.App.Contacts.UpdateIn(tx, "test", cid, contact.Patch{Refs: map[string]*string{"order": &m}, Extra: map[string]any{"x": mark}, Attributes: map[string]any{"y": mark}}); err != nil {
				return err
			}
			if _, err := tn.App.Contacts.AddNoteIn(tx, "test", contact.Note{Contact: cid, Content: mark}); err != nil {
				return err
			}
			if _, err := tn.App.Contacts.AddActivityIn(tx, contact.Activity{Contact: cid, Type: "call", Title: mark, Body: mark, Metadata: map[string]any{"a": mark}}); err != nil {
				return err
			}
			_, err := tn.App.Contacts.ConsentIn(tx, cid, contact.Consent{Channel: "whatsapp", Purpose: contact.Marketing, State: contact.Out, Source: "form " + mark})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if err := tn.App.Conversations.Receive(ctx, accounts[0], channel.Batch{Messages: []channel.Incoming{{ProviderID: "wamid." + mark + n, From: phone, ProfileName: mark,
			Kind: "text", Text: "hi " + mark, At: time.Now()}}}); err != nil {
			t.Fatal(err)
		}
		if _, err := tn.App.Conversations.Send(ctx, tn.ID, "test", conversation.Send{To: "+" + phone, Text: "answer " + mark}); err != nil {
			t.Fatal(err)
		}
		fired := crm.Post("/api/saas/workflows/trigger", map[string]any{"trigger": "sale", "phone": "+" + phone, "variables": map[string]any{"v": mark}, "data": map[string]any{"d": mark},
			"callbackUrl": "https://example.com/" + mark, "callbackMetadata": map[string]any{"m": mark}}, "Idempotency-Key", "idem"+n)
		if fired.Status >= 300 {
			t.Fatalf("%d %s", fired.Status, fired.Body)
		}
		if a := crm.Post("/api/saas/crm/leads/upsert", map[string]any{"leadData": map[string]any{"phone": "+" + phone}, "phone": "+" + phone, "firstName": mark}, "Idempotency-Key", "upsert"+n); a.Status >= 300 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		sales.Post("/prospect/"+cid.String()+"/quotes", map[string]any{"items": []any{map[string]any{"quantity": 1, "concept": mark, "price": "5"}}}).OK()
	}
	// A call about a stranger at the same number, from before the person was known.
	crm.Post("/api/saas/workflows/trigger", map[string]any{"trigger": "sale", "email": strings.ToLower(mark) + "9@example.com", "variables": map[string]any{"v": mark}})
	if _, err := tn.App.Contacts.Merge(ctx, tn.ID, "test", ids[0], ids[1]); err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestAnErasedPersonLeavesNothing(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true, Simulate: true}, func(t *testing.T, r *apitest.Rig) {
		ctx := context.Background()
		tn := r.NewTenant("Acme")
		sales, crm := tn.Caller(), tn.Platform()
		ids := fill(t, tn, sales, crm)
		before := holding(t, r.App.DB, mark)
		if len(before) < 34 {
			t.Fatalf("the person fills only %d columns: %v", len(before), before)
		}
		was, err := r.App.Contacts.Erase(ctx, tn.ID, "test", ids[1])
		if err != nil || was.ID != ids[0] || !strings.Contains(was.FirstName, mark) {
			t.Fatalf("%+v, %v", was, err)
		}
		// The stranger's failed call had an address that the person never claimed.
		if err := r.App.DB.Write(ctx, tn.ID, func(tx *store.Tx) error {
			_, err := tx.Exec("DELETE FROM trigger_log WHERE tenant_id=? AND email=?", strings.ToLower(mark)+"9@example.com")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		for _, f := range holding(t, r.App.DB, mark, markPhone, marked2) {
			t.Error(f)
		}
		for _, f := range owned(t, r.App.DB, ids) {
			t.Error(f)
		}
		for _, v := range ids {
			sales.Get("/prospect/"+v.String()).Refused(404, "NOT_FOUND")
			if a := crm.Get("/api/saas/crm/leads/" + v.String()); a.Status != 404 {
				t.Errorf("platform: %d %s", a.Status, a.Body)
			}
			if _, err := r.App.Contacts.Erase(ctx, tn.ID, "test", v); fault.As(err) == nil || fault.As(err).Code != fault.NotFound {
				t.Errorf("erased again: %v", err)
			}
		}
		if list := sales.Get("/prospects?limit=10").OK().List(); len(list) != 0 {
			t.Errorf("%v", list)
		}
		if rep, err := verify.Run(ctx, r.App.DB); err != nil || !rep.OK {
			b, _ := json.Marshal(rep)
			t.Errorf("%s %v", b, err)
		}

		// What the provider delivers once more is not new; what comes later is from
		// somebody new, who is refused what the person refused.
		accounts, _ := r.App.Accounts.List(ctx, tn.ID)
		say := func(pid string, at time.Time) {
			if err := r.App.Conversations.Receive(ctx, accounts[0], channel.Batch{Messages: []channel.Incoming{{ProviderID: pid, From: markPhone, ProfileName: mark, Kind: "text", Text: "again", At: at}}}); err != nil {
				t.Fatal(err)
			}
		}
		find := func() (contact.Contact, bool) {
			c, found, err := r.App.Contacts.Find(r.App.DB.Read(ctx, tn.ID), contact.Phone, "541155557777")
			if err != nil {
				t.Fatal(err)
			}
			return c, found
		}
		say("wamid."+mark+"0", time.Now().Add(-time.Minute))
		if c, found := find(); found {
			t.Fatalf("an old message brought %+v back", c)
		}
		say("wamid.new", time.Now().Add(time.Minute))
		c, found := find()
		if !found || c.ID == ids[0] || c.ID == ids[1] {
			t.Fatalf("%+v %v", c, found)
		}
		reads := r.App.DB.Read(ctx, tn.ID)
		for purpose, want := range map[string]bool{contact.Marketing: true, contact.Servicing: false} {
			if got, err := r.App.Contacts.Refused(reads, c.ID, "whatsapp", purpose); err != nil || got != want {
				t.Errorf("%s refused: %v, %v", purpose, got, err)
			}
		}
	})
}

// A history that one transaction should not take away: nobody meets the person from
// the first commit on, and a job takes the rest.
func TestALongHistoryIsErasedInPieces(t *testing.T) {
	for _, quiet := range []bool{true, false} {
		apitest.Each(t, apitest.Options{Quiet: quiet, Simulate: true}, func(t *testing.T, r *apitest.Rig) {
			ctx := context.Background()
			tn := r.NewTenant("Acme")
			sales, crm := tn.Caller(), tn.Platform()
			accounts := connected(r, tn)
			const messages = 1500
			var batch channel.Batch
			for i := range messages {
				batch.Messages = append(batch.Messages, channel.Incoming{ProviderID: fmt.Sprint("wamid.", mark, i), From: markPhone, ProfileName: mark, Kind: "text", Text: fmt.Sprint(mark, i), At: time.Now()})
			}
			if err := r.App.Conversations.Receive(ctx, accounts[0], batch); err != nil {
				t.Fatal(err)
			}
			reads := r.App.DB.Read(ctx, tn.ID)
			c, found, err := r.App.Contacts.Find(reads, contact.Phone, "541155557777")
			if err != nil || !found {
				t.Fatal(found, err)
			}
			var message id.ID
			if err := reads.QueryRow("SELECT MAX(id) FROM message WHERE tenant_id=?").Scan(&message); err != nil {
				t.Fatal(err)
			}
			if _, err := r.App.Contacts.Erase(ctx, tn.ID, "test", c.ID); err != nil {
				t.Fatal(err)
			}
			sales.Get("/prospect/"+c.ID.String()).Refused(404, "NOT_FOUND")
			for what, a := range map[string]apitest.Answer{"interactions": sales.Get("/prospects/interactions?limit=100"), "message": crm.Get("/api/crm/messages/" + message.String()),
				"conversations": crm.Get("/api/saas/crm/conversations")} {
				if strings.Contains(string(a.Body), mark) {
					t.Errorf("%s show the person: %s", what, a.Body)
				}
			}
			if quiet {
				var left int
				if err := reads.QueryRow("SELECT COUNT(*) FROM message WHERE tenant_id=?").Scan(&left); err != nil || left == 0 || left > messages {
					t.Fatalf("%d left, %v", left, err)
				}
				return
			}
			r.Eventually("nothing is left of the person", func() bool {
				open, err := r.App.Contacts.Erasing(reads, c.ID)
				return err == nil && !open
			})
			for _, f := range holding(t, r.App.DB, mark) {
				t.Error(f)
			}
		})
	}
}

// What the sales API writes of a person while everything runs: notifications on
// their way and answers to them, what apps told, ratings, carts, offers.
func TestAnErasedPersonIsInNoNotification(t *testing.T) {
	apitest.Each(t, apitest.Options{Simulate: true}, func(t *testing.T, r *apitest.Rig) {
		ctx := context.Background()
		tn := r.NewTenant("Acme")
		key, _, err := r.App.Access.Create(ctx, tn.ID, access.NewKey{Face: "sales", Name: "all"})
		if err != nil {
			t.Fatal(err)
		}
		sales := tn.Caller()
		var failing, deaf atomic.Int32
		echo := func(status int, n *atomic.Int32) string {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
				b, _ := io.ReadAll(q.Body)
				n.Add(1)
				w.WriteHeader(status)
				_, _ = w.Write(b) // a receiver that says what it was told
			}))
			t.Cleanup(s.Close)
			return s.URL
		}
		topics := []string{"prospects", "interactions", "quotes"}
		sales.Post("/notifications/subscriptions", map[string]any{"topics": topics, "callbackUrl": echo(500, &failing)})
		made := sales.Post("/lead/retail", map[string]any{"utmSource": "web", "firstName": mark, "phones": []string{"+" + markPhone}, "emails": []string{mark + "@example.com"}, "comments": mark}).OK()
		pid := made.Str("id")
		p := "/prospect/" + pid
		sales.Patch(p+"/additionalData", map[string]any{"about": mark}).OK()
		sales.Post(p+"/csat", map[string]any{"result": 4, "comment": mark}).OK()
		sales.Post(p+"/quotes", map[string]any{"items": []any{map[string]any{"quantity": 1, "concept": mark, "price": "5"}}}).OK()
		r.Call("POST", "/api/v1/apps/event", map[string]any{"event": "visited", "type": "prospect", "prospectId": pid, "data": map[string]any{"apiKey": key, "details": map[string]any{"page": mark}}}, "X-API-Key", key).OK()
		for i, e := range []map[string]any{
			{"type": "question", "question": mark, "answer": mark, "threadTitle": mark, "providerId": "q" + mark},
			{"type": "call", "providerId": "c" + mark, "startedAt": "2026-01-02T03:04:05.000Z", "duration": 1000, "recordingUrl": "https://example.com/" + mark + ".mp3"},
			{"type": "message", "content": mark, "sender": "+" + markPhone, "recipient": mark, "attachment": map[string]any{"type": "IMAGE", "url": "https://example.com/" + mark + ".png"}},
		} {
			if a := sales.Post(p+"/interactions", e); a.Status != 200 {
				t.Fatalf("%d: %d %s", i, a.Status, a.Body)
			}
		}
		sales.Post("/contacts/selections", map[string]any{"search": mark})
		accounts := connected(r, tn)
		if err := r.App.Conversations.Receive(ctx, accounts[0], channel.Batch{Messages: []channel.Incoming{{ProviderID: "wamid." + mark, From: markPhone, ProfileName: mark, Kind: channel.OrderMsg, Text: mark,
			At: time.Now(), Order: &channel.Order{Catalog: "c" + mark, Items: []channel.OrderItem{{Product: "sku" + mark, Quantity: "1", Price: "5", Currency: "brl"}}}}}}); err != nil {
			t.Fatal(err)
		}
		reads := r.App.DB.Read(ctx, tn.ID)
		count := func(q string) (n int) {
			if err := reads.QueryRow(q).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		r.Eventually("all that happened was told and refused", func() bool {
			return count("SELECT COUNT(*) FROM notification_owed WHERE tenant_id=?") == 0 && count("SELECT COUNT(*) FROM webhook_delivery WHERE tenant_id=? AND attempt>0") > 0
		})
		// A second receiver, which keeps nothing for later.
		sales.Post("/notifications/subscriptions", map[string]any{"topics": topics, "callbackUrl": echo(200, &deaf)})
		sales.Patch(p, map[string]any{"lastName": mark}).OK()
		r.Eventually("the second receiver was told", func() bool { return deaf.Load() > 0 })

		before := strings.Join(holding(t, r.App.DB, mark), "\n")
		for _, column := range []string{"webhook_body.body", "webhook_delivery.", "message_order.", "quote.items", "contact_attribute.", "activity."} {
			if !strings.Contains(before, column) {
				t.Errorf("nothing fills %s:\n%s", column, before)
			}
		}
		sales.Delete(p).OK()
		cid, _ := id.Parse(pid)
		r.Eventually("the person is gone", func() bool {
			open, err := r.App.Contacts.Erasing(reads, cid)
			return err == nil && !open
		})
		r.Eventually("nothing is on its way", func() bool {
			return count("SELECT COUNT(*) FROM notification_owed WHERE tenant_id=?") == 0 && count("SELECT COUNT(*) FROM webhook_delivery WHERE tenant_id=? AND state IN ('pending','sending')") == 0
		})
		for _, f := range holding(t, r.App.DB, mark, markPhone) {
			t.Error(f)
		}
		for _, f := range owned(t, r.App.DB, []id.ID{cid}) {
			t.Error(f)
		}
		if rep, err := verify.Run(ctx, r.App.DB); err != nil || !rep.OK {
			b, _ := json.Marshal(rep)
			t.Errorf("%s %v", b, err)
		}
	})
}
