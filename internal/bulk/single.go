package bulk

import (
	"context"

	"parley/internal/automation"
	"parley/internal/entity"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Start starts a rule for one entity, which belongs to no job, and returns where its
// run stands then. Without a schema the entity is a contact or a record, whichever
// has the id. Faults: NotFound "automation", "entity"; Conflict as for LaunchIn.
func (s *Service) Start(ctx context.Context, tenant id.ID, actor string, rule id.ID, ref entity.Ref) (automation.Execution, error) {
	start := func(later bool) (automation.Execution, error) {
		return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (automation.Execution, error) {
			if err := s.rules.LaunchableIn(tx, rule, ""); err != nil {
				return automation.Execution{}, err
			}
			ref, err := s.schemaOf(tx, ref)
			if err != nil {
				return automation.Execution{}, err
			}
			list, err := s.SubjectsIn(tx, []entity.Ref{ref})
			if err != nil {
				return automation.Execution{}, err
			}
			sub := list[0]
			if sub.Gone {
				return automation.Execution{}, fault.Unknown("entity")
			}
			out, err := s.rules.LaunchIn(tx, actor, []automation.Launch{{Rule: rule, Schema: ref.Schema, Entity: sub.Now, Contact: sub.Contact,
				Cause: "manual:" + id.New().String(), Later: later}})
			if err != nil {
				return automation.Execution{}, err
			}
			if err := out[0].Err; err != nil {
				if f := fault.As(err); f.Code == fault.NotFound && f.Reason == "contact" {
					err = fault.Unknown("entity")
				}
				return automation.Execution{}, err
			}
			return s.rules.ExecutionIn(tx, out[0].Run)
		})
	}
	e, err := start(false)
	if err != nil && fault.As(err) == nil && ctx.Err() == nil {
		e, err = start(true) // what its first steps ran into is no trouble of the caller's
	}
	return e, err
}

// schemaOf finds the schema of an entity that was named without one.
func (s *Service) schemaOf(r store.Reader, ref entity.Ref) (entity.Ref, error) {
	if ref.Schema != "" {
		return ref, nil
	}
	people, err := s.contacts.GetMany(r, []id.ID{ref.ID})
	if err != nil {
		return ref, err
	}
	if len(people) > 0 {
		ref.Schema = entity.Contact
		return ref, nil
	}
	schemas, err := s.records.Schemas(r, []id.ID{ref.ID})
	if err != nil {
		return ref, err
	}
	if ref.Schema = schemas[ref.ID]; ref.Schema == "" {
		return ref, fault.Unknown("entity")
	}
	return ref, nil
}
