package agent

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/phone"
	"parley/internal/store"
)

// Which agents a list shows (reference §6, 20).
const (
	OnlyActive   = "true"
	OnlyInactive = "false"
	Everybody    = "all"
)

// List returns the agents of a group, oldest ids first: the active ones, or as
// active says ("" is OnlyActive). With below, agents of the groups below it too.
// Faults: NotFound for the group; Invalid naming "active".
func (s *Service) List(r store.Reader, group id.ID, active string, below bool) ([]Agent, error) {
	if _, err := s.living(r, group); err != nil {
		return nil, err
	}
	where := "WHERE a.tenant_id=? AND a.group_id=? AND a.deleted_at IS NULL"
	if below {
		where = "JOIN agent_group_path p ON p.tenant_id=a.tenant_id AND p.group_id=a.group_id WHERE p.tenant_id=? AND p.ancestor_id=? AND a.deleted_at IS NULL"
	}
	args := []any{group}
	switch active {
	case "", OnlyActive:
		where, args = where+" AND a.active=?", append(args, true)
	case OnlyInactive:
		where, args = where+" AND a.active=?", append(args, false)
	case Everybody:
	default:
		return nil, fault.Field("active", "active must be true, false or all")
	}
	return agents(r.Query("SELECT "+prefixed("a.", agentColumns)+" FROM agent a "+where+" ORDER BY a.id", args...))
}

// Find returns the agent whom a text names: an id, an e-mail address, or a phone
// (reference §3.1, lead.agent). Of several with one phone the oldest active one is
// meant. Found is false for nobody; agents who are not active are found by their
// id and address too.
func (s *Service) Find(r store.Reader, text string) (a Agent, found bool, err error) {
	text = strings.TrimSpace(text)
	if strings.ContainsRune(text, 0) || text == "" {
		return a, false, nil
	}
	if v, err := id.Parse(text); err == nil {
		return one(r, "id=?", v)
	}
	if strings.Contains(text, "@") {
		return one(r, "email=? AND email<>''", strings.ToLower(text))
	}
	set, err := s.tenants.SettingsOf(r)
	if err != nil {
		return a, false, err
	}
	key, err := phone.Key(text, set.Region)
	if err != nil || key == "" {
		return a, false, nil
	}
	list, err := agents(r.Query("SELECT "+agentColumns+" FROM agent WHERE tenant_id=?1 AND phone_key=?2 AND phone_key<>'' AND deleted_at IS NULL AND active UNION "+
		"SELECT "+agentColumns+" FROM agent WHERE tenant_id=?1 AND cell_key=?2 AND cell_key<>'' AND deleted_at IS NULL AND active ORDER BY id LIMIT 1", key))
	if err != nil || len(list) == 0 {
		return a, false, err
	}
	return list[0], true, nil
}

func one(r store.Reader, where string, v any) (a Agent, found bool, err error) {
	a, err = scanAgent(r.QueryRow("SELECT "+agentColumns+" FROM agent WHERE tenant_id=? AND deleted_at IS NULL AND "+where, v))
	found, err = store.Found(err)
	return a, found, err
}

// FindGroup returns the living group whom a text names: an id, or the name or
// displayed name of one group at or below root, in any case of letters (reference
// §3.1, lead.store and lead.company). Found is false for none and for several.
func (s *Service) FindGroup(r store.Reader, root id.ID, text string) (g Group, found bool, err error) {
	text = strings.TrimSpace(text)
	if text == "" || strings.ContainsRune(text, 0) {
		return g, false, nil
	}
	all, err := s.Descendants(r, root, true)
	if err != nil {
		return g, false, err
	}
	asID, _ := id.Parse(text)
	n := 0
	for _, v := range all {
		if v.ID == asID {
			return v.Group, true, nil
		}
		if strings.EqualFold(v.Name, text) || strings.EqualFold(v.DisplayName, text) {
			g, n = v.Group, n+1
		}
	}
	if n != 1 {
		return Group{}, false, nil
	}
	return g, true, nil
}

// Closing is a group whose contacts are closed when nothing happens to them.
type Closing struct {
	Tenant id.ID
	Group  id.ID
	After  time.Duration
}

// Closing returns those groups of every tenant, by the index agent_group_closing.
func (s *Service) Closing(ctx context.Context) ([]Closing, error) {
	rows, err := s.db.Read(ctx, id.Zero).All().Query("SELECT tenant_id, id, close_ms FROM agent_group WHERE close_ms > 0 AND deleted_at IS NULL ORDER BY tenant_id, id")
	return store.Collect(rows, err, func(rows *sql.Rows) (c Closing, err error) {
		var after int64
		err = rows.Scan(&c.Tenant, &c.Group, &after)
		c.After = millis(after)
		return c, err
	})
}
