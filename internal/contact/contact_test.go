package contact_test

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

func TestCreateKeepsEverything(t *testing.T) {
	each(t, func(w world) {
		c := w.must(w.create(contact.New{FirstName: " Asha ", LastName: "Rao", Phone: "98765 43210", Email: "Asha@Example.COM", Source: "website", AssignedTo: "u1",
			Tags: []string{"vip", "new", "vip", " "}, Refs: map[string]string{"orderId": "ORD-123"},
			Extra: map[string]any{"utm": "x", "n": 1, "gone": nil, "list": []any{"a", 2.5}}, Attributes: map[string]any{"size": "L"}}))
		if c.Name() != "Asha Rao" || c.Phone() != "919876543210" || c.Email() != "asha@example.com" || c.Source != "website" || c.AssignedTo != "u1" {
			w.Errorf("%+v", c)
		}
		if !slices.Equal(c.Tags, []string{"new", "vip"}) || c.Identities[0].Raw != "98765 43210" || c.Identities[1].Raw != "Asha@Example.COM" {
			w.Errorf("%+v", c)
		}
		if diff := cmp.Diff(c, w.reads(c.ID)); diff != "" {
			w.Errorf("what was answered is not what is stored: %s", diff)
		}
		if got := w.events(c.ID); !slices.Equal(got, []string{"contact.created"}) {
			w.Error(got)
		}
		if o := w.must(w.create(contact.New{FirstName: "O", Phone: "12345"})); o.Source != "other" || o.Phone() != "12345" {
			w.Errorf("%+v", o)
		}
		for _, find := range [][2]string{{contact.Phone, "919876543210"}, {contact.Email, "asha@example.com"}} {
			got, ok, err := w.s.Find(w.db.Read(bg, w.tenant), find[0], find[1])
			if err != nil || !ok || got.ID != c.ID {
				w.Errorf("find %v: %v %v %v", find, got.ID, ok, err)
			}
			if _, ok, _ := w.s.Find(w.db.Read(bg, id.New()), find[0], find[1]); ok {
				w.Error("another tenant finds it")
			}
		}
		if _, err := w.s.Get(w.db.Read(bg, id.New()), c.ID); !errors.Is(err, fault.Of(fault.NotFound)) {
			w.Errorf("another tenant reads it: %v", err)
		}
	})
}

func TestBadInputNamesItsField(t *testing.T) {
	each(t, func(w world) {
		ok := w.must(w.create(contact.New{Phone: "9000000001", Email: "ok@example.com"}))
		long := strings.Repeat("é", 201)
		many := make([]string, 101)
		for i := range many {
			many[i] = fmt.Sprint("t", i)
		}
		big := map[string]any{"k": strings.Repeat("x", 64<<10)}
		for i, x := range []struct {
			field string
			n     contact.New
		}{
			{"phone", contact.New{FirstName: "x"}}, {"phone", contact.New{Phone: "no digits"}}, {"phone", contact.New{Phone: "12345\x006789"}}, {"phone", contact.New{Phone: strings.Repeat("9", 65)}},
			{"email", contact.New{Phone: "1", Email: "a b@c"}}, {"email", contact.New{Phone: "1", Email: "a@b@c"}}, {"email", contact.New{Phone: "1", Email: "nobody"}}, {"email", contact.New{Phone: "1", Email: strings.Repeat("x", 250) + "@a.de"}},
			{"email", contact.New{Phone: "1", Email: "a@b\x00"}}, {"email", contact.New{Phone: "1", Email: "\xff@b.c"}},
			{"firstName", contact.New{Phone: "1", FirstName: long}}, {"lastName", contact.New{Phone: "1", LastName: "a\x00"}}, {"firstName", contact.New{Phone: "1", FirstName: "\xff"}},
			{"source", contact.New{Phone: "1", Source: long}}, {"assignedTo", contact.New{Phone: "1", AssignedTo: long}},
			{"tags", contact.New{Phone: "1", Tags: []string{strings.Repeat("x", 65)}}}, {"tags", contact.New{Phone: "1", Tags: many}},
			{"refs", contact.New{Phone: "1", Refs: map[string]string{"": "x"}}}, {"refs.a", contact.New{Phone: "1", Refs: map[string]string{"a": strings.Repeat("x", 501)}}},
			{"extra", contact.New{Phone: "1", Extra: big}}, {"extra", contact.New{Phone: "1", Extra: map[string]any{"a": []any{map[string]any{"b": "\x00"}}}}},
			{"attributes", contact.New{Phone: "1", Attributes: map[string]any{"f": math.NaN()}}}, {"attributes", contact.New{Phone: "1", Attributes: map[string]any{"a\x00": 1}}},
		} {
			_, err := w.create(x.n)
			if f := w.wantFault(err, fault.Invalid, x.field); f.Message == "" {
				w.Errorf("case %d", i)
			}
		}
		for _, x := range []struct {
			field string
			p     contact.Patch
		}{
			{"score", contact.Patch{Score: ptr(101)}}, {"score", contact.Patch{Score: ptr(-1)}}, {"phone", contact.Patch{Phone: ptr("x")}}, {"email", contact.Patch{Email: ptr("x")}},
			{"firstName", contact.Patch{FirstName: &long}}, {"extra", contact.Patch{Extra: big}}, {"refs", contact.Patch{Refs: map[string]*string{" ": ptr("x")}}},
		} {
			_, _, err := w.update(ok.ID, x.p)
			w.wantFault(err, fault.Invalid, x.field)
		}
		_, err := w.tag(ok.ID, many[:100], nil)
		if err != nil {
			w.Error(err)
		}
		_, err = w.tag(ok.ID, []string{"onemore"}, nil)
		w.wantFault(err, fault.Invalid, "tags")
		if _, err = w.tag(ok.ID, []string{"onemore"}, []string{"t5"}); err != nil {
			w.Errorf("one for one: %v", err)
		}
	})
}

func TestUpdateChangesWhatDiffers(t *testing.T) {
	each(t, func(w world) {
		c := w.must(w.create(contact.New{FirstName: "A", Phone: "9876543210", Refs: map[string]string{"a": "1", "b": "2"}, Extra: map[string]any{"x": 1.0, "y": map[string]any{"z": 1.0}}}))
		at := time.Date(2026, 5, 1, 10, 0, 0, 123456789, time.UTC)
		got, changed, err := w.update(c.ID, contact.Patch{FirstName: ptr("B"), LastName: ptr(""), Email: ptr(" B@x.de "), Refs: map[string]*string{"a": nil, "b": ptr("2"), "c": ptr("3"), "never": nil},
			Extra: map[string]any{"x": 1, "y": map[string]any{"z": 2}, "none": nil}, Attributes: map[string]any{"size": "M"}, Score: ptr(40), LastContactedAt: &at})
		if err != nil {
			w.Fatal(err)
		}
		if want := []string{"firstName", "score", "lastContactedAt", "refs.a", "refs.c", "extra.y", "attributes.size", "email"}; !slices.Equal(changed, want) {
			w.Errorf("changed %v, want %v", changed, want)
		}
		if diff := cmp.Diff(got, w.reads(c.ID)); diff != "" {
			w.Error(diff)
		}
		if got.Email() != "b@x.de" || got.Score != 40 || !reflect.DeepEqual(got.Refs, map[string]string{"b": "2", "c": "3"}) {
			w.Errorf("%+v", got)
		}
		before := w.events(c.ID)
		if want := "contact.updated " + strings.Join(changed, " "); !slices.Equal(before, []string{"contact.created", want}) {
			w.Error(before)
		}
		again, changed, err := w.update(c.ID, contact.Patch{FirstName: ptr("B"), Phone: ptr("+91 98765-43210"), Email: ptr("b@X.de"), Score: ptr(40), Extra: map[string]any{"y": map[string]any{"z": 2.0}}})
		if err != nil || len(changed) != 0 || again.UpdatedAt != got.UpdatedAt || !slices.Equal(w.events(c.ID), before) {
			w.Errorf("nothing changed, but: %v, %v", changed, err)
		}
		if _, _, err := w.update(id.New(), contact.Patch{}); !errors.Is(err, fault.Of(fault.NotFound)) {
			w.Error(err)
		}
	})
}

func TestIdentitiesMoveAndStayFindable(t *testing.T) {
	each(t, func(w world) {
		a := w.must(w.create(contact.New{FirstName: "A", Phone: "9000000001", Email: "shared@x.de"}))
		b := w.must(w.create(contact.New{FirstName: "B", Phone: "9000000002", Email: "shared@x.de"}))
		if b.Identities[1].Claimed || b.Email() != "shared@x.de" {
			w.Errorf("b's e-mail should be unclaimed: %+v", b.Identities)
		}
		_, _, err := w.update(b.ID, contact.Patch{Phone: ptr("+919000000001")})
		if f := w.wantFault(err, fault.Conflict, "phone"); f.Reason != "phone" || f.Details["contactId"] != a.ID.String() {
			w.Errorf("%+v", f)
		}
		// B cannot lose its only claimed identity, nor can A.
		_, _, err = w.update(b.ID, contact.Patch{Phone: ptr("")})
		w.wantFault(err, fault.Invalid, "phone")
		e := w.must(w.create(contact.New{FirstName: "E", Email: "only@x.de"}))
		_, _, err = w.update(e.ID, contact.Patch{Email: ptr("")})
		w.wantFault(err, fault.Invalid, "email")
		_, _, err = w.update(e.ID, contact.Patch{Email: ptr("shared@x.de")})
		w.wantFault(err, fault.Conflict, "email")
		_, err = w.create(contact.New{Email: "ONLY@x.de"})
		if f := w.wantFault(err, fault.Conflict, "email"); f.Details["contactId"] != e.ID.String() {
			w.Errorf("%+v", f)
		}
		// A gives both up in one patch for another pair; B may then claim.
		if a, _, err = w.update(a.ID, contact.Patch{Phone: ptr(""), Email: ptr("a@x.de")}); err != nil || a.Phone() != "" || a.Email() != "a@x.de" {
			w.Fatalf("%+v, %v", a, err)
		}
		if b, _, err = w.update(b.ID, contact.Patch{Email: ptr("shared@x.de")}); err != nil || !b.Identities[1].Claimed {
			w.Errorf("%+v, %v", b.Identities, err)
		}
		if b, _, err = w.update(b.ID, contact.Patch{Phone: ptr("9000000001")}); err != nil || b.Phone() != "919000000001" {
			w.Errorf("%+v, %v", b, err)
		}
		if diff := cmp.Diff(b, w.reads(b.ID)); diff != "" {
			w.Error(diff)
		}
		if _, ok, _ := w.s.Find(w.db.Read(bg, w.tenant), contact.Phone, "919000000002"); ok {
			w.Error("the given up phone is still claimed")
		}
		var name string
		if err := w.db.Read(bg, w.tenant).QueryRow("SELECT search_name FROM contact WHERE tenant_id=? AND id=?", b.ID).Scan(&name); err != nil || name != "b 919000000001 shared@x.de" {
			w.Errorf("search name %q, %v", name, err)
		}
	})
}

func TestArchivedPeopleComeBack(t *testing.T) {
	each(t, func(w world) {
		c := w.must(w.create(contact.New{FirstName: "A", Phone: "9000000001", Tags: []string{"old"}}))
		for range 2 {
			if got := w.must(w.archive(c.ID)); !got.Archived() {
				w.Error("not archived")
			}
		}
		back := w.must(w.create(contact.New{FirstName: "B", Phone: "+919000000001", Source: "import", Tags: []string{"new", "old"}, Refs: map[string]string{"k": "v"}}))
		if back.ID != c.ID || back.Archived() || back.FirstName != "B" || !slices.Equal(back.Tags, []string{"new", "old"}) {
			w.Errorf("%+v", back)
		}
		if diff := cmp.Diff(back, w.reads(c.ID)); diff != "" {
			w.Error(diff)
		}
		_, err := w.create(contact.New{FirstName: "C", Phone: "9000000001"})
		if f := w.wantFault(err, fault.Conflict, "phone"); f.Details["contactId"] != c.ID.String() {
			w.Errorf("%+v", f)
		}
		w.must(w.archive(c.ID))
		type ensured struct {
			contact.Contact
			created bool
		}
		ens, err := store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (ensured, error) {
			got, created, err := w.s.EnsureIn(tx, actor, contact.New{FirstName: "D", Phone: "9000000001", Tags: []string{"x"}})
			return ensured{got, created}, err
		})
		if err != nil || ens.created || ens.ID != c.ID || ens.Archived() || ens.FirstName != "B" || len(ens.Tags) != 2 {
			w.Errorf("%+v, %v", ens, err)
		}
		want := []string{"contact.created", "contact.archived", "contact.unarchived", "contact.updated firstName source refs.k", "contact.tag_added tag:new", "contact.archived", "contact.unarchived"}
		if got := w.events(c.ID); !slices.Equal(got, want) {
			w.Errorf("%q", got)
		}
	})
}

func TestOneEventPerTagThatChanged(t *testing.T) {
	each(t, func(w world) {
		c := w.must(w.create(contact.New{Phone: "9000000001", Tags: []string{"a", "b"}}))
		got := w.must(w.tag(c.ID, []string{"a", "c", "c", "both"}, []string{"b", "nothing", "both"}))
		if !slices.Equal(got.Tags, []string{"a", "c"}) || !slices.Equal(w.reads(c.ID).Tags, got.Tags) {
			w.Error(got.Tags)
		}
		w.must(w.tag(c.ID, []string{"a"}, []string{"b"}))
		if got := w.events(c.ID); !slices.Equal(got, []string{"contact.created", "contact.tag_added tag:c", "contact.tag_removed tag:b"}) {
			w.Error(got)
		}
		if _, err := w.tag(id.New(), []string{"a"}, nil); !errors.Is(err, fault.Of(fault.NotFound)) {
			w.Error(err)
		}
	})
}

func TestTimelineConsentAndTouch(t *testing.T) {
	each(t, func(w world) {
		c := w.must(w.create(contact.New{Phone: "9000000001"}))
		in := func(f func(tx *store.Tx) error) error { return w.db.Write(bg, w.tenant, f) }
		for i := range 5 {
			if err := in(func(tx *store.Tx) error {
				_, err := w.s.AddActivityIn(tx, contact.Activity{Contact: c.ID, Type: "call_logged", Title: fmt.Sprint("call ", i), Metadata: map[string]any{"n": i}})
				return err
			}); err != nil {
				w.Fatal(err)
			}
		}
		list, total, err := w.s.Timeline(bg, w.tenant, c.ID, 2, 2)
		if err != nil || total != 5 || len(list) != 2 || list[0].Title != "call 2" || list[0].PerformedBy != "system" || list[1].Metadata["n"] != 1.0 {
			w.Errorf("%+v, %d, %v", list, total, err)
		}
		if list, total, err := w.s.Timeline(bg, w.tenant, c.ID, 1_000_000_000, 1000); err != nil || len(list) != 0 || total != 5 {
			w.Errorf("a page past the end: %v %d %v", list, total, err)
		}
		_, _, err = w.s.Timeline(bg, w.tenant, c.ID, 1, 1001)
		w.wantFault(err, fault.Invalid, "limit")
		_, _, err = w.s.Timeline(bg, w.tenant, c.ID, -1, 10)
		w.wantFault(err, fault.Invalid, "page")
		for _, err := range []error{
			in(func(tx *store.Tx) error {
				_, err := w.s.AddActivityIn(tx, contact.Activity{Contact: id.New(), Type: "x"})
				return err
			}),
			in(func(tx *store.Tx) error {
				return said(w.s.ConsentIn(tx, id.New(), contact.Consent{Channel: "whatsapp", State: contact.Out}))
			}),
			in(func(tx *store.Tx) error { return w.s.TouchIn(tx, id.New(), tx.Now()) }),
		} {
			if !errors.Is(err, fault.Of(fault.NotFound)) {
				w.Error(err)
			}
		}
		out := func() bool {
			v, err := w.s.Refused(w.db.Read(bg, w.tenant), c.ID, "whatsapp", "")
			if err != nil {
				w.Fatal(err)
			}
			return v
		}
		for _, state := range []string{"in", "out", "out", "in"} {
			if err := in(func(tx *store.Tx) error {
				return said(w.s.ConsentIn(tx, c.ID, contact.Consent{Channel: "whatsapp", State: state, Source: "channel:whatsapp"}))
			}); err != nil || out() != (state == "out") {
				w.Errorf("%s: %v", state, err)
			}
		}
		w.wantFault(in(func(tx *store.Tx) error {
			return said(w.s.ConsentIn(tx, c.ID, contact.Consent{Channel: "whatsapp", State: "maybe"}))
		}), fault.Invalid, "state")
		now := time.UnixMilli(1_800_000_000_000).UTC()
		for _, d := range []time.Duration{0, -time.Hour, time.Minute} {
			if err := in(func(tx *store.Tx) error { return w.s.TouchIn(tx, c.ID, now.Add(d)) }); err != nil {
				w.Error(err)
			}
		}
		if got := w.reads(c.ID).LastContactedAt; !got.Equal(now.Add(time.Minute)) {
			w.Error(got)
		}
		if got := w.events(c.ID); !slices.Equal(got, []string{"contact.created", "contact.opted_out channel:whatsapp purpose:marketing purpose:service", "contact.opted_in channel:whatsapp purpose:marketing purpose:service"}) {
			w.Error(got)
		}
	})
}

func TestFold(t *testing.T) {
	for in, want := range map[string]string{"  Ásha\t RAO ": "asha rao", "İstanbul": "istanbul", "ＡＢＣ": "abc", "Straße": "straße", "": "", "नमस्ते": contact.Fold("नमस्ते")} {
		if got := contact.Fold(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
		if contact.Fold(want) != want {
			t.Errorf("folding %q twice changes it", in)
		}
	}
}

func said(_ bool, err error) error { return err }
