package agent

import (
	"database/sql"
	"time"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

const groupColumns = "id, parent_id, name, display_name, types, timezone, country_code, language, working_hours, absence_message, method, timeout_ms, reassign_ms, close_ms, created_at, updated_at, deleted_at"

type scanner interface{ Scan(...any) error }

func scanGroup(row scanner) (g Group, err error) {
	var timeout, reassign, closing int64
	err = row.Scan(&g.ID, &g.Parent, &g.Name, &g.DisplayName, store.JSON(&g.Types), &g.Timezone, &g.CountryCode, &g.Language, store.JSON(&g.Hours), &g.AbsenceMessage,
		&g.Method, &timeout, &reassign, &closing, store.Time(&g.CreatedAt), store.Time(&g.UpdatedAt), store.Time(&g.DeletedAt))
	g.Timeout, g.ReassignAfter, g.CloseInactiveAfter = millis(timeout), millis(reassign), millis(closing)
	return g, err
}

func millis(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

func groups(rows *sql.Rows, err error) ([]Group, error) {
	return store.Collect(rows, err, func(rows *sql.Rows) (Group, error) { return scanGroup(rows) })
}

func insertGroup(tx *store.Tx, g Group) (bool, error) {
	n, err := tx.Exec("INSERT INTO agent_group (tenant_id, id, parent_id, name, display_name, types, timezone, country_code, language, working_hours, absence_message, method, timeout_ms, reassign_ms, close_ms, created_at, updated_at, name_key, display_key) "+
		"VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
		g.ID, g.Parent, g.Name, g.DisplayName, store.JSON(g.Types), g.Timezone, g.CountryCode, g.Language, store.JSON(g.Hours), g.AbsenceMessage,
		g.Method, g.Timeout.Milliseconds(), g.ReassignAfter.Milliseconds(), g.CloseInactiveAfter.Milliseconds(), g.CreatedAt, g.UpdatedAt, contact.Fold(g.Name), contact.Fold(g.DisplayName))
	return n == 1, err
}

func updateGroup(tx *store.Tx, g Group) error {
	_, err := tx.Exec("UPDATE agent_group SET parent_id=?, name=?, display_name=?, types=?, timezone=?, country_code=?, language=?, working_hours=?, absence_message=?, method=?, timeout_ms=?, reassign_ms=?, close_ms=?, updated_at=?, name_key=?, display_key=? WHERE tenant_id=? AND id=?",
		g.Parent, g.Name, g.DisplayName, store.JSON(g.Types), g.Timezone, g.CountryCode, g.Language, store.JSON(g.Hours), g.AbsenceMessage,
		g.Method, g.Timeout.Milliseconds(), g.ReassignAfter.Milliseconds(), g.CloseInactiveAfter.Milliseconds(), g.UpdatedAt, contact.Fold(g.Name), contact.Fold(g.DisplayName), g.ID)
	return err
}

// Group returns a group by its id, a deleted one too. NotFound.
func (s *Service) Group(r store.Reader, group id.ID) (Group, error) {
	if all, ok, err := s.known(r); ok || err != nil {
		g, found := all[group]
		if err == nil && !found {
			err = fault.Unknown("group")
		}
		return g, err
	}
	g, err := scanGroup(r.QueryRow("SELECT "+groupColumns+" FROM agent_group WHERE tenant_id=? AND id=?", group))
	if ok, err := store.Found(err); err != nil || !ok {
		return Group{}, unknown(err, "group")
	}
	return g, nil
}

func unknown(err error, noun string) error {
	if err != nil {
		return err
	}
	return fault.Unknown(noun)
}

// living returns a group that was not deleted. NotFound.
func (s *Service) living(r store.Reader, group id.ID) (Group, error) {
	g, err := s.Group(r, group)
	if err == nil && !g.DeletedAt.IsZero() {
		err = fault.Unknown("group")
	}
	return g, err
}

// GroupsByID returns groups by their ids, deleted ones too; unknown ids are left
// out.
func (s *Service) GroupsByID(r store.Reader, ids []id.ID) (map[id.ID]Group, error) {
	return byID(ids, func(g Group) id.ID { return g.ID }, func(in string, args []any) ([]Group, error) {
		return groups(r.Query("SELECT "+groupColumns+" FROM agent_group WHERE tenant_id=? AND id IN "+in, args...))
	})
}

// batch bounds the ids of one query.
const batch = 512

func byID[T any](ids []id.ID, of func(T) id.ID, read func(in string, args []any) ([]T, error)) (map[id.ID]T, error) {
	out := make(map[id.ID]T, len(ids))
	for len(ids) > 0 {
		n := min(batch, len(ids))
		list, err := read(contact.Among(ids[:n]))
		if err != nil {
			return nil, err
		}
		for _, v := range list {
			out[of(v)] = v
		}
		ids = ids[n:]
	}
	return out, nil
}

const agentColumns = "id, group_id, first_name, last_name, email, phone, cell_phone, role, active, timezone, working_hours, legacy_id, external_id, app_fields, online_until, paused, created_at, updated_at, deleted_at"

func scanAgent(row scanner) (a Agent, err error) {
	a.ExternalID, a.AppFields = map[string]any{}, map[string]any{}
	err = row.Scan(&a.ID, &a.Group, &a.FirstName, &a.LastName, &a.Email, &a.Phone, &a.CellPhone, &a.Role, &a.Active, &a.Timezone, store.JSON(&a.Hours), &a.LegacyID,
		store.JSON(&a.ExternalID), store.JSON(&a.AppFields), store.Time(&a.OnlineUntil), &a.Paused, store.Time(&a.CreatedAt), store.Time(&a.UpdatedAt), store.Time(&a.DeletedAt))
	return a, err
}

func agents(rows *sql.Rows, err error) ([]Agent, error) {
	return store.Collect(rows, err, func(rows *sql.Rows) (Agent, error) { return scanAgent(rows) })
}

// Agent returns an agent by its id, a deleted one too. NotFound.
func (s *Service) Agent(r store.Reader, agent id.ID) (Agent, error) {
	a, err := scanAgent(r.QueryRow("SELECT "+agentColumns+" FROM agent WHERE tenant_id=? AND id=?", agent))
	if ok, err := store.Found(err); err != nil || !ok {
		return Agent{}, unknown(err, "agent")
	}
	return a, nil
}

// AgentsByID returns agents by their ids, deleted ones too; unknown ids are left
// out.
func (s *Service) AgentsByID(r store.Reader, ids []id.ID) (map[id.ID]Agent, error) {
	return byID(ids, func(a Agent) id.ID { return a.ID }, func(in string, args []any) ([]Agent, error) {
		return agents(r.Query("SELECT "+agentColumns+" FROM agent WHERE tenant_id=? AND id IN "+in, args...))
	})
}

// members returns a group's own agents, by the index agent_by_group.
func members(r store.Reader, group id.ID) ([]Agent, error) {
	return agents(r.Query("SELECT "+agentColumns+" FROM agent WHERE tenant_id=? AND group_id=? AND deleted_at IS NULL ORDER BY id", group))
}

// HoldGroupIn returns a living group and keeps it from being deleted until the
// commit; many may hold it at once. NotFound.
func (s *Service) HoldGroupIn(tx *store.Tx, group id.ID) (Group, error) {
	if tx.Dialect() == store.SQLite { // nobody else writes until the commit
		return s.living(tx, group)
	}
	g, err := scanGroup(tx.QueryRow("SELECT "+groupColumns+" FROM agent_group WHERE tenant_id=? AND id=? AND deleted_at IS NULL"+share(tx), group))
	if ok, err := store.Found(err); err != nil || !ok {
		return Group{}, unknown(err, "group")
	}
	return g, nil
}

// HoldAgentIn is HoldGroupIn for an agent who is active. Faults: NotFound;
// Conflict with Reason "inactive".
func (s *Service) HoldAgentIn(tx *store.Tx, agent id.ID) (Agent, error) {
	a, err := scanAgent(tx.QueryRow("SELECT "+agentColumns+" FROM agent WHERE tenant_id=? AND id=? AND deleted_at IS NULL"+share(tx), agent))
	if ok, err := store.Found(err); err != nil || !ok {
		return Agent{}, unknown(err, "agent")
	}
	if !a.Active {
		return a, fault.New(fault.Conflict, "the agent is not active; activate the agent or name another one").Because("inactive")
	}
	return a, nil
}

func share(tx *store.Tx) string {
	if tx.Dialect() == store.Postgres {
		return " FOR KEY SHARE" // whoever deletes takes the row for update, and waits for us
	}
	return ""
}
