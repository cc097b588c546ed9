package app

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"slices"

	"parley/internal/fault"
	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/store"
)

const (
	formPath     = "/settings/form"
	settingsPath = "/settings"
)

// Form asks the app for the form of its settings. Faults: NotFound; Unready while
// it is not installed; Unavailable when it does not answer as it should.
func (s *Service) Form(ctx context.Context, tenant, instance id.ID) (Form, error) {
	var raw json.RawMessage
	if err := s.ask(ctx, tenant, instance, "GET", formPath, nil, &raw); err != nil {
		return Form{}, err
	}
	return parseForm(raw)
}

// Settings asks the app for its settings. They are stored nowhere here. Faults as
// Form's.
func (s *Service) Settings(ctx context.Context, tenant, instance id.ID) (map[string]any, error) {
	var out map[string]any
	err := s.ask(ctx, tenant, instance, "GET", settingsPath, nil, &out)
	if err == nil && out == nil {
		err = silent("the app answered with settings that are no object; ask its developer")
	}
	return out, err
}

// Checked applies the app's form to its settings with some changed, and stores
// nothing: what a person sees while filling the form in. Faults as Form's.
func (s *Service) Checked(ctx context.Context, tenant, instance id.ID, changes map[string]any) (Form, error) {
	form, now, err := s.both(ctx, tenant, instance)
	if err != nil {
		return Form{}, err
	}
	return form.Apply(merged(now, changes))
}

func (s *Service) both(ctx context.Context, tenant, instance id.ID) (form Form, now map[string]any, err error) {
	if form, err = s.Form(ctx, tenant, instance); err == nil {
		now, err = s.Settings(ctx, tenant, instance)
	}
	return form, now, err
}

func merged(now, changes map[string]any) map[string]any {
	out := maps.Clone(now)
	maps.Copy(out, changes)
	return out
}

// SetSettings changes settings of an app: the form's conditions, types and
// validations are held against the whole, and only what differs from what the app
// has is sent (S, put settings). It returns the whole as it is then and appends
// instance.configured with the names that changed. Nothing is kept here, so a
// change that the app did not confirm did not happen as far as we know. Faults:
// those of Form; Invalid naming the input, also for what the form calls an error.
func (s *Service) SetSettings(ctx context.Context, tenant id.ID, actor string, instance id.ID, changes map[string]any) (map[string]any, error) {
	form, now, err := s.both(ctx, tenant, instance)
	if err != nil {
		return nil, err
	}
	whole := merged(now, changes)
	applied, err := form.Apply(whole)
	if err != nil {
		return nil, err
	}
	differing, err := applied.differing(now, changes)
	if err != nil {
		return nil, err
	}
	if err := applied.errs(); err != nil {
		return nil, err
	}
	if len(differing) == 0 {
		return now, nil
	}
	if err := s.ask(ctx, tenant, instance, "PUT", settingsPath, differing, nil); err != nil {
		return nil, err
	}
	return whole, s.db.Write(ctx, tenant, func(tx *store.Tx) error {
		return s.append(tx, actor, "instance.configured", instance, slices.Sorted(maps.Keys(differing))...)
	})
}

// differing returns the changes that change something, or says which may not be
// made.
func (f Form) differing(now, changes map[string]any) (map[string]any, error) {
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		v := changes[name]
		n, off, found := f.input(name)
		if !found {
			return nil, fault.Field(cut(name, 100), "the form of the app has no input %q; use the names of its inputs", cut(name, 100))
		}
		if reflect.DeepEqual(filter.Canonical(now[name]), filter.Canonical(v)) {
			continue
		}
		if off {
			return nil, fault.Field(name, "%s cannot be changed now: the form of the app hides or disables it", name)
		}
		if want := n.wants(v); v != nil && want != "" {
			return nil, fault.Field(name, "%s must be %s", name, want)
		}
		out[name] = v
	}
	return out, nil
}
