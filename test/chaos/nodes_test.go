package chaos

import (
	"crypto/rand"
	"encoding/hex"
	"testing"
	"time"

	"parley/internal/store/storetest"
)

// TestNodeTakeover runs two nodes on one PostgreSQL behind a balancer and kills
// one after the other under load, while the other goes on: what the dead one had
// at work is taken over when its leases end, nothing acknowledged is lost, and
// nothing happens twice. The leases are the real ones; nobody shortens them.
func TestNodeTakeover(t *testing.T) {
	long(t)
	kills := count(t, 2, 12)
	begun := time.Now()
	rng := dice(t)
	w := newWorld(t)
	database, key := storetest.PostgresURL(t), make([]byte, 32)
	_, _ = rand.Read(key)
	nodes := make([]*proc, 2)
	for i := range nodes {
		nodes[i] = newProc(t, parley(t), database, w.base)
		nodes[i].env = []string{"PARLEY_SECRET_KEY=" + hex.EncodeToString(key)}
		nodes[i].start(t)
	}
	front := newBalancer(t, nodes...)
	c := w.setUpAt(t, nodes[0], front.url)
	l := begin(t, w, c)
	for n := range kills {
		dead := nodes[n%2]
		time.Sleep(moment(rng, 400, 1500)) // the moment of the kill is the point
		dead.kill()
		time.Sleep(moment(rng, 300, 2500)) // the other one works alone
		if !nodes[(n+1)%2].ready() {
			t.Fatalf("the other node is not ready after kill %d:\n%s", n+1, nodes[(n+1)%2].tail(20))
		}
		dead.start(t)
	}
	time.Sleep(moment(rng, 300, 1000))
	l.stop()
	// One node ends for good: the other finishes what both began.
	nodes[1].kill()
	finish(t, w, c, l.j, summary{name: "two nodes, one killed in turn", kills: kills + 1, begun: begun})
	for i, p := range nodes {
		if p.cmd != nil {
			t.Errorf("node %d still runs", i)
		}
	}
}
