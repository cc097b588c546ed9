package interaction_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/internal/conversation/convtest"
	"parley/internal/id"
	"parley/internal/interaction"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// crowd are rows written past the rooms: many of them, at few moments, so that
// places tie.
type crowd struct {
	groups []id.ID
	people []id.ID
}

var channels = []string{"whatsapp", "sms", "telegram"}

// fill writes people in groups with conversations, messages, activities and notes.
// per is how many messages each person has; every rare-th person also has an
// e-mail.
func (w world) fill(people, per, rare int, tick time.Duration) crowd {
	w.Helper()
	c := crowd{groups: []id.ID{w.root.ID, w.shop.ID, w.group("North").ID, w.group("South").ID}}
	rng := rand.New(rand.NewPCG(1, 2))
	types := []string{"call_logged", "question", "visit", "handover", "stage_change", "whatsapp_sent"}
	var contacts, work, convs, messages, activities, notes [][]any
	n := 0
	at := func() time.Time {
		n++
		return convtest.Start.Add(-time.Duration(rng.IntN(people*per)) * tick)
	}
	for p := range people {
		cid, group := id.New(), c.groups[1]
		switch {
		case p%200 == 7:
			group = c.groups[2]
		case p%10 == 0:
			group = c.groups[3]
		}
		c.people = append(c.people, cid)
		when := at()
		contacts = append(contacts, []any{cid, "P", "", "p", "x", "{}", "{}", "{}", 0, when, when})
		work = append(work, []any{cid, group, group, "unclaimed", "", "", "general", "", false, when, "[]", 1, when, when})
		add := func(channel string, count int) {
			conv := id.New()
			last := time.Time{}
			for range count {
				m := at()
				if m.After(last) {
					last = m
				}
				direction := []string{"inbound", "outbound"}[rng.IntN(2)]
				messages = append(messages, []any{id.New(), conv, cid, direction, "text", "hello", "agent:" + w.asha.ID.String(), []string{"delivered", "sent", "failed"}[rng.IntN(3)], "[]", m, m})
			}
			convs = append(convs, []any{conv, cid, channel, fmt.Sprint(channel, p), "P", "open", 0, 0, last, last, when, when})
		}
		add(channels[rng.IntN(3)], per)
		if p%rare == 0 {
			add("email", 2)
		}
		for range per / 2 {
			typ := types[rng.IntN(len(types))]
			meta := `{"move":"transferred","version":1,"status":"opened","via":"inboundCall"}`
			activities = append(activities, []any{id.New(), cid, typ, "T", "B", meta, "system", at()})
		}
		if p%3 == 0 {
			t := at()
			notes = append(notes, []any{id.New(), cid, "N", false, "system", t, t})
		}
	}
	err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
		for _, b := range []struct {
			into string
			rows [][]any
		}{
			{"contact (tenant_id, id, first_name, last_name, search_name, source, refs, extra, attributes, score, created_at, updated_at)", contacts},
			{"handover (tenant_id, contact_id, group_id, initial_group_id, status, held_status, label, category, archiving_reason, user_made, active_at, offered, version, created_at, updated_at)", work},
			{"conversation (tenant_id, id, contact_id, channel, address, name, status, unread, messages, last_message_at, last_inbound_at, created_at, updated_at)", convs},
			{"message (tenant_id, id, conversation_id, contact_id, direction, kind, text, sent_by, status, history, created_at, updated_at)", messages},
			{"activity (tenant_id, id, contact_id, type, title, body, metadata, performed_by, created_at)", activities},
			{"note (tenant_id, id, contact_id, content, pinned, created_by, created_at, updated_at)", notes},
		} {
			if _, err := store.InsertRows(tx, b.into, b.rows, ""); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// TestEveryPlanFindsTheSame holds each plan to a list of everything that was
// filtered and cut by hand.
func TestEveryPlanFindsTheSame(t *testing.T) {
	each(t, func(w world) {
		t := w.T
		c := w.fill(60, 12, 20, 100*time.Millisecond)
		var all []interaction.Interaction
		groupOf := map[id.ID]id.ID{}
		for _, p := range c.people {
			all = append(all, w.of(p)...)
			v, err := w.work.Get(w.r(), p)
			if err != nil {
				t.Fatal(err)
			}
			groupOf[p] = v.Group
		}
		slices.SortFunc(all, func(a, b interaction.Interaction) int {
			if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
				return c
			}
			return strings.Compare(b.ID.String(), a.ID.String())
		})
		if len(all) < 900 {
			t.Fatalf("%d interactions are too few to tell", len(all))
		}
		rng := rand.New(rand.NewPCG(3, 4))
		was := interaction.Few(0)
		defer interaction.Few(was)
		for n := range 150 {
			f := interaction.Filter{Limit: []int{0, 1, 7, 100, 501, 5000}[rng.IntN(6)]}
			few := []int{0, 5, 2000}[rng.IntN(3)]
			interaction.Few(few)
			f.Scope = append(c.groups, id.Zero)[rng.IntN(5)]
			for range rng.IntN(4) {
				f.Via = append(f.Via, interaction.Vias[rng.IntN(len(interaction.Vias))])
			}
			if rng.IntN(3) == 0 {
				f.Status = []string{"failed", "sent", "received", "created", "opened"}[rng.IntN(5)]
			}
			if rng.IntN(5) == 0 {
				f.Agent = w.asha.ID
			}
			pick := func() interaction.Interaction { return all[rng.IntN(len(all))] }
			if rng.IntN(3) == 0 {
				f.CreatedAfter = pick().CreatedAt
			}
			if rng.IntN(3) == 0 {
				f.CreatedBefore = pick().CreatedAt
			}
			if rng.IntN(3) == 0 {
				f.Before = pick().ID
			}
			if rng.IntN(3) == 0 {
				f.After = pick().ID
			}
			want := []string{}
			for _, i := range byHand(all, f, func(i interaction.Interaction) bool {
				return f.Scope.IsZero() || f.Scope == w.root.ID || groupOf[i.Contact] == f.Scope
			}) {
				want = append(want, i.ID.String())
			}
			got := []string{}
			if err := w.s.Walk(w.r(), f, func(page []interaction.Interaction) error {
				for _, i := range page {
					got = append(got, i.ID.String())
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("%d: %+v with %d contacts by name: want %d, got %d: %s", n, f, few, len(want), len(got), d)
			}
		}
	}, storetest.Once())
}

// byHand filters a list that is in order.
func byHand(all []interaction.Interaction, f interaction.Filter, inside func(interaction.Interaction) bool) []interaction.Interaction {
	place := map[id.ID]int{}
	for n, i := range all {
		place[i.ID] = n
	}
	var out []interaction.Interaction
	for n, i := range all {
		if inside(i) && (f.Status == "" || i.Status == f.Status) && (f.Agent.IsZero() || i.Agent == f.Agent) && (len(f.Via) == 0 || slices.Contains(f.Via, i.Via)) &&
			(f.CreatedAfter.IsZero() || !i.CreatedAt.Before(f.CreatedAfter)) && (f.CreatedBefore.IsZero() || !i.CreatedAt.After(f.CreatedBefore)) &&
			(f.Before.IsZero() || n > place[f.Before]) && (f.After.IsZero() || n < place[f.After]) {
			out = append(out, i)
		}
	}
	if f.Limit > 0 && len(out) > f.Limit {
		if !f.After.IsZero() && f.Before.IsZero() {
			return out[len(out)-f.Limit:]
		}
		return out[:f.Limit]
	}
	return out
}
