package segment

import (
	"slices"
	"strings"

	"parley/internal/entity"
	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

const (
	ledgerName = "segment"
	laneName   = "feed"
	// system signs what nobody did: that a segment was made known.
	system = "system"
)

// owe writes, in the events' own transaction, that an entity, or both contacts of a
// merge, are to be compared with the segments again, once for all of its events. A
// tenant without segments of their schema owes nothing: one look at what is
// remembered, on PostgreSQL at one row.
func (s *Service) owe(tx *store.Tx, list []event.Event) error {
	var watched []string
	var order []entity.Ref
	actors, review := map[entity.Ref]string{}, false
	for _, e := range list {
		refs := entity.Affected(e)
		about := len(refs) == 0 && renamed(e)
		if about {
			refs = []entity.Ref{{Schema: entity.Contact}}
		}
		if len(refs) == 0 {
			continue
		}
		if watched == nil {
			var err error
			if watched, err = s.watched(tx); err != nil {
				return err
			}
		}
		if !slices.Contains(watched, refs[0].Schema) {
			continue
		}
		if review = review || about; about {
			continue
		}
		for _, ref := range refs {
			was, known := actors[ref]
			if !known {
				order = append(order, ref)
			}
			if !known || isRun(e.Actor) || !isRun(was) { // as oweIn does it
				actors[ref] = e.Actor
			}
		}
	}
	for _, ref := range order {
		if err := oweIn(tx, actors[ref], false, ref); err != nil {
			return err
		}
	}
	if review {
		return oweReview(tx, entity.Contact)
	}
	return nil
}

func isRun(actor string) bool { return strings.HasPrefix(actor, "run:") }

// names are the events after which a name that stands in the documents of many
// people may be another.
var names = []string{"group.updated", "agent.updated", "pipeline.updated", "stage.updated"}

func renamed(e event.Event) bool {
	return slices.Contains(names, e.Type) && slices.ContainsFunc(e.Changed, func(c string) bool {
		return c == "name" || c == "displayName" || c == "firstName" || c == "lastName"
	})
}

// watched returns the schemas that the tenant's segments select.
func (s *Service) watched(tx *store.Tx) ([]string, error) {
	list, _, err := s.schemas.Get(tx, func() ([]string, bool, error) {
		m := map[string]int{}
		_, err := store.Found(tx.QueryRow("SELECT schemas FROM segment_set WHERE tenant_id=?").Scan(store.JSON(&m)))
		list := []string{}
		for k := range m {
			list = append(list, k)
		}
		return list, true, err
	})
	return list, err
}

// oweIn owes entities a comparison. Several in one transaction owe an entity one;
// a run of an automation that is among those who changed it signs what comes of it,
// so that rules that set each other off are seen to.
func oweIn(tx *store.Tx, actor string, seeding bool, refs ...entity.Ref) error {
	for _, ref := range refs {
		if _, err := tx.Exec(`INSERT INTO segment_owed (tenant_id, entity_id, xid, token, entity_schema, actor, seeding, tries, next_at) VALUES (?,?,`+tx.Dialect().XID()+`,?,?,?,?,0,?)
			ON CONFLICT (tenant_id, entity_id, xid) DO UPDATE SET token=excluded.token,
			actor=CASE WHEN segment_owed.actor LIKE 'run:%' AND excluded.actor NOT LIKE 'run:%' OR excluded.seeding=1 THEN segment_owed.actor ELSE excluded.actor END,
			seeding=CASE WHEN excluded.seeding=1 THEN 1 ELSE segment_owed.seeding END`,
			ref.ID, id.New(), ref.Schema, actor, flag(seeding), tx.Now()); err != nil {
			return err
		}
	}
	if len(refs) > 0 {
		job.WakeLane(tx, ledgerName, laneName)
	}
	return nil
}

// debt is what is owed to one entity: every row of it that was there when its
// document was read.
type debt struct {
	ref   entity.Ref
	rows  []owedRow
	actor string
	tries int
}

type owedRow struct {
	xid   int64
	token string
}
