package agent

import (
	"bytes"
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"parley/internal/contact"
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
// displayed name of one group at or below root, in any case of letters and without
// accents; of several that one whose name is the text but for the case (sales
// reference §3.1, lead.store and lead.company). Found is false for none and for
// several. It reads the groups of that name alone, by the indexes agent_group_name
// and agent_group_display, not the tree.
func (s *Service) FindGroup(r store.Reader, root id.ID, text string) (g Group, found bool, err error) {
	text = strings.TrimSpace(text)
	key := contact.Fold(text)
	if key == "" || strings.ContainsRune(text, 0) {
		return g, false, nil
	}
	asID, _ := id.Parse(text)
	from := "SELECT " + prefixed("g.", groupColumns) + " FROM agent_group g JOIN agent_group_path p ON p.tenant_id=g.tenant_id AND p.group_id=g.id AND p.ancestor_id=?2 " +
		"WHERE g.tenant_id=?1 AND g.deleted_at IS NULL AND "
	list, err := groups(r.Query(from+"g.name_key=?3 UNION ALL "+from+"g.display_key=?3 UNION ALL "+from+"g.name_key IS NULL UNION ALL "+from+"g.id=?4", root, key, asID.String()))
	if err != nil {
		return g, false, err
	}
	slices.SortFunc(list, func(a, b Group) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	list = slices.CompactFunc(list, func(a, b Group) bool { return a.ID == b.ID })
	var close, same []Group
	for _, v := range list {
		switch {
		case v.ID == asID:
			return v, true, nil
		case strings.EqualFold(v.Name, text) || strings.EqualFold(v.DisplayName, text):
			same = append(same, v)
		case contact.Fold(v.Name) == key || contact.Fold(v.DisplayName) == key:
			close = append(close, v)
		}
	}
	if len(same) == 0 {
		same = close
	}
	if len(same) != 1 {
		return Group{}, false, nil
	}
	return same[0], true, nil
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
