package interaction_test

import (
	"testing"

	"parley/internal/interaction"
	"parley/internal/store/storetest"
)

// TestAMergeBetweenTwoLooks: what a person has is found under the id that it was
// asked for, also by whom a merge, or its undoing, comes between two looks.
func TestAMergeBetweenTwoLooks(t *testing.T) {
	each(t, func(w world) {
		a, b := w.person("919800000001", w.shop.ID), w.person("919800000002", w.shop.ID)
		note := w.record(b, interaction.New{Type: "note", Content: "of b"})
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
		for _, list := range []bool{false, true} {
			for what, do := range []func(){merge, part} {
				// Whichever query it comes before: the later ones are of what was found.
				r := storetest.Before(w.r(), 2, do)
				if list {
					found, err := w.s.OfContact(r, b, interaction.Filter{Via: []string{interaction.Other}})
					if err != nil || len(found) != 1 || found[0].ID != note.ID {
						w.Errorf("the list, step %d: %v %v", what, brief(found), err)
					}
				} else if _, err := w.s.Get(r, b, note.ID); err != nil {
					w.Errorf("the one, step %d: %v", what, err)
				}
			}
		}
	})
}
