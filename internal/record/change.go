package record

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"time"

	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Create is CreateIn in a transaction of its own.
func (s *Service) Create(ctx context.Context, tenant id.ID, actor string, n New) (Record, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Record, error) { return s.CreateIn(tx, actor, n) })
}

// Update is UpdateIn in a transaction of its own.
func (s *Service) Update(ctx context.Context, tenant id.ID, actor, schema string, rid id.ID, p Patch) (Record, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Record, error) { return s.UpdateIn(tx, actor, schema, rid, p) })
}

// Replace is ReplaceIn in a transaction of its own.
func (s *Service) Replace(ctx context.Context, tenant id.ID, actor, schema string, rid id.ID, p Patch) (Record, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Record, error) { return s.ReplaceIn(tx, actor, schema, rid, p) })
}

// Delete is DeleteIn in a transaction of its own.
func (s *Service) Delete(ctx context.Context, tenant id.ID, actor, schema string, rid id.ID) (Record, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Record, error) { return s.DeleteIn(tx, actor, schema, rid) })
}

// Purge is PurgeIn in a transaction of its own.
func (s *Service) Purge(ctx context.Context, tenant id.ID, actor, schema string, rid id.ID) (Record, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Record, error) { return s.PurgeIn(tx, actor, schema, rid) })
}

// CreateIn makes a record and appends record.created. Faults: Invalid naming
// "slug", "_tags", "_title" or an attribute.
func (s *Service) CreateIn(tx *store.Tx, actor string, n New) (Record, error) {
	if err := CheckSchema(n.Schema); err != nil {
		return Record{}, err
	}
	rec := Record{ID: id.New(), Schema: n.Schema, Tags: []string{}, Attributes: map[string]any{}, Owner: n.Owner,
		CreatedBy: actor, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
	attributes, err := s.led(tx, n.Attributes)
	if err != nil {
		return Record{}, err
	}
	next, err := rec.patched(Patch{Title: &n.Title, Tags: &n.Tags, Attributes: attributes})
	if err != nil {
		return Record{}, err
	}
	if err := insert(tx, next); err != nil {
		return Record{}, err
	}
	return next, s.append(tx, actor, "record.created", next)
}

// find locks a record of a schema; "" is any. NotFound.
func (s *Service) find(tx *store.Tx, schema string, rid id.ID) (Record, error) {
	rec, err := s.locked(tx, rid)
	if err == nil && schema != "" && rec.Schema != schema {
		err = fault.Unknown("record")
	}
	return rec, err
}

// UpdateIn changes a record of a schema ("" is any) and appends record.updated with
// the names of the attributes that really changed; when none did, nothing happens.
// Faults: NotFound; Conflict with Reason "stale" (see Patch.Seen); Invalid as
// CreateIn's.
func (s *Service) UpdateIn(tx *store.Tx, actor, schema string, rid id.ID, p Patch) (Record, error) {
	return s.changeIn(tx, actor, schema, rid, p, Record.patched)
}

// ReplaceIn is UpdateIn for a record that shall hold what p says and nothing else:
// tags and attributes that p leaves out are gone.
func (s *Service) ReplaceIn(tx *store.Tx, actor, schema string, rid id.ID, p Patch) (Record, error) {
	return s.changeIn(tx, actor, schema, rid, p, Record.replaced)
}

func (s *Service) changeIn(tx *store.Tx, actor, schema string, rid id.ID, p Patch, by func(Record, Patch) (Record, error)) (Record, error) {
	attributes, err := s.led(tx, p.Attributes)
	if err != nil {
		return Record{}, err
	}
	p.Attributes = attributes
	old, err := s.find(tx, schema, rid)
	if err != nil {
		return Record{}, err
	}
	if !old.DeletedAt.IsZero() && !p.Restore {
		return Record{}, fault.Unknown("record")
	}
	if !p.Seen.IsZero() && old.UpdatedAt.After(p.Seen) {
		return Record{}, Stale(old.UpdatedAt)
	}
	next, err := by(old, p)
	if err != nil {
		return Record{}, err
	}
	restored := !old.DeletedAt.IsZero()
	next.DeletedAt = time.Time{}
	names := changed(old, next)
	if len(names) == 0 && !restored {
		return old, nil
	}
	next.touch(tx)
	if err := update(tx, old, next); err != nil {
		return Record{}, err
	}
	if restored {
		if err := s.append(tx, actor, "record.restored", next); err != nil {
			return Record{}, err
		}
	}
	if len(names) == 0 {
		return next, nil
	}
	return next, s.append(tx, actor, "record.updated", next, names...)
}

// Stale is the refusal of a change by somebody who read an older state.
func Stale(now time.Time) error {
	return fault.New(fault.Conflict, "the entity has changed at %s, after the _updated_at of the request; read it again, then decide",
		now.UTC().Format("2006-01-02T15:04:05.000Z")).Because("stale")
}

// touch moves UpdatedAt on: no two states of a record have the same.
func (rec *Record) touch(tx *store.Tx) {
	at := tx.Now()
	if !at.After(rec.UpdatedAt) {
		at = rec.UpdatedAt.Add(time.Millisecond)
	}
	rec.UpdatedAt = at
}

// DeleteIn puts a record away and appends record.deleted; one that was put away
// already stays so. NotFound.
func (s *Service) DeleteIn(tx *store.Tx, actor, schema string, rid id.ID) (Record, error) {
	old, err := s.find(tx, schema, rid)
	if err != nil || !old.DeletedAt.IsZero() {
		return old, err
	}
	next := old
	next.touch(tx)
	next.DeletedAt = next.UpdatedAt
	if err := update(tx, old, next); err != nil {
		return Record{}, err
	}
	return next, s.append(tx, actor, "record.deleted", next)
}

// RestoreIn takes a deleted record back and appends record.restored; one that was
// not deleted stays as it is. NotFound.
func (s *Service) RestoreIn(tx *store.Tx, actor, schema string, rid id.ID) (Record, error) {
	return s.UpdateIn(tx, actor, schema, rid, Patch{Restore: true})
}

// PurgeIn takes a record away for good, deleted or not, and appends record.purged.
// It returns what it was. NotFound.
func (s *Service) PurgeIn(tx *store.Tx, actor, schema string, rid id.ID) (Record, error) {
	rec, err := s.find(tx, schema, rid)
	if err != nil {
		return Record{}, err
	}
	if err := drop(tx, rec); err != nil {
		return Record{}, err
	}
	return rec, s.append(tx, actor, "record.purged", rec)
}

// maxNamed bounds how many names an event carries.
const maxNamed = 100

func (s *Service) append(tx *store.Tx, actor, typ string, rec Record, names ...string) error {
	_, err := s.log.Append(tx, told(actor, typ, rec, names...))
	return err
}

func told(actor, typ string, rec Record, names ...string) event.New {
	list := append([]string{"schema:" + rec.Schema}, names[:min(len(names), maxNamed)]...)
	return event.New{Type: typ, Subject: rec.ID, Changed: list, Actor: actor}
}

// changed names what differs between two states: attributes on top, _tags, _title.
func changed(old, now Record) []string {
	var out []string
	names := slices.Sorted(maps.Keys(now.Attributes))
	for name := range old.Attributes {
		if _, has := now.Attributes[name]; !has {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		a, had := old.Attributes[name]
		b, has := now.Attributes[name]
		if had != has || !reflect.DeepEqual(a, b) {
			out = append(out, name)
		}
	}
	if !slices.Equal(old.Tags, now.Tags) {
		out = append(out, "_tags")
	}
	if old.Title != now.Title {
		out = append(out, "_title")
	}
	return out
}
