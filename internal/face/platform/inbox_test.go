package platform_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"parley/internal/channel"
	"parley/internal/simulator"
	"parley/test/platformtest"
)

// picture is a real PNG, made larger by noise behind its end.
func picture(t *testing.T, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	for b.Len() < size {
		b.WriteByte(byte(b.Len() * 7))
	}
	return b.Bytes()
}

// upload posts a file in a field.
func upload(c *platformtest.Tenant, field, name, mime string, data []byte) platformtest.Answer {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	p, err := w.CreatePart(map[string][]string{"Content-Disposition": {fmt.Sprintf(`form-data; name=%q; filename=%q`, field, name)}, "Content-Type": {mime}})
	if err != nil {
		c.Fatal(err)
	}
	_, _ = p.Write(data)
	_ = w.Close()
	return c.Do("POST", "/api/saas/chat/upload", b.Bytes(), "Content-Type", w.FormDataContentType())
}

func TestConversations(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c, saved := r.NewTenant("Acme"), map[string]string{}
		account := c.Connect("15550001")
		const chat = "/api/saas/chat"
		play(t, c, saved, []scene{
			{name: "create", method: "POST", path: chat + "/conversations", status: 201, body: `{"phone":"+91 98765 43210","name":"Priya"}`,
				want: []string{`"userName":"Priya"`, `"phone":"919876543210"`, `"leadId":null`, `"owner":{"kind":"bot","agent":null,"since":null,"version":0}`}, save: map[string]string{"c": "_id"}},
			{name: "create again", method: "POST", path: chat + "/conversations", status: 200, body: `{"phone":"9876543210"}`, want: []string{`"_id":"{c}"`}},
			{name: "without a phone", method: "POST", path: chat + "/conversations", status: 400, body: `{"name":"x"}`, want: []string{`"phone":[`}},
			{name: "with a bad one", method: "POST", path: chat + "/conversations", status: 400, body: `{"phone":"12"}`, want: []string{`"INVALID_PHONE"`}},
			{name: "for an unknown lead", method: "POST", path: chat + "/conversations", status: 404, body: `{"phone":"9876543211","leadId":"aaaaaaaaaaaaaaaaaaaaaaaa"}`, want: []string{`"leadId":["there is no such lead"]`}},
			{name: "retrieve", method: "GET", path: chat + "/conversations/{c}", status: 200, want: []string{`"data":{`, `"_id":"{c}"`}},
			{name: "an unknown one", method: "GET", path: chat + "/conversations/aaaaaaaaaaaaaaaaaaaaaaaa", status: 404, want: []string{`"NOT_FOUND"`}},
			{name: "link by phone", method: "POST", path: chat + "/conversations/{c}/link-lead", status: 200, body: `{"name":"Priya Rao","email":"priya@acme.example"}`, forbid: []string{`"leadId":null`}, save: map[string]string{"lead": "leadId"}},
			{name: "who is now known", method: "GET", path: "/api/crm/leads/{lead}", status: 200, want: []string{`"firstName":"Priya"`, `"lastName":"Rao"`, `"email":"priya@acme.example"`, `"phone":"919876543210"`}},
			{name: "another lead", method: "POST", path: "/api/crm/leads", status: 201, body: `{"firstName":"Ravi","phone":"9876500000"}`, save: map[string]string{"ravi": "data._id"}},
			{name: "link a lead", method: "POST", path: chat + "/conversations/{c}/link-lead", status: 200, body: `{"leadId":"{ravi}"}`, want: []string{`"leadId":"{ravi}"`}},
			{name: "link nobody", method: "POST", path: chat + "/conversations/{c}/link-lead", status: 404, body: `{"leadId":"aaaaaaaaaaaaaaaaaaaaaaaa"}`, want: []string{`"leadId":[`}},
			{name: "close", method: "PATCH", path: chat + "/conversations/{c}", status: 200, body: `{"status":"resolved"}`, want: []string{`"status":"closed"`}},
			{name: "reopen", method: "PATCH", path: chat + "/conversations/{c}", status: 200, body: `{"status":"open"}`, want: []string{`"status":"open"`}},
			{name: "no such status", method: "PATCH", path: chat + "/conversations/{c}", status: 400, body: `{"status":"lost"}`, want: []string{`"status":[`}},
		})
		if err := r.Conversations.Receive(context.Background(), account, channel.Batch{Messages: []channel.Incoming{
			{Account: account.ExternalID, ProviderID: "wamid.a", From: "919876543210", At: time.Now(), Kind: channel.Text, Text: "hello"},
			{Account: account.ExternalID, ProviderID: "wamid.b", From: "919876543210", At: time.Now(), Kind: channel.Text, Text: "anybody?"}}}); err != nil {
			t.Fatal(err)
		}
		play(t, c, saved, []scene{
			{name: "unread", method: "GET", path: chat + "/conversations/{c}", status: 200, want: []string{`"unreadCount":2`, `"leadId":"{ravi}"`}},
			{name: "its messages", method: "GET", path: chat + "/conversations/{c}/messages", status: 200, want: []string{`"status":"delivered"`}, save: map[string]string{"m": "data.0._id"}},
			{name: "read by message", method: "POST", path: chat + "/messages/{m}/read", status: 200, want: []string{`"messageId":"{m}"`, `"status":"read"`}},
			{name: "which reads all", method: "GET", path: chat + "/conversations/{c}", status: 200, want: []string{`"unreadCount":0`}},
			{name: "read by conversation", method: "PATCH", path: chat + "/messages/{c}/read", status: 200, want: []string{`"_id":"{c}"`}},
			{name: "the other way round", method: "POST", path: chat + "/conversations/{m}/read", status: 200, want: []string{`"messageId":"{m}"`}},
			{name: "read nothing", method: "POST", path: chat + "/messages/aaaaaaaaaaaaaaaaaaaaaaaa/read", status: 404},
			{name: "star", method: "POST", path: chat + "/messages/{m}/star", status: 200, body: `{"isStarred":true}`, want: []string{`"isStarred":true`}},
			{name: "which shows", method: "GET", path: chat + "/conversations/{c}/messages", status: 200, want: []string{`"isStarred":true`, `"isStarred":false`}},
			{name: "react", method: "POST", path: chat + "/messages/{m}/react", status: 200, body: `{"emoji":"👍"}`, want: []string{`"reactions":[{"emoji":"👍","reactBy":"business"}]`}},
			{name: "take it back", method: "POST", path: chat + "/messages/{m}/react", status: 200, body: `{"reaction":""}`, want: []string{`"reactions":[]`}},
			{name: "react with nothing", method: "POST", path: chat + "/messages/{m}/react", status: 400, body: `{}`, want: []string{`"reaction":[`}},
			{name: "another", method: "POST", path: chat + "/conversations", status: 201, body: `{"phone":"9876543299"}`, save: map[string]string{"d": "_id"}},
			{name: "delete none", method: "POST", path: chat + "/conversations/bulk-delete", status: 400, body: `{"ids":[]}`, want: []string{`"ids":[`}},
			{name: "delete some", method: "POST", path: chat + "/conversations/bulk-delete", status: 200, body: `{"ids":["{d}","{d}","aaaaaaaaaaaaaaaaaaaaaaaa","x"]}`, want: []string{`"deleted":1`}},
			{name: "delete by the alias", method: "DELETE", path: chat + "/conversations", status: 200, body: `{"ids":["{d}"]}`, want: []string{`"deleted":0`}},
			{name: "delete", method: "DELETE", path: chat + "/conversations/{c}", status: 200, want: []string{`"success":true`}},
			{name: "delete again", method: "DELETE", path: chat + "/conversations/{c}", status: 404},
			{name: "with its messages", method: "POST", path: chat + "/messages/{m}/star", status: 404},
		})
	})
}

func TestConversationOwner(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c, saved := r.NewTenant("Acme"), map[string]string{}
		c.Connect("15550001")
		const chat = "/api/saas/chat"
		owner := chat + "/conversations/{c}/owner"
		play(t, c, saved, []scene{
			{name: "a conversation", method: "POST", path: chat + "/conversations", status: 201, body: `{"phone":"9876543210"}`, save: map[string]string{"c": "_id"}},
			{name: "take", method: "POST", path: owner, status: 200, body: `{"action":"take","agent":"asha"}`, want: []string{`"kind":"agent"`, `"agent":"asha"`, `"version":1`}},
			{name: "take again", method: "POST", path: owner, status: 200, body: `{"action":"take","agent":"asha"}`, want: []string{`"version":1`}},
			{name: "take from her", method: "POST", path: owner, status: 409, body: `{"action":"take","agent":"bela"}`, want: []string{`"CONFLICT"`, `"owner":{"agent":"asha","kind":"agent","version":1}`}},
			{name: "transfer", method: "POST", path: owner, status: 200, body: `{"action":"transfer","agentId":"bela","version":1}`, want: []string{`"agent":"bela"`, `"version":2`}},
			{name: "an old view", method: "POST", path: owner, status: 409, body: `{"action":"release","version":1}`, want: []string{`"version":2`}},
			{name: "release", method: "POST", path: owner, status: 200, body: `{"action":"release"}`, want: []string{`"kind":"queue"`}},
			{name: "transfer from nobody", method: "POST", path: owner, status: 409, body: `{"action":"transfer","agent":"asha"}`},
			{name: "the queue", method: "GET", path: chat + "/conversations?owner=queue", status: 200, want: []string{`"_id":"{c}"`}},
			{name: "not hers", method: "GET", path: chat + "/conversations?agent=bela", status: 200, want: []string{`"data":[]`}},
			{name: "return", method: "POST", path: owner, status: 200, body: `{"action":"return"}`, want: []string{`"kind":"bot"`, `"version":4`}},
			{name: "history", method: "GET", path: owner, status: 200, want: []string{`"kind":"bot"`, `"action":"return"`, `"action":"take"`, `"version":4`}},
			{name: "no agent", method: "POST", path: owner, status: 400, body: `{"action":"take"}`, want: []string{`"agent":[`}},
			{name: "no such move", method: "POST", path: owner, status: 400, body: `{"action":"steal","agent":"x"}`, want: []string{`"action":[`}},
			{name: "no move", method: "POST", path: owner, status: 400, body: `{}`, want: []string{`"action":[`}},
			{name: "no such owner", method: "GET", path: chat + "/conversations?owner=me", status: 400, want: []string{`"owner":[`}},
		})
	})
}

// A file goes up, out to the phone, and comes back from it; everybody who has
// the link reads the same bytes, and nobody without it.
func TestFiles(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c, other := r.NewTenant("Acme"), r.NewTenant("Globex")
		account := c.Connect("15550001")
		other.Connect("15550002")
		r.Work()
		data := picture(t, 700_000) // three chunks
		a := upload(c, "file", `..\sofa "red".png`, "image/png", data)
		link := a.Str(t, "url")
		if a.Status != 200 || a.Str(t, "data.type") != "image" || !strings.Contains(link, "/media/") {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		if b := fetched(t, r, "GET", local(t, link)); !bytes.Equal(b.Body, data) || b.Header.Get("X-Content-Type-Options") != "nosniff" || b.Header.Get("Content-Type") != "image/png" ||
			!strings.HasPrefix(b.Header.Get("Content-Disposition"), "inline") {
			t.Fatalf("read %d bytes of %d: %v", len(b.Body), len(data), b.Header)
		}
		part := fetched(t, r, "GET", local(t, link), "Range", "bytes=262140-262150")
		if part.Status != http.StatusPartialContent || !bytes.Equal(part.Body, data[262140:262151]) {
			t.Fatalf("a range over two chunks: %d %q", part.Status, part.Body)
		}
		if e := fetched(t, r, "GET", local(t, link), "If-None-Match", part.Header.Get("ETag")); e.Status != http.StatusNotModified {
			t.Fatalf("an unchanged file answered %d", e.Status)
		}
		if h := fetched(t, r, "HEAD", local(t, link)); h.Status != 200 || len(h.Body) != 0 {
			t.Fatalf("HEAD answered %d", h.Status)
		}
		for _, wrong := range []string{strings.Replace(local(t, link), "s=", "s=x", 1), strings.Replace(local(t, link), "e=1", "e=2", 1), local(t, link)[:strings.Index(local(t, link), "?")]} {
			if b := fetched(t, r, "GET", wrong); b.Status != http.StatusNotFound {
				t.Fatalf("%s answered %d", wrong, b.Status)
			}
		}
		send := func(c *platformtest.Tenant, body string) platformtest.Answer {
			return c.Do("POST", "/api/saas/chat/send", body)
		}
		if err := c.Conversations.Receive(context.Background(), account, channel.Batch{Messages: []channel.Incoming{
			{Account: account.ExternalID, ProviderID: "wamid.hi", From: "919876543210", At: time.Now(), Kind: channel.Text, Text: "hello"}}}); err != nil {
			t.Fatal(err)
		}
		if err := r.Sim.OpenWindow("919876543210", account.ExternalID, time.Now()); err != nil {
			t.Fatal(err)
		}
		for body, status := range map[string]int{
			`{"to":"9876543210","mediaUrl":"` + link + `","mediaType":"video"}`:        400,
			`{"to":"9876543210","mediaUrl":"http://files.example/a.png"}`:              400,
			`{"to":"9876543210","mediaUrl":"/media/aaaaaaaaaaaaaaaaaaaaaaaa?e=1&s=x"}`: 400,
			`{"to":"9876543210","mediaUrl":"https://user:pass@files.example/a.png"}`:   400,
		} {
			if a := send(c, body); a.Status != status || !strings.Contains(string(a.Body), `"media`) {
				t.Errorf("%s answered %d %s", body, a.Status, a.Body)
			}
		}
		if a := send(other, `{"to":"9876543210","mediaUrl":"`+link+`"}`); a.Status == 200 {
			t.Fatalf("another tenant sent the file: %s", a.Body)
		}
		sent := send(c, `{"to":"9876543210","mediaUrl":"`+link+`","caption":"as promised"}`)
		if sent.Status != 200 || sent.Str(t, "mediaType") != "image" || !strings.HasPrefix(sent.Str(t, "mediaUrl"), r.URL+"/media/") {
			t.Fatalf("%d %s", sent.Status, sent.Body)
		}
		conversation := sent.Str(t, "conversationId")
		messages := "/api/saas/chat/conversations/" + conversation + "/messages"
		platformtest.Eventually(t, "the phone has the picture", func() bool {
			inbox, err := r.Sim.Inbox("919876543210")
			if err != nil || len(inbox) == 0 {
				return false
			}
			content := string(inbox[0].Content)
			_, got, ok := r.Sim.File(account.ExternalID, between(content, `"id":"`, `"`))
			return ok && bytes.Equal(got, data) && inbox[0].Text == "as promised"
		})
		// The phone answers with a file of its own.
		pdf := append([]byte("%PDF-1.7\n"), bytes.Repeat([]byte("x"), 300_000)...)
		receiveFile(t, r, c, account, simulator.ReplyFile{Type: "document", MIME: "application/pdf", Data: pdf, Filename: "order.pdf", Caption: "my order"}, "wamid.pdf")
		if a := c.Do("GET", messages, nil); !strings.Contains(string(a.Body), `"my order"`) {
			t.Fatalf("%s", a.Body)
		}
		var got string
		platformtest.Eventually(t, "the file is here", func() bool {
			a := c.Do("GET", messages, nil)
			data := a.Get(t, "data").([]any)
			got, _ = data[len(data)-1].(map[string]any)["mediaUrl"].(string)
			return strings.Contains(got, "/media/")
		})
		b := fetched(t, r, "GET", local(t, got))
		if !bytes.Equal(b.Body, pdf) || !strings.HasPrefix(b.Header.Get("Content-Disposition"), "attachment") || !strings.Contains(b.Header.Get("Content-Disposition"), "order.pdf") {
			t.Fatalf("read %d bytes: %v", len(b.Body), b.Header)
		}
		for _, bad := range []struct {
			field, name, mime string
			data              []byte
			status            int
		}{
			{"file", "a.png", "image/png", nil, 400}, {"file", "a.svg", "image/svg+xml", []byte("\x00<svg/>"), 400}, {"file", "a.zip", "application/zip", []byte("PK\x03\x04abc"), 400},
			{"file", "big.png", "image/png", picture(t, 5<<20+1), 413}, {"file", "x.png", "image/png", []byte("GIF89a......"), 400},
		} {
			if a := upload(c, bad.field, bad.name, bad.mime, bad.data); a.Status != bad.status || !strings.Contains(string(a.Body), `"file":[`) {
				t.Errorf("%s answered %d %s", bad.name, a.Status, a.Body)
			}
		}
		for _, broken := range []string{"", "--b\r\nfoo", "--b\r\nContent-Disposition: form-data; name=\"file\"\r\nfoo\r\n\r\nx\r\n--b--\r\n"} {
			if a := c.Do("POST", "/api/saas/chat/upload", broken, "Content-Type", "multipart/form-data; boundary=b"); a.Status != 400 {
				t.Errorf("a form that is none: %d %s", a.Status, a.Body)
			}
		}
		if a := c.Do("POST", "/api/saas/chat/upload", `{}`); a.Status != 400 {
			t.Errorf("JSON answered %d %s", a.Status, a.Body)
		}
	})
}

// receiveFile hands over the webhook of a person's file, whose bytes the
// simulated Meta keeps.
func receiveFile(t *testing.T, r *platformtest.Rig, c *platformtest.Tenant, a channel.Account, f simulator.ReplyFile, wamid string) {
	t.Helper()
	fid := r.Sim.Keep(a.ExternalID, f.MIME, f.Data)
	if err := c.Conversations.Receive(context.Background(), a, channel.Batch{Messages: []channel.Incoming{{Account: a.ExternalID, ProviderID: wamid,
		From: "919876543210", At: time.Now(), Kind: f.Type, Text: f.Caption,
		Media: &channel.Media{ID: fid, MIME: f.MIME, Caption: f.Caption, Filename: f.Filename}}}}); err != nil {
		t.Fatal(err)
	}
}

func between(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return s
}

// fetched reads a link, as a browser does: no key, and no part of the described
// API.
func fetched(t *testing.T, r *platformtest.Rig, method, path string, headers ...string) platformtest.Answer {
	t.Helper()
	req, err := http.NewRequest(method, r.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return platformtest.Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
}

// local is the path and query of an address.
func local(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.RequestURI()
}
