package entity_test

import (
	"os"
	"strconv"
	"testing"

	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/entity"
	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// million is how many people there are; PARLEY_BENCH_PEOPLE says another number.
func million(b *testing.B) int {
	if n, err := strconv.Atoi(os.Getenv("PARLEY_BENCH_PEOPLE")); err == nil {
		return n
	}
	return 1_000_000
}

// manyPeople writes people with identities, tags, work and deals.
func manyPeople(b *testing.B) *world {
	b.Helper()
	w := newWorld(b, storetest.SQLite(b, storetest.Once()))
	first := w.card(deal.NewCard{New: contact.New{FirstName: "First", Phone: "+5511987654321"}})
	pipeline, stage := first.Pipeline.ID.String(), first.Stage.ID.String()
	numbers := " FROM (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c WHERE n<" + strconv.Itoa(million(b)) + ") SELECT n, printf('%024x', n+(1<<40)) AS id FROM c)"
	for _, q := range []string{
		`INSERT INTO contact (tenant_id, id, first_name, last_name, search_name, source, refs, extra, attributes, score, created_at, updated_at)
		 SELECT ?1, id, 'P'||n, 'Lima', 'p'||n||' lima', 'web', '{}', '{}', '{"city":"c'||(n%1000)||'","plan":"'||(CASE n%3 WHEN 0 THEN 'gold' ELSE 'free' END)||'"}', n%100, n, n` + numbers,
		`INSERT INTO contact_attribute (tenant_id, name, value, contact_id) SELECT ?1, 'city', 'tc'||(n%1000), id` + numbers,
		`INSERT INTO contact_attribute (tenant_id, name, value, contact_id) SELECT ?1, 'plan', CASE n%3 WHEN 0 THEN 'tgold' ELSE 'tfree' END, id` + numbers,
		`INSERT INTO identity (tenant_id, contact_id, kind, value, raw, is_primary, claimed, created_at) SELECT ?1, id, 'phone', '5511'||n, '5511'||n, TRUE, TRUE, 1` + numbers,
		`INSERT INTO identity (tenant_id, contact_id, kind, value, raw, is_primary, claimed, created_at) SELECT ?1, id, 'email', 'p'||n||'@x.org', '', TRUE, TRUE, 1` + numbers,
		`INSERT INTO contact_tag (tenant_id, contact_id, tag, created_at) SELECT ?1, id, 't'||(n%500), 1` + numbers,
		`INSERT INTO handover (tenant_id, contact_id, group_id, initial_group_id, status, held_status, label, category, archiving_reason, user_made, active_at, offered, version, created_at, updated_at)
		 SELECT ?1, id, '` + w.shop.ID.String() + `', '` + w.shop.ID.String() + `', CASE n%4 WHEN 0 THEN 'new' ELSE 'archived' END, '', '', 'general', '', FALSE, 1, '[]', 1, n, n` + numbers,
		`INSERT INTO deal (tenant_id, id, contact_id, pipeline_id, stage_id, status, title, value, currency, is_primary, entered_stage_at, created_at, updated_at)
		 SELECT ?1, printf('%024x', n+(1<<41)), id, '` + pipeline + `', '` + stage + `', 'open', '', n%1000, 'EUR', TRUE, 1, 1, 1` + numbers,
	} {
		w.write(func(tx *store.Tx) error { _, err := tx.Exec(q); return err })
	}
	return w
}

func personAt(n int) id.ID {
	v, _ := id.Parse(idText(n))
	return v
}

func idText(n int) string {
	const digits = "0123456789abcdef"
	out := make([]byte, 24)
	at := uint64(n) + 1<<40
	for i := 23; i >= 0; i-- {
		out[i] = digits[at%16]
		at /= 16
	}
	return string(out)
}

func BenchmarkAmongAMillionPeople(b *testing.B) {
	w := manyPeople(b)
	r := w.r()
	n, million := 0, million(b)
	b.Run("documents of 2", func(b *testing.B) {
		for b.Loop() {
			n = (n*7919 + 13) % (million - 2)
			m, err := w.s.Documents(r, entity.Contact, []id.ID{personAt(n + 1), personAt(million - n)})
			if err != nil || len(m) != 2 {
				b.Fatal(len(m), err)
			}
		}
	})
	equal := func(field, value string) filter.Filter {
		return filter.Filter{Op: filter.Equal, Field: field, Value: value}
	}
	filters := []struct {
		name string
		f    filter.Filter
	}{
		{"email", equal("email", "p77777@x.org")},
		{"city", equal("city", "c77")},
		{"tag", equal("_tags", "t77")},
		{"status", equal("status", "new")},
		{"stage and plan", filter.Filter{Op: filter.And, Of: []filter.Filter{equal("pipeline", "Sales Pipeline"), equal("plan", "gold")}}},
		{"value", filter.Filter{Op: filter.Over, Field: "value", Value: int64(998)}},
		{"name holds", filter.Filter{Op: filter.Holds, Field: "_title", Value: "p99999"}},
	}
	for _, x := range filters {
		b.Run("walk/"+x.name, func(b *testing.B) {
			for b.Loop() {
				n = (n*7919 + 13) % (million * 9 / 10)
				if _, _, err := w.s.Walk(r, entity.Contact, x.f, personAt(n), 500); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("count/"+x.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := w.s.Count(r, entity.Contact, x.f); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("search/"+x.name, func(b *testing.B) {
			q := entity.Query{Size: 10, Filter: filter.Filter{Op: filter.And, Of: []filter.Filter{equal("_schema", "contact"), x.f}}}
			var hits int64
			for b.Loop() {
				res, err := w.s.Search(r, q)
				if err != nil {
					b.Fatal(err)
				}
				hits = res.Hits
			}
			b.ReportMetric(float64(hits), "hits")
		})
	}
}
