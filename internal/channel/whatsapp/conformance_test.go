package whatsapp_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/channel"
	"parley/internal/channel/channeltest"
	"parley/internal/channel/whatsapp"
	"parley/internal/clock"
	"parley/internal/egress"
	"parley/internal/simulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

const person = "16505551234"

func TestConformance(t *testing.T) {
	channeltest.Run(t, func(t *testing.T) channeltest.Harness { return harness(t, newClient(t)) })
}

// TestConformanceThroughEgress proves that "not sent" and "unknown" are told
// apart through the client that the server really uses.
func TestConformanceThroughEgress(t *testing.T) {
	channeltest.Run(t, func(t *testing.T) channeltest.Harness {
		c := egress.New(egress.Options{AllowLoopback: true})
		t.Cleanup(c.Close)
		return harness(t, c)
	})
}

func TestEgressRefusesPrivateAddresses(t *testing.T) {
	h := harness(t, newClient(t))
	gate := egress.New(egress.Options{})
	t.Cleanup(gate.Close)
	a := h.Unreachable // on loopback, which the gate does not let through
	_, err := whatsapp.New(gate, "", "", clock.NewFake(epoch)).Send(context.Background(), a, h.Sends[0])
	if e := sendErr(t, err); e.Outcome != channel.Retry {
		t.Fatalf("%+v", e)
	}
}

func harness(t *testing.T, client whatsapp.Doer) channeltest.Harness {
	t.Helper()
	var mu sync.Mutex
	var posted []channeltest.Webhook
	ours := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		posted = append(posted, channeltest.Webhook{Header: r.Header, Body: body})
	}))
	clk := clock.NewFake(epoch)
	sim := simulator.New(simulator.Options{Clock: clk, Doer: client, Seed: 1})
	graph := httptest.NewServer(sim.Handler())
	t.Cleanup(func() { sim.Close(); graph.Close(); ours.Close() })

	account := func(external, waba, secret string) channel.Account {
		err := sim.AddAccount(simulator.Account{PhoneNumberID: external, WABAID: waba, Token: "token-" + external, AppSecret: secret, WebhookURL: ours.URL})
		if err != nil {
			t.Fatal(err)
		}
		if err := sim.LoadDemoTemplates(waba); err != nil {
			t.Fatal(err)
		}
		return channel.Account{
			Kind: whatsapp.Kind, ExternalID: external,
			Settings: map[string]string{"wabaId": waba},
			Secrets:  map[string]string{"token": "token-" + external, "appSecret": secret},
		}
	}
	h := channeltest.Harness{
		Channel: whatsapp.New(client, graph.URL, "", clk),
		Account: account("106540352242922", "102290129340398", "s3cret"),
		Other:   account("200000000000002", "300000000000003", "an0ther"),
		Person:  person,
	}
	h.Unreachable = h.Account
	h.Unreachable.Settings = map[string]string{"wabaId": "102290129340398", "baseUrl": "http://" + closedPort(t)}
	if err := sim.OpenWindow(person, h.Account.ExternalID, epoch); err != nil {
		t.Fatal(err)
	}
	file := &channel.Media{URL: "https://files.example/a", Filename: "a.pdf"}
	h.Sends = []channel.Outgoing{
		{To: person, Kind: channel.Text, Text: "Hello"},
		{To: person, Kind: channel.Text, Text: "An answer", ReplyTo: "wamid.before"},
		{To: person, Kind: channel.Image, Text: "caption", Media: file},
		{To: person, Kind: channel.Video, Media: file},
		{To: person, Kind: channel.Audio, Media: file},
		{To: person, Kind: channel.Document, Media: file},
		{To: person, Kind: channel.Sticker, Media: file},
		{To: person, Kind: channel.Reaction, ReplyTo: "wamid.before", Reaction: "👍"},
		{To: person, Kind: channel.Reaction, ReplyTo: "wamid.before"},
		{To: person, Kind: channel.TemplateMsg, Template: &channel.TemplateSend{Name: "hello_world", Language: "en_US"}},
		{To: person, Kind: channel.TemplateMsg, Template: &channel.TemplateSend{Name: "visit_reminder", Language: "en_US", Header: []string{"Monday"}, Body: []string{"Monday", "9:00"}}},
		{To: person, Kind: channel.TemplateMsg, Template: &channel.TemplateSend{
			Name: "spring_sale", Language: "en_US", HeaderKind: channel.Image, HeaderMedia: file,
			Body: []string{"Priya", "Friday"}, Buttons: []channel.ButtonValue{{Index: 0, Value: "abc"}},
		}},
	}
	inject := func(f simulator.Fault) func() {
		return func() {
			if err := sim.InjectFault(f); err != nil {
				t.Fatal(err)
			}
		}
	}
	h.Files = channeltest.Files{
		Held: func(name string) ([]byte, bool) { _, data, ok := sim.File(h.Account.ExternalID, name); return data, ok },
		Keep: func(mime string, data []byte) string { return sim.Keep(h.Account.ExternalID, mime, data) },
		Busy: func() {
			inject(simulator.Fault{On: "upload", Status: 503})()
			inject(simulator.Fault{On: "download", Status: 503})()
		},
	}
	h.Refuse = inject(simulator.Fault{Code: 131008})
	h.Throttle = inject(simulator.Fault{Code: 130429})
	h.Lose = inject(simulator.Fault{Drop: "after"})
	h.Arrived = func() int {
		box, err := sim.Inbox(person)
		if err != nil {
			t.Fatal(err)
		}
		return len(box)
	}
	h.Posted = func() []channeltest.Webhook {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := sim.Idle(ctx); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		return posted
	}
	h.Write = func(a channel.Account, from, text string) channeltest.Webhook {
		r, err := sim.Reply(context.Background(), simulator.Reply{From: from, To: a.ExternalID, Text: text})
		if err != nil || !r.Accepted {
			t.Fatalf("%+v %v", r, err)
		}
		all := h.Posted()
		return all[len(all)-1]
	}
	return h
}

// newClient is a plain client whose connections end with the test.
func newClient(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

// closedPort returns an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
