package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// round is what one round of a load gave.
type round struct {
	Rate, RawRate, BareRate       float64 // requests a second
	P50ms, P99ms, BareP50ms       float64
	ServerCPU, ClientCPU, BareCPU float64 // processor time a request, in microseconds
	Group                         float64 // requests in one commit
	Rows                          float64 // added by a request
	RSS                           int64   // of the server at the end of the stretch, in bytes
}

// measureLoad posts a load to a fresh server, and after each stretch writes the
// same rows raw and asks a bare server the same.
func measureLoad(o options, l load, dir string) (f loadFigures, err error) {
	p, err := startParley(o.Bin, filepath.Join(dir, "parley"), o.Profile != "")
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	if err := p.furnish(); err != nil {
		return f, err
	}
	seen, err := newCapture(p.data)
	if err != nil {
		return f, err
	}
	defer seen.db.Close()
	r, err := newRaw(filepath.Join(dir, "raw"))
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, r.close()) }()

	return measureOn(o, l, p, seen, r)
}

// measureOn measures a load on a server that runs, beside a raw database that
// begins where the server's does.
func measureOn(o options, l load, p *parley, seen *capture, r *raw) (f loadFigures, err error) {
	var next atomic.Int64
	request := func(n int64) []byte { return l.request(p, n) }
	warm, err := post(p.addr, o.Clients, o.Warm, &next, l.first, l.status, request)
	if err != nil {
		return f, err
	}
	had, err := seen.news()
	if err != nil {
		return f, err
	}
	// The raw database begins where the server's does.
	if _, err := r.write(had, warm.n, 200, false); err != nil {
		return f, err
	}
	bare, err := startBare(warm.answer, l.status)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, bare.stop()) }()
	var rounds []round
	for i := range o.Rounds {
		one, rows, err := measureRound(o, l, p, bare, seen, r, &next, i)
		if err != nil {
			return f, err
		}
		rounds = append(rounds, one)
		f.Rows = rows
	}
	f.sum(l, rounds)
	return f, nil
}

func measureRound(o options, l load, p *parley, bare *process, seen *capture, r *raw, next *atomic.Int64, i int) (one round, rows map[string]float64, err error) {
	profiled := make(chan error, 1)
	if o.Profile != "" {
		if err := os.MkdirAll(o.Profile, 0o755); err != nil {
			return one, nil, err
		}
		go func() {
			profiled <- p.profileCPU(filepath.Join(o.Profile, fmt.Sprintf("%s-%d.pprof", l.file(), i)), o.Stretch)
		}()
	} else {
		profiled <- nil
	}
	before, err := p.writes()
	if err != nil {
		return one, nil, err
	}
	cpu, err := p.cpu()
	if err != nil {
		return one, nil, err
	}
	mine := selfCPU()
	s, err := post(p.addr, o.Clients, o.Stretch, next, 0, l.status, func(n int64) []byte { return l.request(p, n) })
	if err != nil {
		return one, nil, err
	}
	mine = selfCPU() - mine
	after, err := p.writes()
	if err != nil {
		return one, nil, err
	}
	if one.RSS, err = p.rss(); err != nil {
		return one, nil, err
	}
	done, err := p.cpu()
	if err != nil {
		return one, nil, err
	}
	if err := <-profiled; err != nil {
		return one, nil, err
	}
	n := float64(s.n)
	one.Rate, one.P50ms, one.P99ms = s.rate(), millis(s.p50), millis(s.p99)
	one.ServerCPU, one.ClientCPU = (done-cpu)*1e6/n, mine*1e6/n
	one.Group = n / max(1, after.groups-before.groups)

	added, err := seen.news()
	if err != nil {
		return one, nil, err
	}
	rows = map[string]float64{}
	proof := 0
	for _, t := range added {
		rows[t.name] = float64(len(t.rows)) / n
		one.Rows += rows[t.name]
		if t.name == l.proof {
			proof = len(t.rows)
		}
	}
	if int64(proof) != s.n {
		return one, nil, fmt.Errorf("%d requests were acknowledged, but %d rows of %s are stored", s.n, proof, l.proof)
	}
	took, err := r.write(added, s.n, one.Group, l.renews)
	if err != nil {
		return one, nil, err
	}
	one.RawRate = n / took.Seconds()

	if cpu, err = bare.cpu(); err != nil {
		return one, nil, err
	}
	b, err := post(bare.addr, o.Clients, o.Stretch/3, new(atomic.Int64), 0, l.status, func(n int64) []byte { return l.request(p, n) })
	if err != nil {
		return one, nil, fmt.Errorf("bare server: %w", err)
	}
	if done, err = bare.cpu(); err != nil {
		return one, nil, err
	}
	one.BareRate, one.BareP50ms, one.BareCPU = b.rate(), millis(b.p50), (done-cpu)*1e6/float64(b.n)
	return one, rows, nil
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
