package chaos

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/internal/simulator"
)

// load is the mixed traffic of many clients and phones at once.
type load struct {
	t   testing.TB
	w   *world
	c   *tenant
	j   *journal
	n   atomic.Int64
	wg  sync.WaitGroup
	end context.CancelFunc
	ctx context.Context
}

// begin starts the traffic. It stays under the 80 messages a second that Meta
// allows a number, so that little is left to send when it ends.
func begin(t testing.TB, w *world, c *tenant) *load {
	ctx, end := context.WithCancel(context.Background())
	l := &load{t: t, w: w, c: c, j: newJournal(), ctx: ctx, end: end}
	l.each(3, 0, l.createLead)
	l.each(4, 0, l.upsert)
	l.each(3, 150*time.Millisecond, l.fire)
	l.each(2, 150*time.Millisecond, l.send)
	l.each(2, 150*time.Millisecond, l.write)
	l.each(2, 100*time.Millisecond, l.reply)
	l.each(2, 20*time.Millisecond, l.sell)
	return l
}

// stop ends the traffic; calls that may be repeated are repeated until they are
// answered, so the server must be up by then.
func (l *load) stop() {
	l.end()
	l.wg.Wait()
}

// each runs several clients that do one thing again and again, with a pause.
func (l *load) each(clients int, pause time.Duration, do func(client, n int)) {
	for client := range clients {
		l.wg.Add(1)
		go func() {
			defer l.wg.Done()
			for l.ctx.Err() == nil {
				do(client, int(l.n.Add(1)))
				wait := pause
				if l.c.p.down.Load() && wait == 0 {
					wait = 10 * time.Millisecond
				}
				if wait > 0 {
					select {
					case <-time.After(wait):
					case <-l.ctx.Done():
					}
				}
			}
		}()
	}
}

func (l *load) wrong(format string, args ...any) {
	l.j.note(func() {
		if len(l.j.wrong) < 50 {
			l.j.wrong = append(l.j.wrong, fmt.Sprintf(format, args...))
		}
	})
}

// insist repeats a call until it is answered, and counts how that went.
func (l *load) insist(path, key string, in any) (answer, bool) {
	patience := time.Duration(0)
	if rand.IntN(5) == 0 { // a client that hangs up early asks again without knowing
		patience = time.Duration(1+rand.IntN(20)) * time.Millisecond
	}
	a, tries, err := l.c.insist("POST", path, key, in, patience)
	if err != nil {
		l.wrong("POST %s: %v", path, err)
		return a, false
	}
	if tries > 1 {
		l.j.note(func() {
			l.j.retries++
			if a.replayed {
				l.j.replays++
			}
		})
	}
	if a.status/100 != 2 {
		l.wrong("POST %s (%d tries): %d %s", path, tries, a.status, a.body)
		return a, false
	}
	return a, true
}

// createLead makes a new person: every second time under a key, until it is
// answered, else once, and then nobody knows when the answer is missing.
func (l *load) createLead(_, n int) {
	phone := fmt.Sprintf("+9198%08d", n)
	in := map[string]any{"firstName": fmt.Sprint("Lead ", n), "phone": phone, "source": "chaos", "customFields": map[string]any{"n": n}}
	var a answer
	if n%2 == 0 {
		var ok bool
		if a, ok = l.insist("/api/saas/crm/leads", fmt.Sprint("lead-", n), in); !ok {
			return
		}
	} else {
		var err error
		if a, err = l.c.call(context.Background(), "POST", "/api/saas/crm/leads", "", in); err != nil || a.status == 503 {
			return
		}
	}
	var made leadRow
	if a.status != 201 || a.data(&made) != nil {
		l.wrong("create lead: %d %s", a.status, a.body)
		return
	}
	l.j.note(func() { l.j.leads[phone] = made.ID })
}

const people = 12

// upsert changes one of few people, who are created by whoever comes first;
// each client counts in a field of its own.
func (l *load) upsert(client, n int) {
	who := n % people
	phone, field := fmt.Sprintf("+9170000%05d", who), fmt.Sprint("client", client)
	in := map[string]any{"leadData": map[string]any{"phone": phone, "firstName": fmt.Sprint("Person ", who), "customFields": map[string]any{field: n}}}
	a, ok := l.insist("/api/saas/crm/leads/upsert", "", in)
	if !ok {
		return
	}
	var got leadRow
	if err := a.data(&got); err != nil {
		l.wrong("upsert: %v in %s", err, a.body)
		return
	}
	l.j.note(func() {
		l.j.upserts++
		if was := l.j.people[phone]; was != "" && was != got.ID {
			l.j.wrong = append(l.j.wrong, fmt.Sprintf("twice: person %s is lead %s and lead %s", phone, was, got.ID))
		}
		l.j.people[phone] = got.ID
		if l.j.marks[phone] == nil {
			l.j.marks[phone] = map[string]float64{}
		}
		l.j.marks[phone][field] = float64(n)
	})
}

// fire triggers the rule for a new person, with the key in the header or in the
// body, until it is answered.
func (l *load) fire(_, n int) {
	token, phone := fmt.Sprintf("run-%d;", n), fmt.Sprintf("+9180%08d", n)
	in := map[string]any{"trigger": "trial_started", "phone": phone, "createLeadIfMissing": true,
		"leadData": map[string]any{"firstName": fmt.Sprint("Trial ", n)}, "variables": map[string]any{"token": token}}
	key, callback := "", n%4 == 0
	if n%2 == 0 {
		key = "fire-" + token
	} else {
		in["idempotencyKey"] = "fire-" + token
	}
	if callback {
		in["callbackUrl"], in["callbackMetadata"] = l.w.base+"/callback", map[string]any{"token": token}
	}
	l.j.note(func() { l.j.tried[token], l.j.phones[phone] = true, true })
	a, ok := l.insist("/api/saas/workflows/trigger", key, in)
	if !ok {
		return
	}
	var got struct {
		EventLogID, LeadID string
		RulesMatched       int
	}
	if err := a.data(&got); err != nil || got.RulesMatched != 1 {
		l.wrong("trigger: %v in %s", err, a.body)
		return
	}
	l.j.note(func() { l.j.fired[token] = firing{n, got.EventLogID, got.LeadID, phone, callback} })
}

// phones of strangers who write first.
const strangers = 40

func stranger(n int) string { return fmt.Sprintf("+9160000%05d", n%strangers) }

// write lets a stranger write; Meta repeats the webhook until it gets 200.
func (l *load) write(_, n int) {
	text := fmt.Sprintf("in-%d;", n)
	r, err := l.w.sim.Reply(context.Background(), simulator.Reply{From: stranger(n), To: l.c.account, Text: text})
	if err != nil {
		l.wrong("reply: %v", err)
		return
	}
	// Meta repeats what was not accepted, so by the end all of it is acknowledged.
	l.j.note(func() {
		l.j.inbound[r.ID] = text
		l.j.opened[stranger(n)] = l.j.opened[stranger(n)] || r.Accepted
	})
}

// send sends a text to a stranger who wrote, or a template to a new person,
// under a key until it is answered.
func (l *load) send(_, n int) {
	token := fmt.Sprintf("out-%d;", n)
	to := fmt.Sprintf("+9190%08d", n)
	in := map[string]any{"to": to, "templateName": "welcome", "variables": []string{"you", token}}
	if known := l.openWindow(n); known != "" && n%2 == 0 {
		to, in = known, map[string]any{"to": known, "text": token}
	}
	l.j.note(func() { l.j.tried[token], l.j.phones[to] = true, true })
	a, ok := l.insist("/api/saas/chat/send", "send-"+token, in)
	if !ok {
		return
	}
	var got messageRow
	if err := a.data(&got); err != nil || got.ID == "" {
		l.wrong("send: %v in %s", err, a.body)
		return
	}
	l.j.note(func() { l.j.sends[token] = got.ID })
}

// openWindow returns a stranger whose message the server has acknowledged.
func (l *load) openWindow(n int) string {
	l.j.mu.Lock()
	defer l.j.mu.Unlock()
	for i := range strangers {
		if p := stranger(n + i); l.j.opened[p] {
			return p
		}
	}
	return ""
}

// reply lets people whom the rule greeted answer it, two of three.
func (l *load) reply(_, _ int) {
	l.j.mu.Lock()
	tokens := slices.Sorted(maps.Keys(l.j.fired))
	open := map[string]string{}
	for _, k := range tokens {
		if _, done := l.j.answered[k]; !done && l.j.fired[k].n%3 != 0 {
			open[k] = l.j.fired[k].phone
		}
	}
	l.j.mu.Unlock()
	for token, phone := range open {
		got, err := l.w.sim.Inbox(phone)
		if err != nil || len(got) == 0 {
			continue
		}
		l.j.mu.Lock()
		_, done := l.j.answered[token]
		l.j.answered[token] = "on its way"
		l.j.mu.Unlock()
		if done {
			continue
		}
		text := "yes to " + token
		r, err := l.w.sim.Reply(context.Background(), simulator.Reply{From: phone, Text: text})
		if err != nil {
			l.wrong("reply: %v", err)
		}
		l.j.note(func() { l.j.answered[token], l.j.inbound[r.ID] = r.ID, text })
		return
	}
}
