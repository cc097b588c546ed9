package handover

import (
	"context"
	"database/sql"
	"strconv"

	"parley/internal/agent"
	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/store"
)

// Adopt gives work to every contact of a tenant that has none: they were there
// before the tenant had groups. They stand in the first group, with the agent whose
// id contact.AssignedTo holds, and nobody's turn is taken. It works in batches,
// each one transaction; calling it again goes on.
func (s *Service) Adopt(ctx context.Context, tenant id.ID) error {
	after := id.Zero
	for {
		n, last, err := s.adoptBatch(ctx, tenant, after)
		if err != nil || n == 0 {
			return err
		}
		after = last
	}
}

type adopted struct {
	n    int
	last id.ID
}

func (s *Service) adoptBatch(ctx context.Context, tenant, after id.ID) (int, id.ID, error) {
	out, err := store.Write(ctx, s.db, tenant, func(tx *store.Tx) (adopted, error) {
		top, err := s.agents.RootIn(tx)
		if err != nil {
			return adopted{}, err
		}
		category, err := s.defaultCategory(tx)
		if err != nil {
			return adopted{}, err
		}
		people, err := s.homeless(tx, after)
		if err != nil || len(people) == 0 {
			return adopted{}, err
		}
		out := adopted{len(people), people[len(people)-1].ID}
		if tx.Dialect() == store.Postgres { // behind the locks it may be others
			if people, err = s.heldHomeless(tx, people); err != nil {
				return adopted{}, err
			}
		}
		list, had := make([]Work, 0, len(people)), make(map[id.ID]int)
		agents := map[string]agent.Agent{}
		for _, c := range people {
			w := Work{Contact: c.ID, Group: top.ID, InitialGroup: top.ID, Status: Unclaimed, Category: category, CreatedAt: c.CreatedAt, ActiveAt: tx.Now(), UpdatedAt: tx.Now(), Version: 1}
			a, known := agents[c.AssignedTo]
			if !known {
				if a, err = s.named(tx, Arrival{}, c.Contact); err != nil {
					return adopted{}, err
				}
				agents[c.AssignedTo] = a
			}
			if !a.ID.IsZero() {
				w.Group = a.Group
				w.give(a.ID, FollowUp, tx.Now())
			}
			if c.Archived() {
				w.archive("", c.ArchivedAt)
			}
			list, had[c.ID] = append(list, w), c.had
		}
		return out, s.insertMany(tx, list, had)
	})
	return out.n, out.last, err
}

// newcomer is a contact without work, as far as its work depends on it.
type newcomer struct {
	contact.Contact
	had int // the last version of the work that it once had
}

const homeless = "SELECT c.id, c.assigned_to, c.created_at, c.archived_at, COALESCE((SELECT MAX(l.version) FROM handover_log l WHERE l.tenant_id=c.tenant_id AND l.contact_id=c.id), 0) " +
	"FROM contact c WHERE c.tenant_id=? AND c.erased_at IS NULL AND NOT EXISTS (SELECT 1 FROM handover h WHERE h.tenant_id=c.tenant_id AND h.contact_id=c.id) AND "

// homeless returns contacts without work behind an id, oldest ids first, by the
// primary keys of the three tables.
func (s *Service) homeless(r store.Reader, after id.ID) ([]newcomer, error) {
	return newcomers(r.Query(homeless+"c.id>? ORDER BY c.id LIMIT "+strconv.Itoa(batch), after.String()))
}

// heldHomeless takes the locks of contacts and returns those that still have no work.
func (s *Service) heldHomeless(tx *store.Tx, people []newcomer) ([]newcomer, error) {
	keys, ids := make([]string, len(people)), make([]id.ID, len(people))
	for i, c := range people {
		keys[i], ids[i] = c.ID.String(), c.ID
	}
	if err := tx.Lock("contact", keys...); err != nil {
		return nil, err
	}
	in, args := contact.Among(ids)
	return newcomers(tx.Query(homeless+"c.id IN "+in, args...))
}

func newcomers(rows *sql.Rows, err error) ([]newcomer, error) {
	return store.Collect(rows, err, func(rows *sql.Rows) (c newcomer, err error) {
		return c, rows.Scan(&c.ID, store.Text(&c.AssignedTo), store.Time(&c.CreatedAt), store.Time(&c.ArchivedAt), &c.had)
	})
}

// insertMany writes new work by few statements; contacts that have had work before
// (a merge taken back) get the version behind it.
func (s *Service) insertMany(tx *store.Tx, list []Work, had map[id.ID]int) error {
	rows, entries, news := make([][]any, 0, len(list)), make([][]any, 0, len(list)), make([]event.New, 0, len(list))
	for i := range list {
		w := &list[i]
		if err := w.check(); err != nil {
			return err
		}
		w.Version = had[w.Contact] + 1
		rows, entries = append(rows, w.values()), append(entries, w.entry("system", Placed, w.changes(Work{}), tx.Now()))
		news = append(news, event.New{Type: "handover.moved", Subject: w.Contact, Contact: w.Contact, Actor: "system", Changed: []string{"move:" + Placed, "status:" + w.Status}})
	}
	if _, err := store.InsertRows(tx, into, rows, ""); err != nil {
		return err
	}
	if _, err := store.InsertRows(tx, logInto, entries, ""); err != nil {
		return err
	}
	return s.log.AppendMany(tx, news)
}

func ids(rows *sql.Rows, err error) ([]id.ID, error) {
	return store.Collect(rows, err, func(rows *sql.Rows) (v id.ID, err error) { return v, rows.Scan(&v) })
}
