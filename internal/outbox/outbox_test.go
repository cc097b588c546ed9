package outbox_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/account"
	"parley/internal/channel"
	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/conversation"
	"parley/internal/conversation/convtest"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/outbox"
	"parley/internal/outbox/ledger"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bg = context.Background()

// each runs f in a fresh world on both databases.
func each(t *testing.T, f func(t *testing.T, w *convtest.World)) {
	t.Helper()
	c := clock.NewFake(convtest.Start)
	storetest.Each(t, func(t *testing.T, db *store.DB) { f(t, convtest.New(t, db, c, outbox.Options{})) }, storetest.Clock(c))
}

func lane(w *convtest.World) job.Lane {
	return job.Lane{Tenant: w.Tenant, Name: w.Account.ID.String()}
}

func claim(t convtest.T, w *convtest.World, n int) []job.Work {
	t.Helper()
	work, _, err := w.Outbox.Claim(bg, lane(w), n)
	if err != nil {
		t.Fatalf("claim: %v", err)
	}
	return work
}

// drain claims and works until nothing is due, and returns how many it did.
func drain(t convtest.T, w *convtest.World) int {
	t.Helper()
	total := 0
	for {
		work := claim(t, w, 10)
		if len(work) == 0 {
			return total
		}
		for _, do := range work {
			do(bg)
		}
		total += len(work)
	}
}

func row(t *testing.T, w *convtest.World, m id.ID) ledger.Row {
	t.Helper()
	r, found, err := ledger.Get(w.DB.Read(bg, w.Tenant), m)
	if err != nil || !found {
		t.Fatalf("the row of %s: %v %v", m, found, err)
	}
	return r
}

func want(t *testing.T, w *convtest.World, m id.ID, state, status string) conversation.Message {
	t.Helper()
	r, msg := row(t, w, m), w.Message(t, m)
	if r.State != state || msg.Status != status {
		t.Fatalf("row %s, message %s; want %s, %s", r.State, msg.Status, state, status)
	}
	return msg
}

func TestSentMessageLeavesEventsAndTimeline(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		c := w.Hello(t, convtest.Number)
		m := w.Text(t, convtest.Number, "hi there")
		want(t, w, m.ID, ledger.Queued, conversation.Queued)
		if n := drain(t, w); n != 1 {
			t.Fatalf("%d sends, want 1", n)
		}
		msg := want(t, w, m.ID, ledger.Sent, conversation.Sent)
		sent := w.Channel.Sent()[0]
		if sent.To != convtest.Number || sent.Text != "hi there" || sent.ID != m.ID || sent.Attempt != 1 {
			t.Fatalf("handed over %+v", sent)
		}
		if msg.ProviderID != "wamid."+m.ID.String()+".1" || len(msg.History) != 2 || msg.History[1].Status != conversation.Sent {
			t.Fatalf("message %+v", msg)
		}
		if w.Events(t, "message.sent") != 1 || w.Events(t, "message.queued") != 1 {
			t.Fatal("want one message.queued and one message.sent")
		}
		if n := w.Count(t, "activity", "type='whatsapp_sent' AND contact_id=?", c.Contact); n != 1 {
			t.Fatalf("%d activities, want 1", n)
		}
	})
}

func TestRetryBacksOffThenFails(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		w.Hello(t, convtest.Number)
		m := w.Text(t, convtest.Number, "hi")
		w.Channel.Answer(func(channel.Outgoing) (channel.Result, error) {
			return channel.Result{}, &channel.SendError{Outcome: channel.Retry, Code: 131000, Title: "try later", RetryAfter: 3 * time.Second}
		})
		drain(t, w)
		want(t, w, m.ID, ledger.Queued, conversation.Queued)
		if at := row(t, w, m.ID).NextAt; !at.Equal(w.Clock.Now().Add(3 * time.Second)) {
			t.Fatalf("next at %v, want in 3 s", at.Sub(w.Clock.Now()))
		}
		if n := drain(t, w); n != 0 {
			t.Fatal("it was tried again before its time")
		}
		tries := 1
		for i := 0; i < 20 && row(t, w, m.ID).State == ledger.Queued; i++ {
			w.Clock.Advance(row(t, w, m.ID).NextAt.Sub(w.Clock.Now()))
			tries += drain(t, w)
		}
		msg := want(t, w, m.ID, ledger.Failed, conversation.Failed)
		if tries != 8 || msg.Error == nil || msg.Error.Code != 131000 || w.Events(t, "message.failed") != 1 {
			t.Fatalf("%d tries, error %+v", tries, msg.Error)
		}
	})
}

// Meta's 131050 is about marketing: further offers stay here, answers go on.
func TestStoppedMarketingStopsMarketingAlone(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		c := w.Hello(t, convtest.Number)
		w.Approve(t, "offer", "MARKETING", "Buy {{1}}")
		w.Approve(t, "receipt", "UTILITY", "You bought {{1}}")
		use := func(name string) conversation.Send {
			return conversation.Send{To: "+" + convtest.Number, Template: &conversation.TemplateUse{Name: name, Values: []string{"a sofa"}}}
		}
		send := func(in conversation.Send) conversation.Message {
			t.Helper()
			m, err := w.Conversations.Send(bg, w.Tenant, "key:test", in)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		m, later, receipt, answer := send(use("offer")), send(use("offer")), send(use("receipt")), w.Text(t, convtest.Number, "you are welcome")
		w.Channel.Answer(func(m channel.Outgoing) (channel.Result, error) {
			if m.Template != nil && m.Template.Name == "offer" {
				return channel.Result{}, &channel.SendError{Outcome: channel.Refused, Code: 131050, Title: "the person stopped marketing"}
			}
			return channel.Result{ProviderID: "wamid." + m.ID.String()}, nil
		})
		if n := drain(t, w); n != 3 {
			t.Fatalf("%d sends, want 3: the second offer must not leave after the opt-out", n)
		}
		want(t, w, m.ID, ledger.Failed, conversation.Failed)
		msg := want(t, w, later.ID, ledger.Cancelled, conversation.Failed)
		if msg.Error == nil || msg.Error.Title == "" {
			t.Fatal("a cancelled message says why")
		}
		want(t, w, receipt.ID, ledger.Sent, conversation.Sent)
		want(t, w, answer.ID, ledger.Sent, conversation.Sent)
		r := w.DB.Read(bg, w.Tenant)
		if out, err := w.Contacts.Refused(r, c.Contact, "whatsapp", conversation.ForMarketing); err != nil || !out {
			t.Fatalf("refused marketing: %v %v", out, err)
		}
		if out, err := w.Contacts.Refused(r, c.Contact, "whatsapp", conversation.ForService); err != nil || out {
			t.Fatalf("refused service: %v %v", out, err)
		}
		_, err := w.Conversations.Send(bg, w.Tenant, "key:test", use("offer"))
		if f := fault.As(err); f == nil || f.Code != fault.Forbidden || f.Reason != "consent" {
			t.Fatalf("an offer after the opt-out: %v", err)
		}
		send(use("receipt"))
	})
}

func TestWindowThatClosesInTheQueueCancels(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		w.Hello(t, convtest.Number)
		m := w.Text(t, convtest.Number, "late")
		w.Clock.Advance(24 * time.Hour)
		if n := drain(t, w); n != 0 {
			t.Fatalf("%d sends outside the window", n)
		}
		want(t, w, m.ID, ledger.Cancelled, conversation.Failed)
	})
}

func TestOrderIsKeptPerConversation(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		w.Hello(t, convtest.Number)
		w.Hello(t, "919000000001")
		a, b := w.Text(t, convtest.Number, "1"), w.Text(t, convtest.Number, "2")
		other := w.Text(t, "919000000001", "x")
		work := claim(t, w, 10)
		if len(work) != 2 || row(t, w, a.ID).State != ledger.Sending || row(t, w, b.ID).State != ledger.Queued || row(t, w, other.ID).State != ledger.Sending {
			t.Fatalf("%d claimed; want the first of each conversation", len(work))
		}
		if more := claim(t, w, 10); len(more) != 0 {
			t.Fatal("the second message left while the first was under way")
		}
		for _, do := range work {
			do(bg)
		}
		drain(t, w)
		texts := ""
		for _, s := range w.Channel.Sent() {
			if s.To == convtest.Number {
				texts += s.Text
			}
		}
		if texts != "12" {
			t.Fatalf("order %q", texts)
		}
	})
}

func TestUnknownIsListedAndSettledByReceiptOrOperator(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		w.Hello(t, convtest.Number)
		w.Channel.Answer(func(channel.Outgoing) (channel.Result, error) {
			return channel.Result{}, &channel.SendError{Outcome: channel.Unknown, Title: "the connection broke"}
		})
		var ids []id.ID
		for range 3 {
			ids = append(ids, w.Text(t, convtest.Number, "hm").ID)
		}
		if n := drain(t, w); n != 3 { // an unknown one does not keep the next waiting
			t.Fatalf("%d sends, want 3", n)
		}
		list, err := w.Outbox.Unknown(bg, w.Tenant)
		if err != nil || len(list) != 3 {
			t.Fatalf("listed %v %v", list, err)
		}
		if msg := want(t, w, ids[0], ledger.Unknown, conversation.Queued); msg.Error == nil || msg.Error.Title != "outcome unknown" {
			t.Fatalf("error %+v", msg.Error)
		}
		w.Clock.Advance(time.Hour)
		if n, err := w.Outbox.Rescue(bg); err != nil || n != 0 || drain(t, w) != 0 {
			t.Fatalf("a listed attempt moved by itself: %d %v", n, err)
		}
		w.Receive(t, channel.Batch{Receipts: []channel.Receipt{{Account: w.Account.ExternalID, ProviderID: "wamid.R", Echo: ids[0].String(), Status: "delivered", At: w.Clock.Now()}}})
		if msg := want(t, w, ids[0], ledger.Sent, conversation.Delivered); msg.Error != nil || msg.ProviderID != "wamid.R" {
			t.Fatalf("message %+v", msg)
		}
		if err := w.Outbox.Cancel(bg, w.Tenant, "key:op", ids[1]); err != nil {
			t.Fatal(err)
		}
		want(t, w, ids[1], ledger.Cancelled, conversation.Failed)
		w.Channel.Answer(nil)
		if err := w.Outbox.Retry(bg, w.Tenant, "key:op", ids[2]); err != nil {
			t.Fatal(err)
		}
		drain(t, w)
		if msg := want(t, w, ids[2], ledger.Sent, conversation.Sent); msg.Error != nil {
			t.Fatalf("error %+v", msg.Error)
		}
		if f := fault.As(w.Outbox.Retry(bg, w.Tenant, "key:op", ids[2])); f == nil || f.Code != fault.Conflict {
			t.Fatal("a settled message was retried")
		}
		if f := fault.As(w.Outbox.Cancel(bg, w.Tenant, "key:op", id.New())); f == nil || f.Code != fault.NotFound {
			t.Fatal("an unknown id must be NotFound")
		}
	})
}

func TestReceiptBeforeTheOutcome(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		w.Hello(t, convtest.Number)
		for _, outcome := range []error{nil, &channel.SendError{Outcome: channel.Unknown, Title: "?"}, &channel.SendError{Outcome: channel.Retry, Title: "later"}} {
			m := w.Text(t, convtest.Number, "race")
			w.Channel.Answer(func(o channel.Outgoing) (channel.Result, error) {
				// The webhook is faster than the answer.
				w.Receive(t, channel.Batch{Receipts: []channel.Receipt{{Account: w.Account.ExternalID, ProviderID: "wamid.early." + o.ID.String(), Echo: o.ID.String(), Status: "sent", At: w.Clock.Now()}}})
				return channel.Result{ProviderID: "wamid.early." + o.ID.String()}, outcome
			})
			if n := drain(t, w); n != 1 {
				t.Fatalf("%d sends, want 1", n)
			}
			if msg := want(t, w, m.ID, ledger.Sent, conversation.Sent); msg.ProviderID != "wamid.early."+m.ID.String() || len(msg.History) != 2 {
				t.Fatalf("message %+v", msg)
			}
			w.Clock.Advance(time.Hour)
			if n := drain(t, w); n != 0 {
				t.Fatal("it was sent again")
			}
		}
		if n := w.Events(t, "message.sent"); n != 3 {
			t.Fatalf("%d events message.sent, want 3", n)
		}
	})
}

func TestCrashLeavesUnknownAndALateAcceptanceCounts(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		w.Hello(t, convtest.Number)
		m := w.Text(t, convtest.Number, "crash")
		work := claim(t, w, 1)
		if n, err := w.Outbox.Rescue(bg); n != 0 || err != nil {
			t.Fatalf("rescued %d under a living lease: %v", n, err)
		}
		if n, err := w.Outbox.RescueAll(bg); n != 1 || err != nil {
			t.Fatalf("rescued %d: %v", n, err)
		}
		want(t, w, m.ID, ledger.Unknown, conversation.Queued)
		work[0](bg) // not dead after all, only slow
		want(t, w, m.ID, ledger.Sent, conversation.Sent)

		m = w.Text(t, convtest.Number, "crash 2")
		claim(t, w, 1)
		w.Clock.Advance(2 * time.Minute)
		if n, err := w.Outbox.Rescue(bg); n != 1 || err != nil {
			t.Fatalf("rescued %d: %v", n, err)
		}
		want(t, w, m.ID, ledger.Unknown, conversation.Queued)
	})
}

func TestResendWhereTheProviderDedupes(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		w.Channel.Set(func(c *channel.Capabilities) { c.Unknown = channel.UnknownResend })
		w.Hello(t, convtest.Number)
		m := w.Text(t, convtest.Number, "again")
		claim(t, w, 1)
		w.Clock.Advance(2 * time.Minute)
		rescue := func() int {
			n, err := w.Outbox.Rescue(bg)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if rescue() != 1 { // receipts echo: give one time to come
			t.Fatal("not rescued")
		}
		want(t, w, m.ID, ledger.Unknown, conversation.Queued)
		if rescue() != 0 {
			t.Fatal("resent without settling")
		}
		w.Clock.Advance(2 * time.Minute)
		if rescue() != 1 {
			t.Fatal("not resent")
		}
		w.Clock.Advance(time.Minute)
		if drain(t, w) != 1 {
			t.Fatal("not sent again")
		}
		if got := w.Channel.Sent(); len(got) != 1 || got[0].Attempt != 2 || got[0].ID != m.ID {
			t.Fatalf("sent %+v", got)
		}
		want(t, w, m.ID, ledger.Sent, conversation.Sent)
	})
}

func TestStoppingServerHandsNothingOver(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		w.Hello(t, convtest.Number)
		m := w.Text(t, convtest.Number, "stop")
		work := claim(t, w, 1)
		stopped, cancel := context.WithCancel(bg)
		cancel()
		work[0](stopped)
		want(t, w, m.ID, ledger.Queued, conversation.Queued)
		if len(w.Channel.Sent()) != 0 || drain(t, w) != 1 {
			t.Fatal("it must leave once, after the restart")
		}
	})
}

func TestAccountWidePauseBurnsNoTries(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		w.Hello(t, convtest.Number)
		m := w.Text(t, convtest.Number, "token ran out")
		w.Channel.Answer(func(channel.Outgoing) (channel.Result, error) {
			return channel.Result{}, &channel.SendError{Outcome: channel.Retry, Code: 190, Title: "token expired", AccountWide: true, RetryAfter: 5 * time.Minute}
		})
		drain(t, w)
		w.Text(t, convtest.Number, "second")
		if n := drain(t, w); n != 0 {
			t.Fatalf("%d sends during the pause", n)
		}
		lanes, next, err := w.Outbox.Due(bg, w.Clock.Now(), 10)
		if err != nil || len(lanes) != 0 || !next.Equal(w.Clock.Now().Add(5*time.Minute)) {
			t.Fatalf("due %v next %v: %v", lanes, next.Sub(w.Clock.Now()), err)
		}
		for range 20 {
			w.Clock.Advance(5 * time.Minute)
			if n := drain(t, w); n != 1 {
				t.Fatalf("%d sends in one pause, want 1", n)
			}
		}
		w.Channel.Answer(nil)
		w.Clock.Advance(5 * time.Minute)
		drain(t, w)
		want(t, w, m.ID, ledger.Sent, conversation.Sent)
	})
}

func TestPairRateIsKept(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		w.Channel.Set(func(c *channel.Capabilities) { c.PairGap, c.PairBurst = 6*time.Second, 3 })
		w.Hello(t, convtest.Number)
		for range 5 {
			w.Text(t, convtest.Number, "x")
		}
		if n := drain(t, w); n != 3 {
			t.Fatalf("%d in the burst, want 3", n)
		}
		_, next, err := w.Outbox.Due(bg, w.Clock.Now(), 10)
		if err != nil || next.Sub(w.Clock.Now()) != 18*time.Second {
			t.Fatalf("the person opens in %v, want 18 s: %v", next.Sub(w.Clock.Now()), err)
		}
		w.Clock.Advance(17 * time.Second)
		if n := drain(t, w); n != 0 {
			t.Fatalf("%d sends while the person was closed", n)
		}
		w.Clock.Advance(time.Second)
		if n := drain(t, w); n != 2 {
			t.Fatalf("%d sends, want 2", n)
		}
	})
}

func TestAccountPaceIsKeptInEverySecond(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		w.Channel.Set(func(c *channel.Capabilities) { c.PerSecond = 20 })
		const n = 60
		for i := range n {
			to := "9190000001" + string(rune('0'+i/10)) + string(rune('0'+i%10))
			w.Hello(t, to)
			w.Text(t, to, "x")
		}
		var at []time.Time
		w.Channel.Answer(func(m channel.Outgoing) (channel.Result, error) {
			at = append(at, w.Clock.Now())
			return convtest.Accept(m)
		})
		for i := 0; len(at) < n && i < 1000; i++ {
			work, next, err := w.Outbox.Claim(bg, lane(w), 16)
			if err != nil {
				t.Fatal(err)
			}
			for _, do := range work {
				do(bg)
			}
			if len(work) == 0 {
				if !next.After(w.Clock.Now()) {
					t.Fatal("a paced lane must say when to ask again")
				}
				w.Clock.Advance(next.Sub(w.Clock.Now()))
			}
		}
		for i := range at {
			in := 0
			for j := i; j < len(at) && at[j].Sub(at[i]) < time.Second; j++ {
				in++
			}
			if in > 20 {
				t.Fatalf("%d sends within a second", in)
			}
		}
		if took := at[len(at)-1].Sub(at[0]); len(at) != n || took > 4*time.Second {
			t.Fatalf("%d sends took %v", len(at), took)
		}
	})
}

func hello(w *convtest.World, from string) channel.Batch {
	return channel.Batch{Messages: []channel.Incoming{{Account: w.Account.ExternalID, ProviderID: "in." + id.New().String(), From: from,
		ProfileName: "Asha", At: w.DB.Clock().Now(), Kind: channel.Text, Text: "hello"}}}
}

func TestDueMixesTenants(t *testing.T) {
	c := clock.NewFake(convtest.Start)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a, b := convtest.New(t, db, c, outbox.Options{}), convtest.New(t, db, c, outbox.Options{})
		second, err := a.Accounts.Connect(bg, a.Tenant, account.NewAccount{Kind: "whatsapp", ExternalID: id.New().String()})
		if err != nil {
			t.Fatal(err)
		}
		a.Hello(t, convtest.Number)
		a.Text(t, convtest.Number, "x")
		if err := a.Conversations.Receive(bg, second, channel.Batch{Messages: []channel.Incoming{{Account: second.ExternalID, ProviderID: "z", From: "919000000001", At: c.Now(), Kind: channel.Text, Text: "x"}}}); err != nil {
			t.Fatal(err)
		}
		a.Text(t, "919000000001", "y")
		c.Advance(time.Second)
		b.Hello(t, convtest.Number)
		b.Text(t, convtest.Number, "x")
		lanes, next, err := a.Outbox.Due(bg, c.Now(), 10)
		if err != nil || len(lanes) != 3 || !next.IsZero() {
			t.Fatalf("%v %v %v", lanes, next, err)
		}
		if lanes[0].Tenant != a.Tenant || lanes[1].Tenant != b.Tenant || lanes[2].Tenant != a.Tenant {
			t.Fatalf("tenants in the order %v; want them in turn", lanes)
		}
		if lanes, _, err = a.Outbox.Due(bg, c.Now(), 2); err != nil || len(lanes) != 2 {
			t.Fatalf("%d lanes, want 2: %v", len(lanes), err)
		}
	}, storetest.Clock(c))
}

func TestAPanickingChannelLeavesUnknown(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		w.Hello(t, convtest.Number)
		m := w.Text(t, convtest.Number, "x")
		w.Channel.Answer(func(channel.Outgoing) (channel.Result, error) { panic("boom") })
		drain(t, w)
		want(t, w, m.ID, ledger.Unknown, conversation.Queued)
	})
}

// TestOptOutRacesTheClaim: whoever commits first wins, on both databases. After
// an opt-out has returned nothing new is claimed.
func TestOptOutRacesTheClaim(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		for i := range 20 {
			to := fmt.Sprintf("91900000%04d", i)
			c := w.Hello(t, to)
			m := w.Text(t, to, "x")
			claimed := make(chan int)
			go func() {
				work, _, err := w.Outbox.Claim(bg, lane(w), 1)
				if err != nil {
					t.Errorf("claim: %v", err)
				}
				claimed <- len(work)
			}()
			err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
				_, err := w.Contacts.ConsentIn(tx, c.Contact, contact.Consent{Channel: "whatsapp", State: contact.Out, Source: "key:t"})
				return err
			})
			n := <-claimed
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 { // the opt-out was first
				want(t, w, m.ID, ledger.Cancelled, conversation.Failed)
			} else {
				want(t, w, m.ID, ledger.Sending, conversation.Queued)
			}
		}
	})
}
