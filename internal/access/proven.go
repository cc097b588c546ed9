package access

import (
	"context"

	"parley/internal/fault"
	"parley/internal/id"
)

// AuthenticateID is Authenticate for a Proven key, by its id: the caller has seen
// the proof. It never opens a key that has a token of its own, and no token opens a
// Proven one.
func (s *Service) AuthenticateID(ctx context.Context, face string, key id.ID) (Key, error) {
	if key.IsZero() {
		return Key{}, unauthorized()
	}
	return s.authenticate(ctx, face, proven(key))
}

// proven stands where the hash of a key's token does for a key without one. No hash
// of a token looks like it.
func proven(key id.ID) string { return "id:" + key.String() }

func unrenewable() error {
	return fault.New(fault.Conflict, "this key is an access token, which has no second one; make a new token and revoke this one").Because("proven")
}
