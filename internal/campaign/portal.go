package campaign

import (
	"context"
	"slices"

	"parley/internal/entity"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// onward are the moves of a portal status that change something (reference §4.5).
// Saying the same again changes nothing, and a status that was never told may become
// any.
var onward = map[string][]string{"": PortalStatuses, Sent: {Seen, Dismissed, Clicked}, Seen: {Dismissed, Clicked}}

// onwardUI are those in a user interface (reference §2.2): who clicked may still
// dismiss. Seen on what is further changes nothing.
var onwardUI = map[string][]string{"": UIStatuses, Seen: {Dismissed, Clicked}, Clicked: {Dismissed}}

// SetPortalStatus moves a recipient's status on a portal onward. It appends
// recipient.updated. Faults: NotFound naming "campaign" or "recipient"; Invalid
// naming "status"; Conflict with Reason "transition" for a way back.
func (s *Service) SetPortalStatus(ctx context.Context, tenant id.ID, actor string, cid, who id.ID, status string) (Recipient, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Recipient, error) {
		if err := oneOf("status", status, PortalStatuses); err != nil {
			return Recipient{}, err
		}
		v, err := s.lockedRecipient(tx, cid, who)
		if err != nil {
			return v, err
		}
		return s.portalIn(tx, actor, v, status)
	})
}

func (s *Service) portalIn(tx *store.Tx, actor string, v Recipient, status string) (Recipient, error) {
	if v.PortalStatus == status {
		return v, nil
	}
	if !slices.Contains(onward[v.PortalStatus], status) {
		return Recipient{}, noWay("portal_status", v.PortalStatus, status)
	}
	v.PortalStatus, v.PortalAt = status, tx.Now()
	if err := keep(tx, &v); err != nil {
		return Recipient{}, err
	}
	return v, s.tellRecipient(tx, actor, v, "portal_status")
}

func noWay(field, from, to string) error {
	return fault.New(fault.Conflict, "%s is %s and cannot become %s", field, from, to).Because("transition")
}

// ShowOnPortal is SetPortalStatus for what a portal tells of an entity: its first word
// makes the entity a recipient. Further faults: Invalid naming "entity_id".
func (s *Service) ShowOnPortal(ctx context.Context, tenant id.ID, actor string, cid id.ID, ref entity.Ref, status string) (Recipient, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Recipient, error) {
		return s.ShowOnPortalIn(tx, actor, cid, ref, status)
	})
}

// ShowOnPortalIn is ShowOnPortal inside a transaction.
func (s *Service) ShowOnPortalIn(tx *store.Tx, actor string, cid id.ID, ref entity.Ref, status string) (Recipient, error) {
	if err := oneOf("status", status, PortalStatuses); err != nil {
		return Recipient{}, err
	}
	v, fresh, err := s.met(tx, cid, ref, func(v *Recipient) { v.PortalStatus, v.PortalAt = status, tx.Now() })
	switch {
	case err != nil:
		return v, err
	case fresh:
		return v, s.tellRecipient(tx, actor, v, "portal_status")
	}
	return s.portalIn(tx, actor, v, status)
}

// met returns an entity's locked recipient, or makes it one.
func (s *Service) met(tx *store.Tx, cid id.ID, ref entity.Ref, fill func(v *Recipient)) (v Recipient, fresh bool, err error) {
	v, err = s.lockedRecipient(tx, cid, ref.ID)
	if f := fault.As(err); f == nil || f.Reason != "recipient" {
		if err == nil && v.Schema != ref.Schema {
			err = fault.Field("entity_schema", "the recipient is an entity of schema %s", v.Schema)
		}
		return v, false, err
	}
	v = Recipient{Campaign: cid}
	fill(&v)
	if fresh, err = s.add(tx, &v, ref); err != nil || fresh {
		return v, fresh, err
	}
	v, err = s.lockedRecipient(tx, cid, ref.ID) // somebody was faster
	return v, false, err
}

// SetUIStatus moves a recipient's status in a user interface onward. The first Seen
// makes the entity a recipient, and then needs its schema. Faults: NotFound naming
// "campaign" or "recipient"; Invalid naming "status", "entity_schema" or "entity_id";
// Conflict with Reason "transition".
func (s *Service) SetUIStatus(ctx context.Context, tenant id.ID, actor string, cid id.ID, ref entity.Ref, status string) (Recipient, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Recipient, error) {
		if err := oneOf("status", status, UIStatuses); err != nil {
			return Recipient{}, err
		}
		v, err := s.lockedRecipient(tx, cid, ref.ID)
		if f := fault.As(err); f != nil && f.Reason == "recipient" && status == Seen {
			if ref.Schema == "" {
				return v, fault.Missing("entity_schema")
			}
			var fresh bool
			v, fresh, err = s.met(tx, cid, ref, func(v *Recipient) { v.UIStatus, v.UIAt = Seen, tx.Now() })
			if err == nil && fresh {
				return v, s.tellRecipient(tx, actor, v, "entity_ui_status")
			}
		}
		if err == nil && ref.Schema != "" && v.Schema != ref.Schema {
			err = fault.Field("entity_schema", "the recipient is an entity of schema %s", v.Schema)
		}
		switch {
		case err != nil:
			return Recipient{}, err
		case v.UIStatus == status, status == Seen && v.UIStatus != "":
			return v, nil
		case !slices.Contains(onwardUI[v.UIStatus], status):
			return Recipient{}, noWay("entity_ui_status", v.UIStatus, status)
		}
		if v.UIBefore = ""; status == Dismissed {
			v.UIBefore = v.UIStatus
		}
		return s.uiIn(tx, actor, v, status)
	})
}

func (s *Service) uiIn(tx *store.Tx, actor string, v Recipient, status string) (Recipient, error) {
	v.UIStatus, v.UIAt = status, tx.Now()
	if err := keep(tx, &v); err != nil {
		return Recipient{}, err
	}
	return v, s.tellRecipient(tx, actor, v, "entity_ui_status")
}

// RestoreUI takes a dismissal back: the status is what it was before, Seen when it was
// none. What was not dismissed stays as it is. Faults: NotFound naming "campaign" or
// "recipient".
func (s *Service) RestoreUI(ctx context.Context, tenant id.ID, actor string, cid, who id.ID) (Recipient, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Recipient, error) {
		v, err := s.lockedRecipient(tx, cid, who)
		if err != nil || v.UIStatus != Dismissed {
			return v, err
		}
		to := v.UIBefore
		if to == "" {
			to = Seen
		}
		v.UIBefore = ""
		return s.uiIn(tx, actor, v, to)
	})
}
