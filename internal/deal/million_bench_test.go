package deal_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"parley/internal/deal"
)

// cpu is the processor time that this process used so far.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// question is a list that is asked for, the i-th time with other values.
type question struct {
	name string
	f    func(i int) deal.CardFilter
}

// questions are every filter alone, every order, and the pairs that people use.
func questions(stages []deal.Stage, now time.Time) []question {
	is := func(f deal.CardFilter) func(int) deal.CardFilter { return func(int) deal.CardFilter { return f } }
	agent := func(i int) string { return fmt.Sprint("agent-", i*37%200) }
	topic := func(i int) []string { return []string{fmt.Sprint("topic-", i*37%1000)} }
	stage := func(i int) deal.CardFilter { return deal.CardFilter{Stage: stages[i%len(stages)].ID} }
	return []question{
		{"by score", is(deal.CardFilter{})},
		{"by score, ascending", is(deal.CardFilter{SortDir: "asc"})},
		{"by createdAt", is(deal.CardFilter{SortBy: deal.ByCreated})},
		{"by updatedAt", is(deal.CardFilter{SortBy: deal.ByUpdated})},
		{"by dealValue", is(deal.CardFilter{SortBy: deal.ByValue})},
		{"by lastContactedAt", is(deal.CardFilter{SortBy: deal.ByLastContacted})},
		{"stage", stage},
		{"stage, by createdAt", func(i int) deal.CardFilter { f := stage(i); f.SortBy = deal.ByCreated; return f }},
		{"status won", is(deal.CardFilter{Status: deal.Won})},
		{"status archived", is(deal.CardFilter{Status: deal.Archived})},
		{"source of 30 %", is(deal.CardFilter{Source: "website"})},
		{"source of 4 %", func(i int) deal.CardFilter { return deal.CardFilter{Source: fmt.Sprint("source-", i%18)} }},
		{"source of 0.33 %", is(deal.CardFilter{Source: "fair"})},
		{"source of 0.33 %, by createdAt", is(deal.CardFilter{Source: "fair", SortBy: deal.ByCreated})},
		{"source of 0.33 %, by dealValue", is(deal.CardFilter{Source: "fair", SortBy: deal.ByValue})},
		{"agent of 0.45 %", func(i int) deal.CardFilter { return deal.CardFilter{AssignedTo: agent(i)} }},
		{"agent, by createdAt", func(i int) deal.CardFilter { return deal.CardFilter{AssignedTo: agent(i), SortBy: deal.ByCreated} }},
		{"agent, by updatedAt", func(i int) deal.CardFilter { return deal.CardFilter{AssignedTo: agent(i), SortBy: deal.ByUpdated} }},
		{"agent and stage", func(i int) deal.CardFilter { f := stage(i / 3); f.AssignedTo = agent(i); return f }},
		{"agent and stage, by updatedAt", func(i int) deal.CardFilter {
			f := stage(i / 3)
			f.AssignedTo, f.SortBy = agent(i), deal.ByUpdated
			return f
		}},
		{"agent and source", func(i int) deal.CardFilter {
			return deal.CardFilter{AssignedTo: agent(i), Source: fmt.Sprint("source-", i%18)}
		}},
		{"source and stage", func(i int) deal.CardFilter { f := stage(i / 3); f.Source = fmt.Sprint("source-", i%18); return f }},
		{"source 0.33 % and stage", func(i int) deal.CardFilter { f := stage(i / 3); f.Source = "fair"; return f }},
		{"tag of 40 %", is(deal.CardFilter{Tags: []string{"hot"}})},
		{"tag of 5 %", is(deal.CardFilter{Tags: []string{"vip"}})},
		{"tag of 0.1 %", func(i int) deal.CardFilter { return deal.CardFilter{Tags: topic(i)} }},
		{"tag of 20 people", is(deal.CardFilter{Tags: []string{"rare"}})},
		{"tag of 5 % and source of 4 %", func(i int) deal.CardFilter {
			return deal.CardFilter{Tags: []string{"vip"}, Source: fmt.Sprint("source-", i%18)}
		}},
		{"tag, source and stage, jointly rare", func(i int) deal.CardFilter {
			return deal.CardFilter{Tags: []string{"vip"}, Source: fmt.Sprint("source-", i%18), Stage: stages[4].ID}
		}},
		{"two that exclude each other", is(deal.CardFilter{Status: deal.Won, Stage: stages[6].ID, Tags: []string{"vip"}})},
		{"score of 80 and more", is(deal.CardFilter{MinScore: ptr(80)})},
		{"created in 24 h", is(deal.CardFilter{From: now.Add(-24 * time.Hour)})},
		{"created in 24 h, by createdAt", is(deal.CardFilter{From: now.Add(-24 * time.Hour), SortBy: deal.ByCreated})},
		{"created in 30 days", is(deal.CardFilter{From: now.Add(-30 * 24 * time.Hour)})},
		{"created in 30 days and source", func(i int) deal.CardFilter {
			return deal.CardFilter{From: now.Add(-30 * 24 * time.Hour), Source: fmt.Sprint("source-", i%18)}
		}},
		{"search priya", is(deal.CardFilter{Search: "priya"})},
		{"search a name of 1 %", func(i int) deal.CardFilter { return deal.CardFilter{Search: first[20+i%20]} }},
		{"search first and last name", func(i int) deal.CardFilter { return deal.CardFilter{Search: first[i%20] + " " + last[i*7%40]} }},
		{"search a phone", func(i int) deal.CardFilter { return deal.CardFilter{Search: fmt.Sprint("98", 10_000_000+i*997)} }},
		{"search an e-mail", func(i int) deal.CardFilter { return deal.CardFilter{Search: fmt.Sprint("p", 1+i*997, "@gmail")} }},
		{"search @gmail", is(deal.CardFilter{Search: "@gmail.com"})},
		{"search a", is(deal.CardFilter{Search: "a"})},
		{"search priya and agent", func(i int) deal.CardFilter { return deal.CardFilter{Search: "priya", AssignedTo: agent(i)} }},
		{"page 1000", is(deal.CardFilter{Page: 1000})},
		{"page 1000, source of 30 %", is(deal.CardFilter{Page: 1000, Source: "website"})},
		{"page 4000", is(deal.CardFilter{Page: 4000})},
		{"100 a page", is(deal.CardFilter{Limit: 100})},
	}
}

// TestListsOfAMillion writes the table of docs/performance.md: the processor time
// of a page, in the room and the database under it, and the rows it looks at.
//
//	PARLEY_LISTS_DIR=/a/folder go test ./internal/deal -run ListsOfAMillion -v -timeout 30m
func TestListsOfAMillion(t *testing.T) {
	people := 1_000_000
	if v := os.Getenv("PARLEY_LISTS_PEOPLE"); v != "" {
		_, _ = fmt.Sscan(v, &people)
	}
	w := crowded(t, people)
	runtime.GOMAXPROCS(1)
	list, err := w.s.Pipelines(bg, w.tenant)
	if err != nil {
		t.Fatal(err)
	}
	row := func(name string, rounds int, f func(i int) (int, error)) {
		var took []time.Duration
		n := 0
		for i := range rounds {
			from := cpu()
			total, err := f(i)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			if took, n = append(took, cpu()-from), total; i > 3 && took[i] > 2*time.Second {
				break
			}
		}
		slices.Sort(took)
		ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
		fmt.Printf("| %-36s | %7.1f | %7.1f | %7d |\n", name, ms(took[len(took)/2]), ms(took[len(took)*99/100]), n)
	}
	var newest int64
	if err := w.db.Read(bg, w.tenant).QueryRow("SELECT MAX(created_at) FROM contact WHERE tenant_id=?").Scan(&newest); err != nil {
		t.Fatal(err)
	}
	only := os.Getenv("PARLEY_LISTS_ONLY")
	for _, q := range questions(list[0].Stages, time.UnixMilli(newest)) {
		if only != "" && !strings.Contains(q.name, only) {
			continue
		}
		row(q.name, rounds(), func(i int) (int, error) {
			_, n, err := w.s.List(bg, w.tenant, q.f(i))
			return n, err
		})
	}
	if only == "" {
		row("board, 50 a stage", rounds(), func(int) (int, error) {
			b, err := w.s.Board(bg, w.tenant, list[0].ID, 50)
			return len(b.Columns), err
		})
	}
}

func rounds() int {
	n := 60
	if v := os.Getenv("PARLEY_LISTS_ROUNDS"); v != "" {
		_, _ = fmt.Sscan(v, &n)
	}
	return n
}
