package platform_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"parley/internal/channel"
	"parley/test/platformtest"
)

// What the bulk calls and the lead's fields take beside the first spelling, and
// what they say about the rest.
func TestTolerances(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c, saved := r.NewTenant("Acme"), map[string]string{}
		c.Connect("15550001")
		const crm, chat = "/api/saas/crm", "/api/saas/chat"
		play(t, c, saved, []scene{
			{name: "a lead", method: "POST", path: crm + "/leads", status: 201, body: `{"firstName":"Asha","lastName":"Rao","phone":"9876543210"}`, save: map[string]string{"lead": "data._id"}},
			{name: "a number beyond all", method: "PATCH", path: crm + "/leads/{lead}/metadata", status: 400, body: `{"a":1e400}`, want: []string{`"metadata.a":["metadata.a must be`}},
			{name: "one deep inside", method: "PATCH", path: crm + "/leads/{lead}", status: 400, body: `{"metadata":{"extra":{"a":[{"b":-1e400}]}}}`, want: []string{`"metadata.extra.a":["metadata.extra.a must be`}},
			{name: "of somebody new", method: "POST", path: crm + "/leads", status: 400, body: `[{"firstName":"B","phone":"9876543213","metadata":{"a":1e400}}]`, want: []string{`"leads[0].metadata.a":[`}},
			{name: "in one row of two", method: "POST", path: crm + "/leads/import", status: 200, body: `{"leads":[{"phone":"9876543213","metadata":{"a":1e400}},{"phone":"9876543214"}]}`, want: []string{`"created":1`, `"failed":1`}},
			{name: "a whole name", method: "PATCH", path: crm + "/leads/{lead}", status: 200, body: `{"name":"Asha Devi Rao"}`, want: []string{`"firstName":"Asha","lastName":"Devi Rao"`}},
			{name: "an empty one", method: "PATCH", path: crm + "/leads/{lead}", status: 400, body: `{"name":" "}`, want: []string{`"firstName":[`}},
			{name: "beside the first name", method: "PATCH", path: crm + "/leads/{lead}", status: 200, body: `{"name":"X Y","firstName":"Asha"}`, want: []string{`"fullName":"Asha Devi Rao"`}},
			{name: "born archived", method: "POST", path: crm + "/leads", status: 400, body: `{"firstName":"B","phone":"9876543211","status":"archived"}`, want: []string{`store it and delete it then`}},
			{name: "an upsert to a status", method: "POST", path: crm + "/leads/upsert", status: 400, body: `{"leadData":{"phone":"9876543210","status":"won"}}`, want: []string{`"leadData.status":[`}},
			{name: "of somebody new", method: "POST", path: crm + "/leads/upsert", status: 400, body: `{"leadData":{"phone":"9876543212","status":"lost"}}`, want: []string{`"leadData.status":[`}},
			{name: "to no status", method: "POST", path: crm + "/leads/upsert", status: 400, body: `{"leadData":{"phone":"9876543210","status":"hot"}}`, want: []string{`"leadData.status":[`}},
			{name: "won", method: "POST", path: crm + "/leads/{lead}/convert", status: 200, body: `{"outcome":"won"}`},
			{name: "an upsert that sends it back", method: "POST", path: crm + "/leads/upsert", status: 200, body: `{"leadData":{"phone":"9876543210","status":"won"}}`, want: []string{`"status":"won"`}},
			{name: "a reference that is a number", method: "POST", path: crm + "/leads/upsert", status: 200, body: `{"leadData":{"phone":"9876543210"},"moduleInfo":{"module":"product_purchase","id":1234567}}`, want: []string{`"orderId":"1234567"`}},
			{name: "twice in a list", method: "POST", path: crm + "/leads", status: 409, body: `[{"firstName":"A","phone":"9876500001"},{"firstName":"B","phone":"+919876500001"}]`,
				want: []string{`"leads[1].phone":["the phone stands in leads[0] as well"]`}},
			{name: "no object in a list", method: "POST", path: crm + "/leads", status: 400, body: `[7]`, want: []string{`"leads[0]":["leads[0] must be an object`}, forbid: []string{`"error":`}},
			{name: "leads by the other name", method: "POST", path: crm + "/leads/bulk-delete", status: 200, body: `{"leadIds":["{lead}"]}`, want: []string{`"deleted":1`}},
			{name: "the other name of a wrong type", method: "POST", path: crm + "/leads/bulk-delete", status: 400, body: `{"ids":["{lead}"],"leadIds":{"k":{}}}`, want: []string{`"leadIds":["leadIds must be a list`}},
			{name: "ids of a wrong type", method: "POST", path: crm + "/leads/bulk-delete", status: 400, body: `{"ids":[5]}`, want: []string{`"ids.0":["ids.0 must be a string`}},

			{name: "a conversation", method: "POST", path: chat + "/conversations", status: 201, body: `{"phone":"9876543220"}`, save: map[string]string{"a": "_id"}},
			{name: "another", method: "POST", path: chat + "/conversations", status: 201, body: `{"phone":"9876543221"}`, save: map[string]string{"b": "_id"}},
			{name: "one more", method: "POST", path: chat + "/conversations", status: 201, body: `{"phone":"9876543222"}`, save: map[string]string{"c": "_id"}},
			{name: "as people write a phone", method: "GET", path: chat + "/conversations?search=%2B91%2098765-43221", status: 200, want: []string{`"_id":"{b}"`}, forbid: []string{`"{a}"`}},
			{name: "without a body", method: "DELETE", path: chat + "/conversations?ids={a}", status: 200, want: []string{`"data":{"deleted":1},"deleted":1`}},
			{name: "a bare list", method: "POST", path: chat + "/conversations/bulk-delete", status: 200, body: `["{b}"]`, want: []string{`"deleted":1`}},
			{name: "conversations by the other name", method: "POST", path: chat + "/conversations/bulk-delete", status: 200, body: `{"conversationIds":["{c}"]}`, want: []string{`"deleted":1`}},
			{name: "a long name", method: "POST", path: chat + "/conversations", status: 400, body: `{"phone":"9876543223","name":"` + fmt.Sprintf("%0201d", 0) + `"}`, want: []string{`"name":[`}},
		})
	})
}

// Forward and backward, pages that are longer than what the room below returns
// at once lose nothing, also among messages of one moment.
func TestMessagesInBothDirections(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c := r.NewTenant("Acme")
		account := c.Connect("15550001")
		const all = 230
		var b channel.Batch
		at := time.Now().Add(-time.Hour).Truncate(time.Second)
		for i := range all {
			b.Messages = append(b.Messages, channel.Incoming{Account: account.ExternalID, ProviderID: fmt.Sprintf("wamid.%d", i), From: "919876543210",
				At: at.Add(time.Duration(i/3) * time.Millisecond), Kind: channel.Text, Text: fmt.Sprint(i)})
		}
		if err := r.Conversations.Receive(context.Background(), account, b); err != nil {
			t.Fatal(err)
		}
		list := c.Do("GET", "/api/saas/chat/conversations", nil)
		path := "/api/saas/chat/conversations/" + list.Str(t, "data.0._id") + "/messages"
		for _, way := range []struct{ first, next string }{{"", "before"}, {"&after=2026-01-01", "after"}} {
			for _, limit := range []int{70, 210} {
				seen, query := map[string]bool{}, way.first
				for pages := 0; ; pages++ {
					a := c.Do("GET", fmt.Sprintf("%s?limit=%d%s", path, limit, query), nil)
					if a.Status != 200 || pages > all/limit {
						t.Fatalf("page %d answered %d: %.300s", pages, a.Status, a.Body)
					}
					var page struct {
						Data []struct {
							ID string `json:"_id"`
						} `json:"data"`
						HasMore    bool   `json:"hasMore"`
						NextCursor string `json:"nextCursor"`
					}
					if err := json.Unmarshal(a.Body, &page); err != nil {
						t.Fatal(err)
					}
					if len(page.Data) > limit || page.HasMore && len(page.Data) < limit {
						t.Fatalf("page %d of %d holds %d, more: %v", pages, limit, len(page.Data), page.HasMore)
					}
					for _, m := range page.Data {
						seen[m.ID] = true
					}
					if !page.HasMore {
						break
					}
					query = "&" + way.next + "=" + page.NextCursor
				}
				if len(seen) != all {
					t.Errorf("by %s, %d at once: %d messages of %d", way.next, limit, len(seen), all)
				}
			}
		}
		if a := c.Do("GET", path+"?after=aaaaaaaaaaaaaaaaaaaaaaaa", nil); a.Status != 400 {
			t.Errorf("after nobody's message: %d %s", a.Status, a.Body)
		}
	})
}
