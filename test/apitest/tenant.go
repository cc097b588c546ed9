package apitest

import (
	"context"

	"parley/internal/access"
	"parley/internal/agent"
	"parley/internal/id"
	"parley/internal/tenant"
)

// Tenant is an account with the top of its tree of groups.
type Tenant struct {
	*Rig
	tenant.Tenant
	Root agent.Group
}

// NewTenant makes an account.
func (r *Rig) NewTenant(name string) *Tenant {
	r.Helper()
	t, err := r.App.Tenants.Create(context.Background(), tenant.NewTenant{Name: name})
	if err != nil {
		r.Fatal(err)
	}
	root, err := r.App.Agents.Root(context.Background(), t.ID)
	if err != nil {
		r.Fatal(err)
	}
	return &Tenant{Rig: r, Tenant: t, Root: root}
}

// Group makes a group below another; the zero id is the root.
func (t *Tenant) Group(name string, parent id.ID) agent.Group {
	t.Helper()
	g, err := t.App.Agents.CreateGroup(context.Background(), t.ID, "test", agent.Group{Name: name, Parent: parent})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Agent makes an active agent in a group; the zero id is the root.
func (t *Tenant) Agent(first, last string, group id.ID) agent.Agent {
	t.Helper()
	a, err := t.App.Agents.Create(context.Background(), t.ID, "test", agent.Agent{FirstName: first, LastName: last, Group: group})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Caller is somebody with a key of one API.
type Caller struct {
	*Tenant
	Token string
	Key   access.Key
	base  string // put before paths
}

// Caller returns somebody with a new sales key: without scopes everything, which
// sees the whole account. Scopes are written as users write them, "leads:write".
func (t *Tenant) Caller(scopes ...string) *Caller {
	t.Helper()
	return t.WithKey(access.NewKey{Scopes: full(scopes)})
}

// In is Caller for a key that belongs to a group.
func (t *Tenant) In(group id.ID, scopes ...string) *Caller {
	t.Helper()
	return t.WithKey(access.NewKey{Group: group, Scopes: full(scopes)})
}

// As is Caller for a key that acts for an agent, in the agent's group.
func (t *Tenant) As(a agent.Agent, scopes ...string) *Caller {
	t.Helper()
	return t.WithKey(access.NewKey{Group: a.Group, User: a.ID, Scopes: full(scopes)})
}

// WithKey returns somebody with a new key; without a Face it is one of the sales
// API.
func (t *Tenant) WithKey(n access.NewKey) *Caller {
	t.Helper()
	if n.Face == "" {
		n.Face = "sales"
	}
	token, k, err := t.App.Access.Create(context.Background(), t.ID, n)
	if err != nil {
		t.Fatal(err)
	}
	c := &Caller{Tenant: t, Token: token, Key: k}
	if n.Face == "sales" {
		c.base = "/api/v1"
	}
	return c
}

// Platform returns somebody with a key of the platform API, whose paths are
// written whole ("/api/saas/crm/leads").
func (t *Tenant) Platform() *Caller {
	t.Helper()
	return t.WithKey(access.NewKey{Face: "platform"})
}

// Targeting returns somebody with a key of the targeting API, whose paths are
// written whole ("/v1/campaign:match"). Scopes are written as users write them,
// "read"; none means everything.
func (t *Tenant) Targeting(scopes ...string) *Caller {
	t.Helper()
	n := access.NewKey{Face: "targeting"}
	for _, s := range scopes {
		n.Scopes = append(n.Scopes, "targeting:"+s)
	}
	return t.WithKey(n)
}

// full gives scopes the face's name.
func full(scopes []string) []string {
	out := make([]string, len(scopes))
	for i, s := range scopes {
		out[i] = "sales:" + s
	}
	return out
}
