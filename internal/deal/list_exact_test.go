package deal_test

import (
	"cmp"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/deal"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// crowdIn puts people into a world's tenant through the store.
func (w world) crowdIn(people int, now time.Time) []deal.Stage {
	w.Helper()
	list, err := w.s.Pipelines(bg, w.tenant)
	if err != nil || len(list) == 0 {
		w.Fatalf("no pipeline: %v", err)
	}
	var stages []id.ID
	for _, st := range list[0].Stages {
		stages = append(stages, st.ID)
	}
	if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
		for _, q := range crowd("?1", people, list[0].ID, stages, now.UnixMilli()) {
			if _, err := tx.Exec(q); err != nil {
				return fmt.Errorf("%w: %.3000s", err, q)
			}
		}
		return nil
	}); err != nil {
		w.Fatal(err)
	}
	return list[0].Stages
}

// someone is what a filter looks at, read by one plain query.
type someone struct {
	id                       id.ID
	source, agent, text      string
	score                    int
	created, updated, called int64
	stage                    id.ID
	status                   string
	value                    float64
	tags                     []string
}

func (w world) everyone() []someone {
	w.Helper()
	r := w.db.Read(bg, w.tenant)
	rows, err := r.Query("SELECT c.id, c.source, COALESCE(c.assigned_to, ''), c.search_name, c.score, c.created_at, c.updated_at, COALESCE(c.last_contacted_at, 0), d.stage_id, d.status, d.value " +
		"FROM contact c JOIN deal d ON d.tenant_id=c.tenant_id AND d.contact_id=c.id WHERE c.tenant_id=?")
	all, err := store.Collect(rows, err, func(rows *sql.Rows) (p someone, err error) {
		return p, rows.Scan(&p.id, &p.source, &p.agent, &p.text, &p.score, &p.created, &p.updated, &p.called, &p.stage, &p.status, &p.value)
	})
	if err != nil {
		w.Fatal(err)
	}
	at := map[id.ID]int{}
	for i, p := range all {
		at[p.id] = i
	}
	rows, err = r.Query("SELECT contact_id, tag FROM contact_tag WHERE tenant_id=?")
	if _, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
		var c id.ID
		var tag string
		err = rows.Scan(&c, &tag)
		all[at[c]].tags = append(all[at[c]].tags, tag)
		return x, err
	}); err != nil {
		w.Fatal(err)
	}
	return all
}

// meets says whether a person meets a filter, without any index.
func (p someone) meets(f deal.CardFilter) bool {
	words := strings.Fields(p.text) // first, last, phone, e-mail
	found := f.Search == "" || strings.HasPrefix(words[3], f.Search) || strings.HasPrefix(words[2], f.Search) || strings.HasPrefix(words[3][strings.IndexByte(words[3], '@')+1:], strings.TrimPrefix(f.Search, "@"))
	if !found {
		found = true
		for _, w := range strings.Fields(f.Search) {
			found = found && (strings.HasPrefix(words[0], w) || strings.HasPrefix(words[1], w))
		}
	}
	return found &&
		(f.Status == "" && p.status != deal.Archived || f.Status == p.status) &&
		(f.Stage.IsZero() || f.Stage == p.stage) && (f.Source == "" || f.Source == p.source) && (f.AssignedTo == "" || f.AssignedTo == p.agent) &&
		(len(f.Tags) == 0 || slices.ContainsFunc(f.Tags, func(t string) bool { return slices.Contains(p.tags, t) })) &&
		(f.MinScore == nil || p.score >= *f.MinScore) && (f.From.IsZero() || p.created >= f.From.UnixMilli()) && (f.To.IsZero() || p.created <= f.To.UnixMilli())
}

func (p someone) key(by string) float64 {
	switch by {
	case deal.ByCreated:
		return float64(p.created)
	case deal.ByUpdated:
		return float64(p.updated)
	case deal.ByLastContacted:
		return float64(p.called)
	case deal.ByValue:
		return p.value
	}
	return float64(p.score)
}

// expected lists by brute force.
func expected(all []someone, f deal.CardFilter) []id.ID {
	var hits []someone
	for _, p := range all {
		if p.meets(f) {
			hits = append(hits, p)
		}
	}
	slices.SortFunc(hits, func(a, b someone) int {
		c := cmp.Or(cmp.Compare(a.key(f.SortBy), b.key(f.SortBy)), strings.Compare(a.id.String(), b.id.String()))
		if f.SortDir != "asc" {
			return -c
		}
		return c
	})
	ids := make([]id.ID, len(hits))
	for i, p := range hits {
		ids[i] = p.id
	}
	return ids
}

// Whatever is asked, and whatever way the list takes, it holds what looking at
// everybody would find, in the same order, and its total is right or, beyond what is
// counted, no larger than the truth and larger than what the page reaches.
func TestListsAreExact(t *testing.T) {
	for _, b := range []struct {
		name                                   string
		page, few, walk, most, hits, countedTo int
	}{
		{"usual bounds", 250, 5000, 10_000, 250_000, 500, 1000},
		{"walks that go too far", 2, 10, 15, 2000, 20, 30},
		{"fetches", 100_000, 100_000, 10, 100_000, 20, 30},
		{"walks", 0, 3, 100_000, 100_000, 5, 9},
	} {
		t.Run(b.name, func(t *testing.T) {
			defer deal.Narrow(b.page, b.few, b.walk, b.most, b.hits, b.countedTo)()
			each(t, func(w world) {
				now := time.UnixMilli(1_750_000_000_000)
				stages := w.crowdIn(500, now)
				all := w.everyone()
				for i := range 60 {
					f := anything(rand.New(rand.NewPCG(uint64(i), 7)), stages, now)
					want := expected(all, f)
					cards, total, err := w.s.List(bg, w.tenant, f)
					if err != nil {
						w.Fatalf("%+v: %v", f, err)
					}
					from := min((max(f.Page, 1)-1)*f.Limit, len(want))
					page := want[from:min(from+f.Limit, len(want))]
					got := make([]id.ID, len(cards))
					for i, c := range cards {
						got[i] = c.Contact.ID
					}
					if !slices.Equal(got, page) {
						w.Fatalf("%+v:\n got %v\nwant %v of %d", f, got, page, len(want))
					}
					end := from + len(page)
					more := end < len(want)
					if more && (total <= end || total > len(want) && total != end+1 && total != b.hits+1) || !more && len(page) > 0 && total != len(want) {
						w.Fatalf("%+v: total %d, not %d (page ends at %d)", f, total, len(want), end)
					}
				}
			}, storetest.Once())
		})
	}
}

// anything is a random filter.
func anything(r *rand.Rand, stages []deal.Stage, now time.Time) deal.CardFilter {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	f := deal.CardFilter{Limit: 1 + r.IntN(30), Page: 1 + r.IntN(3)*r.IntN(2), SortDir: pick("asc", "desc", ""),
		SortBy: pick("", deal.ByScore, deal.ByCreated, deal.ByUpdated, deal.ByValue, deal.ByLastContacted)}
	for range r.IntN(4) {
		switch r.IntN(9) {
		case 0:
			f.Source = pick("website", "source-3", "source-4", "fair", "none")
		case 1:
			f.AssignedTo = pick("agent-1", "agent-2", "agent-77", "nobody")
		case 2:
			f.Stage = stages[r.IntN(len(stages))].ID
		case 3:
			f.Status = pick(deal.Open, deal.Won, deal.Lost, deal.Archived)
		case 4:
			f.Tags = [][]string{{"hot"}, {"vip"}, {"vip", "hot"}, {"rare"}, {"none", "topic-5"}}[r.IntN(5)]
		case 5:
			f.MinScore = ptr(r.IntN(101))
		case 6:
			f.From = now.Add(-time.Duration(r.IntN(365*24)) * time.Hour)
		case 7:
			f.To = now.Add(-time.Duration(r.IntN(365*24)) * time.Hour)
		case 8:
			f.Search = pick("priya", "pri", "rahul sharma", "s", "gmail", "@gmail.com", "p1", "91981", "nobody", "an pa")
		}
	}
	return f
}
