package automation

import (
	"context"
	"slices"
	"strings"
	"time"

	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Definition is what a tenant says about an event of its own (reference 3.12).
// It places the people whom a call of its name creates or upserts, makes the
// call match the rules of MapsTo too, and holds its payload to a schema. While
// it is not active, calls of its name are taken and start nothing.
type Definition struct {
	ID            id.ID // zero for a built-in trigger
	Name          string
	DisplayName   string
	Description   string
	PayloadSchema map[string]any // nil: any payload
	Active        bool
	System        bool
	MapsTo        string // another trigger whose rules start as well, or ""
	Pipeline      id.ID  // zero: the default one
	Stage         id.ID  // zero: the pipeline's first
	DefaultSource string // of people who are created without one, or ""
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// DefinitionForm is what Define is given; nil fields stay as they are, or get
// their defaults in a new definition.
type DefinitionForm struct {
	Name                                            string // required
	DisplayName, Description, MapsTo, DefaultSource *string
	PayloadSchema                                   *map[string]any // to nil: no schema
	Pipeline, Stage                                 *id.ID          // to zero: none
	System                                          *bool
}

// reservedEvents cannot be defined by a tenant (reference 3.5).
var reservedEvents = []string{"stage_enter", "lead_created", "whatsapp_incoming", "appointment_confirmed", "appointment_reminder", "tag_added"}

// maxDefinitions bounds a tenant's definitions, so that lists need no pages.
const maxDefinitions = 1000

// Define makes the definition of a name or changes it, and switches it on
// again. Faults: Invalid of "name" (missing, reserved, badly formed),
// "displayName", "description", "mapsTo", "defaultSource", "payloadSchema" and
// what lies within; NotFound "pipeline" or "stage" with its field.
func (s *Service) Define(ctx context.Context, tenant id.ID, actor string, f DefinitionForm) (Definition, error) {
	name, err := definableName(f.Name)
	if err != nil {
		return Definition{}, err
	}
	if f.PayloadSchema != nil && *f.PayloadSchema != nil {
		m, err := asJSON("payloadSchema", maxSchema, *f.PayloadSchema)
		if err != nil {
			return Definition{}, err
		}
		if err := checkSchema("payloadSchema", m, 0); err != nil {
			return Definition{}, err
		}
		f.PayloadSchema = &m
	}
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Definition, error) {
		if err := tx.Lock("event_definition", name); err != nil {
			return Definition{}, err
		}
		d, known, err := definitionIn(tx, name)
		if err != nil {
			return Definition{}, err
		}
		if !known {
			if err := roomForDefinition(tx); err != nil {
				return Definition{}, err
			}
			d = Definition{ID: id.New(), Name: name, DisplayName: spoken(name), CreatedAt: tx.Now()}
		}
		if err := d.apply(f); err != nil {
			return Definition{}, err
		}
		if f.Pipeline != nil || f.Stage != nil {
			if d.Pipeline, d.Stage, err = s.placeOf(store.Join(ctx, tx), tx, d.Pipeline, d.Stage); err != nil {
				return Definition{}, err
			}
		}
		d.Active, d.UpdatedAt = true, tx.Now()
		if err := s.saveDefinition(tx, &d, known); err != nil {
			return Definition{}, err
		}
		return d, s.tell(tx, "event_definition.saved", d.ID, actor)
	})
}

func definableName(raw string) (string, error) {
	name, err := checkTrigger(raw)
	if f := fault.As(err); f != nil {
		e := *f
		e.Field = "name"
		e.Message = strings.Replace(e.Message, "trigger is", "name is", 1)
		return "", &e
	}
	if err != nil {
		return "", err
	}
	if slices.Contains(reservedEvents, name) || slices.Contains(reservedEvents, mapped[name]) {
		return "", fault.Field("name", "%q is a name of the system and cannot be assigned; choose another name", name)
	}
	return name, nil
}

func (d *Definition) apply(f DefinitionForm) (err error) {
	for _, t := range []struct {
		field string
		from  *string
		to    *string
		max   int
	}{{"displayName", f.DisplayName, &d.DisplayName, 200}, {"description", f.Description, &d.Description, 2000}, {"defaultSource", f.DefaultSource, &d.DefaultSource, 100}} {
		if t.from == nil {
			continue
		}
		if *t.to, err = contact.Line(t.field, *t.from, t.max); err != nil {
			return err
		}
	}
	if d.DisplayName == "" {
		d.DisplayName = spoken(d.Name)
	}
	if f.MapsTo != nil {
		if d.MapsTo = strings.TrimSpace(*f.MapsTo); d.MapsTo != "" {
			if _, err := checkTrigger(d.MapsTo); err != nil {
				return fault.Field("mapsTo", "mapsTo must be a trigger's name: no white space and at most %d characters", maxTrigger)
			}
		}
	}
	if f.PayloadSchema != nil {
		d.PayloadSchema = *f.PayloadSchema
	}
	if f.System != nil {
		d.System = *f.System
	}
	if f.Pipeline != nil {
		d.Pipeline = *f.Pipeline
		if f.Stage == nil {
			d.Stage = id.Zero // the old one may be of another pipeline
		}
	}
	if f.Stage != nil {
		if d.Stage = *f.Stage; f.Pipeline == nil && !d.Stage.IsZero() {
			d.Pipeline = id.Zero // it follows from the stage
		}
	}
	return nil
}

// placeOf returns the pipeline of a stage, and checks that both are there.
func (s *Service) placeOf(ctx context.Context, tx *store.Tx, pipeline, stage id.ID) (id.ID, id.ID, error) {
	if pipeline.IsZero() && stage.IsZero() {
		return pipeline, stage, nil
	}
	list, err := s.cards.Pipelines(ctx, tx.Tenant())
	if err != nil {
		return pipeline, stage, err
	}
	gone := func(noun, field string) error {
		e := fault.Unknown(noun)
		e.Field = field
		return e
	}
	for _, p := range list {
		if !pipeline.IsZero() && p.ID != pipeline {
			continue
		}
		if stage.IsZero() || slices.ContainsFunc(p.Stages, func(st deal.Stage) bool { return st.ID == stage }) {
			return p.ID, stage, nil
		}
		if !pipeline.IsZero() {
			return pipeline, stage, gone("stage", "stageId")
		}
	}
	if pipeline.IsZero() {
		return pipeline, stage, gone("stage", "stageId")
	}
	return pipeline, stage, gone("pipeline", "pipelineId")
}

// spoken makes a display name of a name: "order_paid" is "Order paid".
func spoken(name string) string {
	s := strings.TrimSpace(strings.NewReplacer("_", " ", ".", " ", "-", " ").Replace(name))
	if s == "" {
		return name
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// Unassign switches a definition off. NotFound "event".
func (s *Service) Unassign(ctx context.Context, tenant id.ID, actor, name string) (Definition, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Definition, error) {
		if err := tx.Lock("event_definition", name); err != nil {
			return Definition{}, err
		}
		d, known, err := definitionIn(tx, strings.TrimSpace(name))
		if err != nil {
			return Definition{}, err
		}
		if !known {
			return Definition{}, fault.Unknown("event")
		}
		return d, s.switchOff(tx, actor, &d)
	})
}

// UnassignMany switches every named definition off and returns how many were on.
// Names that are not defined are passed over.
func (s *Service) UnassignMany(ctx context.Context, tenant id.ID, actor string, names []string) (int, error) {
	if len(names) > maxDefinitions {
		return 0, fault.Field("names", "names must not hold more than %d names", maxDefinitions)
	}
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (int, error) {
		if err := tx.Lock("event_definition", names...); err != nil {
			return 0, err
		}
		n := 0
		for _, name := range names {
			d, known, err := definitionIn(tx, strings.TrimSpace(name))
			if err != nil {
				return 0, err
			}
			if !known || !d.Active {
				continue
			}
			if err := s.switchOff(tx, actor, &d); err != nil {
				return 0, err
			}
			n++
		}
		return n, nil
	})
}

func (s *Service) switchOff(tx *store.Tx, actor string, d *Definition) error {
	if !d.Active {
		return nil
	}
	d.Active, d.UpdatedAt = false, tx.Now()
	if err := s.saveDefinition(tx, d, true); err != nil {
		return err
	}
	return s.tell(tx, "event_definition.saved", d.ID, actor)
}

// DeleteDefinition takes a definition away; calls of its name are then as those
// of any name. NotFound "event".
func (s *Service) DeleteDefinition(ctx context.Context, tenant id.ID, actor string, definition id.ID) error {
	return s.db.Write(ctx, tenant, func(tx *store.Tx) error {
		n, err := tx.Exec("DELETE FROM event_definition WHERE tenant_id=? AND id=?", definition)
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.Unknown("event")
		}
		s.triggers.Forget(tx)
		_, err = s.log.Append(tx, event.New{Type: "event_definition.deleted", Subject: definition, Actor: actor})
		return err
	})
}

// Definitions returns the tenant's definitions by name, those that are switched
// off too.
func (s *Service) Definitions(ctx context.Context, tenant id.ID) ([]Definition, error) {
	return listDefinitions(s.db.Read(ctx, tenant))
}

// AvailableEvents returns what a rule can wait for: the built-in triggers, then
// the tenant's definitions by name. A definition of a built-in name stands in
// its place.
func (s *Service) AvailableEvents(ctx context.Context, tenant id.ID) ([]Definition, error) {
	own, err := s.Definitions(ctx, tenant)
	if err != nil {
		return nil, err
	}
	out := make([]Definition, 0, len(builtIn)+len(own))
	for _, b := range builtIn {
		d := Definition{Name: b.name, DisplayName: spoken(b.name), Description: b.about, Active: true, System: true}
		if i := slices.IndexFunc(own, func(o Definition) bool { return o.Name == b.name }); i >= 0 {
			d = own[i]
			d.System = true
			own = slices.Delete(own, i, i+1)
		}
		out = append(out, d)
	}
	return append(out, own...), nil
}

// builtIn are the triggers that the system names (reference 3.5): those that
// happen here, and those that other systems call.
var builtIn = []struct{ name, about string }{
	{"lead_created", "A lead was created."},
	{"stage_enter", "A lead came into a stage."},
	{"stage_exit", "A lead left a stage."},
	{"deal_won", "A deal was won."},
	{"deal_lost", "A deal was lost."},
	{"tag_added", "A tag was put on a lead."},
	{"tag_removed", "A tag was taken off a lead."},
	{"whatsapp_incoming", "A lead wrote a WhatsApp message."},
	{"score_refresh", "A lead's score changed and is at or above the threshold."},
	{"score_above", "A lead's score rose to the threshold."},
	{"score_below", "A lead's score fell below the threshold."},
	{"segment_entered", "A lead came into a segment, which is a target of the targeting API."},
	{"segment_left", "A lead left a segment."},
	{"no_contact", "There was no contact with a lead for some days."},
	{"appointment_confirmed", "An appointment was confirmed."},
	{"appointment_reminder", "An appointment is near."},
	{"appointment_cancelled", "An appointment was cancelled."},
	{"meeting_created", "A meeting was created."},
	{"payment_captured", "A payment was captured."},
	{"payment_initiated", "A payment was begun."},
	{"form_submitted", "A form was submitted."},
	{"product_purchased", "A product was bought."},
	{"service_enrolled", "A lead enrolled in a service."},
	{"user_registration", "A user registered."},
	{"volunteer_application", "A volunteer applied."},
	{"consultation_requested", "A consultation was asked for."},
}
