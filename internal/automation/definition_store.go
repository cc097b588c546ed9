package automation

import (
	"database/sql"
	"slices"

	"parley/internal/deal"
	"parley/internal/fault"
	"parley/internal/store"
)

const definitionColumns = "id, name, display_name, description, payload_schema, is_active, is_system, maps_to, pipeline_id, stage_id, default_source, created_at, updated_at"

func scanDefinition(row scanner) (d Definition, err error) {
	err = row.Scan(&d.ID, &d.Name, &d.DisplayName, &d.Description, store.JSON(&d.PayloadSchema), &d.Active, &d.System, &d.MapsTo, &d.Pipeline, &d.Stage,
		&d.DefaultSource, store.Time(&d.CreatedAt), store.Time(&d.UpdatedAt))
	return d, err
}

// DefinitionIn returns the definition of a name, also one that is switched off;
// ok is false when the tenant has none.
func (s *Service) DefinitionIn(r store.Reader, name string) (d Definition, ok bool, err error) {
	return definitionIn(r, name)
}

func definitionIn(r store.Reader, name string) (Definition, bool, error) {
	d, err := scanDefinition(r.QueryRow("SELECT "+definitionColumns+" FROM event_definition WHERE tenant_id=? AND name=?", name))
	ok, err := store.Found(err)
	return d, ok, err
}

func listDefinitions(r store.Reader) ([]Definition, error) {
	rows, err := r.Query("SELECT "+definitionColumns+" FROM event_definition WHERE tenant_id=? ORDER BY name LIMIT ?", maxDefinitions)
	return store.Collect(rows, err, func(rows *sql.Rows) (Definition, error) { return scanDefinition(rows) })
}

func roomForDefinition(tx *store.Tx) error {
	var n int
	if err := tx.QueryRow("SELECT COUNT(*) FROM event_definition WHERE tenant_id=?").Scan(&n); err != nil {
		return err
	}
	if n >= maxDefinitions {
		return fault.New(fault.Quota, "there are %d event definitions already; delete some first", n)
	}
	return nil
}

func (s *Service) saveDefinition(tx *store.Tx, d *Definition, known bool) error {
	s.triggers.Forget(tx)
	var schema any
	if d.PayloadSchema != nil {
		schema = store.JSON(d.PayloadSchema)
	}
	if known {
		_, err := tx.Exec(`UPDATE event_definition SET display_name=?, description=?, payload_schema=?, is_active=?, is_system=?, maps_to=?, pipeline_id=?, stage_id=?, default_source=?, updated_at=?
			WHERE tenant_id=? AND id=?`, d.DisplayName, d.Description, schema, d.Active, d.System, d.MapsTo, d.Pipeline, d.Stage, d.DefaultSource, d.UpdatedAt, d.ID)
		return err
	}
	_, err := tx.Exec(`INSERT INTO event_definition (tenant_id, id, name, display_name, description, payload_schema, is_active, is_system, maps_to, pipeline_id, stage_id, default_source, created_at, updated_at)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)`, d.ID, d.Name, d.DisplayName, d.Description, schema, d.Active, d.System, d.MapsTo, d.Pipeline, d.Stage, d.DefaultSource, d.CreatedAt, d.UpdatedAt)
	return err
}

// listens is what decides whether an event matters: the triggers of active
// rules, and what active definitions map to.
type listens struct {
	triggers []string
	maps     map[string]string
}

// heard returns what the tenant listens to.
func (s *Service) heard(tx *store.Tx) (listens, error) {
	l, _, err := s.triggers.Get(tx, func() (listens, bool, error) {
		l := listens{maps: map[string]string{}}
		// automation_by_trigger holds the active rules; definitions are few.
		rows, err := tx.Query(`SELECT DISTINCT trigger_name, '' FROM automation WHERE tenant_id=?1 AND is_active AND origin=''
			UNION ALL SELECT name, maps_to FROM event_definition WHERE tenant_id=?1 AND is_active AND maps_to<>''
			UNION ALL SELECT DISTINCT name, '' FROM automation_event WHERE tenant_id=?1`)
		_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
			var name, to string
			if err = rows.Scan(&name, &to); err == nil {
				if to == "" {
					l.triggers = append(l.triggers, name)
				} else {
					l.maps[name] = to
				}
			}
			return
		})
		return l, true, err
	})
	return l, err
}

// named returns every name under which a rule may wait for a trigger: its raw
// name, the bus's and the rule's spelling, and what its definition maps to
// (reference 3.5).
func (l listens) named(trigger string) []string {
	names := namesOf(trigger)
	for _, n := range namesOf(trigger) {
		if to := l.maps[n]; to != "" {
			for _, more := range namesOf(to) {
				if !slices.Contains(names, more) {
					names = append(names, more)
				}
			}
		}
	}
	return names
}

// wanted reports whether any active rule waits for one of the triggers.
func (l listens) wanted(triggers []string) bool {
	for _, t := range triggers {
		if slices.ContainsFunc(l.named(t), func(n string) bool { return slices.Contains(l.triggers, n) }) {
			return true
		}
	}
	return false
}

// placed puts the definition's pipeline, stage and source where a person to be
// made names none. A place that is gone since counts as none.
func (s *Service) placed(tx *store.Tx, d Definition, n deal.NewCard) (deal.NewCard, error) {
	if n.Source == "" {
		n.Source = d.DefaultSource
	}
	if d.Pipeline.IsZero() || !n.Pipeline.IsZero() || !n.Stage.IsZero() {
		return n, nil
	}
	p, err := s.cards.PipelineIn(tx, d.Pipeline)
	if f := fault.As(err); f != nil && f.Code == fault.NotFound {
		return n, nil
	}
	if err != nil {
		return n, err
	}
	n.Pipeline = p.ID
	if slices.ContainsFunc(p.Stages, func(st deal.Stage) bool { return st.ID == d.Stage }) {
		n.Stage = d.Stage
	}
	if len(p.Stages) == 0 {
		n.Pipeline = n.Stage // zero: nothing can stand there
	}
	return n, nil
}
