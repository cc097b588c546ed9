package event_test

import (
	"database/sql"
	"fmt"
	"testing"

	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// Many events at once are in the feed, and owed to the reactors, like one.
func TestAppendManyIsAppend(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, reactor := range []bool{false, true} {
			log, tenant := event.NewLog(), id.New()
			kind := ""
			if reactor {
				kind = log.Register(event.Reactor{Name: "one", Types: []string{"a.*"}, Wants: func(_ *store.Tx, e event.Event) (bool, error) { return e.Type == "a.b", nil }})
			}
			var news []event.New
			for i := range 333 {
				news = append(news, event.New{Type: []string{"a.b", "a.c", "d.e"}[i%3], Subject: id.New(), Contact: id.New(), Actor: "system", Changed: []string{fmt.Sprint(i)}})
			}
			if err := db.Write(bg, tenant, func(tx *store.Tx) error { return log.AppendMany(tx, news) }); err != nil {
				t.Fatal(err)
			}
			list, err := event.After(db.Read(bg, tenant), event.Cursor{}, 1000)
			if err != nil || len(list) != len(news) {
				t.Fatal(len(list), err)
			}
			places := map[string]string{}
			for i, e := range list {
				if e.Subject != news[i].Subject || e.Contact != news[i].Contact || e.Type != news[i].Type || e.Changed[0] != fmt.Sprint(i) {
					t.Fatalf("%d: %+v", i, e)
				}
				if e.Type == "a.b" {
					places[e.Subject.String()] = e.Cursor.String()
				}
			}
			if !reactor {
				continue
			}
			rows, err := db.Read(bg, tenant).Query("SELECT args FROM job WHERE tenant_id=? AND kind=?", kind)
			jobs, err := store.Collect(rows, err, scanEvent)
			if err != nil || len(jobs) != 111 {
				t.Fatal(len(jobs), err)
			}
			for _, e := range jobs {
				if places[e.Subject.String()] != e.Cursor.String() {
					t.Errorf("a job was told %s of %s, the feed says %s", e.Cursor, e.Subject, places[e.Subject.String()])
				}
			}
		}
		log := event.NewLog()
		if err := db.Write(bg, id.New(), func(tx *store.Tx) error { return log.AppendMany(tx, []event.New{{Type: "a.b"}}) }); err == nil {
			t.Error("an event without a subject must be refused")
		}
	})
}

func scanEvent(rows *sql.Rows) (e event.Event, err error) { return e, rows.Scan(store.JSON(&e)) }
