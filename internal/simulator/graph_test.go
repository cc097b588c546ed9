package simulator

import (
	"bytes"
	"context"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAcceptedTextReachesThePhoneAndReportsStatuses(t *testing.T) {
	w := newWorld(t, Options{Seed: 1})
	w.open(person1)
	status, v := w.send(text("+1 (650) 555-1234", "Hello"))
	if status != 200 || dig(v, "messaging_product") != "whatsapp" || dig(v, "contacts", 0, "wa_id") != person1 || dig(v, "contacts", 0, "input") != "+1 (650) 555-1234" {
		t.Fatalf("answer %d %v", status, v)
	}
	wamid, _ := dig(v, "messages", 0, "id").(string)
	if !strings.HasPrefix(wamid, "wamid.") {
		t.Fatalf("id %q", wamid)
	}
	w.idle()
	if got := w.statuses(); !slices.Equal(got, []string{"sent", "delivered", "read"}) {
		t.Fatalf("statuses %v", got)
	}
	h := w.lastHook()
	value := dig(h, "entry", 0, "changes", 0, "value")
	for _, c := range []struct {
		got, want any
	}{
		{dig(h, "object"), "whatsapp_business_account"},
		{dig(h, "entry", 0, "id"), waba},
		{dig(h, "entry", 0, "changes", 0, "field"), "messages"},
		{dig(value, "messaging_product"), "whatsapp"},
		{dig(value, "metadata", "phone_number_id"), number},
		{dig(value, "metadata", "display_phone_number"), "15550783881"},
		{dig(value, "statuses", 0, "id"), wamid},
		{dig(value, "statuses", 0, "recipient_id"), person1},
		{dig(value, "statuses", 0, "biz_opaque_callback_data"), "our-id"},
		{dig(value, "statuses", 0, "timestamp"), unix(epoch)},
	} {
		if c.got != c.want {
			t.Errorf("got %v, want %v in %v", c.got, c.want, h)
		}
	}
	box, err := w.sim.Inbox(person1)
	if err != nil || len(box) != 1 || box[0].Text != "Hello" || box[0].ID != wamid || box[0].Callback != "our-id" || box[0].From != "15550783881" {
		t.Fatalf("inbox %+v %v", box, err)
	}
}

func TestReactionIsOnlySent(t *testing.T) {
	w := newWorld(t, Options{})
	w.open(person1)
	if status, v := w.send(`{"messaging_product":"whatsapp","to":"16505551234","type":"reaction","reaction":{"message_id":"wamid.x","emoji":"👍"}}`); status != 200 {
		t.Fatal(v)
	}
	w.idle()
	if got := w.statuses(); !slices.Equal(got, []string{"sent"}) {
		t.Fatal(got)
	}
}

func TestWindowClosesAfter24Hours(t *testing.T) {
	w := newWorld(t, Options{})
	if _, err := w.sim.Reply(context.Background(), Reply{From: person1, Text: "hi"}); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(24*time.Hour - time.Second)
	w.send(text(person1, "in time"))
	w.clock.Advance(time.Second)
	status, v := w.send(text(person1, "too late"))
	if status != 200 { // Meta accepts it and reports later
		t.Fatalf("%d %v", status, v)
	}
	w.idle()
	if got := w.statuses(); !slices.Equal(got, []string{"sent", "delivered", "read", "failed"}) {
		t.Fatal(got)
	}
	e := dig(w.lastHook(), "entry", 0, "changes", 0, "value", "statuses", 0, "errors", 0)
	if dig(e, "code") != 131047.0 || dig(e, "title") != "Re-engagement message" || dig(e, "error_data", "details") == nil {
		t.Fatal(e)
	}
	if box, _ := w.sim.Inbox(person1); len(box) != 1 || box[0].Text != "in time" {
		t.Fatalf("%+v", box)
	}
	// A template passes where free text does not.
	w.send(template(person1, "hello_world", ""))
	w.idle()
	if box, _ := w.sim.Inbox(person1); len(box) != 2 || !strings.Contains(box[1].Text, "Welcome!") || box[1].Template != "hello_world" {
		t.Fatalf("%+v", box)
	}
}

func TestOptOutStopsMarketingOnly(t *testing.T) {
	w := newWorld(t, Options{NoRead: true})
	if _, err := w.sim.OptOut(context.Background(), person1, "", false); err != nil {
		t.Fatal(err)
	}
	p := dig(w.lastHook(), "entry", 0, "changes", 0, "value", "user_preferences", 0)
	if dig(p, "wa_id") != person1 || dig(p, "value") != "stop" || dig(p, "category") != "marketing_messages" {
		t.Fatal(p)
	}
	two := `{"type":"body","parameters":[{"type":"text","text":"A"},{"type":"text","text":"B"}]}`
	if status, v := w.send(template(person1, "newsletter", two)); status != 200 {
		t.Fatal(v)
	}
	w.idle()
	if e := dig(w.lastHook(), "entry", 0, "changes", 0, "value", "statuses", 0, "errors", 0); dig(e, "code") != 131050.0 {
		t.Fatal(w.lastHook())
	}
	w.send(template(person1, "welcome", two)) // utility
	w.idle()
	if got := w.statuses(); !slices.Equal(got, []string{"failed", "sent", "delivered"}) {
		t.Fatal(got)
	}
	if _, err := w.sim.OptOut(context.Background(), person1, number, true); err != nil {
		t.Fatal(err)
	}
	w.send(template(person1, "newsletter", two))
	w.idle()
	if box, _ := w.sim.Inbox(person1); len(box) != 2 {
		t.Fatalf("%+v", box)
	}
}

func TestPairRateBorrowsFromTheFuture(t *testing.T) {
	w := newWorld(t, Options{})
	w.open(person1)
	w.open("16505550000")
	for i := range 45 {
		if status, v := w.send(text(person1, "x")); status != 200 {
			t.Fatalf("message %d: %d %v", i, status, v)
		}
	}
	if status, v := w.send(text(person1, "x")); status != 400 || code(v) != 131056 {
		t.Fatalf("46th: %d %v", status, v)
	}
	if status, _ := w.send(text("16505550000", "x")); status != 200 {
		t.Fatal("another person must not wait")
	}
	w.clock.Advance(45*6*time.Second - time.Second)
	if _, v := w.send(text(person1, "x")); code(v) != 131056 {
		t.Fatal(v)
	}
	w.clock.Advance(time.Second)
	if status, v := w.send(text(person1, "x")); status != 200 {
		t.Fatal(v)
	}
	// Steady: one in six seconds.
	for range 5 {
		w.clock.Advance(6 * time.Second)
		if status, v := w.send(text(person1, "x")); status != 200 {
			t.Fatal(v)
		}
	}
}

func TestThroughput(t *testing.T) {
	w := newWorld(t, Options{Limits: Limits{PerSecond: 3, PairGap: -1}})
	w.open(person1)
	for range 3 {
		if status, v := w.send(text(person1, "x")); status != 200 {
			t.Fatal(v)
		}
	}
	if status, v := w.send(text(person1, "x")); status != 400 || code(v) != 130429 {
		t.Fatal(v)
	}
	w.clock.Advance(time.Second)
	if status, v := w.send(text(person1, "x")); status != 200 {
		t.Fatal(v)
	}
}

func TestSynchronousRefusals(t *testing.T) {
	w := newWorld(t, Options{})
	w.open(person1)
	body := func(n string) string { return `{"type":"body","parameters":[` + n + `]}` }
	one := `{"type":"text","text":"A"}`
	for _, c := range []struct {
		name, token, path, body string
		status, code            int
	}{
		{"wrong token", "nope", "", text(person1, "x"), 401, 190},
		{"no token", "", "", text(person1, "x"), 401, 190},
		{"unknown number", token, "/v24.0/999/messages", text(person1, "x"), 400, 100},
		{"no version", token, "/x/" + number + "/messages", text(person1, "x"), 400, 2500},
		{"not JSON", token, "", "hello", 400, 100},
		{"no product", token, "", `{"to":"16505551234","type":"text","text":{"body":"x"}}`, 400, 100},
		{"no recipient", token, "", text("", "x"), 400, 131008},
		{"letters", token, "", text("abc", "x"), 400, 131009},
		{"too short", token, "", text("12", "x"), 400, 131009},
		{"itself", token, "", text("15550783881", "x"), 400, 131021},
		{"no body", token, "", text(person1, ""), 400, 131008},
		{"too long", token, "", text(person1, strings.Repeat("é", 4097)), 400, 100},
		{"type", token, "", `{"messaging_product":"whatsapp","to":"16505551234","type":"fax","fax":{}}`, 400, 100},
		{"part missing", token, "", `{"messaging_product":"whatsapp","to":"16505551234","type":"image"}`, 400, 131008},
		{"media unknown", token, "", `{"messaging_product":"whatsapp","to":"16505551234","type":"image","image":{"id":"1"}}`, 400, 131009},
		{"audio caption", token, "", `{"messaging_product":"whatsapp","to":"16505551234","type":"audio","audio":{"link":"https://a/b","caption":"c"}}`, 400, 100},
		{"template unknown", token, "", template(person1, "nope", ""), 404, 132001},
		{"too few", token, "", template(person1, "welcome", body(one)), 400, 132000},
		{"too many", token, "", template(person1, "hello_world", body(one)), 400, 132000},
		{"empty value", token, "", template(person1, "welcome", body(one+`,{"type":"text","text":""}`)), 400, 131008},
		{"paused", token, "", template(person1, "old_offer", body(one)), 400, 132015},
		{"header format", token, "", template(person1, "spring_sale", body(one+","+one)), 400, 132012},
		{"button missing", token, "", template(person1, "spring_sale", `{"type":"header","parameters":[{"type":"image","image":{"link":"https://a/b.png"}}]},`+body(one+","+one)), 400, 131008},
		{"callback", token, "", `{"messaging_product":"whatsapp","to":"16505551234","type":"text","text":{"body":"x"},"biz_opaque_callback_data":"` + strings.Repeat("x", 513) + `"}`, 400, 100},
	} {
		path := c.path
		if path == "" {
			path = "/v24.0/" + number + "/messages"
		}
		status, v := w.call("POST", path, c.token, c.body)
		if status != c.status || code(v) != c.code || dig(v, "error", "fbtrace_id") == nil || dig(v, "error", "message") == nil {
			t.Errorf("%s: %d %v, want %d with code %d", c.name, status, v, c.status, c.code)
		}
	}
	if box, _ := w.sim.Inbox(person1); len(box) != 0 {
		t.Fatalf("refused messages arrived: %+v", box)
	}
	w.idle()
	if got := w.statuses(); len(got) != 0 {
		t.Fatalf("refused messages have statuses: %v", got)
	}
}

func TestTemplateIsFilledIn(t *testing.T) {
	w := newWorld(t, Options{})
	status, v := w.send(template(person1, "spring_sale",
		`{"type":"header","parameters":[{"type":"image","image":{"link":"https://a/b.png"}}]},
		 {"type":"body","parameters":[{"type":"text","text":"Priya"},{"type":"text","text":"Friday"}]},
		 {"type":"button","sub_type":"url","index":"0","parameters":[{"type":"text","text":"x1"}]}`))
	if status != 200 {
		t.Fatal(v)
	}
	box, _ := w.sim.Inbox(person1)
	if len(box) != 1 || box[0].Text != "Priya, everything is 20% off until Friday.\nReply STOP to end" {
		t.Fatalf("%+v", box)
	}
}

func TestTemplatesPage(t *testing.T) {
	w := newWorld(t, Options{})
	var got []string
	path := "/v24.0/" + waba + "/message_templates?limit=4"
	for pages := 0; path != ""; pages++ {
		status, v := w.call("GET", path, token, "")
		if status != 200 || pages > 3 {
			t.Fatal(status, v)
		}
		list, _ := v["data"].([]any)
		for _, one := range list {
			got = append(got, dig(one, "name").(string))
		}
		next, _ := dig(v, "paging", "next").(string)
		path = strings.TrimPrefix(next, w.graph.URL)
	}
	if len(got) != len(DemoTemplates()) || got[0] != "hello_world" {
		t.Fatal(got)
	}
	if status, v := w.call("GET", "/v24.0/"+waba+"/message_templates", "x", ""); status != 401 || code(v) != 190 {
		t.Fatal(v)
	}
	if status, v := w.call("GET", "/v24.0/77/message_templates", token, ""); status != 400 || code(v) != 100 {
		t.Fatal(v)
	}
}

func TestMediaUploadAndSend(t *testing.T) {
	w := newWorld(t, Options{})
	w.open(person1)
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	_ = form.WriteField("messaging_product", "whatsapp")
	_ = form.WriteField("type", "image/png")
	part, _ := form.CreateFormFile("file", "a.png")
	_, _ = part.Write([]byte("picture"))
	_ = form.Close()
	req, _ := http.NewRequest("POST", w.graph.URL+"/v24.0/"+number+"/media", &body)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", form.FormDataContentType())
	resp, err := w.client.Do(req)
	w.must(err)
	raw, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	id := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(string(raw)), `{"id":"`), `"}`)
	if resp.StatusCode != 200 || onlyDigits(id) != id {
		t.Fatalf("%d %s", resp.StatusCode, raw)
	}
	if status, v := w.send(`{"messaging_product":"whatsapp","to":"16505551234","type":"image","image":{"id":"` + id + `","caption":"look"}}`); status != 200 {
		t.Fatal(v)
	}
	status, v := w.call("GET", "/v24.0/"+id, token, "")
	if status != 200 || dig(v, "mime_type") != "image/png" || dig(v, "file_size") != 7.0 {
		t.Fatal(v)
	}
	if status, _ := w.call("GET", "/v24.0/"+id, "x", ""); status != 401 {
		t.Fatal(status)
	}
	link, _ := dig(v, "url").(string)
	req, _ = http.NewRequest("GET", link, nil)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err = w.client.Do(req)
	w.must(err)
	raw, _ = io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(raw) != "picture" {
		t.Fatalf("%s", raw)
	}
}
