package chaos

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/internal/simulator"
)

// world is everything outside of the server: Meta with its phones, and a
// receiver of callbacks. It outlives every kill.
type world struct {
	sim  *simulator.Simulator
	base string
	mu   sync.Mutex
	// told counts the callbacks by "token status".
	told map[string]int
	// noted counts the notifications of notes, by their text.
	noted map[string]int
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{told: map[string]int{}, noted: map[string]int{}}
	out := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	// A refused webhook comes again after 3 s: later than a message whose attempt
	// was cut off would be sent again, if anything did that.
	w.sim = simulator.New(simulator.Options{Doer: out, RingSize: 1 << 20, LogSize: 1 << 22, Workers: 8, RetryBase: 3 * time.Second})
	mux := http.NewServeMux()
	mux.HandleFunc("/callback", w.callback)
	mux.HandleFunc("/notified", w.notified)
	mux.Handle("/", w.sim.Handler())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.base = "http://" + ln.Addr().String()
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(func() {
		w.sim.Close()
		_ = srv.Close()
		out.CloseIdleConnections()
	})
	return w
}

func (w *world) callback(rw http.ResponseWriter, r *http.Request) {
	var in struct {
		Status   string
		Metadata struct{ Token string }
	}
	b, _ := io.ReadAll(r.Body)
	if json.Unmarshal(b, &in) != nil || !strings.HasPrefix(r.Header.Get("x-ecodrix-signature"), "sha256=") {
		http.Error(rw, "not a signed callback", http.StatusBadRequest)
		return
	}
	w.mu.Lock()
	w.told[in.Metadata.Token+" "+in.Status]++
	w.mu.Unlock()
}

// setUp makes a tenant with a WhatsApp number, known to Meta, and the rule.
func (w *world) setUp(t testing.TB, p *proc) *tenant { t.Helper(); return w.setUpAt(t, p, p.url) }

// setUpAt is setUp for clients and webhooks that reach the server at another URL.
func (w *world) setUpAt(t testing.TB, p *proc, url string) *tenant {
	t.Helper()
	var made struct{ TenantID, ClientCode, APIKey string }
	if err := json.Unmarshal([]byte(p.run(t, "tenant", "create", "--name", "Chaos", "--json")), &made); err != nil {
		t.Fatal(err)
	}
	acct := simulator.Account{PhoneNumberID: "1055" + made.TenantID[18:], WABAID: "2077" + made.TenantID[18:], DisplayPhone: "15550001111",
		Token: "token-of-chaos", AppSecret: "secret-of-chaos", WebhookURL: url + "/api/saas/whatsapp/webhook"}
	if err := w.sim.AddAccount(acct); err != nil {
		t.Fatal(err)
	}
	if err := w.sim.LoadDemoTemplates(acct.WABAID); err != nil {
		t.Fatal(err)
	}
	env := []string{"PARLEY_WHATSAPP_TOKEN=" + acct.Token, "PARLEY_WHATSAPP_APP_SECRET=" + acct.AppSecret}
	if _, bad, err := p.try(env, "channel", "connect", "--tenant", made.ClientCode, "--phone-number-id", acct.PhoneNumberID, "--waba-id", acct.WABAID); err != nil {
		t.Fatalf("channel connect: %v: %s", err, bad)
	}
	ten := &tenant{url: url, code: made.ClientCode, key: made.APIKey, id: made.TenantID, account: acct.PhoneNumberID, p: p,
		http: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	t.Cleanup(ten.http.CloseIdleConnections)
	ten.must(t, "POST", "/api/saas/chat/templates/sync", "", map[string]any{}, nil)
	var rule map[string]any
	if err := json.Unmarshal([]byte(chaosRule), &rule); err != nil {
		t.Fatal(err)
	}
	var kept struct{ ID string }
	ten.must(t, "POST", "/api/saas/crm/automations", "", rule, &kept)
	ten.rule = kept.ID
	var key struct{ APIKey string }
	if err := json.Unmarshal([]byte(p.run(t, "key", "create", "--tenant", ten.code, "--face", "sales", "--json")), &key); err != nil {
		t.Fatal(err)
	}
	ten.sales = key.APIKey
	ten.must(t, "POST", "/api/v1/notifications/subscriptions", "", map[string]any{"topics": []string{"interactions"}, "callbackUrl": w.base + "/notified"}, nil)
	// Every webhook comes twice and in any order; Meta's answers take a while, so
	// that a kill often falls between its acceptance and our knowledge of it.
	two, disorder := 1, true
	if err := w.sim.InjectFault(simulator.Fault{Duplicates: &two, Disorder: &disorder, DelayMS: 40, Count: 1_000_000}); err != nil {
		t.Fatal(err)
	}
	return ten
}

// chaosRule greets, waits for the reply and thanks for it.
const chaosRule = `{
  "name": "Chaos", "trigger": "trial_started",
  "nodes": [
    {"id": "start", "type": "trigger"},
    {"id": "welcome", "type": "send_whatsapp", "data": {"templateName": "welcome", "variables": ["{{lead.firstName}}", "{{token}}"]}},
    {"id": "reply", "type": "wait_reply", "data": {"timeoutMinutes": 600}},
    {"id": "tagged", "type": "add_tag", "data": {"tag": "answered"}},
    {"id": "thanks", "type": "send_whatsapp", "data": {"text": "Thank you for {{token}}."}},
    {"id": "done", "type": "end"}
  ],
  "edges": [
    {"source": "start", "target": "welcome"}, {"source": "welcome", "target": "reply"},
    {"source": "reply", "target": "tagged", "sourceHandle": "reply"}, {"source": "tagged", "target": "thanks"},
    {"source": "thanks", "target": "done"}, {"source": "reply", "target": "done", "sourceHandle": "timeout"}
  ]
}`
