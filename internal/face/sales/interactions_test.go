package sales_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/agent"
	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/store"
	"parley/test/apitest"
)

// prospectOf makes a prospect in a group.
func prospectOf(t *apitest.Tenant, phone string, group id.ID) string {
	t.Helper()
	cid, err := store.Write(context.Background(), t.App.DB, t.ID, func(tx *store.Tx) (id.ID, error) {
		card, err := t.App.Deals.CreateIn(tx, "test", deal.NewCard{New: contact.New{FirstName: "Asha", Phone: "+" + phone}})
		if err != nil {
			return id.Zero, err
		}
		_, err = t.App.Handovers.PlaceIn(tx, "test", card.Contact.ID, handover.Arrival{Group: group})
		return card.Contact.ID, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return cid.String()
}

func idsOf(list []map[string]any) (out []string) {
	for _, v := range list {
		out = append(out, v["id"].(string))
	}
	return out
}

func TestInteractions(t *testing.T) {
	now := time.Date(2020, 10, 28, 3, 0, 0, 0, time.UTC)
	apitest.Each(t, apitest.Options{At: now, Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		shop, other := acme.Group("Shop", id.Zero), acme.Group("Other", id.Zero)
		asha := acme.Agent("Asha", "Rao", shop.ID)
		c := acme.In(shop.ID)
		p := prospectOf(acme, "919876543210", shop.ID)
		foreign := prospectOf(acme, "919876543211", other.ID)
		at := "/prospect/" + p + "/interactions"

		// A public client posts with a trailing slash (reference §7.13); the answer is a list.
		r.Clock.Advance(time.Second)
		note := c.Post(at+"/", map[string]any{"type": "note", "content": "called back"}).OK()
		if note.Status != http.StatusOK || note.Str("0.via") != "other" || note.Str("0.output.comment") != "called back" || note.Str("0.status") != "created" || note.Str("0.prospectId") != p {
			t.Errorf("a note: %d %s", note.Status, note.Body)
		}
		r.Clock.Advance(time.Second)
		call := c.Post(at, map[string]any{"type": "call", "providerId": "c1", "utmSource": "google", "startedAt": "2020-10-28:T02:00:00.000Z", "duration": 30500, "recordingUrl": "https://example.com/a.mp3"}).OK()
		if call.Str("0.via") != "inboundCall" || call.Str("0.startedAt") != "2020-10-28T02:00:00.000Z" || call.Str("0.finishedAt") != "2020-10-28T02:00:30.500Z" || call.Get("0.output.call.duration") != 30500.0 {
			t.Errorf("a call: %s", call.Body)
		}
		r.Clock.Advance(time.Second)
		question := c.Post(at, map[string]any{"type": "question", "threadTitle": "Bike", "question": "How much?"}).OK()
		r.Clock.Advance(time.Second)
		message := c.Post(at, map[string]any{"type": "message", "content": "ciao", "sender": "+91 98765 43210", "attachment": map[string]any{"type": "IMAGE", "url": "https://example.com/i.png"},
			"buttons": map[string]any{"body": "b"}, "via": "instagram"}).OK()
		if message.Str("0.output.message.performer") != "integration" || message.Str("0.output.message.via") != "instagram" || message.Get("0.output.message.delivered") != true ||
			message.Str("0.output.message.attachment.type") != "IMAGE" || message.Str("0.output.message.buttons.body") != "b" || message.Get("0.proactive") != false {
			t.Errorf("a message: %s", message.Body)
		}
		r.Clock.Advance(time.Second)
		if _, err := acme.App.Handovers.Transfer(context.Background(), acme.ID, "agent:"+asha.ID.String(), parse(t, p), handover.Destination{Agent: asha.ID}); err != nil {
			t.Fatal(err)
		}
		list := c.Get(at).OK()
		want := []string{"", message.Str("0.id"), question.Str("0.id"), call.Str("0.id"), note.Str("0.id")}
		got := idsOf(list.List())
		if len(got) != 5 || !slices.Equal(got[1:], want[1:]) {
			t.Errorf("the list: %s", list.Body)
		}
		if list.Str("0.output.transferedTo.firstName") != "Asha" || list.Str("0.output.transferedToAgentId") != asha.ID.String() ||
			list.Str("0.output.transferedToGroupId") != shop.ID.String() || list.Str("0.agent.id") != asha.ID.String() {
			t.Errorf("the transfer: %s", list.Body)
		}
		if all := c.Get("/prospects/interactions").OK(); string(all.Body) != string(list.Body) {
			t.Errorf("everybody's: %s", all.Body)
		}
		for _, iid := range got {
			if one := c.Get("/prospect/" + p + "/interaction/" + iid).OK(); one.Str("id") != iid {
				t.Errorf("one: %s", one.Body)
			}
		}
		checkLists(t, c, at, got)
		checkUpdates(t, c, p, question.Str("0.id"), message.Str("0.id"), note.Str("0.id"))
		checkRefusals(t, acme, c, p, foreign, other, got)
	})
}

func parse(t *testing.T, s string) id.ID {
	t.Helper()
	v, err := id.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func checkLists(t *testing.T, c *apitest.Caller, at string, all []string) {
	t.Helper()
	whole := "/prospects/interactions"
	for _, q := range []string{"?via=instagram&via=inboundCall", "?via[0]=instagram&via[1]=inboundCall", "?via[]=instagram&via[]=inboundCall"} {
		for _, path := range []string{whole, at} {
			if got := idsOf(c.Get(path + q).OK().List()); !slices.Equal(got, []string{all[1], all[3]}) {
				t.Errorf("%s%s: %v", path, q, got)
			}
		}
	}
	for _, q := range []struct {
		query string
		want  []string
	}{
		{"?limit=2", all[:2]},
		{"?limit=2&before=" + all[1], all[2:4]},
		{"?limit=2&after=" + all[4], all[2:4]},
		{"?after=" + all[2] + "&before=" + all[0], all[1:2]},
		{"?status=opened", all[2:3]},
		{"?createdAfter=2020-10-28T03:00:02.000Z&createdBefore=2020-10-28T03:00:03.000Z", []string{all[2], all[3]}},
		{"?start=2020-10-28T03:00:02.000Z&end=2020-10-28T03:00:03.000Z", []string{all[2], all[3]}},
		{"?agent=" + "ffffffffffffffffffffffff", nil},
		{"?agent=" + "zzzzzzzzzzzzzzzzzzzzzzzz", nil},
	} {
		if got := idsOf(c.Get(whole + q.query).OK().List()); !slices.Equal(got, q.want) {
			t.Errorf("%s: %v, want %v", q.query, got, q.want)
		}
	}
	// A prospect's id is a cursor too: everything came behind it.
	p := strings.Split(at, "/")[2]
	if got := idsOf(c.Get(whole + "?after=" + p).OK().List()); !slices.Equal(got, all) {
		t.Errorf("after the prospect: %v", got)
	}
	if got := c.Get(whole + "?before=" + p).OK().List(); len(got) != 0 {
		t.Errorf("before the prospect: %v", got)
	}
	table := c.Get(at+"?format=csv", "Accept", "application/json").OK()
	rows, err := csv.NewReader(strings.NewReader(string(table.Body))).ReadAll()
	if err != nil || len(rows) != 6 || rows[0][0] != "id" || !slices.Contains(rows[0], "output.message.attachment.url") || rows[1][0] != all[0] {
		t.Errorf("as a table: %v %q", err, table.Body)
	}
	// The five examples of the window, and what they say about one end (reference §4.4, S).
	for query, valid := range map[string]bool{
		"createdAfter=2020-08-01T01:00:00.000Z&createdBefore=2020-10-01T01:00:00.000Z":         false,
		"createdAfter=2020-08-01T01:00:00.000Z&createdBefore=2020-06-01T01:00:00.000Z":         false,
		"createdAfter=2020-08-01T01:00:00.000Z&createdBefore=2020-09-01T01:00:00.000Z":         true,
		"createdAfter=2020-08-01:T03:00:00.000Z":                                               false,
		"createdAfter=2020-09-30:T03:00:00.000Z":                                               true,
		"start=2020-08-01T03:00:00.000Z":                                                       false,
		"end=2020-10-01T03:00:00.000Z":                                                         true,
		"createdAfter=2020-08-01T01:00:00.000Z&createdBefore=2020-10-01T01:00:00.000Z&limit=1": true,
	} {
		a := c.Get(whole + "?" + query)
		if valid {
			a.OK()
		} else {
			a.Refused(http.StatusBadRequest, "INVALID_DATE_RANGE")
		}
	}
	c.Get(whole+"?status=gone").Refused(http.StatusBadRequest, "INVALID_FILTER")
	c.Get(at+"?via=pigeon").Refused(http.StatusBadRequest, "INVALID_FILTER")
	c.Get(whole+"?before=x").Refused(http.StatusBadRequest, "INVALID_ID")
	c.Get(whole+"?limit=0").Refused(http.StatusBadRequest, "SCHEMA_VALIDATION_FAILED")
}

func checkUpdates(t *testing.T, c *apitest.Caller, p, question, message, note string) {
	t.Helper()
	at := "/prospect/" + p + "/interaction/"
	a := c.Put(at+question, map[string]any{"type": "question", "answer": "Ten"}).OK()
	if a.Str("status") != "answered" || a.Str("output.question.answer") != "Ten" || a.Str("finishedAt") == "" {
		t.Errorf("answered: %s", a.Body)
	}
	c.Put(at+question, map[string]any{"type": "question", "cancelReason": "sold"}).Refused(http.StatusConflict, "CONFLICT")
	if a := c.Put(at+message, map[string]any{"type": "message", "status": "read"}).OK(); a.Str("status") != "read" {
		t.Errorf("read: %s", a.Body)
	}
	c.Put(at+message, map[string]any{"type": "message", "status": "sent"}).Refused(http.StatusConflict, "CONFLICT")
	c.Put(at+note, map[string]any{"type": "note", "content": "x"}).Refused(http.StatusBadRequest, "SCHEMA_VALIDATION_FAILED")
	c.Put(at+id.New().String(), map[string]any{"type": "message", "status": "read"}).Refused(http.StatusNotFound, "NOT_FOUND")
}

func checkRefusals(t *testing.T, acme *apitest.Tenant, c *apitest.Caller, p, foreign string, other agent.Group, all []string) {
	t.Helper()
	event := map[string]any{"type": "note", "content": "x"}
	for _, who := range []string{foreign, id.New().String(), "zzzzzzzzzzzzzzzzzzzzzzzz"} {
		c.Get("/prospect/"+who+"/interactions").Refused(http.StatusNotFound, "NOT_FOUND")
		c.Post("/prospect/"+who+"/interactions", event).Refused(http.StatusNotFound, "NOT_FOUND")
		c.Get("/prospect/"+who+"/interaction/"+all[1]).Refused(http.StatusNotFound, "NOT_FOUND")
	}
	c.Post("/prospect/nobody/interactions", event).Refused(http.StatusBadRequest, "INVALID_ID")
	c.Get("/prospect/"+p+"/interaction/x").Refused(http.StatusBadRequest, "INVALID_ID")
	for _, bad := range []any{map[string]any{}, map[string]any{"type": "fax"}, map[string]any{"type": "note"}, map[string]any{"type": "call", "duration": -1},
		map[string]any{"type": "question"}, map[string]any{"type": "message"}, map[string]any{"type": "note", "content": 7}} {
		c.Post("/prospect/"+p+"/interactions", bad).Refused(http.StatusBadRequest, "SCHEMA_VALIDATION_FAILED")
	}
	if got := acme.In(other.ID).Get("/prospects/interactions").OK().List(); len(got) != 0 {
		t.Errorf("a sibling sees %v", got)
	}
	reader := acme.In(c.Key.Group, "prospects:read")
	reader.Post("/prospect/"+p+"/interactions", event).Refused(http.StatusForbidden, "INVALID_SCOPE")
	if got := reader.Get("/prospects/interactions?api-key=" + url.QueryEscape(reader.Token)).OK().List(); len(got) != len(all) {
		t.Errorf("a reader sees %d", len(got))
	}
}

// TestOldInteractions: without a limit a list is of the last 31 days, with one it
// goes back as far as there is something (reference §4.4).
func TestOldInteractions(t *testing.T) {
	apitest.Each(t, apitest.Options{At: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c := acme.Caller()
		p := prospectOf(acme, "919876543210", acme.Root.ID)
		var made []string
		for n := range 3 {
			made = append(made, c.Post("/prospect/"+p+"/interactions", map[string]any{"type": "note", "content": fmt.Sprint(n)}).OK().Str("0.id"))
			r.Clock.Advance(31 * 24 * time.Hour / 2)
		}
		slices.Reverse(made)
		if got := idsOf(c.Get("/prospects/interactions").OK().List()); !slices.Equal(got, made[:2]) {
			t.Errorf("the last 31 days: %v of %v", got, made)
		}
		if got := idsOf(c.Get("/prospects/interactions?limit=1000").OK().List()); !slices.Equal(got, made) {
			t.Errorf("with a limit: %v of %v", got, made)
		}
		if got := idsOf(c.Get("/prospect/" + p + "/interactions").OK().List()); !slices.Equal(got, made) {
			t.Errorf("of the prospect: %v of %v", got, made)
		}
	})
}
