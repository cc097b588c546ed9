package webhook_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/webhook"
)

// share writes deliveries of the policy sales that share a body.
func (w *world) share(url, subject string, lanes ...string) []id.ID {
	w.Helper()
	ids, err := store.Write(bg, w.db, w.tenant, func(tx *store.Tx) ([]id.ID, error) {
		bodies, err := w.s.KeepBodiesIn(tx, []webhook.Body{{Subject: subject, JSON: []byte(`{"topic":"prospects","n":"` + subject + `"}`)}})
		if err != nil {
			return nil, err
		}
		var list []webhook.Delivery
		for _, l := range lanes {
			list = append(list, webhook.Delivery{URL: url, Lane: l, Subject: subject, Event: "prospects.created", Policy: webhook.SalesPolicy, Shared: bodies[0]})
		}
		return w.s.DeliverManyIn(tx, list)
	})
	if err != nil {
		w.Fatal(err)
	}
	return ids
}

// Each API lists what it owes: notifications have a log of their own.
func TestTheListsAreApart(t *testing.T) {
	each(t, true, func(w *world) {
		shared := w.share("http://127.0.0.1:1/x", "one", "sub:1", "sub:2")
		own, err := store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (id.ID, error) {
			return w.s.DeliverIn(tx, webhook.Delivery{URL: "http://127.0.0.1:1/y", Subject: "one", Event: "x", Body: []byte("{}")})
		})
		if err != nil {
			w.Fatal(err)
		}
		for _, states := range [][]string{nil, {webhook.Pending}} {
			list, total, err := w.s.List(bg, w.tenant, states, 1, 10)
			if err != nil || total != 1 || len(list) != 1 || list[0].ID != own {
				w.Errorf("%v lists %+v, %d in all: %v", states, list, total, err)
			}
		}
		log, err := w.s.Log(bg, w.tenant, webhook.LogQuery{})
		if err != nil || len(log) != len(shared) {
			w.Errorf("the log has %d of %d: %v", len(log), len(shared), err)
		}
	})
}

func (w *world) get(v id.ID) webhook.Record {
	w.Helper()
	r, err := w.s.Delivered(w.db.Read(bg, w.tenant), v)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

// waits polls without moving the clock.
func (w *world) waits(what string, cond func() bool) {
	w.Helper()
	for end := time.Now().Add(20 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("waited too long for: %s", what)
		}
	}
}

// shortly makes attempts of the policy sales time out soon.
func shortly(t *testing.T, d time.Duration) {
	old := webhook.Policies[webhook.SalesPolicy]
	p := old
	p.Timeout = d
	webhook.Policies[webhook.SalesPolicy] = p
	t.Cleanup(func() { webhook.Policies[webhook.SalesPolicy] = old })
}

// A receiver that fails gets 21 attempts: after the n-th failure the next comes
// 2^(n-1) seconds later, an hour at most and up to a tenth sooner; each says which
// attempt it is and when it was made (sales reference §4.10).
func TestTheScheduleOfNotifications(t *testing.T) {
	each(t, true, func(w *world) {
		var mu sync.Mutex
		var at []time.Time
		v := newReceiver(w, func(n int, r *http.Request, body string) int {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, w.clock.Now())
			var m struct {
				SubscriptionID, Topic string
				Sent                  time.Time
				Attempts              int
			}
			if err := json.Unmarshal([]byte(body), &m); err != nil || m.Attempts != n || !m.Sent.Equal(w.clock.Now().Truncate(time.Millisecond)) || m.SubscriptionID != "lane" || m.Topic != "prospects" {
				w.Errorf("attempt %d: %s, %v", n, body, err)
			}
			if r.Header.Get(webhook.SignatureHeader) != "" {
				w.Error("signed")
			}
			return []int{500, 503, 408, 425, 429}[n%5]
		})
		d := w.share(v.URL, "s", "lane")[0]
		w.run(func() {
			for n := 1; ; n++ {
				var r webhook.Record
				w.waits(fmt.Sprint("attempt ", n), func() bool { r = w.get(d); return r.Attempts == n && r.State != webhook.Sending })
				if r.State == webhook.Failed {
					if n != 21 || r.LastError == "" {
						w.Errorf("given up after %d attempts: %+v", n, r)
					}
					break
				}
				w.clock.Advance(r.NextAt.Sub(w.clock.Now()))
			}
		})
		if len(at) != 21 {
			w.Fatalf("%d calls", len(at))
		}
		for n := 1; n < len(at); n++ {
			want := min(time.Hour, time.Second<<(n-1))
			if gap := at[n].Sub(at[n-1]); gap > want || gap < want-want/10-time.Millisecond {
				w.Errorf("attempt %d came %s after the one before, not %s", n+1, gap, want)
			}
		}
		var events int
		if err := w.db.Read(bg, w.tenant).QueryRow("SELECT COUNT(*) FROM event WHERE tenant_id=? AND type LIKE 'webhook.%'").Scan(&events); err != nil || events != 0 {
			w.Errorf("%d events, %v", events, err)
		}
	})
}

// What a receiver may answer, and what comes of it.
func TestAnswersToNotifications(t *testing.T) {
	shortly(t, 3*time.Second)
	each(t, true, func(w *world) {
		var followed atomic.Int32
		target := newReceiver(w, func(int, *http.Request, string) int { followed.Add(1); return 200 })
		garbage, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			w.Fatal(err)
		}
		defer garbage.Close()
		go func() {
			for {
				c, err := garbage.Accept()
				if err != nil {
					return
				}
				_, _ = c.Write([]byte("SSH-2.0 this is no HTTP\r\n\r\n"))
				_ = c.Close()
			}
		}()
		hang := make(chan struct{})
		v := newReceiver(w, func(int, *http.Request, string) int { return 200 })
		v.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/hang":
				<-hang
			case "/cut": // says more than it sends
				rw.Header().Set("Content-Length", "1000")
				_, _ = rw.Write([]byte("{"))
			default:
				var status int
				_, _ = fmt.Sscanf(r.URL.Path, "/%d", &status)
				rw.Header().Set("Location", target.URL)
				rw.WriteHeader(status)
			}
		})
		gone, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			w.Fatal(err)
		}
		_ = gone.Close()
		want := map[string]string{ // the state after one attempt
			"/200": webhook.Sent, "/204": webhook.Sent, "/301": webhook.Sent, "/302": webhook.Sent, "/307": webhook.Sent, "/399": webhook.Sent, "/cut": webhook.Sent,
			"/400": webhook.Failed, "/401": webhook.Failed, "/404": webhook.Failed, "/410": webhook.Failed, "/422": webhook.Failed, "/499": webhook.Failed,
			"/408": webhook.Pending, "/425": webhook.Pending, "/429": webhook.Pending, "/500": webhook.Pending, "/501": webhook.Pending, "/503": webhook.Pending, "/599": webhook.Pending,
			"/hang": webhook.Pending, "refused": webhook.Pending, "garbage": webhook.Pending,
		}
		made := map[string]id.ID{}
		for path := range want {
			url := v.URL + path
			switch path {
			case "refused":
				url = "http://" + gone.Addr().String()
			case "garbage":
				url = "http://" + garbage.Addr().String()
			}
			made[path] = w.share(url, "s", "lane"+path)[0]
		}
		w.run(func() {
			w.waits("one attempt of each", func() bool {
				for _, d := range made {
					if r := w.get(d); r.Attempts != 1 || r.State == webhook.Sending {
						return false
					}
				}
				return true
			})
		})
		close(hang)
		for path, d := range made {
			r := w.get(d)
			if r.State != want[path] || r.Attempts != 1 {
				w.Errorf("%s: %s after %d attempts: %s", path, r.State, r.Attempts, r.LastError)
			}
			if r.State == webhook.Pending && (r.NextAt.Sub(w.clock.Now()) > time.Second || !r.NextAt.After(w.clock.Now())) {
				w.Errorf("%s: tried again at %s", path, r.NextAt)
			}
		}
		if followed.Load() != 0 {
			w.Error("a redirect was followed")
		}
	})
	each(t, false, func(w *world) {
		v := newReceiver(w, func(int, *http.Request, string) int { return 200 })
		d := w.share(v.URL, "s", "lane")[0]
		w.run(func() { w.waits("the refusal", func() bool { return w.get(d).State == webhook.Failed }) })
		if r := w.get(d); r.Attempts != 1 || len(v.bodies()) != 0 || !strings.Contains(r.LastError, "not public") {
			w.Errorf("%+v", r)
		}
	})
}

// Receivers that hang or fail, whether on a host of their own or behind the same
// one, cost the others nothing: all that is for the others arrives without the
// clock moving at all. Of each prospect the order is kept.
func TestHangingReceiversCostTheOthersNothing(t *testing.T) {
	each(t, true, func(w *world) {
		hang := make(chan struct{})
		v := newReceiver(w, func(_ int, r *http.Request, _ string) int {
			if strings.HasPrefix(r.URL.Path, "/hang") {
				<-hang
			}
			if strings.HasPrefix(r.URL.Path, "/fail") {
				return 500
			}
			return 200
		})
		const bad, good, subjects = 40, 10, 12
		for s := range subjects {
			for n := range bad {
				w.share(fmt.Sprint(v.URL, "/", []string{"hang", "fail"}[n%2], n), fmt.Sprint("p", s), fmt.Sprint("bad", n))
			}
		}
		var made []id.ID
		for range 3 {
			for s := range subjects {
				for n := range good {
					made = append(made, w.share(v.URL+"/good", fmt.Sprint("p", s), fmt.Sprint("good", n))...)
				}
			}
		}
		begun := w.clock.Now()
		w.run(func() {
			w.waits("the others", func() bool {
				for _, d := range made {
					if w.get(d).State != webhook.Sent {
						return false
					}
				}
				return true
			})
			close(hang)
		})
		for _, d := range made {
			if r := w.get(d); !r.UpdatedAt.Equal(begun) || r.Attempts != 1 {
				w.Errorf("%+v", r)
			}
		}
	})
}

// When nobody wants a lane any more, what failed is not tried again and what waits
// is given up.
func TestAnEndedLaneIsGivenUp(t *testing.T) {
	each(t, true, func(w *world) {
		var ended atomic.Bool
		w.s.Ask(webhook.SalesPolicy, func(store.Reader, string) (bool, error) { return !ended.Load(), nil })
		begun, goOn := make(chan struct{}), make(chan struct{})
		v := newReceiver(w, func(int, *http.Request, string) int { close(begun); <-goOn; return 500 })
		first, second := w.share(v.URL, "s", "lane")[0], w.share(v.URL, "s", "lane")[0]
		w.run(func() {
			<-begun
			ended.Store(true)
			close(goOn)
			w.waits("the end", func() bool { return w.get(second).State == webhook.Failed })
		})
		if r := w.get(first); r.State != webhook.Failed || r.Attempts != 1 || !strings.Contains(r.LastError, "ended") || !strings.Contains(r.LastError, "500") {
			w.Errorf("%+v", r)
		}
		if r := w.get(second); r.Attempts != 0 || !strings.Contains(r.LastError, "ended") || len(v.bodies()) != 1 {
			w.Errorf("%+v", r)
		}
		if _, err := w.s.Replay(bg, w.tenant, first); err == nil || !strings.Contains(err.Error(), "ended") {
			w.Errorf("replayed: %v", err)
		}
	})
}

// The log shows what was sent; a delivery is replayed under its id; bodies go with
// their last delivery; an erased person leaves nothing.
func TestLogReplayPruneErase(t *testing.T) {
	each(t, true, func(w *world) {
		v := newReceiver(w, func(int, *http.Request, string) int { return 200 })
		a := w.share(v.URL, "p1", "x", "y")
		b := w.share(v.URL, "p2", "x")
		w.run(func() {
			w.waits("all", func() bool { return len(v.bodies()) == 3 })
			w.waits("settled", func() bool {
				return w.get(b[0]).State == webhook.Sent && w.get(a[0]).State == webhook.Sent && w.get(a[1]).State == webhook.Sent
			})
			if r, err := w.s.Replay(bg, w.tenant, a[1]); err != nil || r.State != webhook.Pending || r.Attempts != 0 {
				w.Errorf("%+v, %v", r, err)
			}
			w.waits("again", func() bool { return len(v.bodies()) == 4 && w.get(a[1]).State == webhook.Sent })
		})
		log := func(q webhook.LogQuery) (out []id.ID) {
			list, err := w.s.Log(bg, w.tenant, q)
			if err != nil {
				w.Fatal(err)
			}
			for _, r := range list {
				out = append(out, r.ID)
			}
			return out
		}
		for name, c := range map[string]struct {
			q    webhook.LogQuery
			want []id.ID
		}{
			"all":     {webhook.LogQuery{}, []id.ID{b[0], a[1], a[0]}},
			"lane":    {webhook.LogQuery{Lanes: []string{"x"}}, []id.ID{b[0], a[0]}},
			"subject": {webhook.LogQuery{Subject: "p1"}, []id.ID{a[1], a[0]}},
			"older":   {webhook.LogQuery{Older: b[0], Limit: 1}, []id.ID{a[1]}},
			"newer":   {webhook.LogQuery{Newer: a[0], Limit: 1}, []id.ID{a[1]}},
			"state":   {webhook.LogQuery{States: []string{webhook.Failed}}, nil},
			"event":   {webhook.LogQuery{Events: []string{"quotes.created"}}, nil},
		} {
			if got := log(c.q); fmt.Sprint(got) != fmt.Sprint(c.want) {
				w.Errorf("%s: %v, want %v", name, got, c.want)
			}
		}
		if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error { return w.s.EraseIn(tx, []string{"p1"}) }); err != nil {
			w.Fatal(err)
		}
		if r := w.get(a[0]); len(r.Delivery.Body) != 0 || r.ResponseBody != "" {
			w.Errorf("%+v", r)
		}
		if _, err := w.s.Replay(bg, w.tenant, a[0]); err == nil || !strings.Contains(err.Error(), "erased") {
			w.Errorf("replayed: %v", err)
		}
		count := func() (n int) {
			if err := w.db.Read(bg, w.tenant).QueryRow("SELECT COUNT(*) FROM webhook_body WHERE tenant_id=?").Scan(&n); err != nil {
				w.Fatal(err)
			}
			return n
		}
		if n := count(); n != 1 {
			w.Errorf("%d bodies", n)
		}
		if n, err := w.s.Prune(bg, w.clock.Now().Add(time.Second), 100); err != nil || n != 4 || count() != 0 {
			w.Errorf("pruned %d, %v; %d bodies left", n, err, count())
		}
	})
}
