package record

import (
	"context"
	"maps"
	"slices"

	"parley/internal/fault"
	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/store"
)

// Upsert is a record to be found by what it holds, and made when there is none.
type Upsert struct {
	New
	// Unique names the attributes by which it is found: texts, numbers or booleans of
	// New.Attributes.
	Unique []string
	Patch  // what a record that is there gets
}

// Upserted is what an Upsert came to.
type Upserted struct {
	Record Record
	Fresh  bool // made now
}

const (
	// MaxUnique is how many attributes may identify a record.
	MaxUnique = 10
	page      = 200
)

// Upsert is UpsertIn in a transaction of its own.
func (s *Service) Upsert(ctx context.Context, tenant id.ID, actor string, u Upsert) (Upserted, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Upserted, error) { return s.UpsertIn(tx, actor, u) })
}

// UpsertIn changes the one living record of the schema that holds the same values
// under the unique names, type and all, or makes it. Of several that run at once
// with the same values one makes the record and the others change it. Faults:
// Invalid naming "unique_key"; Conflict with Reason "ambiguous" when several
// records hold the values, or "stale"; those of CreateIn and UpdateIn.
func (s *Service) UpsertIn(tx *store.Tx, actor string, u Upsert) (Upserted, error) {
	if err := CheckSchema(u.Schema); err != nil {
		return Upserted{}, err
	}
	if _, err := s.led(tx, u.Patch.Attributes); err != nil { // its people first, see led
		return Upserted{}, err
	}
	attributes, err := Merged(nil, u.New.Attributes)
	if err != nil {
		return Upserted{}, err
	}
	key, err := UniqueKey(u.Unique, attributes)
	if err != nil {
		return Upserted{}, err
	}
	if err := tx.Lock("record.unique", u.Schema+" "+encoded(key)); err != nil {
		return Upserted{}, err
	}
	for range 10 {
		list, err := s.holding(tx, u.Schema, key)
		if err != nil {
			return Upserted{}, err
		}
		switch len(list) {
		case 0:
			rec, err := s.CreateIn(tx, actor, u.New)
			return Upserted{rec, true}, err
		case 1:
		default:
			return Upserted{}, Ambiguous()
		}
		rec, err := s.locked(tx, list[0])
		if fault.As(err) != nil || err == nil && (!rec.DeletedAt.IsZero() || !rec.holds(key)) {
			continue // somebody changed it between the look and the lock
		}
		if err != nil {
			return Upserted{}, err
		}
		rec, err = s.UpdateIn(tx, actor, u.Schema, rec.ID, u.Patch)
		return Upserted{Record: rec}, err
	}
	return Upserted{}, fault.New(fault.Unavailable, "others are changing the same entities at this moment; try again")
}

// Ambiguous is the refusal of an upsert that several entities answer to.
func Ambiguous() error {
	return fault.New(fault.Conflict, "several entities have these values of unique_key; name more attributes, or change one of them by its id").Because("ambiguous")
}

// UniqueKey takes the values of unique names out of attributes. Invalid naming
// "unique_key" when there are none, too many, or one has no value that can be
// compared.
func UniqueKey(names []string, attributes map[string]any) (map[string]any, error) {
	if len(names) == 0 {
		return nil, fault.Missing("unique_key")
	}
	if len(names) > MaxUnique {
		return nil, fault.Field("unique_key", "unique_key names at most %d attributes", MaxUnique)
	}
	out := map[string]any{}
	for _, name := range names {
		switch v := filter.Canonical(attributes[name]).(type) {
		case string:
			if v == "" {
				return nil, fault.Field("unique_key", "the entity's %q is empty; unique_key names attributes with a value", name)
			}
			out[name] = v
		case bool, int64, float64:
			out[name] = v
		default:
			return nil, fault.Field("unique_key", "the entity must have a text, a number or a boolean under %q, which unique_key names", name)
		}
	}
	return out, nil
}

// holds tells whether a record has the values of a key.
func (rec Record) holds(key map[string]any) bool {
	for name, v := range key {
		if rec.Attributes[name] != v { // scalars in canonical form
			return false
		}
	}
	return true
}

// holding returns the living records of a schema that hold a key, two at most. It
// reads those that the index has under all of the values, and those that are not
// listed in it.
func (s *Service) holding(r store.Reader, schema string, key map[string]any) ([]id.ID, error) {
	const part = "SELECT record_id FROM record_attribute WHERE tenant_id=?1 AND schema=?2 AND name="
	text, args := "", []any{schema}
	for _, name := range slices.Sorted(maps.Keys(key)) {
		at := len(args) + 2
		one := part + places(at, 1) + " AND value=" + places(at+1, 1)
		if text != "" {
			one = " AND record_id IN (" + one + ")"
		}
		text += one
		args = append(args, name, filter.Keys(key[name])[0])
	}
	var out []id.ID
	for _, q := range []struct {
		text string
		args []any
	}{{text, args}, {part + "'' AND value='" + AnyKey + "'", args[:1]}} {
		last := id.Zero
		for {
			at := len(q.args) + 2
			rows, err := r.Query(q.text+" AND record_id>"+places(at, 1)+" ORDER BY record_id LIMIT "+places(at+1, 1), append(slices.Clone(q.args), last.String(), page)...)
			found, err := store.Collect(rows, err, scanID)
			if err != nil {
				return nil, err
			}
			list, err := s.GetMany(r, found)
			if err != nil {
				return nil, err
			}
			for _, v := range found {
				if rec, ok := list[v]; ok && rec.holds(key) && !slices.Contains(out, v) {
					if out = append(out, v); len(out) == 2 {
						return out, nil
					}
				}
			}
			if len(found) < page {
				break
			}
			last = found[len(found)-1]
		}
	}
	return out, nil
}
