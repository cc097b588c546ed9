package agent

import (
	"context"
	"reflect"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// GroupPatch changes a group; nil fields stay.
type GroupPatch struct {
	Name, DisplayName                 *string
	Parent                            *id.ID
	Types                             *[]string
	Timezone, CountryCode, Language   *string
	Hours                             *Hours
	AbsenceMessage                    *string
	Method                            *string
	Timeout                           *time.Duration
	ReassignAfter, CloseInactiveAfter *time.Duration
}

// CreateGroup makes a group below g.Parent, the root without one, and appends
// group.created; g.ID and the times are set here. Faults: Invalid naming the
// field, "parent" for a tree that would grow too deep; NotFound for the parent;
// Conflict when the tenant has 10,000 groups.
func (s *Service) CreateGroup(ctx context.Context, tenant id.ID, actor string, g Group) (Group, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Group, error) { return s.CreateGroupIn(tx, actor, g) })
}

// CreateGroupIn is CreateGroup inside a transaction.
func (s *Service) CreateGroupIn(tx *store.Tx, actor string, g Group) (Group, error) {
	if err := g.check(); err != nil {
		return Group{}, err
	}
	top, err := s.RootIn(tx)
	if err != nil {
		return Group{}, err
	}
	if g.Parent.IsZero() {
		g.Parent = top.ID
	}
	if err := lockTree(tx); err != nil {
		return Group{}, err
	}
	if _, err := s.living(tx, g.Parent); err != nil {
		return Group{}, of("parent", err)
	}
	above, _, err := depths(tx, g.Parent)
	if err != nil {
		return Group{}, err
	}
	if above+1 > maxDepth {
		return Group{}, tooDeep()
	}
	var have int
	if err := tx.QueryRow("SELECT COUNT(*) FROM agent_group_path WHERE tenant_id=? AND ancestor_id=?", top.ID).Scan(&have); err != nil {
		return Group{}, err
	}
	if have >= maxGroups {
		return Group{}, fault.New(fault.Conflict, "there are %d groups already; delete one first", have)
	}
	g.ID, g.CreatedAt, g.UpdatedAt, g.DeletedAt = id.New(), tx.Now(), tx.Now(), time.Time{}
	s.groups.Forget(tx)
	if _, err := insertGroup(tx, g); err != nil {
		return Group{}, err
	}
	if err := putPath(tx, g.ID, g.Parent); err != nil {
		return Group{}, err
	}
	return g, s.append(tx, actor, "group.created", g.ID)
}

func tooDeep() error {
	return fault.Field("parent", "groups lie at most %d below the first one; choose a parent further up", maxDepth)
}

// of names the field that an unknown id came in.
func of(field string, err error) error {
	if f := fault.As(err); f != nil {
		c := *f
		c.Field = field
		return &c
	}
	return err
}

// UpdateGroup changes a group and appends group.updated with the names of what
// changed. With a Parent the whole subtree moves. Faults: NotFound, of "parent"
// too; Invalid naming the field; Invalid naming "parent" for the root, for a group
// that would lie below itself, and for a tree that would grow too deep.
func (s *Service) UpdateGroup(ctx context.Context, tenant id.ID, actor string, group id.ID, p GroupPatch) (Group, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Group, error) { return s.UpdateGroupIn(tx, actor, group, p) })
}

// UpdateGroupIn is UpdateGroup inside a transaction.
func (s *Service) UpdateGroupIn(tx *store.Tx, actor string, group id.ID, p GroupPatch) (Group, error) {
	if err := lockTree(tx); err != nil {
		return Group{}, err
	}
	old, err := s.living(tx, group)
	if err != nil {
		return Group{}, err
	}
	g := old
	set(&g.Name, p.Name)
	set(&g.DisplayName, p.DisplayName)
	set(&g.Types, p.Types)
	set(&g.Timezone, p.Timezone)
	set(&g.CountryCode, p.CountryCode)
	set(&g.Language, p.Language)
	set(&g.Hours, p.Hours)
	set(&g.AbsenceMessage, p.AbsenceMessage)
	set(&g.Method, p.Method)
	set(&g.Timeout, p.Timeout)
	set(&g.ReassignAfter, p.ReassignAfter)
	set(&g.CloseInactiveAfter, p.CloseInactiveAfter)
	set(&g.Parent, p.Parent)
	if err := g.check(); err != nil {
		return Group{}, err
	}
	changed := differences(old, g)
	if len(changed) == 0 {
		return old, nil
	}
	if g.Parent != old.Parent {
		if err := s.moveGroup(tx, old, g.Parent); err != nil {
			return Group{}, err
		}
	}
	g.UpdatedAt = tx.Now()
	s.groups.Forget(tx)
	if err := updateGroup(tx, g); err != nil {
		return Group{}, err
	}
	return g, s.append(tx, actor, "group.updated", g.ID, changed...)
}

func set[T any](to *T, v *T) {
	if v != nil {
		*to = *v
	}
}

// differences names the fields in which two groups differ.
func differences(a, b Group) (changed []string) {
	for _, f := range []struct {
		name string
		a, b any
	}{
		{"name", a.Name, b.Name}, {"displayName", a.DisplayName, b.DisplayName}, {"parent", a.Parent, b.Parent}, {"type", a.Types, b.Types},
		{"timezone", a.Timezone, b.Timezone}, {"countryCode", a.CountryCode, b.CountryCode}, {"language", a.Language, b.Language},
		{"workingHours", a.Hours, b.Hours}, {"absenceMessage", a.AbsenceMessage, b.AbsenceMessage}, {"assignment.method", a.Method, b.Method},
		{"assignment.timeoutSeconds", a.Timeout, b.Timeout}, {"reassignAfter", a.ReassignAfter, b.ReassignAfter},
		{"closeInactiveAfter", a.CloseInactiveAfter, b.CloseInactiveAfter},
	} {
		if !reflect.DeepEqual(f.a, f.b) {
			changed = append(changed, f.name)
		}
	}
	return changed
}

// moveGroup checks a group's new parent and moves its subtree there.
func (s *Service) moveGroup(tx *store.Tx, g Group, parent id.ID) error {
	if g.Root() {
		return fault.Field("parent", "the first group has no parent; move the groups below it instead")
	}
	if _, err := s.living(tx, parent); err != nil {
		return of("parent", err)
	}
	inside, err := s.Within(tx, g.ID, parent)
	if err != nil {
		return err
	}
	if inside {
		return fault.Field("parent", "a group cannot lie below itself; choose a parent outside of it")
	}
	above, _, err := depths(tx, parent)
	if err != nil {
		return err
	}
	_, below, err := depths(tx, g.ID)
	if err != nil {
		return err
	}
	if above+1+below > maxDepth {
		return tooDeep()
	}
	return movePath(tx, g.ID, parent)
}

// DeleteGroup deletes a group and appends group.deleted. Faults: NotFound;
// Conflict with Reason "root" for the first group, "children" while groups lie
// below it, "agents" while it has agents, "contacts" while it has contacts, "keys"
// while keys belong to it.
func (s *Service) DeleteGroup(ctx context.Context, tenant id.ID, actor string, group id.ID) (Group, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Group, error) { return s.DeleteGroupIn(tx, actor, group) })
}

// DeleteGroupIn is DeleteGroup inside a transaction.
func (s *Service) DeleteGroupIn(tx *store.Tx, actor string, group id.ID) (Group, error) {
	if err := lockTree(tx); err != nil {
		return Group{}, err
	}
	// Whoever is about to put something into the group commits before we look.
	g, err := scanGroup(tx.QueryRow("SELECT "+groupColumns+" FROM agent_group WHERE tenant_id=? AND id=? AND deleted_at IS NULL"+tx.Dialect().ForUpdate(), group))
	if ok, err := store.Found(err); err != nil || !ok {
		return Group{}, unknown(err, "group")
	}
	if g.Root() {
		return g, fault.New(fault.Conflict, "the first group cannot be deleted").Because("root")
	}
	for _, look := range []struct{ query, reason, message string }{
		{"SELECT 1 FROM agent_group WHERE tenant_id=? AND parent_id=? AND deleted_at IS NULL LIMIT 1", "children", "groups lie below this one; move or delete them first"},
		{"SELECT 1 FROM agent WHERE tenant_id=? AND group_id=? AND deleted_at IS NULL LIMIT 1", "agents", "the group has agents; move or delete them first"},
	} {
		var one int
		found, err := store.Found(tx.QueryRow(look.query, group).Scan(&one))
		if err != nil {
			return g, err
		}
		if found {
			return g, fault.New(fault.Conflict, "%s", look.message).Because(look.reason)
		}
	}
	for _, h := range s.holders {
		if h.Group == nil {
			continue
		}
		has, err := h.Group(tx, group)
		if err != nil {
			return g, err
		}
		if has && h.Refusal != "" {
			return g, fault.New(fault.Conflict, "%s", h.Refusal).Because(h.Reason)
		}
		if has {
			return g, fault.New(fault.Conflict, "the group has contacts; transfer them first").Because("contacts")
		}
	}
	g.DeletedAt, g.UpdatedAt = tx.Now(), tx.Now()
	s.groups.Forget(tx)
	if _, err := tx.Exec("UPDATE agent_group SET deleted_at=?, updated_at=? WHERE tenant_id=? AND id=?", g.DeletedAt, g.UpdatedAt, group); err != nil {
		return g, err
	}
	if _, err := tx.Exec("DELETE FROM agent_group_path WHERE tenant_id=? AND group_id=?", group); err != nil {
		return g, err
	}
	return g, s.append(tx, actor, "group.deleted", group)
}
