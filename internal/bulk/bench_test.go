package bulk

import (
	"testing"
	"time"

	"fmt"
	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/conversation/convtest"
	"parley/internal/deal"
	"parley/internal/entity"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// BenchmarkJob measures a whole job of a flow with one tag, by entity, beside the bound:
// the same rows written raw at the same group size. Run it with -benchtime 5000x.
func BenchmarkJob(b *testing.B) {
	now := clock.NewFake(convtest.Start)
	for name, open := range map[string]func(testing.TB, ...storetest.Option) *store.DB{"sqlite": storetest.SQLite, "postgres": storetest.Postgres} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, open(b, storetest.Clock(now), storetest.Once()), now)
			for _, flow := range []struct {
				name   string
				action any
			}{{"tag", tagging()}, {"delay", map[string]any{"type": "delay", "config": map[string]any{"duration": 1.0, "unit": "days"}}}} {
				b.Run(flow.name, func(b *testing.B) {
					rule := w.flow(flow.action)
					people := make([]entity.Ref, min(b.N, maxRefs))
					for i := range people {
						w.people++
						c, _, err := w.Cards.Upsert(bg, w.Tenant, "key:test", deal.NewCard{New: contact.New{FirstName: "A", Phone: fmt.Sprintf("+9198%08d", w.people)}})
						if err != nil {
							b.Fatal(err)
						}
						people[i] = entity.Ref{Schema: entity.Contact, ID: c.Contact.ID}
					}
					b.ResetTimer()
					begun := time.Now()
					j := w.create(New{Rule: rule, Refs: people, Approved: true})
					p, longest, batches := newPace(w.DB.Dialect(), false), time.Duration(0), 0
					for {
						at := time.Now()
						wait, done, err := w.s.advance(bg, w.Tenant, j.ID, &p)
						if err != nil {
							b.Fatal(err)
						}
						longest, batches = max(longest, time.Since(at)), batches+1
						if done || wait > 0 {
							break
						}
					}
					took := time.Since(begun)
					b.StopTimer()
					if got := w.get(j.ID); got.Started != int64(len(people)) {
						b.Fatalf("%+v", got)
					}
					raw := w.raw(b, len(people), max(1, len(people)/batches))
					b.ReportMetric(float64(len(people))/took.Seconds(), "runs/s")
					b.ReportMetric(raw.Seconds()/took.Seconds(), "of_raw")
					b.ReportMetric(float64(longest.Microseconds())/1000, "ms_longest")
					b.ReportMetric(float64(len(people))/float64(batches), "per_tx")
				})
			}
		})
	}
}

// raw writes the rows of n runs of one action, in groups of size: the run, two
// steps, an entry of the timeline, two events, the item twice.
func (w *world) raw(b *testing.B, n, size int) time.Duration {
	b.Helper()
	begun := time.Now()
	for done := 0; done < n; done += size {
		err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
			var runs, steps, notes, events, items [][]any
			for range min(size, n-done) {
				run, who := id.New(), id.New()
				runs = append(runs, []any{run, who, 1, who, "entity_manual", "raw:" + run.String(), "completed", 1, 0, 0, "{}", tx.Now(), tx.Now(), tx.Now(), "contact", who, who})
				steps = append(steps, []any{run, 0, "tag", "add_tag", "completed", tx.Now()})
				notes = append(notes, []any{id.New(), who, "automation_triggered", "Automation started: Offer", "", "{}", "system", tx.Now()})
				events = append(events, []any{"run.completed", run, who, "[]", "run:" + run.String(), tx.Now()}, []any{"contact.tag_added", who, who, "[]", "run:" + run.String(), tx.Now()})
				items = append(items, []any{who, run, "contact", "success", false, tx.Now()})
			}
			for _, t := range []struct {
				into string
				rows [][]any
			}{
				{"run (tenant_id, id, automation_id, version, contact_id, trigger_name, cause, status, steps, turns, depth, variables, started_at, updated_at, completed_at, entity_schema, entity_id, owner_id)", runs},
				{"run_step (tenant_id, run_id, position, node, kind, status, started_at)", steps},
				{"activity (tenant_id, id, contact_id, type, title, body, metadata, performed_by, created_at)", notes},
				{"bulk_item (tenant_id, job_id, entity_id, entity_schema, status, is_open, updated_at)", items},
			} {
				if _, err := store.InsertRows(tx, t.into, t.rows, ""); err != nil {
					return err
				}
			}
			_, err := tx.InsertFedRows("event (tenant_id, xid, type, subject, contact_id, changed, actor, at)", events, false)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(begun)
}
