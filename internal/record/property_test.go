package record_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"parley/internal/id"
	"parley/internal/record"
	"parley/internal/verify"
)

func leaf() *rapid.Generator[any] {
	return rapid.OneOf(
		rapid.Just[any](nil),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.Int64(), func(n int64) any { return n }),
		rapid.Map(rapid.Float64(), func(n float64) any { return n }),
		rapid.Map(rapid.SampledFrom([]string{"", "a", "Ä", "7", "2026-01-31", "1e3", "\u00a0x"}), func(s string) any { return s }),
		rapid.Map(rapid.StringMatching(`[a-zé ]{0,90}`), func(s string) any { return s }),
	)
}

func value(depth int) *rapid.Generator[any] {
	if depth == 0 {
		return leaf()
	}
	return rapid.OneOf(leaf(),
		rapid.Map(rapid.SliceOfN(value(depth-1), 0, 3), func(l []any) any { return l }),
		rapid.Map(rapid.MapOfN(rapid.SampledFrom([]string{"x", "y.z", "0"}), value(depth-1), 0, 3), func(m map[string]any) any { return m }))
}

// Whatever happens to records, the index holds what their attributes hold, a
// record reads as its last change returned it, and a merge patch is RFC 7396's.
func TestTheIndexFollowsTheAttributes(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		round := 0
		rapid.Check(t, func(rt *rapid.T) {
			round++
			schema := fmt.Sprint("s", round)
			living, deleted := map[id.ID]record.Record{}, map[id.ID]record.Record{}
			refers := func() map[string]any {
				v := id.New()
				if len(living) > 0 && rapid.Bool().Draw(rt, "known") {
					v = slices.SortedFunc(maps.Keys(living), func(a, b id.ID) int { return slices.Compare(a[:], b[:]) })[0]
				}
				return map[string]any{"$relation": []any{map[string]any{"entity_id": v.UUID()}}}
			}
			patch := func() record.Patch {
				p := record.Patch{Attributes: rapid.MapOfN(rapid.SampledFrom([]string{"name", "a", "b", "a.b", "list", "7"}), value(2), 0, 4).Draw(rt, "patch")}
				if rapid.IntRange(0, 3).Draw(rt, "refer") == 0 {
					p.Attributes["rel"] = refers()
				}
				if rapid.IntRange(0, 20).Draw(rt, "wide") == 0 {
					for i := range 450 {
						p.Attributes[fmt.Sprint("w", i)] = i
					}
				}
				if rapid.Bool().Draw(rt, "tags") {
					p.Tags = ptr(rapid.SliceOfN(rapid.SampledFrom([]string{"t", "Ü", "u v"}), 0, 3).Draw(rt, "tags"))
				}
				return p
			}
			pick := func(from map[id.ID]record.Record) (record.Record, bool) {
				if len(from) == 0 {
					return record.Record{}, false
				}
				keys := slices.SortedFunc(maps.Keys(from), func(a, b id.ID) int { return slices.Compare(a[:], b[:]) })
				return from[rapid.SampledFrom(keys).Draw(rt, "record")], true
			}
			must := func(rec record.Record, err error) record.Record {
				if err != nil {
					rt.Fatal(err)
				}
				return rec
			}
			for range rapid.IntRange(1, 12).Draw(rt, "steps") {
				switch rapid.IntRange(0, 6).Draw(rt, "step") {
				case 0:
					p := patch()
					n := record.New{Schema: schema, Attributes: p.Attributes}
					if p.Tags != nil {
						n.Tags = *p.Tags
					}
					rec := must(w.s.Create(bg, w.tenant, actor, n))
					living[rec.ID] = rec
				case 1, 2:
					if rec, ok := pick(living); ok {
						living[rec.ID] = must(w.s.Update(bg, w.tenant, actor, schema, rec.ID, patch()))
					}
				case 3:
					if rec, ok := pick(living); ok {
						living[rec.ID] = must(w.s.Replace(bg, w.tenant, actor, schema, rec.ID, patch()))
					}
				case 4:
					if rec, ok := pick(living); ok {
						deleted[rec.ID] = must(w.s.Delete(bg, w.tenant, actor, schema, rec.ID))
						delete(living, rec.ID)
					}
				case 5:
					if rec, ok := pick(deleted); ok {
						back := must(w.s.Update(bg, w.tenant, actor, schema, rec.ID, record.Patch{Restore: true}))
						if !reflect.DeepEqual(back.Attributes, rec.Attributes) || !slices.Equal(back.Tags, rec.Tags) {
							rt.Fatalf("%v came back as %v", rec, back)
						}
						living[rec.ID] = back
						delete(deleted, rec.ID)
					}
				case 6:
					from := living
					if rapid.Bool().Draw(rt, "deleted") {
						from = deleted
					}
					if rec, ok := pick(from); ok {
						must(w.s.Purge(bg, w.tenant, actor, schema, rec.ID))
						delete(from, rec.ID)
					}
				}
			}
			index := w.index(schema)
			for rid, rec := range living {
				got, err := w.s.Get(w.r(), rid)
				if err != nil || !reflect.DeepEqual(got, rec) {
					rt.Fatalf("%v reads as %v: %v", rec, got, err)
				}
				var want []string
				for _, e := range record.Entries(rec.Attributes, rec.Tags) {
					want = append(want, e.Name+"="+e.Key)
				}
				slices.Sort(want)
				if !slices.Equal(want, index[rid]) {
					rt.Fatalf("%v\nhas the entries %q\nnot %q", rec.Attributes, index[rid], want)
				}
				delete(index, rid)
			}
			if len(index) > 0 {
				rt.Fatalf("entries of records that are not there: %v", index)
			}
		})
		rep, err := verify.Run(bg, w.db)
		if err != nil || !rep.OK {
			t.Errorf("%v %+v", err, rep.Breaks)
		}
	})
}
