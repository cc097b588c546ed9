package sales

import (
	"context"
	"time"

	"parley/internal/agent"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// onlineWire is who of a group is there (reference §3.5, OnlineAgents).
type onlineWire struct {
	OfficeHours bool         `json:"officeHours"`
	Agents      []*agentWire `json:"agents"`
}

// workingWire and responseWire are the bodies of reference §6, 16.
type workingWire struct {
	IsWorking bool `json:"isWorking"`
}

type responseWire struct {
	ResponseTime *float64 `json:"responseTime"` // seconds, null without an answer
}

// agentList answers the agents of one group (reference §6, 20).
func (f *Face) agentList(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	group, err := queryID(r, "group", "group")
	if err != nil {
		return nil, err
	}
	if group.IsZero() {
		return nil, fault.Missing("group")
	}
	if err := f.sees(ctx, r, group); err != nil {
		return nil, err
	}
	list, err := f.s.Agents.List(f.s.Agents.Reads(ctx, r.Principal.Tenant), group, r.QueryString("active"), false)
	if err != nil {
		return nil, err
	}
	return reply(r, agentsOf(list))
}

// online answers the agents of a group who are there now (reference §6, 21).
func (f *Face) online(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	available, err := r.QueryBool("availableAgents", false)
	if err != nil {
		return nil, err
	}
	group, err := f.pathGroup(ctx, r)
	if err != nil {
		return nil, err
	}
	there, err := f.s.Agents.Online(f.s.Agents.Reads(ctx, r.Principal.Tenant), group, available, f.s.Clock.Now())
	if err != nil {
		return nil, err
	}
	return reply(r, onlineWire{there.OfficeHours, agentsOf(there.Agents)})
}

func (f *Face) agentIsWorking(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	aid, err := f.pathAgent(ctx, r)
	if err != nil {
		return nil, err
	}
	works, err := f.s.Agents.IsWorking(f.s.Agents.Reads(ctx, r.Principal.Tenant), aid, f.s.Clock.Now())
	if err != nil {
		return nil, err
	}
	return reply(r, workingWire{works})
}

func (f *Face) groupIsWorking(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	group, err := f.pathGroup(ctx, r)
	if err != nil {
		return nil, err
	}
	works, err := f.s.Agents.GroupIsWorking(f.s.Agents.Reads(ctx, r.Principal.Tenant), group, f.s.Clock.Now())
	if err != nil {
		return nil, err
	}
	return reply(r, workingWire{works})
}

func (f *Face) agentResponseTime(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	aid, err := f.pathAgent(ctx, r)
	if err != nil {
		return nil, err
	}
	return responseTime(r, func() (time.Duration, int, error) {
		return f.s.Handovers.AgentResponseTime(f.s.Handovers.Reads(ctx, r.Principal.Tenant), aid)
	})
}

func (f *Face) groupResponseTime(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	group, err := f.pathGroup(ctx, r)
	if err != nil {
		return nil, err
	}
	return responseTime(r, func() (time.Duration, int, error) {
		return f.s.Handovers.GroupResponseTime(f.s.Handovers.Reads(ctx, r.Principal.Tenant), group)
	})
}

func responseTime(r *httpx.Request, ask func() (time.Duration, int, error)) (*httpx.Response, error) {
	mean, answers, err := ask()
	if err != nil {
		return nil, err
	}
	var out responseWire
	if answers > 0 {
		seconds := float64(mean.Milliseconds()) / 1000
		out.ResponseTime = &seconds
	}
	return reply(r, out)
}

// pathAgent returns the agent that the path names when the key sees the agent's
// group; whoever was deleted is not there any more.
func (f *Face) pathAgent(ctx context.Context, r *httpx.Request) (id.ID, error) {
	aid, err := pathID(r, "agentId", "agent")
	if err != nil {
		return id.Zero, err
	}
	a, err := f.s.Agents.Agent(f.s.Agents.Reads(ctx, r.Principal.Tenant), aid)
	if err != nil {
		return id.Zero, err
	}
	if err := f.sees(ctx, r, a.Group); err != nil || !a.DeletedAt.IsZero() {
		if err == nil || fault.As(err) != nil {
			err = fault.Unknown("agent")
		}
		return id.Zero, err
	}
	return aid, nil
}

// agentsOf writes agents, in their order.
func agentsOf(list []agent.Agent) []*agentWire {
	out := make([]*agentWire, len(list))
	for i, a := range list {
		out[i] = agentOf(a)
	}
	return out
}
