package portal

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Change is what to change of a portal. Nil leaves a field as it is.
type Change struct {
	Name    *string
	Domain  *string
	Enabled *bool
	// Extra holds further properties. Those that it names are put in the place of
	// the old ones; null takes one away.
	Extra map[string]any
}

const (
	maxTitle  = 200     // characters of a portal's name
	maxDomain = 253     // characters
	maxExtra  = 1 << 20 // bytes of JSON
	maxKeys   = 500
)

// Save makes or changes the portal of an origin and tells whether it was made.
// Faults: Invalid naming "origin", "name", "domain" or the property.
func (s *Service) Save(ctx context.Context, tenant id.ID, actor, origin string, c Change) (p Portal, made bool, err error) {
	type saved struct {
		p    Portal
		made bool
	}
	out, err := store.Write(ctx, s.db, tenant, func(tx *store.Tx) (saved, error) {
		p, made, err := s.SaveIn(tx, actor, origin, c)
		return saved{p, made}, err
	})
	return out.p, out.made, err
}

// SaveIn is Save in a transaction.
func (s *Service) SaveIn(tx *store.Tx, actor, origin string, c Change) (p Portal, made bool, err error) {
	if err := checkOrigin(origin); err != nil {
		return p, false, err
	}
	if c, err = c.checked(); err != nil {
		return p, false, err
	}
	if err := lock(tx, origin); err != nil {
		return p, false, err
	}
	p, found, err := ofOrigin(tx, origin)
	if err != nil {
		return p, false, err
	}
	if !found {
		if p, err = s.make(tx, origin); err != nil {
			return p, false, err
		}
	}
	changed, err := p.apply(c)
	if err != nil {
		return p, false, err
	}
	if len(changed) > 0 {
		p.UpdatedAt = tx.Now()
		if _, err := tx.Exec("UPDATE portal SET name=?, domain=?, enabled=?, extra=?, updated_at=? WHERE tenant_id=? AND id=?",
			p.Name, p.Domain, p.Enabled, store.JSON(p.Extra), p.UpdatedAt, p.ID); err != nil {
			return p, false, err
		}
	}
	return p, !found, s.told(tx, actor, p, !found, changed)
}

// make writes the row of a portal that is not there yet.
func (s *Service) make(tx *store.Tx, origin string) (Portal, error) {
	p := Portal{ID: id.New(), Origin: origin, Enabled: true, Extra: map[string]any{}, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
	_, err := tx.Exec("INSERT INTO portal (tenant_id, "+columns+") VALUES (?,?,?,?,?,?,?,?,?)",
		p.ID, p.Origin, p.Name, p.Domain, p.Enabled, store.JSON(p.Extra), p.CreatedAt, p.UpdatedAt)
	return p, err
}

// told appends the event of a change; names of further properties are the
// tenant's own and are not told.
func (s *Service) told(tx *store.Tx, actor string, p Portal, made bool, changed []string) error {
	typ := "portal.updated"
	switch {
	case made:
		typ = "portal.created"
	case len(changed) == 0:
		return nil
	}
	_, err := s.log.Append(tx, event.New{Type: typ, Subject: p.ID, Changed: changed, Actor: actor})
	return err
}

// lock makes changes of one portal follow each other.
func lock(tx *store.Tx, origin string) error { return tx.Lock("portal", origin) }

func checkOrigin(origin string) error {
	if origin == "" {
		return fault.Missing("origin")
	}
	if !slices.Contains(Origins, origin) {
		return fault.Field("origin", "origin must be one of %s", strings.Join(Origins, ", "))
	}
	return nil
}

func (c Change) checked() (Change, error) {
	var bad fault.Collector
	for _, f := range []struct {
		name string
		max  int
		v    **string
	}{{"name", maxTitle, &c.Name}, {"domain", maxDomain, &c.Domain}} {
		if *f.v == nil {
			continue
		}
		s, err := contact.Line(f.name, **f.v, f.max)
		bad.Add(err)
		*f.v = &s
	}
	return c, bad.Err()
}

// apply changes p and returns the names of what changed.
func (p *Portal) apply(c Change) (changed []string, err error) {
	if c.Name != nil && *c.Name != p.Name {
		p.Name, changed = *c.Name, append(changed, "name")
	}
	if c.Domain != nil && *c.Domain != p.Domain {
		p.Domain, changed = *c.Domain, append(changed, "domain")
	}
	if c.Enabled != nil && *c.Enabled != p.Enabled {
		p.Enabled, changed = *c.Enabled, append(changed, "enabled")
	}
	if len(c.Extra) == 0 {
		return changed, nil
	}
	before, err := json.Marshal(p.Extra)
	if err != nil {
		return nil, err
	}
	p.Extra = maps.Clone(p.Extra)
	for k, v := range c.Extra {
		if v == nil {
			delete(p.Extra, k)
		} else {
			p.Extra[k] = v
		}
	}
	after, err := json.Marshal(p.Extra)
	switch {
	case err != nil:
		return nil, err
	case len(after) > maxExtra:
		return nil, fault.New(fault.Invalid, "a portal must not be larger than %d bytes of JSON", maxExtra)
	case len(p.Extra) > maxKeys:
		return nil, fault.New(fault.Invalid, "a portal has at most %d properties", maxKeys)
	}
	if string(before) != string(after) {
		changed = append(changed, "settings")
	}
	return changed, nil
}

// Place puts the whole list of a portal's widgets in the place of the one it had.
// The portal of an origin is made when it is not there yet. Faults: Invalid naming
// "origin", "widgets" or "widgets[<n>].<field>".
func (s *Service) Place(ctx context.Context, tenant id.ID, actor, origin string, list []map[string]any) ([]Widget, error) {
	widgets, err := checkWidgets(list)
	if err == nil {
		err = checkOrigin(origin)
	}
	if err != nil {
		return nil, err
	}
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) ([]Widget, error) {
		if err := lock(tx, origin); err != nil {
			return nil, err
		}
		p, found, err := ofOrigin(tx, origin)
		if err != nil {
			return nil, err
		}
		if !found {
			if p, err = s.make(tx, origin); err != nil {
				return nil, err
			}
		}
		return widgets, s.replace(tx, actor, p, !found, widgets)
	})
}

// PlaceAt is Place for a portal by its id. NotFound naming "portal".
func (s *Service) PlaceAt(ctx context.Context, tenant id.ID, actor string, v id.ID, list []map[string]any) ([]Widget, error) {
	widgets, err := checkWidgets(list)
	if err != nil {
		return nil, err
	}
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) ([]Widget, error) {
		p, err := s.Get(tx, v)
		if err != nil {
			return nil, err
		}
		if err := lock(tx, p.Origin); err != nil {
			return nil, err
		}
		return widgets, s.replace(tx, actor, p, false, widgets)
	})
}

func (s *Service) replace(tx *store.Tx, actor string, p Portal, made bool, list []Widget) error {
	if _, err := tx.Exec("DELETE FROM portal_widget WHERE tenant_id=? AND portal_id=?", p.ID); err != nil {
		return err
	}
	rows := make([][]any, 0, len(list))
	for i, w := range list {
		rows = append(rows, []any{p.ID, i, w.ID, w.Type, w.Index, w.Campaign, store.JSON(w.Body)})
	}
	if _, err := store.InsertRows(tx, "portal_widget (tenant_id, portal_id, position, widget_id, type, list_index, campaign_id, body)", rows, ""); err != nil {
		return err
	}
	if _, err := tx.Exec("UPDATE portal SET updated_at=? WHERE tenant_id=? AND id=?", tx.Now(), p.ID); err != nil {
		return err
	}
	return s.told(tx, actor, p, made, []string{"widgets"})
}
