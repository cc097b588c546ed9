package token

import (
	"context"
	"encoding/base64"
)

// JWK is the public half of a key that verifies tokens (RFC 7517).
type JWK struct {
	Kty string `json:"kty"`
	Crv string `json:"crv"`
	Use string `json:"use"`
	Alg string `json:"alg"`
	Kid string `json:"kid"`
	X   string `json:"x"`
	Y   string `json:"y"`
}

// JWKS are the keys that verify tokens, the one that signs first.
func (s *Service) JWKS(ctx context.Context) ([]JWK, error) {
	list, err := s.signers(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]JWK, 0, len(list))
	for _, k := range list {
		point, err := k.public.ECDH()
		if err != nil {
			return nil, err
		}
		xy := point.Bytes()[1:] // behind the mark of an uncompressed point
		half := len(xy) / 2
		out = append(out, JWK{Kty: "EC", Crv: "P-256", Use: "sig", Alg: algorithm, Kid: k.kid,
			X: base64.RawURLEncoding.EncodeToString(xy[:half]), Y: base64.RawURLEncoding.EncodeToString(xy[half:])})
	}
	return out, nil
}

// Issuer is what tokens that are made now name as theirs; "" before there is a key.
func (s *Service) Issuer(ctx context.Context) (string, error) {
	list, err := s.signers(ctx)
	if err != nil || len(list) == 0 || !list[0].retiredAt.IsZero() {
		return "", err
	}
	return list[0].issuer, nil
}
