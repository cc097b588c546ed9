package platform

import (
	"context"

	"parley/internal/fault"
	"parley/internal/httpx"
)

// starView is the answer to star (§2.1).
type starView struct {
	IsStarred bool `json:"isStarred"`
}

// starMessage marks a message for the agents; without a value it is marked.
func (f *Face) starMessage(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	mid, err := pathID("message", r.Param("id"))
	if err != nil {
		return nil, err
	}
	var in starInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	starred := true
	if v := first(in.IsStarred, in.Starred); v != nil {
		starred = *v
	}
	if _, err := f.s.Conversations.Star(ctx, r.Principal.Tenant, actor(r), mid, starred); err != nil {
		return nil, err
	}
	return dual(starView{starred})
}

// reactToMessage puts our emoji on a message; "" takes it back.
func (f *Face) reactToMessage(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	mid, err := pathID("message", r.Param("id"))
	if err != nil {
		return nil, err
	}
	var in reactInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	emoji := first(in.Reaction, in.Emoji)
	if emoji == nil {
		return nil, fault.Missing("reaction")
	}
	if len(*emoji) > 64 {
		return nil, fault.Field("reaction", "reaction must be one emoji, or empty to take it back")
	}
	m, err := f.s.Conversations.React(ctx, r.Principal.Tenant, actor(r), mid, *emoji)
	if err != nil {
		return nil, err
	}
	return dual(f.messageView(r, m))
}
