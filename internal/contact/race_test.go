package contact_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// crowd calls f n times from many goroutines at once.
func crowd(n int, f func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, 256) {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				f(int(i))
			}
		})
	}
	wg.Wait()
}

// spellings are forms of one phone.
var spellings = []string{"9876543210", "+91 98765 43210", "0091-9876543210", "(98765) 43210"}

func TestManyCreationsOfOnePersonMakeOne(t *testing.T) {
	each(t, func(w world) {
		n := 10_000
		if w.db.Dialect() == store.Postgres {
			n = 2_000
		}
		if testing.Short() {
			n /= 10
		}
		var made, refused atomic.Int64
		var holders sync.Map
		crowd(n, func(i int) {
			c, err := w.create(contact.New{FirstName: fmt.Sprint(i), Phone: spellings[i%4], Email: "same@x.de"})
			if err == nil {
				made.Add(1)
				holders.Store(c.ID.String(), true)
				return
			}
			if f := fault.As(err); f != nil && f.Code == fault.Conflict && f.Reason == "phone" {
				refused.Add(1)
				holders.Store(f.Details["contactId"], true)
				return
			}
			w.Error(err)
		})
		if made.Load() != 1 || refused.Load() != int64(n-1) || size(&holders) != 1 {
			w.Errorf("%d made, %d refused, %d holders", made.Load(), refused.Load(), size(&holders))
		}
		made.Store(0)
		var ids sync.Map
		crowd(n, func(i int) {
			var created bool
			err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
				c, ok, err := w.s.EnsureIn(tx, actor, contact.New{FirstName: "E", Phone: "+4915112345" + fmt.Sprint(100+i%3), Email: "e@x.de"})
				created = ok
				if err == nil {
					tx.After(func() { ids.Store(c.ID, true) })
				}
				return err
			})
			if err != nil {
				w.Error(err)
			} else if created {
				made.Add(1)
			}
		})
		if made.Load() != 3 || size(&ids) != 3 {
			w.Errorf("%d made of 3 people, %d ids", made.Load(), size(&ids))
		}
		var claims int
		if err := w.db.Read(bg, w.tenant).QueryRow("SELECT COUNT(*) FROM identity WHERE tenant_id=? AND kind='email' AND value='e@x.de' AND claimed").Scan(&claims); err != nil || claims != 1 {
			w.Errorf("%d claims of one e-mail, %v", claims, err)
		}
	}, storetest.Once())
}

func size(m *sync.Map) (n int) {
	m.Range(func(any, any) bool { n++; return true })
	return n
}

// Changes of two people that want each other's phones end, and end well.
func TestChangesInACircleDoNotHang(t *testing.T) {
	each(t, func(w world) {
		var ids [4]id.ID
		for i := range ids {
			ids[i] = w.must(w.create(contact.New{Phone: fmt.Sprint("900000000", i), Email: fmt.Sprint(i, "@x.de")})).ID
		}
		crowd(300, func(i int) {
			_, _, err := w.update(ids[i%4], contact.Patch{Phone: ptr(fmt.Sprint("900000000", i*7%5)), Email: ptr(fmt.Sprint(i*3%5, "@x.de"))})
			if err != nil && !errors.Is(err, fault.Of(fault.Conflict)) {
				w.Error(err)
			}
			if _, err = w.create(contact.New{Phone: fmt.Sprint("900000000", i*3%5)}); err != nil && !errors.Is(err, fault.Of(fault.Conflict)) {
				w.Error(err)
			}
			if i%10 == 0 {
				_, err = w.archive(ids[i%4])
				if err != nil {
					w.Error(err)
				}
			}
		})
		wholeness(w, w.Errorf)
	}, storetest.Once())
}

// wholeness checks what must hold of all contacts at any time.
func wholeness(w world, errorf func(string, ...any)) {
	r := w.db.Read(bg, w.tenant)
	rows, err := r.Query("SELECT id FROM contact WHERE tenant_id=?")
	ids, err := store.Collect(rows, err, scanID)
	if err != nil {
		w.Fatal(err)
	}
	people, err := w.s.GetMany(r, ids)
	if err != nil {
		w.Fatal(err)
	}
	holders := map[[2]string]id.ID{}
	for _, c := range people {
		claimed, primaries := 0, map[string]int{}
		for _, i := range c.Identities {
			if i.Primary {
				primaries[i.Kind]++
			}
			if !i.Claimed {
				continue
			}
			claimed++
			key := [2]string{i.Kind, i.Value}
			if other, twice := holders[key]; twice {
				errorf("%v is claimed by %s and %s", key, other, c.ID)
			}
			holders[key] = c.ID
			if found, ok, err := w.s.Find(r, i.Kind, i.Value); err != nil || !ok || found.ID != c.ID {
				errorf("%v finds %s (%v, %v), not %s", key, found.ID, ok, err, c.ID)
			}
		}
		if claimed == 0 {
			errorf("nobody can find %s: %+v", c.ID, c.Identities)
		}
		for _, kind := range []string{contact.Phone, contact.Email} {
			has := 0
			for _, i := range c.Identities {
				if i.Kind == kind {
					has = 1
				}
			}
			if primaries[kind] != has {
				errorf("%s has %d primary identities of kind %s", c.ID, primaries[kind], kind)
			}
		}
		rows, err := r.Query("SELECT word FROM contact_word WHERE tenant_id=? AND contact_id=? ORDER BY word", c.ID)
		words, err := store.Collect(rows, err, scanText)
		if err != nil || !slices.Equal(words, contact.WordsOf(c)) {
			errorf("%s is found by %q, not by %q (%v)", c.ID, words, contact.WordsOf(c), err)
		}
		for k, v := range c.Refs {
			var n int
			if err := r.QueryRow("SELECT COUNT(*) FROM contact_ref WHERE tenant_id=? AND name=? AND value=? AND contact_id=?", k, v, c.ID).Scan(&n); err != nil || n != 1 {
				errorf("%s stands %d times under %s=%s: %v", c.ID, n, k, v, err)
			}
		}
	}
	none := "NOT EXISTS (SELECT 1 FROM contact c WHERE c.tenant_id=x.tenant_id AND c.id=x.contact_id)"
	for _, table := range []string{"contact_alias", "identity", "contact_tag", "activity", "note", "inquiry", "contact_consent", "consent_log", "contact_word", "contact_ref"} {
		if n := w.count("SELECT COUNT(*) FROM " + table + " x WHERE x.tenant_id=? AND " + none); n > 0 {
			errorf("%d rows of %s lead to no contact", n, table)
		}
	}
	if n := w.count("SELECT COUNT(*) FROM contact_alias x WHERE x.tenant_id=? AND EXISTS (SELECT 1 FROM contact c WHERE c.tenant_id=x.tenant_id AND c.id=x.old_id)"); n > 0 {
		errorf("%d old ids are contacts", n)
	}
	if n := w.count("SELECT COUNT(*) FROM contact_consent x WHERE x.tenant_id=? AND NOT EXISTS (SELECT 1 FROM consent_log l WHERE l.tenant_id=x.tenant_id AND l.contact_id=x.contact_id AND l.channel=x.channel AND l.purpose=x.purpose " +
		"AND l.position=x.position AND l.state=x.state AND l.at=x.at AND l.position=(SELECT MAX(position) FROM consent_log n WHERE n.tenant_id=l.tenant_id AND n.contact_id=l.contact_id AND n.channel=l.channel AND n.purpose=l.purpose))"); n > 0 {
		errorf("%d consents are not what the log says last", n)
	}
	if n := w.count("SELECT COUNT(*) FROM consent_log l WHERE l.tenant_id=? AND NOT EXISTS (SELECT 1 FROM contact_consent x WHERE x.tenant_id=l.tenant_id AND x.contact_id=l.contact_id AND x.channel=l.channel AND x.purpose=l.purpose)"); n > 0 {
		errorf("%d rows of the log are without their consent", n)
	}
}

func TestAnySequenceKeepsContactsWhole(t *testing.T) {
	each(t, func(w world) {
		w.follow()
		rapid.Check(w.T, func(rt *rapid.T) {
			w := w
			w.tenant = id.New() // each run starts empty
			if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
				_, err := tx.Exec("INSERT INTO tenant (tenant_id, code, name, status, settings, created_at, updated_at) VALUES (?,?,'n','active','{}',1,1)", w.tenant.String())
				return err
			}); err != nil {
				rt.Fatal(err)
			}
			phone := rapid.SampledFrom([]string{"", "9000000001", "+919000000001", "9000000002", "+4915112345678", "12"})
			email := rapid.SampledFrom([]string{"", "a@x.de", "A@X.de", "b@x.de", "c@x.de"})
			tags := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 3)
			var known []id.ID
			who := func(rt *rapid.T) id.ID {
				if len(known) == 0 {
					rt.Skip("nobody yet")
				}
				return rapid.SampledFrom(known).Draw(rt, "who")
			}
			allow := func(rt *rapid.T, err error, codes ...fault.Code) {
				if err == nil {
					return
				}
				for _, c := range codes {
					if errors.Is(err, fault.Of(c)) || fault.As(err) != nil && fault.As(err).Code == c {
						return
					}
				}
				rt.Fatal(err)
			}
			optional := func(rt *rapid.T, g *rapid.Generator[string], name string) *string {
				if rapid.Bool().Draw(rt, name+"?") {
					return ptr(g.Draw(rt, name))
				}
				return nil
			}
			look := func(rt *rapid.T) {
				wholeness(w, rt.Errorf)
				for _, cid := range known {
					w.reads(cid) // every id ever handed out leads to a contact
				}
			}
			rt.Repeat(map[string]func(*rapid.T){
				"create": func(rt *rapid.T) {
					c, err := w.create(contact.New{FirstName: "n", Phone: phone.Draw(rt, "phone"), Email: email.Draw(rt, "email"), Tags: tags.Draw(rt, "tags")})
					allow(rt, err, fault.Conflict, fault.Invalid)
					if err == nil {
						known = append(known, c.ID)
					}
				},
				"ensure": func(rt *rapid.T) {
					n := contact.New{Phone: phone.Draw(rt, "phone"), Email: email.Draw(rt, "email")}
					c, err := store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (contact.Contact, error) {
						c, _, err := w.s.EnsureIn(tx, actor, n)
						return c, err
					})
					allow(rt, err, fault.Invalid)
					if err == nil {
						if c.Archived() {
							rt.Fatal("still archived")
						}
						known = append(known, c.ID)
					}
				},
				"update": func(rt *rapid.T) {
					_, _, err := w.update(who(rt), contact.Patch{Phone: optional(rt, phone, "phone"), Email: optional(rt, email, "email"),
						FirstName: ptr(rapid.SampledFrom([]string{"", "m", "n o"}).Draw(rt, "name")), Refs: map[string]*string{"r": ptr("1")}, Extra: map[string]any{"k": email.Draw(rt, "k")}})
					allow(rt, err, fault.Conflict, fault.Invalid)
				},
				"tag": func(rt *rapid.T) {
					_, err := w.tag(who(rt), tags.Draw(rt, "add"), tags.Draw(rt, "remove"))
					allow(rt, err)
				},
				"archive": func(rt *rapid.T) {
					_, err := w.archive(who(rt))
					allow(rt, err)
				},
				"merge": func(rt *rapid.T) {
					a, b := who(rt), who(rt)
					c, err := w.merge(a, b)
					allow(rt, err)
					if c.ID != w.reads(a).ID || c.ID != w.reads(b).ID {
						rt.Fatalf("%s and %s lead to %s and %s, not to %s", a, b, w.reads(a).ID, w.reads(b).ID, c.ID)
					}
				},
				"unmerge": func(rt *rapid.T) {
					_, _, err := w.s.Unmerge(bg, w.tenant, actor, who(rt))
					allow(rt, err, fault.Conflict)
				},
				"merge and back": func(rt *rapid.T) {
					a, b := w.reads(who(rt)).ID, w.reads(who(rt)).ID
					if a == b {
						rt.Skip("one contact")
					}
					before := [2]state{w.state(a), w.state(b)}
					_, err := w.merge(a, b)
					allow(rt, err)
					_, _, err = w.s.Unmerge(bg, w.tenant, actor, b)
					allow(rt, err)
					if diff := cmp.Diff(before, [2]state{w.state(a), w.state(b)}); diff != "" {
						rt.Fatal(diff)
					}
				},
				"below": func(rt *rapid.T) {
					cid := who(rt)
					_, err := w.note(cid, "n")
					allow(rt, err)
					allow(rt, w.toy(cid))
					_, err = w.consent(cid, contact.Consent{Channel: "whatsapp", Purpose: rapid.SampledFrom([]string{"", contact.Marketing}).Draw(rt, "purpose"),
						State: rapid.SampledFrom([]string{contact.In, contact.Out}).Draw(rt, "state"), Source: "x"})
					allow(rt, err)
				},
				"look": func(rt *rapid.T) { look(rt) },
			})
			look(rt)
		})
	})
}
