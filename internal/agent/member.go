package agent

import (
	"context"
	"reflect"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Patch changes an agent; nil fields stay.
type Patch struct {
	FirstName, LastName     *string
	Email, Phone, CellPhone *string
	Group                   *id.ID
	Role                    *string
	Active                  *bool
	Timezone                *string
	Hours                   *Hours
	LegacyID                *string
	ExternalID, AppFields   map[string]any // merged key by key; nil deletes
}

// Create makes an agent in a.Group, the root without one, and appends
// agent.created; a.ID, presence and times are set here, and the agent is active.
// Faults: Invalid naming the field; NotFound naming "group"; Conflict naming
// "email" when another agent has the address.
func (s *Service) Create(ctx context.Context, tenant id.ID, actor string, a Agent) (Agent, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Agent, error) { return s.CreateIn(tx, actor, a) })
}

// CreateIn is Create inside a transaction.
func (s *Service) CreateIn(tx *store.Tx, actor string, a Agent) (Agent, error) {
	phoneKey, cellKey, err := a.check(tx, s)
	if err != nil {
		return Agent{}, err
	}
	if a.Group.IsZero() {
		top, err := s.RootIn(tx)
		if err != nil {
			return Agent{}, err
		}
		a.Group = top.ID
	}
	if err := lockTree(tx); err != nil { // addresses of agents too
		return Agent{}, err
	}
	if _, err := s.HoldGroupIn(tx, a.Group); err != nil {
		return Agent{}, of("group", err)
	}
	if err := s.freeEmail(tx, a.Email, id.Zero); err != nil {
		return Agent{}, err
	}
	a.ID, a.Active, a.CreatedAt, a.UpdatedAt = id.New(), true, tx.Now(), tx.Now()
	a.OnlineUntil, a.Paused, a.DeletedAt = time.Time{}, false, time.Time{}
	if _, err := tx.Exec("INSERT INTO agent (tenant_id, id, group_id, first_name, last_name, email, phone, phone_key, cell_phone, cell_key, role, active, timezone, working_hours, legacy_id, external_id, app_fields, paused, turn, created_at, updated_at) "+
		"VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,0,?,?)",
		a.ID, a.Group, a.FirstName, a.LastName, a.Email, a.Phone, phoneKey, a.CellPhone, cellKey, a.Role, a.Active, a.Timezone, store.JSON(a.Hours), a.LegacyID,
		store.JSON(a.ExternalID), store.JSON(a.AppFields), a.Paused, a.CreatedAt, a.UpdatedAt); err != nil {
		return Agent{}, err
	}
	return a, s.append(tx, actor, "agent.created", a.ID)
}

// freeEmail complains when another agent has an address.
func (s *Service) freeEmail(tx *store.Tx, email string, own id.ID) error {
	if email == "" {
		return nil
	}
	var holder id.ID
	found, err := store.Found(tx.QueryRow("SELECT id FROM agent WHERE tenant_id=? AND email=? AND deleted_at IS NULL", email).Scan(&holder))
	if err != nil || !found || holder == own {
		return err
	}
	return &fault.Error{Code: fault.Conflict, Field: "email", Reason: "email", Message: "another agent has this e-mail address already; change that agent instead",
		Details: map[string]any{"agentId": holder.String()}}
}

// Update changes an agent and appends agent.updated with the names of what
// changed. An agent who moves to another group keeps the contacts, which stay in
// their groups. Faults: NotFound, naming "group" for the group; Invalid naming the
// field; Conflict naming "email".
func (s *Service) Update(ctx context.Context, tenant id.ID, actor string, agent id.ID, p Patch) (Agent, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Agent, error) { return s.UpdateIn(tx, actor, agent, p) })
}

// UpdateIn is Update inside a transaction.
func (s *Service) UpdateIn(tx *store.Tx, actor string, agent id.ID, p Patch) (Agent, error) {
	if err := lockTree(tx); err != nil {
		return Agent{}, err
	}
	old, err := s.present(tx, agent)
	if err != nil {
		return Agent{}, err
	}
	a := old
	set(&a.FirstName, p.FirstName)
	set(&a.LastName, p.LastName)
	set(&a.Email, p.Email)
	set(&a.Phone, p.Phone)
	set(&a.CellPhone, p.CellPhone)
	set(&a.Group, p.Group)
	set(&a.Role, p.Role)
	set(&a.Active, p.Active)
	set(&a.Timezone, p.Timezone)
	set(&a.Hours, p.Hours)
	set(&a.LegacyID, p.LegacyID)
	a.ExternalID, a.AppFields = patched(a.ExternalID, p.ExternalID), patched(a.AppFields, p.AppFields)
	phoneKey, cellKey, err := a.check(tx, s)
	if err != nil {
		return Agent{}, err
	}
	changed := a.differences(old)
	if len(changed) == 0 {
		return old, nil
	}
	if a.Group != old.Group {
		if _, err := s.HoldGroupIn(tx, a.Group); err != nil {
			return Agent{}, of("group", err)
		}
	}
	if err := s.freeEmail(tx, a.Email, a.ID); err != nil {
		return Agent{}, err
	}
	a.UpdatedAt = tx.Now()
	if _, err := tx.Exec("UPDATE agent SET group_id=?, first_name=?, last_name=?, email=?, phone=?, phone_key=?, cell_phone=?, cell_key=?, role=?, active=?, timezone=?, working_hours=?, legacy_id=?, external_id=?, app_fields=?, updated_at=? WHERE tenant_id=? AND id=?",
		a.Group, a.FirstName, a.LastName, a.Email, a.Phone, phoneKey, a.CellPhone, cellKey, a.Role, a.Active, a.Timezone, store.JSON(a.Hours), a.LegacyID,
		store.JSON(a.ExternalID), store.JSON(a.AppFields), a.UpdatedAt, a.ID); err != nil {
		return Agent{}, err
	}
	return a, s.append(tx, actor, "agent.updated", a.ID, changed...)
}

func (a Agent) differences(old Agent) (changed []string) {
	for _, f := range []struct {
		name string
		a, b any
	}{
		{"firstName", a.FirstName, old.FirstName}, {"lastName", a.LastName, old.LastName}, {"email", a.Email, old.Email}, {"phone", a.Phone, old.Phone},
		{"cellPhone", a.CellPhone, old.CellPhone}, {"group", a.Group, old.Group}, {"role", a.Role, old.Role}, {"active", a.Active, old.Active},
		{"timezone", a.Timezone, old.Timezone}, {"workingHours", a.Hours, old.Hours}, {"legacyId", a.LegacyID, old.LegacyID},
		{"externalId", a.ExternalID, old.ExternalID}, {"appFields", a.AppFields, old.AppFields},
	} {
		if !reflect.DeepEqual(f.a, f.b) {
			changed = append(changed, f.name)
		}
	}
	return changed
}

// present returns an agent that was not deleted. NotFound.
func (s *Service) present(r store.Reader, agent id.ID) (Agent, error) {
	a, err := s.Agent(r, agent)
	if err == nil && !a.DeletedAt.IsZero() {
		err = fault.Unknown("agent")
	}
	return a, err
}

// DeleteIn deletes an agent and appends agent.deleted. What is known of the agent
// stays under its id. Faults: NotFound; Conflict with Reason "contacts" while the
// agent has contacts that are not archived (see handover.Remove).
func (s *Service) DeleteIn(tx *store.Tx, actor string, agent id.ID) (Agent, error) {
	if err := lockTree(tx); err != nil {
		return Agent{}, err
	}
	a, err := scanAgent(tx.QueryRow("SELECT "+agentColumns+" FROM agent WHERE tenant_id=? AND id=? AND deleted_at IS NULL"+tx.Dialect().ForUpdate(), agent))
	if ok, err := store.Found(err); err != nil || !ok {
		return Agent{}, unknown(err, "agent")
	}
	for _, h := range s.holders {
		if h.Agent == nil {
			continue
		}
		has, err := h.Agent(tx, agent)
		if err != nil {
			return a, err
		}
		if has {
			return a, fault.New(fault.Conflict, "the agent has contacts; say with transferTo who gets them").Because("contacts")
		}
	}
	a.Active, a.OnlineUntil, a.DeletedAt, a.UpdatedAt = false, time.Time{}, tx.Now(), tx.Now()
	if _, err := tx.Exec("UPDATE agent SET active=?, online_until=?, deleted_at=?, updated_at=? WHERE tenant_id=? AND id=?", false, nil, a.DeletedAt, a.UpdatedAt, agent); err != nil {
		return a, err
	}
	return a, s.append(tx, actor, "agent.deleted", agent)
}
