package contact_test

import (
	"fmt"
	"slices"
	"testing"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tenant"
)

func (w world) ensureMany(people []contact.New) []contact.Ensured {
	w.Helper()
	out, err := store.Write(bg, w.db, w.tenant, func(tx *store.Tx) ([]contact.Ensured, error) { return w.s.EnsureManyIn(tx, actor, people) })
	if err != nil {
		w.Fatal(err)
	}
	return out
}

func TestEnsureMany(t *testing.T) {
	each(t, func(w world) {
		known := w.must(w.create(contact.New{FirstName: "Known", Phone: "9000000001", Email: "k@x.de"}))
		away := w.must(w.create(contact.New{FirstName: "Away", Phone: "9000000002"}))
		w.must(w.archive(away.ID))
		merged := w.must(w.create(contact.New{FirstName: "Merged", Email: "m@x.de"}))
		w.must(w.merge(known.ID, merged.ID))
		people := []contact.New{
			{FirstName: "Other", Phone: "+91 90000 00001"}, // 0: known
			{Phone: "9000000002"},                          // 1: archived, comes back
			{FirstName: "New", Phone: "9000000003", Email: "New@x.de", Tags: []string{"t"}, Refs: map[string]string{"orderId": "5"}}, // 2
			{FirstName: "Twin", Phone: "00919000000003"}, // 3: the same person
			{Email: "new@x.de"},                          // 4: by the e-mail, the same person
			{Phone: "9000000004", Email: "k@x.de"},       // 5: the address is somebody else's
			{FirstName: "Nobody"},                        // 6: nothing to find him by
			{Email: "m@x.de"},                            // 7: merged into the known one
			{FirstName: "Jörg", LastName: "Weiß-Kern", Email: "j@mail.com"}, // 8
		}
		out := w.ensureMany(people)
		for i, created := range []bool{false, false, true, false, false, true, false, false, true} {
			if out[i].Created != created || (out[i].Err != nil) != (i == 6) {
				w.Errorf("%d: created %v, %v", i, out[i].Created, out[i].Err)
			}
		}
		w.wantFault(out[6].Err, fault.Invalid, "phone")
		if out[0].Contact.ID != known.ID || out[1].Contact.ID != away.ID || out[1].Contact.Archived() || out[3].Contact.ID != out[2].Contact.ID || out[4].Contact.ID != out[2].Contact.ID || out[7].Contact.ID != known.ID {
			w.Errorf("%+v", out)
		}
		for _, i := range []int{2, 5, 8} {
			c, stored := out[i].Contact, w.reads(out[i].Contact.ID)
			if fmt.Sprint(c) != fmt.Sprint(stored) {
				w.Errorf("told  %+v\nstored %+v", c, stored)
			}
			if got := w.events(c.ID); !slices.Equal(got, []string{"contact.created"}) {
				w.Error(got)
			}
		}
		if w.reads(known.ID).FirstName != "Known" || w.reads(out[5].Contact.ID).Identities[1].Claimed {
			w.Error("a known person is left as they are")
		}
		wholeness(w, w.Errorf)
		for _, e := range w.ensureMany(people) {
			if e.Created {
				w.Errorf("again: %+v", e)
			}
		}
		if out := w.ensureMany(nil); len(out) != 0 {
			w.Error(out)
		}
	})
}

// A batch does what its people do one by one.
func TestEnsureManyIsEnsure(t *testing.T) {
	each(t, func(w world) {
		one, many := w, w
		var people []contact.New
		for i := range 700 {
			n := contact.New{FirstName: fmt.Sprint("n", i)}
			if i%3 != 0 {
				n.Phone = fmt.Sprint(9000000000 + i*37%401)
			}
			if i%2 == 0 || i%3 == 0 {
				n.Email = fmt.Sprint(i*11%301, "@x.de")
			}
			people = append(people, n)
		}
		type outcome struct {
			name, ids string
			created   bool
		}
		look := func(c contact.Contact, created bool) outcome {
			return outcome{c.Name(), fmt.Sprint(c.Identities), created}
		}
		var want, got []outcome
		if err := one.db.Write(bg, one.tenant, func(tx *store.Tx) error {
			want = nil
			for _, n := range people {
				c, created, err := w.s.EnsureIn(tx, actor, n)
				if err != nil {
					return err
				}
				want = append(want, look(c, created))
			}
			return nil
		}); err != nil {
			w.Fatal(err)
		}
		b, err := w.tenants.Create(bg, tenant.NewTenant{Name: "Many"})
		if err != nil {
			w.Fatal(err)
		}
		many.tenant = b.ID
		for part := range slices.Chunk(people, 300) {
			for _, e := range many.ensureMany(part) {
				if e.Err != nil {
					w.Fatal(e.Err)
				}
				got = append(got, look(e.Contact, e.Created))
			}
		}
		for i := range want {
			if want[i] != got[i] {
				w.Fatalf("%d: %+v, one by one %+v", i, got[i], want[i])
			}
		}
		wholeness(many, w.Errorf)
	}, storetest.Once())
}

func BenchmarkEnsureMany(b *testing.B) {
	w := newHouse(b, storetest.SQLite(b, storetest.Once()))
	n := 0
	b.ResetTimer()
	for range b.N {
		people := make([]contact.New, 500)
		for i := range people {
			n++
			people[i] = contact.New{FirstName: fmt.Sprint("First", n%1000), LastName: fmt.Sprint("Last", n%7777), Phone: fmt.Sprint(9000000000 + n), Email: fmt.Sprint("person", n, "@example.com"), Source: "csv"}
		}
		if _, err := store.Write(bg, w.db, w.tenant, func(tx *store.Tx) ([]contact.Ensured, error) { return w.s.EnsureManyIn(tx, actor, people) }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*500)/b.Elapsed().Seconds(), "people/s")
}
