package quote_test

import (
	"testing"

	"parley/internal/quote"
	"parley/internal/store/storetest"
)

// TestAMergeBetweenTwoLooks: a quote is found under the id that it was asked for, also
// by whom a merge, or its undoing, comes between two looks.
func TestAMergeBetweenTwoLooks(t *testing.T) {
	each(t, func(w world) {
		a, b := w.person(w.groups[1].ID), w.person(w.groups[1].ID)
		q := w.make(b, one)
		merge := func() {
			if _, err := w.Contacts.Merge(bg, w.Tenant, actor, a, b); err != nil {
				w.Error(err)
			}
		}
		part := func() {
			if _, _, err := w.Contacts.Unmerge(bg, w.Tenant, actor, a); err != nil {
				w.Error(err)
			}
		}
		for step, do := range []func(){merge, part} {
			if _, err := w.s.Get(storetest.Before(w.r(), 2, do), b, q.ID); err != nil {
				w.Errorf("the one, step %d: %v", step, err)
			}
		}
		for step, do := range []func(){merge, part} {
			if list, err := w.s.OfContact(storetest.Before(w.r(), 2, do), b, quote.Filter{}); err != nil || len(list) != 1 || list[0].ID != q.ID {
				w.Errorf("the list, step %d: %+v %v", step, list, err)
			}
		}
	})
}
