package realtime

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/internal/clock"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// Clients that lose their connection at any moment and come back to either of
// two nodes, while others write, hear everything once and in order.
func TestNoGapAndNoRepeat(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, "acme", "other")
		nodes := []*node{newNode(t, db, w.face), newNode(t, db, w.face)}
		const events, clients = 400, 4
		guests := make([]*guest, clients)
		for i := range guests {
			guests[i] = &guest{t: t}
			guests[i].connect(nodes[i%2].url, map[string]any{"key": "acme"})
		}
		var all sync.WaitGroup
		all.Go(func() {
			for i := range events {
				w.add("acme", i, id.Zero)
				w.add("other", i, id.Zero)
			}
		})
		for i, g := range guests {
			all.Go(func() {
				r := rand.New(rand.NewPCG(uint64(i), 7))
				end := fmt.Sprintf("%dc", events-1)
				for next := 0; len(g.heard) == 0 || g.heard[len(g.heard)-1] != end; {
					if next--; next < 0 && len(g.heard) > 0 {
						g.hangUp()
						next = 1 + r.IntN(60)
					}
					if g.tryHear() != nil { // hung up, or cut because the writers are faster
						g.connect(nodes[r.IntN(2)].url, map[string]any{"key": "acme"})
						if !g.recovered {
							t.Error("a client that was away for a moment was not recovered")
						}
					}
				}
			})
		}
		all.Wait()
		var want []string
		for i := range events {
			want = append(want, fmt.Sprintf("%da", i), fmt.Sprintf("%dc", i))
		}
		for i, g := range guests {
			if !slices.Equal(g.heard, want) {
				t.Errorf("client %d: %s", i, difference(g.heard, want))
			}
		}
	}, storetest.Once())
}

func difference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("at %d: %v, want %v", i, got[max(0, i-3):min(len(got), i+4)], want[max(0, i-3):min(len(want), i+4)])
		}
	}
	return fmt.Sprintf("%d messages, want %d", len(got), len(want))
}

// A client that lost its connection before it heard anything, and a server that
// was started anew meanwhile.
func TestResumeWithoutAnOffset(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, "acme")
		a := newNode(t, db, w.face)
		g := &guest{t: t}
		g.connect(a.url, map[string]any{"key": "acme"})
		g.hangUp()
		a.stop()
		w.add("acme", 1, id.Zero)
		b := newNode(t, db, w.face)
		w.add("acme", 2, id.Zero)
		g.connect(b.url, map[string]any{"key": "acme"})
		if !g.recovered {
			t.Fatal("not recovered")
		}
		g.until("2c")
		if got := strings.Join(g.heard, " "); got != "1a 1c 2a 2c" {
			t.Fatal(got)
		}
	})
}

// An offset within an event: what is left of it follows.
func TestResumeWithinAnEvent(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, "acme")
		n := newNode(t, db, w.face)
		g := &guest{t: t}
		g.connect(n.url, map[string]any{"key": "acme"})
		w.add("acme", 1, id.Zero)
		g.until("1a")
		if strings.Count(g.offset, ".") != 2 {
			t.Fatalf("offset %q", g.offset)
		}
		g.hangUp()
		w.add("acme", 2, id.Zero)
		g.connect(n.url, map[string]any{"key": "acme"})
		g.until("2c")
		if got := strings.Join(g.heard, " "); got != "1a 1c 2a 2c" || !g.recovered {
			t.Fatal(got, g.recovered)
		}
	})
}

func TestPlainClientsResumeByAfter(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, "acme")
		n := newNode(t, db, w.face)
		first := &guest{t: t}
		first.connect(n.url, map[string]any{"key": "acme"})
		w.add("acme", 1, id.Zero)
		after := first.until("1c")
		w.add("acme", 2, id.Zero)
		first.until("2c")

		again := &guest{t: t}
		again.connect(n.url, map[string]any{"key": "acme", "after": after})
		if name, args := again.hear(); name != ResumedEvent || args[0].(map[string]any)["recovered"] != true {
			t.Fatal(name, args)
		}
		w.add("acme", 3, id.Zero)
		again.until("3c")
		if got := strings.Join(again.heard, " "); got != "2a 2c 3a 3c" {
			t.Fatal(got)
		}
		// The library sends the same auth again; its own offset wins.
		again.hangUp()
		w.add("acme", 4, id.Zero)
		again.connect(n.url, map[string]any{"key": "acme", "after": after})
		again.until("4c")
		if got := strings.Join(again.heard, " "); got != "2a 2c 3a 3c 4a 4c" || !again.recovered {
			t.Fatal(got)
		}

		for _, bad := range []string{"nonsense", "9999999.9999999", "-1.2", "1.2.3.4"} {
			g := &guest{t: t}
			g.connect(n.url, map[string]any{"key": "acme", "after": bad})
			if name, args := g.hear(); name != ResumedEvent || args[0].(map[string]any)["recovered"] != false || args[0].(map[string]any)["reason"] == "" {
				t.Fatalf("%s: %s %v", bad, name, args)
			}
		}
		// A client without a key at the handshake brings both with join-room.
		late := &guest{t: t}
		late.connect(n.url, map[string]any{})
		if late.pid != "" {
			t.Fatal("a client without a key has a pid")
		}
		if got := late.ask("join", "key acme", after); !strings.Contains(got, "true") {
			t.Fatal(got)
		}
		w.add("acme", 5, id.Zero)
		late.until("5c")
		if got := strings.Join(late.heard, " "); got != "2a 2c 3a 3c 4a 4c 5a 5c" {
			t.Fatal(got)
		}
	})
}

func TestTooMuchMissed(t *testing.T) {
	fake := clock.NewFake(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, "acme")
		n := newNode(t, db, w.face)
		n.d.missed = 3
		defer ticking(fake, calm)()
		g := &guest{t: t}
		g.connect(n.url, map[string]any{"key": "acme"})
		away := func(events int, long time.Duration, recovered bool) {
			t.Helper()
			g.hangUp()
			g.heard = nil
			for i := range events {
				w.add("acme", i, id.Zero)
			}
			fake.Advance(long)
			g.connect(n.url, map[string]any{"key": "acme"})
			if g.recovered != recovered {
				t.Fatalf("%d events, %s: recovered %v", events, long, g.recovered)
			}
			if !recovered {
				w.told(n) // the next absence begins here; what was missed may still come live
				w.add("acme", 99, id.Zero)
				g.until("99c")
			}
			if recovered && events > 0 {
				g.until(fmt.Sprintf("%dc", events-1))
				if len(g.heard) != 2*events {
					t.Fatalf("heard %v", g.heard)
				}
			}
		}
		away(3, 0, true)
		away(4, 0, false)
		away(1, maxAway-time.Minute, true)
		away(1, maxAway+time.Second, false)
		away(0, 10*maxAway, true) // nothing was missed
	}, storetest.Clock(fake))
}

func TestRoomsAreResumed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, "acme")
		n := newNode(t, db, w.face)
		g := &guest{t: t}
		g.connect(n.url, map[string]any{"key": "acme"})
		mine, others := id.New(), id.New()
		g.ask("join", mine.String())
		w.add("acme", 1, mine)
		g.until("1c") // once, though it is in both rooms
		g.ask("leave", "")
		w.add("acme", 2, others)
		w.add("acme", 3, mine)
		g.until("3c")
		if got := strings.Join(g.heard, " "); got != "1a 1c 3c" {
			t.Fatal(got)
		}
		g.hangUp()
		w.add("acme", 4, others)
		w.add("acme", 5, mine)
		g.connect(n.url, map[string]any{"key": "acme"})
		w.add("acme", 6, others)
		w.add("acme", 7, mine)
		g.until("7c")
		if got := strings.Join(g.heard, " "); got != "1a 1c 3c 5c 7c" || !g.recovered {
			t.Fatal(got)
		}
		g.ask("leave", mine.String())
		g.hangUp()
		w.add("acme", 8, mine)
		g.connect(n.url, map[string]any{"key": "acme"})
		w.told(n)
		g.ask("join", "")
		w.add("acme", 9, mine)
		g.until("9c")
		if got := strings.Join(g.heard, " "); got != "1a 1c 3c 5c 7c 9a 9c" {
			t.Fatal(got)
		}
		for i := range maxRooms + 1 {
			got := g.ask("join", id.New().String())
			if full := i >= maxRooms-1; full != strings.Contains(got, "leave one first") {
				t.Fatalf("room %d: %s", i, got)
			}
		}
	})
}

// Whatever a client shows, it hears its own tenant only.
func TestTenantsStayApart(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, "acme", "other")
		n := newNode(t, db, w.face)
		victim := &guest{t: t}
		victim.connect(n.url, map[string]any{"key": "acme"})
		room := id.New()
		victim.ask("join", room.String())
		w.add("acme", 1, room)
		victim.until("1c")

		thief := &guest{t: t, pid: victim.pid, offset: victim.offset}
		w.add("acme", 2, room)
		thief.connect(n.url, map[string]any{"key": "other"})
		if thief.recovered {
			t.Fatal("another tenant's pid was taken")
		}
		thief.ask("join", room.String())
		thief.ask("join", w.face.tenants["acme"].String())
		if got := thief.ask("join", "key acme"); !strings.Contains(got, "another's") {
			t.Fatal(got)
		}
		// Its own pid with a tail made up.
		thief.hangUp()
		thief.offset = thief.offset[:max(strings.Index(thief.offset, "@"), 0)] + "@*," + room.String() + "," + w.face.tenants["acme"].String() + ",../" + w.face.tenants["acme"].String()
		thief.connect(n.url, map[string]any{"key": "other"})
		w.add("acme", 3, room)
		w.add("other", 4, id.Zero)
		thief.until("4c")
		if got := strings.Join(thief.heard, " "); got != "4a 4c" {
			t.Fatal(got)
		}
		keyless := &guest{t: t, pid: victim.pid, offset: victim.offset}
		keyless.connect(n.url, map[string]any{})
		if keyless.recovered {
			t.Fatal("a pid without a key was taken")
		}
	})
}

func TestRevokedKeysAreDisconnected(t *testing.T) {
	fake := clock.NewFake(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, "acme", "other")
		n := newNode(t, db, w.face)
		out, stays, late := &guest{t: t}, &guest{t: t}, &guest{t: t}
		out.connect(n.url, map[string]any{"key": "acme"})
		stays.connect(n.url, map[string]any{"key": "other"})
		late.connect(n.url, map[string]any{})
		late.ask("join", "key acme")
		w.face.mu.Lock()
		w.face.revoked["acme"] = true
		w.face.mu.Unlock()
		ended := make(chan string, 2)
		for _, g := range []*guest{out, late} {
			go func() {
				for {
					msg, err := g.tryPacket()
					if err != nil || msg == "41" {
						ended <- msg
						return
					}
				}
			}()
		}
		for range 2 {
			for got := false; !got; {
				select {
				case msg := <-ended:
					if got = true; msg != "41" {
						t.Fatalf("ended with %q", msg)
					}
				case <-time.After(5 * time.Millisecond):
					fake.Advance(look)
				}
			}
		}
		eventually(t, "one client is left", func() bool { return len(n.d.transport.Sockets()) == 1 })
		w.add("other", 1, id.Zero)
		defer ticking(fake, calm)()
		stays.until("1c")
	}, storetest.Clock(fake))
}

func TestNothingIsMadeForNobody(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, "acme", "other")
		n := newNode(t, db, w.face)
		g := &guest{t: t}
		g.connect(n.url, map[string]any{"key": "acme"})
		room := id.New()
		g.ask("join", room.String())
		g.ask("leave", "")
		for i := range 50 {
			w.add("other", i, id.Zero)
		}
		w.add("acme", 1, room)
		g.until("1c")
		// Of acme's event only the message that may concern the room; the other
		// tenant's events are passed over.
		if made := w.face.made.Load(); made != 1 {
			t.Fatalf("%d messages were made", made)
		}
		many := []*guest{g}
		for range 20 {
			m := &guest{t: t}
			m.connect(n.url, map[string]any{"key": "acme"})
			many = append(many, m)
		}
		w.add("acme", 2, room)
		for _, m := range many {
			m.until("2c")
		}
		if made := w.face.made.Load(); made != 3 {
			t.Fatalf("%d messages were made, want each once", made)
		}
	})
}

// A message that cannot be made holds its place for a while and is then left
// out; the feed goes on.
func TestWhatCannotBeMade(t *testing.T) {
	fake := clock.NewFake(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, "acme")
		n := newNode(t, db, w.face)
		g := &guest{t: t}
		g.connect(n.url, map[string]any{"key": "acme"})
		defer ticking(fake, idle/2)()
		w.face.breaking.Store(true)
		w.add("acme", 1, id.Zero)
		before := w.face.made.Load()
		eventually(t, "it is tried again", func() bool { return w.face.made.Load() >= before+2 })
		w.face.breaking.Store(false)
		g.until("1c") // a short failure loses nothing
		w.face.breaking.Store(true)
		w.add("acme", 2, id.Zero)
		w.write("acme", "n.ignored", "", id.Zero)
		w.told(n)
		w.face.breaking.Store(false)
		w.add("acme", 3, id.Zero)
		g.until("3c")
		if got := strings.Join(g.heard, " "); got != "1a 1c 3a 3c" {
			t.Fatal(got)
		}
	}, storetest.Clock(fake))
}
