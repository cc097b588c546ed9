package sales

import (
	"context"
	"time"

	"parley/internal/agent"
	"parley/internal/app"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// groupAdminWire is a group with everything that can be set (reference §5).
type groupAdminWire struct {
	ID                 string         `json:"id"`
	Name               string         `json:"name"`
	DisplayName        string         `json:"displayName"`
	Parent             string         `json:"parent,omitempty"`
	Type               []string       `json:"type"`
	Timezone           string         `json:"timezone,omitempty"` // its own; without one the group above counts
	CountryCode        string         `json:"countryCode,omitempty"`
	Language           string         `json:"language,omitempty"`
	WorkingHours       []shiftWire    `json:"workingHours"`
	AbsenceMessage     string         `json:"absenceMessage,omitempty"`
	Assignment         assignmentWire `json:"assignment"`
	ReassignAfter      int64          `json:"reassignAfter"`      // seconds, 0: never
	CloseInactiveAfter int64          `json:"closeInactiveAfter"` // seconds, 0: never
}

type assignmentWire struct {
	Method         string `json:"method"`
	TimeoutSeconds int64  `json:"timeoutSeconds"`
}

// groupBody is a group as it is sent; absent fields stay.
type groupBody struct {
	Name           given[string]      `json:"name"`
	DisplayName    given[string]      `json:"displayName"`
	Parent         given[string]      `json:"parent"`
	Type           given[[]string]    `json:"type"`
	Timezone       given[string]      `json:"timezone"`
	CountryCode    given[string]      `json:"countryCode"`
	Language       given[string]      `json:"language"`
	WorkingHours   given[[]shiftWire] `json:"workingHours"`
	AbsenceMessage given[string]      `json:"absenceMessage"`
	Assignment     struct {
		Method         given[string] `json:"method"`
		TimeoutSeconds span          `json:"timeoutSeconds"`
	} `json:"assignment"`
	ReassignAfter      span `json:"reassignAfter"`
	CloseInactiveAfter span `json:"closeInactiveAfter"`
}

func groupAdmin(g agent.Group) groupAdminWire {
	w := groupAdminWire{ID: g.ID.String(), Name: g.Name, DisplayName: g.Shown(), Parent: g.Parent.String(), Type: append([]string{}, g.Types...), Timezone: g.Timezone,
		CountryCode: g.CountryCode, Language: g.Language, WorkingHours: hoursOut(g.Hours), AbsenceMessage: g.AbsenceMessage,
		Assignment: assignmentWire{g.Method, seconds(g.Timeout)}, ReassignAfter: seconds(g.ReassignAfter), CloseInactiveAfter: seconds(g.CloseInactiveAfter)}
	return w
}

// patch reads a body; every complaint is told at once.
func (f *Face) groupPatch(ctx context.Context, r *httpx.Request) (p agent.GroupPatch, err error) {
	var body groupBody
	if err := r.Decode(&body); err != nil {
		return p, err
	}
	var bad fault.Collector
	p = agent.GroupPatch{Name: body.Name.ptr(), DisplayName: body.DisplayName.ptr(), Types: body.Type.ptr(), Timezone: body.Timezone.ptr(),
		CountryCode: body.CountryCode.ptr(), Language: body.Language.ptr(), AbsenceMessage: body.AbsenceMessage.ptr(), Method: body.Assignment.Method.ptr()}
	p.Hours, err = hoursIn(body.WorkingHours)
	bad.Add(err)
	for _, d := range []struct {
		to    **time.Duration
		field string
		from  span
	}{{&p.Timeout, "assignment.timeoutSeconds", body.Assignment.TimeoutSeconds}, {&p.ReassignAfter, "reassignAfter", body.ReassignAfter},
		{&p.CloseInactiveAfter, "closeInactiveAfter", body.CloseInactiveAfter}} {
		*d.to, err = d.from.ptr(d.field)
		bad.Add(err)
	}
	p.Parent, err = f.bodyGroup(ctx, r, "parent", body.Parent)
	if err != nil && fault.As(err) == nil {
		return p, err
	}
	bad.Add(err)
	return p, bad.Err()
}

// addGroup makes a group, below the key's own when the body names no parent.
func (f *Face) addGroup(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	p, err := f.groupPatch(ctx, r)
	if err != nil {
		return nil, err
	}
	g := agent.Group{}
	if g.Parent, err = f.ownGroup(ctx, r, p.Parent); err != nil {
		return nil, err
	}
	apply(&g.Name, p.Name)
	apply(&g.DisplayName, p.DisplayName)
	apply(&g.Types, p.Types)
	apply(&g.Timezone, p.Timezone)
	apply(&g.CountryCode, p.CountryCode)
	apply(&g.Language, p.Language)
	apply(&g.Hours, p.Hours)
	apply(&g.AbsenceMessage, p.AbsenceMessage)
	apply(&g.Method, p.Method)
	apply(&g.Timeout, p.Timeout)
	apply(&g.ReassignAfter, p.ReassignAfter)
	apply(&g.CloseInactiveAfter, p.CloseInactiveAfter)
	if g, err = f.s.Agents.CreateGroup(ctx, r.Principal.Tenant, actor(r), g); err != nil {
		return nil, err
	}
	return reply(r, groupAdmin(g))
}

func apply[T any](to *T, v *T) {
	if v != nil {
		*to = *v
	}
}

// changeGroup changes a group. A key's own group stays where it is: where that is,
// only somebody above may say.
func (f *Face) changeGroup(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	gid, err := f.pathGroup(ctx, r)
	if err != nil {
		return nil, err
	}
	p, err := f.groupPatch(ctx, r)
	if err != nil {
		return nil, err
	}
	if p.Parent != nil {
		switch {
		case p.Parent.IsZero():
			return nil, fault.Field("parent", "parent must name a group; only the first group has none")
		case gid == r.Principal.Group:
			return nil, fault.Field("parent", "an integration cannot move the group that it belongs to")
		}
	}
	g, err := f.s.Agents.UpdateGroup(ctx, r.Principal.Tenant, actor(r), gid, p)
	if err != nil {
		return nil, err
	}
	return reply(r, groupAdmin(g))
}

// removeGroup deletes a group with nothing in it and nothing below it.
func (f *Face) removeGroup(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	gid, err := f.pathGroup(ctx, r)
	if err != nil {
		return nil, err
	}
	if gid == r.Principal.Group {
		return nil, fault.New(fault.Conflict, "an integration cannot delete the group that it belongs to")
	}
	keys, err := f.s.Access.List(ctx, r.Principal.Tenant)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if k.Group == gid && k.RevokedAt.IsZero() {
			return nil, fault.New(fault.Conflict, "the integration %q (%s) belongs to the group; move or delete it first", k.Name, k.ID)
		}
	}
	g, err := f.s.Agents.DeleteGroup(ctx, r.Principal.Tenant, actor(r), gid)
	if err != nil {
		return nil, deletion(err)
	}
	return reply(r, groupAdmin(g))
}

// agentAdminWire is an agent with everything that can be set (reference §5).
type agentAdminWire struct {
	agentWire
	CellPhone    string      `json:"cellPhone,omitempty"`
	GroupID      string      `json:"groupId"`
	Role         string      `json:"role"`
	Active       bool        `json:"active"`
	Timezone     string      `json:"timezone,omitempty"`
	WorkingHours []shiftWire `json:"workingHours"`
	Online       bool        `json:"online"`
	OnlineUntil  *string     `json:"onlineUntil,omitempty"`
	Paused       bool        `json:"paused"`
	// Deleting is there while the prospects of an agent who goes are on their way
	// to somebody else.
	Deleting bool `json:"deleting,omitempty"`
}

func (f *Face) agentAdmin(a agent.Agent) agentAdminWire {
	w := agentAdminWire{agentWire: *agentOf(a), CellPhone: a.CellPhone, GroupID: a.Group.String(), Role: a.Role, Active: a.Active, Timezone: a.Timezone,
		WorkingHours: hoursOut(a.Hours), Online: a.Online(f.s.Clock.Now()), Paused: a.Paused}
	w.Phone = a.Phone
	if w.Online {
		w.OnlineUntil = moment(a.OnlineUntil)
	}
	return w
}

type agentBody struct {
	FirstName    given[string]         `json:"firstName"`
	LastName     given[string]         `json:"lastName"`
	Email        given[string]         `json:"email"`
	Phone        given[string]         `json:"phone"`
	CellPhone    given[string]         `json:"cellPhone"`
	Group        given[string]         `json:"group"`
	Role         given[string]         `json:"role"`
	Active       given[bool]           `json:"active"`
	Timezone     given[string]         `json:"timezone"`
	WorkingHours given[[]shiftWire]    `json:"workingHours"`
	LegacyID     given[string]         `json:"legacyId"`
	ExternalID   given[map[string]any] `json:"externalId"`
	AppFields    given[map[string]any] `json:"appFields"`
}

func (f *Face) agentPatch(ctx context.Context, r *httpx.Request) (p agent.Patch, err error) {
	var body agentBody
	if err := r.Decode(&body); err != nil {
		return p, err
	}
	var bad fault.Collector
	p = agent.Patch{FirstName: body.FirstName.ptr(), LastName: body.LastName.ptr(), Email: body.Email.ptr(), Phone: body.Phone.ptr(), CellPhone: body.CellPhone.ptr(),
		Role: body.Role.ptr(), Active: body.Active.ptr(), Timezone: body.Timezone.ptr(), LegacyID: body.LegacyID.ptr(), ExternalID: body.ExternalID.Value, AppFields: body.AppFields.Value}
	p.Hours, err = hoursIn(body.WorkingHours)
	bad.Add(err)
	if body.Active.Null {
		bad.Add(fault.Field("active", "active must be true or false"))
	}
	p.Group, err = f.bodyGroup(ctx, r, "group", body.Group)
	if err != nil && fault.As(err) == nil {
		return p, err
	}
	bad.Add(err)
	if len(body.AppFields.Value) > 0 {
		declared, err := f.s.Apps.Fields(f.s.Apps.Reads(ctx, r.Principal.Tenant), app.User)
		if err != nil {
			return p, err
		}
		bad.Add(app.Check(declared, "appFields", body.AppFields.Value, false))
	}
	return p, bad.Err()
}

// addAgent makes an agent, in the key's own group when the body names none.
func (f *Face) addAgent(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	p, err := f.agentPatch(ctx, r)
	if err != nil {
		return nil, err
	}
	a := agent.Agent{ExternalID: p.ExternalID, AppFields: p.AppFields}
	if a.Group, err = f.ownGroup(ctx, r, p.Group); err != nil {
		return nil, err
	}
	apply(&a.FirstName, p.FirstName)
	apply(&a.LastName, p.LastName)
	apply(&a.Email, p.Email)
	apply(&a.Phone, p.Phone)
	apply(&a.CellPhone, p.CellPhone)
	apply(&a.Role, p.Role)
	apply(&a.Timezone, p.Timezone)
	apply(&a.Hours, p.Hours)
	apply(&a.LegacyID, p.LegacyID)
	if a, err = f.s.Agents.Create(ctx, r.Principal.Tenant, actor(r), a); err != nil {
		return nil, err
	}
	if p.Active != nil && !*p.Active { // an agent is made active
		if a, err = f.s.Agents.Update(ctx, r.Principal.Tenant, actor(r), a.ID, agent.Patch{Active: p.Active}); err != nil {
			return nil, err
		}
	}
	return reply(r, f.agentAdmin(a))
}

func (f *Face) changeAgent(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	aid, err := f.pathAgent(ctx, r)
	if err != nil {
		return nil, err
	}
	p, err := f.agentPatch(ctx, r)
	if err != nil {
		return nil, err
	}
	if p.Group != nil && p.Group.IsZero() {
		return nil, fault.Field("group", "group must name a group of this account")
	}
	a, err := f.s.Agents.Update(ctx, r.Principal.Tenant, actor(r), aid, p)
	if err != nil {
		return nil, err
	}
	return reply(r, f.agentAdmin(a))
}

// presenceBody says where an agent is. seconds is how long "online" stands.
type presenceBody struct {
	Online  given[bool] `json:"online"`
	Paused  given[bool] `json:"paused"`
	Seconds span        `json:"seconds"`
}

func (f *Face) setPresence(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	aid, err := f.pathAgent(ctx, r)
	if err != nil {
		return nil, err
	}
	var body presenceBody
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	p := agent.Presence{Online: body.Online.ptr(), Paused: body.Paused.ptr()}
	d, err := body.Seconds.ptr("seconds")
	if err != nil {
		return nil, err
	}
	apply(&p.For, d)
	if p.Online == nil && p.Paused == nil {
		return nil, fault.Field("online", "say whether the agent is online, or paused")
	}
	a, err := f.s.Agents.SetPresence(ctx, r.Principal.Tenant, actor(r), aid, p)
	if err != nil {
		return nil, fault.Renamed(err, map[string]string{"for": "seconds"})
	}
	return reply(r, f.agentAdmin(a))
}

// removeAgent deletes an agent; transferTo says who gets the open prospects: an id
// of a user or a group, in the query or in the body, also as {"user": id} or
// {"group": id}.
func (f *Face) removeAgent(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	aid, err := f.pathAgent(ctx, r)
	if err != nil {
		return nil, err
	}
	to, err := f.successor(ctx, r)
	if err != nil {
		return nil, err
	}
	a, pending, err := f.s.Handovers.Remove(ctx, r.Principal.Tenant, actor(r), aid, to)
	if err != nil {
		return nil, deletion(blamedAs(err, "transferTo"))
	}
	w := f.agentAdmin(a)
	w.Deleting = pending
	return reply(r, w)
}

// blamedAs is blamed for faults that name their field themselves.
func blamedAs(err error, field string) error {
	if w := fault.As(err); w != nil && w.Field == field {
		return blamed(field, err)
	}
	return err
}

func zeroID(v *id.ID) bool { return v == nil || v.IsZero() }

func (f *Face) groupAsAdmin(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	gid, err := f.pathGroup(ctx, r)
	if err != nil {
		return nil, err
	}
	g, err := f.s.Agents.Group(f.s.Agents.Reads(ctx, r.Principal.Tenant), gid)
	if err != nil {
		return nil, err
	}
	return reply(r, groupAdmin(g))
}

func (f *Face) agentAsAdmin(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	aid, err := f.pathAgent(ctx, r)
	if err != nil {
		return nil, err
	}
	a, err := f.s.Agents.Agent(f.s.Agents.Reads(ctx, r.Principal.Tenant), aid)
	if err != nil {
		return nil, err
	}
	return reply(r, f.agentAdmin(a))
}
