package agent

import (
	"context"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// How long a sign of life keeps an agent online.
const (
	DefaultPresence = 5 * time.Minute
	MaxPresence     = 24 * time.Hour
)

// Presence is a sign of life, or its end; nil fields stay.
type Presence struct {
	Online *bool
	For    time.Duration // of Online; zero: DefaultPresence
	Paused *bool         // online, but given nobody new
}

// SetPresence notes where an agent is. An agent who says nothing more goes offline
// by itself, without an event; agent.presence is appended only when somebody is
// told something new: "online:true" or "online:false", "paused:true" or
// "paused:false". Faults: NotFound; Invalid naming "for"; Conflict with Reason
// "inactive" for an agent who is not active.
func (s *Service) SetPresence(ctx context.Context, tenant id.ID, actor string, agent id.ID, p Presence) (Agent, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Agent, error) { return s.SetPresenceIn(tx, actor, agent, p) })
}

// SetPresenceIn is SetPresence inside a transaction.
func (s *Service) SetPresenceIn(tx *store.Tx, actor string, agent id.ID, p Presence) (Agent, error) {
	if p.For == 0 {
		p.For = DefaultPresence
	}
	if p.For < time.Second || p.For > MaxPresence {
		return Agent{}, fault.Field("for", "an agent is online for 1 second to 24 hours at a time")
	}
	if err := tx.Lock("agent", agent.String()); err != nil {
		return Agent{}, err
	}
	a, err := s.HoldAgentIn(tx, agent)
	if err != nil {
		return Agent{}, err
	}
	var changed []string
	if p.Online != nil {
		if *p.Online != a.Online(tx.Now()) {
			changed = append(changed, "online:"+word(*p.Online))
		}
		if a.OnlineUntil = (time.Time{}); *p.Online {
			a.OnlineUntil = tx.Now().Add(p.For)
		}
	}
	if p.Paused != nil && *p.Paused != a.Paused {
		a.Paused = *p.Paused
		changed = append(changed, "paused:"+word(a.Paused))
	}
	if _, err := tx.Exec("UPDATE agent SET online_until=?, paused=? WHERE tenant_id=? AND id=?", a.OnlineUntil, a.Paused, a.ID); err != nil || len(changed) == 0 {
		return a, err
	}
	return a, s.append(tx, actor, "agent.presence", a.ID, changed...)
}

func word(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
