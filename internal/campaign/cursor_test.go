package campaign

import (
	"testing"

	"parley/internal/id"
)

// FuzzCursor reads cursors of strangers: what is taken for one is written back alike.
func FuzzCursor(f *testing.F) {
	q := RecipientQuery{Campaign: id.New(), Q: "x", Automation: []string{Failed}}
	f.Add(q.cursor(1_700_000_000_000))
	f.Add("")
	f.Add("AAABogIswCcBogIsvnYAAISJJza11q9m71T8vA")
	f.Fuzz(func(t *testing.T, text string) {
		if p, ok := q.place(text); ok && q.cursor(p) != text {
			t.Errorf("%q was taken for %q", text, q.cursor(p))
		}
	})
}
