package platform_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"parley/internal/id"
	"parley/internal/store"
	"parley/test/platformtest"
)

// A list of leads that breaks off leaves nothing behind under an idempotency key:
// the repeated call stores all of them, and finds none of its own in the way.
func TestAListOfLeadsThatBrokeOffIsRepeated(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c := r.NewTenant("Acme")
		const body = `[{"firstName":"A","phone":"9876500001"},{"firstName":"B","phone":"9876500002"}]`
		for _, path := range []string{"/api/saas/crm/leads", "/api/saas/crm/leads/bulk"} {
			if a := c.Do("POST", path, `[{"firstName":"0","phone":"9876500000"}]`, "Idempotency-Key", "warm"); a.Status != 201 {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			again := refusePhone(t, r.DB, "919876500002")
			if a := c.Do("POST", path, body, "Idempotency-Key", "once"); a.Status != 500 {
				t.Fatalf("%s: a database that refuses answered %d %s", path, a.Status, a.Body)
			}
			again()
			a := c.Do("POST", path, body, "Idempotency-Key", "once")
			if a.Status != 201 || a.Str(t, "data.1.firstName") != "B" {
				t.Errorf("%s: the repeated call answered %d %s", path, a.Status, a.Body)
			}
			c = r.NewTenant("Other")
		}
	})
}

// Lists of the same people, each in another order and each one transaction, do not
// wait for each other in a circle: one is stored, the others are told who was faster.
func TestListsOfTheSamePeople(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c := r.NewTenant("Acme")
		for _, path := range []string{"/api/saas/crm/leads", "/api/saas/crm/leads/bulk"} {
			const people, lists = 20, 8
			statuses := make(chan int, lists)
			for l := range lists {
				go func() {
					var all []string
					for i := range people {
						all = append(all, fmt.Sprintf(`{"firstName":"A","phone":"98765%05d"}`, (7*i+3*l)%people))
					}
					if l%2 == 1 {
						slices.Reverse(all)
					}
					statuses <- c.Do("POST", path, "["+strings.Join(all, ",")+"]", "Idempotency-Key", fmt.Sprint("list ", l)).Status
				}()
			}
			got := map[int]int{}
			for range lists {
				got[<-statuses]++
			}
			if got[201] != 1 || got[409] != lists-1 {
				t.Errorf("%s: %v", path, got)
			}
			c = r.NewTenant("Other")
		}
		// The order in which they are stored does not follow the list.
		a := c.Do("POST", "/api/saas/crm/leads", `[{"firstName":"A","phone":"9876500001"},{"firstName":"B","phone":"9876500002"},{"firstName":"C","phone":"9876500000"}]`)
		if first, second, third := a.Str(t, "data.0.id"), a.Str(t, "data.1.id"), a.Str(t, "data.2.id"); second >= first || first >= third {
			t.Errorf("the greatest phone comes first, not %s, %s, %s", first, second, third)
		}
	})
}

// refusePhone makes the database refuse to store a phone, as one that goes away
// in the middle does, until the returned function is called.
func refusePhone(t *testing.T, db *store.DB, phone string) (again func()) {
	make := []string{`CREATE TRIGGER phone_refused BEFORE INSERT ON identity WHEN NEW.value='` + phone + `' BEGIN SELECT RAISE(ABORT, 'away'); END`}
	drop := []string{"DROP TRIGGER IF EXISTS phone_refused"}
	if db.Dialect() == store.Postgres {
		make = []string{`CREATE FUNCTION phone_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'away'; END $$`,
			`CREATE TRIGGER phone_refused BEFORE INSERT ON identity FOR EACH ROW WHEN (NEW.value='` + phone + `') EXECUTE FUNCTION phone_refuse()`}
		drop = []string{"DROP TRIGGER IF EXISTS phone_refused ON identity", "DROP FUNCTION IF EXISTS phone_refuse"}
	}
	change := func(list []string) {
		for _, q := range list {
			if err := db.Write(context.Background(), id.Zero, func(tx *store.Tx) error { _, err := tx.System().Exec(q); return err }); err != nil {
				t.Fatalf("%s: %v", q, err)
			}
		}
	}
	change(make)
	again = func() { change(drop) }
	t.Cleanup(again) // the database is used again
	return again
}
