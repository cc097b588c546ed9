package segment

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"

	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Create is CreateIn in a transaction of its own.
func (s *Service) Create(ctx context.Context, tenant id.ID, actor string, n New) (Segment, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Segment, error) { return s.CreateIn(tx, actor, n) })
}

// Update is UpdateIn in a transaction of its own.
func (s *Service) Update(ctx context.Context, tenant id.ID, actor string, v id.ID, c Change) (Segment, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Segment, error) { return s.UpdateIn(tx, actor, v, c) })
}

// Replace is ReplaceIn in a transaction of its own.
func (s *Service) Replace(ctx context.Context, tenant id.ID, actor string, v id.ID, n New) (Segment, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Segment, error) { return s.ReplaceIn(tx, actor, v, n) })
}

// Delete is DeleteIn in a transaction of its own.
func (s *Service) Delete(ctx context.Context, tenant id.ID, actor string, v id.ID) (Segment, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Segment, error) { return s.DeleteIn(tx, actor, v) })
}

// CreateIn makes a segment and appends segment.created. Whom it contains from the
// beginning is found out behind this transaction, and nobody is told of them.
// Faults: Invalid naming "name", "description", "entity_schema", "_tags",
// "entity_filters" or what of it is wrong, or another attribute; Conflict with
// Reason "exists" when the id is taken; Quota.
func (s *Service) CreateIn(tx *store.Tx, actor string, n New) (Segment, error) {
	v, err := n.segment()
	if err != nil {
		return v, err
	}
	g, err := turn(tx)
	if err != nil {
		return v, err
	}
	if g.segments >= MaxSegments {
		return v, fault.New(fault.Quota, "there are %d targets already, which is the most; delete those that nobody uses", MaxSegments)
	}
	if v.ID = n.ID; v.ID.IsZero() {
		v.ID = id.New()
	} else if known, err := s.GetMany(tx, []id.ID{v.ID}); err != nil || len(known) > 0 {
		if err == nil {
			err = fault.New(fault.Conflict, "a target with this id exists already").Because("exists")
		}
		return v, err
	}
	g.segments++
	v.CreatedBy, v.CreatedAt, v.UpdatedAt, v.version = n.CreatedBy, tx.Now(), tx.Now(), g.version
	if err := s.begin(tx, &v, &g); err != nil {
		return v, err
	}
	if err := insert(tx, v); err != nil {
		return v, err
	}
	if err := s.keep(tx, g); err != nil {
		return v, err
	}
	return v, s.tell(tx, actor, "created", v.ID)
}

// UpdateIn changes a segment, appends segment.updated and returns it; nothing
// happens when nothing is otherwise. Other filters begin like a new segment's: who
// comes and goes by them is not told. Faults as of CreateIn, NotFound, and Conflict
// with Reason "changed" (see Change.Since).
func (s *Service) UpdateIn(tx *store.Tx, actor string, v id.ID, c Change) (Segment, error) {
	return s.edit(tx, actor, v, func(old Segment) (New, error) {
		n := New{Since: c.Since, Name: old.Name, Description: old.Description, Schema: old.Schema, Filters: old.Filters, Tags: old.Tags, Extra: maps.Clone(old.Extra)}
		put(&n.Name, c.Name)
		put(&n.Description, c.Description)
		put(&n.Schema, c.Schema)
		put(&n.Filters, c.Filters)
		put(&n.Tags, c.Tags)
		if n.Extra == nil {
			n.Extra = map[string]any{}
		}
		for k, x := range c.Extra {
			if x == nil {
				delete(n.Extra, k)
			} else {
				n.Extra[k] = x
			}
		}
		return n, nil
	})
}

func put[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// ReplaceIn makes a segment what it is given, but for who made it and when; else it
// is like UpdateIn.
func (s *Service) ReplaceIn(tx *store.Tx, actor string, v id.ID, n New) (Segment, error) {
	return s.edit(tx, actor, v, func(Segment) (New, error) { return n, nil })
}

func (s *Service) edit(tx *store.Tx, actor string, v id.ID, change func(Segment) (New, error)) (Segment, error) {
	// Before anything else: an unknown id must not make the version greater.
	if _, err := s.Get(tx, v); err != nil {
		return Segment{}, err
	}
	g, err := turn(tx)
	if err != nil {
		return Segment{}, err
	}
	old, err := s.Get(tx, v) // as it is behind the others
	if err != nil {
		return old, err
	}
	n, err := change(old)
	if err != nil {
		return old, err
	}
	if !n.Since.IsZero() && old.UpdatedAt.After(n.Since) {
		return old, fault.New(fault.Conflict, "the target was changed since _updated_at; read it again and repeat the change").Because("changed")
	}
	now, err := n.segment()
	if err != nil {
		return old, err
	}
	now.ID, now.CreatedBy, now.CreatedAt, now.UpdatedAt = old.ID, old.CreatedBy, old.CreatedAt, old.UpdatedAt
	now.number, now.seeded, now.version = old.number, old.seeded, old.version
	if same(old, now) {
		return old, nil
	}
	now.UpdatedAt, now.version = tx.Now(), g.version
	if old.Schema != now.Schema || old.Empty != now.Empty || !same(old.Filter, now.Filter) {
		old.leave(&g)
		if err := s.begin(tx, &now, &g); err != nil {
			return now, err
		}
	}
	if err := update(tx, now); err != nil {
		return now, err
	}
	if err := s.keep(tx, g); err != nil {
		return now, err
	}
	return now, s.tell(tx, actor, "updated", now.ID, differs(old, now)...)
}

// DeleteIn takes a segment away, appends segment.deleted and returns what it was.
// Nobody is told to have left it. NotFound.
func (s *Service) DeleteIn(tx *store.Tx, actor string, v id.ID) (Segment, error) {
	if _, err := s.Get(tx, v); err != nil {
		return Segment{}, err
	}
	g, err := turn(tx)
	if err != nil {
		return Segment{}, err
	}
	old, err := s.Get(tx, v)
	if err != nil {
		return old, err
	}
	if _, err := tx.Exec("DELETE FROM segment WHERE tenant_id=? AND id=?", v); err != nil {
		return old, err
	}
	if _, err := tx.Exec("INSERT INTO segment_gone (tenant_id, version, segment_id) VALUES (?,?,?)", g.version, v); err != nil {
		return old, err
	}
	if _, err := tx.Exec("DELETE FROM segment_gone WHERE tenant_id=? AND version<=?", g.version-goneKept); err != nil {
		return old, err
	}
	g.segments--
	old.leave(&g)
	if err := s.keep(tx, g); err != nil {
		return old, err
	}
	return old, s.tell(tx, actor, "deleted", v)
}

// begin gives a segment a number for its filters. Whom they contain is to be found
// out, unless they contain nobody.
func (s *Service) begin(tx *store.Tx, v *Segment, g *ring) error {
	g.number++
	v.number, v.seeded = g.number, v.idle()
	if v.seeded {
		return nil
	}
	g.schemas[v.Schema]++
	return oweSeed(tx, v.Schema)
}

// idle reports whether a segment contains nobody, whoever there is.
func (v Segment) idle() bool { return v.Empty || v.Schema == "" }

func (v Segment) leave(g *ring) {
	if v.idle() {
		return
	}
	if g.schemas[v.Schema]--; g.schemas[v.Schema] <= 0 {
		delete(g.schemas, v.Schema)
	}
}

func (s *Service) tell(tx *store.Tx, actor, verb string, v id.ID, changed ...string) error {
	_, err := s.feed.Append(tx, event.New{Type: Noun + "." + verb, Subject: v, Changed: changed, Actor: actor})
	return err
}

// same compares as JSON does: what was read from the database has other types of
// Go than what came in.
func same(a, b any) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// differs names the attributes in which two segments differ.
func differs(a, b Segment) []string {
	var out []string
	for _, f := range []struct {
		name string
		same bool
	}{{"name", a.Name == b.Name}, {"description", a.Description == b.Description}, {"entity_schema", a.Schema == b.Schema},
		{"entity_filters", same(a.Filters, b.Filters)}, {"_tags", slices.Equal(a.Tags, b.Tags)}} {
		if !f.same {
			out = append(out, f.name)
		}
	}
	return out
}
