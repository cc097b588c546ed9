package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// salesFigures are those of leads of the sales API on a large base.
type salesFigures struct {
	Prospects int              `json:"prospects"` // there before the first measured lead
	Adopted   float64          `json:"adoptedPerSecond"`
	Reads     *prospectFigures `json:"reads,omitempty"`
	Loads     []loadFigures    `json:"loads"`
}

// salesLoads are leads of three kinds: of people nobody knew; of prospects, by a
// phone and an e-mail of theirs, where the person is found and the lead added; and
// such as hold the phone of one prospect and the e-mail of another, who become one.
// Each leaves one inquiry.
func salesLoads(people int64) []load {
	lead := func(p *parley, n int64, phone, mail string) []byte {
		return wire(p.addr, "/api/v1/lead/retail", "x-api-key: "+p.sales+"\r\n", fmt.Sprintf(
			`{"utmSource":"webmotors","utmMedium":"cpc","providerLeadId":"%d","firstName":"Asha","lastName":"Rao %d","phones":["+91%s"],"emails":["%s"],"comments":"I would take the blue one.","product":{"make":"Apple","model":"MQD32LL/A","sku":6443034,"price":{"amount":1500,"currency":"usd"}}}`,
			n, n, phone, mail))
	}
	known := func(i int64) (phone, mail string) { return fmt.Sprintf("98%08d", i), fmt.Sprintf("p%d@example.com", i) }
	return []load{
		{name: "sales lead, new people", part: "sales", status: 200, proof: "inquiry", request: func(p *parley, n int64) []byte {
			return lead(p, n, fmt.Sprint(7000000000+n), fmt.Sprintf("asha.%d@example.com", n))
		}},
		{name: "sales lead, known people", part: "sales", status: 200, proof: "inquiry", request: func(p *parley, n int64) []byte {
			phone, mail := known(n * 7919 % people)
			return lead(p, n, phone, mail)
		}},
		{name: "sales lead, two become one", part: "sales", status: 200, proof: "inquiry", request: func(p *parley, n int64) []byte {
			i := n % (people / 2) * 2 // each pair once, unless the base is small
			phone, _ := known(i)
			_, mail := known(i + 1)
			return lead(p, n, phone, mail)
		}},
	}
}

// measureSales fills a database by the import command, lets the server give every
// contact its work, and posts leads. The rows of each stretch are written raw into
// a copy of the same database; what a lead changes or moves, beside the rows that
// it adds, is not.
func measureSales(o options, dir string) (f *salesFigures, err error) {
	f = &salesFigures{Prospects: o.Contacts}
	data := filepath.Join(dir, "sales")
	p, _, err := populated(o, dir, "sales")
	if err != nil {
		return nil, err
	}
	if p, err = restartParley(p, false); err != nil {
		return nil, err
	}
	took, err := p.adopted(o.Contacts)
	if err = errors.Join(err, p.stop()); err != nil {
		return nil, err
	}
	f.Adopted = float64(o.Contacts) / took.Seconds()
	copied := filepath.Join(dir, "sales-raw.db")
	if err := copyFile(copied, filepath.Join(data, "parley.db")); err != nil {
		return nil, err
	}
	was := p
	if p, err = startParley(o.Bin, data, o.Profile != ""); err != nil {
		return nil, err
	}
	p.code, p.key, p.sales = was.code, was.key, was.sales
	defer func() { err = errors.Join(err, p.stop()) }()
	if f.Reads, err = p.measureProspects(o); err != nil {
		return f, err
	}
	r, err := openRaw(copied)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	seen, err := newCapture(p.data)
	if err != nil {
		return nil, err
	}
	defer seen.db.Close()
	if err := seen.skip(); err != nil {
		return nil, err
	}
	for _, l := range salesLoads(int64(o.Contacts)) {
		say("%s: %d rounds", l.name, o.Rounds)
		one, err := measureOn(o, l, p, seen, r)
		if err != nil {
			return f, fmt.Errorf("%s: %w", l.name, err)
		}
		f.Loads = append(f.Loads, one)
	}
	return f, nil
}

// salesKey makes a key of the sales API.
func (p *parley) salesKey() (string, error) {
	out, err := p.command("key", "create", "--tenant", p.code, "--face", "sales", "--scopes", "leads:write", "--json")
	if err != nil {
		return "", err
	}
	var k struct{ APIKey string }
	if err := json.Unmarshal(out, &k); err != nil || k.APIKey == "" {
		return "", fmt.Errorf("no key: %w: %.200s", err, out)
	}
	return k.APIKey, nil
}

// adopted makes the first key of the sales API and uses it, upon which the tenant has
// groups and every contact is given work, and waits until they all have it.
func (p *parley) adopted(n int) (time.Duration, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(p.data, "parley.db")+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		return 0, err
	}
	defer db.Close()
	begun := time.Now()
	if p.sales, err = p.salesKey(); err != nil {
		return 0, err
	}
	if _, err := p.fetchWith("/api/v1/integration", p.sales); err != nil {
		return 0, err
	}
	err = until(time.Hour, func() (bool, error) {
		var last int
		err := db.QueryRow("SELECT COALESCE(MAX(rowid), 0) FROM handover").Scan(&last)
		return last >= n, err
	})
	return time.Since(begun), err
}

// copyFile copies a database that nobody has open.
func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// openRaw is newRaw on a database that is there.
func openRaw(file string) (r *raw, err error) {
	r = &raw{stmts: map[string]*sql.Stmt{}}
	if r.pool, err = sql.Open("sqlite", "file:"+file+rawSettings); err != nil {
		return nil, err
	}
	r.pool.SetMaxOpenConns(1)
	r.c, err = r.pool.Conn(context.Background())
	return r, err
}

// skip passes over all that is there, without reading it: of tables without rowids
// only what belongs to contacts made from now on is news.
func (c *capture) skip() error {
	tables, err := texts(c.db, "SELECT t.name FROM pragma_table_list t WHERE t.schema='main' AND t.type='table' AND NOT t.wr AND t.name NOT LIKE 'goose%' AND t.name NOT IN ("+notFacts+",'sqlite_schema')")
	if err != nil {
		return err
	}
	for _, name := range tables {
		var last sql.NullInt64
		if err := c.db.QueryRow("SELECT MAX(rowid) FROM " + name).Scan(&last); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		c.seen[name] = last.Int64
	}
	return c.db.QueryRow("SELECT COALESCE(MAX(id), '') FROM contact").Scan(&c.after)
}

// print writes the figures of leads on a large base.
func (f *salesFigures) print(p func(format string, args ...any)) {
	p("\nLeads of the sales API, with %d prospects there before (contacts were given their work at %.0f a second):", f.Prospects, f.Adopted)
	p("\n| Load | leads/s | p50 ms | p99 ms | the same rows raw, leads/s | **ratio to raw** | bare net/http, requests/s | ratio to bare | leads in a commit | rows a lead | server CPU µs a lead |")
	p("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
	for _, l := range f.Loads {
		p("| %s | %.0f | %.1f | %.1f | %.0f | **%.2f** | %.0f | %.3f | %.1f | %.1f | %.0f |", l.Name, l.Rate, l.P50ms, l.P99ms, l.RawRate, l.RawRatio, l.BareRate, l.BareRatio, l.Group, l.RowsSum, l.ServerCPU)
	}
	if f.Reads != nil {
		defer f.Reads.print(p)
	}
	p("\nRows that one lead adds; what it changes beside them is in its rate and not in the raw one:")
	for _, l := range f.Loads {
		p("- %s: %s", l.Name, rowList(l.Rows))
	}
}
