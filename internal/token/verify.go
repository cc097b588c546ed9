package token

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/internal/access"
	"parley/internal/clock"
	"parley/internal/fault"
	"parley/internal/id"
)

// leeway is how far the clock of the node that issued a token may be ahead. An end
// has none: a token that has ended has ended.
const leeway = 30 * time.Second

// maxToken bounds a token, in bytes; ours have about 700.
const maxToken = 4096

// Looks reports whether a text has the form of a token of this room, which keys never
// have.
func Looks(text string) bool { return strings.HasPrefix(text, "eyJ") && strings.Count(text, ".") == 2 }

func parser(c clock.Clock) *jwt.Parser {
	return jwt.NewParser(jwt.WithValidMethods([]string{algorithm}), jwt.WithStrictDecoding(), jwt.WithTimeFunc(c.Now), jwt.WithLeeway(leeway),
		jwt.WithAudience(Audience), jwt.WithExpirationRequired(), jwt.WithNotBeforeRequired(), jwt.WithIssuedAt())
}

// Verify returns the key that a token stands for. One that we did not sign, that was
// changed, is not valid yet, has ended or was revoked is Unauthorized, all alike. Other
// faults are those of access.Authenticate: a suspended tenant, a disabled key.
func (s *Service) Verify(ctx context.Context, text string) (access.Key, error) {
	if len(text) > maxToken {
		return access.Key{}, refused()
	}
	var (
		said   claims
		signed signer
		outage error // not the token's fault
	)
	_, err := s.parser.ParseWithClaims(text, &said, func(t *jwt.Token) (any, error) {
		kid, ok := plainHeader(t.Header)
		if !ok {
			return nil, jwt.ErrTokenUnverifiable
		}
		if signed, outage = s.byKid(ctx, kid); outage != nil {
			return nil, outage
		}
		if !signed.verifies(s.db.Clock().Now()) {
			return nil, jwt.ErrTokenUnverifiable
		}
		return signed.public, nil
	})
	switch {
	case outage != nil:
		return access.Key{}, outage
	case err != nil, said.Issuer != signed.issuer, said.Type != Type, !s.db.Clock().Now().Before(said.ExpiresAt.Time):
		return access.Key{}, refused()
	}
	key, err := id.Parse(said.ID)
	if err != nil {
		return access.Key{}, refused()
	}
	k, err := s.access.AuthenticateID(ctx, Face, key)
	if errors.Is(err, fault.Of(fault.Unauthorized)) {
		err = refused()
	}
	if err == nil && k.Tenant.UUID() != said.Org {
		return access.Key{}, refused()
	}
	return k, err
}

// plainHeader returns the kid of a header that says what ours say and nothing else:
// a key or an address of one that a token brings along (jwk, jku, x5c) is never heard, nor is
// an extension that would have to be understood (crit).
func plainHeader(h map[string]any) (kid string, ok bool) {
	for name := range h {
		if name != "alg" && name != "typ" && name != "kid" {
			return "", false
		}
	}
	kid, ok = h["kid"].(string)
	return kid, ok && h["typ"] == "JWT"
}

func refused() error {
	return fault.New(fault.Unauthorized, "the token is missing or not valid; send a valid token")
}
