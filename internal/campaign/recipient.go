package campaign

import (
	"context"
	"slices"
	"strings"

	"parley/internal/entity"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// NewRecipient is a recipient that a caller adds. One of AutomationStatus (with
// Execution) and PortalStatus is required (reference §3.5).
type NewRecipient struct {
	Entity           entity.Ref
	AutomationStatus string
	Execution        string
	PortalStatus     string
	PortalState      map[string]any
}

// RecipientChange changes a recipient; nil members stay.
type RecipientChange struct {
	AutomationStatus *string
	Execution        *string
	PortalStatus     *string
	PortalState      *map[string]any // replaced as a whole; nil inside takes it away
}

// maxState bounds the JSON of a portal_state, maxExecution an execution's id.
const (
	maxState     = 64 << 10 // bytes
	maxExecution = 200      // characters
)

func oneOf(field, v string, list []string) error {
	if slices.Contains(list, v) {
		return nil
	}
	return fault.Field(field, "%s must be one of %s", field, strings.Join(list, ", "))
}

// AddRecipient makes an entity a recipient of a campaign in whatever status. Faults:
// NotFound naming "campaign"; Invalid naming "entity_id" (unknown, of another schema,
// a recipient already), "automation_status" and so on.
func (s *Service) AddRecipient(ctx context.Context, tenant id.ID, actor string, cid id.ID, n NewRecipient) (Recipient, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Recipient, error) {
		if _, err := read(tx, cid, ""); err != nil {
			return Recipient{}, err
		}
		v := Recipient{Campaign: cid, AutomationStatus: n.AutomationStatus, PortalStatus: n.PortalStatus, PortalState: canonical(n.PortalState)}
		if n.PortalStatus == "" && (n.AutomationStatus == "" || n.Execution == "") {
			return Recipient{}, fault.Field("automation_status", "give automation_status with automation_execution_id, or portal_status, or both")
		}
		var bad fault.Collector
		if n.AutomationStatus != "" {
			bad.Add(oneOf("automation_status", n.AutomationStatus, AutomationStatuses))
		}
		if n.PortalStatus != "" {
			bad.Add(oneOf("portal_status", n.PortalStatus, PortalStatuses))
			v.PortalAt = tx.Now()
		}
		bad.Add(v.execute(n.Execution))
		bad.Add(sized("portal_state", v.PortalState, maxState))
		if err := bad.Err(); err != nil {
			return Recipient{}, err
		}
		fresh, err := s.add(tx, &v, n.Entity)
		if err == nil && !fresh {
			err = fault.Field("entity_id", "the entity is a recipient of the campaign already").Because("duplicate")
		}
		return v, err
	})
}

// add writes a recipient for an entity; false when it is one already. Invalid naming
// "entity_id".
func (s *Service) add(tx *store.Tx, v *Recipient, ref entity.Ref) (bool, error) {
	v.Entity, v.Schema = ref.ID, ref.Schema
	if ref.Schema == entity.Contact { // nobody renames the person or merges it away before the commit
		held, err := s.hold(tx, []id.ID{ref.ID})
		if err != nil {
			return false, err
		}
		if to, ok := held[ref.ID]; ok {
			v.Entity = to
		}
	}
	docs, err := s.entities.Documents(tx, v.Schema, []id.ID{v.Entity})
	if err != nil {
		return false, err
	}
	doc, ok := docs[v.Entity]
	if !ok {
		return false, fault.Field("entity_id", "there is no entity of that id and schema")
	}
	v.Title = title(doc)
	return put(tx, v)
}

// execute takes over what a caller names as the execution: one of our runs stays what
// the status follows.
func (v *Recipient) execute(text string) error {
	if len([]rune(text)) > maxExecution {
		return fault.Field("automation_execution_id", "automation_execution_id may have at most %d characters", maxExecution)
	}
	if !v.Run.IsZero() && flowID(text) == v.Run {
		return nil
	}
	v.Run, v.Execution = id.Zero, text
	return nil
}

// ChangeRecipient changes a recipient, whom it names by any id that the entity ever
// had. One whose automation status a caller writes follows its run no more. Faults: NotFound naming "campaign" or "recipient"; Invalid naming a field.
func (s *Service) ChangeRecipient(ctx context.Context, tenant id.ID, actor string, cid, who id.ID, ch RecipientChange) (Recipient, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Recipient, error) {
		v, err := s.lockedRecipient(tx, cid, who)
		if err != nil {
			return v, err
		}
		was, state := v, ch.PortalState
		var bad fault.Collector
		if ch.AutomationStatus != nil {
			v.AutomationStatus = *ch.AutomationStatus
			bad.Add(oneOf("automation_status", v.AutomationStatus, AutomationStatuses))
		}
		if ch.Execution != nil {
			bad.Add(v.execute(*ch.Execution))
		}
		if v.AutomationStatus != was.AutomationStatus && !v.Run.IsZero() {
			v.Run, v.Execution = id.Zero, v.Run.UUID() // the caller's word stands, whatever the run does
		}
		if ch.PortalStatus != nil && *ch.PortalStatus != v.PortalStatus {
			v.PortalStatus, v.PortalAt = *ch.PortalStatus, tx.Now()
			bad.Add(oneOf("portal_status", v.PortalStatus, PortalStatuses))
		}
		if state != nil {
			v.PortalState = canonical(*state)
			bad.Add(sized("portal_state", v.PortalState, maxState))
		}
		if err := bad.Err(); err != nil {
			return Recipient{}, err
		}
		if same(was, v) {
			return v, nil
		}
		if err := keep(tx, &v); err != nil || v.PortalStatus == was.PortalStatus {
			return v, err
		}
		return v, s.tellRecipient(tx, actor, v, "portal_status")
	})
}

// same reports whether nothing is to be written.
func same(a, b Recipient) bool {
	return a.AutomationStatus == b.AutomationStatus && a.Run == b.Run && a.Execution == b.Execution && a.PortalStatus == b.PortalStatus && a.UIStatus == b.UIStatus &&
		a.UIBefore == b.UIBefore && (a.PortalState == nil) == (b.PortalState == nil) && len(differ(a.PortalState, b.PortalState)) == 0
}

func (s *Service) tellRecipient(tx *store.Tx, actor string, v Recipient, changed string) error {
	n := event.New{Type: "recipient.updated", Subject: v.Campaign, Changed: []string{changed, "entity:" + v.Entity.String(), "schema:" + v.Schema}, Actor: actor}
	if v.Schema == entity.Contact {
		n.Contact = v.Entity
	}
	_, err := s.log.Append(tx, n)
	return err
}

// Recipient returns one recipient, by any id that its entity ever had. Faults: NotFound
// naming "campaign" or "recipient".
func (s *Service) Recipient(r store.Reader, cid, who id.ID) (Recipient, error) {
	if _, err := read(r, cid, ""); err != nil {
		return Recipient{}, err
	}
	return s.recipient(r, cid, who, "")
}

func (s *Service) recipient(r store.Reader, cid, who id.ID, suffix string) (Recipient, error) {
	at, err := s.contacts.Resolve(r, who)
	for err == nil {
		list, err := recipients(r, cid, []id.ID{at}, suffix)
		v, ok := list[at]
		if err != nil || ok {
			return v, err
		}
		// A merge, perhaps one that a lock has waited for, may have led the id elsewhere.
		now, err := s.contacts.Resolve(r, who)
		if err != nil {
			return Recipient{}, err
		}
		if now == at {
			break
		}
		at = now
	}
	if err == nil {
		err = fault.Unknown("recipient")
	}
	return Recipient{}, err
}

// hold keeps people from being changed, merged or erased until the commit, and returns
// where their ids lead. Whoever locks recipients and then does something to the people
// holds these first: a merge takes the locks in this order.
func (s *Service) hold(tx *store.Tx, people []id.ID) (map[id.ID]id.ID, error) {
	sorted := slices.Clone(people)
	slices.SortFunc(sorted, func(a, b id.ID) int { return slices.Compare(a[:], b[:]) })
	return s.contacts.HoldManyIn(tx, slices.Compact(sorted))
}

// lockedRecipient reads a recipient that nobody else changes until the commit.
func (s *Service) lockedRecipient(tx *store.Tx, cid, who id.ID) (Recipient, error) {
	if _, err := read(tx, cid, ""); err != nil {
		return Recipient{}, err
	}
	return s.recipient(tx, cid, who, tx.Dialect().ForUpdate())
}
