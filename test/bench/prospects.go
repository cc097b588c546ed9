package main

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// prospectFigures are those of reading a large base by the sales API.
type prospectFigures struct {
	Calls []callTimes    `json:"calls"`
	Table streamFigures  `json:"csv"` // the whole list, streamed
	JSON  *streamFigures `json:"json,omitempty"`
	Raw   float64        `json:"rawRowsPerSecond"` // plain scans of the tables that a prospect is made of
}

// streamFigures are those of one streamed list.
type streamFigures struct {
	Rows      int     `json:"rows"`
	Bytes     int64   `json:"bytes"`
	PerSecond float64 `json:"rowsPerSecond"`
	CPUus     float64 `json:"cpuMicros"` // a row
	OwnBefore int64   `json:"ownMemoryBefore"`
	PeakOwn   int64   `json:"peakOwnMemory"`    // without mapped pages of the database file
	FirstMs   float64 `json:"firstByteMs"`      // until the answer begins
	HalfOwn   int64   `json:"ownMemoryHalfway"` // flat memory is as much at the half as at the end
}

// measureProspects asks for lists, searches and single prospects, and streams all of
// them as a table and as JSON.
func (p *parley) measureProspects(o options) (f *prospectFigures, err error) {
	f = &prospectFigures{}
	key, err := p.keyWith("prospects:read,prospects:readAdditionalData")
	if err != nil {
		return nil, err
	}
	var some []struct{ ID, GroupID string }
	b, err := p.fetchWith("/api/v1/prospects?limit=1000", key)
	if err == nil {
		err = json.Unmarshal(b, &some)
	}
	if err != nil || len(some) == 0 {
		return nil, fmt.Errorf("no prospects: %w: %.200s", err, b)
	}
	n := o.Contacts
	const list = "/api/v1/prospects?limit=100"
	pick := func(i int) string { return some[i*37%len(some)].ID }
	for _, c := range []struct {
		name string
		path func(i int) string
	}{
		{"list, 100", func(int) string { return list }},
		{"list, 1000", func(int) string { return "/api/v1/prospects?limit=1000" }},
		{"list behind a cursor", func(i int) string { return list + "&before=" + pick(i) }},
		{"list of a group", func(int) string { return list + "&group=" + some[0].GroupID }},
		{"list of a status", func(int) string { return list + "&status=unclaimed" }},
		{"list of the last day", func(int) string {
			return list + "&createdAfter=" + time.Now().UTC().Add(-24*time.Hour).Format(time.RFC3339)
		}},
		{"search: a common first name", func(i int) string { return list + "&search=" + given[i%len(given)] }},
		{"search: a full name", func(i int) string {
			k := i * 7919 % n
			return list + "&search=" + url.QueryEscape(given[k%len(given)]+" "+family[k/len(given)%len(family)]+strconv.Itoa(k/900))
		}},
		{"search: the beginning of a phone", func(i int) string { return list + "&search=" + fmt.Sprintf("98%06d", i*7919%n/100) }},
		{"search: an e-mail", func(i int) string {
			return list + "&search=" + url.QueryEscape(fmt.Sprintf("p%d@example.com", i*7919%n))
		}},
		{"phoneNumber", func(i int) string { return list + "&phoneNumber=" + fmt.Sprintf("98%08d", i*7919%n) }},
		{"additionalData: one of 300 values", func(i int) string { return list + "&additionalData=city=city-" + strconv.Itoa(i%300) }},
		{"additionalData: contained", func(i int) string { return list + "&additionalData=city~ty-" + strconv.Itoa(i%300) }},
		{"additionalData: nobody", func(i int) string { return list + "&additionalData=city=nowhere" }},
		{"prospect", func(i int) string { return "/api/v1/prospect/" + pick(i) }},
		{"prospect-by a phone", func(i int) string { return "/api/v1/prospect-by?phoneNumber=" + fmt.Sprintf("98%08d", i*7919%n) }},
	} {
		one, err := p.timesWith(c.name, o.Calls, key, c.path)
		if err != nil {
			return f, err
		}
		if one.BareMs, err = bareTimes(one.body, o.Calls); err != nil {
			return f, err
		}
		f.Calls = append(f.Calls, one)
	}
	if f.Raw, err = rawScan(filepath.Join(p.data, "parley.db"), min(n, 200_000)); err != nil {
		return f, err
	}
	say("sales: streaming %d prospects", n)
	if f.Table, err = p.stream(key, "csv"); err != nil {
		return f, err
	}
	whole, err := p.stream(key, "json")
	f.JSON = &whole
	if err == nil && (f.Table.Rows != n || f.JSON.Bytes == 0) {
		err = fmt.Errorf("the table of %d prospects has %d rows", n, f.Table.Rows)
	}
	return f, err
}

// bareTimes is the median time in which a bare net/http server gives an answer.
func bareTimes(answer []byte, n int) (_ float64, err error) {
	b, err := startBare(answer, http.StatusOK)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	took := make([]time.Duration, 0, n)
	for i := range n + 3 {
		begun := time.Now()
		if _, err := (&parley{process: *b}).fetchWith("/", ""); err != nil {
			return 0, err
		}
		if i >= 3 { // the first are slower
			took = append(took, time.Since(begun))
		}
	}
	slices.Sort(took)
	return millis(quantile(took, 0.5)), nil
}

// rawScan reads the rows of which n prospects are made, by plain scans of their
// tables with the same driver, and returns prospects a second.
func rawScan(file string, n int) (_ float64, err error) {
	db, err := sql.Open("sqlite", "file:"+file+"?mode=ro&_pragma=busy_timeout(10000)&_pragma=mmap_size(268435456)")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	begun := time.Now()
	for table, each := range map[string]int{"handover": 1, "contact": 1, "identity": 2} {
		rows, err := db.Query("SELECT * FROM "+table+" LIMIT ?", n*each)
		if err != nil {
			return 0, err
		}
		names, err := rows.Columns()
		cells := make([]any, len(names))
		for i := range cells {
			cells[i] = new(sql.RawBytes)
		}
		for err == nil && rows.Next() {
			err = rows.Scan(cells...)
		}
		if err = errors.Join(err, rows.Err(), rows.Close()); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(begun).Seconds(), nil
}

// keyWith makes a key of the sales API with some scopes.
func (p *parley) keyWith(scopes string) (string, error) {
	out, err := p.command("key", "create", "--tenant", p.code, "--face", "sales", "--scopes", scopes, "--json")
	if err != nil {
		return "", err
	}
	var k struct{ APIKey string }
	if err := json.Unmarshal(out, &k); err != nil || k.APIKey == "" {
		return "", fmt.Errorf("no key: %w: %.200s", err, out)
	}
	return k.APIKey, nil
}

// stream reads the whole list in one form and watches the server's memory.
func (p *parley) stream(key, form string) (f streamFigures, err error) {
	if f.OwnBefore, err = anonymous(p.cmd.Process.Pid); err != nil {
		return f, err
	}
	cpu, err := p.cpu()
	if err != nil {
		return f, err
	}
	req, err := http.NewRequest("GET", "http://"+p.addr+"/api/v1/prospects?format="+form, nil)
	if err != nil {
		return f, err
	}
	req.Header.Set("x-api-key", key)
	begun := time.Now()
	resp, err := keepAlive.Do(req)
	if err != nil {
		return f, err
	}
	defer resp.Body.Close()
	f.FirstMs = millis(time.Since(begun))
	if resp.StatusCode != http.StatusOK {
		return f, fmt.Errorf("the list answered %d", resp.StatusCode)
	}
	looked := time.Now()
	samples := []int64{f.OwnBefore}
	in := bufio.NewReaderSize(resp.Body, 1<<20)
	for {
		line, err := in.ReadSlice('\n')
		f.Bytes += int64(len(line))
		if len(line) > 0 && err == nil {
			f.Rows++
		}
		if time.Since(looked) > 20*time.Millisecond {
			looked = time.Now()
			own, err := anonymous(p.cmd.Process.Pid)
			if err != nil {
				return f, err
			}
			samples = append(samples, own)
			f.PeakOwn = max(f.PeakOwn, own)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			break // the end, or cut off: then rows are missing
		}
	}
	took := time.Since(begun)
	done, err := p.cpu()
	if err != nil {
		return f, err
	}
	f.HalfOwn = samples[len(samples)/2]
	f.PeakOwn = max(f.PeakOwn, f.OwnBefore)
	if form == "csv" {
		f.Rows-- // the header
		f.PerSecond = float64(f.Rows) / took.Seconds()
		f.CPUus = (done - cpu) * 1e6 / float64(max(1, f.Rows))
	} else {
		f.Rows = 0 // not counted
		f.PerSecond = float64(f.Bytes) / took.Seconds()
		f.CPUus = 0
	}
	return f, nil
}

// print writes the figures of reading a large base.
func (f *prospectFigures) print(p func(format string, args ...any)) {
	p("\nReading them by the sales API, one call after the other:")
	p("\n| Call | p50 ms | p99 ms | server CPU ms | answer, bytes | the same answer by bare net/http, p50 ms | **ratio to bare** |")
	p("|---|---:|---:|---:|---:|---:|---:|")
	for _, c := range f.Calls {
		p("| %s | %.1f | %.1f | %.1f | %d | %.2f | **%.2f** |", c.Name, c.P50ms, c.P99ms, c.CPUms, c.Answer, c.BareMs, c.BareMs/max(c.P50ms, 0.001))
	}
	p("\nAll of them as CSV, streamed: %.0f rows/s, %.2f of plain scans of their rows in three tables (%.0f a second), %.0f µs of CPU a row, %.1f MB; own memory %.0f MB before, %.0f MB halfway, %.0f MB at most.",
		f.Table.PerSecond, f.Table.PerSecond/f.Raw, f.Raw, f.Table.CPUus, float64(f.Table.Bytes)/1e6, float64(f.Table.OwnBefore)/1e6, float64(f.Table.HalfOwn)/1e6, float64(f.Table.PeakOwn)/1e6)
	if f.JSON != nil {
		p("As JSON: %.1f MB, %.1f MB/s; own memory %.0f MB at most.", float64(f.JSON.Bytes)/1e6, f.JSON.PerSecond/1e6, float64(f.JSON.PeakOwn)/1e6)
	}
}
