package admin

import (
	"context"
	"net/http"
	"time"

	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/token"
)

type tokenOut struct {
	Token       string     `json:"token,omitempty"` // only in the answer that made it
	ID          string     `json:"id"`
	Name        string     `json:"name"`
	Scopes      []string   `json:"scopes"`
	Assignments []string   `json:"assignments,omitempty"`
	ReadOnly    bool       `json:"readOnly"`
	Last4       string     `json:"last4"`
	CreatedAt   time.Time  `json:"createdAt"`
	ExpiresAt   time.Time  `json:"expiresAt"`
	RevokedAt   *time.Time `json:"revokedAt,omitempty"`
}

func showToken(t token.Token) tokenOut {
	out := tokenOut{ID: t.ID.String(), Name: t.Name, Scopes: t.Scopes, Assignments: t.Assignments, ReadOnly: t.ReadOnly, Last4: t.Last4, CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt}
	if out.Scopes == nil {
		out.Scopes = []string{}
	}
	if !t.RevokedAt.IsZero() {
		out.RevokedAt = &t.RevokedAt
	}
	return out
}

func (f *Face) listTokens(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := f.tenant(ctx, r)
	if err != nil {
		return nil, err
	}
	list, err := f.s.Tokens.List(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	out := make([]tokenOut, len(list))
	for i, x := range list {
		out[i] = showToken(x)
	}
	return ok(out)
}

// createToken makes an access token of the targeting API.
func (f *Face) createToken(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := f.tenant(ctx, r)
	if err != nil {
		return nil, err
	}
	var in struct {
		Name      string
		Scopes    []string
		ReadOnly  bool  `json:"readOnly"`
		ExpiresIn int64 `json:"expiresIn"` // seconds; 0: a year
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	for _, s := range in.Scopes {
		if _, known := token.Roles[s]; !known {
			return nil, fault.Field("scopes", "there is no scope %s; a token may have %s, %s and %s", s, token.Read, token.Write, token.Admin)
		}
	}
	if in.ExpiresIn < 0 || in.ExpiresIn > int64(token.MaxLife/time.Second) {
		return nil, fault.Field("expiresIn", "a token lives from 1 second to %d (ten years)", int64(token.MaxLife/time.Second))
	}
	// A command may have opened the database with a key of its own folder.
	if err := f.s.Tenants.CheckSeal(ctx); err != nil {
		return nil, err
	}
	text, made, err := f.s.Tokens.Issue(ctx, t.ID, token.New{Name: in.Name, Assignments: in.Scopes, ReadOnly: in.ReadOnly, ExpiresIn: time.Duration(in.ExpiresIn) * time.Second})
	if err != nil {
		return nil, err
	}
	out := showToken(made)
	out.Token = text
	return httpx.JSON(http.StatusCreated, out), nil
}

func (f *Face) revokeToken(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := f.tenant(ctx, r)
	if err != nil {
		return nil, err
	}
	tid, err := id.Parse(r.Param("id"))
	if err != nil {
		var ours bool
		if tid, ours, err = id.FromUUID(r.Param("id")); err != nil || !ours {
			return nil, fault.Unknown("access token")
		}
	}
	if err := f.s.Tokens.Revoke(ctx, t.ID, tid); err != nil {
		return nil, err
	}
	return httpx.Empty(http.StatusNoContent), nil
}

// rotateSigner puts a new key in the place of the one that signs tokens.
func (f *Face) rotateSigner(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in struct{ Now bool }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := f.s.Tenants.CheckSeal(ctx); err != nil {
		return nil, err
	}
	out, err := f.s.Tokens.Rotate(ctx, in.Now)
	if err != nil {
		return nil, err
	}
	return ok(map[string]any{"kid": out.Kid, "revoked": out.Revoked})
}
