package automation

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"slices"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

const ruleColumns = "id, name, description, trigger_name, is_active, version, definition, runs_started, runs_open, runs_completed, last_run_at, created_at, updated_at, origin, origin_id"

type scanner interface{ Scan(dest ...any) error }

func scanRule(row scanner) (Rule, error) {
	var r Rule
	err := row.Scan(&r.ID, &r.Name, &r.Description, &r.Trigger, &r.Active, &r.Version, store.JSON(&r.Definition),
		&r.RunsStarted, &r.ActiveRuns, &r.CompletedRuns, store.Time(&r.LastRunAt), store.Time(&r.CreatedAt), store.Time(&r.UpdatedAt), &r.Origin, &r.OriginID)
	return r, err
}

func ruleOf(r store.Reader, rule id.ID) (Rule, error) {
	return foundRule(scanRule(r.QueryRow("SELECT "+ruleColumns+" FROM automation WHERE tenant_id=? AND id=?", rule)))
}

// lockedRule reads a rule that the transaction is about to change.
func lockedRule(tx *store.Tx, rule id.ID) (Rule, error) {
	r, err := foundRule(scanRule(tx.QueryRow("SELECT "+ruleColumns+" FROM automation WHERE tenant_id=? AND id=?"+tx.Dialect().ForUpdate(), rule)))
	if err == nil {
		err = ownedElsewhere(r)
	}
	return r, err
}

func foundRule(r Rule, err error) (Rule, error) {
	if ok, err := store.Found(err); err != nil {
		return Rule{}, err
	} else if !ok {
		return Rule{}, fault.Unknown("automation")
	}
	return r, nil
}

func listRules(r store.Reader, q RuleQuery) ([]Rule, error) {
	where, args := " AND origin=''", []any(nil)
	if q.Trigger != "" {
		where += " AND trigger_name=?"
		args = append(args, q.Trigger)
	}
	if q.Active != nil {
		where += " AND is_active=?"
		args = append(args, *q.Active)
	}
	rows, err := r.Query("SELECT "+ruleColumns+" FROM automation WHERE tenant_id=?"+where+" ORDER BY id DESC", args...)
	return store.Collect(rows, err, func(rows *sql.Rows) (Rule, error) { return scanRule(rows) })
}

func (s *Service) insertRule(tx *store.Tx, r *Rule) error {
	s.triggers.Forget(tx)
	_, err := tx.Exec(`INSERT INTO automation (tenant_id, id, name, description, trigger_name, is_active, version, definition, runs_started, runs_open, runs_completed, created_at, updated_at, origin, origin_id)
		VALUES (?,?,?,?,?,?,?,?,0,0,0,?,?,?,?)`,
		r.ID, r.Name, r.Description, r.Trigger, r.Active, r.Version, store.JSON(r.Definition), r.CreatedAt, r.UpdatedAt, r.Origin, r.OriginID)
	return err
}

// updateRule leaves the counters alone, which runs move.
func (s *Service) updateRule(tx *store.Tx, r *Rule) error {
	s.triggers.Forget(tx)
	_, err := tx.Exec(`UPDATE automation SET name=?, description=?, trigger_name=?, is_active=?, version=?, definition=?, updated_at=? WHERE tenant_id=? AND id=?`,
		r.Name, r.Description, r.Trigger, r.Active, r.Version, store.JSON(r.Definition), r.UpdatedAt, r.ID)
	return err
}

// insertVersion keeps a graph, and the names of the events that its runs may
// wait for as long as they live.
func insertVersion(tx *store.Tx, rule id.ID, version int, f form) error {
	if _, err := tx.Exec("INSERT INTO automation_version (tenant_id, automation_id, version, graph, created_at) VALUES (?,?,?,?,?)",
		rule, version, string(f.stored), tx.Now()); err != nil {
		return err
	}
	for _, name := range f.graph.awaited() {
		if _, err := tx.Exec("INSERT INTO automation_event (tenant_id, automation_id, name) VALUES (?,?,?) ON CONFLICT DO NOTHING", rule, name); err != nil {
			return err
		}
	}
	return nil
}

func sameGraph(r store.Reader, rule Rule, g *Graph) (bool, error) {
	was, ok, err := graphOf(r, rule.ID, rule.Version)
	if err != nil || !ok {
		return false, err
	}
	a, err := json.Marshal(was)
	if err != nil {
		return false, err
	}
	b, err := json.Marshal(g)
	return string(a) == string(b), err
}

// graphOf reads the graph of a version; ok is false when the rule is gone.
func graphOf(r store.Reader, rule id.ID, version int) (g *Graph, ok bool, err error) {
	g = &Graph{}
	ok, err = store.Found(r.QueryRow("SELECT graph FROM automation_version WHERE tenant_id=? AND automation_id=? AND version=?", rule, version).Scan(store.JSON(g)))
	return g, ok, err
}

// candidate is an active rule of a trigger.
type candidate struct {
	id      id.ID
	name    string
	version int
	graph   *Graph // nobody may change it
}

// candidates returns the active rules of any of the trigger's names, by id,
// without those that belong to something else.
func (s *Service) candidates(r store.Reader, names []string) ([]candidate, error) {
	where, args := anyOf("trigger_name", names)
	return s.candidatesWhere(r, "origin='' AND "+where, args...)
}

// candidatesWhere goes by index automation_by_trigger or automation_origin; its
// result is sorted here, so that nothing tempts SQLite to read every rule.
func (s *Service) candidatesWhere(r store.Reader, where string, args ...any) ([]candidate, error) {
	rows, err := r.Query("SELECT id, name, version FROM automation WHERE tenant_id=? AND is_active AND "+where, args...)
	list, err := store.Collect(rows, err, func(rows *sql.Rows) (c candidate, err error) {
		return c, rows.Scan(&c.id, &c.name, &c.version)
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b candidate) int { return bytes.Compare(a.id[:], b.id[:]) })
	out := list[:0]
	for _, c := range list {
		g, ok, err := s.graphOf(r, c.id, c.version)
		if err != nil {
			return nil, err
		}
		if ok { // else the rule is being deleted
			c.graph = g
			out = append(out, c)
		}
	}
	return out, nil
}

func anyOf(column string, names []string) (string, []any) {
	where, args := column+" IN (", make([]any, len(names))
	for i, n := range names {
		if i > 0 {
			where += ","
		}
		where += "?"
		args[i] = n
	}
	return where + ")", args
}
