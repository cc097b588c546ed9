package httpx

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"parley/internal/fault"
)

// maxToken is the length of an idempotency key, in bytes.
const maxToken = 255

// claim returns what the request's idempotency key protects, or nil when it has
// none, the feature is off, or there is no caller to keep keys apart for.
func (x *exchange) claim() (*Claim, error) {
	if x.s.opts.Idempotency == nil || x.r.Principal.Tenant.IsZero() {
		return nil, nil
	}
	switch x.hr.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return nil, nil
	}
	token, header := "", ""
	for _, header = range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if token = strings.TrimSpace(x.hr.Header.Get(header)); token != "" {
			break
		}
	}
	if token == "" {
		header = x.tokenField()
		token = bodyToken(x.r.Body, header)
	}
	if token == "" {
		return nil, nil
	}
	if len(token) > maxToken {
		return nil, fault.Field(header, "%s must not be longer than %d bytes", header, maxToken)
	}
	for i := 0; i < len(token); i++ {
		if token[i] < ' ' || token[i] > '~' {
			return nil, fault.Field(header, "%s must be printable ASCII", header)
		}
	}
	p := x.r.Principal
	return &Claim{
		Tenant: p.Tenant, Key: p.Key, Method: x.hr.Method, Path: x.r.Path, Token: token,
		BodyHash: bodyHash(without(x.hr.URL.RawQuery, x.room.SecretQuery), x.r.Body), NoTx: x.route.NoTx, Secret: x.route.Secret, Render: x.render,
	}, nil
}

// tokenField names the body field that may carry the key, or "".
func (x *exchange) tokenField() string {
	switch f := x.route.IdempotencyField; f {
	case "":
		return x.room.IdempotencyField
	case "-":
		return ""
	default:
		return f
	}
}

// bodyToken reads the key from a top-level string field of the body.
func bodyToken(body []byte, field string) string {
	if field == "" || !bytes.Contains(body, []byte(field)) {
		return ""
	}
	var m map[string]json.RawMessage
	var token string
	if json.Unmarshal(body, &m) != nil || json.Unmarshal(m[field], &token) != nil {
		return "" // the handler's Decode says what is wrong
	}
	return strings.TrimSpace(token)
}

// without takes parameters out of a query, however their names are written.
func without(query string, names []string) string {
	if query == "" || len(names) == 0 {
		return query
	}
	var kept []string
	for part := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(part, "=")
		if plain, err := url.QueryUnescape(name); err == nil && slices.Contains(names, plain) {
			continue
		}
		kept = append(kept, part)
	}
	return strings.Join(kept, "&")
}

// bodyHash covers the query as well, because two calls that differ there are
// not the same call. White space of JSON does not matter.
func bodyHash(query string, body []byte) [32]byte {
	var compact bytes.Buffer
	if json.Compact(&compact, body) == nil {
		body = compact.Bytes()
	}
	h := sha256.New()
	h.Write([]byte(query))
	h.Write([]byte{'\n'})
	h.Write(body)
	return [32]byte(h.Sum(nil))
}

// render gives the response that the face would write for an error.
func (x *exchange) render(err error) *Response {
	err = settle(err)
	m := &memory{header: http.Header{}}
	retryHeader(m.header, err)
	x.room.WriteError(m, x.r, err)
	if m.status == 0 {
		m.status = http.StatusInternalServerError
	}
	m.header.Del("Content-Length")
	return &Response{Status: m.status, Header: m.header, Body: m.body}
}
