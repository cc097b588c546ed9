// Package token owns the access tokens of the targeting API: signed texts (JWT)
// that name a key of package access, and the keys that sign them. The signature
// proves that the bearer holds the token; the key behind it says what he may do and
// whether it was revoked, on every node at once. The targeting face issues and
// verifies through it, the admin face and the commands as well.
//
// One key of the server signs. Rotating puts another in its place; the former one
// verifies until the last token that it signed has ended. Other servers find all that
// verify in the JWKS.
package token

import (
	"context"
	"database/sql"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/internal/access"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/tenant"
)

// Face is the API that tokens open, and Audience is how they name it.
const (
	Face     = "targeting"
	Audience = "parley:targeting"
)

// Type is the one type of token that there is (reference §5.4).
const Type = "api"

// How long a token lives, from when it is made.
const (
	DefaultLife = 365 * 24 * time.Hour
	MaxLife     = 10 * DefaultLife
)

// Path is where what the server tells of its tokens lies, below its URL; an issuer
// that is a URL ends in it, as OpenID Connect wants.
const Path = "/v1/access-tokens"

// Token is what is known of a token; never the token itself.
type Token struct {
	ID          id.ID // of its key too
	Name        string
	Scopes      []string
	Assignments []string // as they were given; nil when none were
	ReadOnly    bool
	Kid         string // of the key that signed it
	Last4       string // its last four characters, to tell tokens apart
	MadeBy      id.ID  // the key that asked for it; zero: the operator
	Group, User id.ID  // zero: not bound to one
	CreatedAt   time.Time
	ExpiresAt   time.Time
	RevokedAt   time.Time // zero: it was not
}

// Holder is who asks for a token: it gets nothing that he has not. The zero Holder
// is the operator, who may give everything.
type Holder struct {
	Key         id.ID
	Scopes      []string
	Group, User id.ID
	Rate        int // requests a minute, 0: what the server says
}

// New describes a token to make.
type New struct {
	Name string
	// Assignments are roles; those of Roles give scopes, others give nothing and are
	// kept. None at all: everything that the holder may do.
	Assignments []string
	ReadOnly    bool          // targeting:read and nothing else
	ExpiresIn   time.Duration // 0: DefaultLife, or the rest of the holder's own
	By          Holder
}

// Options are what the room is told of the server.
type Options struct {
	// URL is the address under which others know the server, "" when it was not told
	// one. Keys made from then on name it as their issuer.
	URL string
}

// Service is the room's door. It is safe for concurrent use.
type Service struct {
	db      *store.DB
	tenants *tenant.Service
	access  *access.Service
	url     string
	known   *store.Recent[signer]
	parser  *jwt.Parser
}

// NewService returns the room's service. It listens for rotations as long as db is
// open.
func NewService(db *store.DB, tenants *tenant.Service, keys *access.Service, o Options) *Service {
	return &Service{db: db, tenants: tenants, access: keys, url: o.URL, known: store.NewRecent[signer](db, topic, keepFor), parser: parser(db.Clock())}
}

// List returns the tenant's tokens, revoked and ended ones too, oldest first.
func (s *Service) List(ctx context.Context, tenant id.ID) ([]Token, error) {
	rows, err := s.db.Read(ctx, tenant).Query("SELECT " + columns + " FROM access_token WHERE tenant_id=? ORDER BY created_at, id")
	list, err := store.Collect(rows, err, func(r *sql.Rows) (Token, error) { return scan(r) })
	if err != nil || len(list) == 0 {
		return nil, err
	}
	keys, err := s.access.List(ctx, tenant)
	if err != nil {
		return nil, err
	}
	of := make(map[id.ID]access.Key, len(keys))
	for _, k := range keys {
		of[k.ID] = k
	}
	for i := range list {
		list[i].fill(of[list[i].ID])
	}
	return list, nil
}

// fill completes a token from its key.
func (t *Token) fill(k access.Key) {
	t.Name, t.Scopes, t.Group, t.User, t.RevokedAt = k.Name, shown(k.Scopes), k.Group, k.User, k.RevokedAt
}

// Get returns a token. NotFound for one that the tenant does not have.
func (s *Service) Get(ctx context.Context, tenant, token id.ID) (Token, error) {
	t, ok, err := get(s.db.Read(ctx, tenant), token)
	if err == nil && !ok {
		err = fault.Unknown("access token")
	}
	if err != nil {
		return Token{}, err
	}
	k, err := s.access.Get(ctx, tenant, token)
	t.fill(k)
	return t, err
}

// Revoke ends a token on every node at once. Revoking it again changes nothing.
// NotFound for one that the tenant does not have.
func (s *Service) Revoke(ctx context.Context, tenant, token id.ID) error {
	return s.db.Write(ctx, tenant, func(tx *store.Tx) error {
		_, ok, err := get(tx, token)
		if err == nil && !ok {
			err = fault.Unknown("access token")
		}
		if err != nil {
			return err
		}
		return s.access.RevokeIn(tx, token)
	})
}

const columns = "id, kid, assignments, read_only, last4, made_by, expires_at, created_at"

func scan(r interface{ Scan(...any) error }) (t Token, err error) {
	return t, r.Scan(&t.ID, &t.Kid, store.JSON(&t.Assignments), &t.ReadOnly, &t.Last4, &t.MadeBy, store.Time(&t.ExpiresAt), store.Time(&t.CreatedAt))
}

func get(r store.Reader, token id.ID) (Token, bool, error) {
	t, err := scan(r.QueryRow("SELECT "+columns+" FROM access_token WHERE tenant_id=? AND id=?", token))
	ok, err := store.Found(err)
	return t, ok, err
}
