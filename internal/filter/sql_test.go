package filter

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

var cols = Columns{Now: at, Zone: time.UTC, Fields: map[string]Source{
	"":       {Kind: JSON, SQL: "fdoc.doc"},
	"attrs":  {Kind: JSON, SQL: "fdoc.attrs"},
	"src":    {Kind: Text, SQL: "fdoc.src"},
	"opt":    {Kind: Text, SQL: "fdoc.opt", Missing: true},
	"some":   {Kind: Text, SQL: "NULLIF(fdoc.opt, '')", Bare: "fdoc.opt", Missing: true},
	"score":  {Kind: Int, SQL: "fdoc.score"},
	"flag":   {Kind: Bool, SQL: "fdoc.flag"},
	"seen":   {Kind: Time, SQL: "fdoc.seen"},
	"tags":   {Kind: Child, SQL: "t.tag", From: "fdoc_tag t WHERE t.tenant_id=fdoc.tenant_id AND t.n=fdoc.n AND t.kind='tag'"},
	"labels": {Kind: Child, SQL: "t.tag", From: "fdoc_tag t WHERE t.tenant_id=fdoc.tenant_id AND t.n=fdoc.n AND t.kind='label'", Missing: true},
}}

func tables(t testing.TB, db *store.DB) {
	ddl := []string{
		`CREATE TABLE IF NOT EXISTS fdoc (tenant_id TEXT NOT NULL, n INTEGER NOT NULL, doc JSON NOT NULL, attrs JSON, src TEXT NOT NULL, opt TEXT, score BIGINT NOT NULL, flag BOOLEAN, seen BIGINT, PRIMARY KEY (tenant_id, n))`,
		`CREATE TABLE IF NOT EXISTS fdoc_tag (tenant_id TEXT NOT NULL, n INTEGER NOT NULL, kind TEXT NOT NULL, tag TEXT NOT NULL)`,
	}
	run := func(q string) {
		if err := db.Write(context.Background(), id.Zero, func(tx *store.Tx) error {
			_, err := tx.System().Exec(q)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range ddl {
		if db.Dialect() == store.Postgres {
			q = strings.NewReplacer(" TEXT", ` TEXT COLLATE "C"`, " JSON", " JSONB").Replace(q)
		} else {
			q = strings.ReplaceAll(q, " JSON", " TEXT")
		}
		run(q)
	}
	t.Cleanup(func() { run("DROP TABLE fdoc"); run("DROP TABLE fdoc_tag") })
}

func fill(db *store.DB, tenant id.ID, list []row) error {
	return db.Write(context.Background(), tenant, func(tx *store.Tx) error {
		for _, r := range list {
			var attrs any
			if r.attrs != nil {
				attrs = store.JSON(r.attrs)
			}
			if _, err := tx.Exec("INSERT INTO fdoc (tenant_id,n,doc,attrs,src,opt,score,flag,seen) VALUES (?,?,?,?,?,?,?,?,?)",
				r.n, store.JSON(r.doc), attrs, r.src, r.opt, r.score, r.flag, r.seen); err != nil {
				return fmt.Errorf("row %v: %w", &r, err)
			}
			for kind, tags := range map[string][]string{"tag": r.tags, "label": r.labels} {
				for _, tag := range tags {
					if _, err := tx.Exec("INSERT INTO fdoc_tag (tenant_id,n,kind,tag) VALUES (?,?,?,?)", r.n, kind, tag); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
}

// selected runs a filter as SQL alone.
func selected(db *store.DB, tenant id.ID, where string, args []any) (map[int]bool, error) {
	rows, err := db.Read(context.Background(), tenant).Query("SELECT n FROM fdoc WHERE tenant_id=? AND "+where, args...)
	list, err := store.Collect(rows, err, func(r *sql.Rows) (n int, err error) { return n, r.Scan(&n) })
	out := map[int]bool{}
	for _, n := range list {
		out[n] = true
	}
	return out, err
}

// check compares the match in memory with SQL for every row.
func check(db *store.DB, tenant id.ID, list []row, f Filter) error {
	m, err := Compile(f)
	if err != nil {
		return fmt.Errorf("%s: %w", written(f), err)
	}
	where, args, exact := SQL(f, cols, db.Dialect())
	if where == anything.sql && !exact {
		return nil // everything is never too little
	}
	got, err := selected(db, tenant, where, args)
	if err != nil {
		return fmt.Errorf("%s\n%s\n%q: %w", written(f), where, args, err)
	}
	for i := range list {
		r := &list[i]
		want := m.MatchAt(r.document(), at, time.UTC)
		if want && !got[r.n] || exact && want != got[r.n] {
			return fmt.Errorf("%s\n%s\n%q\nexact %v: memory says %v, SQL %v of %v", written(f), where, args, exact, want, got[r.n], r)
		}
	}
	return nil
}

func written(f Filter) string {
	b, err := json.Marshal(f)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func counts() (docs, filters int) {
	if os.Getenv("PARLEY_SOAK") != "" {
		return 60, 60
	}
	return 5, 4
}

// TestSQLIsNeverLess is the law of this package: SQL selects every row that the
// match finds, and no other one when it calls itself exact. A run makes 2,000
// pairs of a document and a filter in each database; PARLEY_SOAK=1 makes 360,000.
func TestSQLIsNeverLess(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		tables(t, db)
		docs, filters := counts()
		exact, hits, all := 0, 0, 0
		rapid.Check(t, func(t *rapid.T) {
			tenant := id.New()
			list := rapid.SliceOfN(genRow(), docs, docs).Draw(t, "rows")
			var pool []hint
			for i := range list {
				list[i].n = i
				pool = hints(list[i].document(), "", pool)
			}
			if err := fill(db, tenant, list); err != nil {
				t.Fatal(err)
			}
			for range filters {
				f := genFilter(3, false, pool).Draw(t, "filter")
				if err := check(db, tenant, list, f); err != nil {
					t.Fatal(err)
				}
				where, args, ex := SQL(f, cols, db.Dialect())
				got, _ := selected(db, tenant, where, args)
				all++
				if ex {
					exact++
				}
				if len(got) > 0 && len(got) < len(list) {
					hits++
				}
			}
		})
		t.Logf("%d filters, %d exact, %d that divide the rows", all, exact, hits)
		if exact*10 < all || hits*20 < all {
			t.Errorf("of %d filters only %d were exact and %d divided the rows: the test proves little", all, exact, hits)
		}
	}, storetest.Once())
}
