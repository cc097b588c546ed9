package conversation_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/channel"
	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/conversation"
	"parley/internal/conversation/convtest"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/outbox"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bg = context.Background()

func each(t *testing.T, f func(t *testing.T, w *convtest.World), opts ...storetest.Option) {
	t.Helper()
	c := clock.NewFake(convtest.Start)
	storetest.Each(t, func(t *testing.T, db *store.DB) { f(t, convtest.New(t, db, c, outbox.Options{})) }, append(opts, storetest.Clock(c))...)
}

func incoming(w *convtest.World, pid, from, text string) channel.Incoming {
	return channel.Incoming{Account: w.Account.ExternalID, ProviderID: pid, From: from, ProfileName: "Asha Rao", At: w.Clock.Now(), Kind: channel.Text, Text: text}
}

func TestFirstMessageMakesCardAndConversation(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		w.Receive(t, channel.Batch{Messages: []channel.Incoming{incoming(w, "a", convtest.Number, "hello")}})
		list, next, err := w.Conversations.List(bg, w.Tenant, conversation.ListQuery{})
		if err != nil || len(list) != 1 || next != "" {
			t.Fatalf("%v %q %v", list, next, err)
		}
		c := list[0]
		if c.Address != convtest.Number || c.Name != "Asha Rao" || c.Unread != 1 || c.Messages != 1 || c.Status != "open" || c.Last == nil || c.Last.Text != "hello" ||
			!c.LastInboundAt.Equal(w.Clock.Now()) || c.Account != w.Account.ID {
			t.Fatalf("conversation %+v", c)
		}
		card, err := w.Cards.Card(bg, w.Tenant, c.Contact)
		if err != nil || card.Contact.Phone() != convtest.Number || card.Contact.Source != "whatsapp" || !strings.HasPrefix(card.Contact.FirstName, "Asha") ||
			!card.Contact.LastContactedAt.Equal(w.Clock.Now()) || card.Deal.ID.IsZero() {
			t.Fatalf("card %+v %v", card, err)
		}
		for _, typ := range []string{"conversation.created", "message.received", "contact.created", "deal.created"} {
			if n := w.Events(t, typ); n != 1 {
				t.Errorf("%d events %s, want 1", n, typ)
			}
		}
		if n := w.Count(t, "activity", "type='whatsapp_received'"); n != 1 {
			t.Errorf("%d activities whatsapp_received", n)
		}
	})
}

func TestInboundUnarchivesAndReopens(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		c := w.Hello(t, convtest.Number)
		if _, err := w.Conversations.SetStatus(bg, w.Tenant, "key:t", c.ID, "resolved"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Cards.Archive(bg, w.Tenant, "key:t", c.Contact); err != nil {
			t.Fatal(err)
		}
		again := w.Hello(t, convtest.Number)
		p, err := w.Contacts.Get(w.DB.Read(bg, w.Tenant), c.Contact)
		if err != nil || p.Archived() || again.ID != c.ID || again.Contact != c.Contact || again.Status != "open" || again.Unread != 2 {
			t.Fatalf("%+v %+v %v", again, p, err)
		}
	})
}

// TestThousandWebhooksThreeTimesInAnyOrder is the promise of the package's
// comment: deliveries repeated and shuffled leave every message once.
func TestThousandWebhooksThreeTimesInAnyOrder(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		const people = 20
		const total = people * 50
		var sent []conversation.Message
		for p := range people {
			to := fmt.Sprintf("91900000%04d", p)
			w.Hello(t, to)
			for range 10 {
				sent = append(sent, w.Text(t, to, "out"))
			}
		}
		if err := promote(w); err != nil {
			t.Fatal(err)
		}
		before := w.Count(t, "message", "direction='inbound'")
		w.Clock.Advance(time.Minute)
		base := w.Clock.Now()
		w.Clock.Advance(time.Hour)
		var hooks []channel.Batch
		for i := range total - 3*len(sent) {
			m := incoming(w, fmt.Sprintf("wamid.in.%d", i), fmt.Sprintf("91900000%04d", i%people), fmt.Sprint(i))
			m.At = base.Add(time.Duration(i) * time.Second)
			hooks = append(hooks, channel.Batch{Messages: []channel.Incoming{m}})
		}
		for i, m := range sent {
			for k, status := range []string{"sent", "delivered", "read"} {
				r := channel.Receipt{Account: w.Account.ExternalID, ProviderID: "wamid.out." + m.ID.String(), Echo: m.ID.String(), Status: status, At: base.Add(time.Duration(i*10+k) * time.Second)}
				hooks = append(hooks, channel.Batch{Receipts: []channel.Receipt{r}})
			}
		}
		hooks = slices.Concat(hooks, hooks, hooks)
		rng := rand.New(rand.NewPCG(7, 11))
		rng.Shuffle(len(hooks), func(i, j int) { hooks[i], hooks[j] = hooks[j], hooks[i] })
		// A third of them comes in larger batches, of messages and receipts mixed.
		var grouped []channel.Batch
		for len(hooks) > 0 {
			n := 1
			if rng.IntN(6) == 0 {
				n = min(len(hooks), 1+rng.IntN(6))
			}
			var b channel.Batch
			for _, h := range hooks[:n] {
				b.Messages, b.Receipts = append(b.Messages, h.Messages...), append(b.Receipts, h.Receipts...)
			}
			grouped, hooks = append(grouped, b), hooks[n:]
		}
		hooks = grouped
		start := time.Now()
		deliver(t, w, hooks, 8)
		t.Logf("%d webhooks in %v", len(hooks), time.Since(start))

		if n := w.Count(t, "message", "direction='inbound'") - before; n != total-3*len(sent) {
			t.Fatalf("%d inbound messages, want %d", n, total-3*len(sent))
		}
		if n := w.Events(t, "message.received"); n != total-3*len(sent)+before {
			t.Fatalf("%d events message.received", n)
		}
		for _, m := range sent {
			got := w.Message(t, m.ID)
			if got.Status != "read" || len(got.History) != 4 {
				t.Fatalf("message %+v", got)
			}
			for i, s := range []string{"queued", "sent", "delivered", "read"} {
				if got.History[i].Status != s || i > 0 && got.History[i].At.Before(got.History[i-1].At) {
					t.Fatalf("history %+v", got.History)
				}
			}
		}
		for _, typ := range []string{"message.sent", "message.read"} {
			if n := w.Events(t, typ); n != len(sent) {
				t.Fatalf("%d events %s, want %d", n, typ, len(sent))
			}
		}
		list, _, err := w.Conversations.List(bg, w.Tenant, conversation.ListQuery{Limit: 200})
		if err != nil || len(list) != people {
			t.Fatalf("%d conversations: %v", len(list), err)
		}
		for _, c := range list {
			n := w.Count(t, "message", "conversation_id=?", c.ID)
			in := w.Count(t, "message", "conversation_id=? AND direction='inbound'", c.ID)
			if c.Messages != n || c.Unread != in || c.Last == nil || !c.Last.CreatedAt.Equal(c.LastMessageAt) {
				t.Fatalf("conversation %+v has %d messages, %d inbound", c, n, in)
			}
			newest, _, err := w.Conversations.Messages(bg, w.Tenant, c.ID, conversation.MessageQuery{Limit: 1})
			if err != nil || newest[0].ID != c.Last.ID {
				t.Fatalf("last is %s, newest %s: %v", c.Last.ID, newest[0].ID, err)
			}
		}
	}, storetest.Once())
}

// promote marks every queued row as handed over, as if the lane had claimed it.
func promote(w *convtest.World) error {
	return w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
		_, err := tx.Exec("UPDATE outbox SET state='sending', attempt=1, lease_until=? WHERE tenant_id=?", tx.Now().Add(time.Hour))
		return err
	})
}

// deliver hands webhooks over from several goroutines at once.
func deliver(t *testing.T, w *convtest.World, hooks []channel.Batch, at int) {
	t.Helper()
	next := make(chan channel.Batch)
	var wg sync.WaitGroup
	for range at {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for b := range next {
				if err := w.Conversations.Receive(bg, w.Account, b); err != nil {
					t.Errorf("receive: %v", err)
				}
			}
		}()
	}
	for _, b := range hooks {
		next <- b
	}
	close(next)
	wg.Wait()
}

func TestBigBatchIsCutAndForeignItemRefused(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		var b channel.Batch
		for i := range 250 {
			b.Messages = append(b.Messages, incoming(w, fmt.Sprint("m", i), fmt.Sprintf("91900000%04d", i%5), "x"))
		}
		w.Receive(t, b)
		if n := w.Count(t, "message", "direction='inbound'"); n != 250 {
			t.Fatalf("%d messages, want 250", n)
		}
		foreign := incoming(w, "f", convtest.Number, "x")
		foreign.Account = "somebody else"
		err := w.Conversations.Receive(bg, w.Account, channel.Batch{Messages: []channel.Incoming{incoming(w, "g", convtest.Number, "x"), foreign}})
		if f := fault.As(err); f == nil || f.Code != fault.Invalid || w.Count(t, "message", "provider_id='g'") != 0 {
			t.Fatalf("a foreign item: %v", err)
		}
	})
}

func TestHostileInboundIsStored(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		m := incoming(w, "h1", convtest.Number, "a\x00b\xff")
		m.ProfileName = "line\nbreak\x00" + strings.Repeat("x", 500)
		m.Payload = "p\x00"
		long := incoming(w, "h2", convtest.Number, strings.Repeat("é", 70000))
		far := incoming(w, "h3", "1", "a number too short to be a phone")
		future := incoming(w, "h4", convtest.Number, "from the future")
		future.At = w.Clock.Now().Add(1000 * time.Hour)
		scoped := incoming(w, "h5", "US.13491208655302741918", "no phone")
		w.Receive(t, channel.Batch{Messages: []channel.Incoming{m, long, far, future, scoped}})
		if n := w.Count(t, "message", "direction='inbound'"); n != 5 {
			t.Fatalf("%d messages, want 5", n)
		}
		if n := w.Count(t, "message", "created_at>?", w.Clock.Now()); n != 0 {
			t.Fatal("a message lies in the future")
		}
		if n := w.Count(t, "conversation", "address='US.13491208655302741918'"); n != 1 {
			t.Fatal("a person without a phone has no conversation")
		}
	})
}

func TestReactionsReachTheirMessageOncePerSender(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		w.Receive(t, channel.Batch{Messages: []channel.Incoming{incoming(w, "target", convtest.Number, "hello")}})
		items, _, err := w.Conversations.List(bg, w.Tenant, conversation.ListQuery{})
		if err != nil {
			t.Fatal(err)
		}
		target := items[0].Last.ID
		react := func(pid, emoji string, after time.Duration) channel.Batch {
			m := incoming(w, pid, convtest.Number, "")
			m.Kind, m.Reaction, m.ReplyTo, m.At = channel.Reaction, emoji, "target", w.Clock.Now().Add(after)
			return channel.Batch{Messages: []channel.Incoming{m}}
		}
		first, second, gone := react("r1", "👍", 0), react("r2", "❤", time.Second), react("r3", "", 2*time.Second)
		for _, b := range []channel.Batch{second, first, second} {
			w.Receive(t, b)
		}
		if got := w.Message(t, target).Reactions; len(got) != 1 || got[0].Emoji != "❤" || got[0].By != convtest.Number {
			t.Fatalf("reactions %+v", got)
		}
		w.Receive(t, gone)
		w.Receive(t, first) // a late repetition
		if got := w.Message(t, target).Reactions; len(got) != 0 {
			t.Fatalf("a reaction that was taken back is there: %+v", got)
		}
		if n := w.Events(t, "message.updated"); n != 2 {
			t.Fatalf("%d events message.updated, want 2", n)
		}
		c, err := w.Conversations.Get(bg, w.Tenant, items[0].ID)
		if err != nil || c.Messages != 1 || c.Unread != 1 {
			t.Fatalf("a reaction counted as a message: %+v %v", c, err)
		}
	})
}

func TestReceiptsThatConcernNobody(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		w.Hello(t, convtest.Number)
		m := w.Text(t, convtest.Number, "never handed over")
		w.Receive(t, channel.Batch{Receipts: []channel.Receipt{
			{Account: w.Account.ExternalID, ProviderID: "nobody", Status: "read", At: w.Clock.Now()},
			{Account: w.Account.ExternalID, ProviderID: "x", Echo: id.New().String(), Status: "read", At: w.Clock.Now()},
			{Account: w.Account.ExternalID, ProviderID: "y", Echo: "not an id", Status: "sent", At: w.Clock.Now()},
			{Account: w.Account.ExternalID, ProviderID: "z", Echo: m.ID.String(), Status: "nonsense", At: w.Clock.Now()},
		}})
		if got := w.Message(t, m.ID); got.Status != "queued" || got.ProviderID != "" {
			t.Fatalf("message %+v", got)
		}
	})
}

func TestFailedReceiptTellsWhyAndDeliveryOverrulesIt(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		c := w.Hello(t, convtest.Number)
		m := w.Text(t, convtest.Number, "x")
		if err := promote(w); err != nil {
			t.Fatal(err)
		}
		receipt := func(status string, why *channel.SendError) {
			w.Receive(t, channel.Batch{Receipts: []channel.Receipt{{Account: w.Account.ExternalID, ProviderID: "p", Echo: m.ID.String(), Status: status, At: w.Clock.Now(), Err: why}}})
		}
		receipt("failed", &channel.SendError{Code: 131050, Title: "stopped"})
		got := w.Message(t, m.ID)
		if got.Status != "failed" || got.Error == nil || got.Error.Code != 131050 {
			t.Fatalf("message %+v", got)
		}
		if out, err := w.Contacts.Refused(w.DB.Read(bg, w.Tenant), c.Contact, "whatsapp", ""); err != nil || !out {
			t.Fatalf("131050 in a receipt is an opt-out: %v %v", out, err)
		}
		receipt("sent", nil)
		if got := w.Message(t, m.ID); got.Status != "failed" {
			t.Fatalf("sent overruled failed: %+v", got)
		}
		receipt("delivered", nil)
		if got := w.Message(t, m.ID); got.Status != "delivered" || got.Error != nil {
			t.Fatalf("message %+v", got)
		}
		if n := w.Count(t, "outbox", "id=? AND state='sent'", m.ID); n != 1 {
			t.Fatal("the row does not agree")
		}
	})
}

func TestPreferencesBecomeConsent(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		c := w.Hello(t, convtest.Number)
		pref := func(marketing bool, at time.Time) channel.Preference {
			return channel.Preference{Account: w.Account.ExternalID, From: convtest.Number, At: at, Marketing: marketing}
		}
		now := w.Clock.Now()
		w.Receive(t, channel.Batch{Preferences: []channel.Preference{pref(false, now), pref(true, now.Add(-time.Hour)), {Account: w.Account.ExternalID, From: "919999999999", At: now}}})
		if out, err := w.Contacts.Refused(w.DB.Read(bg, w.Tenant), c.Contact, "whatsapp", ""); err != nil || !out {
			t.Fatalf("opted out %v: %v", out, err)
		}
		// A webhook that is repeated late does not take back what was said since.
		w.Clock.Advance(time.Hour)
		w.Receive(t, channel.Batch{Preferences: []channel.Preference{pref(true, now.Add(time.Minute))}})
		w.Receive(t, channel.Batch{Preferences: []channel.Preference{pref(false, now)}})
		if out, err := w.Contacts.Refused(w.DB.Read(bg, w.Tenant), c.Contact, "whatsapp", ""); err != nil || out {
			t.Fatalf("an older preference won: opted out %v, %v", out, err)
		}
		if _, found, err := w.Contacts.Find(w.DB.Read(bg, w.Tenant), contact.Phone, "919999999999"); err != nil || found {
			t.Fatal("a preference made a contact")
		}
	})
}
