// Package convtest builds the rooms around conversation and outbox on a real
// database, with a programmable channel at the edge. Only tests import it.
package convtest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"parley/internal/account"
	"parley/internal/channel"
	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/conversation"
	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/outbox"
	"parley/internal/secret"
	"parley/internal/store"
	"parley/internal/tenant"
)

// Start is when the clock of a World begins.
var Start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// Number is a phone that the World's tests write to, as a key.
const Number = "919876543210"

// T is what a World needs of a test; a *testing.T and a *rapid.T have it.
type T interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// World is one tenant with one connected account.
type World struct {
	DB            *store.DB
	Clock         *clock.Fake
	Log           *event.Log
	Tenants       *tenant.Service
	Contacts      *contact.Service
	Cards         *deal.Service
	Accounts      *account.Service
	Templates     *conversation.Templates
	Conversations *conversation.Service
	Outbox        *outbox.Outbox
	Channel       *Channel
	Tenant        id.ID
	Account       channel.Account
}

// New builds a World. The database must run on the given clock.
func New(t T, db *store.DB, c *clock.Fake, o outbox.Options) *World {
	t.Helper()
	return NewWith(t, db, c, o)
}

// NewWith is New with further kinds of channels whose addresses are identities of
// their own kind, as Messenger's are. One programmable Channel is behind them all.
func NewWith(t T, db *store.DB, c *clock.Fake, o outbox.Options, kinds ...string) *World {
	t.Helper()
	box, err := secret.NewBox([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	w := &World{DB: db, Clock: c, Log: event.NewLog(), Tenants: tenant.New(db, box), Channel: NewChannel()}
	channels := map[string]channel.Channel{"whatsapp": w.Channel}
	for _, kind := range kinds {
		channels[kind] = further{w.Channel, kind}
	}
	w.Contacts = contact.NewService(db, w.Log, w.Tenants)
	w.Cards = deal.NewService(db, w.Log, w.Contacts, w.Tenants)
	w.Accounts = account.New(db, w.Tenants)
	w.Templates = conversation.NewTemplates(db, w.Accounts, channels)
	w.Conversations = conversation.NewService(db, w.Log, w.Contacts, w.Cards, w.Tenants, w.Accounts, w.Templates)
	w.Outbox = outbox.New(db, channels, w.Accounts, w.Contacts, w.Conversations, o)
	ten, err := w.Tenants.Create(context.Background(), tenant.NewTenant{Name: "Acme"})
	if err != nil {
		t.Fatal(err)
	}
	w.Tenant = ten.ID
	w.Account, err = w.Accounts.Connect(context.Background(), w.Tenant, account.NewAccount{Kind: "whatsapp", ExternalID: id.New().String(),
		Settings: map[string]string{"wabaId": "77"}, Secrets: map[string]string{"token": "t0ken", "appSecret": "s3cret", "verifyToken": "verify-me"}})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Hello receives a text from a phone, so that the reply window is open.
func (w *World) Hello(t T, from string) conversation.Conversation {
	t.Helper()
	w.Receive(t, channel.Batch{Messages: []channel.Incoming{{Account: w.Account.ExternalID, ProviderID: "in." + id.New().String(), From: from,
		ProfileName: "Asha", At: w.Clock.Now(), Kind: channel.Text, Text: "hello"}}})
	list, _, err := w.Conversations.List(context.Background(), w.Tenant, conversation.ListQuery{Search: from})
	if err != nil || len(list) != 1 {
		t.Fatalf("the conversation of %s: %v %v", from, list, err)
	}
	return list[0]
}

// Receive hands a batch to the World's account.
func (w *World) Receive(t T, b channel.Batch) {
	t.Helper()
	if err := w.Conversations.Receive(context.Background(), w.Account, b); err != nil {
		t.Fatalf("receive: %v", err)
	}
}

// Text promises a text to a phone.
func (w *World) Text(t T, to, text string) conversation.Message {
	t.Helper()
	m, err := w.Conversations.Send(context.Background(), w.Tenant, "key:test", conversation.Send{To: "+" + to, Text: text})
	if err != nil {
		t.Fatalf("send: %v", err)
	}
	return m
}

// Approve stores an approved template with a body.
func (w *World) Approve(t T, name, category, body string) conversation.Template {
	t.Helper()
	tpl, err := w.Templates.Create(context.Background(), w.Tenant, conversation.TemplatePatch{Name: &name, Category: &category, BodyText: &body})
	if err != nil {
		t.Fatalf("template: %v", err)
	}
	if err := w.DB.Write(context.Background(), w.Tenant, func(tx *store.Tx) error {
		_, err := tx.Exec("UPDATE template SET status='APPROVED' WHERE tenant_id=? AND id=?", tpl.ID)
		return err
	}); err != nil {
		t.Fatalf("template: %v", err)
	}
	return tpl
}

// Message reads a message.
func (w *World) Message(t T, m id.ID) conversation.Message {
	t.Helper()
	out, err := w.Conversations.Message(context.Background(), w.Tenant, m)
	if err != nil {
		t.Fatalf("message: %v", err)
	}
	return out
}

// Count counts rows of the tenant.
func (w *World) Count(t T, table, where string, args ...any) int {
	t.Helper()
	var n int
	if err := w.DB.Read(context.Background(), w.Tenant).QueryRow("SELECT COUNT(*) FROM "+table+" WHERE tenant_id=? AND "+where, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Events counts the events of a type.
func (w *World) Events(t T, typ string) int { return w.Count(t, "event", "type=?", typ) }

// Channel is a provider that does what a test says. Without an answer set it
// accepts everything.
type Channel struct {
	mu     sync.Mutex
	caps   channel.Capabilities
	upload func(n int, got []byte) (string, error)
	fetch  func(n int, m channel.Media) (channel.Download, error)
	ups    int
	downs  int
	answer func(m channel.Outgoing) (channel.Result, error)
	sent   []channel.Outgoing
	list   []channel.Template
	listed error
}

var (
	_ channel.Channel        = (*Channel)(nil)
	_ channel.TemplateLister = (*Channel)(nil)
)

// NewChannel returns a channel with the capabilities of WhatsApp and no pace.
func NewChannel() *Channel {
	return &Channel{caps: channel.Capabilities{Templates: true, Media: true, Reactions: true, ReplyWindow: 24 * time.Hour,
		Echo: true, Unknown: channel.UnknownList}}
}

// Kind implements channel.Channel.
func (c *Channel) Kind() string { return "whatsapp" }

// Capabilities implements channel.Channel.
func (c *Channel) Capabilities() channel.Capabilities {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.caps
}

// Set changes the capabilities.
func (c *Channel) Set(change func(*channel.Capabilities)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.caps)
}

// Answer sets what Send does from now on; nil accepts.
func (c *Channel) Answer(f func(m channel.Outgoing) (channel.Result, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = f
}

// Send implements channel.Channel.
func (c *Channel) Send(_ context.Context, _ channel.Account, m channel.Outgoing) (channel.Result, error) {
	c.mu.Lock()
	c.sent = append(c.sent, m)
	f := c.answer
	c.mu.Unlock()
	if f == nil {
		return Accept(m)
	}
	return f(m)
}

// Accept is the answer of a provider that takes a message.
func Accept(m channel.Outgoing) (channel.Result, error) {
	return channel.Result{ProviderID: fmt.Sprintf("wamid.%s.%d", m.ID, m.Attempt)}, nil
}

// Sent returns what was handed over, in order.
func (c *Channel) Sent() []channel.Outgoing {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]channel.Outgoing(nil), c.sent...)
}

// Hold sets what Templates returns.
func (c *Channel) Hold(err error, list ...channel.Template) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list, c.listed = list, err
}

// Templates implements channel.TemplateLister.
func (c *Channel) Templates(context.Context, channel.Account) ([]channel.Template, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.list, c.listed
}

// further is the World's channel under another kind.
type further struct {
	*Channel
	kind string
}

// Kind implements channel.Channel.
func (f further) Kind() string { return f.kind }

// Capabilities implements channel.Channel.
func (f further) Capabilities() channel.Capabilities {
	c := f.Channel.Capabilities()
	c.Identity, c.Templates = f.kind, false
	return c
}
