package segment

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/entity"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/record"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tenant/tenanttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bg = context.Background()

const actor = "key:test"

type world struct {
	testing.TB
	db       *store.DB
	feed     *event.Log
	people   *contact.Service
	cards    *deal.Service
	records  *record.Service
	entities *entity.Service
	s        *Service
	tenant   id.ID
	phones   int
}

func newWorld(t testing.TB, db *store.DB) *world {
	t.Helper()
	tenants, a := tenanttest.New(t, db)
	w := &world{TB: t, db: db, feed: event.NewLog(), tenant: a.ID}
	w.people = contact.NewService(db, w.feed, tenants)
	w.cards = deal.NewService(db, w.feed, w.people, tenants)
	w.records = record.NewService(db, w.feed, w.people)
	w.entities = entity.NewService(db, w.people, w.records)
	w.s = NewService(db, w.feed, w.people, w.entities)
	w.entities.Serve(Schema, w.s)
	return w
}

func each(t *testing.T, f func(w *world), opts ...storetest.Option) {
	storetest.Each(t, func(t *testing.T, db *store.DB) { f(newWorld(t, db)) }, opts...)
}

func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) r() store.Reader { return w.db.Read(bg, w.tenant) }

func (w *world) write(f func(tx *store.Tx) error) {
	w.Helper()
	w.check(w.db.Write(bg, w.tenant, f))
}

// person makes a contact with attributes.
func (w *world) person(attributes map[string]any) id.ID {
	w.Helper()
	w.phones++
	var v id.ID
	w.write(func(tx *store.Tx) error {
		c, err := w.people.CreateIn(tx, actor, contact.New{FirstName: "Asha", Phone: fmt.Sprintf("+4930%07d", w.phones), Attributes: attributes})
		v = c.ID
		return err
	})
	return v
}

// set changes a contact's attributes.
func (w *world) set(v id.ID, attributes map[string]any) {
	w.Helper()
	w.check(w.setErr(v, attributes))
}

func (w *world) setErr(v id.ID, attributes map[string]any) error {
	return w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
		_, _, err := w.people.UpdateIn(tx, actor, v, contact.Patch{Attributes: attributes})
		return err
	})
}

// where is a filter on one attribute.
func where(key string, value any) map[string]any {
	return map[string]any{"filter": map[string]any{"items": []any{map[string]any{"key": key, "operator": "equals", "value": value}}}}
}

func (w *world) segment(schema, key string, value any) Segment {
	w.Helper()
	v, err := w.s.Create(bg, w.tenant, actor, New{Name: fmt.Sprint(key, " is ", value), Schema: schema, Filters: where(key, value)})
	w.check(err)
	return v
}

// settled does all of the lane's work.
func (w *world) settled() {
	w.Helper()
	for range 100_000 {
		done, next, err := w.s.step(bg, w.tenant)
		w.check(err)
		if !done && next.IsZero() {
			return
		}
	}
	w.Fatal("the lane does not come to an end")
}

// members are the segments that are remembered of an entity, by id.
func (w *world) members(v id.ID) []id.ID {
	w.Helper()
	m, err := membersOf(w.r(), []id.ID{v})
	w.check(err)
	all, err := list(w.r(), id.Zero, MaxSegments)
	w.check(err)
	var out []id.ID
	for _, seg := range all {
		if slices.Contains(m[v], seg.number) {
			out = append(out, seg.ID)
		}
	}
	return out
}

// news are the events of membership since the last call, as "entered SEGMENT ENTITY".
func (w *world) news(since *event.Cursor) []string {
	w.Helper()
	var out []string
	for {
		events, err := event.After(w.r(), *since, 500)
		w.check(err)
		for _, e := range events {
			*since = e.Cursor
			if e.Type == Entered || e.Type == Left {
				out = append(out, fmt.Sprintf("%s %s %s", strings.TrimPrefix(e.Type, "segment."), e.Subject, strings.TrimPrefix(e.Changed[0], "entity:")))
			}
		}
		if len(events) < 500 {
			return out
		}
	}
}

func (w *world) wantNews(since *event.Cursor, want ...string) {
	w.Helper()
	got := w.news(since)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.Errorf("events %q, want %q", got, want)
	}
}

func entered(seg Segment, v id.ID) string { return fmt.Sprintf("entered %s %s", seg.ID, v) }
func left(seg Segment, v id.ID) string    { return fmt.Sprintf("left %s %s", seg.ID, v) }

func (w *world) wantFault(err error, code fault.Code, field string) {
	w.Helper()
	if f := fault.As(err); f == nil || f.Code != code || f.Field != field {
		w.Errorf("%v, want %s of %q", err, code, field)
	}
}

func (w *world) count(query string, args ...any) (n int) {
	w.Helper()
	w.check(w.r().QueryRow(query, args...).Scan(&n))
	return n
}
