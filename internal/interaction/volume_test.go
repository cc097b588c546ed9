package interaction_test

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"parley/internal/interaction"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// explaining keeps the plan of every query before it runs it.
type explaining struct {
	store.Reader
	t     *testing.T
	plans *[]string
}

func (e explaining) explain(q string, args []any) {
	e.t.Helper()
	prefix := "EXPLAIN QUERY PLAN "
	if e.Dialect() == store.Postgres {
		prefix = "EXPLAIN "
	}
	rows, err := e.Reader.Query(prefix+q, args...)
	lines, err := store.Collect(rows, err, func(rows *sql.Rows) (string, error) {
		var a, b, c int
		var text string
		if e.Dialect() == store.Postgres {
			return text, rows.Scan(&text)
		}
		err := rows.Scan(&a, &b, &c, &text)
		return text, err
	})
	if err != nil {
		e.t.Fatalf("%s: %v", q, err)
	}
	*e.plans = append(*e.plans, q+"\n   "+strings.Join(lines, "\n   "))
}

func (e explaining) Query(q string, args ...any) (*sql.Rows, error) {
	e.explain(q, args)
	return e.Reader.Query(q, args...)
}

func (e explaining) QueryRow(q string, args ...any) *sql.Row {
	e.explain(q, args)
	return e.Reader.QueryRow(q, args...)
}

// TestPlans: with 300,000 rows no list passes over a table, and each page costs
// little, also of a group that few belong to and of a way that is rare.
func TestPlans(t *testing.T) {
	if testing.Short() {
		t.Skip("300,000 rows are left out of short runs")
	}
	each(t, func(w world) {
		c := w.fill(10_000, 20, 2000, time.Second)
		if w.r().Dialect() == store.Postgres {
			if err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
				for _, table := range []string{"message", "activity", "note", "conversation", "handover"} {
					if _, err := tx.System().Exec("ANALYZE " + table); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				w.Fatal(err)
			}
		}
		defer interaction.Few(interaction.Few(500))
		mid := w.list(interaction.Filter{Limit: 1, CreatedBefore: w.Clock.Now().Add(-100_000 * time.Second)})[0]
		for name, f := range map[string]interaction.Filter{
			"everybody":             {Limit: 100},
			"everybody, later":      {Limit: 100, Before: mid.ID},
			"everybody, rising":     {Limit: 100, After: mid.ID},
			"a large group":         {Limit: 100, Scope: c.groups[1]},
			"a tenth of all":        {Limit: 100, Scope: c.groups[3]},
			"a small group":         {Limit: 100, Scope: c.groups[2]},
			"a common way":          {Limit: 100, Via: []string{interaction.WhatsApp}},
			"a rare way":            {Limit: 100, Via: []string{interaction.Email}},
			"a rare way of a group": {Limit: 100, Via: []string{interaction.Email}, Scope: c.groups[3]},
			"a way nobody has":      {Limit: 100, Via: []string{interaction.WalkIn}},
			"a range":               {CreatedAfter: mid.CreatedAt, CreatedBefore: mid.CreatedAt.Add(time.Minute)},
		} {
			var plans []string
			if _, err := w.s.List(explaining{w.r(), w.T, &plans}, f); err != nil {
				w.Fatalf("%s: %v", name, err)
			}
			for _, p := range plans {
				for _, bad := range []string{"SCAN message", "SCAN activity", "SCAN note", "SCAN conversation", "SCAN handover", "SCAN t\n", "Seq Scan on message", "Seq Scan on activity", "Seq Scan on note"} {
					if strings.Contains(p, bad) {
						w.Errorf("%s: %s", name, p)
					}
				}
			}
			begun := time.Now()
			got := w.list(f)
			took := time.Since(begun)
			w.Logf("%s: %d in %v, %d queries", name, len(got), took.Round(100*time.Microsecond), len(plans))
			if took > 15*time.Second { // a page takes some milliseconds; machines of tests are busy
				w.Errorf("%s took %v", name, took)
			}
		}
	}, storetest.Once())
}
