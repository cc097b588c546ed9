package simulator

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"parley/internal/fault"
)

// until polls a condition with a deadline, for what other goroutines do.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !cond(); {
		if time.Now().After(end) {
			t.Fatalf("timeout waiting for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestReplyIsADocumentedWebhook(t *testing.T) {
	w := newWorld(t, Options{})
	r, err := w.sim.Reply(context.Background(), Reply{From: "+" + person1, Text: "Does it come in another color?", Name: "Sheena Nelson", ReplyTo: "wamid.before"})
	if err != nil || !r.Accepted || r.Status != 200 || r.Account != number {
		t.Fatalf("%+v %v", r, err)
	}
	got, _ := json.Marshal(w.lastHook())
	// The shape of the example in Meta Cloud API, "messages webhook reference".
	want := fmt.Sprintf(`{"entry":[{"changes":[{"field":"messages","value":{"contacts":[{"profile":{"name":"Sheena Nelson"},"wa_id":"16505551234"}],"messages":[{"context":{"from":"15550783881","id":"wamid.before"},"from":"16505551234","id":%q,"text":{"body":"Does it come in another color?"},"timestamp":"1772442000","type":"text"}],"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550783881","phone_number_id":"106540352242922"}}}],"id":"102290129340398"}],"object":"whatsapp_business_account"}`, r.ID)
	if string(got) != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	r, err = w.sim.Reply(context.Background(), Reply{From: person1, Message: json.RawMessage(`{"type":"button","button":{"text":"Yes","payload":"y"}}`)})
	if err != nil || !r.Accepted {
		t.Fatal(r, err)
	}
	if m := dig(w.lastHook(), "entry", 0, "changes", 0, "value", "messages", 0); dig(m, "button", "text") != "Yes" || dig(m, "id") != r.ID || dig(m, "from") != person1 {
		t.Fatal(m)
	}
}

func TestRefusedWebhooksAreRepeatedWithGrowingPauses(t *testing.T) {
	w := newWorld(t, Options{})
	w.setAnswer(503)
	r, err := w.sim.Reply(context.Background(), Reply{From: person1, Text: "hi"})
	if err != nil || r.Accepted || r.Status != 503 {
		t.Fatalf("%+v %v", r, err)
	}
	for n, pause := range []time.Duration{1, 2, 4} {
		w.clock.Advance(pause*time.Second - time.Millisecond)
		w.idle()
		if got := len(w.sim.Webhooks()); got != n+1 {
			t.Fatalf("%d attempts before the pause is over, want %d", got, n+1)
		}
		if n == 2 {
			w.setAnswer(200)
		}
		w.clock.Advance(time.Millisecond)
		w.idle()
		log := w.sim.Webhooks()
		if len(log) != n+2 || log[n+1].Attempt != n+2 || log[n+1].Accepted != (n == 2) || log[n+1].Kind != "message" {
			t.Fatalf("after pause %d: %+v", n, log)
		}
	}
	w.clock.Advance(time.Hour)
	w.idle()
	if got := len(w.sim.Webhooks()); got != 4 {
		t.Fatalf("an accepted webhook was repeated: %d attempts", got)
	}
}

func TestOnly200Counts(t *testing.T) {
	w := newWorld(t, Options{})
	w.setAnswer(204)
	if r, _ := w.sim.Reply(context.Background(), Reply{From: person1, Text: "hi"}); r.Accepted || r.Status != 204 {
		t.Fatalf("%+v", r)
	}
}

func TestStatusDelayFollowsTheClock(t *testing.T) {
	w := newWorld(t, Options{StatusDelay: time.Minute})
	w.open(person1)
	w.send(text(person1, "x"))
	for _, want := range [][]string{{"sent"}, {"sent", "delivered"}, {"sent", "delivered", "read"}} {
		w.idle()
		if got := w.statuses(); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		w.clock.Advance(time.Minute)
	}
}

func TestDuplicatesAndDisorder(t *testing.T) {
	run := func(seed uint64) []string {
		w := newWorld(t, Options{Seed: seed})
		w.open(person1)
		two, yes := 1, true
		w.must(w.sim.InjectFault(Fault{Duplicates: &two, Disorder: &yes}))
		for range 4 {
			w.send(text(person1, "x"))
			w.idle()
		}
		return w.statuses()
	}
	a, b := run(7), run(7)
	if !slices.Equal(a, b) {
		t.Fatalf("the same seed gave\n%v\n%v", a, b)
	}
	if len(a) != 4*3*2 {
		t.Fatalf("%d webhooks: %v", len(a), a)
	}
	inOrder := true
	for i := 0; i < len(a); i += 6 {
		inOrder = inOrder && slices.Equal(a[i:i+6], []string{"sent", "sent", "delivered", "delivered", "read", "read"})
	}
	if inOrder {
		t.Fatal("disorder changed nothing")
	}
}

func TestFaults(t *testing.T) {
	w := newWorld(t, Options{})
	w.open(person1)
	w.must(w.sim.InjectFault(Fault{Code: 131016, Count: 2}))
	for range 2 {
		if status, v := w.send(text(person1, "x")); status != 500 || code(v) != 131016 {
			t.Fatal(status, v)
		}
	}
	w.must(w.sim.InjectFault(Fault{Status: 502}))
	if status, v := w.send(text(person1, "x")); status != 502 || v != nil {
		t.Fatal(status, v)
	}
	w.must(w.sim.InjectFault(Fault{Code: 131026})) // told later
	if status, v := w.send(text(person1, "x")); status != 200 {
		t.Fatal(status, v)
	}
	w.idle()
	if got := w.statuses(); !slices.Equal(got, []string{"failed"}) {
		t.Fatal(got)
	}
	w.must(w.sim.InjectFault(Fault{Code: 190, To: "16505559999"}))
	if status, v := w.send(text(person1, "not meant")); status != 200 {
		t.Fatal(v)
	}
	w.must(w.sim.InjectFault(Fault{Clear: true}))
	for _, where := range []string{"before", "after"} {
		w.must(w.sim.InjectFault(Fault{Drop: where}))
		before, _ := w.sim.Inbox(person1)
		req, _ := http.NewRequest("POST", w.graph.URL+"/v24.0/"+number+"/messages", stringsReader(text(person1, where)))
		req.Header.Set("Authorization", "Bearer "+token)
		if resp, err := w.client.Do(req); err == nil {
			resp.Body.Close()
			t.Fatalf("drop %s: answered %d", where, resp.StatusCode)
		}
		after, _ := w.sim.Inbox(person1)
		if want := map[string]int{"before": 0, "after": 1}[where]; len(after)-len(before) != want {
			t.Fatalf("drop %s: %d messages arrived, want %d", where, len(after)-len(before), want)
		}
	}
}

func TestDelayWaitsOnTheClock(t *testing.T) {
	w := newWorld(t, Options{})
	w.open(person1)
	w.must(w.sim.InjectFault(Fault{DelayMS: 5000}))
	done := make(chan int, 1)
	go func() {
		status, _ := w.send(text(person1, "slow"))
		done <- status
	}()
	until(t, "acceptance", func() bool { box, _ := w.sim.Inbox(person1); return len(box) == 1 })
	select {
	case <-done:
		t.Fatal("answered before the delay")
	default:
	}
	until(t, "the answer", func() bool {
		w.clock.Advance(time.Second)
		select {
		case status := <-done:
			return status == 200
		default:
			return false
		}
	})
}

func TestRingsAreBounded(t *testing.T) {
	w := newWorld(t, Options{RingSize: 3, MaxPhones: 2, LogSize: 5, Limits: Limits{PairGap: -1, PerSecond: -1, Window: -1}})
	for i := range 10 {
		w.send(text(person1, fmt.Sprint(i)))
	}
	box, _ := w.sim.Inbox(person1)
	if len(box) != 3 || box[0].Text != "7" || box[2].Text != "9" {
		t.Fatalf("%+v", box)
	}
	w.send(text("16505550001", "a"))
	w.send(text("16505550002", "b"))
	if box, _ = w.sim.Inbox(person1); len(box) != 0 {
		t.Fatal("the oldest phone should be forgotten")
	}
	w.idle()
	if n := len(w.sim.Webhooks()); n != 5 {
		t.Fatal(n)
	}
}

func TestTwoNumbersAndReset(t *testing.T) {
	w := newWorld(t, Options{})
	w.must(w.sim.AddAccount(Account{PhoneNumberID: "200", WABAID: "300", Token: "t2", AppSecret: secret}))
	_, err := w.sim.Reply(context.Background(), Reply{From: person1, Text: "hi"})
	if e := fault.As(err); e == nil || e.Field != "to" {
		t.Fatalf("%v", err)
	}
	w.send(template(person1, "hello_world", "")) // now it is clear whom they answer
	if r, err := w.sim.Reply(context.Background(), Reply{From: person1, Text: "hi"}); err != nil || r.Account != number {
		t.Fatal(r, err)
	}
	if status, v := w.call("POST", "/v24.0/200/messages", token, text(person1, "x")); status != 401 || code(v) != 190 {
		t.Fatal("one number's token must not serve another", v)
	}
	w.sim.Reset(false)
	if box, _ := w.sim.Inbox(person1); len(box) != 0 || len(w.sim.Webhooks()) != 0 || len(w.sim.Accounts()) != 2 {
		t.Fatal("reset")
	}
	w.sim.Reset(true)
	if len(w.sim.Accounts()) != 0 || len(w.sim.Templates(waba)) != 0 {
		t.Fatal("reset everything")
	}
}

// hanging is a webhook server that takes requests and never answers.
func hanging(t *testing.T, w *world) (arrived chan struct{}) {
	t.Helper()
	arrived = make(chan struct{}, 100)
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body) // so that the server notices when the caller leaves
		arrived <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() { close(release); server.Close() })
	w.must(w.sim.AddAccount(Account{PhoneNumberID: number, WABAID: waba, Token: token, AppSecret: secret, WebhookURL: server.URL}))
	return arrived
}

func TestCloseDoesNotWaitForAHangingServer(t *testing.T) {
	w := newWorld(t, Options{})
	arrived := hanging(t, w)
	w.open(person1)
	w.send(text(person1, "x"))
	<-arrived
	done := make(chan struct{})
	go func() { w.sim.Close(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("Close hangs")
	}
}

func TestASilentServerTimesOutByTheClock(t *testing.T) {
	w := newWorld(t, Options{})
	arrived := hanging(t, w)
	got := make(chan Replied, 1)
	go func() {
		r, _ := w.sim.Reply(context.Background(), Reply{From: person1, Text: "hi"})
		got <- r
	}()
	<-arrived
	w.clock.Advance(hookTimeout)
	select {
	case r := <-got:
		if r.Accepted || r.Status != 0 || r.Error == "" {
			t.Fatalf("%+v", r)
		}
	case <-time.After(time.Minute):
		t.Fatal("no timeout")
	}
}

func TestGivenUpAfterSevenDays(t *testing.T) {
	w := newWorld(t, Options{RetryBase: time.Hour})
	w.setAnswer(500)
	if _, err := w.sim.Reply(context.Background(), Reply{From: person1, Text: "hi"}); err != nil {
		t.Fatal(err)
	}
	for range 7*24 + 10 {
		w.clock.Advance(time.Hour)
		w.idle()
	}
	if got := len(w.sim.Webhooks()); got != 7*24+1 {
		t.Fatalf("%d attempts", got)
	}
}

// TestManyAtOnce sends to many people at once: everything arrives once, each
// person's statuses come in order, and nothing is left over.
func TestManyAtOnce(t *testing.T) {
	const people, each = 20, 10
	w := newWorld(t, Options{Limits: Limits{PerSecond: -1}})
	var wg sync.WaitGroup
	for i := range people {
		phone := fmt.Sprintf("1650555%04d", i)
		w.open(phone)
		wg.Go(func() {
			for range each {
				req, _ := http.NewRequest("POST", w.graph.URL+"/v24.0/"+number+"/messages", stringsReader(text(phone, "x")))
				req.Header.Set("Authorization", "Bearer "+token)
				resp, err := w.client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != 200 {
					t.Error(resp.StatusCode)
				}
			}
		})
	}
	wg.Wait()
	w.idle()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.hooks) != people*each*3 {
		t.Fatalf("%d webhooks", len(w.hooks))
	}
	progress := map[any]int{}
	for _, h := range w.hooks {
		s := dig(h, "entry", 0, "changes", 0, "value", "statuses", 0)
		want := []string{"sent", "delivered", "read"}[progress[dig(s, "id")]]
		if dig(s, "status") != want {
			t.Fatalf("%v, want %s", s, want)
		}
		progress[dig(s, "id")]++
	}
	if len(progress) != people*each {
		t.Fatalf("%d messages", len(progress))
	}
}
