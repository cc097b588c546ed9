package httpx

import (
	"net/http"

	"parley/internal/fault"
)

// plainStatus is what a fault means in HTTP where no contract says otherwise.
var plainStatus = map[fault.Code]int{
	fault.Invalid: 400, fault.Unauthorized: 401, fault.Quota: 402, fault.Forbidden: 403, fault.NotFound: 404, fault.Conflict: 409,
	fault.TooLarge: 413, fault.WindowClosed: 422, fault.Unready: 422, fault.RateLimited: 429, fault.Unavailable: 503,
}

// Status is the plain HTTP status of a fault, for faces without a contract of
// their own; nil, an error of ours, is 500.
func Status(f *fault.Error) int {
	switch {
	case f == nil:
		return http.StatusInternalServerError
	case f.Reason == "method":
		return http.StatusMethodNotAllowed
	}
	if s, ok := plainStatus[f.Code]; ok {
		return s
	}
	return http.StatusInternalServerError
}
