package sales

import (
	"bytes"

	"parley/internal/fault"
	"parley/internal/httpx"
)

// listBody reads a body that is a list. An absent body and null are refused: they
// would replace what is there by nothing, which only [] asks for.
func listBody[T any](r *httpx.Request) ([]T, error) {
	var out []T
	if err := r.Decode(&out); err != nil {
		return nil, err
	}
	if out == nil {
		return nil, fault.New(fault.Invalid, "the body must be a list; send [] for an empty one")
	}
	return out, nil
}

// isList reports whether a body begins as a list.
func isList(body []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(body), []byte("[")) }
