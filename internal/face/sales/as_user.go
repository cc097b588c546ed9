package sales

import (
	"context"

	"parley/internal/fault"
	"parley/internal/handover"
	"parley/internal/httpx"
)

// destinationsWire is where a prospect may be transferred to (reference §2.6).
type destinationsWire struct {
	Agents []*agentWire `json:"agents"`
	Groups []groupName  `json:"groups"`
}

// groupName is a group where only its name is wanted.
type groupName struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// destinations lists the groups that the key sees and their active agents.
func (f *Face) destinations(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	if _, _, err := f.user(ctx, r); err != nil {
		return nil, err
	}
	top, err := f.scope(ctx, r)
	if err != nil {
		return nil, err
	}
	reads := f.s.Agents.Reads(ctx, r.Principal.Tenant)
	out := destinationsWire{Agents: []*agentWire{}, Groups: []groupName{}}
	agents, err := f.s.Agents.List(reads, top, "true", true)
	if err != nil {
		return nil, err
	}
	for _, a := range agents {
		out.Agents = append(out.Agents, agentOf(a))
	}
	groups, err := f.s.Agents.Descendants(reads, top, true)
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		out.Groups = append(out.Groups, groupName{g.ID.String(), g.Shown()})
	}
	return reply(r, out)
}

// transferAsUser moves a prospect in the agent's name. A refusal for the state of
// things (the destination is not active, a task is at work) is told in the answer,
// as the original does; what the caller got wrong is an error.
func (f *Face) transferAsUser(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	_, by, err := f.user(ctx, r)
	if err != nil {
		return nil, err
	}
	_, err = f.move(ctx, r, by)
	if w := fault.As(err); w != nil && w.Code == fault.Conflict {
		return reply(r, transferWire{Error: w.Message})
	}
	if err != nil {
		return nil, err
	}
	return reply(r, transferWire{Success: true})
}

// archiveAsUser closes a prospect for a reason, in the agent's name; whatever else
// the body changes is changed in the same moment.
func (f *Face) archiveAsUser(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	_, by, err := f.user(ctx, r)
	if err != nil {
		return nil, err
	}
	var body updateBody
	cid, err := f.prospectAndBody(ctx, r, &body)
	if err != nil {
		return nil, err
	}
	if body.ArchivingReason == nil {
		return nil, fault.Missing("archivingReason")
	}
	if _, err := f.s.Handovers.Edit(ctx, r.Principal.Tenant, by, cid, body.edit()); err != nil {
		return nil, err
	}
	return f.replyProspect(ctx, r, cid)
}

// labelBody names an existing label.
type labelBody struct {
	Label string `json:"label"`
}

func (f *Face) labelAsUser(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	_, by, err := f.user(ctx, r)
	if err != nil {
		return nil, err
	}
	var body labelBody
	cid, err := f.prospectAndBody(ctx, r, &body)
	if err != nil {
		return nil, err
	}
	if body.Label == "" {
		return nil, fault.Missing("label")
	}
	if _, err := f.s.Handovers.Label(ctx, r.Principal.Tenant, by, cid, body.Label); err != nil {
		return nil, err
	}
	return f.replyProspect(ctx, r, cid)
}

// reasonWire is a reason for archiving.
type reasonWire struct {
	Reason string `json:"reason"`
	Name   string `json:"name"`
}

// labelWire is a label.
type labelWire struct {
	Key  string `json:"key"`
	Name string `json:"name"`
}

func (f *Face) reasonsAsUser(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	if _, _, err := f.user(ctx, r); err != nil {
		return nil, err
	}
	return f.replyReasons(ctx, r)
}

// reasonsOf is the deprecated list of the reasons that an agent may choose from:
// all agents have the account's.
func (f *Face) reasonsOf(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	text := r.QueryString("agent")
	if text == "" {
		return nil, fault.Missing("agent")
	}
	if _, err := f.seenAgent(ctx, r, "agent", text); err != nil {
		return nil, err
	}
	return f.replyReasons(ctx, r)
}

func (f *Face) replyReasons(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	words, err := f.s.Handovers.Words(f.s.Handovers.Reads(ctx, r.Principal.Tenant), handover.Reasons)
	if err != nil {
		return nil, err
	}
	out := make([]reasonWire, len(words))
	for i, w := range words {
		out[i] = reasonWire{w.Key, w.Name}
	}
	return reply(r, out)
}

func (f *Face) labelsAsUser(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	if _, _, err := f.user(ctx, r); err != nil {
		return nil, err
	}
	words, err := f.s.Handovers.Words(f.s.Handovers.Reads(ctx, r.Principal.Tenant), handover.Labels)
	if err != nil {
		return nil, err
	}
	out := make([]labelWire, len(words))
	for i, w := range words {
		out[i] = labelWire{w.Key, w.Name}
	}
	return reply(r, out)
}
