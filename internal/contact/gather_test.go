package contact_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func (w world) gather(p contact.Person) (contact.Gathered, error) {
	return store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (contact.Gathered, error) {
		g, err := w.s.GatherIn(tx, actor, p)
		if err != nil {
			return g, err
		}
		return g, w.log.AppendMany(tx, g.News)
	})
}

func (w world) gathers(p contact.Person) contact.Gathered {
	w.Helper()
	g, err := w.gather(p)
	if err != nil {
		w.Fatal(err)
	}
	return g
}

// ways writes the identities of a kind, "*" before the primary one.
func ways(c contact.Contact, kind string) string {
	var out []string
	for _, i := range c.Identities {
		if i.Kind != kind {
			continue
		}
		v := i.Value
		if i.Primary {
			v = "*" + v
		}
		if !i.Claimed && kind != contact.NinKind {
			v += "?"
		}
		out = append(out, v)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestAPersonIsGatheredFromEveryContactTheyTouch(t *testing.T) {
	each(t, func(w world) {
		a := w.gathers(contact.Person{FirstName: "Ana", Phones: []string{"+54 9 11 4552 0371", "541145520371", "+541145520372"}, Nins: []contact.Nin{{"dni", "23.345.223"}}, Source: "web"})
		if !a.Fresh || ways(a.Contact, contact.Phone) != "*541145520371 541145520372" || ways(a.Contact, contact.NinKind) != "*DNI:23345223" {
			t.Fatalf("%+v", a)
		}
		b := w.gathers(contact.Person{FirstName: "Beto", Emails: []string{"B@Example.com"}})
		c := w.gathers(contact.Person{LastName: "Cruz", Phones: []string{"+5491145520373"}})
		if b.Contact.ID == a.Contact.ID || c.Contact.ID == b.Contact.ID {
			t.Fatal("strangers are one")
		}
		all := w.gathers(contact.Person{FirstName: "Zed", Phones: []string{"541145520373", "+541145520371"}, Emails: []string{"b@example.com", "new@example.com"},
			Nins: []contact.Nin{{"DNI", "23345223"}, {"CUIT", "20-23345223-9"}}})
		if all.Fresh || all.Joined != 2 || all.Contact.ID != a.Contact.ID {
			t.Fatalf("%+v", all)
		}
		got := w.reads(c.Contact.ID) // an old id leads there
		if got.ID != a.Contact.ID || got.FirstName != "Ana" || ways(got, contact.Phone) != "*541145520371 541145520372 541145520373" ||
			ways(got, contact.Email) != "*b@example.com new@example.com" || ways(got, contact.NinKind) != "*DNI:23345223 CUIT:20233452239" || got.Source != "web" {
			t.Fatalf("%+v", got)
		}
		if fmt.Sprint(got.Nins()) != "[{DNI 23.345.223} {CUIT 20-23345223-9}]" {
			t.Error(got.Nins())
		}
		news := w.events(a.Contact.ID)
		if news[0] != "contact.created" || len(news) != 4 || !strings.HasPrefix(news[1], "contact.merged from:") || news[3] != "contact.updated email nin" {
			t.Error(news)
		}
		// Nothing new: nothing is told.
		if again := w.gathers(contact.Person{FirstName: "Ana", Phones: []string{"+541145520371"}}); len(again.News) != 0 || again.Contact.ID != a.Contact.ID {
			t.Errorf("%+v", again)
		}
	})
}

func TestGatheringFillsOnlyEmptyNamesAndTakesUpAgain(t *testing.T) {
	each(t, func(w world) {
		a := w.gathers(contact.Person{Phones: []string{"+541145520371"}})
		w.gathers(contact.Person{FirstName: "Ana", Phones: []string{"+541145520371"}})
		w.gathers(contact.Person{FirstName: "Beto", LastName: "Paz", Phones: []string{"+541145520371"}}) // another first name: not her last one
		if got := w.reads(a.Contact.ID); got.Name() != "Ana" {
			t.Error(got.Name())
		}
		if _, err := w.archive(a.Contact.ID); err != nil {
			t.Fatal(err)
		}
		g := w.gathers(contact.Person{FirstName: "ana", LastName: "Ríos", Emails: []string{"ana@example.com"}, Phones: []string{"+541145520371"}})
		got := w.reads(a.Contact.ID)
		if got.Name() != "Ana Ríos" || got.Archived() || g.Contact.Archived() {
			t.Errorf("%+v", got)
		}
		news := w.events(a.Contact.ID)
		if s := news[len(news)-2:]; s[0] != "contact.unarchived" || s[1] != "contact.updated lastName email" {
			t.Error(news)
		}
	})
}

func TestWhatIsNoWayToReachAPersonFindsNobody(t *testing.T) {
	each(t, func(w world) {
		for _, p := range []contact.Person{{}, {FirstName: "Ana"}, {Phones: []string{"", "n/a", "0", "000000", "1234"}, Emails: []string{"no tiene", "@", "  "}},
			{Nins: []contact.Nin{{"DNI", "23345223"}}}} {
			_, err := w.gather(p)
			w.wantFault(err, fault.Invalid, "phones")
		}
		// Beside a way that does, it does no harm and joins nobody.
		a := w.gathers(contact.Person{Phones: []string{"0000", "+541145520371"}, Emails: []string{"no tiene"}})
		b := w.gathers(contact.Person{Phones: []string{"0000", "+541145520372"}, Emails: []string{"no tiene"}})
		if a.Contact.ID == b.Contact.ID || len(a.Contact.Identities) != 1 {
			t.Errorf("%+v %+v", a, b)
		}
		_, err := w.gather(contact.Person{Phones: []string{"+541145520371"}, Nins: []contact.Nin{{"SSN", "1"}}})
		w.wantFault(err, fault.Invalid, "nin[0].type")
		_, err = w.gather(contact.Person{Phones: []string{"+541145520371"}, Nins: []contact.Nin{{"DNI", "-"}}})
		w.wantFault(err, fault.Invalid, "nin[0].number")
		_, err = w.gather(contact.Person{Phones: make([]string, 51)})
		w.wantFault(err, fault.Invalid, "phones")
		_, err = w.gather(contact.Person{FirstName: strings.Repeat("x", 201), Phones: []string{"+541145520371"}})
		w.wantFault(err, fault.Invalid, "firstName")
	})
}

// A nin is no key: two people may have the same one, and it follows both ways of
// a merge.
func TestANinSurvivesMerges(t *testing.T) {
	each(t, func(w world) {
		a := w.gathers(contact.Person{Phones: []string{"+541145520371"}, Nins: []contact.Nin{{"DNI", "1"}}}).Contact
		b := w.gathers(contact.Person{Phones: []string{"+541145520372"}, Nins: []contact.Nin{{"DNI", "1"}, {"CUIL", "2"}}}).Contact
		if a.ID == b.ID {
			t.Fatal("a nin joined two people")
		}
		if _, err := w.s.Merge(bg, w.tenant, actor, a.ID, b.ID); err != nil {
			t.Fatal(err)
		}
		if got := w.reads(a.ID); ways(got, contact.NinKind) != "*DNI:1 CUIL:2" {
			t.Error(ways(got, contact.NinKind))
		}
		if _, _, err := w.s.Unmerge(bg, w.tenant, actor, a.ID); err != nil {
			t.Fatal(err)
		}
		if x, y := w.reads(a.ID), w.reads(b.ID); ways(x, contact.NinKind) != "*DNI:1" || ways(y, contact.NinKind) != "*DNI:1 CUIL:2" {
			t.Errorf("%v, %v", x.Nins(), y.Nins())
		}
	})
}

// An e-mail that nobody claims any more is claimed by the contact that kept it.
func TestGatheringClaimsWhatBecameFree(t *testing.T) {
	each(t, func(w world) {
		a := w.must(w.create(contact.New{Phone: "+541145520371", Email: "x@example.com"}))
		b := w.must(w.create(contact.New{Phone: "+541145520372", Email: "x@example.com"}))
		if ways(w.reads(b.ID), contact.Email) != "*x@example.com?" {
			t.Fatal(ways(w.reads(b.ID), contact.Email))
		}
		if _, _, err := w.update(a.ID, contact.Patch{Email: ptr("")}); err != nil {
			t.Fatal(err)
		}
		g := w.gathers(contact.Person{Phones: []string{"+541145520372"}, Emails: []string{"x@example.com"}})
		if g.Contact.ID != b.ID || ways(w.reads(b.ID), contact.Email) != "*x@example.com" {
			t.Errorf("%+v", g)
		}
	})
}

// TestGatheringIsUnionFind: whatever leads come in whatever order, the people
// afterwards are the connected sets of their phones and e-mails, each under its
// oldest id, and each has every phone and e-mail of its leads.
func TestGatheringIsUnionFind(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		house := newHouse(t, db)
		rapid.Check(t, func(rt *rapid.T) {
			model := newUnion()
			salt := id.New().String()
			ids := map[int]id.ID{}
			for i := range rapid.IntRange(2, 10).Draw(rt, "leads") {
				p := contact.Person{FirstName: "P"}
				var keys []string
				for _, n := range rapid.SliceOfN(rapid.IntRange(0, 7), 0, 3).Draw(rt, "phones") {
					digits := fmt.Sprintf("12%s%02d", decimal(salt), n)
					p.Phones, keys = append(p.Phones, "+"+digits), append(keys, "p"+digits)
				}
				for _, n := range rapid.SliceOfN(rapid.IntRange(0, 7), 0, 3).Draw(rt, "emails") {
					mail := fmt.Sprintf("%s.%d@example.com", salt, n)
					p.Emails, keys = append(p.Emails, strings.ToUpper(mail)), append(keys, "e"+mail)
				}
				if len(keys) == 0 {
					continue
				}
				g, err := store.Write(bg, db, house.tenant, func(tx *store.Tx) (contact.Gathered, error) { return house.s.GatherIn(tx, actor, p) })
				if err != nil {
					rt.Fatal(err)
				}
				known := model.has(keys)
				model.join(append(keys, fmt.Sprint("lead", i))...)
				if ids[i] = g.Contact.ID; g.Fresh == known {
					rt.Fatalf("lead %d: fresh %v, known %v", i, g.Fresh, known)
				}
			}
			r := db.Read(bg, house.tenant)
			oldest := map[string]id.ID{}
			now := map[int]contact.Contact{}
			for i, cid := range ids {
				c, err := house.s.Get(r, cid)
				if err != nil {
					rt.Fatal(err)
				}
				now[i] = c
				root := model.find(fmt.Sprint("lead", i))
				if at, ok := oldest[root]; !ok || strings.Compare(cid.String(), at.String()) < 0 {
					oldest[root] = cid
				}
			}
			for i, c := range now {
				root := model.find(fmt.Sprint("lead", i))
				if c.ID != oldest[root] {
					rt.Fatalf("lead %d is with %s, its set's oldest is %s", i, c.ID, oldest[root])
				}
				var have, want []string
				for _, v := range c.Identities {
					have = append(have, v.Kind[:1]+v.Value)
				}
				for k := range model.up {
					if !strings.HasPrefix(k, "lead") && model.find(k) == root {
						want = append(want, k)
					}
				}
				slices.Sort(have)
				slices.Sort(want)
				if !slices.Equal(have, want) {
					rt.Fatalf("contact has %v, its leads had %v", have, want)
				}
			}
		})
	})
}

// decimal makes seven digits of an id.
func decimal(s string) string {
	n := uint64(14695981039346656037)
	for i := range len(s) {
		n = (n ^ uint64(s[i])) * 1099511628211
	}
	return fmt.Sprintf("%07d", n%10_000_000)
}

type union struct{ up map[string]string }

func newUnion() *union { return &union{map[string]string{}} }

func (u *union) find(k string) string {
	for u.up[k] != k {
		k = u.up[k]
	}
	return k
}

func (u *union) has(keys []string) bool {
	return slices.ContainsFunc(keys, func(k string) bool { _, ok := u.up[k]; return ok })
}

func (u *union) join(keys ...string) {
	for _, k := range keys {
		if _, ok := u.up[k]; !ok {
			u.up[k] = k
		}
		u.up[u.find(k)] = u.find(keys[0])
	}
}
