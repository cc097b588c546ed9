package simulator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/internal/clock"
	"parley/internal/simulator"
)

// pageWorld is a simulated page with a receiver of its webhooks.
type pageWorld struct {
	t      *testing.T
	sim    *simulator.Simulator
	clock  *clock.Fake
	url    string
	mu     sync.Mutex
	bodies []string
}

func newPageWorld(t *testing.T) *pageWorld {
	w := &pageWorld{t: t, clock: clock.NewFake(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))}
	transport := &http.Transport{}
	ours := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if r.Header.Get("X-Hub-Signature-256") == "" {
			t.Error("a webhook without a signature")
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.bodies = append(w.bodies, string(b))
	}))
	w.sim = simulator.New(simulator.Options{Clock: w.clock, Doer: &http.Client{Transport: transport}, Seed: 7})
	graph := httptest.NewServer(w.sim.Handler())
	w.url = graph.URL
	t.Cleanup(func() {
		w.sim.Close()
		transport.CloseIdleConnections()
		http.DefaultClient.CloseIdleConnections()
		graph.Close()
		ours.Close()
	})
	for _, id := range []string{"1001", "1002"} {
		if err := w.sim.AddPage(simulator.Page{ID: id, Token: "token-" + id, AppSecret: "s", WebhookURL: ours.URL, GraphURL: graph.URL}); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *pageWorld) hooks() []string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := w.sim.Idle(ctx); err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	out := slices.Clone(w.bodies)
	w.bodies = nil
	return out
}

// post sends as the documentation writes it, with the token in the query.
func (w *pageWorld) post(node, token, body string) (status int, answer map[string]any) {
	w.t.Helper()
	resp, err := http.Post(w.url+"/v24.0/"+node+"/messages?access_token="+token, "application/json", strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, answer
}

const hello = `{"recipient":{"id":"77777"},"messaging_type":"RESPONSE","message":{"text":"hello, world!","metadata":"ours"}}`

func (w *pageWorld) writes(r simulator.PageReply) simulator.Replied {
	w.t.Helper()
	out, err := w.sim.PageReply(context.Background(), r)
	if err != nil || !out.Accepted {
		w.t.Fatalf("%+v %v", out, err)
	}
	return out
}

func TestPageErrors(t *testing.T) {
	w := newPageWorld(t)
	refused := func(what, node, token, body string, code, subcode float64) {
		t.Helper()
		status, answer := w.post(node, token, body)
		e, _ := answer["error"].(map[string]any)
		sub, _ := e["error_subcode"].(float64)
		if status < 400 || e["code"] != code || sub != subcode || e["type"] != "OAuthException" || e["fbtrace_id"] == "" {
			t.Errorf("%s: %d %v", what, status, answer)
		}
	}
	refused("a stranger", "1001", "token-1001", hello, 100, 2018001)
	refused("wrong token", "1001", "token-1002", hello, 190, 0)
	refused("no page", "4711", "token-1001", hello, 100, 33)
	w.writes(simulator.PageReply{From: "77777", To: "1001", Text: "hi"})
	refused("a page they never wrote to", "1002", "token-1002", hello, 100, 2018001)
	for what, m := range map[string]string{
		"long text":    `{"text":"` + strings.Repeat("x", 2001) + `"}`,
		"empty":        `{}`,
		"both":         `{"text":"x","attachment":{"type":"image","payload":{"url":"https://x.example"}}}`,
		"bad url":      `{"attachment":{"type":"image","payload":{"url":"ftp://x"}}}`,
		"no such file": `{"attachment":{"type":"image","payload":{"attachment_id":"1"}}}`,
		"metadata":     `{"text":"x","metadata":"` + strings.Repeat("x", 1000) + `"}`,
		"14 replies":   `{"text":"x","quick_replies":[` + strings.Repeat(`{"content_type":"text","title":"a","payload":"b"},`, 13) + `{"content_type":"text","title":"a","payload":"b"}]}`,
		"4 buttons":    `{"attachment":{"type":"template","payload":{"template_type":"button","text":"x","buttons":[` + strings.Repeat(`{"type":"postback","title":"a","payload":"b"},`, 3) + `{"type":"postback","title":"a","payload":"b"}]}}}`,
		"hologram":     `{"attachment":{"type":"hologram","payload":{}}}`,
	} {
		status, answer := w.post("1001", "token-1001", `{"recipient":{"id":"77777"},"messaging_type":"RESPONSE","message":`+m+`}`)
		if e, _ := answer["error"].(map[string]any); status != 400 || e["code"] != 100.0 {
			t.Errorf("%s: %d %v", what, status, answer)
		}
	}
	if err := w.sim.Block("77777", "1001", true); err != nil {
		t.Fatal(err)
	}
	refused("blocked", "1001", "token-1001", hello, 551, 1545041)
	if err := w.sim.Block("77777", "1001", false); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(24 * time.Hour)
	refused("24 hours", "1001", "token-1001", hello, 10, 2018278)
	if status, _ := w.post("1001", "token-1001", strings.Replace(hello, `"RESPONSE"`, `"MESSAGE_TAG","tag":"ACCOUNT_UPDATE"`, 1)); status != 200 {
		t.Errorf("a tagged message: %d", status)
	}
	w.writes(simulator.PageReply{From: "77777", To: "1001", Text: "back"})
	if status, answer := w.post("me", "token-1001", hello); status != 200 || answer["recipient_id"] != "77777" || answer["message_id"] == "" {
		t.Errorf("open again: %d %v", status, answer)
	}
	for i := 0; i < 297; i++ { // three calls went before
		if status, answer := w.post("1001", "token-1001", hello); status != 200 {
			t.Fatalf("message %d: %v", i, answer)
		}
	}
	refused("301 a second", "1001", "token-1001", hello, 613, 0)
}

func TestPageWebhooks(t *testing.T) {
	w := newPageWorld(t)
	in := w.writes(simulator.PageReply{From: "77777", To: "1001", Text: "hi", FirstName: "Maria", LastName: "Silva"})
	if got := w.hooks(); len(got) != 1 || got[0] != `{"entry":[{"id":"1001","messaging":[{"message":{"mid":"`+in.ID+`","text":"hi"},"recipient":{"id":"1001"},"sender":{"id":"77777"},"timestamp":1772442000000}],"time":1772442000000}],"object":"page"}` {
		t.Errorf("%v", got)
	}
	w.writes(simulator.PageReply{From: "77777", To: "1001", Text: "Yes", Payload: "YES"})
	if got := w.hooks(); len(got) != 1 || !strings.Contains(got[0], `"postback":{"mid":"m_`) || !strings.Contains(got[0], `"payload":"YES","title":"Yes"`) {
		t.Errorf("%v", got)
	}
	two, yes := 1, true
	if err := w.sim.InjectFault(simulator.Fault{Duplicates: &two, Disorder: &yes}); err != nil {
		t.Fatal(err)
	}
	status, answer := w.post("1001", "token-1001", hello)
	got := w.hooks()
	if status != 200 || len(got) != 6 {
		t.Fatalf("%d, %d webhooks: %v", status, len(got), got)
	}
	mid, counts := answer["message_id"].(string), map[string]int{}
	for _, b := range got {
		for _, part := range []string{`"is_echo":true,"metadata":"ours","mid":"` + mid, `"delivery":{"mids":["` + mid + `"],"watermark":1772442000000}`, `"read":{"watermark":1772442000000}`} {
			if strings.Contains(b, part) {
				counts[part]++
			}
		}
	}
	if len(counts) != 3 {
		t.Errorf("the news are %v of %v", counts, got)
	}
	box, err := w.sim.PageInbox("77777")
	if err != nil || len(box) != 1 || box[0].Text != "hello, world!" || box[0].Callback != "ours" {
		t.Errorf("%+v %v", box, err)
	}
}

func TestPageFilesAndProfiles(t *testing.T) {
	w := newPageWorld(t)
	in := w.writes(simulator.PageReply{From: "77777", To: "1001", FirstName: "Maria", LastName: "Silva", Files: []simulator.ReplyFile{{Type: "image", MIME: "image/png", Data: []byte("png")}}})
	get := func(path, token string) (int, string) {
		resp, err := http.Get(path + token)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	if status, body := get(w.url+"/v24.0/77777?fields=first_name,last_name&access_token=", "token-1001"); status != 200 || !strings.Contains(body, `"first_name":"Maria"`) {
		t.Errorf("profile: %d %s", status, body)
	}
	for _, path := range []string{"/v24.0/77777?access_token=", "/v24.0/" + in.ID + "?fields=attachments&access_token="} {
		if status, body := get(w.url+path, "token-1002"); status != 400 {
			t.Errorf("another page reads %s: %d %s", path, status, body)
		}
		if status, body := get(w.url+path, "none"); status != 401 {
			t.Errorf("nobody reads %s: %d %s", path, status, body)
		}
	}
	var hook struct {
		Entry []struct {
			Messaging []struct {
				Message struct {
					Attachments []struct {
						Type    string
						Payload struct{ URL string }
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(w.hooks()[0]), &hook); err != nil {
		t.Fatal(err)
	}
	at := hook.Entry[0].Messaging[0].Message.Attachments[0]
	if status, body := get(at.Payload.URL, ""); status != 200 || body != "png" || at.Type != "image" {
		t.Errorf("the file of the webhook: %d %s", status, body)
	}
	if status, _ := get(strings.Split(at.Payload.URL, "?")[0], ""); status != 403 {
		t.Errorf("without its signature: %d", status)
	}
	var stored struct {
		Attachments struct {
			Data []struct {
				Image struct{ URL string } `json:"image_data"`
			}
		}
	}
	_, body := get(w.url+"/v24.0/"+in.ID+"?fields=attachments&access_token=", "token-1001")
	if json.Unmarshal([]byte(body), &stored) != nil || len(stored.Attachments.Data) != 1 || stored.Attachments.Data[0].Image.URL != at.Payload.URL {
		t.Errorf("the message's attachments: %s", body)
	}
}

// TestPageControl: the routes under /_sim/.
func TestPageControl(t *testing.T) {
	w := newPageWorld(t)
	call := func(method, path, body string) (int, string) {
		req, err := http.NewRequest(method, w.url+path, bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	for _, bad := range []string{`{}`, `{"pageId":"a b","token":"t","appSecret":"s"}`, `{"pageId":"1","appSecret":"s"}`, `{"pageId":"1","token":"t"}`, `{"pageId":"1","token":"t","appSecret":"s","webhookUrl":"x"}`} {
		if status, body := call("POST", "/_sim/pages", bad); status != 400 {
			t.Errorf("%s: %d %s", bad, status, body)
		}
	}
	if status, body := call("GET", "/_sim/pages", ""); status != 200 || !strings.Contains(body, `"pageId":"1001"`) || strings.Contains(body, "token-1001") {
		t.Errorf("pages: %d %s", status, body)
	}
	for _, bad := range []string{`{"to":"1001","text":"x"}`, `{"from":"abc","to":"1001","text":"x"}`, `{"from":"77777","to":"1001"}`, `{"from":"77777","text":"x"}`, `{"from":"77777","to":"1001","files":[{"type":"x"}]}`} {
		if status, body := call("POST", "/_sim/messenger/reply", bad); status != 400 {
			t.Errorf("%s: %d %s", bad, status, body)
		}
	}
	if status, body := call("POST", "/_sim/messenger/reply", `{"from":"77777","to":"1001","text":"x"}`); status != 200 || !strings.Contains(body, `"accepted":true`) {
		t.Errorf("reply: %d %s", status, body)
	}
	if status, body := call("POST", "/_sim/messenger/block", `{"person":"77777","page":"1001","blocked":true}`); status != 200 {
		t.Errorf("block: %d %s", status, body)
	}
	if status, body := call("GET", "/_sim/messenger/inbox?to=77777", ""); status != 200 || !strings.Contains(body, `"messages":[]`) {
		t.Errorf("inbox: %d %s", status, body)
	}
	if status, _ := call("GET", "/_sim/messenger/inbox?to=x", ""); status != 400 {
		t.Errorf("inbox of nobody: %d", status)
	}
}
