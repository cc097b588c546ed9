package sales_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// same complains unless two values are the same.
func same(t testing.TB, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("wanted (-), got (+):\n%s", diff)
	}
}
