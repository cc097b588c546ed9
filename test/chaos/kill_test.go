package chaos

import (
	"math/rand/v2"
	"testing"
	"time"

	"parley/internal/store/storetest"
)

// TestKillSQLite kills the real binary at random moments under mixed load on the
// embedded database: nothing acknowledged is lost, nothing happens twice.
func TestKillSQLite(t *testing.T) {
	long(t)
	killing(t, "kill -9, SQLite", "", count(t, 5, 50))
}

// TestKillPostgres is TestKillSQLite on PostgreSQL.
func TestKillPostgres(t *testing.T) {
	long(t)
	killing(t, "kill -9, PostgreSQL", storetest.PostgresURL(t), count(t, 2, 10))
}

func killing(t *testing.T, name, database string, kills int) {
	begun := time.Now()
	rng := dice(t)
	w := newWorld(t)
	p := newProc(t, parley(t), database, w.base)
	p.start(t)
	c := w.setUp(t, p)
	l := begin(t, w, c)
	early := 0
	for n := 1; n <= kills; n++ {
		time.Sleep(moment(rng, 200, 1500)) // the moment of the kill is the point
		p.kill()
		restart(t, p, n < kills || !soak())
		for n < kills && rng.IntN(4) == 0 { // and before it is ready
			p.down.Store(true)
			p.launch(t)
			time.Sleep(moment(rng, 0, 150))
			p.kill()
			early++
		}
		p.start(t)
		if broken := p.verify(t); len(broken) > 0 {
			t.Errorf("after kill %d: %v", n, broken)
		}
	}
	time.Sleep(moment(rng, 200, 1000))
	l.stop()
	finish(t, w, c, l.j, summary{name: name, kills: kills + early, begun: begun})
}

// restart prepares a start after a kill. On PostgreSQL, where others could still
// hold the leases, they end by time alone: a soak waits for the last ones.
func restart(t *testing.T, p *proc, aged bool) {
	if p.database != "" && aged {
		age(t, p)
	}
}

func moment(rng *rand.Rand, from, to int) time.Duration {
	return time.Duration(from+rng.IntN(to-from)) * time.Millisecond
}

// finish waits for quiet, checks everything, and records the run of a soak.
func finish(t *testing.T, w *world, c *tenant, j *journal, s summary) {
	t.Helper()
	quiet(t, w, c, 5*time.Minute)
	f := check(t, w, c, j)
	f.twice = append(f.twice, c.p.twins(t)...)
	f.report(t)
	s.facts, s.lost, s.twice = j.facts(), len(f.lost), len(f.twice)
	t.Logf("%s: %d kills, %d acknowledged facts in %s: %d leads, %d upserts, %d triggers, %d answers, %d sends, %d inbound; %d calls repeated, %d of them replayed; "+
		"lost %d, twice %d, wrong %d; %d messages unknown and listed, %d failed", s.name, s.kills, s.facts, time.Since(s.begun).Round(time.Millisecond),
		len(j.leads), j.upserts, len(j.fired), len(j.answered), len(j.sends), len(j.inbound), j.retries, j.replays,
		len(f.lost), len(f.twice), len(f.other), f.unknown, f.failed)
	if s.facts < 20*s.kills {
		t.Errorf("only %d facts were acknowledged: the load was too thin to prove anything", s.facts)
	}
	c.p.stop(t)
	if !t.Failed() || s.lost+s.twice > 0 {
		s.record(t)
	}
}
