package contact

import (
	"slices"

	"parley/internal/fault"
	"parley/internal/store"
)

// findableWithout reports whether c claims an identity besides the given one.
func (c *Contact) findableWithout(kind, value string) bool {
	return slices.ContainsFunc(c.Identities, func(i Identity) bool {
		return i.Claimed && !(i.Kind == kind && i.Value == value)
	})
}

// claims reports whether c is who an identity finds.
func (c *Contact) claims(kind, value string) bool {
	return slices.ContainsFunc(c.Identities, func(i Identity) bool { return i.Claimed && i.Kind == kind && i.Value == value })
}

func (c *Contact) forget(kind, value string) {
	c.Identities = slices.DeleteFunc(c.Identities, func(i Identity) bool { return i.Kind == kind && i.Value == value })
}

func (c *Contact) remember(i Identity) {
	c.Identities = append(c.Identities, i)
	slices.SortStableFunc(c.Identities, func(a, b Identity) int {
		switch {
		case a.Primary && !b.Primary:
			return -1
		case b.Primary && !a.Primary:
			return 1
		case a.Kind > b.Kind: // phones before e-mails
			return -1
		case a.Kind < b.Kind:
			return 1
		}
		return 0
	})
}

// setIdentity makes want the primary identity of its kind in place of the
// present one, which is given up. It claims it when nobody else does.
func setIdentity(tx *store.Tx, c *Contact, want Identity) (changed bool, err error) {
	cur := c.primary(want.Kind)
	holder, err := claimant(tx, want.Kind, want.Value)
	if err != nil {
		return false, err
	}
	taken := !holder.IsZero() && holder != c.ID
	if cur.Value == want.Value {
		return false, refresh(tx, c, cur, want.Raw, !taken)
	}
	if taken && (want.Kind == Phone || !c.findableWithout(want.Kind, cur.Value)) {
		return false, conflict(want.Kind, holder)
	}
	// A further identity of the contact that is to become the primary one is
	// stored anew.
	for _, old := range []string{cur.Value, want.Value} {
		if err := deleteIdentity(tx, c, want.Kind, old); err != nil {
			return false, err
		}
	}
	want.Claimed = !taken
	if taken {
		err = keep(tx, c.ID, want)
	} else {
		var ok bool
		if ok, err = claim(tx, c.ID, want); err == nil && !ok {
			// Nobody claimed it a moment ago, and the value is locked.
			err = fault.New(fault.Unavailable, "somebody else is changing the same %s; try again", want.Kind)
		}
	}
	if err != nil {
		return false, err
	}
	c.remember(want)
	return true, nil
}

// refresh keeps the primary identity, with the form it was given in last, and
// claims it when it has become free.
func refresh(tx *store.Tx, c *Contact, cur Identity, raw string, free bool) error {
	claimed := cur.Claimed || free
	if cur.Raw == raw && cur.Claimed == claimed {
		return nil
	}
	_, err := tx.Exec("UPDATE identity SET raw=?, claimed=? WHERE tenant_id=? AND contact_id=? AND kind=? AND value=?", raw, claimed, c.ID, cur.Kind, cur.Value)
	for i := range c.Identities {
		if at := &c.Identities[i]; at.Kind == cur.Kind && at.Value == cur.Value {
			at.Raw, at.Claimed = raw, claimed
		}
	}
	return err
}

// dropIdentity takes the primary identity of a kind away; another one of the
// kind becomes primary.
func dropIdentity(tx *store.Tx, c *Contact, kind string) (changed bool, err error) {
	cur := c.primary(kind)
	if cur.Value == "" {
		return false, nil
	}
	if !c.findableWithout(kind, cur.Value) {
		return false, fault.Field(kind, "this is the last by which the contact can be found; give it another phone or e-mail first")
	}
	if err := deleteIdentity(tx, c, kind, cur.Value); err != nil {
		return false, err
	}
	for i := range c.Identities {
		if next := &c.Identities[i]; next.Kind == kind {
			next.Primary = true
			_, err := tx.Exec("UPDATE identity SET is_primary=? WHERE tenant_id=? AND contact_id=? AND kind=? AND value=?", true, c.ID, kind, next.Value)
			return true, err
		}
	}
	return true, nil
}

func deleteIdentity(tx *store.Tx, c *Contact, kind, value string) error {
	if value == "" {
		return nil
	}
	c.forget(kind, value)
	_, err := tx.Exec("DELETE FROM identity WHERE tenant_id=? AND contact_id=? AND kind=? AND value=?", c.ID, kind, value)
	return err
}
