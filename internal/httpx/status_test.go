package httpx

import (
	"testing"

	"parley/internal/fault"
)

func TestEveryFaultHasAStatus(t *testing.T) {
	for _, c := range fault.Codes {
		if s := Status(fault.Of(c)); s < 400 || s == 500 {
			t.Errorf("%s is answered with %d", c, s)
		}
	}
	if s := Status(nil); s != 500 {
		t.Errorf("an error of ours is answered with %d", s)
	}
	if s := Status(fault.Unknown("route").Because("method")); s != 405 {
		t.Errorf("a wrong method is answered with %d", s)
	}
}
