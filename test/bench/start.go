package main

import (
	"errors"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// startFigures are those of a server with nothing to do.
type startFigures struct {
	ReadyMs     float64 `json:"readyMs"` // median, from exec to the first 200 of /readyz
	WorstMs     float64 `json:"worstMs"`
	Leads       int64   `json:"leads"` // in the data folder
	IdleRSS     int64   `json:"idleRSS"`
	BinaryBytes int64   `json:"binaryBytes"`
}

// measureStart starts a server several times on a folder that has data.
func measureStart(o options, data string) (*startFigures, error) {
	f := &startFigures{}
	info, err := os.Stat(o.Bin)
	if err != nil {
		return nil, err
	}
	f.BinaryBytes = info.Size()
	p, err := startParley(o.Bin, data, false)
	if err != nil {
		return nil, err
	}
	err = p.furnish()
	if err == nil {
		l := leads()
		var next atomic.Int64
		var s stretch
		s, err = post(p.addr, o.Clients, o.Warm, &next, 0, l.status, func(n int64) []byte { return l.request(p, n) })
		f.Leads = s.n
	}
	if err = errors.Join(err, p.stop()); err != nil {
		return nil, err
	}
	var took []time.Duration
	for i := range o.Starts {
		p, err := startParley(o.Bin, data, false)
		if err != nil {
			return nil, err
		}
		took = append(took, time.Duration(p.startNanos))
		settle := 100 * time.Millisecond // a start is measured, not a stop in the middle of one
		if i == o.Starts-1 {
			settle = 2 * time.Second // what the start needed is given back
		}
		time.Sleep(settle)
		if i == o.Starts-1 {
			f.IdleRSS, err = p.rss()
		}
		if err = errors.Join(err, p.stop()); err != nil {
			return nil, err
		}
	}
	slices.Sort(took)
	f.ReadyMs, f.WorstMs = millis(quantile(took, 0.5)), millis(took[len(took)-1])
	return f, nil
}
