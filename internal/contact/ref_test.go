package contact_test

import (
	"testing"

	"parley/internal/contact"
	"parley/internal/store/storetest"
)

// Of many contacts with one reference the newest live one is found; an archived
// one only when no other is left.
func TestFindByRef(t *testing.T) {
	each(t, func(w world) {
		refs := map[string]string{"campaign": "spring"}
		var all []contact.Contact
		for _, phone := range []string{"9000000001", "9000000002", "9000000003"} {
			all = append(all, w.must(w.create(contact.New{FirstName: "A", Phone: phone, Refs: refs})))
		}
		finds := func(want contact.Contact) {
			w.Helper()
			got, found, err := w.s.FindByRef(w.db.Read(bg, w.tenant), "campaign", "spring")
			if err != nil || !found || got != want.ID {
				w.Errorf("found %v %v %v, not %v", got, found, err, want.ID)
			}
		}
		finds(all[2])
		w.must(w.archive(all[2].ID))
		finds(all[1])
		w.must(w.archive(all[0].ID))
		finds(all[1])
		w.must(w.archive(all[1].ID))
		finds(all[2])
		if _, found, err := w.s.FindByRef(w.db.Read(bg, w.tenant), "campaign", "autumn"); found || err != nil {
			w.Error(found, err)
		}
	}, storetest.Once())
}
