package simulator

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// world is a simulator with one account, a server that takes its webhooks, and
// virtual time.
type world struct {
	t      *testing.T
	sim    *Simulator
	clock  *clock.Fake
	graph  *httptest.Server
	client *http.Client

	mu     sync.Mutex
	hooks  []map[string]any // verified bodies, as they came
	answer int              // status for webhooks
}

const (
	token   = "EAAtoken"
	secret  = "app-secret"
	number  = "106540352242922"
	waba    = "102290129340398"
	person1 = "16505551234"
)

func newWorld(t *testing.T, opt Options) *world {
	t.Helper()
	w := &world{t: t, clock: clock.NewFake(epoch), answer: 200}
	server := httptest.NewServer(http.HandlerFunc(w.hook))
	transport := &http.Transport{}
	w.client = &http.Client{Transport: transport, Timeout: time.Minute}
	opt.Clock, opt.Doer = w.clock, w.client
	w.sim = New(opt)
	w.graph = httptest.NewServer(w.sim.Handler())
	t.Cleanup(func() {
		w.sim.Close()
		w.graph.Close()
		server.Close()
		transport.CloseIdleConnections()
	})
	w.must(w.sim.AddAccount(Account{PhoneNumberID: number, WABAID: waba, DisplayPhone: "15550783881", Token: token, AppSecret: secret, WebhookURL: server.URL + "/hook"}))
	w.must(w.sim.LoadDemoTemplates(waba))
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// hook checks the signature by its own arithmetic and keeps the body.
func (w *world) hook(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	if r.Header.Get("X-Hub-Signature-256") != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
		w.t.Errorf("wrong signature on %s", body)
	}
	var v map[string]any
	if err := json.Unmarshal(body, &v); err != nil {
		w.t.Errorf("webhook is not JSON: %v", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.answer == 200 {
		w.hooks = append(w.hooks, v)
	}
	rw.WriteHeader(w.answer)
}

func (w *world) setAnswer(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = status
}

func (w *world) idle() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	w.must(w.sim.Idle(ctx))
}

// call makes one request and returns status and JSON.
func (w *world) call(method, path, bearer, body string) (int, map[string]any) {
	w.t.Helper()
	req, err := http.NewRequest(method, w.graph.URL+path, bytes.NewReader([]byte(body)))
	w.must(err)
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := w.client.Do(req)
	w.must(err)
	defer resp.Body.Close()
	var v map[string]any
	raw, _ := io.ReadAll(resp.Body)
	_ = json.Unmarshal(raw, &v)
	return resp.StatusCode, v
}

func (w *world) send(body string) (int, map[string]any) {
	w.t.Helper()
	return w.call("POST", "/v24.0/"+number+"/messages", token, body)
}

func text(to, s string) string {
	return fmt.Sprintf(`{"messaging_product":"whatsapp","recipient_type":"individual","to":%q,"type":"text","text":{"body":%q},"biz_opaque_callback_data":"our-id"}`, to, s)
}

func template(to, name, components string) string {
	return fmt.Sprintf(`{"messaging_product":"whatsapp","to":%q,"type":"template","template":{"name":%q,"language":{"code":"en_US"},"components":[%s]}}`, to, name, components)
}

// open opens the window of a person.
func (w *world) open(phone string) {
	w.t.Helper()
	w.must(w.sim.OpenWindow(phone, number, w.clock.Now()))
}

// dig walks into decoded JSON; numbers index lists.
func dig(v any, path ...any) any {
	for _, p := range path {
		switch k := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[k]
		case int:
			l, _ := v.([]any)
			if k >= len(l) {
				return nil
			}
			v = l[k]
		}
	}
	return v
}

func code(v map[string]any) int {
	f, _ := dig(v, "error", "code").(float64)
	return int(f)
}

// statuses lists "status" of every status webhook in order of arrival.
func (w *world) statuses() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	for _, h := range w.hooks {
		if s, ok := dig(h, "entry", 0, "changes", 0, "value", "statuses", 0, "status").(string); ok {
			list = append(list, s)
		}
	}
	return list
}

func (w *world) lastHook() map[string]any {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.hooks) == 0 {
		return nil
	}
	return w.hooks[len(w.hooks)-1]
}
