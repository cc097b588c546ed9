package e2e_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	numberID  = "106540352242922"
	wabaID    = "102290129340398"
	appSecret = "the app's secret"
)

// graph is Meta as far as this test needs it: it accepts messages, gives ids and
// sends nothing back by itself.
func graph(t *testing.T) *httptest.Server {
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/"+numberID+"/messages") || r.Header.Get("Authorization") != "Bearer the token" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		var in struct{ To string }
		_ = json.NewDecoder(r.Body).Decode(&in)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"messaging_product":"whatsapp","contacts":[{"input":%q,"wa_id":%q}],"messages":[{"id":"wamid.out.%d"}]}`, in.To, in.To, n.Add(1))
	}))
	t.Cleanup(s.Close)
	return s
}

// hook wraps what a webhook says as Meta does.
func hook(value map[string]any) []byte {
	value["messaging_product"] = "whatsapp"
	value["metadata"] = map[string]any{"display_phone_number": "15550783881", "phone_number_id": numberID}
	b, err := json.Marshal(map[string]any{"object": "whatsapp_business_account", "entry": []any{map[string]any{"id": wabaID,
		"changes": []any{map[string]any{"field": "messages", "value": value}}}}})
	if err != nil {
		panic(err)
	}
	return b
}

func said(from, wamid, text string, at time.Time) []byte {
	return hook(map[string]any{"contacts": []any{map[string]any{"profile": map[string]any{"name": "P " + from}, "wa_id": from}},
		"messages": []any{map[string]any{"from": from, "id": wamid, "timestamp": fmt.Sprint(at.Unix()), "type": "text", "text": map[string]any{"body": text}}}})
}

func receipt(to, wamid, status string, at time.Time) []byte {
	return hook(map[string]any{"statuses": []any{map[string]any{"id": wamid, "recipient_id": to, "status": status, "timestamp": fmt.Sprint(at.Unix())}}})
}

// post posts a webhook under a signature.
func post(url string, body []byte, secret string) (answer, error) {
	r, err := http.NewRequest(http.MethodPost, url+"/api/saas/whatsapp/webhook", strings.NewReader(string(body)))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	if secret != "" {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	return send(r)
}

// inboxOf reads every message of every conversation, by WhatsApp's id.
func inboxOf(a *api) map[string]map[string]any {
	a.t.Helper()
	out := map[string]map[string]any{}
	for _, c := range a.get("/api/saas/chat/conversations?limit=1000").list("data") {
		for _, m := range a.get(fmt.Sprintf("/api/saas/chat/conversations/%s/messages?limit=1000", c["id"])).list("data") {
			key, sent := m["whatsappMessageId"].(string)
			if !sent {
				key = fmt.Sprint(m["id"]) // Meta has not named it yet
			}
			if out[key] != nil {
				a.t.Errorf("the message %s is stored twice", key)
			}
			out[key] = m
		}
	}
	return out
}

var forward = map[string]int{"queued": 1, "sent": 2, "delivered": 3, "read": 4}

// TestInboundStorm posts 1,000 webhooks three times each, in random order and
// at once: 700 messages of 40 people and 300 receipts of 100 messages to them.
func TestInboundStorm(t *testing.T) {
	eachDatabase(t, func(t *testing.T, data []string) {
		meta := graph(t)
		p := launch(t, data, nil, "--listen", "127.0.0.1:0", "--graph-url", meta.URL, "--egress-allow", "127.0.0.1/32", "--rate", "0")
		p.ready()
		a := p.tenant("A")
		connected := command(t, []string{"PARLEY_WHATSAPP_TOKEN=the token", "PARLEY_WHATSAPP_APP_SECRET=" + appSecret},
			with(words("channel connect --tenant "+a.code+" --phone-number-id "+numberID+" --waba-id "+wabaID), data)...)
		if connected.code != 0 {
			t.Fatalf("connecting: %+v", connected)
		}
		const people = 40
		now := time.Now()
		phone := func(i int) string { return fmt.Sprintf("9198765%05d", i%people) }
		accept := func(body []byte) {
			t.Helper()
			if got, err := post(p.url, body, appSecret); err != nil || got.status != 200 {
				t.Fatalf("a signed webhook: %v, %d %s", err, got.status, got.body)
			}
		}
		for i := range people { // everybody writes, which opens the windows
			accept(said(phone(i), fmt.Sprint("wamid.first.", i), "hello", now))
		}
		for i := range 100 {
			a.ok("POST", "/api/saas/chat/send", map[string]any{"to": phone(i), "text": fmt.Sprint("answer ", i)})
		}
		stand := func() map[string]int { // of the outgoing messages
			out := map[string]int{}
			for k, m := range inboxOf(a) {
				if m["direction"] == "outbound" {
					out[k] = forward[fmt.Sprint(m["status"])]
				}
			}
			return out
		}
		eventually(t, "all are sent", func() bool {
			s := stand()
			for _, rank := range s {
				if rank < 2 {
					return false
				}
			}
			return len(s) == 100
		})

		// Wrongly signed ones change nothing.
		before := inboxOf(a)
		wamid := func(i int) string { return fmt.Sprint("wamid.out.", i+1) }
		to := map[string]string{}
		for k, m := range before {
			if m["direction"] == "outbound" {
				to[k] = phone(0) // Meta tells the recipient; the id is what counts
			}
		}
		for _, secret := range []string{"", "wrong", appSecret + " "} {
			for _, body := range [][]byte{said(phone(1), "wamid.forged", "forged", now), said("919000000000", "wamid.forged", "a stranger", now), receipt(phone(0), wamid(0), "read", now)} {
				if got, err := post(p.url, body, secret); err != nil || got.status != 401 {
					t.Errorf("signed with %q: %v, %d %s", secret, err, got.status, got.body)
				}
			}
		}
		after := inboxOf(a)
		if len(after) != len(before) || after["wamid.forged"] != nil || after[wamid(0)]["status"] == "read" {
			t.Fatalf("forged webhooks were stored: %d messages, then %d", len(before), len(after))
		}
		if got := a.call("GET", "/api/saas/crm/leads/phone/919000000000", nil); got.status != 404 {
			t.Fatalf("a forged webhook made a lead: %d", got.status)
		}

		var all [][]byte
		for i := range 700 {
			all = append(all, said(phone(i), fmt.Sprint("wamid.in.", i), fmt.Sprint("text ", i), now))
		}
		now = time.Now() // nothing is delivered before it was sent
		for i := range 100 {
			for j, status := range []string{"sent", "delivered", "read"} {
				all = append(all, receipt(to[wamid(i)], wamid(i), status, now.Add(time.Duration(j)*time.Second)))
			}
		}
		if len(all) != 1000 {
			t.Fatalf("%d webhooks", len(all))
		}
		all = append(all, append(all, all...)...)
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		queue := make(chan []byte, len(all))
		for _, b := range all {
			queue <- b
		}
		close(queue)
		begun := time.Now()
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() {
				for b := range queue {
					for tries := 0; ; tries++ { // Meta repeats what is not answered with 200
						got, err := post(p.url, b, appSecret)
						if err == nil && got.status == 200 {
							break
						}
						if err != nil || got.status != 503 || tries > 20 {
							t.Errorf("a webhook: %v, %d %s", err, got.status, got.body)
							break
						}
						time.Sleep(20 * time.Millisecond)
					}
				}
			})
		}
		done := make(chan struct{})
		go func() { wg.Wait(); close(done) }()
		last := stand()
		for running := true; running; { // what a watcher sees only ever goes forward
			select {
			case <-done:
				running = false
			case <-time.After(100 * time.Millisecond):
			}
			for k, rank := range stand() {
				if rank < last[k] {
					t.Errorf("the status of %s fell from %d to %d", k, last[k], rank)
				}
				last[k] = rank
			}
		}
		t.Logf("3,000 webhooks in %v", time.Since(begun).Round(time.Millisecond))

		got := inboxOf(a)
		if want := people + 700 + 100; len(got) != want {
			t.Errorf("%d messages are stored, want %d", len(got), want)
		}
		for i := range 700 {
			if m := got[fmt.Sprint("wamid.in.", i)]; m["text"] != fmt.Sprint("text ", i) || m["direction"] != "inbound" {
				t.Errorf("message %d is %v", i, m)
			}
		}
		for i := range 100 {
			m := got[wamid(i)]
			if m["status"] != "read" {
				t.Errorf("the status of %s is %v", wamid(i), m["status"])
			}
			rank := 0
			for _, h := range (answer{json: m}).list("statusHistory") {
				if r := forward[fmt.Sprint(h["status"])]; r <= rank {
					t.Errorf("the history of %s goes back: %v", wamid(i), m["statusHistory"])
				} else {
					rank = r
				}
			}
		}
		if n := a.get("/api/saas/crm/leads?limit=1").at("pagination", "total"); n != float64(people) {
			t.Errorf("%v leads for %d people", n, people)
		}
		p.verify()
	})
}

// TestOnePerson creates one person from everywhere at once.
func TestOnePerson(t *testing.T) {
	eachDatabase(t, func(t *testing.T, data []string) {
		calls := 10_000
		if len(data) > 2 {
			calls = 2_000
		}
		p := serve(t, data, "--rate", "0")
		a := p.tenant("A")
		spelled := []string{"9876543210", "+919876543210", "919876543210", "+91 98765 43210", "0091-98765-43210"}
		var mu sync.Mutex
		made, holders, odd := []string{}, map[string]int{}, 0
		var next atomic.Int64
		var wg sync.WaitGroup
		begun := time.Now()
		for range 200 {
			wg.Go(func() {
				for {
					i := int(next.Add(1)) - 1
					if i >= calls {
						return
					}
					got, err := send(a.request("POST", "/api/saas/crm/leads", map[string]any{"firstName": fmt.Sprint("N", i), "phone": spelled[i%len(spelled)]}))
					mu.Lock()
					switch {
					case err == nil && got.status == 201:
						made = append(made, got.text("data", "id"))
					case err == nil && got.status == 409 && got.text("code") == "CONFLICT":
						holders[got.text("leadId")]++
					default:
						if odd++; odd < 5 {
							t.Errorf("call %d: %v, %d %s", i, err, got.status, got.body)
						}
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		t.Logf("%d calls in %v", calls, time.Since(begun).Round(time.Millisecond))
		if len(made) != 1 || len(holders) != 1 || holders[made[0]] != calls-1 || odd > 0 {
			t.Fatalf("made %v, holders %v, %d other answers", made, holders, odd)
		}
		list := a.get("/api/saas/crm/leads?limit=10")
		if len(list.list("data")) != 1 || list.text("data", 0, "id") != made[0] {
			t.Fatalf("the leads are %s", list.body)
		}
		p.verify()
	})
}
