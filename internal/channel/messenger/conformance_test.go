package messenger_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/channel"
	"parley/internal/channel/channeltest"
	"parley/internal/channel/messenger"
	"parley/internal/channel/meta"
	"parley/internal/clock"
	"parley/internal/egress"
	"parley/internal/simulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

const person = "7316505551234"

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

func harness(t *testing.T, client meta.Doer) channeltest.Harness {
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
	account := func(page, secret string) channel.Account {
		if err := sim.AddPage(simulator.Page{ID: page, Token: "token-" + page, AppSecret: secret, WebhookURL: ours.URL, GraphURL: graph.URL}); err != nil {
			t.Fatal(err)
		}
		return channel.Account{Kind: messenger.Kind, ExternalID: page, Settings: map[string]string{},
			Secrets: map[string]string{"token": "token-" + page, "appSecret": secret}}
	}
	h := channeltest.Harness{
		Channel: messenger.New(client, graph.URL, "", clk),
		Account: account("106540352242922", "s3cret"),
		Other:   account("200000000000002", "an0ther"),
		Person:  person,
	}
	h.Unreachable = h.Account
	h.Unreachable.Settings = map[string]string{"baseUrl": "http://" + closedPort(t)}
	h.Posted = func() []channeltest.Webhook {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := sim.Idle(ctx); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(posted)
	}
	h.Write = func(a channel.Account, from, text string) channeltest.Webhook {
		r, err := sim.PageReply(context.Background(), simulator.PageReply{From: from, To: a.ExternalID, Text: text})
		if err != nil || !r.Accepted {
			t.Fatalf("%+v %v", r, err)
		}
		all := h.Posted()
		return all[len(all)-1]
	}
	h.Write(h.Account, person, "hello") // opens the window
	file := &channel.Media{URL: "https://files.example/a", Filename: "a.pdf"}
	h.Sends = []channel.Outgoing{
		{To: person, Kind: channel.Text, Text: "Hello"},
		{To: person, Kind: channel.Text, Text: "An answer", ReplyTo: "m_before"},
		{To: person, Kind: channel.Image, Media: file},
		{To: person, Kind: channel.Video, Media: file},
		{To: person, Kind: channel.Audio, Media: file},
		{To: person, Kind: channel.Document, Media: file},
		{To: person, Kind: channel.Interactive, Prompt: &channel.Prompt{Kind: channel.ReplyButtons, Header: "H", Body: "Which?", Footer: "F",
			Buttons: []channel.Choice{{ID: "a", Title: "A"}, {ID: "b", Title: "B"}}}},
		{To: person, Kind: channel.Interactive, Prompt: &channel.Prompt{Kind: channel.RowList, Body: "Which?", Button: "Choose",
			Sections: []channel.ChoiceSection{{Title: "One", Rows: []channel.Choice{{ID: "a", Title: "A", Description: "the first"}}}, {Title: "Two", Rows: []channel.Choice{{ID: "b", Title: "B"}}}}}},
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
		Keep: func(mime string, data []byte) string { return sim.KeepAt(h.Account.ExternalID, mime, data) + "/0" },
		Busy: func() {
			inject(simulator.Fault{On: "upload", Status: 503})()
			inject(simulator.Fault{On: "download", Status: 503})()
		},
	}
	h.Refuse, h.Throttle, h.Lose = inject(simulator.Fault{Code: 551}), inject(simulator.Fault{Code: 613}), inject(simulator.Fault{Drop: "after"})
	h.Arrived = func() int {
		box, err := sim.PageInbox(person)
		if err != nil {
			t.Fatal(err)
		}
		return len(box)
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
