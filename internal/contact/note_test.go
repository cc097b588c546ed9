package contact_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestNotes(t *testing.T) {
	fake := clock.NewFake(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	each(t, func(w world) {
		c := w.must(w.create(contact.New{FirstName: "A", Phone: "9000000001"}))
		other := w.must(w.create(contact.New{FirstName: "B", Phone: "9000000002"}))
		var notes []contact.Note
		for _, text := range []string{"one", "two", " three "} {
			fake.Advance(time.Minute)
			n, err := w.note(c.ID, text)
			if err != nil {
				w.Fatal(err)
			}
			notes = append(notes, n)
		}
		listed := func() (out []string) {
			w.Helper()
			list, total, err := w.s.Notes(bg, w.tenant, c.ID, 1, 10)
			if err != nil || total != len(list) {
				w.Fatal(total, err)
			}
			for _, n := range list {
				out = append(out, n.Content)
			}
			return out
		}
		change := func(f func(tx *store.Tx) error) error { return w.db.Write(bg, w.tenant, f) }
		pin := func(cid, note id.ID, pinned bool) error {
			return change(func(tx *store.Tx) error { _, err := w.s.PinNoteIn(tx, actor, cid, note, pinned); return err })
		}
		if got := listed(); !slices.Equal(got, []string{"three", "two", "one"}) {
			w.Error(got)
		}
		if err := pin(c.ID, notes[0].ID, true); err != nil {
			w.Fatal(err)
		}
		if err := change(func(tx *store.Tx) error {
			n, err := w.s.UpdateNoteIn(tx, actor, c.ID, notes[1].ID, "zwei")
			if err == nil && (n.Content != "zwei" || !n.UpdatedAt.Equal(tx.Now()) || !n.CreatedAt.Equal(notes[1].CreatedAt)) {
				w.Errorf("%+v", n)
			}
			return err
		}); err != nil {
			w.Fatal(err)
		}
		if got := listed(); !slices.Equal(got, []string{"one", "three", "zwei"}) {
			w.Error(got)
		}
		if err := change(func(tx *store.Tx) error { return w.s.DeleteNoteIn(tx, actor, c.ID, notes[2].ID) }); err != nil {
			w.Fatal(err)
		}
		if err := pin(c.ID, notes[0].ID, false); err != nil {
			w.Fatal(err)
		}
		if got := listed(); !slices.Equal(got, []string{"zwei", "one"}) {
			w.Error(got)
		}
		for what, err := range map[string]error{
			"a note of somebody else": pin(other.ID, notes[0].ID, true),
			"a deleted note":          pin(c.ID, notes[2].ID, true),
			"an unknown contact":      pin(id.New(), notes[0].ID, true),
		} {
			if !isFault(err, fault.NotFound) {
				w.Error(what, err)
			}
		}
		for _, bad := range []string{"", "  ", strings.Repeat("x", 64<<10+1), "a\x00b", "\xff"} {
			_, err := w.note(c.ID, bad)
			w.wantFault(err, fault.Invalid, "content")
		}
	}, storetest.Clock(fake))
}

func TestInquiries(t *testing.T) {
	each(t, func(w world) {
		c := w.must(w.create(contact.New{FirstName: "A", Phone: "9000000001"}))
		add := func(q contact.Inquiry) (contact.Inquiry, bool, error) {
			type result struct {
				q  contact.Inquiry
				ok bool
			}
			r, err := store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (result, error) {
				q, ok, err := w.s.AddInquiryIn(tx, actor, q)
				return result{q, ok}, err
			})
			return r.q, r.ok, err
		}
		at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		first, created, err := add(contact.Inquiry{Contact: c.ID, Face: "sales", Kind: "lead", Source: "portal", Key: "portal:7", Data: map[string]any{"price": 5.0}, At: at})
		if err != nil || !created {
			w.Fatal(created, err)
		}
		again, created, err := add(contact.Inquiry{Contact: c.ID, Kind: "lead", Key: "portal:7", Data: map[string]any{"price": 6.0}})
		if err != nil || created || again.ID != first.ID || again.Data["price"] != 5.0 {
			w.Error(again, created, err)
		}
		for range 2 {
			if _, created, err = add(contact.Inquiry{Contact: c.ID, Kind: "form"}); err != nil || !created {
				w.Error(created, err)
			}
		}
		list, total, err := w.s.Inquiries(bg, w.tenant, c.ID, 0, 0)
		if err != nil || total != 3 || len(list) != 3 || list[2].ID != first.ID || list[2].Source != "portal" || list[2].Face != "sales" || !list[2].At.Equal(at) {
			w.Errorf("%+v %d %v", list, total, err)
		}
		_, _, err = add(contact.Inquiry{Contact: c.ID})
		w.wantFault(err, fault.Invalid, "kind")
		_, _, err = add(contact.Inquiry{Contact: c.ID, Kind: "x", Data: map[string]any{"a": "\x00"}})
		w.wantFault(err, fault.Invalid, "data")
		if _, _, err = add(contact.Inquiry{Contact: id.New(), Kind: "x"}); !isFault(err, fault.NotFound) {
			w.Error(err)
		}
	})
}

func TestConsentIsPerPurposeAndLogged(t *testing.T) {
	fake := clock.NewFake(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	each(t, func(w world) {
		c := w.must(w.create(contact.New{FirstName: "A", Phone: "9000000001"}))
		r := w.db.Read(bg, w.tenant)
		say := func(s contact.Consent) bool {
			w.Helper()
			changed, err := w.consent(c.ID, s)
			if err != nil {
				w.Fatal(err)
			}
			return changed
		}
		refused := func(purpose string, want bool) {
			w.Helper()
			if got, err := w.s.Refused(r, c.ID, "whatsapp", purpose); err != nil || got != want {
				w.Errorf("%q refused: %v, %v", purpose, got, err)
			}
		}
		now := fake.Now()
		if !say(contact.Consent{Channel: "whatsapp", Purpose: contact.Marketing, State: contact.Out, Source: "channel:whatsapp"}) {
			w.Error("nothing changed")
		}
		refused(contact.Marketing, true)
		refused(contact.Servicing, false)
		refused("", true)
		fake.Advance(time.Minute)
		for _, s := range []contact.Consent{
			{Channel: "whatsapp", Purpose: contact.Marketing, State: contact.In, Source: "x", At: now.Add(-time.Second)}, // said before
			{Channel: "whatsapp", Purpose: contact.Marketing, State: contact.Out, Source: "y", At: now},                  // the same once more
		} {
			if say(s) {
				w.Errorf("%+v changed something", s)
			}
		}
		if say(contact.Consent{Channel: "whatsapp", Purpose: contact.Marketing, State: contact.Out, Source: "again"}) {
			w.Error("said again is no change")
		}
		if say(contact.Consent{Channel: "whatsapp", Purpose: contact.Marketing, State: contact.In, Source: "late", At: now.Add(time.Second)}) {
			w.Error("an earlier permission must not pass the refusal that was repeated after it")
		}
		fake.Advance(time.Minute)
		if !say(contact.Consent{Channel: "whatsapp", State: contact.In, Source: "web form", Actor: "key:1"}) {
			w.Error("nothing changed")
		}
		refused("", false)
		list, err := w.s.Consents(r, c.ID)
		if err != nil || len(list) != 2 || list[0].Purpose != contact.Marketing || list[1].Purpose != contact.Servicing || list[0].State != contact.In || list[0].Source != "web form" {
			w.Errorf("%+v %v", list, err)
		}
		log, total, err := w.s.ConsentLog(bg, w.tenant, c.ID, 1, 10)
		var told []string
		for _, e := range log {
			told = append(told, e.Purpose+" "+e.State+" "+e.Source+" "+e.Actor)
		}
		if err != nil || total != 4 || !slices.Equal(told, []string{"marketing in web form key:1", "service in web form key:1", "marketing out again system", "marketing out channel:whatsapp channel:whatsapp"}) {
			w.Errorf("%q %d %v", told, total, err)
		}
		if got := w.events(c.ID); !slices.Equal(got, []string{"contact.created", "contact.opted_out channel:whatsapp purpose:marketing", "contact.opted_in channel:whatsapp purpose:marketing"}) {
			w.Error(got)
		}
		for field, bad := range map[string]contact.Consent{"channel": {State: "in"}, "state": {Channel: "x", State: "?"}, "purpose": {Channel: "x", State: "in", Purpose: "?"}} {
			_, err := w.consent(c.ID, bad)
			w.wantFault(err, fault.Invalid, field)
		}
		wholeness(w, w.Errorf)
	}, storetest.Clock(fake))
}
