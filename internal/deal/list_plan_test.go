package deal_test

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// plan is how the database answers a query.
func (w world) plan(q string, args []any) string {
	w.Helper()
	explain := "EXPLAIN QUERY PLAN "
	if w.db.Dialect() == store.Postgres {
		explain = "EXPLAIN "
	}
	rows, err := w.db.Read(bg, w.tenant).Query(explain+q, args...)
	lines, err := store.Collect(rows, err, func(rows *sql.Rows) (s string, err error) {
		if w.db.Dialect() == store.Postgres {
			return s, rows.Scan(&s)
		}
		var a, b, c any
		return s, rows.Scan(&a, &b, &c, &s)
	})
	if err != nil || len(lines) == 0 {
		w.Fatalf("%v: %s", err, q)
	}
	return strings.Join(lines, "\n")
}

// Every filter, alone and in the pairs that people use, takes its index on both
// databases: to walk the order of the list without sorting, to fetch few rows, and to
// count.
func TestListsTakeTheirIndexes(t *testing.T) {
	defer deal.Narrow(250, 5000, 300, 250_000, 500, 1000)() // as far from all people as the usual bound is from a million
	for name, open := range map[string]func(testing.TB, ...storetest.Option) *store.DB{"sqlite": storetest.SQLite, "postgres": storetest.Postgres} {
		t.Run(name, func(t *testing.T) {
			if name == "postgres" && testing.Short() {
				t.Skip("PostgreSQL is left out of short runs")
			}
			var url string
			w := newWorld(t, open(t, storetest.Once(), func(o *store.Options) {
				if o.URL != "" { // a small table is scanned sooner than one of a million
					o.URL += "&enable_seqscan=off&enable_hashjoin=off&enable_mergejoin=off"
					url = o.URL
				}
			}), event.NewLog())
			now := time.UnixMilli(1_750_000_000_000)
			stages := w.crowdIn(5000, now)
			if url != "" {
				if err := store.Admin(bg, url, "ANALYZE contact, deal, contact_tag, contact_word, deal_tally"); err != nil {
					t.Fatal(err)
				}
			}
			day := now.Add(-24 * time.Hour)
			for _, x := range []struct {
				name             string
				f                deal.CardFilter
				walk, few, count string // the index that each way takes; "" is for the database to choose
			}{
				{"score", deal.CardFilter{}, "contact_score", "", ""},
				{"score, ascending", deal.CardFilter{SortDir: "ASC"}, "contact_score", "", ""},
				{"created", deal.CardFilter{SortBy: deal.ByCreated}, "contact_created", "", ""},
				{"updated", deal.CardFilter{SortBy: deal.ByUpdated}, "contact_updated", "", ""},
				{"contacted", deal.CardFilter{SortBy: deal.ByLastContacted}, "contact_contacted", "", ""},
				{"value", deal.CardFilter{SortBy: deal.ByValue}, "deal_value", "", ""},
				{"stage", deal.CardFilter{Stage: stages[4].ID}, "contact_score", "deal_", "deal_"},
				{"won", deal.CardFilter{Status: deal.Won}, "contact_score", "deal_", "deal_"},
				{"archived", deal.CardFilter{Status: deal.Archived}, "contact_score", "deal_ended", "deal_ended"},
				{"source", deal.CardFilter{Source: "source-3"}, "contact_source", "contact_source", "contact_source"},
				{"source by created", deal.CardFilter{Source: "source-3", SortBy: deal.ByCreated}, "contact_created", "contact_source", "contact_source"},
				{"agent", deal.CardFilter{AssignedTo: "agent-7"}, "contact_assigned", "contact_assigned", "contact_assigned"},
				{"agent by updated", deal.CardFilter{AssignedTo: "agent-7", SortBy: deal.ByUpdated}, "contact_updated", "contact_assigned", "contact_assigned"},
				{"agent and stage", deal.CardFilter{AssignedTo: "agent-7", Stage: stages[0].ID}, "contact_assigned", "contact_assigned", "contact_assigned"},
				{"agent and source", deal.CardFilter{AssignedTo: "agent-7", Source: "website"}, "contact_assigned", "contact_assigned", "contact_assigned"},
				{"source and stage", deal.CardFilter{Source: "fair", Stage: stages[0].ID}, "contact_source", "contact_source", "contact_source"},
				{"tag", deal.CardFilter{Tags: []string{"topic-5"}}, "contact_score", "contact_tag", "contact_tag"},
				{"tag and source", deal.CardFilter{Tags: []string{"topic-5"}, Source: "website"}, "", "contact_tag", "contact_tag"},
				{"least score", deal.CardFilter{MinScore: ptr(95)}, "contact_score", "contact_score", "contact_score"},
				{"created in a day", deal.CardFilter{From: day}, "contact_score", "contact_created", "contact_created"},
				{"created in a day, by created", deal.CardFilter{From: day, SortBy: deal.ByCreated}, "contact_created", "contact_created", "contact_created"},
				{"created in a day, of an agent", deal.CardFilter{From: day, AssignedTo: "agent-7"}, "", "contact_", "contact_"},
				{"search", deal.CardFilter{Search: "91981000001"}, "contact_score", "contact_pkey", "deal_"},
			} {
				r := w.db.Read(bg, w.tenant)
				dir := "DESC"
				if x.f.SortDir != "" {
					dir = x.f.SortDir
				}
				x.f.Limit = 26
				look := func(way, index, q string, args []any, err error) {
					if err != nil {
						t.Fatalf("%s, %s: %v", x.name, way, err)
					}
					plan := w.plan(q, args)
					if name == "sqlite" {
						index = strings.Replace(index, "contact_pkey", "sqlite_autoindex_contact_1", 1)
					}
					bad := strings.Contains(plan, "Seq Scan on contact c") || strings.Contains(plan, "Seq Scan on deal d") ||
						name == "sqlite" && (strings.Count(plan, "SCAN ") > strings.Count(plan, "CO-ROUTINE")+strings.Count(plan, "MATERIALIZE")+strings.Count(plan, "SCAN x VIRTUAL")) ||
						way == "walk" && strings.Contains(plan, "TEMP B-TREE")
					if bad || !strings.Contains(plan, index) {
						t.Errorf("%s, %s: not by %q alone:\n%s\n%s", x.name, way, index, plan, q)
					}
				}
				q, args, err := w.s.Statement(r, x.f, dir)
				look("walk", x.walk, q, args, err)
				if x.few == "" {
					continue
				}
				_, q, args, err = w.s.Begun(r, x.f, dir)
				look("few", x.few, q, args, err)
				q, args, err = w.s.Counting(r, x.f)
				look("count", x.count, q, args, err)
			}
		})
	}
}
