package contact_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// state is all that there is of a contact, for comparing.
type state struct {
	Contact  contact.Contact
	Consents []contact.Consent
	Notes    []contact.Note
	Calls    int
	Toys     int
	Words    []string
}

func (w world) state(cid id.ID) state {
	w.Helper()
	r := w.db.Read(bg, w.tenant)
	s := state{Contact: w.reads(cid)}
	s.Contact.UpdatedAt = time.Time{}
	var err error
	if s.Consents, err = w.s.Consents(r, cid); err != nil {
		w.Fatal(err)
	}
	if s.Notes, _, err = w.s.Notes(bg, w.tenant, cid, 0, 1000); err != nil {
		w.Fatal(err)
	}
	if _, s.Calls, err = w.s.Timeline(bg, w.tenant, cid, 0, 10); err != nil {
		w.Fatal(err)
	}
	s.Toys = w.count("SELECT COUNT(*) FROM toy WHERE tenant_id=? AND contact_id=?", s.Contact.ID)
	rows, err := r.Query("SELECT word FROM contact_word WHERE tenant_id=? AND contact_id=? ORDER BY word", s.Contact.ID)
	if s.Words, err = store.Collect(rows, err, scanText); err != nil {
		w.Fatal(err)
	}
	return s
}

func TestMergeAndUnmerge(t *testing.T) {
	each(t, func(w world) {
		w.follow()
		a := w.must(w.create(contact.New{FirstName: "Ann", Phone: "9000000001", Email: "ann@x.de", Tags: []string{"old", "both"}, Refs: map[string]string{"orderId": "1"},
			Extra: map[string]any{"k": "a"}}))
		b := w.must(w.create(contact.New{FirstName: "Anna", LastName: "Berg", Phone: "9000000002", Email: "anna@y.de", Source: "ads", AssignedTo: "u1", Tags: []string{"new", "both"},
			Refs: map[string]string{"orderId": "2", "cartId": "7"}, Extra: map[string]any{"k": "b", "l": 2.0}, Attributes: map[string]any{"city": "Bonn"}}))
		c := w.must(w.create(contact.New{FirstName: "C", Phone: "9000000003", Email: "ann@x.de"}))
		if _, _, err := w.update(b.ID, contact.Patch{Score: ptr(40)}); err != nil {
			w.Fatal(err)
		}
		for _, cid := range []id.ID{a.ID, b.ID, b.ID} {
			if _, err := w.note(cid, "note of "+cid.String()); err != nil {
				w.Fatal(err)
			}
			if _, err := w.activity(cid); err != nil {
				w.Fatal(err)
			}
			if err := w.toy(cid); err != nil {
				w.Fatal(err)
			}
		}
		long := w.db.Clock().Now().Add(-time.Hour).Truncate(time.Millisecond)
		for _, s := range []struct {
			who id.ID
			c   contact.Consent
		}{
			{a.ID, contact.Consent{Channel: "whatsapp", State: contact.In, Source: "web form", At: long.Add(time.Minute)}},
			{b.ID, contact.Consent{Channel: "whatsapp", Purpose: contact.Marketing, State: contact.Out, Source: "channel:whatsapp", At: long}},
			{b.ID, contact.Consent{Channel: "email", Purpose: contact.Servicing, State: contact.In, Source: "x", At: long}},
		} {
			if changed, err := w.consent(s.who, s.c); err != nil || !changed {
				w.Fatal(changed, err)
			}
		}
		wasA, wasB := w.state(a.ID), w.state(b.ID)

		m, err := w.s.Merge(bg, w.tenant, actor, b.ID, a.ID)
		if err != nil {
			w.Fatal(err)
		}
		if m.ID != a.ID || m.Name() != "Ann Berg" || m.Phone() != "919000000001" || m.Email() != "ann@x.de" || m.Source != "ads" || m.AssignedTo != "u1" || m.Score != 40 ||
			!slices.Equal(m.Tags, []string{"both", "new", "old"}) || m.Refs["orderId"] != "1" || m.Refs["cartId"] != "7" || m.Extra["k"] != "a" || m.Extra["l"] != 2.0 || m.Attributes["city"] != "Bonn" {
			w.Errorf("%+v", m)
		}
		if len(m.Identities) != 4 || slices.ContainsFunc(m.Identities, func(i contact.Identity) bool { return !i.Claimed }) {
			w.Errorf("%+v", m.Identities)
		}
		both := w.state(b.ID)
		if both.Contact.ID != a.ID || len(both.Notes) != 3 || both.Calls != 3 || both.Toys != 3 || w.count("SELECT COUNT(*) FROM contact WHERE tenant_id=?") != 2 {
			w.Errorf("by the old id: %+v", both)
		}
		for purpose, want := range map[string]bool{contact.Marketing: true, contact.Servicing: false} {
			if got, err := w.s.Refused(w.db.Read(bg, w.tenant), b.ID, "whatsapp", purpose); err != nil || got != want {
				w.Errorf("%s refused: %v, %v", purpose, got, err)
			}
		}
		if f, ok, err := w.s.Find(w.db.Read(bg, w.tenant), contact.Phone, "919000000002"); err != nil || !ok || f.ID != a.ID {
			w.Error(f.ID, ok, err)
		}
		if got := w.events(a.ID); got[len(got)-1] != "contact.merged from:"+b.ID.String() {
			w.Error(got)
		}
		// Every door takes the old id.
		if _, err := w.tag(b.ID, []string{"later"}, nil); err != nil {
			w.Error(err)
		}
		if n, err := w.note(b.ID, "since"); err != nil || n.Contact != a.ID {
			w.Error(n, err)
		}
		if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error { return w.s.TouchIn(tx, b.ID, tx.Now()) }); err != nil || w.reads(a.ID).LastContactedAt.IsZero() {
			w.Error(err)
		}
		if err := w.toy(b.ID); err != nil {
			w.Error(err)
		}
		if live, err := w.s.Live(w.db.Read(bg, w.tenant), b.ID); err != nil || !live {
			w.Error(live, err)
		}
		if again := w.must(w.merge(b.ID, a.ID)); again.ID != a.ID || w.count("SELECT COUNT(*) FROM contact_merge WHERE tenant_id=?") != 1 {
			w.Error("merged twice")
		}
		wholeness(w, w.Errorf)

		first, second, err := w.s.Unmerge(bg, w.tenant, actor, b.ID)
		if err != nil || first.ID != a.ID || second.ID != b.ID {
			w.Fatal(first, second, err)
		}
		if diff := cmp.Diff(wasB, w.state(b.ID)); diff != "" {
			w.Error("restored", diff)
		}
		nowA := w.state(a.ID)
		if nowA.Notes[0].Content != "since" || nowA.Toys != wasA.Toys+1 || !slices.Contains(nowA.Contact.Tags, "later") || nowA.Contact.LastContactedAt.IsZero() {
			w.Errorf("what happened since is gone: %+v", nowA)
		}
		nowA.Notes, nowA.Toys, nowA.Contact.LastContactedAt = nowA.Notes[1:], nowA.Toys-1, time.Time{}
		nowA.Contact.Tags = slices.DeleteFunc(nowA.Contact.Tags, func(t string) bool { return t == "later" })
		if diff := cmp.Diff(wasA, nowA); diff != "" {
			w.Error("remaining", diff)
		}
		wholeness(w, w.Errorf)
		_, _, err = w.s.Unmerge(bg, w.tenant, actor, a.ID)
		if f := fault.As(err); f == nil || f.Code != fault.Conflict || f.Reason != "not_merged" {
			w.Error(err)
		}

		// Three at once, in any order, and back one by one.
		if m := w.must(w.merge(c.ID, b.ID, a.ID)); m.ID != a.ID || w.reads(c.ID).ID != a.ID {
			w.Error(m)
		}
		for _, want := range []id.ID{c.ID, b.ID} {
			if _, back, err := w.s.Unmerge(bg, w.tenant, actor, a.ID); err != nil || back.ID != want {
				w.Error(back, err)
			}
		}
		if e := w.reads(c.ID).Identities; len(e) != 2 || e[1].Claimed {
			w.Errorf("an address that somebody else claims was stored %+v", e)
		}
		wholeness(w, w.Errorf)

		if _, err := w.merge(a.ID, id.New()); !isFault(err, fault.NotFound) {
			w.Error(err)
		}
		if _, _, err = w.s.Unmerge(bg, w.tenant, actor, id.New()); !isFault(err, fault.NotFound) {
			w.Error(err)
		}
	})
}

// An unmerge gives back what nobody else took meanwhile, and keeps what changed.
func TestUnmergeRespectsWhatHappenedSince(t *testing.T) {
	each(t, func(w world) {
		w.follow()
		a := w.must(w.create(contact.New{FirstName: "A", Phone: "9000000001"}))
		b := w.must(w.create(contact.New{FirstName: "B", LastName: "Bee", Phone: "9000000002", Email: "b@x.de"}))
		w.must(w.merge(a.ID, b.ID))
		// The survivor gives the address up, somebody else takes it.
		if _, _, err := w.update(a.ID, contact.Patch{Email: ptr(""), LastName: ptr("Bay")}); err != nil {
			w.Fatal(err)
		}
		d := w.must(w.create(contact.New{FirstName: "D", Email: "b@x.de"}))
		if changed, err := w.consent(b.ID, contact.Consent{Channel: "whatsapp", State: contact.Out, Source: "channel:whatsapp"}); err != nil || !changed {
			w.Fatal(err)
		}
		if _, _, err := w.s.Unmerge(bg, w.tenant, actor, a.ID); err != nil {
			w.Fatal(err)
		}
		nowA, nowB := w.reads(a.ID), w.reads(b.ID)
		if nowA.LastName != "Bay" || nowB.LastName != "Bee" || nowB.Email() != "b@x.de" || nowB.Identities[1].Claimed || w.reads(d.ID).Identities[0].Claimed != true {
			w.Errorf("%+v\n%+v", nowA, nowB)
		}
		for _, cid := range []id.ID{a.ID, b.ID} {
			if out, err := w.s.Refused(w.db.Read(bg, w.tenant), cid, "whatsapp", contact.Servicing); err != nil || !out {
				w.Errorf("a refusal that was said while they were one holds for both: %s %v %v", cid, out, err)
			}
		}
		wholeness(w, w.Errorf)

		// Neither of the two may be left without anything to find it by.
		w.must(w.merge(a.ID, b.ID))
		if _, _, err := w.update(a.ID, contact.Patch{Phone: ptr("9000000002")}); err != nil {
			w.Fatal(err)
		}
		_, _, err := w.s.Unmerge(bg, w.tenant, actor, a.ID)
		if f := fault.As(err); f == nil || f.Code != fault.Conflict || f.Reason != "identity" {
			w.Error(err)
		}
		wholeness(w, w.Errorf)
	})
}

// A merge inside a merge that is taken back leaves no log of consent behind without
// its consent: what was ever said about the address goes back with it, and a first
// consent of the survivor begins a log of its own.
func TestConsentsComeBackWithTheirWholeLog(t *testing.T) {
	each(t, func(w world) {
		w.follow()
		person := func(n string) id.ID { return w.must(w.create(contact.New{FirstName: n, Phone: "900000000" + n})).ID }
		b, c, d := person("1"), person("2"), person("3")
		say := func(who id.ID, state string) {
			t.Helper()
			if _, err := w.consent(who, contact.Consent{Channel: "whatsapp", Purpose: contact.Marketing, State: state, Source: "x"}); err != nil {
				w.Fatal(err)
			}
		}
		apart := func(who id.ID) {
			t.Helper()
			if _, _, err := w.s.Unmerge(bg, w.tenant, actor, who); err != nil {
				w.Fatal(err)
			}
			wholeness(w, w.Errorf)
		}
		say(d, contact.In)
		say(c, contact.Out)
		w.must(w.merge(b, d))
		w.must(w.merge(b, c)) // a refusal stands, until c is apart again
		apart(b)
		apart(b)
		if n := w.count("SELECT COUNT(*) FROM consent_log WHERE tenant_id=? AND contact_id=?", b); n != 0 {
			w.Errorf("%d rows of the log stay with somebody who never said anything", n)
		}
		say(b, contact.In) // a first word, behind no log
		wholeness(w, w.Errorf)
		w.must(w.merge(b, d))
		w.must(w.merge(c, b))
		wholeness(w, w.Errorf)
		apart(c)
	})
}

// Merges at the same time, in any order and of any pairs, end in one contact for
// each group that they connect, and lose nothing.
func TestMergesAtTheSameTimeEndAlike(t *testing.T) {
	each(t, func(w world) {
		w.follow()
		rounds := 12
		if testing.Short() {
			rounds = 3
		}
		for round := range rounds {
			const people = 12
			var ids [people]id.ID
			for i := range ids {
				ids[i] = w.must(w.create(contact.New{FirstName: "n", Phone: fmt.Sprintf("9%03d0000%02d", round, i), Email: fmt.Sprint(round, ".", i, "@x.de")})).ID
			}
			// i is joined with i+2: two groups, the even and the odd.
			crowd(people*4, func(i int) {
				n := (i*7 + round) % people
				var err error
				switch {
				case i%4 == 3:
					_, err = w.note(ids[n], "during")
				case i%4 == 2:
					err = w.toy(ids[n])
				case n+2 < people:
					_, err = w.merge(ids[n], ids[n+2])
				default:
					_, err = w.merge(ids[n], ids[n%2])
				}
				if err != nil {
					w.Error(err)
				}
			})
			for i := range people {
				w.must(w.merge(ids[i], ids[(i+2)%people])) // whatever pair the crowd did not draw
			}
			for i := range people {
				if c := w.reads(ids[i]); c.ID != ids[i%2] || len(c.Identities) != people {
					w.Errorf("%d of round %d leads to %s with %d identities, not to %s", i, round, c.ID, len(c.Identities), ids[i%2])
				}
			}
			wholeness(w, w.Errorf)
		}
	}, storetest.Once())
}

// Merges and unmerges beside every other change keep contacts whole.
func TestMergesBesideEverythingElse(t *testing.T) {
	each(t, func(w world) {
		w.follow()
		var ids [6]id.ID
		for i := range ids {
			ids[i] = w.must(w.create(contact.New{FirstName: "n", Phone: fmt.Sprint("900000000", i), Email: fmt.Sprint(i, "@x.de")})).ID
		}
		expected := func(err error) bool {
			return err == nil || isFault(err, fault.Conflict) || isFault(err, fault.Invalid) || isFault(err, fault.Unavailable)
		}
		crowd(600, func(i int) {
			var err error
			switch i % 6 {
			case 0:
				_, err = w.merge(ids[i/6%6], ids[(i/6*5+1)%6])
			case 1:
				_, _, err = w.s.Unmerge(bg, w.tenant, actor, ids[i/6%6])
			case 2:
				_, _, err = w.update(ids[i/6%6], contact.Patch{Phone: ptr(fmt.Sprint("900000000", i%7)), Email: ptr(fmt.Sprint(i%5, "@x.de"))})
			case 3:
				_, err = w.activity(ids[i/6%6])
			case 4:
				_, err = w.consent(ids[i/6%6], contact.Consent{Channel: "whatsapp", State: []string{contact.In, contact.Out}[i/6%2], Source: "x"})
			case 5:
				_, err = w.create(contact.New{FirstName: "z", Phone: fmt.Sprint("900000000", i%9)})
			}
			if !expected(err) {
				w.Error(err)
			}
		})
		wholeness(w, w.Errorf)
	}, storetest.Once())
}

func isFault(err error, code fault.Code) bool {
	return fault.As(err) != nil && fault.As(err).Code == code
}

// A merge takes a survivor up again that was put away, and tells it; taken back, it
// tells the opposite.
func TestUnmergeTellsWhoIsPutAwayAgain(t *testing.T) {
	each(t, func(w world) {
		a := w.must(w.create(contact.New{FirstName: "A", Phone: "9000000001"}))
		b := w.must(w.create(contact.New{FirstName: "B", Phone: "9000000002"}))
		w.must(w.archive(a.ID))
		w.must(w.merge(a.ID, b.ID))
		if _, _, err := w.s.Unmerge(bg, w.tenant, actor, a.ID); err != nil {
			t.Fatal(err)
		}
		want := []string{"contact.created", "contact.archived", "contact.unarchived", "contact.merged from:" + b.ID.String(), "contact.archived", "contact.unmerged restored:" + b.ID.String()}
		if diff := cmp.Diff(want, w.events(a.ID)); diff != "" {
			t.Error(diff)
		}
	})
}
