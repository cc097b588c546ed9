package targeting

import (
	"context"
	"net/http"
	"strings"
	"time"

	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/token"
)

// tokenWire is an access token as lists show it (reference §5.4). scopes, read_only,
// last4 and expires_at are ours.
type tokenWire struct {
	Token       string   `json:"token,omitempty"` // only in the answer that made it
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	TokenType   string   `json:"token_type"`
	Assignments []string `json:"assignments"`
	Scopes      []string `json:"scopes"`
	ReadOnly    bool     `json:"read_only"`
	Last4       string   `json:"last4"`
	CreatedAt   *string  `json:"created_at"`
	ExpiresAt   *string  `json:"expires_at"`
	RevokedAt   *string  `json:"revoked_at,omitempty"`
}

func tokenOf(t token.Token) tokenWire {
	w := tokenWire{ID: t.ID.UUID(), Name: t.Name, TokenType: token.Type, Assignments: t.Assignments, Scopes: t.Scopes, ReadOnly: t.ReadOnly, Last4: t.Last4,
		CreatedAt: moment(t.CreatedAt), ExpiresAt: moment(t.ExpiresAt), RevokedAt: moment(t.RevokedAt)}
	if w.Assignments == nil {
		w.Assignments = []string{}
	}
	if w.Scopes == nil {
		w.Scopes = []string{}
	}
	return w
}

// tokenBody asks for a token (reference §5.4).
type tokenBody struct {
	Name        *string  `json:"name"`
	Assignments []string `json:"assignments"`
	ExpiresIn   *int64   `json:"expires_in"` // seconds
	ReadOnly    bool     `json:"read_only"`
	TokenType   *string  `json:"token_type"`
}

// addToken makes a token, which is shown this once. It may do no more and lives no
// longer than the token that asks for it.
func (f *Face) addToken(ctx context.Context, r *httpx.Request, body tokenBody) (*httpx.Response, error) {
	if body.Name == nil {
		return nil, fault.Missing("name")
	}
	if body.TokenType != nil && *body.TokenType != token.Type {
		return nil, fault.Field("token_type", "token_type must be %s; this server makes no other tokens", token.Type)
	}
	p := r.Principal
	n := token.New{Name: *body.Name, Assignments: body.Assignments, ReadOnly: body.ReadOnly,
		By: token.Holder{Key: p.Key, Scopes: p.Scopes, Group: p.Group, User: p.User, Rate: p.Rates["default"].PerMinute}}
	if body.ExpiresIn != nil {
		if *body.ExpiresIn < 1 || *body.ExpiresIn > int64(token.MaxLife/time.Second) {
			return nil, fault.Field("expires_in", "expires_in must be a number of seconds from 1 to %d", int64(token.MaxLife/time.Second))
		}
		n.ExpiresIn = time.Duration(*body.ExpiresIn) * time.Second
	}
	text, t, err := f.s.Tokens.Issue(ctx, p.Tenant, n)
	if err != nil {
		return nil, err
	}
	w := tokenOf(t)
	w.Token = text
	return httpx.JSON(http.StatusCreated, w), nil
}

// listTokens answers the tokens that were not revoked.
func (f *Face) listTokens(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	types := r.QueryList("token_type")
	list, err := f.s.Tokens.List(ctx, r.Principal.Tenant)
	if err != nil {
		return nil, err
	}
	out := []tokenWire{}
	for _, t := range list {
		if t.RevokedAt.IsZero() && (len(types) == 0 || strings.Contains(","+strings.Join(types, ",")+",", ","+token.Type+",")) {
			out = append(out, tokenOf(t))
		}
	}
	return httpx.JSON(http.StatusOK, out), nil
}

// revokeToken ends a token at once, also the one that asks.
func (f *Face) revokeToken(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	tid, err := parseAnyID("key", r.Param("id"))
	if err != nil {
		return nil, err
	}
	if err := f.s.Tokens.Revoke(ctx, r.Principal.Tenant, tid); err != nil {
		return nil, err
	}
	t, err := f.s.Tokens.Get(ctx, r.Principal.Tenant, tid)
	if err != nil {
		return nil, err
	}
	return httpx.JSON(http.StatusOK, tokenOf(t)), nil
}

const jwksPath = token.Path + "/.well-known/jwks.json"

// publicly is an answer that anybody may see and keep for a minute: whoever meets a
// token of a newer key asks again anyway.
func publicly(body any) *httpx.Response {
	out := httpx.JSON(http.StatusOK, body)
	out.Header = http.Header{"Cache-Control": {"public, max-age=60"}}
	return out
}

// jwks answers the keys that verify tokens (RFC 7517).
func (f *Face) jwks(ctx context.Context, _ *httpx.Request) (*httpx.Response, error) {
	keys, err := f.s.Tokens.JWKS(ctx)
	if err != nil {
		return nil, err
	}
	return publicly(map[string]any{"keys": keys}), nil
}

// openID tells other servers where the keys are and what tokens name as their issuer.
type openID struct {
	Issuer   string   `json:"issuer"`
	JWKS     string   `json:"jwks_uri"`
	Algs     []string `json:"id_token_signing_alg_values_supported"`
	Subjects []string `json:"subject_types_supported"`
	Kinds    []string `json:"response_types_supported"`
	Scopes   []string `json:"scopes_supported"`
	Claims   []string `json:"claims_supported"`
}

func (f *Face) openID(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	issuer, err := f.s.Tokens.Issuer(ctx)
	if err != nil {
		return nil, err
	}
	at := r.Absolute(jwksPath)
	if base, ok := strings.CutSuffix(issuer, token.Path); ok {
		at = base + jwksPath
	}
	return publicly(openID{issuer, at, []string{"ES256"}, []string{"public"}, []string{"token"}, Scopes(),
		[]string{"iss", "aud", "sub", "jti", "iat", "nbf", "exp", "org_id", "scope", "token_type"}}), nil
}
