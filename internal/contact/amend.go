package contact

import (
	"strings"

	"parley/internal/fault"
	"parley/internal/phone"
	"parley/internal/store"

	"parley/internal/id"
)

// Amendment is what somebody adds to a contact by hand; nil and empty fields stay
// out.
type Amendment struct {
	FirstName, LastName *string
	Phone, Email        string         // added beside those that the contact has
	Attributes          map[string]any // merged key by key; nil deletes
}

// AmendIn changes a contact's names and attributes and gives it a further phone and
// e-mail, which it claims. What it has already stays as it is. It takes the locks
// of the identities before the contact's. Faults: NotFound; Invalid naming the
// field; Conflict with Reason "phone" or "email" and the detail "contactId" when
// another contact claims it.
func (s *Service) AmendIn(tx *store.Tx, actor string, cid id.ID, a Amendment) (c Contact, changed []string, err error) {
	ways, err := s.waysOf(tx, a)
	if err != nil {
		return c, nil, err
	}
	var keys []string
	for _, w := range ways {
		keys = append(keys, w.Kind+":"+w.Value)
	}
	if err := tx.Lock("identity", keys...); err != nil {
		return c, nil, err
	}
	if c, err = s.locked(tx, cid); err != nil {
		return c, nil, err
	}
	old := foundBy(c)
	if changed, err = s.change(tx, &c, Patch{FirstName: a.FirstName, LastName: a.LastName, Attributes: a.Attributes}); err != nil {
		return c, nil, err
	}
	for _, w := range ways {
		got, err := s.take(tx, &c, w)
		if err != nil {
			return c, nil, err
		}
		if got {
			changed = append(changed, w.Kind)
		}
	}
	if len(changed) == 0 {
		return c, nil, nil
	}
	if err := update(tx, &c); err != nil {
		return c, nil, err
	}
	if err := reindex(tx, old, c); err != nil {
		return c, nil, err
	}
	return c, changed, s.append(tx, actor, "contact.updated", c.ID, changed...)
}

// waysOf reads the phone and the e-mail of an amendment.
func (s *Service) waysOf(tx *store.Tx, a Amendment) (out []Identity, err error) {
	raw, err := Line("phone", a.Phone, phone.MaxInput)
	if err != nil {
		return nil, err
	}
	if raw != "" {
		key, err := s.KeyOf(tx, raw)
		if err != nil {
			return nil, err
		}
		if !reaches(key) {
			return nil, fault.Field("phone", "a phone has at least %d digits that are not all zeros", minPhone)
		}
		out = append(out, Identity{Kind: Phone, Value: key, Raw: raw, Claimed: true})
	}
	mail, err := address(a.Email)
	if err == nil && mail != "" {
		out = append(out, Identity{Kind: Email, Value: mail, Raw: strings.TrimSpace(a.Email), Claimed: true})
	}
	return out, err
}

// take gives a contact an identity that it lacks, or claims one that it has and
// that has become free.
func (s *Service) take(tx *store.Tx, c *Contact, w Identity) (bool, error) {
	holder, err := claimant(tx, w.Kind, w.Value)
	if err != nil || holder == c.ID {
		return false, err
	}
	if !holder.IsZero() {
		return false, conflict(w.Kind, holder)
	}
	n := 0
	for i := range c.Identities {
		at := &c.Identities[i]
		if at.Kind != w.Kind {
			continue
		}
		if n++; at.Value == w.Value {
			at.Claimed = true
			if _, err := tx.Exec("UPDATE identity SET claimed=? WHERE tenant_id=? AND contact_id=? AND kind=? AND value=?", true, c.ID, w.Kind, w.Value); err != nil {
				return false, err
			}
			return true, s.refuseAgain(tx, c.ID, w)
		}
	}
	if n >= maxGathered {
		return false, fault.Field(w.Kind, "a contact has at most %d entries of %s", maxGathered, w.Kind)
	}
	ok, err := c.gain(tx, []Identity{w})
	if err == nil && !ok {
		err = fault.New(fault.Unavailable, "somebody else is storing the same %s at this moment; try again", w.Kind)
	}
	if err != nil {
		return false, err
	}
	return true, s.refuseAgain(tx, c.ID, w)
}
