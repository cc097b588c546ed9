package automation

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/account"
	"parley/internal/channel"
	"parley/internal/clock"
	"parley/internal/conversation/convtest"
	"parley/internal/egress"
	"parley/internal/egress/poster"
	"parley/internal/id"
	"parley/internal/outbox"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/webhook"
)

// TestMessenger: who writes on Messenger is a new lead to the rules, and a reply
// there is a reply; what is about WhatsApp does not concern them, and a rule that
// would send there fails at that step, for there is no phone.
func TestMessenger(t *testing.T) {
	now := clock.NewFake(convtest.Start)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		cw := convtest.NewWith(t, db, now, outbox.Options{}, "messenger")
		client := egress.New(egress.Options{AllowLoopback: true})
		t.Cleanup(client.Close)
		hooks := webhook.NewService(db, cw.Log, cw.Tenants, poster.New(client))
		w := &world{t, cw, NewService(db, cw.Log, cw.Contacts, cw.Cards, cw.Conversations, hooks, cw.Tenants, now), hooks}
		page, err := w.Accounts.Connect(bg, w.Tenant, account.NewAccount{Kind: "messenger", ExternalID: id.New().String(), Secrets: map[string]string{"token": "t", "appSecret": "s"}})
		if err != nil {
			t.Fatal(err)
		}
		says := func(text string) {
			t.Helper()
			if err := w.Conversations.Receive(bg, page, channel.Batch{Messages: []channel.Incoming{{Account: page.ExternalID, ProviderID: "m." + id.New().String(),
				From: "7316505551234", At: w.Clock.Now(), Kind: channel.Text, Text: text}}}); err != nil {
				t.Fatal(err)
			}
			now.Advance(time.Second) // a wait that begins later does not hear what was written before
			w.settled()
		}
		incoming := w.rule(`{"name":"In","trigger":"whatsapp_incoming","nodes":[{"id":"a","type":"add_tag","data":{"tag":"in"}}]}`)
		ask := w.rule(`{"name":"Ask","trigger":"lead_created","nodes":[{"id":"w","type":"wait_reply","data":{"timeoutMinutes":30}},{"id":"y","type":"add_tag","data":{"tag":"said-{{reply}}"}}],
			"edges":[{"source":"w","target":"y","sourceHandle":"reply"}]}`)
		send := w.rule(`{"name":"Send","trigger":"lead_created","nodes":[{"id":"s","type":"send_whatsapp","data":{"text":"hi"}}]}`)
		says("hello")
		says("blue")
		if r := w.wantStory(ask.ID, "completed w=completed y=completed"); !slices.Equal(w.tags(r.Contact), []string{"said-blue"}) {
			t.Errorf("the tags are %q", w.tags(r.Contact))
		}
		if len(w.runs(incoming.ID)) > 0 {
			t.Error("a message on Messenger started a rule of WhatsApp")
		}
		r := w.run(send.ID)
		if r.Status != Failed || !strings.Contains(r.Error+r.Steps[0].Error, "phone") || len(w.texts()) > 0 {
			t.Errorf("%+v %q", r, w.texts())
		}
	}, storetest.Clock(now))
}
