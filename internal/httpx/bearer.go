package httpx

import (
	"net/http"
	"strings"
)

// Bearer returns the token of an Authorization header of the scheme Bearer, in any
// case of its letters, and whether the header is of that scheme.
func Bearer(h http.Header) (token string, ok bool) {
	scheme, token, _ := strings.Cut(strings.TrimSpace(h.Get("Authorization")), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.TrimSpace(token), true
}
