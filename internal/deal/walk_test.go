package deal_test

import (
	"database/sql"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/id"
	"parley/internal/store"
)

// walk walks with pages of a size, and checks that each goes on where the one
// before it ended.
func (w world) walk(limit int, archived bool) (all []deal.Row) {
	w.Helper()
	after := id.Zero
	for {
		page, err := w.s.Walk(bg, w.tenant, after, limit, archived)
		if err != nil {
			w.Fatal(err)
		}
		if len(page) == 0 {
			return all
		}
		for _, r := range page {
			if strings.Compare(after.String(), r.ID.String()) >= 0 {
				w.Fatalf("%s comes after %s", r.ID, after)
			}
			after = r.ID
		}
		if len(page) > limit {
			w.Fatalf("a page of %d rows, wanted %d", len(page), limit)
		}
		all = append(all, page...)
	}
}

// A walk shows of every contact what its card shows.
func TestWalk(t *testing.T) {
	each(t, func(w world) {
		p, err := w.s.Pipelines(bg, w.tenant)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 23 {
			n := deal.NewCard{New: person(fmt.Sprint("Person ", i), fmt.Sprint(9000000000+i)), Stage: p[0].Stages[i%3].ID}
			if i%2 == 0 {
				n.Email, n.Tags = fmt.Sprint("p", i, "@x.de"), []string{"b", "a"}
			}
			if i%5 == 0 {
				n.Value, n.Title, n.Currency, n.AssignedTo, n.Source = ptr(float64(i)+.25), "Roof", "EUR", "ag", "csv"
				n.Refs, n.Extra, n.Attributes = map[string]string{"orderId": "O"}, map[string]any{"k": []any{"v", 1.0}}, map[string]any{"size": "L", "n": nil}
			}
			w.create(n)
		}
		bare, err := store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (contact.Contact, error) { // no deal
			return w.people.CreateIn(tx, actor, contact.New{FirstName: "Bare", Email: "bare@x.de", Tags: []string{"z"}})
		})
		if err != nil {
			t.Fatal(err)
		}
		away := w.create(deal.NewCard{New: contact.New{FirstName: "Away", Phone: "9111111111", Email: "away@x.de", Tags: []string{"gone"}}})
		w.must(w.s.Archive(bg, w.tenant, actor, away.Contact.ID))
		last := w.create(deal.NewCard{New: person("Last", "9111111112")})
		second := w.create(deal.NewCard{New: person("Last", "9111111113")})
		other, err := store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (contact.Contact, error) { // a second phone is not exported
			return w.people.MergeIn(tx, actor, last.Contact.ID, second.Contact.ID)
		})
		if err != nil {
			t.Fatal(err)
		}

		want := map[id.ID]deal.Row{}
		for _, limit := range []int{1, 4, 25, deal.WalkLimit, 0} {
			all := w.walk(max(limit, 1), true)
			if len(all) != 26 {
				t.Fatalf("%d rows with pages of %d", len(all), limit)
			}
			for _, r := range all {
				if old, seen := want[r.ID]; seen && !reflect.DeepEqual(old, r) {
					t.Errorf("pages of %d: %+v, before %+v", limit, r, old)
				}
				want[r.ID] = r
			}
		}
		for cid, r := range want {
			c := w.card(cid)
			if s := same(r, c); s != "" {
				t.Errorf("%s: %s\n%+v\n%+v", r.FirstName, s, r, c)
			}
		}
		if r := want[bare.ID]; r.Stage != "" || r.Pipeline != "" || r.Status != deal.Open || r.Currency != "INR" || !slices.Equal(r.Tags, []string{"z"}) {
			t.Errorf("without a deal: %+v", r)
		}
		if r := want[other.ID]; r.Phone != "919111111112" {
			t.Errorf("with two phones: %+v", r)
		}
		if r := want[away.Contact.ID]; r.Status != deal.Archived || !slices.Equal(r.Tags, []string{"gone"}) {
			t.Errorf("archived: %+v", r)
		}
		for _, limit := range []int{1, 3, 100} { // rows of the one left out are passed over
			rest := w.walk(limit, false)
			if len(rest) != 25 {
				t.Errorf("%d rows without archived ones", len(rest))
			}
			for _, r := range rest {
				if r.ID == away.Contact.ID || !reflect.DeepEqual(r, want[r.ID]) {
					t.Errorf("%+v", r)
				}
			}
		}
		if page, err := w.s.Walk(bg, id.New(), id.Zero, 10, true); err != nil || len(page) != 0 {
			t.Errorf("another tenant sees %+v, %v", page, err)
		}
	})
}

// same tells what of a row is not as on the card.
func same(r deal.Row, c deal.Card) string {
	p, d := c.Contact, c.Deal
	status := d.Status
	if p.Archived() {
		status = deal.Archived
	}
	for what, v := range map[string][2]any{
		"name": {r.FirstName + "|" + r.LastName, p.FirstName + "|" + p.LastName}, "phone": {r.Phone, p.Phone()}, "email": {r.Email, p.Email()},
		"source": {r.Source, p.Source}, "assignedTo": {r.AssignedTo, p.AssignedTo}, "tags": {strings.Join(r.Tags, ";"), strings.Join(p.Tags, ";")},
		"refs": {fmt.Sprint(r.Refs), fmt.Sprint(p.Refs)}, "extra": {fmt.Sprint(r.Extra), fmt.Sprint(p.Extra)}, "attributes": {fmt.Sprint(r.Attributes), fmt.Sprint(p.Attributes)},
		"pipeline": {r.Pipeline, c.Pipeline.Name}, "stage": {r.Stage, c.Stage.Name}, "status": {r.Status, status}, "value": {r.Value, d.Value},
		"currency": {r.Currency, d.Currency}, "title": {r.Title, d.Title}, "score": {r.Score, p.Score},
		"createdAt": {r.CreatedAt.Format(time.RFC3339Nano), p.CreatedAt.Format(time.RFC3339Nano)}, "updatedAt": {r.UpdatedAt.Format(time.RFC3339Nano), p.UpdatedAt.Format(time.RFC3339Nano)},
	} {
		if v[0] != v[1] {
			return fmt.Sprintf("%s is %v, on the card %v", what, v[0], v[1])
		}
	}
	return ""
}

// A trial tells what an import would do, and leaves nothing behind.
func TestTryImport(t *testing.T) {
	each(t, func(w world) {
		old := w.create(deal.NewCard{New: person("Old", "9000000000")})
		rows := []deal.NewCard{{New: person("Changed", "9000000000")}, {New: person("New", "9000000001"), Value: ptr(7.5)}, {New: person("Bad", "x")}, {New: person("Twin", "9000000001")}}
		before := fmt.Sprint(w.facts())
		for range 2 {
			res, err := w.s.TryImport(bg, w.tenant, actor, rows)
			if err != nil || res.Created != 1 || res.Updated != 2 || res.Failed != 1 || len(res.Errors) != 1 || res.Errors[0].Row != 2 || res.Errors[0].Field != "phone" {
				t.Fatalf("%+v %v", res, err)
			}
			if after := fmt.Sprint(w.facts()); after != before {
				t.Errorf("left behind: %s, before %s", after, before)
			}
		}
		if c := w.card(old.Contact.ID); c.Contact.FirstName != "Old" {
			t.Errorf("%+v", c)
		}
		res, err := w.s.Import(bg, w.tenant, actor, rows)
		if err != nil || res.Created != 1 || res.Updated != 2 || res.Failed != 1 {
			t.Errorf("in earnest: %+v %v", res, err)
		}
		w.sound(t)
	})
}

// facts counts the rows that an import writes, and what is tallied.
func (w world) facts() (out []int) {
	for _, q := range []string{"SELECT COUNT(*) FROM contact WHERE tenant_id=?", "SELECT COUNT(*) FROM identity WHERE tenant_id=?", "SELECT COUNT(*) FROM contact_word WHERE tenant_id=?",
		"SELECT COUNT(*) FROM deal WHERE tenant_id=?", "SELECT COUNT(*) FROM deal_stage WHERE tenant_id=?", "SELECT COUNT(*) FROM event WHERE tenant_id=?",
		"SELECT CAST(COALESCE(SUM(deals),0) AS INTEGER) FROM deal_tally WHERE tenant_id=?", "SELECT CAST(COALESCE(SUM(whole),0) AS INTEGER) FROM deal_tally WHERE tenant_id=?"} {
		var n int
		if err := w.db.Read(bg, w.tenant).QueryRow(q).Scan(&n); err != nil {
			w.Fatal(err)
		}
		out = append(out, n)
	}
	return out
}

// A batch adds to the tally what the trigger would have added deal by deal, to
// the last millionth, and the trigger counts again afterwards.
func TestImportsAreTallied(t *testing.T) {
	each(t, func(w world) {
		p, err := w.s.Pipelines(bg, w.tenant)
		if err != nil {
			t.Fatal(err)
		}
		values := []float64{0, 1, 1.5, 0.1, 0.2, 19.99, 1e15, 999999999999.999999, 0.0000005, 0.00000049999999999999994, 0.9999999, 4503599627370495.5 / 10, 1e-300, 123456.7890125}
		var rows, one []deal.NewCard
		for i, v := range values {
			rows = append(rows, deal.NewCard{New: person("Many", fmt.Sprint(9000000000+i)), Value: ptr(v), Stage: p[0].Stages[i%6].ID})
			one = append(one, deal.NewCard{New: person("One", fmt.Sprint(9100000000+i)), Value: ptr(v), Stage: p[0].Stages[i%6].ID})
		}
		tally := func() string {
			rows, err := w.db.Read(bg, w.tenant).Query("SELECT stage_id || status || ' ' || SUM(deals) || ' ' || SUM(primaries) || ' ' || SUM(whole) || ' ' || SUM(millionths) FROM deal_tally WHERE tenant_id=? GROUP BY stage_id, status ORDER BY 1")
			list, err := store.Collect(rows, err, scanText)
			if err != nil {
				t.Fatal(err)
			}
			return strings.Join(list, "\n")
		}
		if res, err := w.s.Import(bg, w.tenant, actor, rows); err != nil || res.Created != len(rows) {
			t.Fatal(res, err)
		}
		many := tally()
		w.sound(t)
		for _, n := range rows { // what the triggers take away must be what the batch added
			c, err := w.s.CardByPhone(bg, w.tenant, n.Phone)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
				_, err := tx.Exec("DELETE FROM deal WHERE tenant_id=? AND id=?", c.Deal.ID)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		for _, line := range strings.Split(tally(), "\n") {
			if _, sums, _ := strings.Cut(line, " "); sums != "0 0 0 0" {
				t.Errorf("taken away again: %s", line)
			}
		}
		for _, n := range one {
			w.create(n)
		}
		if single := tally(); single != many {
			t.Errorf("one by one\n%s\ntogether\n%s", single, many)
		}
	})
}

func scanText(rows *sql.Rows) (s string, err error) { return s, rows.Scan(&s) }
