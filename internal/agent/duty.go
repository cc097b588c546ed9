package agent

import (
	"database/sql"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// duty is when somebody works: by which clock, and in which hours.
type duty struct {
	zone  string // "" until somebody says
	hours Hours
}

// over fills what d does not say with what is above it.
func (d duty) over(above duty) duty {
	if d.zone == "" {
		d.zone = above.zone
	}
	if len(d.hours) == 0 {
		d.hours = above.hours
	}
	return d
}

func (a Agent) duty() duty { return duty{a.Timezone, a.Hours} }

// location returns a loaded time zone; UTC for one that this build does not know.
func (s *Service) location(name string) *time.Location {
	if l, ok := s.zones.Load(name); ok {
		return l.(*time.Location)
	}
	l, err := time.LoadLocation(name)
	if err != nil {
		l = time.UTC
	}
	s.zones.Store(name, l)
	return l
}

// at reports whether a moment is working time. Hours that nobody set never end.
func (s *Service) at(d duty, at time.Time) bool {
	return len(d.hours) == 0 || d.hours.Contain(at.In(s.location(d.zone)))
}

// dutyOf returns when a group works: what it says itself, else the nearest group
// above that says it, else, for the zone, the tenant. NotFound.
func (s *Service) dutyOf(r store.Reader, group id.ID) (duty, error) {
	rows, err := r.Query("SELECT g.timezone, g.working_hours FROM agent_group_path p JOIN agent_group g ON g.tenant_id=p.tenant_id AND g.id=p.ancestor_id "+
		"WHERE p.tenant_id=? AND p.group_id=? ORDER BY p.depth", group)
	chain, err := store.Collect(rows, err, func(rows *sql.Rows) (d duty, err error) { return d, rows.Scan(&d.zone, store.JSON(&d.hours)) })
	if err != nil {
		return duty{}, err
	}
	if len(chain) == 0 {
		return duty{}, fault.Unknown("group")
	}
	var d duty
	for _, above := range chain {
		d = d.over(above)
	}
	if d.zone == "" {
		set, err := s.tenants.SettingsOf(r)
		if err != nil {
			return d, err
		}
		d.zone = set.Timezone
	}
	return d, nil
}

// IsWorking reports whether a moment lies in an agent's working hours, by the
// agent's clock; never for one who is not active. NotFound.
func (s *Service) IsWorking(r store.Reader, agent id.ID, at time.Time) (bool, error) {
	a, err := s.Agent(r, agent)
	if err != nil || !a.Active || !a.DeletedAt.IsZero() {
		return false, err
	}
	d, err := s.dutyOf(r, a.Group)
	return err == nil && s.at(a.duty().over(d), at), err
}

// IsOpen reports whether a moment lies in a group's own hours, by its clock,
// whether or not it has agents. NotFound.
func (s *Service) IsOpen(r store.Reader, group id.ID, at time.Time) (bool, error) {
	d, err := s.dutyOf(r, group)
	return err == nil && s.at(d, at), err
}

// GroupIsWorking reports whether at least one active agent of a group works at a
// moment (reference §2.7, is-working). Agents of groups below do not count.
// NotFound.
func (s *Service) GroupIsWorking(r store.Reader, group id.ID, at time.Time) (bool, error) {
	p, err := s.Online(r, group, false, at)
	return p.OfficeHours, err
}

// Location returns the time zone of an agent, or, without one, of a group: agent,
// nearest group above, tenant, UTC. NotFound.
func (s *Service) Location(r store.Reader, group, agent id.ID) (*time.Location, error) {
	var own duty
	if !agent.IsZero() {
		a, err := s.Agent(r, agent)
		if err != nil {
			return nil, err
		}
		own, group = a.duty(), a.Group
	}
	d, err := s.dutyOf(r, group)
	if err != nil {
		return nil, err
	}
	return s.location(own.over(d).zone), nil
}

// Present is who of a group is there (reference §3.5, OnlineAgents).
type Present struct {
	OfficeHours bool // at least one agent is on duty
	Agents      []Agent
}

// Online returns the agents of a group who are online at a moment; with
// availableOnly those of them who work then and have not paused. NotFound.
func (s *Service) Online(r store.Reader, group id.ID, availableOnly bool, at time.Time) (Present, error) {
	p := Present{Agents: []Agent{}}
	d, err := s.dutyOf(r, group)
	if err != nil {
		return p, err
	}
	all, err := members(r, group)
	if err != nil {
		return p, err
	}
	for _, a := range all {
		if !a.Active {
			continue
		}
		works := s.at(a.duty().over(d), at)
		p.OfficeHours = p.OfficeHours || works
		if a.Online(at) && (!availableOnly || works && !a.Paused) {
			p.Agents = append(p.Agents, a)
		}
	}
	return p, nil
}
