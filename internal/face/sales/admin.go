package sales

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// The administration (reference §5) is open to keys with the scope admin. A key of
// a group administrates what lies in that group and below it, and nothing of the
// account as a whole: it is told 403 there and 404 for what it does not see.

// wholeAccount returns Forbidden unless the key belongs to the top of the tree.
func (f *Face) wholeAccount(ctx context.Context, r *httpx.Request) error {
	if r.Principal.Group.IsZero() {
		return nil
	}
	root, err := f.s.Agents.Root(ctx, r.Principal.Tenant)
	if err != nil {
		return err
	}
	if root.ID != r.Principal.Group {
		return fault.New(fault.Forbidden, "this integration belongs to a group; use one of the whole account")
	}
	return nil
}

// given is an optional field of a body that tells null from absent.
type given[T any] struct {
	Set   bool
	Null  bool
	Value T
}

// UnmarshalJSON notes that the field is there.
func (g *given[T]) UnmarshalJSON(b []byte) error {
	g.Set = true
	if bytes.Equal(bytes.TrimSpace(b), []byte("null")) {
		g.Null = true
		return nil
	}
	return json.Unmarshal(b, &g.Value)
}

// ptr returns the value when the field is there; null is the zero value.
func (g given[T]) ptr() *T {
	if !g.Set {
		return nil
	}
	v := g.Value
	return &v
}

// bodyID reads an optional id of a body: nil when it is absent, the zero id for null
// or "". An id of nothing that the key sees is the caller's mistake, so it is
// Invalid naming the field.
func bodyID(field, noun string, g given[string]) (*id.ID, error) {
	if !g.Set {
		return nil, nil
	}
	if g.Value == "" {
		return &id.Zero, nil
	}
	v, err := parseID(field, noun, g.Value)
	if err != nil {
		return nil, fault.Field(field, "%s names no %s of this account", field, noun)
	}
	return &v, nil
}

// bodyGroup is bodyID for a group that the key sees.
func (f *Face) bodyGroup(ctx context.Context, r *httpx.Request, field string, g given[string]) (*id.ID, error) {
	v, err := bodyID(field, "group", g)
	if err != nil || v == nil || v.IsZero() {
		return v, err
	}
	return v, blamed(field, f.sees(ctx, r, *v))
}

// bodyAgent is bodyID for an agent that the key sees and that was not deleted.
func (f *Face) bodyAgent(ctx context.Context, r *httpx.Request, field string, g given[string]) (*id.ID, error) {
	v, err := bodyID(field, "agent", g)
	if err != nil || v == nil || v.IsZero() {
		return v, err
	}
	a, err := f.s.Agents.Agent(f.s.Agents.Reads(ctx, r.Principal.Tenant), *v)
	if err == nil && !a.DeletedAt.IsZero() {
		err = fault.Unknown("agent")
	}
	if err == nil {
		err = f.sees(ctx, r, a.Group)
	}
	return v, blamed(field, err)
}

// blamed turns "there is no such thing" into a complaint about the field of the
// body that named it.
func blamed(field string, err error) error {
	if w := fault.As(err); w != nil && w.Code == fault.NotFound {
		return fault.Field(field, "%s names nothing that this integration sees", field)
	}
	return err
}

// ownGroup is the group of what a key makes without naming one: its own, else the
// top of the tree. A key of a group cannot put things anywhere else.
func (f *Face) ownGroup(ctx context.Context, r *httpx.Request, chosen *id.ID) (id.ID, error) {
	if chosen != nil && !chosen.IsZero() {
		return *chosen, nil
	}
	return f.scope(ctx, r)
}

// deletion is what stands in the way of deleting something, in this API's words.
func deletion(err error) error {
	w := fault.As(err)
	if w == nil || w.Code != fault.Conflict {
		return err
	}
	c := *w
	c.Message = strings.NewReplacer("contacts", "prospects", "contact", "prospect").Replace(w.Message)
	return &c
}

// knownScopes are the scopes that a key of this API may have, as users write them.
var knownScopes = func() (out []string) {
	for _, s := range []string{leadsWrite, prospectsRead, readData, prospectsWrite, notifications, channelsRead, transactional, conversational, actAsUser, administer} {
		out = append(out, short(s))
	}
	return out
}()

// Scopes returns the scopes that keys of this API may have, as they are stored.
func Scopes() []string {
	out := make([]string, len(knownScopes))
	for i, s := range knownScopes {
		out[i] = Name + ":" + s
	}
	return out
}

// fullScopes reads scopes of a body: with or without the face's name, "*" for all.
func fullScopes(list []string) ([]string, error) {
	out := make([]string, 0, len(list))
	for i, s := range list {
		s = short(strings.TrimSpace(s))
		if s != "*" && !slices.Contains(knownScopes, s) {
			return nil, fault.Field(fmt.Sprintf("scopes[%d]", i), "scopes[%d] must be one of %s", i, strings.Join(knownScopes, ", "))
		}
		out = append(out, Name+":"+s)
	}
	return out, nil
}
