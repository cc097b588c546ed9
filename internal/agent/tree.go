package agent

import (
	"context"
	"database/sql"
	"slices"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Bounds of a tenant's tree.
const (
	maxGroups = 10_000
	maxDepth  = 20
)

// lockTree makes changes of a tenant's tree run one after the other.
func lockTree(tx *store.Tx) error { return tx.Lock("agent_group", "tree") }

// Root returns the top of a tenant's tree and makes it when there is none.
// NotFound for an unknown tenant.
func (s *Service) Root(ctx context.Context, tenant id.ID) (Group, error) {
	g, found, err := root(s.db.Read(ctx, tenant))
	if err != nil || found {
		return g, err
	}
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Group, error) { return s.RootIn(tx) })
}

// RootIn is Root inside a transaction.
func (s *Service) RootIn(tx *store.Tx) (Group, error) {
	if all, ok, err := s.known(tx); err != nil {
		return Group{}, err
	} else if ok {
		for _, g := range all {
			if g.Root() && g.DeletedAt.IsZero() {
				return g, nil
			}
		}
	}
	g, found, err := root(tx)
	if err != nil || found {
		return g, err
	}
	if err := lockTree(tx); err != nil {
		return g, err
	}
	if g, found, err = root(tx); err != nil || found {
		return g, err
	}
	t, err := s.tenants.Get(tx)
	if err != nil {
		return g, err
	}
	g = Group{ID: id.New(), Name: t.Name, Types: []string{TypeGroup}, Hours: Hours{}, Method: Manual, Timeout: DefaultTimeout, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
	ok, err := insertGroup(tx, g)
	if err == nil && !ok { // the unique index agent_group_root
		err = fault.New(fault.Unavailable, "somebody else is making the first group; try again")
	}
	if err == nil {
		err = putPath(tx, g.ID, id.Zero)
	}
	if err != nil {
		return Group{}, err
	}
	s.used.Forget(tx)
	s.groups.Forget(tx)
	return g, s.append(tx, "system", "group.created", g.ID)
}

func root(r store.Reader) (g Group, found bool, err error) {
	g, err = scanGroup(r.QueryRow("SELECT " + groupColumns + " FROM agent_group WHERE tenant_id=? AND parent_id IS NULL AND deleted_at IS NULL"))
	found, err = store.Found(err)
	return g, found, err
}

// UsedIn reports whether the tenant has groups at all: reactions of rooms that
// build on agents need not look further at tenants that have none.
func (s *Service) UsedIn(tx *store.Tx) (bool, error) {
	used, _, err := s.used.Get(tx, func() (bool, bool, error) {
		_, found, err := root(tx)
		return found, true, err
	})
	return used, err
}

// putPath writes a new group's place below its parent.
func putPath(tx *store.Tx, group, parent id.ID) error {
	if _, err := tx.Exec("INSERT INTO agent_group_path (tenant_id, ancestor_id, group_id, depth) VALUES (?,?,?,0)", group, group); err != nil || parent.IsZero() {
		return err
	}
	_, err := tx.Exec("INSERT INTO agent_group_path (tenant_id, ancestor_id, group_id, depth) SELECT ?1, ancestor_id, ?2, depth+1 FROM agent_group_path WHERE tenant_id=?1 AND group_id=?3", group, parent)
	return err
}

// movePath puts a group, with all below it, below another parent. The caller
// holds the tree's lock.
func movePath(tx *store.Tx, group, parent id.ID) error {
	const below = "(SELECT group_id FROM agent_group_path WHERE tenant_id=?1 AND ancestor_id=?2)"
	if _, err := tx.Exec("DELETE FROM agent_group_path WHERE tenant_id=?1 AND group_id IN "+below+" AND ancestor_id NOT IN "+below, group); err != nil {
		return err
	}
	_, err := tx.Exec("INSERT INTO agent_group_path (tenant_id, ancestor_id, group_id, depth) SELECT ?1, a.ancestor_id, b.group_id, a.depth+b.depth+1 "+
		"FROM agent_group_path a JOIN agent_group_path b ON b.tenant_id=a.tenant_id WHERE a.tenant_id=?1 AND a.group_id=?3 AND b.ancestor_id=?2", group, parent)
	return err
}

// depths returns how deep a group lies below the root, and how deep its own tree is.
func depths(r store.Reader, group id.ID) (above, below int, err error) {
	err = r.QueryRow("SELECT COALESCE((SELECT MAX(depth) FROM agent_group_path WHERE tenant_id=?1 AND group_id=?2), 0), "+
		"COALESCE((SELECT MAX(depth) FROM agent_group_path WHERE tenant_id=?1 AND ancestor_id=?2), 0)", group).Scan(&above, &below)
	return above, below, err
}

// Within reports whether a group is root or lies below it. Deleted and unknown
// groups lie nowhere.
func (s *Service) Within(r store.Reader, root, group id.ID) (bool, error) {
	var one int
	return store.Found(r.QueryRow("SELECT 1 FROM agent_group_path WHERE tenant_id=? AND ancestor_id=? AND group_id=?", root, group).Scan(&one))
}

// Subtree returns root and every group below it, oldest ids first; nothing for an
// unknown or deleted group.
func (s *Service) Subtree(r store.Reader, root id.ID) ([]id.ID, error) {
	rows, err := r.Query("SELECT group_id FROM agent_group_path WHERE tenant_id=? AND ancestor_id=? ORDER BY group_id", root)
	return store.Collect(rows, err, func(rows *sql.Rows) (v id.ID, err error) { return v, rows.Scan(&v) })
}

// Node returns a living group with where it stands. NotFound.
func (s *Service) Node(r store.Reader, group id.ID) (Node, error) {
	g, err := s.living(r, group)
	if err != nil {
		return Node{}, err
	}
	list, err := s.nodes(r, []Group{g})
	if err != nil {
		return Node{}, err
	}
	return list[0], nil
}

// Descendants returns the groups below root with where they stand, oldest ids
// first; and root itself, first, when withRoot. NotFound.
func (s *Service) Descendants(r store.Reader, root id.ID, withRoot bool) ([]Node, error) {
	if _, err := s.living(r, root); err != nil {
		return nil, err
	}
	least := 1
	if withRoot {
		least = 0
	}
	list, err := groups(r.Query("SELECT "+prefixed("g.", groupColumns)+" FROM agent_group_path p JOIN agent_group g ON g.tenant_id=p.tenant_id AND g.id=p.group_id "+
		"WHERE p.tenant_id=? AND p.ancestor_id=? AND p.depth>=? ORDER BY CASE WHEN p.depth=0 THEN 0 ELSE 1 END, p.group_id", root, least))
	if err != nil {
		return nil, err
	}
	return s.nodes(r, list)
}

// Children returns the groups directly below parent with where they stand, by the
// index agent_group_parent. NotFound.
func (s *Service) Children(r store.Reader, parent id.ID) ([]Node, error) {
	if _, err := s.living(r, parent); err != nil {
		return nil, err
	}
	list, err := groups(r.Query("SELECT "+groupColumns+" FROM agent_group WHERE tenant_id=? AND parent_id=? AND deleted_at IS NULL ORDER BY id", parent))
	if err != nil {
		return nil, err
	}
	return s.nodes(r, list)
}

type edge struct {
	up, down id.ID
	depth    int
}

// nodes finds what is above and below groups.
func (s *Service) nodes(r store.Reader, list []Group) ([]Node, error) {
	at := make(map[id.ID]int, len(list))
	out := make([]Node, len(list))
	ids := make([]id.ID, len(list))
	for i, g := range list {
		at[g.ID], ids[i] = i, g.ID
		out[i] = Node{Group: g, Ancestors: []id.ID{}, Descendants: []id.ID{}}
	}
	for part := range slices.Chunk(ids, batch) {
		in, args := contact.Among(part)
		for _, end := range []string{"group_id", "ancestor_id"} {
			rows, err := r.Query("SELECT ancestor_id, group_id, depth FROM agent_group_path WHERE tenant_id=? AND depth>0 AND "+end+" IN "+in+" ORDER BY group_id, depth", args...)
			edges, err := store.Collect(rows, err, func(rows *sql.Rows) (e edge, err error) { return e, rows.Scan(&e.up, &e.down, &e.depth) })
			if err != nil {
				return nil, err
			}
			for _, e := range edges {
				if end == "group_id" {
					n := &out[at[e.down]]
					n.Ancestors = append(n.Ancestors, e.up)
				} else {
					n := &out[at[e.up]]
					n.Descendants = append(n.Descendants, e.down)
				}
			}
		}
	}
	return out, nil
}
