package whatsapp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/internal/channel"
	"parley/internal/channel/whatsapp"
	"parley/internal/clock"
	"parley/internal/id"
)

var account = channel.Account{
	Kind: whatsapp.Kind, ExternalID: "106540352242922",
	Settings: map[string]string{"wabaId": "102290129340398"},
	Secrets:  map[string]string{"token": "EAAtoken", "appSecret": "s3cret"},
}

func sendErr(t *testing.T, err error) *channel.SendError {
	t.Helper()
	var e *channel.SendError
	if !errors.As(err, &e) {
		t.Fatalf("%v (%T) is not a *channel.SendError", err, err)
	}
	return e
}

// TestRequests compares what goes over the wire with the documented requests
// (Meta Cloud API, "Messages", "Send message templates", "Reaction messages").
func TestRequests(t *testing.T) {
	var path, auth, body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		path, auth, body = r.Method+" "+r.URL.Path, r.Header.Get("Authorization"), string(b)
		_, _ = io.WriteString(w, `{"messaging_product":"whatsapp","contacts":[{"input":"16505551234","wa_id":"16505551234"}],"messages":[{"id":"wamid.HBgLMTY0NjcwNDM1OTUVAgARGBI1RjQyNUE3NEYxMzAzMzQ5MkEA"}]}`)
	}))
	t.Cleanup(server.Close)
	c := whatsapp.New(newClient(t), server.URL+"/", "", clock.NewFake(epoch))
	msg := id.New()
	link := "https://example.com/f"
	for _, tc := range []struct {
		name string
		m    channel.Outgoing
		want string
	}{
		{"text", channel.Outgoing{Kind: "text", Text: "Hi"}, `"type":"text","text":{"body":"Hi"}`},
		{"link", channel.Outgoing{Kind: "text", Text: "See https://a.b"}, `"type":"text","text":{"preview_url":true,"body":"See https://a.b"}`},
		{"reply", channel.Outgoing{Kind: "text", Text: "Hi", ReplyTo: "wamid.X"}, `"type":"text","context":{"message_id":"wamid.X"},"text":{"body":"Hi"}`},
		{"image by id", channel.Outgoing{Kind: "image", Media: &channel.Media{ID: "42", URL: link, Caption: "c"}}, `"type":"image","image":{"id":"42","caption":"c"}`},
		{"video by link", channel.Outgoing{Kind: "video", Text: "t", Media: &channel.Media{URL: link}}, `"type":"video","video":{"link":"https://example.com/f","caption":"t"}`},
		{"audio", channel.Outgoing{Kind: "audio", Media: &channel.Media{URL: link, Filename: "x"}}, `"type":"audio","audio":{"link":"https://example.com/f"}`},
		{"document", channel.Outgoing{Kind: "document", Media: &channel.Media{URL: link, Filename: "bill.pdf"}}, `"type":"document","document":{"link":"https://example.com/f","filename":"bill.pdf"}`},
		{"reaction", channel.Outgoing{Kind: "reaction", ReplyTo: "wamid.X", Reaction: "😀"}, `"type":"reaction","reaction":{"message_id":"wamid.X","emoji":"😀"}`},
		{"reaction back", channel.Outgoing{Kind: "reaction", ReplyTo: "wamid.X"}, `"type":"reaction","reaction":{"message_id":"wamid.X","emoji":""}`},
		{"template", channel.Outgoing{Kind: "template", Template: &channel.TemplateSend{
			Name: "order", Language: "en_US", Header: []string{"H"}, Body: []string{"1", "2"}, Buttons: []channel.ButtonValue{{Index: 1, Value: "u"}},
		}}, `"type":"template","template":{"name":"order","language":{"code":"en_US"},"components":[{"type":"header","parameters":[{"type":"text","text":"H"}]},{"type":"body","parameters":[{"type":"text","text":"1"},{"type":"text","text":"2"}]},{"type":"button","sub_type":"url","index":"1","parameters":[{"type":"text","text":"u"}]}]}`},
		{"template without values", channel.Outgoing{Kind: "template", Template: &channel.TemplateSend{Name: "hello_world", Language: "en_US"}}, `"type":"template","template":{"name":"hello_world","language":{"code":"en_US"}}`},
		{"template with a file", channel.Outgoing{Kind: "template", Template: &channel.TemplateSend{Name: "n", Language: "de", HeaderKind: "document", HeaderMedia: &channel.Media{ID: "7", Filename: "a.pdf", Caption: "not shown"}}}, `"type":"template","template":{"name":"n","language":{"code":"de"},"components":[{"type":"header","parameters":[{"type":"document","document":{"id":"7","filename":"a.pdf"}}]}]}`},
	} {
		tc.m.ID, tc.m.To = msg, person
		r, err := c.Send(context.Background(), account, tc.m)
		if err != nil || r.ProviderID != "wamid.HBgLMTY0NjcwNDM1OTUVAgARGBI1RjQyNUE3NEYxMzAzMzQ5MkEA" {
			t.Errorf("%s: %+v %v", tc.name, r, err)
			continue
		}
		if path != "POST /v24.0/106540352242922/messages" || auth != "Bearer EAAtoken" {
			t.Errorf("%s: %s with %s", tc.name, path, auth)
		}
		var got, want any
		text := `{"messaging_product":"whatsapp","recipient_type":"individual","to":"16505551234","biz_opaque_callback_data":"` + msg.String() + `",` + tc.want + `}`
		if json.Unmarshal([]byte(body), &got) != nil || json.Unmarshal([]byte(text), &want) != nil {
			t.Fatalf("%s: not JSON: %s\n%s", tc.name, body, text)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", tc.name, d)
		}
	}
	// A person behind a username, and settings of the account's own.
	a := account
	a.Settings = map[string]string{"version": "v25.0"}
	if _, err := c.Send(context.Background(), a, channel.Outgoing{ID: msg, To: "US.13491208655302741918", Kind: "text", Text: "x"}); err != nil {
		t.Fatal(err)
	}
	if path != "POST /v25.0/106540352242922/messages" || !strings.Contains(body, `"recipient":"US.13491208655302741918"`) || strings.Contains(body, `"to"`) {
		t.Errorf("%s %s", path, body)
	}
}

func TestAnswers(t *testing.T) {
	var status int
	var body, retryAfter string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	c := whatsapp.New(newClient(t), server.URL, "", clock.NewFake(epoch))
	meta := func(code int) string {
		return fmt.Sprintf(`{"error":{"message":"(#%d) Title","type":"OAuthException","code":%d,"error_subcode":2494055,"error_data":{"messaging_product":"whatsapp","details":"The details"},"fbtrace_id":"A"}}`, code, code)
	}
	const retry, refused, unknown = channel.Retry, channel.Refused, channel.Unknown
	for _, tc := range []struct {
		name        string
		status      int
		body, after string
		outcome     channel.Outcome
		wide        bool
		wait        time.Duration
	}{
		{"throughput", 400, meta(130429), "", retry, true, 2 * time.Second},
		{"throughput with header", 429, meta(130429), "90", retry, true, 90 * time.Second},
		{"header as a date", 429, meta(130429), "Mon, 02 Mar 2026 09:02:00 GMT", retry, true, 2 * time.Minute},
		{"header without end", 429, meta(130429), "99999999999", retry, true, 24 * time.Hour},
		{"spam", 400, meta(131048), "", retry, true, time.Hour},
		{"app calls", 400, meta(4), "", retry, true, 5 * time.Minute},
		{"account calls", 400, meta(80007), "", retry, true, 5 * time.Minute},
		{"registrations", 400, meta(133016), "", retry, true, time.Hour},
		{"429 unknown code", 429, meta(999), "", retry, true, 5 * time.Minute},
		{"429 page", 429, "<html>", "", retry, true, 5 * time.Minute},
		{"pair", 400, meta(131056), "", retry, false, 6 * time.Second},
		{"window", 400, meta(131047), "", refused, false, 0},
		{"opt-out", 400, meta(131050), "", refused, false, 0},
		{"undeliverable", 400, meta(131026), "", refused, false, 0},
		{"itself", 400, meta(131021), "", refused, false, 0},
		{"parameter", 400, meta(100), "", refused, false, 0},
		{"type", 400, meta(131051), "", refused, false, 0},
		{"template count", 400, meta(132000), "", refused, false, 0},
		{"template name", 404, meta(132001), "", refused, false, 0},
		{"template length", 400, meta(132005), "", refused, false, 0},
		{"template policy", 400, meta(132007), "", refused, false, 0},
		{"template format", 400, meta(132012), "", refused, false, 0},
		{"template paused", 400, meta(132015), "", refused, false, 0},
		{"template disabled", 400, meta(132016), "", refused, false, 0},
		{"unknown code 4xx", 400, meta(987654), "", refused, false, 0},
		{"token", 401, meta(190), "", retry, true, 5 * time.Minute},
		{"permission", 403, meta(200), "", retry, true, 5 * time.Minute},
		{"payment", 400, meta(131042), "", retry, true, 5 * time.Minute},
		{"unavailable", 500, meta(131016), "", retry, true, 30 * time.Second},
		{"service", 503, meta(2), "", retry, true, 30 * time.Second},
		{"something went wrong", 500, meta(131000), "", retry, false, 30 * time.Second},
		{"unknown 5xx code", 500, meta(987654), "", unknown, false, 0},
		{"code 1 of a server error", 500, meta(1), "", unknown, false, 0},
		{"code 1 of a bad request", 400, meta(1), "", refused, false, 0},
		{"5xx page", 502, "<html>Bad gateway</html>", "", unknown, false, 0},
		{"5xx other JSON", 500, `{"error":"sorry"}`, "", unknown, false, 0},
		{"request timeout", 408, "", "", unknown, false, 0},
		{"not Meta at all", 404, "<html>", "", retry, true, time.Minute},
		{"redirect elsewhere", 304, "", "", retry, true, time.Minute},
		{"200 page", 200, "<html>", "", unknown, false, 0},
		{"200 empty", 200, "", "", unknown, false, 0},
		{"200 without a message", 200, `{"messages":[]}`, "", unknown, false, 0},
		{"200 without an id", 200, `{"messages":[{}]}`, "", unknown, false, 0},
		{"200 with an error", 200, meta(131047), "", refused, false, 0},
	} {
		status, body, retryAfter = tc.status, tc.body, tc.after
		_, err := c.Send(context.Background(), account, channel.Outgoing{ID: id.New(), To: person, Kind: "text", Text: "x"})
		e := sendErr(t, err)
		if e.Outcome != tc.outcome || e.AccountWide != tc.wide || e.RetryAfter != tc.wait || e.Title == "" {
			t.Errorf("%s: %+v", tc.name, e)
		}
		if strings.HasPrefix(tc.body, `{"error":{`) && (e.Code == 0 || e.Title != fmt.Sprintf("(#%d) Title: The details", e.Code)) {
			t.Errorf("%s: code %d, title %q", tc.name, e.Code, e.Title)
		}
	}
}

// rawServer gives each connection to serve; connections end with the test.
func rawServer(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serve(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// readRequest takes one whole request from the wire.
func readRequest(conn net.Conn) {
	var got string
	b := make([]byte, 4096)
	for !strings.HasSuffix(got, "}") {
		n, err := conn.Read(b)
		if err != nil {
			return
		}
		got += string(b[:n])
	}
}

func TestSocketsTellUnsentFromUnknown(t *testing.T) {
	hang := make(chan struct{})
	release := make(chan struct{})
	for _, tc := range []struct {
		name   string
		scheme string
		serve  func(net.Conn)
		want   channel.Outcome
	}{
		{"nobody listens", "http", nil, channel.Retry},
		{"not TLS", "https", func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") }, channel.Retry},
		{"closed after the request", "http", readRequest, channel.Unknown},
		{"half an answer's head", "http", func(c net.Conn) { readRequest(c); _, _ = io.WriteString(c, "HTTP/1.1 200 O") }, channel.Unknown},
		{"half a body", "http", func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"messages\":[{\"id\":\"wamid.1\"}")
		}, channel.Unknown},
		{"half a refusal's body", "http", func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 500 Oops\r\nContent-Length: 500\r\n\r\n{\"error\"")
		}, channel.Unknown},
		{"nonsense", "http", func(c net.Conn) { readRequest(c); _, _ = io.WriteString(c, "SSH-2.0\r\n\r\n") }, channel.Unknown},
		{"silence until we give up", "http", func(c net.Conn) { readRequest(c); close(hang); <-release }, channel.Unknown},
	} {
		t.Run(tc.name, func(t *testing.T) {
			addr := closedPort(t)
			if tc.serve != nil {
				addr = rawServer(t, tc.serve)
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if strings.HasPrefix(tc.name, "silence") {
				go func() { <-hang; cancel() }()
				defer close(release)
			}
			c := whatsapp.New(newClient(t), tc.scheme+"://"+addr, "", clock.NewFake(epoch))
			_, err := c.Send(ctx, account, channel.Outgoing{ID: id.New(), To: person, Kind: "text", Text: "x"})
			if e := sendErr(t, err); e.Outcome != tc.want {
				t.Errorf("%s: %s, want %s", e.Outcome, e.Title, tc.want)
			}
		})
	}
}

// staleDoer does what net/http does with a kept connection that the server had
// closed: the body goes into a buffer, nothing is written, and a new connection
// is tried with a fresh body. This one cannot be made.
type staleDoer struct{ second bool }

func (d staleDoer) Do(r *http.Request) (*http.Response, error) {
	trace := httptrace.ContextClientTrace(r.Context())
	trace.GetConn("graph.facebook.com:443")
	_, _ = io.ReadAll(r.Body)
	trace.GetConn("graph.facebook.com:443")
	body, err := r.GetBody()
	if err != nil {
		return nil, err
	}
	if b, _ := io.ReadAll(io.LimitReader(body, map[bool]int64{true: 1 << 20}[d.second])); d.second && len(b) != int(r.ContentLength) {
		return nil, fmt.Errorf("the second body has %d bytes of %d", len(b), r.ContentLength)
	}
	return nil, errors.New("connection refused")
}

func TestStaleConnection(t *testing.T) {
	for second, want := range map[bool]channel.Outcome{false: channel.Retry, true: channel.Unknown} {
		c := whatsapp.New(staleDoer{second}, "", "", clock.NewFake(epoch))
		_, err := c.Send(context.Background(), account, channel.Outgoing{ID: id.New(), To: person, Kind: "text", Text: "x"})
		if e := sendErr(t, err); e.Outcome != want || !strings.Contains(e.Title, "connection refused") {
			t.Fatalf("second body taken %v: %+v", second, e)
		}
	}
}

// refusingDoer fails as the gate to the outside does when an address is
// forbidden: before anything is read of the request.
type refusingDoer struct{}

func (refusingDoer) Do(*http.Request) (*http.Response, error) {
	return nil, errors.New("egress: the address is private")
}

func TestEgressRefusalIsCertainlyUnsent(t *testing.T) {
	c := whatsapp.New(refusingDoer{}, "", "", clock.NewFake(epoch))
	_, err := c.Send(context.Background(), account, channel.Outgoing{ID: id.New(), To: person, Kind: "text", Text: "x"})
	if e := sendErr(t, err); e.Outcome != channel.Retry || !strings.Contains(e.Title, "private") {
		t.Fatalf("%+v", e)
	}
}

// takingDoer fails after it read the body: the message may be on its way.
type takingDoer struct{}

func (takingDoer) Do(r *http.Request) (*http.Response, error) {
	_, _ = io.ReadFull(r.Body, make([]byte, 1))
	return nil, io.ErrUnexpectedEOF
}

func TestATakenBodyIsUnknown(t *testing.T) {
	c := whatsapp.New(takingDoer{}, "", "", clock.NewFake(epoch))
	_, err := c.Send(context.Background(), account, channel.Outgoing{ID: id.New(), To: person, Kind: "text", Text: "x"})
	if e := sendErr(t, err); e.Outcome != channel.Unknown {
		t.Fatalf("%+v", e)
	}
}

func TestAudioCaptionIsNotLost(t *testing.T) {
	c := whatsapp.New(refusingDoer{}, "", "", clock.NewFake(epoch))
	_, err := c.Send(context.Background(), account, channel.Outgoing{To: person, Kind: "audio", Text: "listen", Media: &channel.Media{ID: "1"}})
	if e := sendErr(t, err); e.Outcome != channel.Refused || !strings.Contains(e.Title, "caption") {
		t.Fatalf("%+v", e)
	}
}
