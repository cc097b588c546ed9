package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// load is one kind of request.
type load struct {
	name, part string
	// first is how many requests a fresh server must have had before measuring.
	first int64
	// request is the n-th request as bytes on the wire, counted from 0 over the
	// whole life of the server.
	request func(p *parley, n int64) []byte
	status  int
	// proof is the table in which every acknowledged request leaves one row.
	proof string
	// renews says that a request changes its conversation and its contact, which
	// are there already, beside the rows that it adds.
	renews bool
}

// file is the load's name as a file's.
func (l load) file() string { return strings.NewReplacer(", ", "-", " ", "-").Replace(l.name) }

// stretch is what one stretch of posting gave.
type stretch struct {
	n        int64
	took     time.Duration
	p50, p99 time.Duration
	answer   []byte // one whole answer
}

func (s stretch) rate() float64 { return float64(s.n) / s.took.Seconds() }

// post sends requests over keep-alive connections until d has passed and next,
// which counts the requests, has reached least; it waits for the last answers. The clients are as light as
// they can be, for they share the processor with the server.
func post(addr string, clients int, d time.Duration, next *atomic.Int64, least int64, status int, request func(n int64) []byte) (stretch, error) {
	begun := time.Now()
	deadline := begun.Add(d)
	var mu sync.Mutex
	var all []time.Duration
	var sample []byte
	var failure error
	var failed atomic.Bool
	var wg sync.WaitGroup
	for range clients {
		wg.Add(1)
		go func() {
			defer wg.Done()
			took, body, err := client(addr, deadline, &failed, next, least, status, request)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			if err != nil {
				failed.Store(true)
				failure = errors.Join(failure, err)
			} else if len(body) > 0 {
				sample = body
			}
		}()
	}
	wg.Wait()
	s := stretch{n: int64(len(all)), took: time.Since(begun), answer: sample}
	if failure != nil {
		return s, failure
	}
	if s.n == 0 {
		return s, errors.New("nothing was answered")
	}
	slices.Sort(all)
	s.p50, s.p99 = quantile(all, 0.5), quantile(all, 0.99)
	return s, nil
}

// quantile of sorted durations.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func client(addr string, deadline time.Time, failed *atomic.Bool, next *atomic.Int64, least int64, status int, request func(n int64) []byte) (took []time.Duration, last []byte, err error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, nil, err
	}
	defer c.Close()
	r := bufio.NewReaderSize(c, 8<<10)
	for (time.Now().Before(deadline) || next.Load() < least) && !failed.Load() {
		req := request(next.Add(1) - 1)
		begun := time.Now()
		if _, err := c.Write(req); err != nil {
			return took, last, err
		}
		code, body, err := readAnswer(r, last[:0])
		if err != nil {
			return took, last, err
		}
		took, last = append(took, time.Since(begun)), body
		if code != status {
			return took, last, fmt.Errorf("answered %d instead of %d: %.300s", code, status, body)
		}
	}
	return took, last, nil
}

// readAnswer reads one answer of known length into buf.
func readAnswer(r *bufio.Reader, buf []byte) (status int, body []byte, err error) {
	length := -1
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0, nil, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if first {
			if len(line) < 12 {
				return 0, nil, fmt.Errorf("a strange answer: %q", line)
			}
			if status, err = strconv.Atoi(string(line[9:12])); err != nil {
				return 0, nil, err
			}
			continue
		}
		if len(line) == 0 {
			break
		}
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, nil, err
			}
		}
	}
	if length < 0 {
		return 0, nil, errors.New("an answer without Content-Length")
	}
	body = slices.Grow(buf[:0], length)[:length]
	_, err = io.ReadFull(r, body)
	return status, body, err
}
