package token_test

import (
	"testing"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/token"
)

// A token that is revoked while it asks for another one does not get it: it would
// live on in that one. The same holds for the key of a leak, which a rotation ends.
func TestARevokedHolderMakesNoToken(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		_, first := w.issue(t, token.New{})
		_, leaked := w.issue(t, token.New{})
		if err := w.tokens.Revoke(bg, w.acme.ID, first.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := w.tokens.Rotate(bg, true); err != nil {
			t.Fatal(err)
		}
		for what, holder := range map[string]id.ID{"revoked": first.ID, "ended by a rotation": leaked.ID} {
			text, _, err := w.tokens.Issue(bg, w.acme.ID, token.New{Name: "child", By: token.Holder{Key: holder, Scopes: []string{"targeting:*"}}})
			if f := fault.As(err); f == nil || f.Code != fault.Unauthorized || text != "" {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}
