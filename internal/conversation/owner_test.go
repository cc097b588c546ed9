package conversation_test

import (
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"parley/internal/conversation"
	"parley/internal/conversation/convtest"
	"parley/internal/fault"
)

// One of many takers wins; every other one is told who did.
func TestOneTakerWins(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		c := w.Hello(t, convtest.Number)
		const n = 12
		errs := make([]error, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Add(1)
			go func() {
				defer wg.Done()
				_, errs[i] = w.Conversations.Move(bg, w.Tenant, "key:test", c.ID, conversation.Move{Do: conversation.Take, Agent: fmt.Sprint("agent", i)})
			}()
		}
		wg.Wait()
		now, err := w.Conversations.Get(bg, w.Tenant, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		winners := 0
		for i, err := range errs {
			if err == nil {
				winners++
				if now.Owner.Agent != fmt.Sprint("agent", i) {
					t.Errorf("agent%d was told to have it, but %s has", i, now.Owner.Agent)
				}
				continue
			}
			f := fault.As(err)
			if f == nil || f.Code != fault.Conflict || f.Reason != "owner" || f.Details["owner"].(map[string]any)["agent"] != now.Owner.Agent {
				t.Errorf("agent%d: %v", i, err)
			}
		}
		if winners != 1 || now.Owner.Version != 1 || w.Events(t, "conversation.owned") != 1 {
			t.Fatalf("%d winners, %+v, %d events", winners, now.Owner, w.Events(t, "conversation.owned"))
		}
	})
}

// modelOwner is the machine of docs/state-machines.md, written once more.
type modelOwner struct {
	kind, agent string
	version     int
}

func (o modelOwner) move(m conversation.Move) (modelOwner, bool) {
	to := modelOwner{version: o.version + 1}
	switch m.Do {
	case conversation.Take, conversation.Assign:
		if o.kind == "agent" && o.agent != m.Agent {
			return o, false
		}
		to.kind, to.agent = "agent", m.Agent
	case conversation.Transfer:
		if o.kind != "agent" {
			return o, false
		}
		to.kind, to.agent = "agent", m.Agent
	case conversation.Release:
		to.kind = "queue"
	case conversation.Return:
		to.kind = "bot"
	}
	if m.Version != nil && *m.Version != o.version {
		return o, false
	}
	if to.kind == o.kind && to.agent == o.agent {
		return o, true
	}
	return to, true
}

// Concurrent moves have an order: walking through the log by version, the
// machine alone gives every entry, and every call's answer fits some moment of
// its order.
func TestMovesAreLinearizable(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		rapid.Check(t, func(rt *rapid.T) {
			c := w.Hello(rt, fmt.Sprintf("9190%08d", rapid.IntRange(0, 99_999_999).Draw(rt, "phone")))
			before := c.Owner
			type call struct {
				move conversation.Move
				got  conversation.Conversation
				err  error
			}
			calls := make([]call, rapid.IntRange(2, 8).Draw(rt, "calls"))
			for i := range calls {
				calls[i].move = conversation.Move{Do: rapid.SampledFrom([]string{"take", "assign", "transfer", "release", "return"}).Draw(rt, "do"),
					Agent: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "agent")}
				if rapid.IntRange(0, 3).Draw(rt, "with a version") == 0 {
					v := before.Version + rapid.IntRange(0, 2).Draw(rt, "version")
					calls[i].move.Version = &v
				}
			}
			var wg sync.WaitGroup
			for i := range calls {
				wg.Add(1)
				go func() {
					defer wg.Done()
					calls[i].got, calls[i].err = w.Conversations.Move(bg, w.Tenant, "key:test", c.ID, calls[i].move)
				}()
			}
			wg.Wait()
			log, err := w.Conversations.OwnerHistory(bg, w.Tenant, c.ID)
			if err != nil {
				rt.Fatal(err)
			}
			states := []modelOwner{{before.Kind, before.Agent, before.Version}}
			for i := len(log) - 1; i >= 0; i-- {
				if log[i].Version <= before.Version {
					continue
				}
				o := states[len(states)-1]
				next, ok := o.move(conversation.Move{Do: log[i].Move, Agent: log[i].To.Agent})
				if !ok || next.version != log[i].Version || next.kind != log[i].To.Kind || next.agent != log[i].To.Agent || log[i].From.Kind != o.kind || log[i].From.Agent != o.agent {
					rt.Fatalf("the log's %+v does not follow %+v", log[i], o)
				}
				states = append(states, next)
			}
			// Every version was made by exactly one successful call, and every call saw a
			// state in which the machine answers as it did.
			made := map[int]int{}
			for _, k := range calls {
				fits := false
				for _, o := range states {
					next, ok := o.move(k.move)
					if k.err != nil {
						fits = fits || !ok
						continue
					}
					if g := k.got.Owner; ok && g.Kind == next.kind && g.Agent == next.agent && g.Version == next.version {
						fits = true
					}
				}
				if !fits {
					rt.Fatalf("%+v answered %+v %v, which no moment of %+v explains", k.move, k.got.Owner, k.err, states)
				}
				if k.err == nil {
					made[k.got.Owner.Version]++
				}
			}
			for _, o := range states[1:] {
				if made[o.version] == 0 {
					rt.Fatalf("nobody was told of version %d", o.version)
				}
			}
			now, err := w.Conversations.Get(bg, w.Tenant, c.ID)
			last := states[len(states)-1]
			if err != nil || now.Owner.Kind != last.kind || now.Owner.Agent != last.agent || now.Owner.Version != last.version {
				rt.Fatalf("the conversation says %+v, its log %+v: %v", now.Owner, last, err)
			}
		})
	})
}

// A bot speaks while it owns the conversation; who asked for it keeps out of an
// agent's way; everybody else is heard.
func TestWhoMaySpeak(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		c := w.Hello(t, convtest.Number)
		say := func(in conversation.Send) error {
			in.Conversation, in.Text = c.ID, "hi"
			_, err := send(w, in)
			return err
		}
		for _, step := range []struct {
			move        conversation.Move
			bot, unless bool
		}{
			{conversation.Move{Do: conversation.Return}, true, true},
			{conversation.Move{Do: conversation.Release}, false, true},
			{conversation.Move{Do: conversation.Take, Agent: "asha"}, false, false},
			{conversation.Move{Do: conversation.Return}, true, true},
		} {
			if _, err := w.Conversations.Move(bg, w.Tenant, "key:test", c.ID, step.move); err != nil {
				t.Fatal(err)
			}
			for _, k := range []struct {
				in    conversation.Send
				heard bool
			}{{conversation.Send{}, true}, {conversation.Send{Bot: true}, step.bot}, {conversation.Send{UnlessAgent: true}, step.unless}} {
				if err := say(k.in); k.heard != (err == nil) {
					t.Errorf("after %s: %+v: %v", step.move.Do, k.in, err)
				} else if err != nil {
					refused(t, err, fault.Conflict, "", "owner")
				}
			}
		}
	})
}
