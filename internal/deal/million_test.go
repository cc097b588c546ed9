package deal_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// first and last are names, the first of each list being the most common.
var (
	first = strings.Fields("Priya Rahul Anita Amit Sunita Ravi Pooja Vikram Neha Arjun Kavita Sanjay Meera Rohan Divya Karan Asha Nikhil Isha Manoj " +
		"Anna Ben Clara David Emma Felix Greta Hans Ines Jonas Katrin Lukas Maria Noah Olga Paul Rosa Stefan Tina Uwe Vera Walter Xenia Yusuf Zoe Omar Lina Sara Ali Mia")
	last = strings.Fields("Sharma Patel Singh Kumar Gupta Reddy Nair Iyer Das Mehta Joshi Rao Shah Verma Kapoor Bose Chopra Malhotra Pillai Menon " +
		"Müller Schmidt Weber Fischer Wagner Becker Hoffmann Koch Richter Wolf Silva Costa Rossi Garcia Lopez Martin Smith Brown Jones Taylor")
)

// numbered writes a list of texts as the rows of a common table expression.
func numbered(name string, texts []string) string {
	rows := make([]string, len(texts))
	for i, t := range texts {
		rows[i] = fmt.Sprintf("(%d, '%s')", i, t)
	}
	return name + "(i, t) AS (VALUES " + strings.Join(rows, ", ") + ")"
}

// chance is a number from 0 to 1000002 that seems random, for the person n.
func chance(k int) string {
	return fmt.Sprintf("((n %% 1000003 * %d + n * n %% 1000003 * %d + %d) %% 1000003)", 7919+2*k*k, 104729+k*331, k*50021)
}

// crowd are the statements that put people and their deals into a tenant's empty
// tables, by SQL alone and the same ones on both databases: 20 sources of which
// the first has 30 % and the last 0.33 %, 200 agents, seven stages, tags that 40 %,
// 5 %, 0.1 % and 0.002 % have, and created dates spread over a year before now.
// t is how the tenant is written, stages are the ids of the pipeline's stages, and
// nowMS is the present, in Unix milliseconds.
func crowd(t string, people int, pipeline id.ID, stages []id.ID, nowMS int64) []string {
	// The year ends now; ids grow with time, as those of the program do.
	step := int64(365*24*3600*1000) / int64(people)
	start := nowMS - step*int64(people)
	created := fmt.Sprintf("(%d + n * %d)", start, step)
	cid := "(" + fmt.Sprint(int64(100000000000)) + " + n) || 'aaaa00000000'"
	did := "(" + fmt.Sprint(int64(100000000000)) + " + n) || 'dddd00000000'"
	series := fmt.Sprintf("s(n) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT n+1 FROM s WHERE n<%d)", people)
	var stage strings.Builder
	for i, share := range []int{350000, 550000, 700000, 800000, 850000, 930000} {
		fmt.Fprintf(&stage, "WHEN %s < %d THEN '%s' ", chance(7), share, stages[i])
	}
	in := fmt.Sprintf("CASE %s ELSE '%s' END", stage.String(), stages[6])
	status := fmt.Sprintf("CASE WHEN %s < 30000 THEN 'archived' WHEN %s < 850000 THEN 'open' WHEN %s < 930000 THEN 'won' ELSE 'lost' END", chance(8), chance(7), chance(7))
	src := "CASE WHEN " + chance(1) + " < 300000 THEN 'website' WHEN " + chance(1) + " >= 996669 THEN 'fair' ELSE 'source-' || (" + chance(1) + " % 18) END"
	// skewed picks from 0 to n-1, small numbers more often
	skew := func(k, n int) string {
		return fmt.Sprintf("(%s * %s / 1000003 * %d / 1000003)", chance(k), chance(k+1), n)
	}
	with := "WITH RECURSIVE " + series + ", "
	names := numbered("f", first) + ", " + numbered("l", last)
	return []string{
		`INSERT INTO contact (tenant_id, id, first_name, last_name, search_name, source, assigned_to, refs, extra, attributes, score, last_contacted_at, created_at, updated_at) ` +
			with + names + ` SELECT ` + t + `, ` + cid + `, f.t, l.t, lower(f.t) || ' ' || REPLACE(lower(l.t), 'ü', 'u') || ' 9198' || (10000000 + n) || ' p' || n || '@' || CASE WHEN n % 2 = 0 THEN 'gmail.com' ELSE 'x' || (n % 5000) || '.de' END,
			` + src + `, CASE WHEN ` + chance(2) + ` < 900000 THEN 'agent-' || (` + chance(3) + ` % 200) END, '{}', '{}', '{}', ` + skew(4, 101) + `,
			CASE WHEN ` + chance(6) + ` < 600000 THEN ` + created + ` + ` + chance(9) + ` * 2000 END, ` + created + `, ` + created + ` + ` + chance(10) + ` * 2000
			FROM s JOIN f ON f.i=` + skew(11, len(first)) + ` JOIN l ON l.i=` + skew(13, len(last)) + ` ORDER BY n`,
		`INSERT INTO identity (tenant_id, contact_id, kind, value, raw, is_primary, claimed, created_at) ` + with + `k(kind) AS (VALUES ('email'), ('phone')) ` +
			`SELECT ` + t + `, ` + cid + `, kind, CASE WHEN kind='phone' THEN '9198' || (10000000 + n) ELSE 'p' || n || '@' || CASE WHEN n % 2 = 0 THEN 'gmail.com' ELSE 'x' || (n % 5000) || '.de' END END,
			'', TRUE, TRUE, ` + created + ` FROM s CROSS JOIN k ORDER BY n, kind`,
		`INSERT INTO contact_tag (tenant_id, contact_id, tag, created_at) ` + with + `x(tag, lo, hi) AS (VALUES ('hot', 0, 400000), ('rare', 500000, 500020), ('vip', 380000, 430000)) ` +
			`SELECT ` + t + `, ` + cid + `, tag, ` + created + ` FROM s CROSS JOIN x WHERE ` + chance(15) + ` >= lo AND ` + chance(15) + ` < hi ORDER BY n, tag`,
		`INSERT INTO contact_tag (tenant_id, contact_id, tag, created_at) ` + with + `x(i) AS (VALUES (1)) ` +
			`SELECT ` + t + `, ` + cid + `, 'topic-' || (` + chance(16) + ` % 1000), ` + created + ` FROM s CROSS JOIN x ORDER BY n`,
		`INSERT INTO deal (tenant_id, id, contact_id, pipeline_id, stage_id, status, title, value, currency, is_primary, entered_stage_at, created_at, updated_at) ` + with + `x(i) AS (VALUES (1)) ` +
			`SELECT ` + t + `, ` + did + `, ` + cid + `, '` + pipeline.String() + `', ` + in + `, ` + status + `, '', ` + chance(17) + ` / 10, 'INR', TRUE, ` + created + `, ` + created + `, ` + created + ` + ` + chance(10) + ` * 2000 FROM s CROSS JOIN x ORDER BY n`,
		`INSERT INTO deal_stage (tenant_id, deal_id, position, stage_id, entered_at) SELECT tenant_id, id, 0, stage_id, entered_stage_at FROM deal WHERE tenant_id=` + t + ` ORDER BY id`,
		`INSERT INTO contact_word (tenant_id, word, contact_id) SELECT tenant_id, w, id FROM (
			SELECT tenant_id, lower(first_name) AS w, id FROM contact WHERE tenant_id=` + t + ` UNION ALL SELECT tenant_id, REPLACE(lower(last_name), 'ü', 'u'), id FROM contact WHERE tenant_id=` + t + `
			UNION ALL SELECT tenant_id, substr(value, CASE WHEN value LIKE '%gmail.com' THEN length(value)-9 ELSE length(value)-length('x' || (CAST(substr(contact_id, 1, 12) AS BIGINT) % 5000) || '.de') END), contact_id FROM identity WHERE tenant_id=` + t + ` AND kind='email') x ORDER BY 1, 2, 3`,
	}
}

// sow fills a tenant with people. The indexes are made last, which is several
// times faster than keeping them up.
func sow(t testing.TB, w world, people int, exec func(string) error, indexes map[string]string) {
	p, err := w.s.Pipelines(bg, w.tenant)
	if err != nil || len(p) == 0 {
		t.Fatalf("no pipeline to put people into: %v", err)
	}
	var stages []id.ID
	for _, st := range p[0].Stages {
		stages = append(stages, st.ID)
	}
	var all []string
	for name := range indexes {
		all = append(all, "DROP INDEX "+name)
	}
	all = append(all, crowd("'"+w.tenant.String()+"'", people, p[0].ID, stages, time.Now().UnixMilli())...)
	for _, made := range indexes {
		all = append(all, made)
	}
	for _, q := range all {
		from := time.Now()
		if err := exec(q); err != nil {
			t.Fatalf("%v: %.2000s", err, q)
		}
		if testing.Verbose() {
			t.Logf("%6.1f s  %.60s", time.Since(from).Seconds(), q)
		}
	}
}

// crowded is a tenant with many people in a SQLite file that is kept in the folder
// that PARLEY_LISTS_DIR names. Without it the test is skipped.
func crowded(t testing.TB, people int) world {
	dir := os.Getenv("PARLEY_LISTS_DIR")
	if dir == "" {
		t.Skip("PARLEY_LISTS_DIR names no folder (4 GB of room for a million people)")
	}
	path := filepath.Join(dir, fmt.Sprintf("lists-%d.db", people))
	_, missing := os.Stat(path)
	db := storetest.SQLite(t, func(o *store.Options) { o.Path = path }, storetest.Once())
	if missing == nil {
		w := newWorld(t, db, event.NewLog())
		raw := rawSQLite(t, path)
		var text string
		if err := raw.QueryRow("SELECT tenant_id FROM deal LIMIT 1").Scan(&text); err != nil {
			t.Fatal(err)
		}
		w.tenant, _ = id.Parse(text)
		return w
	}
	w := newWorld(t, db, event.NewLog())
	raw := rawSQLite(t, path)
	indexes := map[string]string{}
	rows, err := raw.Query("SELECT name, sql FROM sqlite_master WHERE type='index' AND sql IS NOT NULL AND tbl_name IN ('contact', 'identity', 'contact_tag', 'deal', 'deal_stage')")
	for kept, err := range scanned(rows, err) {
		if err != nil {
			t.Fatal(err)
		}
		indexes[kept[0]] = kept[1]
	}
	sow(t, w, people, func(q string) error { _, err := raw.Exec(q); return err }, indexes)
	return w
}

// scanned yields rows of two texts.
func scanned(rows *sql.Rows, err error) func(func([2]string, error) bool) {
	return func(yield func([2]string, error) bool) {
		if err != nil {
			yield([2]string{}, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var v [2]string
			err := rows.Scan(&v[0], &v[1])
			if !yield(v, err) {
				return
			}
		}
	}
}

// rawSQLite opens the file beside the store, for statements that no room runs.
func rawSQLite(t testing.TB, path string) *sql.DB {
	raw, err := sql.Open(map[string]string{"modernc": "sqlite", "mattn": "sqlite3"}[store.Driver], path)
	if err != nil {
		t.Fatal(err)
	}
	raw.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = raw.Close() })
	for _, q := range []string{"PRAGMA busy_timeout=60000", "PRAGMA synchronous=OFF", "PRAGMA cache_size=-400000", "PRAGMA temp_store=FILE"} {
		if _, err := raw.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	return raw
}
