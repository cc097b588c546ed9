package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"parley/internal/clock"
	"parley/internal/config"
	"parley/internal/entity"
	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/server"
)

// targetingFigures are those of targets over a large base, and of activations.
type targetingFigures struct {
	Contacts int           `json:"contacts"`
	Match    callTimes     `json:"match"` // over HTTP
	Inside   []innerTimes  `json:"inside"`
	Counts   []countTimes  `json:"counts"`
	Begun    []activations `json:"activations"`
}

// innerTimes are those of a call of a room, without HTTP.
type innerTimes struct {
	Name    string  `json:"name"`
	P50ms   float64 `json:"p50Ms"`
	P99ms   float64 `json:"p99Ms"`
	Walking float64 `json:"walkingMs,omitempty"` // asking every filter in turn
}

// countTimes compare a target's whole audience with the bare SQL count of it.
type countTimes struct {
	Name  string  `json:"name"`
	Rows  int64   `json:"rows"`
	Ms    float64 `json:"ms"`
	SQLms float64 `json:"sqlMs"`
}

// activations are those of campaigns over a small base.
type activations struct {
	Recipients int64              `json:"recipients"` // of each round
	Rate       float64            `json:"recipientsPerSecond"`
	RawRate    float64            `json:"rawRate"`
	Ratio      float64            `json:"ratioToRaw"`
	ServerCPU  float64            `json:"serverCPUMicros"`
	Rows       map[string]float64 `json:"rows"`
}

// matched is how many targets one call of target:match names; reverse is how many
// there are when an entity is asked for its targets.
const (
	matched = 100
	reverse = 10_000
)

// targetOf is a target as an author may write it: the i-th of many. Most of them
// ask for equality somewhere, as targets do.
func targetOf(i int) map[string]any {
	item := func(key, op string, value any) map[string]any {
		return map[string]any{"key": key, "operator": op, "value": value}
	}
	var items []map[string]any
	combination := "AND"
	switch i % 8 {
	case 0:
		items = []map[string]any{item("city", "equals", fmt.Sprintf("city-%d", i%300))}
	case 1:
		items = []map[string]any{item("_tags", "equals", fmt.Sprintf("vip-%d", i%50)), item("value", "greater_than", fmt.Sprint(i%10000))}
	case 2:
		items = []map[string]any{item("source", "any_of", []string{fmt.Sprintf("source-%d", i%20), "web"}), item("first_name", "equals", given[i%len(given)])}
	case 3:
		items = []map[string]any{item("first_name", "equals", given[i%len(given)]), item("last_name", "starts_with", family[i%len(family)])}
	case 4:
		items, combination = []map[string]any{item("city", "equals", fmt.Sprintf("city-%d", i%300)), item("email", "equals", fmt.Sprintf("p%d@example.com", i))}, "OR"
	case 5:
		items = []map[string]any{item("value", "greater_than", fmt.Sprint(i%9000)), item("value", "less_than", fmt.Sprint(i%9000+50))}
	case 6:
		items = []map[string]any{item("stage", "equals", stages[i%len(stages)]), item("city", "not_equals", fmt.Sprintf("city-%d", i%300)), item("source", "equals", fmt.Sprintf("source-%d", i%20))}
	case 7:
		items = []map[string]any{item("email", "contains", fmt.Sprintf("p%d@", i)), item("_tags", "equals", "customer")}
	}
	return map[string]any{"name": fmt.Sprintf("Target %d", i), "entity_schema": "contact",
		"entity_filters": map[string]any{"filter": map[string]any{"items": items, "combination": combination}}}
}

func measureTargeting(o options, dir string) (f *targetingFigures, err error) {
	f = &targetingFigures{Contacts: o.Contacts}
	p, _, err := populated(o, dir, "targeting")
	if err != nil {
		return nil, err
	}
	if p, err = restartParley(p, o.Profile != ""); err != nil {
		return nil, err
	}
	some, err := p.matches(o, f)
	if err = errors.Join(err, p.stop()); err != nil {
		return f, err
	}
	if err := inside(o, f, p.data, some); err != nil {
		return f, err
	}
	say("targeting: activations")
	one, err := measureActivation(o, filepath.Join(dir, "activation"))
	f.Begun = append(f.Begun, one)
	return f, err
}

// ask posts to the targeting API.
func (p *parley) ask(path, key string, in, out any) ([]byte, error) {
	b, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest("POST", "http://"+p.addr+path, bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "X-Api-Key": {key}}
	resp, err := keepAlive.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if b, err = io.ReadAll(resp.Body); err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("POST %s answers %d: %.300s", path, resp.StatusCode, b)
	}
	if err == nil && out != nil {
		err = json.Unmarshal(b, out)
	}
	return b, err
}

// targetingKey makes a key of the targeting API.
func (p *parley) targetingKey() (string, error) {
	out, err := p.command("key", "create", "--tenant", p.code, "--face", "targeting", "--json")
	if err != nil {
		return "", err
	}
	var k struct{ APIKey string }
	if err := json.Unmarshal(out, &k); err != nil || k.APIKey == "" {
		return "", fmt.Errorf("no key: %w: %.200s", err, out)
	}
	return k.APIKey, nil
}

// quiet waits until the server has next to nothing to do.
func (p *parley) quiet(wait time.Duration) error {
	return until(wait, func() (bool, error) {
		before, err := p.cpu()
		if err != nil {
			return false, err
		}
		time.Sleep(time.Second)
		after, err := p.cpu()
		return after-before < 0.05, err
	})
}

// matches measures target:match over HTTP, and returns some of the contacts.
func (p *parley) matches(o options, f *targetingFigures) ([]id.ID, error) {
	key, err := p.targetingKey()
	if err != nil {
		return nil, err
	}
	targets := make([]string, matched)
	for i := range targets {
		var made struct{ ID string }
		if _, err := p.ask("/v1/target", key, targetOf(i), &made); err != nil {
			return nil, err
		}
		targets[i] = made.ID
	}
	b, err := p.fetch("/api/saas/crm/leads?limit=1000")
	var list struct {
		Data []struct {
			ID id.ID `json:"_id"`
		}
	}
	if err == nil {
		err = json.Unmarshal(b, &list)
	}
	if err != nil || len(list.Data) == 0 {
		return nil, fmt.Errorf("no leads: %w: %.200s", err, b)
	}
	var some []id.ID
	for _, v := range list.Data {
		some = append(some, v.ID)
	}
	// The server compares everybody with the new targets, which is not what a match costs.
	say("targeting: waiting until %d targets know their members", matched)
	if err := p.quiet(30 * time.Minute); err != nil {
		return nil, err
	}
	say("targeting: matching %d targets", matched)
	ref := func(i int) map[string]any {
		return map[string]any{"entity_id": some[i%len(some)].UUID(), "entity_schema": "contact"}
	}
	c := &f.Match
	c.Name = fmt.Sprintf("target:match, %d targets, 2 entities", matched)
	var took []time.Duration
	var cpu float64
	var profiled <-chan error
	for i := range 3*o.Calls + 10 {
		if i == 10 {
			if cpu, err = p.cpu(); err != nil {
				return nil, err
			}
			profiled = p.profiling(o, "match")
		}
		begun := time.Now()
		b, err := p.ask("/v1/target:match", key, map[string]any{"target_ids": targets, "entity_refs": []any{ref(i * 37), ref(i*37 + 11)}}, nil)
		if err != nil {
			return nil, err
		}
		if i >= 10 {
			took = append(took, time.Since(begun))
			c.Answer, c.body = len(b), b
		}
	}
	after, err := p.cpu()
	if err := errors.Join(err, <-profiled); err != nil {
		return nil, err
	}
	slices.Sort(took)
	c.P50ms, c.P99ms, c.CPUms = millis(quantile(took, 0.5)), millis(quantile(took, 0.99)), (after-cpu)*1e3/float64(len(took))
	if c.BareMs, err = bareTimes(c.body, o.Calls); err != nil {
		return nil, err
	}
	say("targeting: making %d targets", reverse)
	for i := matched; i < reverse; i++ {
		if _, err := p.ask("/v1/target", key, targetOf(i), nil); err != nil {
			return nil, err
		}
	}
	return some, nil
}

// inside opens the same data without a server and measures the rooms themselves.
func inside(o options, f *targetingFigures, data string, some []id.ID) (err error) {
	ctx := context.Background()
	cfg := config.Server{Database: config.Database{Data: data}, Listen: "127.0.0.1:0", Roles: []string{config.RoleAPI},
		GraphURL: "http://127.0.0.1:1", GraphAPI: "v24.0", Workers: 1, Connections: 8, MaxBody: 1 << 20, Grace: 5 * time.Second, Env: "bench"}
	a, err := server.Open(ctx, cfg, server.Options{Clock: clock.Real{}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	tenants, err := a.Tenants.List(ctx)
	if err != nil || len(tenants) == 0 {
		return errors.Join(err, errors.New("no tenant"))
	}
	t := tenants[0].ID
	r := a.Entities.Reads(ctx, t)
	docs, err := a.Segments.All(r, reverse)
	if err != nil {
		return err
	}
	targets := make([]id.ID, 0, matched)
	filters := make([]*filter.Matcher, 0, len(docs))
	for _, d := range docs {
		v, _, err := id.FromUUID(d["_id"].(string))
		if err != nil {
			return err
		}
		if len(targets) < matched {
			targets = append(targets, v)
		}
		raw, _ := d["entity_filters"].(map[string]any)
		fl, _, err := filter.ParseTarget(raw)
		if err != nil {
			return err
		}
		m, err := filter.Compile(fl)
		if err != nil {
			return err
		}
		filters = append(filters, m)
	}
	at := func(i int) entity.Ref { return entity.Ref{Schema: entity.Contact, ID: some[i%len(some)]} }
	match, err := inner(fmt.Sprintf("match, %d targets, 2 entities", matched), 5*o.Calls, func(i int) error {
		_, err := a.Segments.Match(a.Entities.Reads(ctx, t), []entity.Ref{at(i * 37), at(i*37 + 11)}, targets)
		return err
	})
	if err != nil {
		return err
	}
	rev, err := inner(fmt.Sprintf("reverse match, %d targets", len(docs)), 5*o.Calls, func(i int) error {
		_, err := a.Segments.Containing(a.Entities.Reads(ctx, t), at(i*37))
		return err
	})
	if err != nil {
		return err
	}
	walk, err := inner("walking", 50, func(i int) error {
		docs, err := a.Entities.Documents(a.Entities.Reads(ctx, t), entity.Contact, []id.ID{at(i * 37).ID})
		for _, d := range docs {
			for _, m := range filters {
				m.Match(d)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	rev.Walking = walk.P50ms
	f.Inside = append(f.Inside, match, rev)
	return counts(ctx, a, t, f)
}

// inner calls a function n times, one after the other.
func inner(name string, n int, call func(i int) error) (f innerTimes, err error) {
	f.Name = name
	var took []time.Duration
	for i := range n + 20 {
		begun := time.Now()
		if err := call(i); err != nil {
			return f, err
		}
		if i >= 20 { // the first read what all others find read
			took = append(took, time.Since(begun))
		}
	}
	slices.Sort(took)
	f.P50ms, f.P99ms = millis(quantile(took, 0.5)), millis(quantile(took, 0.99))
	return f, nil
}

// counts compares whole audiences with the SQL that somebody would write for them by
// hand.
func counts(ctx context.Context, a *server.App, t id.ID, f *targetingFigures) error {
	item := func(key, op string, value any) map[string]any {
		return map[string]any{"key": key, "operator": op, "value": value}
	}
	const from = "SELECT COUNT(*) FROM contact c WHERE c.tenant_id=? AND c.erased_at IS NULL AND "
	for _, c := range []struct {
		name  string
		items []any
		sql   string
	}{
		{"a common tag, a third of all", []any{item("_tags", "equals", "customer")}, from + "EXISTS (SELECT 1 FROM contact_tag g WHERE g.tenant_id=c.tenant_id AND g.contact_id=c.id AND g.tag='customer')"},
		{"a source, one of twenty", []any{item("source", "equals", "source-7")}, from + "c.source='source-7'"},
		{"a field of one's own, one of 300", []any{item("city", "equals", "city-7")}, from + "json_extract(c.attributes, '$.city')='city-7'"},
		{"a part of the last name", []any{item("last_name", "contains", "garcia1")}, from + "instr(lower(c.last_name), 'garcia1')>0"},
		{"a range of the deal's value", []any{item("value", "greater_than", "5000")}, "SELECT COUNT(*) FROM contact c JOIN deal d ON d.tenant_id=c.tenant_id AND d.contact_id=c.id AND d.is_primary WHERE c.tenant_id=? AND c.erased_at IS NULL AND d.value>5000"},
	} {
		fl, _, err := filter.ParseTarget(map[string]any{"filter": map[string]any{"items": c.items}})
		if err != nil {
			return err
		}
		one := countTimes{Name: c.name}
		for range 2 { // the second finds the pages read
			begun := time.Now()
			if one.Rows, err = a.Entities.Count(a.Entities.Reads(ctx, t), entity.Contact, fl); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			one.Ms = millis(time.Since(begun))
			var rows int64
			begun = time.Now()
			if err := a.DB.Read(ctx, t).QueryRow(c.sql).Scan(&rows); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			one.SQLms = millis(time.Since(begun))
			if rows != one.Rows {
				return fmt.Errorf("%s: %d of the target, %d by SQL", c.name, one.Rows, rows)
			}
		}
		f.Counts = append(f.Counts, one)
	}
	return nil
}

// measureActivation activates campaigns over a small base, one a round, whose rule
// takes three steps for each recipient; then it writes the same rows raw.
func measureActivation(o options, dir string) (f activations, err error) {
	const people = 6000
	p, err := startParley(o.Bin, filepath.Join(dir, "parley"), o.Profile != "")
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	if err := p.furnish(); err != nil {
		return f, err
	}
	if err := p.people(people); err != nil {
		return f, err
	}
	key, err := p.targetingKey()
	if err != nil {
		return f, err
	}
	var made struct{ ID string }
	if _, err := p.ask("/v1/target", key, map[string]any{"name": "All", "entity_schema": "contact", "entity_filters": map[string]any{"filter": map[string]any{
		"items": []any{map[string]any{"key": "source", "operator": "equals", "value": "website"}}}}}, &made); err != nil {
		return f, err
	}
	target := made.ID
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
	var rates, raws, ratios, cpus []float64
	for round := range o.Rounds + 1 { // the first is for warmth
		var rule struct {
			Data struct {
				ID string `json:"_id"`
			}
		}
		steps := `[{"type":"add_tag","config":{"tag":"a%[1]d"}},{"type":"add_tag","config":{"tag":"b%[1]d"}},{"type":"add_tag","config":{"tag":"c%[1]d"}}]`
		b := json.RawMessage(fmt.Sprintf(`{"name":"Round %d","trigger":"campaign","isActive":true,"actions":`+steps+`}`, round))
		if _, err := p.ask("/api/saas/crm/automations", p.key, b, &rule); err != nil {
			return f, err
		}
		if _, err := p.ask("/v1/entity/campaign", key, map[string]any{"name": "Round", "flow_id": rule.Data.ID,
			"target": map[string]any{"$relation": []any{map[string]any{"entity_id": target}}}}, &made); err != nil {
			return f, err
		}
		if _, err := seen.news(); err != nil {
			return f, err
		}
		profiled := p.profiling(o, fmt.Sprintf("activation-%d", round))
		before, err := p.writes()
		if err != nil {
			return f, err
		}
		cpu, err := p.cpu()
		if err != nil {
			return f, err
		}
		begun := time.Now()
		if _, err := p.ask("/v1/campaign/"+made.ID+"/status", key, map[string]any{"status": "active"}, nil); err != nil {
			return f, err
		}
		err = until(5*time.Minute, func() (bool, error) {
			time.Sleep(100 * time.Millisecond) // an answer lists a thousand executions
			b, err := p.fetchWith("/v1/campaign/"+made.ID+"/job?limit=1", key)
			return bytes.Contains(b, []byte(`"finished"`)), err
		})
		if err != nil {
			return f, err
		}
		took := time.Since(begun)
		after, err := p.writes()
		if err != nil {
			return f, err
		}
		used, err := p.cpu()
		if err != nil {
			return f, err
		}
		if err := <-profiled; err != nil {
			return f, err
		}
		added, err := seen.news()
		if err != nil {
			return f, err
		}
		f.Rows = map[string]float64{}
		for _, t := range added {
			f.Rows[t.name] = float64(len(t.rows)) / people
		}
		if f.Rows["campaign_recipient"] != 1 || f.Rows["run"] != 1 || f.Rows["run_step"] != 3 {
			return f, fmt.Errorf("a recipient has left %v rows of campaign_recipient, %v of run, %v of run_step", f.Rows["campaign_recipient"], f.Rows["run"], f.Rows["run_step"])
		}
		raw, err := r.write(added, people, people/max(1, after.groups-before.groups), false)
		if err != nil {
			return f, err
		}
		if round == 0 {
			continue
		}
		rates, raws = append(rates, people/took.Seconds()), append(raws, people/raw.Seconds())
		ratios, cpus = append(ratios, raw.Seconds()/took.Seconds()), append(cpus, (used-cpu)*1e6/people)
	}
	f.Recipients, f.Rate, f.RawRate, f.Ratio, f.ServerCPU = people, median(rates), median(raws), median(ratios), median(cpus)
	return f, nil
}

// print writes the figures of targets and activations.
func (f *targetingFigures) print(p func(format string, args ...any)) {
	p("\nTargets, with %d contacts:", f.Contacts)
	p("\n| Call | p50 ms | p99 ms | server CPU ms | asking every filter in turn, ms |")
	p("|---|---:|---:|---:|---:|")
	p("| %s, over HTTP (a bare server: %.2f) | %.2f | %.2f | %.2f | |", f.Match.Name, f.Match.BareMs, f.Match.P50ms, f.Match.P99ms, f.Match.CPUms)
	for _, c := range f.Inside {
		walking := ""
		if c.Walking > 0 {
			walking = fmt.Sprintf("%.2f", c.Walking)
		}
		p("| %s, in the server | %.2f | %.2f | | %s |", c.Name, c.P50ms, c.P99ms, walking)
	}
	p("\n| A target's whole audience | people | ms | the bare SQL count, ms | **ratio** |")
	p("|---|---:|---:|---:|---:|")
	for _, c := range f.Counts {
		p("| %s | %d | %.0f | %.0f | **%.2f** |", c.Name, c.Rows, c.Ms, c.SQLms, c.SQLms/max(c.Ms, 0.001))
	}
	for _, a := range f.Begun {
		p("\nActivating a campaign of %d recipients, a run of three steps each: %.0f recipients/s, %.2f of the same rows raw (%.0f/s), %.0f µs of CPU each. Rows: %s.",
			a.Recipients, a.Rate, a.Ratio, a.RawRate, a.ServerCPU, rowList(a.Rows))
	}
}
