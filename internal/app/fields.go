package app

import (
	"context"
	"database/sql"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Fields returns the additional fields of prospects or users ("prospect", "user"):
// the tenant's own in its order, then those of its apps that are installed
// somewhere, under <developer>_<app>_<key>. Invalid naming "entity".
func (s *Service) Fields(r store.Reader, entity string) ([]Field, error) {
	if err := checkEntity(entity); err != nil {
		return nil, err
	}
	out, err := ownFields(r, entity)
	if err != nil {
		return nil, err
	}
	all, err := apps(r)
	if err != nil {
		return nil, err
	}
	used, err := installed(r)
	if err != nil {
		return nil, err
	}
	for _, a := range all {
		fields := a.ProspectFields
		if entity == User {
			fields = a.UserFields
		}
		if !used[a.ID] {
			continue
		}
		for _, f := range fields {
			f.App = a.Slug()
			f.Key = f.App + "_" + f.Key
			out = append(out, f)
		}
	}
	return out, nil
}

// installed are the apps that have a living instance, by the index
// app_instance_place.
func installed(r store.Reader) (map[id.ID]bool, error) {
	rows, err := r.Query("SELECT DISTINCT app_id FROM app_instance WHERE tenant_id=? AND state<>'uninstalled'")
	ids, err := store.Collect(rows, err, func(r *sql.Rows) (a id.ID, err error) { return a, r.Scan(&a) })
	out := make(map[id.ID]bool, len(ids))
	for _, a := range ids {
		out[a] = true
	}
	return out, err
}

func checkEntity(entity string) error {
	if entity != Prospect && entity != User {
		return fault.Field("entity", "additional fields belong to prospect or user, not to %q", cut(entity, 30))
	}
	return nil
}

// OwnFields returns the fields that the tenant added itself.
func (s *Service) OwnFields(r store.Reader, entity string) ([]Field, error) {
	if err := checkEntity(entity); err != nil {
		return nil, err
	}
	return ownFields(r, entity)
}

// ownFields is OwnFields for both entities when entity is "".
func ownFields(r store.Reader, entity string) ([]Field, error) {
	where, args := "", []any(nil)
	if entity != "" {
		where, args = " AND entity=?", []any{entity}
	}
	rows, err := r.Query("SELECT field_key, name, type, options, read_only, hidden FROM app_field WHERE tenant_id=?"+where+" ORDER BY entity, position", args...)
	return store.Collect(rows, err, func(r *sql.Rows) (f Field, err error) {
		return f, r.Scan(&f.Key, store.JSON(&f.Name), &f.Type, store.JSON(&f.Options), &f.ReadOnly, &f.Hidden)
	})
}

// SetFields replaces the tenant's own fields of an entity and appends
// tenant.fields. Values that people have under a key that goes stay with them.
// Faults: Invalid naming "entity" or "fields[n].key" and the like; Conflict for a
// key that looks like one of an app.
func (s *Service) SetFields(ctx context.Context, tenant id.ID, actor, entity string, fields []Field) ([]Field, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) ([]Field, error) {
		if err := checkEntity(entity); err != nil {
			return nil, err
		}
		clean, err := checkFields("fields", fields)
		if err != nil {
			return nil, err
		}
		if err := tx.Lock("app", "registry"); err != nil {
			return nil, err
		}
		all, err := apps(tx)
		if err != nil {
			return nil, err
		}
		for i, f := range clean {
			for _, a := range all {
				if strings.HasPrefix(f.Key, a.Slug()+"_") {
					e := fault.New(fault.Conflict, "%s is how a field of the app %s is called; choose another key", f.Key, a.Slug())
					e.Field = item("fields", i) + ".key"
					return nil, e
				}
			}
		}
		if _, err := tx.Exec("DELETE FROM app_field WHERE tenant_id=? AND entity=?", entity); err != nil {
			return nil, err
		}
		rows := make([][]any, len(clean))
		for i, f := range clean {
			rows[i] = []any{entity, f.Key, i, store.JSON(f.Name), f.Type, store.JSON(list(f.Options)), f.ReadOnly, f.Hidden}
		}
		if len(rows) > 0 {
			if _, err := store.InsertRows(tx, "app_field (tenant_id, entity, field_key, position, name, type, options, read_only, hidden)", rows, ""); err != nil {
				return nil, err
			}
		}
		return list(clean), s.append(tx, actor, "tenant.fields", tx.Tenant(), entity)
	})
}

// Check holds values against the fields that they are of: a number must be one, a
// date a date, a choice one of the options; null takes a value away and is always
// right. Keys that no field has are free. A person may not change what is readOnly;
// integrations may. Faults are Invalid and name "<at>.<key>".
func Check(fields []Field, at string, values map[string]any, person bool) error {
	for _, f := range fields {
		v, given := values[f.Key]
		if !given {
			continue
		}
		place := at + "." + f.Key
		if person && f.ReadOnly {
			return fault.Field(place, "%s can be changed by its app only", place)
		}
		if v == nil {
			continue
		}
		if want := f.wants(v); want != "" {
			return fault.Field(place, "%s must be %s", place, want)
		}
	}
	return nil
}

// wants says what a value of the field must be when v is not that, else "".
func (f Field) wants(v any) string {
	s, text := v.(string)
	switch f.Type {
	case "number":
		if n, ok := number(v); !ok || math.IsInf(n, 0) || math.IsNaN(n) {
			return "a number"
		}
	case "boolean":
		if _, ok := v.(bool); !ok {
			return "true or false"
		}
	case "date":
		if !text || !isDay(s) {
			return "a date like 2020-12-01"
		}
	case "select":
		if !text || !slices.Contains(f.Options, s) {
			return "one of " + strings.Join(f.Options, ", ")
		}
	default:
		if !text {
			return "a text"
		}
	}
	return ""
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	case json.Number:
		f, err := n.Float64()
		return f, err == nil
	}
	return 0, false
}

// isDay reads the forms of dates that the filter additionalData compares
// (reference §4.5).
func isDay(s string) bool {
	for _, layout := range []string{time.DateOnly, "02/01/2006", time.RFC3339} {
		if _, err := time.Parse(layout, s); err == nil {
			return true
		}
	}
	return false
}
