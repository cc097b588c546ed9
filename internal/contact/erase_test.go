package contact_test

import (
	"errors"
	"sync"
	"testing"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

func (w world) ensure(n contact.New) contact.Contact {
	w.Helper()
	c, err := store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (contact.Contact, error) {
		c, _, err := w.s.EnsureIn(tx, actor, n)
		return c, err
	})
	if err != nil {
		w.Fatal(err)
	}
	return c
}

func (w world) refused(cid id.ID, channel string) bool {
	w.Helper()
	out, err := w.s.Refused(w.db.Read(bg, w.tenant), cid, channel, "")
	if err != nil {
		w.Fatal(err)
	}
	return out
}

// A merge that was taken back may have left a person in the entries of others.
func TestErasingReachesMergesThatWereTakenBack(t *testing.T) {
	each(t, func(w world) {
		a := w.ensure(contact.New{FirstName: "Markwort", Phone: "+5511900000001"})
		b := w.ensure(contact.New{FirstName: "Bea", Phone: "+5511900000002"})
		c := w.ensure(contact.New{FirstName: "Cid", Phone: "+5511900000003"})
		if _, err := w.merge(a.ID, b.ID); err != nil {
			w.Fatal(err)
		}
		if _, _, err := w.s.Unmerge(bg, w.tenant, actor, a.ID); err != nil {
			w.Fatal(err)
		}
		if _, err := w.merge(b.ID, c.ID); err != nil {
			w.Fatal(err)
		}
		was, err := w.s.Erase(bg, w.tenant, actor, a.ID)
		if err != nil || was.FirstName != "Markwort" {
			w.Fatal(was, err)
		}
		if n := w.count("SELECT COUNT(*) FROM contact_merge WHERE tenant_id=? AND (survivor_id=?2 OR merged_id=?2)", a.ID); n != 0 {
			w.Errorf("%d entries of the erased person", n)
		}
		// The merge of the others, which the person had no part in, can still be taken back.
		if _, _, err := w.s.Unmerge(bg, w.tenant, actor, b.ID); err != nil {
			w.Error(err)
		}
		for _, call := range []func() error{
			func() error { _, err := w.s.Get(w.db.Read(bg, w.tenant), a.ID); return err },
			func() error { _, err := w.note(a.ID, "x"); return err },
			func() error { _, err := w.activity(a.ID); return err },
			func() error { _, err := w.merge(a.ID, b.ID); return err },
			func() error { _, err := w.s.Erase(bg, w.tenant, actor, a.ID); return err },
			func() error { _, err := w.s.Erase(bg, id.New(), actor, b.ID); return err },
		} {
			if err := call(); !errors.Is(err, fault.Of(fault.NotFound)) {
				w.Errorf("%v", err)
			}
		}
	})
}

func TestARefusalOutlivesItsPerson(t *testing.T) {
	each(t, func(w world) {
		const phone, mail = "+5511900000001", "ana@example.com"
		first := w.ensure(contact.New{FirstName: "Ana", Phone: phone, Email: mail})
		if _, err := w.consent(first.ID, contact.Consent{Channel: "whatsapp", State: contact.Out, Source: "she said so"}); err != nil {
			w.Fatal(err)
		}
		erase := func(cid id.ID) {
			w.Helper()
			if _, err := w.s.Erase(bg, w.tenant, actor, cid); err != nil {
				w.Fatal(err)
			}
		}
		erase(first.ID)
		if n := w.count("SELECT COUNT(*) FROM contact_suppression WHERE tenant_id=? AND (hash LIKE '%5511900000001%' OR hash LIKE '%ana@%')"); n != 0 {
			w.Error("an address is readable")
		}
		if w.refused(w.ensure(contact.New{FirstName: "Bob", Phone: "+5511900000009"}).ID, "whatsapp") {
			w.Error("somebody else is refused")
		}
		byMail := w.ensure(contact.New{FirstName: "Ana", Email: mail})
		if !w.refused(byMail.ID, "whatsapp") || w.refused(byMail.ID, "email") {
			w.Error("who comes back by the e-mail is not refused what was refused, or more")
		}
		// Through the batch, too, and by taking the address later.
		many, err := store.Write(bg, w.db, w.tenant, func(tx *store.Tx) ([]contact.Ensured, error) {
			return w.s.EnsureManyIn(tx, actor, []contact.New{{FirstName: "Ana", Phone: phone}})
		})
		if err != nil || !w.refused(many[0].Contact.ID, "whatsapp") {
			w.Errorf("through a batch: %v", err)
		}
		// Permission given since outlives the next erasing.
		if _, err := w.consent(many[0].Contact.ID, contact.Consent{Channel: "whatsapp", State: contact.In}); err != nil {
			w.Fatal(err)
		}
		erase(many[0].Contact.ID)
		if again := w.ensure(contact.New{FirstName: "Ana", Phone: phone}); w.refused(again.ID, "whatsapp") {
			w.Error("a permission that was given later is forgotten")
		}
	})
}

// Whoever comes under an address while its person is erased ends as the old one or
// as somebody new, and never half.
func TestErasingBesideArrivals(t *testing.T) {
	each(t, func(w world) {
		const phone = "+5511900000001"
		for range 15 {
			c := w.ensure(contact.New{FirstName: "Ana", Phone: phone})
			var group sync.WaitGroup
			errs := make([]error, 6)
			for i := range errs {
				group.Go(func() {
					if i == 0 {
						_, errs[i] = w.s.Erase(bg, w.tenant, actor, c.ID)
						return
					}
					errs[i] = w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
						if i%2 == 0 {
							_, err := w.s.GatherIn(tx, actor, contact.Person{FirstName: "Ana", Phones: []string{phone}})
							return err
						}
						_, _, err := w.s.EnsureIn(tx, actor, contact.New{FirstName: "Ana", Phone: phone})
						return err
					})
				})
			}
			group.Wait()
			if err := errors.Join(errs...); err != nil {
				w.Fatal(err)
			}
			if n := w.count("SELECT COUNT(*) FROM identity i JOIN contact c ON c.tenant_id=i.tenant_id AND c.id=i.contact_id WHERE i.tenant_id=? AND c.erased_at IS NOT NULL"); n != 0 {
				w.Fatalf("%d addresses of erased people", n)
			}
		}
	})
}

// An erasing whose job is gone is owed again.
func TestAnErasingIsOwedAgain(t *testing.T) {
	each(t, func(w world) {
		c := w.ensure(contact.New{FirstName: "Ana", Phone: "+5511900000001"})
		for range 600 {
			if _, err := w.activity(c.ID); err != nil {
				w.Fatal(err)
			}
		}
		if _, err := w.s.Erase(bg, w.tenant, actor, c.ID); err != nil {
			w.Fatal(err)
		}
		if n := w.count("SELECT COUNT(*) FROM activity WHERE tenant_id=? AND contact_id=?", c.ID); n == 0 || n > 100 {
			w.Fatalf("%d left by the first transaction", n)
		}
		const jobs = "SELECT COUNT(*) FROM job WHERE tenant_id=? AND kind='contact.erase'"
		if n := w.count(jobs); n != 1 {
			w.Fatalf("%d jobs", n)
		}
		if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
			_, err := tx.Exec("DELETE FROM job WHERE tenant_id=? AND kind='contact.erase'")
			return err
		}); err != nil {
			w.Fatal(err)
		}
		for range 2 {
			if err := w.s.OweErasures(bg); err != nil {
				w.Fatal(err)
			}
			if n := w.count(jobs); n != 1 {
				w.Errorf("%d jobs", n)
			}
		}
	})
}

// Whoever comes to claim the address of an erased person gets what that one refused,
// also who had the address all the time while the other claimed it, or had it before.
func TestClaimsBringRefusals(t *testing.T) {
	const mail, number = "e@x.de", "9000000003"
	type claim struct {
		prepare func(w world, x contact.Contact) id.ID // who is to claim; nil: x
		do      func(tx *store.Tx, w world, x contact.Contact) error
	}
	claims := map[string]claim{
		"a lead": {do: func(tx *store.Tx, w world, x contact.Contact) error {
			_, err := w.s.GatherIn(tx, actor, contact.Person{Phones: []string{x.Phone()}, Emails: []string{mail}})
			return err
		}},
		"an amendment": {do: func(tx *store.Tx, w world, x contact.Contact) error {
			_, _, err := w.s.AmendIn(tx, actor, x.ID, contact.Amendment{Email: mail})
			return err
		}},
		"an update": {do: func(tx *store.Tx, w world, x contact.Contact) error {
			_, _, err := w.s.UpdateIn(tx, actor, x.ID, contact.Patch{Email: ptr(mail)})
			return err
		}},
		"a merge that is taken back": {
			prepare: func(w world, x contact.Contact) id.ID {
				b := w.must(w.create(contact.New{FirstName: "B", Phone: number}))
				w.must(w.merge(x.ID, b.ID))
				for _, phone := range []string{number, x.Phone()} { // what became the primary one is then given up
					if _, _, err := w.update(x.ID, contact.Patch{Phone: ptr(phone)}); err != nil {
						w.Fatal(err)
					}
				}
				return b.ID
			},
			do: func(tx *store.Tx, w world, x contact.Contact) error {
				_, _, err := w.s.UnmergeIn(tx, actor, x.ID)
				return err
			}},
	}
	each(t, func(w world) {
		for name, c := range claims {
			w := newWorld(w.T, w.db)
			y := w.must(w.create(contact.New{FirstName: "Y", Phone: "9000000001", Email: mail}))
			x := w.must(w.create(contact.New{FirstName: "X", Phone: "9000000002", Email: mail}))
			who := x.ID
			if c.prepare != nil {
				who = c.prepare(w, x)
			}
			if _, _, err := w.update(y.ID, contact.Patch{Phone: ptr(number)}); err != nil && c.prepare != nil {
				t.Fatal(err)
			}
			if _, err := w.consent(y.ID, contact.Consent{Channel: "whatsapp", State: contact.Out, Source: "x"}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.s.Erase(bg, w.tenant, actor, y.ID); err != nil {
				t.Fatal(err)
			}
			if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error { return c.do(tx, w, x) }); err != nil {
				t.Fatal(err)
			}
			if out, err := w.s.Refused(w.db.Read(bg, w.tenant), who, "whatsapp", contact.Marketing); err != nil || !out {
				t.Errorf("after %s it is refused: %v %v", name, out, err)
			}
			wholeness(w, w.Errorf)
		}
	})
}
