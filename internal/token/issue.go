package token

import (
	"context"
	"crypto/ecdsa"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/internal/access"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/tenant"
)

// claims are what a token says. What it may do is also there for servers that verify
// it themselves; here the key behind it counts.
type claims struct {
	jwt.RegisteredClaims
	Org   string `json:"org_id"` // the organisation, as a UUID
	Scope string `json:"scope"`  // separated by blanks (RFC 8693)
	Type  string `json:"token_type"`
}

// issued is a token with what is known of it.
type issued struct {
	text  string
	token Token
}

// Issue makes a token, which is stored nowhere and so shown once. Faults: Invalid
// naming "name", "assignments" or "expires_in"; Forbidden when it would do more, or
// live longer, than the token or key of its holder; Unauthorized when that was revoked
// meanwhile; NotFound for an unknown tenant.
func (s *Service) Issue(ctx context.Context, tenant id.ID, n New) (jwt string, t Token, err error) {
	out, err := store.Write(ctx, s.db, tenant, func(tx *store.Tx) (issued, error) { return s.issue(tx, n) })
	return out.text, out.token, err
}

// SignUp makes a tenant together with a token for it. Faults: those of tenant.Create
// and Issue.
func (s *Service) SignUp(ctx context.Context, n tenant.NewTenant, first New) (made tenant.Tenant, jwt string, t Token, err error) {
	type both struct {
		tenant tenant.Tenant
		issued
	}
	out, err := store.Write(ctx, s.db, id.New(), func(tx *store.Tx) (b both, err error) {
		if b.tenant, err = s.tenants.CreateIn(tx, n); err != nil {
			return b, err
		}
		b.issued, err = s.issue(tx, first)
		return b, err
	})
	return out.tenant, out.text, out.token, err
}

func (s *Service) issue(tx *store.Tx, n New) (issued, error) {
	if strings.TrimSpace(n.Name) == "" {
		return issued{}, fault.Missing("name")
	}
	scopes, err := n.granted()
	if err != nil {
		return issued{}, err
	}
	ends, err := s.ends(tx, n)
	if err != nil {
		return issued{}, err
	}
	sys := tx.For(id.Zero)
	if err := lockSigner(sys); err != nil {
		return issued{}, err
	}
	if !n.By.Key.IsZero() { // behind the lock: a rotation may have revoked it
		switch over, err := s.access.RevokedIn(tx, n.By.Key); {
		case err != nil:
			return issued{}, err
		case over:
			return issued{}, refused()
		}
	}
	signing, private, err := s.currentIn(sys)
	if err != nil {
		return issued{}, err
	}
	_, k, err := s.access.CreateIn(tx, access.NewKey{Face: Face, Name: n.Name, Scopes: scopes, Group: n.By.Group, User: n.By.User, Rate: n.By.Rate, Proven: true})
	if err != nil {
		return issued{}, err
	}
	t := Token{ID: k.ID, Kid: signing.kid, Assignments: n.Assignments, ReadOnly: n.ReadOnly, MadeBy: n.By.Key, CreatedAt: tx.Now(), ExpiresAt: ends}
	t.fill(k)
	text, err := t.sign(tx.Tenant(), signing, private)
	if err != nil {
		return issued{}, err
	}
	t.Last4 = text[len(text)-4:]
	if _, err := tx.Exec("INSERT INTO access_token (tenant_id, id, kid, assignments, read_only, last4, made_by, expires_at, created_at) VALUES (?,?,?,?,?,?,?,?,?)",
		t.ID, t.Kid, store.JSON(t.Assignments), t.ReadOnly, t.Last4, t.MadeBy, t.ExpiresAt, t.CreatedAt); err != nil {
		return issued{}, err
	}
	_, err = sys.Exec("UPDATE signing_key SET ends_at=? WHERE tenant_id=? AND kid=? AND ends_at<?", t.ExpiresAt, t.Kid, t.ExpiresAt)
	return issued{text, t}, err
}

// ends returns when a new token ends: a whole second, since a token tells its times
// in seconds. One that a token asks for does not outlive it.
func (s *Service) ends(tx *store.Tx, n New) (time.Time, error) {
	life := n.ExpiresIn
	if life == 0 {
		life = DefaultLife
	}
	if life < time.Second || life > MaxLife {
		return time.Time{}, fault.Field("expires_in", "a token lives from 1 second to %d (ten years)", int64(MaxLife/time.Second))
	}
	at := tx.Now().Add(life)
	if whole := at.Truncate(time.Second); !whole.Equal(at) {
		at = whole.Add(time.Second)
	}
	if n.By.Key.IsZero() {
		return at, nil
	}
	holder, isToken, err := get(tx, n.By.Key)
	if err != nil || !isToken || !at.After(holder.ExpiresAt) {
		return at, err
	}
	if n.ExpiresIn != 0 && tx.Now().Add(n.ExpiresIn).After(holder.ExpiresAt) {
		return at, fault.New(fault.Forbidden, "a token cannot make one that outlives it: it ends at %s; give a shorter expires_in", holder.ExpiresAt.UTC().Format(time.RFC3339)).Because("outlives")
	}
	return holder.ExpiresAt, nil
}

// sign writes a token as a JWT.
func (t Token) sign(tenant id.ID, k signer, private *ecdsa.PrivateKey) (string, error) {
	j := jwt.NewWithClaims(jwt.SigningMethodES256, claims{
		RegisteredClaims: jwt.RegisteredClaims{Issuer: k.issuer, Audience: jwt.ClaimStrings{Audience}, Subject: t.ID.UUID(), ID: t.ID.String(),
			IssuedAt: jwt.NewNumericDate(t.CreatedAt), NotBefore: jwt.NewNumericDate(t.CreatedAt), ExpiresAt: jwt.NewNumericDate(t.ExpiresAt)},
		Org: tenant.UUID(), Scope: strings.Join(t.Scopes, " "), Type: Type,
	})
	j.Header["kid"] = k.kid
	return j.SignedString(private)
}
