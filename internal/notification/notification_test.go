package notification_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/access"
	"parley/internal/agent"
	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/egress"
	"parley/internal/egress/poster"
	"parley/internal/event"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/job/jobtest"
	"parley/internal/notification"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tenant/tenanttest"
	"parley/internal/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	bg    = context.Background()
	start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
)

const actor = "key:test"

type world struct {
	*testing.T
	db        *store.DB
	clock     *clock.Fake
	people    *contact.Service
	agents    *agent.Service
	handovers *handover.Service
	keys      *access.Service
	hooks     *webhook.Service
	s         *notification.Service
	tenant    id.ID
	root      agent.Group
	draw      *pencil
}

// pencil draws as little as a notification may be.
type pencil struct {
	mu  sync.Mutex
	bad map[id.ID]bool // contacts that cannot be drawn
	is  map[id.ID]bool // interactions
}

func (p *pencil) Rights(access.Key) (bool, bool) { return true, true }

func (p *pencil) Prospects(_ context.Context, _ id.ID, contacts []id.ID, _ bool, _ string) (map[id.ID]json.RawMessage, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[id.ID]json.RawMessage{}
	for _, c := range contacts {
		if p.bad[c] {
			return nil, errors.New("the pencil broke")
		}
		out[c] = json.RawMessage(`{"id":"` + c.String() + `"}`)
	}
	return out, nil
}

func (p *pencil) Interactions(_ context.Context, _ id.ID, list []notification.Ref) (map[id.ID]json.RawMessage, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[id.ID]json.RawMessage{}
	for _, r := range list {
		if !p.is[r.ID] {
			continue
		}
		out[r.ID] = json.RawMessage(`{"id":"` + r.ID.String() + `"}`)
	}
	return out, nil
}

func (p *pencil) Quotes(context.Context, id.ID, []notification.Ref, bool) (map[id.ID]json.RawMessage, error) {
	return nil, nil
}

func (p *pencil) Field(name string) string {
	if strings.HasPrefix(name, "refs.") {
		return ""
	}
	return name
}

func (p *pencil) breaks(c id.ID, bad bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bad[c] = bad
}

func each(t *testing.T, f func(w *world)) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		tenants, a := tenanttest.New(t, db)
		var err error
		feed := event.NewLog()
		client := egress.New(egress.Options{AllowLoopback: true, Timeout: time.Minute})
		t.Cleanup(client.Close)
		w := &world{T: t, db: db, clock: db.Clock().(*clock.Fake), tenant: a.ID, draw: &pencil{bad: map[id.ID]bool{}, is: map[id.ID]bool{}}}
		w.people = contact.NewService(db, feed, tenants)
		w.agents = agent.NewService(db, feed, tenants)
		w.handovers = handover.NewService(db, feed, w.people, deal.NewService(db, feed, w.people, tenants), w.agents)
		w.keys = access.New(db, tenants)
		w.hooks = webhook.NewService(db, feed, tenants, poster.New(client))
		w.s = notification.NewService(db, feed, w.people, w.agents, w.handovers, w.keys, tenants, w.hooks)
		w.s.Draw(w.draw)
		if w.root, err = w.agents.Root(bg, w.tenant); err != nil {
			t.Fatal(err)
		}
		f(w)
	}, storetest.Clock(clock.NewFake(start)))
}

func (w *world) group(name string, parent id.ID) agent.Group {
	w.Helper()
	g, err := w.agents.CreateGroup(bg, w.tenant, actor, agent.Group{Name: name, Parent: parent})
	if err != nil {
		w.Fatal(err)
	}
	return g
}

func (w *world) key(group id.ID) access.Key {
	w.Helper()
	_, k, err := w.keys.Create(bg, w.tenant, access.NewKey{Face: "sales", Group: group})
	if err != nil {
		w.Fatal(err)
	}
	return k
}

func (w *world) subscribe(group id.ID, url string) (notification.Subscription, access.Key) {
	w.Helper()
	k := w.key(group)
	v, err := w.s.Subscribe(bg, w.tenant, notification.New{Group: group, Key: k.ID, Topics: []string{"prospects", "interactions"}, CallbackURL: url})
	if err != nil {
		w.Fatal(err)
	}
	return v, k
}

var serial int

// person makes a contact, and places it unless homeless.
func (w *world) person(group id.ID, homeless bool) id.ID {
	w.Helper()
	serial++
	phone := fmt.Sprintf("+5411%08d", serial)
	c, err := store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (contact.Contact, error) {
		c, err := w.people.CreateIn(tx, actor, contact.New{Phone: phone})
		if err != nil || homeless {
			return c, err
		}
		_, err = w.handovers.PlaceIn(tx, actor, c.ID, handover.Arrival{Group: group})
		return c, err
	})
	if err != nil {
		w.Fatal(err)
	}
	return c.ID
}

func (w *world) rename(cid id.ID, name string) {
	w.Helper()
	if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
		_, _, err := w.people.UpdateIn(tx, actor, cid, contact.Patch{FirstName: &name})
		return err
	}); err != nil {
		w.Fatal(err)
	}
	w.clock.Advance(time.Millisecond)
}

func (w *world) note(cid id.ID) id.ID {
	w.Helper()
	n, err := store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (contact.Note, error) {
		return w.people.AddNoteIn(tx, actor, contact.Note{Contact: cid, Content: "x", CreatedBy: actor})
	})
	if err != nil {
		w.Fatal(err)
	}
	w.draw.mu.Lock()
	defer w.draw.mu.Unlock()
	w.draw.is[n.ID] = true
	return n.ID
}

// drain processes what is owed now.
func (w *world) drain() {
	w.Helper()
	for {
		work, _, err := w.s.Claim(bg, job.Lane{Tenant: w.tenant, Name: "feed"}, 1)
		if err != nil {
			w.Fatal(err)
		}
		if len(work) == 0 {
			return
		}
	}
}

func (w *world) count(table string) (n int) {
	w.Helper()
	if err := w.db.Read(bg, w.tenant).QueryRow("SELECT COUNT(*) FROM " + table + " WHERE tenant_id=?").Scan(&n); err != nil {
		w.Fatal(err)
	}
	return n
}

// said lists what is in the log, oldest first: event and prospect.
func (w *world) said() []string {
	w.Helper()
	list, err := w.hooks.Log(bg, w.tenant, webhook.LogQuery{Limit: 1000})
	if err != nil {
		w.Fatal(err)
	}
	out := make([]string, len(list))
	for i, r := range list {
		out[len(list)-1-i] = r.Delivery.Event + " " + r.Delivery.Subject
	}
	return out
}

func (w *world) want(what string, want ...string) {
	w.Helper()
	if got := w.said(); fmt.Sprint(got) != fmt.Sprint(want) {
		w.Errorf("%s: said\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

const url = "https://example.com/hook"

func TestNobodyOwesNothing(t *testing.T) {
	each(t, func(w *world) {
		p := w.person(w.root.ID, false)
		w.rename(p, "A")
		if n := w.count("notification_owed"); n != 0 {
			w.Errorf("%d owed without a subscription", n)
		}
		shop := w.group("Shop", w.root.ID)
		sub, k := w.subscribe(shop.ID, url)
		w.rename(p, "B") // the shop does not see it
		q := w.person(shop.ID, false)
		w.drain()
		w.want("the shop's", "prospects.created "+q.String())
		if _, err := w.s.End(bg, w.tenant, shop.ID, sub.ID); err != nil {
			w.Fatal(err)
		}
		w.rename(q, "C")
		if n := w.count("notification_owed"); n != 0 {
			w.Errorf("%d owed after the end of the subscription", n)
		}
		// A key that is gone takes its subscription along.
		sub, k = w.subscribe(shop.ID, url)
		if err := w.keys.Revoke(bg, w.tenant, k.ID); err != nil {
			w.Fatal(err)
		}
		w.rename(q, "D")
		w.drain()
		w.want("after the revocation", "prospects.created "+q.String())
		if v, err := w.s.Known(bg, w.tenant, sub.ID); err != nil || v.EndedAt.IsZero() {
			w.Errorf("%+v, %v", v, err)
		}
		// A disabled one is told nothing, and goes on when it is enabled.
		sub, k = w.subscribe(shop.ID, url)
		for _, on := range []bool{false, true} {
			if _, err := w.keys.Edit(bg, w.tenant, k.ID, access.Edit{Enabled: &on}); err != nil {
				w.Fatal(err)
			}
			w.rename(q, fmt.Sprint("E", on))
			w.drain()
		}
		w.want("enabled", "prospects.created "+q.String(), "prospects.updated "+q.String())
		// So does a group.
		if _, err := w.handovers.Transfer(bg, w.tenant, actor, q, handover.Destination{Group: w.root.ID}); err != nil {
			w.Fatal(err)
		}
		if _, err := w.agents.DeleteGroup(bg, w.tenant, actor, shop.ID); err != nil {
			w.Fatal(err)
		}
		if v, err := w.s.Known(bg, w.tenant, sub.ID); err != nil || v.EndedAt.IsZero() {
			w.Errorf("%+v, %v", v, err)
		}
	})
}

// A subscription of each group from the root down to the contact's hears of it.
func TestEveryGroupAboveHears(t *testing.T) {
	each(t, func(w *world) {
		region := w.group("Region", w.root.ID)
		shop, sister := w.group("Shop", region.ID), w.group("Sister", region.ID)
		var subs []notification.Subscription
		for _, g := range []id.ID{w.root.ID, region.ID, shop.ID, sister.ID} {
			v, _ := w.subscribe(g, url)
			subs = append(subs, v)
		}
		w.person(shop.ID, false)
		w.drain()
		for i, v := range subs {
			list, err := w.hooks.Log(bg, w.tenant, webhook.LogQuery{Lanes: []string{v.ID.String()}})
			if want := map[bool]int{true: 1, false: 0}[i < 3]; err != nil || len(list) != want {
				w.Errorf("%d deliveries to subscription %d, %v", len(list), i, err)
			}
		}
		if n := w.count("webhook_body"); n != 1 {
			w.Errorf("%d bodies for three that are told the same", n)
		}
	})
}

// What happened before a contact was given to a group waits for that and is told
// behind it; what cannot be drawn waits, with everything behind it of the same
// contact, and holds up nobody else.
func TestWhatWaits(t *testing.T) {
	each(t, func(w *world) {
		w.subscribe(w.root.ID, url)
		p := w.person(id.Zero, true)
		w.note(p)
		w.drain()
		w.want("homeless")
		w.clock.Advance(100 * time.Millisecond)
		if _, err := w.handovers.Place(bg, w.tenant, actor, p, handover.Arrival{}); err != nil {
			w.Fatal(err)
		}
		w.drain()
		first := []string{"prospects.created " + p.String(), "interactions.created " + p.String()}
		w.want("placed", first...)

		w.draw.breaks(p, true)
		w.rename(p, "A")
		w.note(p)
		q := w.person(w.root.ID, false)
		w.drain()
		w.want("broken", append(first, "prospects.created "+q.String())...)
		for range 5 {
			w.clock.Advance(time.Minute)
			w.drain()
		}
		w.draw.breaks(p, false)
		w.clock.Advance(time.Minute)
		if lanes, _, err := w.s.Due(bg, w.clock.Now(), 10); err != nil || len(lanes) != 1 || lanes[0].Tenant != w.tenant {
			w.Errorf("%v, %v", lanes, err)
		}
		w.drain()
		w.want("mended", append(first, "prospects.created "+q.String(), "prospects.updated "+p.String(), "interactions.created "+p.String())...)
		if n := w.count("notification_owed"); n != 0 {
			w.Errorf("%d are still owed", n)
		}
	})
}

// The order of a prospect holds across a merge: what was still to be sent of the
// merged contact goes before what is said of the survivor afterwards; and a merge
// taken back gives it back.
func TestOrderAcrossAMerge(t *testing.T) {
	each(t, func(w *world) {
		var mu sync.Mutex
		var got []string
		fail := true
		srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			var m struct {
				Type     string
				Updates  []struct{ Field, To string }
				Prospect []struct{ ID string }
			}
			if err := json.Unmarshal(b, &m); err != nil {
				w.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			said := m.Type
			if len(m.Updates) > 0 {
				said += " " + m.Updates[0].Field
			}
			if fail && m.Type == "created" {
				rw.WriteHeader(500) // held up: what follows must wait
				return
			}
			got = append(got, said+" "+m.Prospect[0].ID)
		}))
		defer srv.Close()
		w.subscribe(w.root.ID, srv.URL)
		ctx, stop := context.WithCancel(bg)
		lanes := job.NewLanes(w.db, job.LaneOptions{Node: "test", Clock: w.clock})
		lanes.Add(w.s)
		lanes.Add(w.hooks)
		var wg sync.WaitGroup
		wg.Add(1)
		go func() { defer wg.Done(); lanes.Run(ctx) }()
		defer wg.Wait()
		defer stop()

		a, b := w.person(w.root.ID, false), w.person(w.root.ID, false)
		w.until("two deliveries", func() bool { return len(w.said()) == 2 })
		w.rename(b, "B")
		w.until("three deliveries", func() bool { return len(w.said()) == 3 })
		if _, err := w.people.Merge(bg, w.tenant, actor, a, b); err != nil {
			w.Fatal(err)
		}
		w.clock.Advance(time.Millisecond)
		w.rename(a, "A")
		mu.Lock()
		fail = false
		mu.Unlock()
		w.until("all of them", func() bool { mu.Lock(); defer mu.Unlock(); return len(got) >= 5 })
		mu.Lock()
		defer mu.Unlock()
		at := func(s string) int {
			for i, g := range got {
				if g == s {
					return i
				}
			}
			w.Fatalf("%q was never told: %q", s, got)
			return -1
		}
		own, merged := at("updated firstName "+b.String()), at("updated id "+a.String())
		if at("created "+b.String()) > own || own > merged || at("created "+a.String()) > merged || merged > at("updated firstName "+a.String()) {
			w.Errorf("the order was %q", got)
		}
	})
}

func (w *world) until(what string, cond func() bool) {
	w.Helper()
	for end := time.Now().Add(time.Minute); !cond(); {
		if time.Now().After(end) {
			w.Fatalf("waited too long for: %s\n%v", what, w.said())
		}
		jobtest.Pace(w, w.db, w.clock, 100*time.Millisecond)
	}
}

// An erased person leaves nothing that is owed or said.
func TestErase(t *testing.T) {
	each(t, func(w *world) {
		w.subscribe(w.root.ID, url)
		p, q := w.person(w.root.ID, false), w.person(w.root.ID, false)
		w.drain()
		w.rename(p, "A")
		if _, err := w.people.Erase(bg, w.tenant, actor, p); err != nil {
			w.Fatal(err)
		}
		w.drain()
		list, err := w.hooks.Log(bg, w.tenant, webhook.LogQuery{})
		if err != nil || len(list) != 2 {
			w.Fatal(len(list), err)
		}
		for _, r := range list {
			if mine := r.Delivery.Subject == p.String(); mine != (len(r.Delivery.Body) == 0) || mine != (r.State == webhook.Failed) {
				w.Errorf("%+v", r)
			}
		}
		_ = q
	})
}

// However many subscribe for one group at once, one of them is active, and all the
// others name who replaced them.
func TestOneOfAGroup(t *testing.T) {
	each(t, func(w *world) {
		k := w.key(id.Zero)
		var wg sync.WaitGroup
		errs := make(chan error, 40)
		for range 40 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				_, err := w.s.Subscribe(bg, w.tenant, notification.New{Group: w.root.ID, Key: k.ID, Topics: []string{"quotes"}, CallbackURL: url})
				errs <- err
			}()
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			if err != nil {
				w.Error(err)
			}
		}
		list, err := w.s.List(bg, w.tenant, w.root.ID)
		all, err2 := w.s.Of(bg, w.tenant, []id.ID{w.root.ID}, 100)
		if err != nil || err2 != nil || len(list) != 1 || len(all) != 40 {
			w.Fatal(len(list), len(all), err, err2)
		}
		for _, v := range all {
			if (v.ID == list[0].ID) == v.EndedAt.After(time.Time{}) || v.ID != list[0].ID && v.ReplacedBy.IsZero() {
				w.Errorf("%+v", v)
			}
		}
	})
}

// A batch that ends before the row that places a contact still tells first that the
// contact is there: what happened before it was placed is not news of a stranger.
func TestNobodyHearsOfAStrangerFirst(t *testing.T) {
	each(t, func(w *world) {
		w.subscribe(w.root.ID, url)
		p := w.person(w.root.ID, true)
		for range 210 { // more than a batch
			w.note(p)
			w.clock.Advance(time.Millisecond)
		}
		if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
			_, err := w.handovers.PlaceIn(tx, actor, p, handover.Arrival{Group: w.root.ID})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		w.drain()
		said := w.said()
		if len(said) != 211 || said[0] != "prospects.created "+p.String() {
			t.Errorf("%d said, first %s", len(said), said[0])
		}
		if n := w.count("notification_owed"); n != 0 {
			t.Errorf("%d still owed", n)
		}
	})
}
