package contact

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/phone"
	"parley/internal/store"
	"parley/internal/tenant"
)

// NewService returns the room's service.
func NewService(db *store.DB, log *event.Log, tenants *tenant.Service) *Service {
	return &Service{db: db, log: log, tenants: tenants}
}

// UpdateIn changes a contact and returns the names of the fields that really
// changed; keys of the open maps are named "refs.orderId". Faults: NotFound;
// Invalid naming the field; Conflict with Reason "phone" and the detail
// "contactId" when another contact claims the phone. An e-mail that another
// contact claims is stored unclaimed, unless the e-mail is all by which this
// contact can be found: then it is a Conflict too.
func (s *Service) UpdateIn(tx *store.Tx, actor string, cid id.ID, p Patch) (c Contact, changed []string, err error) {
	if err := s.lockPatch(tx, p); err != nil {
		return Contact{}, nil, err
	}
	if c, err = s.locked(tx, cid); err != nil {
		return Contact{}, nil, err
	}
	old := foundBy(c)
	if changed, err = s.change(tx, &c, p); err != nil {
		return Contact{}, nil, err
	}
	if len(changed) == 0 {
		return c, nil, nil
	}
	if err := update(tx, &c); err != nil {
		return Contact{}, nil, err
	}
	if slices.Contains(changed, "lastContactedAt") {
		if err := contacted(tx, c); err != nil {
			return Contact{}, nil, err
		}
	}
	if err := reindex(tx, old, c); err != nil {
		return Contact{}, nil, err
	}
	return c, changed, s.append(tx, actor, "contact.updated", c.ID, changed...)
}

// lockPatch locks the identities that a patch sets, before the contact is.
func (s *Service) lockPatch(tx *store.Tx, p Patch) error {
	var key, mail string
	var err error
	if p.Phone != nil && strings.TrimSpace(*p.Phone) != "" {
		if key, err = s.KeyOf(tx, *p.Phone); err != nil {
			return err
		}
	}
	if p.Email != nil {
		if mail, err = address(*p.Email); err != nil {
			return err
		}
	}
	return tx.Lock("identity", lockKeys(key, mail)...)
}

// change applies a patch to c and to its identity rows; the contact's own row
// is the caller's to write. Returns the names of what changed.
func (s *Service) change(tx *store.Tx, c *Contact, p Patch) (changed []string, err error) {
	var bad fault.Collector
	line := func(field string, to *string, v *string, max int) {
		if v == nil {
			return
		}
		got, err := Line(field, *v, max)
		bad.Add(err)
		if err == nil && got != *to {
			*to, changed = got, append(changed, field)
		}
	}
	line("firstName", &c.FirstName, p.FirstName, maxName)
	line("lastName", &c.LastName, p.LastName, maxName)
	if p.Source != nil && strings.TrimSpace(*p.Source) == "" {
		other := "other"
		p.Source = &other
	}
	line("source", &c.Source, p.Source, maxWord)
	line("assignedTo", &c.AssignedTo, p.AssignedTo, maxWord)
	if p.Score != nil && *p.Score != c.Score {
		if *p.Score < 0 || *p.Score > 100 {
			bad.Add(fault.Field("score", "a score is a whole number from 0 to 100"))
		}
		c.Score, changed = *p.Score, append(changed, "score")
	}
	if p.LastContactedAt != nil {
		if at := p.LastContactedAt.UTC().Truncate(time.Millisecond); !at.Equal(c.LastContactedAt) {
			c.LastContactedAt, changed = at, append(changed, "lastContactedAt")
		}
	}
	keys, err := changeRefs(c, p.Refs)
	bad.Add(err)
	changed = append(changed, keys...)
	keys, err = changeOpen("extra", &c.Extra, p.Extra)
	bad.Add(err)
	changed = append(changed, keys...)
	keys, err = changeOpen("attributes", &c.Attributes, p.Attributes)
	bad.Add(err)
	changed = append(changed, keys...)
	if err := bad.Err(); err != nil {
		return nil, err
	}
	keys, err = s.changeIdentities(tx, c, p)
	return append(changed, keys...), err
}

func changeRefs(c *Contact, patch map[string]*string) (changed []string, err error) {
	next := maps.Clone(c.Refs)
	if next == nil {
		next = map[string]string{}
	}
	for _, k := range slices.Sorted(maps.Keys(patch)) {
		old, had := next[k]
		switch v := patch[k]; {
		case v == nil && had:
			delete(next, k)
			changed = append(changed, "refs."+k)
		case v != nil && (!had || old != *v):
			if err := checkRef(k, *v); err != nil {
				return nil, err
			}
			next[k] = *v
			changed = append(changed, "refs."+k)
		}
	}
	if err := checkSize("refs", next); err != nil {
		return nil, err
	}
	c.Refs = next
	return changed, nil
}

// merge returns old with patch applied key by key; nil deletes.
func merge(old, patch map[string]any) map[string]any {
	next := make(map[string]any, len(old)+len(patch))
	maps.Copy(next, old)
	for k, v := range patch {
		if v == nil {
			delete(next, k)
		} else {
			next[k] = v
		}
	}
	return next
}

func changeOpen(field string, at *map[string]any, patch map[string]any) (changed []string, err error) {
	if len(patch) == 0 {
		return nil, nil
	}
	next, err := checkOpen(field, merge(*at, patch))
	if err != nil {
		return nil, err
	}
	for _, k := range slices.Sorted(maps.Keys(patch)) {
		old, had := (*at)[k]
		now, has := next[k]
		if had != has || !reflect.DeepEqual(old, now) {
			changed = append(changed, field+"."+k)
		}
	}
	*at = next
	return changed, nil
}

// changeIdentities sets the given phone and e-mail, and then takes away what
// the patch empties, so that one may replace the other.
func (s *Service) changeIdentities(tx *store.Tx, c *Contact, p Patch) (changed []string, err error) {
	var key, raw, mail string
	if p.Phone != nil {
		if raw, err = Line("phone", *p.Phone, phone.MaxInput); err != nil {
			return nil, err
		}
		if raw != "" {
			if key, err = s.KeyOf(tx, raw); err != nil {
				return nil, err
			}
		}
	}
	if p.Email != nil {
		if mail, err = address(*p.Email); err != nil {
			return nil, err
		}
	}
	step := func(kind, value, raw string) {
		if err != nil {
			return
		}
		var did bool
		if value == "" {
			did, err = dropIdentity(tx, c, kind)
		} else {
			want := Identity{Kind: kind, Value: value, Raw: raw, Primary: true}
			had := c.claims(kind, value)
			if did, err = setIdentity(tx, c, want); err == nil && (did || !had && c.claims(kind, value)) {
				err = s.refuseAgain(tx, c.ID, want)
			}
		}
		if did {
			changed = append(changed, kind)
		}
	}
	if key != "" {
		step(Phone, key, raw)
	}
	if mail != "" {
		step(Email, mail, strings.TrimSpace(*p.Email))
	}
	if p.Phone != nil && key == "" {
		step(Phone, "", "")
	}
	if p.Email != nil && mail == "" {
		step(Email, "", "")
	}
	return changed, err
}
