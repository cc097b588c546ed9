package store

import (
	"strconv"
	"testing"
)

// Texts of filters come without end; what is remembered of them does not.
func TestTextsAreBounded(t *testing.T) {
	var x texts
	for i := range 2 * maxTexts {
		x.put(strconv.Itoa(i), "text")
		x.put(strconv.Itoa(i), "text")
	}
	if x.n.Load() != maxTexts {
		t.Errorf("%d texts are remembered, not %d", x.n.Load(), maxTexts)
	}
	if _, ok := x.get("0"); !ok {
		t.Error("the first text is forgotten")
	}
	if _, ok := x.get(strconv.Itoa(2*maxTexts - 1)); ok {
		t.Error("a text beyond the bound is remembered")
	}
}
