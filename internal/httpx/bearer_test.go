package httpx

import (
	"net/http"
	"testing"
)

func TestBearer(t *testing.T) {
	for header, want := range map[string]struct {
		token string
		ok    bool
	}{
		"":               {"", false},
		"Basic abc":      {"", false},
		"Bearer":         {"", true},
		"Bearer abc":     {"abc", true},
		" bearer  abc ":  {"abc", true},
		"BEARER abc def": {"abc def", true},
		"Bearerabc":      {"", false},
	} {
		if token, ok := Bearer(http.Header{"Authorization": {header}}); token != want.token || ok != want.ok {
			t.Errorf("%q: %q %v", header, token, ok)
		}
	}
}
