package contact_test

import (
	"fmt"
	"slices"
	"testing"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/store"
)

func TestTagHeld(t *testing.T) {
	each(t, func(w world) {
		c := w.must(w.create(contact.New{FirstName: "n", Phone: "919876500000", Tags: []string{"old"}}))
		held := func(tag string, add bool) (stored string, changed bool, err error) {
			err = w.db.Write(bg, w.tenant, func(tx *store.Tx) (err error) {
				stored, changed, err = w.s.TagHeld(tx, c.ID, tag, add)
				return err
			})
			return stored, changed, err
		}
		for _, x := range []struct {
			tag     string
			add     bool
			stored  string
			changed bool
		}{{" new ", true, "new", true}, {"new", true, "new", false}, {"old", false, "old", true}, {"old", false, "old", false}, {"", true, "", false}} {
			if stored, changed, err := held(x.tag, x.add); err != nil || stored != x.stored || changed != x.changed {
				t.Errorf("%+v: %q %v %v", x, stored, changed, err)
			}
		}
		if got := w.reads(c.ID).Tags; !slices.Equal(got, []string{"new"}) {
			t.Errorf("%q", got)
		}
		var fill []string
		for i := range 99 {
			fill = append(fill, fmt.Sprint("t", i))
		}
		w.must(w.tag(c.ID, fill, nil))
		_, changed, err := held("one too many", true)
		w.wantFault(err, fault.Invalid, "tags")
		if _, again, err := held("new", true); changed || again || err != nil { // it is there already
			t.Errorf("%v %v %v", changed, again, err)
		}
	})
}
