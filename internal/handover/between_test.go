package handover_test

import (
	"testing"

	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// TestAMergeBetweenTwoLooks: whoever reads while somebody else merges finds the
// work under the id that it asked for, whichever of its looks the merge comes before.
func TestAMergeBetweenTwoLooks(t *testing.T) {
	each(t, func(w world) {
		for name, found := range map[string]func(r store.Reader, cid id.ID) (bool, error){
			"Get":     func(r store.Reader, cid id.ID) (bool, error) { _, err := w.s.Get(r, cid); return err == nil, err },
			"Visible": func(r store.Reader, cid id.ID) (bool, error) { return w.s.Visible(r, cid, w.root.ID) },
			"GetMany": func(r store.Reader, cid id.ID) (bool, error) {
				got, err := w.s.GetMany(r, []id.ID{cid})
				return len(got[cid].Status) > 0, err
			},
		} {
			for n := int64(1); n <= 3; n++ {
				a, b := w.placed(handover.Arrival{Agent: w.asha.ID}), w.placed(handover.Arrival{Agent: w.bela.ID})
				r := storetest.Before(w.r(), n, func() {
					if _, err := w.people.Merge(bg, w.tenant, actor, a.Contact, b.Contact); err != nil {
						w.Fatal(err)
					}
				})
				if ok, err := found(r, b.Contact); err != nil || !ok {
					w.Errorf("%s, merged before its look %d: found %v, %v", name, n, ok, err)
				}
				r = storetest.Before(w.r(), n, func() {
					_, _, _ = w.people.Unmerge(bg, w.tenant, actor, a.Contact) // of those that were merged above
				})
				if ok, err := found(r, b.Contact); err != nil || !ok {
					w.Errorf("%s, taken apart before its look %d: found %v, %v", name, n, ok, err)
				}
			}
		}
	})
}
