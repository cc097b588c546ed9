package webhook

import (
	"slices"
	"strings"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// CallMethods are those that a call of an automation may use.
var CallMethods = []string{"POST", "PUT", "PATCH", "GET", "DELETE"}

// CallPolicy is the policy of calls whose answer an automation waits for: the
// platform's schedule, with more of the answer kept.
const CallPolicy = "call"

// CheckCallMethod returns a fault of field unless m is one of CallMethods.
func CheckCallMethod(field, m string) error {
	if !slices.Contains(CallMethods, m) {
		return fault.Field(field, "%s must be one of %s", field, strings.Join(CallMethods, ", "))
	}
	return nil
}

const (
	maxHeaders = 30
	maxHeader  = 4 << 10 // bytes of a header's value
)

// CheckHeaders returns a fault of field unless every header may travel with a
// delivery: a token as its name, one line as its value, and none of those that
// belong to the transport or to us.
func CheckHeaders(field string, h map[string]string) error {
	if len(h) > maxHeaders {
		return fault.Field(field, "%s must not hold more than %d headers", field, maxHeaders)
	}
	for name, value := range h {
		low := strings.ToLower(name)
		token := name != "" && len(name) <= 100 && !strings.ContainsFunc(name, func(r rune) bool {
			return r <= ' ' || r >= 0x7f || strings.ContainsRune("()<>@,;:\\\"/[]?={}", r)
		})
		if !token {
			return fault.Field(field, "%s holds a name that cannot be a header: %q", field, name)
		}
		if slices.Contains([]string{"host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer", "keep-alive", SignatureHeader}, low) ||
			strings.HasPrefix(low, "proxy-") || strings.HasPrefix(low, "x-parley-") {
			return fault.Field(field, "%s must not hold %s, which is set by the server", field, name)
		}
		if len(value) > maxHeader || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return fault.Field(field, "the value of the header %s must be one line of at most %d bytes", name, maxHeader)
		}
	}
	return nil
}

// Delivered returns a delivery as it stands. NotFound.
func (s *Service) Delivered(r store.Reader, delivery id.ID) (Record, error) {
	list, err := records(r, "id=?", delivery)
	if err != nil {
		return Record{}, err
	}
	if len(list) == 0 {
		return Record{}, fault.Unknown("delivery")
	}
	return list[0], nil
}
