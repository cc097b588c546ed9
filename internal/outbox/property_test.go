package outbox_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"parley/internal/channel"
	"parley/internal/clock"
	"parley/internal/conversation"
	"parley/internal/conversation/convtest"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/outbox"
	"parley/internal/outbox/ledger"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

var forward = map[string]int{conversation.Queued: 1, conversation.Sent: 3, conversation.Failed: 5, conversation.Delivered: 8, conversation.Read: 10}

// gate drives one outbox through random interleavings and keeps its own account
// of what the provider took.
type gate struct {
	rt       *rapid.T
	w        *convtest.World
	resend   bool
	messages []id.ID
	phone    map[id.ID]string
	pending  []job.Work     // claimed, outcome not recorded
	doubts   []id.ID        // taken by the provider, but nobody told us
	taken    map[id.ID]int  // how often the provider took a message
	allowed  map[id.ID]int  // how often an operator allowed another try
	status   map[id.ID]int  // rank of the last seen status
	ended    map[id.ID]bool // whether the row had ended when last seen
	index    map[id.ID]int  // index of a message among its person's
	plan     string         // what the channel does next
}

func (g *gate) send(m channel.Outgoing) (channel.Result, error) {
	switch g.plan {
	case "retry":
		return channel.Result{}, &channel.SendError{Outcome: channel.Retry, Title: "later"}
	case "refused":
		return channel.Result{}, &channel.SendError{Outcome: channel.Refused, Title: "no"}
	case "lost": // never arrived
		return channel.Result{}, &channel.SendError{Outcome: channel.Unknown, Title: "?"}
	}
	g.taken[m.ID]++
	if g.plan == "taken but lost" {
		g.doubts = append(g.doubts, m.ID)
		return channel.Result{}, &channel.SendError{Outcome: channel.Unknown, Title: "?"}
	}
	return convtest.Accept(m)
}

func (g *gate) promise() {
	to := rapid.SampledFrom([]string{"919000000001", "919000000002"}).Draw(g.rt, "to")
	m := g.w.Text(g.rt, to, "x")
	n := 0
	for _, other := range g.messages {
		if g.phone[other] == to {
			n++
		}
	}
	g.messages = append(g.messages, m.ID)
	g.phone[m.ID], g.index[m.ID], g.status[m.ID] = to, n, forward[conversation.Queued]
}

func (g *gate) claim() {
	work, _, err := g.w.Outbox.Claim(bg, lane(g.w), rapid.IntRange(1, 3).Draw(g.rt, "n"))
	if err != nil {
		g.rt.Fatal(err)
	}
	g.pending = append(g.pending, work...)
}

func (g *gate) outcome() {
	if len(g.pending) == 0 {
		return
	}
	i := rapid.IntRange(0, len(g.pending)-1).Draw(g.rt, "which")
	g.plan = rapid.SampledFrom([]string{"sent", "sent", "retry", "refused", "lost", "taken but lost"}).Draw(g.rt, "plan")
	do := g.pending[i]
	g.pending = append(g.pending[:i:i], g.pending[i+1:]...)
	do(bg)
}

// crash loses everything in memory; the leases of the dead are rescued.
func (g *gate) crash() {
	for _, m := range g.messages {
		r, _, err := ledger.Get(g.w.DB.Read(bg, g.w.Tenant), m)
		if err != nil {
			g.rt.Fatal(err)
		}
		if r.State == ledger.Sending && rapid.Bool().Draw(g.rt, "reached the provider") {
			g.taken[m]++
		}
	}
	g.pending = nil
	if _, err := g.w.Outbox.RescueAll(bg); err != nil {
		g.rt.Fatal(err)
	}
}

func (g *gate) rescue() {
	g.w.Clock.Advance(time.Duration(rapid.IntRange(1, 300).Draw(g.rt, "seconds")) * time.Second)
	if _, err := g.w.Outbox.Rescue(bg); err != nil {
		g.rt.Fatal(err)
	}
}

// receipt tells of a message the provider has taken, once, twice or late.
func (g *gate) receipt() {
	var known []id.ID
	for _, m := range g.messages {
		if g.taken[m] > 0 {
			known = append(known, m)
		}
	}
	if len(known) == 0 {
		return
	}
	m := rapid.SampledFrom(known).Draw(g.rt, "message")
	status := rapid.SampledFrom([]string{"sent", "delivered", "read", "failed"}).Draw(g.rt, "status")
	r := channel.Receipt{Account: g.w.Account.ExternalID, ProviderID: fmt.Sprintf("wamid.%s.1", m), Echo: m.String(), Status: status, At: g.w.Clock.Now()}
	g.w.Receive(g.rt, channel.Batch{Receipts: []channel.Receipt{r, r}})
}

func (g *gate) operate() {
	list, err := g.w.Outbox.Unknown(bg, g.w.Tenant)
	if err != nil {
		g.rt.Fatal(err)
	}
	if len(list) == 0 {
		return
	}
	e := rapid.SampledFrom(list).Draw(g.rt, "entry")
	if rapid.Bool().Draw(g.rt, "retry") {
		g.allowed[e.Message]++
		err = g.w.Outbox.Retry(bg, g.w.Tenant, "key:op", e.Message)
	} else {
		err = g.w.Outbox.Cancel(bg, g.w.Tenant, "key:op", e.Message)
	}
	if err != nil {
		g.rt.Fatal(err)
	}
}

// check holds the invariants after every step.
func (g *gate) check() {
	sending := map[string]int{}
	for _, m := range g.messages {
		r, found, err := ledger.Get(g.w.DB.Read(bg, g.w.Tenant), m)
		if err != nil || !found {
			g.rt.Fatalf("the row of %s is gone: %v", m, err)
		}
		msg := g.w.Message(g.rt, m)
		if now := forward[msg.Status]; now < g.status[m] {
			g.rt.Fatalf("message %s went back to %s", m, msg.Status)
		} else {
			g.status[m] = now
		}
		if !g.resend && g.taken[m] > 1+g.allowed[m] {
			g.rt.Fatalf("message %s was taken %d times, an operator allowed %d more", m, g.taken[m], g.allowed[m])
		}
		ended := r.State == ledger.Sent || r.State == ledger.Failed || r.State == ledger.Cancelled
		if g.ended[m] && !ended {
			g.rt.Fatalf("the row of %s began again: %s", m, r.State)
		}
		g.ended[m] = ended
		agree := map[string][]string{
			ledger.Queued: {conversation.Queued}, ledger.Sending: {conversation.Queued}, ledger.Unknown: {conversation.Queued},
			ledger.Sent:   {conversation.Sent, conversation.Delivered, conversation.Read},
			ledger.Failed: {conversation.Failed}, ledger.Cancelled: {conversation.Failed},
		}[r.State]
		ok := false
		for _, s := range agree {
			ok = ok || s == msg.Status
		}
		if !ok {
			g.rt.Fatalf("row %s beside message %s", r.State, msg.Status)
		}
		if r.State == ledger.Sending {
			sending[g.phone[m]]++
		}
		seen := map[string]bool{}
		for i, h := range msg.History {
			if seen[h.Status] || i > 0 && h.At.Before(msg.History[i-1].At) {
				g.rt.Fatalf("history %+v", msg.History)
			}
			seen[h.Status] = true
		}
	}
	for who, n := range sending {
		if n > 1 {
			g.rt.Fatalf("%d messages to %s under way at once", n, who)
		}
	}
}

// settle ends everything: the provider accepts, leases end, operators decide.
// Afterwards every message stands in a final state.
func (g *gate) settle() {
	g.pending = nil
	for range 60 {
		g.w.Clock.Advance(10 * time.Minute)
		if _, err := g.w.Outbox.Rescue(bg); err != nil {
			g.rt.Fatal(err)
		}
		g.plan = "sent"
		drain(g.rt, g.w)
		g.check()
		if g.w.Count(g.rt, "outbox", "state IN ('queued', 'sending')") == 0 {
			break
		}
	}
	list, err := g.w.Outbox.Unknown(bg, g.w.Tenant)
	if err != nil {
		g.rt.Fatal(err)
	}
	listed := map[id.ID]bool{}
	for _, e := range list {
		listed[e.Message] = true
	}
	for _, m := range g.messages {
		if !g.ended[m] && !listed[m] {
			g.rt.Fatalf("message %s neither ended nor is it listed", m)
		}
	}
}

// TestNothingIsLostOrSentTwice runs random interleavings of promises, claims,
// outcomes, receipts, rescues, crashes and operators' decisions.
func TestNothingIsLostOrSentTwice(t *testing.T) {
	c := clock.NewFake(convtest.Start)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		runs := 0
		rapid.Check(t, func(rt *rapid.T) {
			runs++
			w := convtest.New(rt, db, c, outbox.Options{})
			g := &gate{rt: rt, w: w, resend: rapid.Bool().Draw(rt, "resend"), phone: map[id.ID]string{}, taken: map[id.ID]int{}, allowed: map[id.ID]int{},
				status: map[id.ID]int{}, ended: map[id.ID]bool{}, index: map[id.ID]int{}}
			if g.resend {
				w.Channel.Set(func(caps *channel.Capabilities) {
					caps.Unknown, caps.Echo = channel.UnknownResend, rapid.Bool().Draw(rt, "echo")
				})
			}
			// The window stays open however far the rescues move the clock.
			w.Channel.Set(func(caps *channel.Capabilities) { caps.ReplyWindow = 0 })
			w.Channel.Answer(g.send)
			steps := []func(){g.promise, g.promise, g.claim, g.claim, g.outcome, g.outcome, g.outcome, g.rescue, g.crash, g.receipt, g.operate}
			for range rapid.IntRange(5, 30).Draw(rt, "steps") {
				steps[rapid.IntRange(0, len(steps)-1).Draw(rt, "step")]()
				g.check()
			}
			g.settle()
		})
		t.Logf("%d runs", runs)
	}, storetest.Clock(c), storetest.Once())
}
