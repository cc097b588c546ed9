package admin

import (
	"context"
	"slices"
	"strings"

	"parley/internal/access"
	"parley/internal/fault"
	"parley/internal/id"
)

// checkKey makes sure that what a new key is bound to is there: scopes that its
// face has, a group and an agent of the tenant.
func (f *Face) checkKey(ctx context.Context, tenant id.ID, n access.NewKey) error {
	var bad fault.Collector
	if known := f.scopes(n.Face); len(known) > 0 {
		for _, s := range n.Scopes {
			if s != n.Face+":*" && s != "*" && !slices.Contains(known, s) {
				bad.Add(fault.Field("scopes", "there is no scope %s; those of %s are %s", s, n.Face, strings.Join(known, ", ")))
				break
			}
		}
	}
	reads := f.s.Agents.Reads(ctx, tenant)
	look := func(field string, v id.ID, there func() (deleted bool, err error)) error {
		if v.IsZero() {
			return nil
		}
		deleted, err := there()
		if err != nil && fault.As(err) == nil {
			return err
		}
		if err != nil || deleted {
			bad.Add(fault.Field(field, "the tenant has no %s %s", map[string]string{"group": "group", "user": "agent"}[field], v))
		}
		return nil
	}
	if err := look("group", n.Group, func() (bool, error) {
		g, err := f.s.Agents.Group(reads, n.Group)
		return !g.DeletedAt.IsZero(), err
	}); err != nil {
		return err
	}
	if err := look("user", n.User, func() (bool, error) {
		a, err := f.s.Agents.Agent(reads, n.User)
		return !a.DeletedAt.IsZero(), err
	}); err != nil {
		return err
	}
	return bad.Err()
}

func (f *Face) scopes(face string) []string {
	if f.s.Scopes == nil {
		return nil
	}
	return f.s.Scopes(face)
}
