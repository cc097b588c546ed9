package filter

import "testing"

// Whatever folds to a character is found from it, ASCII stays among itself, and
// folding twice changes nothing: on this the SQL of texts without case rests.
func TestFolding(t *testing.T) {
	for r := rune(0); r <= 0x10FFFF; r++ {
		if r >= 0xD800 && r < 0xE000 {
			continue
		}
		f := foldRune(r)
		if foldRune(f) != f || (r < 0x80) != (f < 0x80) {
			t.Errorf("%U folds to %U and then to %U", r, f, foldRune(f))
		}
		if r >= 0x80 && f != r {
			found := false
			for _, o := range others(f) {
				found = found || o == r
			}
			if !found {
				t.Errorf("%U folds to %U, which does not know it", r, f)
			}
		}
	}
}

func TestWildcards(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"a*", "a", true}, {"a*", "Abc", true}, {"a*", "ba", false}, {"*a", "bA", true}, {"*a*", "xay", true}, {"a?c", "abc", true}, {"a?c", "ac", false}, {"a?", "aé", true},
		{"a*b*c", "aXbXbXc", true}, {"a*b*c", "aXcXb", false}, {`a\*?`, "a*x", true}, {`a\*?`, "abx", false}, {"?*", "", false}, {"?*", "x", true}, {"Ä*", "ärger", true}, {`*\`, `a\`, true},
	} {
		if got := wildcardOf(c.pattern).match(folded(c.text)); got != c.want {
			t.Errorf("%s on %s: %v", c.pattern, c.text, got)
		}
	}
	for _, bad := range []string{"a", "", "*", "**", `\*`, "*a*b*c*d*e*f*g*h*i"} {
		if patternShape(bad, "x") == nil {
			t.Errorf("%q is a pattern", bad)
		}
	}
}
