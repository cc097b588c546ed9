package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/clock"
	"parley/internal/egress"
	"parley/internal/egress/poster"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/job/jobtest"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tenant"
	"parley/internal/tenant/tenanttest"
	"parley/internal/webhook"
)

func TestMain(m *testing.M) {
	// quick is for receivers that do not answer, twice for those that do.
	webhook.Policies["quick"] = webhook.Policy{Attempts: 2, Timeout: 100 * time.Millisecond, Pauses: []time.Duration{time.Second}}
	webhook.Policies["twice"] = webhook.Policy{Attempts: 2, Timeout: 10 * time.Second, Pauses: []time.Duration{time.Second}}
	goleak.VerifyTestMain(m)
}

var bg = context.Background()

type world struct {
	testing.TB
	db      *store.DB
	clock   *clock.Fake
	tenants *tenant.Service
	s       *webhook.Service
	tenant  id.ID
	secret  string
	trigger id.ID
}

// each runs f on both databases; loopback says whether receivers may be reached.
func each(t *testing.T, loopback bool, f func(w *world)) {
	now := clock.NewFake(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		tenants, a := tenanttest.New(t, db)
		key, err := tenants.Secret(db.Read(bg, a.ID), webhook.SecretName)
		if err != nil {
			t.Fatal(err)
		}
		client := egress.New(egress.Options{AllowLoopback: loopback, Timeout: time.Minute})
		t.Cleanup(client.Close)
		f(&world{t, db, now, tenants, webhook.NewService(db, event.NewLog(), tenants, poster.New(client)), a.ID, key, id.New()})
	}, storetest.Clock(now))
}

// run drains while f waits for what it wants.
func (w *world) run(f func()) {
	w.Helper()
	ctx, stop := context.WithCancel(bg)
	lanes := job.NewLanes(w.db, job.LaneOptions{Node: "test", Clock: w.clock})
	lanes.Add(w.s)
	var wg sync.WaitGroup
	wg.Add(1)
	go func() { defer wg.Done(); lanes.Run(ctx) }()
	defer wg.Wait()
	defer stop()
	f()
}

// until moves the clock on until cond holds.
func (w *world) until(what string, cond func() bool) {
	w.Helper()
	for end := time.Now().Add(time.Minute); ; {
		if cond() {
			return
		}
		if time.Now().After(end) {
			w.Fatalf("waited too long for: %s\n%s", what, w.dump())
		}
		jobtest.Pace(w, w.db, w.clock, 100*time.Millisecond)
	}
}

func (w *world) dump() string {
	b, _ := json.MarshalIndent(w.all(), "", " ")
	return string(b)
}

func (w *world) all() []webhook.Record {
	w.Helper()
	list, err := w.s.OfTrigger(w.db.Read(bg, w.tenant), w.trigger)
	if err != nil {
		w.Fatal(err)
	}
	return list
}

func (w *world) ended() bool {
	for _, r := range w.all() {
		if r.State != webhook.Sent && r.State != webhook.Failed {
			return false
		}
	}
	return true
}

func (w *world) deliver(d webhook.Delivery) id.ID {
	w.Helper()
	d.TriggerID = w.trigger
	if d.Body == nil {
		d.Body = []byte(`{"a":1}`)
	}
	v, err := store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (id.ID, error) { return w.s.DeliverIn(tx, d) })
	if err != nil {
		w.Fatal(err)
	}
	return v
}

// receiver is a real HTTP server that notes what it got.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	got  []string // bodies
	busy map[string]int
	most map[string]int
}

func newReceiver(t testing.TB, answer func(n int, r *http.Request, body string) int) *receiver {
	v := &receiver{busy: map[string]int{}, most: map[string]int{}}
	v.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		subject, _, _ := strings.Cut(strings.Trim(string(b), `"`), "/")
		v.mu.Lock()
		v.got = append(v.got, string(b))
		n := len(v.got)
		v.busy[subject]++
		v.most[subject] = max(v.most[subject], v.busy[subject])
		v.most[""] = max(v.most[""], sum(v.busy))
		v.mu.Unlock()
		status := answer(n, r, string(b))
		v.mu.Lock()
		v.busy[subject]--
		v.mu.Unlock()
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, strings.Repeat("é\x00", 3000))
	}))
	t.Cleanup(v.Close)
	return v
}

func sum(m map[string]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

func (v *receiver) bodies() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]string(nil), v.got...)
}

func TestSigned(t *testing.T) {
	each(t, true, func(w *world) {
		var header http.Header
		var method string
		v := newReceiver(w, func(_ int, r *http.Request, _ string) int { header, method = r.Header, r.Method; return 202 })
		body := `{"status":"processing","n":"ü"}`
		d := w.deliver(webhook.Delivery{URL: v.URL + "/cb?x=1", Method: "PUT", Event: "trigger.processing", Subject: "s", Body: []byte(body)})
		w.run(func() { w.until("the delivery", w.ended) })
		r := w.all()[0]
		if r.State != webhook.Sent || r.Attempts != 1 || r.ResponseStatus != 202 || r.LastError != "" || r.ID != d {
			w.Errorf("%+v", r)
		}
		if len(r.ResponseBody) > 2048 || len(r.ResponseBody) < 1000 || strings.ContainsRune(r.ResponseBody, 0) {
			w.Errorf("kept %d bytes of the answer", len(r.ResponseBody))
		}
		want := webhook.Sign(w.secret, []byte(body))
		if method != "PUT" || header.Get("x-ecodrix-signature") != want || r.Signature != want || header.Get("content-type") != "application/json" ||
			header.Get(webhook.DeliveryHeader) != d.String() || header.Get(webhook.EventHeader) != "trigger.processing" {
			w.Errorf("%s %v", method, header)
		}
		if got := v.bodies(); len(got) != 1 || got[0] != body {
			w.Errorf("got %q", got)
		}
	})
}

func TestSignature(t *testing.T) {
	// Computed with openssl: printf '{"a":1}' | openssl dgst -sha256 -hmac whsec_x
	if got := webhook.Sign("whsec_x", []byte(`{"a":1}`)); got != "sha256=11515c78185d4a04d2abe8240f4aa3419b03f6ffeb3fffc68a455edc9e9460e5" {
		t.Error(got)
	}
}

func TestRetries(t *testing.T) {
	each(t, true, func(w *world) {
		v := newReceiver(w, func(n int, r *http.Request, _ string) int {
			if got := r.Header.Get(webhook.AttemptHeader); got != fmt.Sprint(n) {
				w.Errorf("attempt header %q at call %d", got, n)
			}
			return map[int]int{1: 500, 2: 404}[n] + map[bool]int{true: 200}[n == 3]
		})
		begun := w.clock.Now()
		w.deliver(webhook.Delivery{URL: v.URL, Subject: "s"})
		w.run(func() { w.until("three attempts", w.ended) })
		r := w.all()[0]
		if r.State != webhook.Sent || r.Attempts != 3 || len(v.bodies()) != 3 {
			w.Errorf("%+v", r)
		}
		if d := r.UpdatedAt.Sub(begun); d < 6*time.Second || d > 20*time.Second {
			w.Errorf("the pauses of 2 s and 4 s took %s", d)
		}

		v = newReceiver(w, func(int, *http.Request, string) int { return 503 })
		w.deliver(webhook.Delivery{URL: v.URL, Subject: "s"})
		w.run(func() { w.until("the end of the attempts", w.ended) })
		r = w.all()[1]
		if r.State != webhook.Failed || r.Attempts != 3 || len(v.bodies()) != 3 || !strings.Contains(r.LastError, "503") {
			w.Errorf("%+v", r)
		}
		for state, n := range map[string]int{"sent": 1, "failed": 1} {
			var got int
			if err := w.db.Read(bg, w.tenant).QueryRow("SELECT COUNT(*) FROM event WHERE tenant_id=? AND type=?", "webhook."+state).Scan(&got); err != nil || got != n {
				w.Errorf("%d events webhook.%s, %v", got, state, err)
			}
		}
	})
}

func TestOrder(t *testing.T) {
	each(t, true, func(w *world) {
		var mu sync.Mutex
		failed := map[string]bool{}
		two := make(chan struct{})
		v := newReceiver(w, func(n int, _ *http.Request, body string) int {
			switch n {
			case 1:
				<-two // different subjects go beside each other
			case 2:
				close(two)
			}
			mu.Lock()
			defer mu.Unlock()
			if strings.HasSuffix(body, `/2"`) && !failed[body] {
				failed[body] = true
				return 500 // the third of each subject fails once: the others must wait for it
			}
			return 200
		})
		const subjects, each = 12, 5
		for n := range each {
			for s := range subjects {
				w.deliver(webhook.Delivery{URL: v.URL, Subject: fmt.Sprint("s", s), Body: []byte(fmt.Sprintf(`"s%d/%d"`, s, n))})
			}
		}
		w.run(func() { w.until("all deliveries", w.ended) })
		at := map[string]int{}
		for _, b := range v.bodies() {
			var n int
			subject, tail, _ := strings.Cut(strings.Trim(b, `"`), "/")
			_, _ = fmt.Sscan(tail, &n)
			if want := at[subject]; n != want && n != want-1 {
				w.Errorf("%s came when %d was next", b, want)
			}
			at[subject] = n + 1
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		for s, n := range v.most {
			if s != "" && n != 1 {
				w.Errorf("%d calls of %s at once", n, s)
			}
		}
		if v.most[""] > 8 || v.most[""] < 2 {
			w.Errorf("%d calls of the endpoint at once", v.most[""])
		}
		for _, r := range w.all() {
			if r.State != webhook.Sent {
				w.Errorf("%+v", r)
			}
		}
	})
}

func TestHangingReceiver(t *testing.T) {
	each(t, true, func(w *world) {
		release := make(chan struct{})
		slow := newReceiver(w, func(int, *http.Request, string) int { <-release; return 200 })
		quick := newReceiver(w, func(int, *http.Request, string) int { return 200 })
		for i := range 20 {
			w.deliver(webhook.Delivery{URL: slow.URL, Subject: fmt.Sprint(i)})
		}
		for i := range 20 {
			w.deliver(webhook.Delivery{URL: quick.URL, Subject: fmt.Sprint(i)})
		}
		w.run(func() {
			w.until("the quick receiver", func() bool { return len(quick.bodies()) == 20 })
			if n := len(slow.bodies()); n > 8 {
				w.Errorf("%d calls hang at once", n)
			}
			close(release)
			w.until("the slow receiver", w.ended)
		})
	})
}

func TestTimeoutAndRefusal(t *testing.T) {
	each(t, true, func(w *world) {
		release := make(chan struct{})
		v := newReceiver(w, func(int, *http.Request, string) int { <-release; return 200 })
		w.deliver(webhook.Delivery{URL: v.URL, Subject: "s", Policy: "quick"})
		w.run(func() { w.until("the timeouts", w.ended) })
		close(release)
		r := w.all()[0]
		if r.State != webhook.Failed || r.Attempts != 2 || !strings.Contains(r.LastError, "did not answer within") {
			w.Errorf("%+v", r)
		}
		gone := newReceiver(w, func(int, *http.Request, string) int { return 200 })
		gone.Close()
		w.deliver(webhook.Delivery{URL: gone.URL, Subject: "s", Policy: "quick"})
		w.run(func() { w.until("the refused connection", w.ended) })
		if r := w.all()[1]; r.State != webhook.Failed || r.Attempts != 2 || r.LastError == "" {
			w.Errorf("%+v", r)
		}
	})
	each(t, false, func(w *world) {
		v := newReceiver(w, func(int, *http.Request, string) int { return 200 })
		w.deliver(webhook.Delivery{URL: v.URL, Subject: "s"})
		w.run(func() { w.until("the refusal", w.ended) })
		r := w.all()[0]
		if r.State != webhook.Failed || r.Attempts != 1 || len(v.bodies()) != 0 || !strings.Contains(r.LastError, "not public") {
			w.Errorf("%+v", r)
		}
	})
}

func TestRescueAndFencing(t *testing.T) {
	each(t, true, func(w *world) {
		v := newReceiver(w, func(int, *http.Request, string) int { return 200 })
		w.deliver(webhook.Delivery{URL: v.URL, Subject: "s", Policy: "twice"})
		lanes, _, err := w.s.Due(bg, w.clock.Now(), 10)
		if err != nil || len(lanes) != 1 || lanes[0].Tenant != w.tenant {
			w.Fatal(lanes, err)
		}
		claim := func() []job.Work {
			work, _, err := w.s.Claim(bg, lanes[0], 10)
			if err != nil {
				w.Fatal(err)
			}
			return work
		}
		first := claim()
		if len(first) != 1 || len(claim()) != 0 {
			w.Fatal("claimed twice")
		}
		if n, err := w.s.Rescue(bg); n != 0 || err != nil {
			w.Fatal("rescued under a living lease", n, err)
		}
		w.clock.Advance(time.Minute)
		if n, err := w.s.Rescue(bg); n != 1 || err != nil {
			w.Fatal(n, err)
		}
		second := claim()
		first[0](bg) // the lost attempt ends late: its outcome must not count
		w.s.Settle(bg, lanes[0])
		if r := w.all()[0]; r.State != webhook.Sending || r.Attempts != 2 {
			w.Errorf("the lost attempt counted: %+v", r)
		}
		second[0](bg)
		w.s.Settle(bg, lanes[0])
		if r := w.all()[0]; r.State != webhook.Sent || r.Attempts != 2 {
			w.Errorf("%+v", r)
		}

		w.deliver(webhook.Delivery{URL: v.URL, Subject: "s", Policy: "twice"})
		for range 2 {
			claim()
			w.clock.Advance(time.Minute)
			if _, err := w.s.Rescue(bg); err != nil {
				w.Fatal(err)
			}
		}
		if r := w.all()[1]; r.State != webhook.Failed || !strings.Contains(r.LastError, "silent") {
			w.Errorf("%+v", r)
		}
	})
}

func TestNoSecret(t *testing.T) {
	each(t, true, func(w *world) {
		v := newReceiver(w, func(int, *http.Request, string) int { return 200 })
		if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
			_, err := tx.Exec("DELETE FROM tenant_secret WHERE tenant_id=?")
			return err
		}); err != nil {
			w.Fatal(err)
		}
		w.deliver(webhook.Delivery{URL: v.URL, Subject: "s"})
		w.run(func() { w.until("the failure", w.ended) })
		if r := w.all()[0]; r.State != webhook.Failed || !strings.Contains(r.LastError, "secret") || len(v.bodies()) != 0 {
			w.Errorf("%+v", r)
		}
	})
}

func TestDeliveryFaults(t *testing.T) {
	each(t, true, func(w *world) {
		ok := webhook.Delivery{URL: "https://example.com/x", Body: []byte("{}")}
		for field, change := range map[string]func(d *webhook.Delivery){
			"url":    func(d *webhook.Delivery) { d.URL = "ftp://example.com" },
			"url ":   func(d *webhook.Delivery) { d.URL = "/relative" },
			"url  ":  func(d *webhook.Delivery) { d.URL = "https://user:pw@example.com" },
			"url   ": func(d *webhook.Delivery) { d.URL = "https://" + strings.Repeat("a", 3000) },
			"method": func(d *webhook.Delivery) { d.Method = "BREW" },
			"policy": func(d *webhook.Delivery) { d.Policy = "never" },
			"body":   func(d *webhook.Delivery) { d.Body = []byte("{") },
			"body ":  func(d *webhook.Delivery) { d.Body = []byte("\"\xff\"") },
		} {
			d := ok
			change(&d)
			_, err := store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (id.ID, error) { return w.s.DeliverIn(tx, d) })
			if f := fault.As(err); f == nil || f.Code != fault.Invalid || f.Field != strings.TrimSpace(field) {
				w.Errorf("%s: %v", field, err)
			}
		}
	})
}
