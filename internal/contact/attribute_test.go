package contact_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"parley/internal/contact"
	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// listed complains unless the index of attributes says of everybody what the
// contacts say.
func (w world) listed() {
	w.Helper()
	r := w.db.Read(bg, w.tenant)
	row := func(rows *sql.Rows) (string, error) {
		var name, value string
		var cid id.ID
		err := rows.Scan(&name, &value, &cid)
		return fmt.Sprint(cid, " ", name, " ", value), err
	}
	rows, err := r.Query("SELECT name, value, contact_id FROM contact_attribute WHERE tenant_id=?")
	got, err := store.Collect(rows, err, row)
	if err != nil {
		w.Fatal(err)
	}
	type person struct {
		id   id.ID
		open map[string]any
	}
	rows, err = r.Query("SELECT id, attributes FROM contact WHERE tenant_id=?")
	people, err := store.Collect(rows, err, func(rows *sql.Rows) (p person, err error) { return p, rows.Scan(&p.id, store.JSON(&p.open)) })
	if err != nil {
		w.Fatal(err)
	}
	var want []string
	for _, p := range people {
		for _, e := range contact.AttributesOf(p.open) {
			want = append(want, fmt.Sprint(p.id, " ", e[0], " ", e[1]))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.Errorf("the index holds %q, the contacts %q", got, want)
	}
}

func TestAttributesAreListed(t *testing.T) {
	each(t, func(w world) {
		a := w.must(w.create(contact.New{FirstName: "A", Phone: "+919811111111", Attributes: map[string]any{"city": "Pune", "n": 5, "at": "01/02/1990", "tags": []any{"x", "y"}, "in": map[string]any{"z": 1}, "no": nil}}))
		w.listed()
		b := w.must(w.create(contact.New{FirstName: "B", Phone: "+919811111112", Attributes: map[string]any{"city": "Goa", "other": true}}))
		if _, _, err := w.update(a.ID, contact.Patch{Attributes: map[string]any{"city": "Delhi", "n": nil, "tags": []any{"y"}}}); err != nil {
			t.Fatal(err)
		}
		w.listed()
		w.ensureMany([]contact.New{{FirstName: "C", Phone: "+919811111113", Attributes: map[string]any{"city": "Pune"}}, {FirstName: "D", Email: "d@x.de"}})
		w.listed()
		if _, err := w.s.Merge(bg, w.tenant, actor, a.ID, b.ID); err != nil {
			t.Fatal(err)
		}
		w.listed()
		if got := w.reads(a.ID).Attributes["other"]; got != true {
			t.Error(got)
		}
		if _, _, err := w.s.Unmerge(bg, w.tenant, actor, a.ID); err != nil {
			t.Fatal(err)
		}
		w.listed()
		many := map[string]any{}
		for i := range 500 {
			many[fmt.Sprint("k", i)] = i
		}
		if _, _, err := w.update(b.ID, contact.Patch{Attributes: many}); err != nil {
			t.Fatal(err)
		}
		w.listed()
		if _, err := w.s.Erase(bg, w.tenant, actor, a.ID); err != nil {
			t.Fatal(err)
		}
		w.listed()
		if names, err := w.s.AttributeNames(w.db.Read(bg, w.tenant), 10); err != nil || !slices.Equal(names, []string{"city"}) {
			t.Error(names, err)
		}
	})
}

// Whatever a filter matches is among those whom the index finds likely.
func TestLikelyMissesNobody(t *testing.T) {
	each(t, func(w world) {
		values := []any{1, 2, 10, "2", "10", "ten", "", "blue", "navy blue", "01/01/1990", "31/12/1989", "1990-06-01", true, []any{"blue", 3}, []any{1, "31/12/1989"}, map[string]any{"x": 1}}
		var people []contact.New
		for i := range 120 {
			open := map[string]any{}
			for _, k := range []string{"a", "b", "c.d"} {
				if rand.IntN(3) > 0 {
					open[k] = values[rand.IntN(len(values))]
				}
			}
			people = append(people, contact.New{FirstName: "P", Phone: fmt.Sprintf("+9198%08d", i), Attributes: open})
		}
		many := map[string]any{}
		for i := range 450 {
			many[fmt.Sprint("k", i)] = "x"
		}
		many["a"] = "blue"
		people = append(people, contact.New{FirstName: "Many", Phone: "+919899999999", Attributes: many})
		w.ensureMany(people)
		r := w.db.Read(bg, w.tenant)
		rows, err := r.Query("SELECT id FROM contact WHERE tenant_id=? ORDER BY id")
		all, err := store.Collect(rows, err, scanID)
		if err != nil || len(all) != len(people) {
			t.Fatal(len(all), err)
		}
		helped, matched := 0, 0
		for range 400 {
			var texts []string
			for range 1 + rand.IntN(3) {
				op := []string{"=", ">", ">=", "<", "<=", "~"}[rand.IntN(6)]
				texts = append(texts, []string{"a", "b", "c.d"}[rand.IntN(3)]+op+[]string{"1", "2", "3", "10", "ten", "blue", "01/01/1990", "1990-01-01", "bl", ""}[rand.IntN(10)])
			}
			f, err := filter.ParseComparisons("additionalData", texts)
			if err != nil {
				t.Fatal(texts, err)
			}
			m, err := filter.Compile(f)
			if err != nil {
				t.Fatal(err)
			}
			want, err := w.s.With(r, m, all)
			if err != nil {
				t.Fatal(err)
			}
			matched += len(want)
			limit := []int{5, 40, 1000}[rand.IntN(3)]
			likely, more, err := w.s.LikelyWith(r, f, limit)
			if err != nil || !more && len(likely) > limit || more && len(likely) > 0 {
				t.Fatal(texts, len(likely), more, err)
			}
			if more {
				continue
			}
			helped++
			for _, cid := range want {
				if !slices.Contains(likely, cid) {
					c := w.reads(cid)
					open, _ := json.Marshal(c.Attributes)
					t.Fatalf("%q: %s was not likely", texts, open)
				}
			}
		}
		if helped < 50 || matched < 500 {
			t.Errorf("the index helped %d times, %d matches", helped, matched)
		}
		// Until everybody is listed it does not claim to help.
		if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
			_, err := tx.Exec("INSERT INTO contact_unlisted (tenant_id) VALUES (?)")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		f, _ := filter.ParseComparisons("x", []string{"a=1"})
		if _, more, err := w.s.LikelyWith(r, f, 1000); err != nil || !more {
			t.Error(more, err)
		}
	}, storetest.Once())
}

// What a search finds it also recognises.
func TestFoundAgreesWithCandidates(t *testing.T) {
	each(t, func(w world) {
		var people []contact.New
		for i := range 60 {
			people = append(people, contact.New{FirstName: []string{"Maria", "Mário", "Ana María", "Bob"}[i%4], LastName: []string{"Gómez", "O'Neil", "de la Cruz"}[i%3],
				Phone: fmt.Sprintf("+9198%08d", i*7919), Email: fmt.Sprintf("p%d@%s.test", i, []string{"shop", "maria"}[i%2])})
		}
		w.ensureMany(people)
		r := w.db.Read(bg, w.tenant)
		rows, err := r.Query("SELECT id FROM contact WHERE tenant_id=? ORDER BY id")
		all, err := store.Collect(rows, err, scanID)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"mari", "maria", "gomez mar", "neil", "cruz de", "+9198", "9800", "009198", "p1", "p1@shop.test", "@maria", "maria.te", "shop", "x", "!", "la maria cruz"} {
			want, more, err := w.s.Candidates(r, text, 1000)
			if err != nil || more {
				t.Fatal(text, more, err)
			}
			got, err := w.s.Found(r, text, all)
			if err != nil {
				t.Fatal(err)
			}
			slices.SortFunc(want, func(a, b id.ID) int { return slices.Compare(a[:], b[:]) })
			if !slices.Equal(got, want) {
				t.Errorf("%q: found %d, candidates %d", text, len(got), len(want))
			}
		}
	}, storetest.Once())
}

func TestAmendAddsAndReplacesNothing(t *testing.T) {
	each(t, func(w world) {
		a := w.must(w.create(contact.New{FirstName: "A", Phone: "+919811111111", Email: "a@x.de"}))
		b := w.must(w.create(contact.New{FirstName: "B", Phone: "+919811111112"}))
		amend := func(x contact.Amendment) (contact.Contact, error) {
			return store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (contact.Contact, error) {
				c, _, err := w.s.AmendIn(tx, actor, a.ID, x)
				return c, err
			})
		}
		c, err := amend(contact.Amendment{FirstName: ptr("Ann"), Phone: "+91 98222 22222", Email: "New@x.de", Attributes: map[string]any{"k": "v"}})
		if err != nil || c.FirstName != "Ann" || c.Phone() != "919811111111" || c.Email() != "a@x.de" || len(c.Identities) != 4 || c.Attributes["k"] != "v" {
			t.Fatalf("%+v %v", c, err)
		}
		if got := w.reads(a.ID); len(got.Identities) != 4 {
			t.Errorf("%+v", got)
		}
		w.listed()
		if found, ok, err := w.s.Find(w.db.Read(bg, w.tenant), contact.Email, "new@x.de"); err != nil || !ok || found.ID != a.ID {
			t.Error(found, ok, err)
		}
		before := w.events(a.ID)
		if _, err := amend(contact.Amendment{Phone: "+919822222222", FirstName: ptr("Ann")}); err != nil {
			t.Fatal(err)
		}
		if got := w.events(a.ID); len(got) != len(before) || before[len(before)-1] != "contact.updated firstName attributes.k phone email" {
			t.Errorf("%q", got)
		}
		// All or nothing.
		_, err = amend(contact.Amendment{FirstName: ptr("X"), Phone: "+919811111112"})
		if f := w.wantFault(err, "conflict", "phone"); f.Details["contactId"] != b.ID.String() {
			t.Error(f.Details)
		}
		if got := w.reads(a.ID); got.FirstName != "Ann" {
			t.Error(got.FirstName)
		}
		_, err = amend(contact.Amendment{Email: "none"})
		w.wantFault(err, "invalid", "email")
		_, err = amend(contact.Amendment{Phone: "none"})
		w.wantFault(err, "invalid", "phone")
		for i := range 48 {
			if _, err := amend(contact.Amendment{Phone: fmt.Sprintf("+9197%08d", i)}); err != nil {
				t.Fatal(err)
			}
		}
		_, err = amend(contact.Amendment{Phone: "+919733333333"})
		w.wantFault(err, "invalid", "phone")
	})
}
