package targeting

import (
	"bytes"
	"context"
	"time"

	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// isoMillis is how moments are written (reference §3.1, date-time).
const isoMillis = "2006-01-02T15:04:05.000Z"

// moment writes a time, nil for the zero one, so that its field is left out.
func moment(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format(isoMillis)
	return &s
}

// parseUUID reads an id of the contract: a fault of field for what is no UUID,
// NotFound of noun for one that Parley never made.
func parseUUID(field, noun, s string) (id.ID, error) {
	v, ok, err := id.FromUUID(s)
	if err != nil {
		return id.Zero, fault.Field(field, "%s must be a UUID", field)
	}
	if !ok || v.IsZero() {
		return id.Zero, fault.Unknown(noun)
	}
	return v, nil
}

// pathUUID is parseUUID for a parameter of the path.
func pathUUID(r *httpx.Request, name, noun string) (id.ID, error) {
	return parseUUID(name, noun, r.Param(name))
}

// parseAnyID reads an id of a companion API, whose ids are plain strings: a UUID or
// the 24 digits of the other APIs. What is neither is unknown.
func parseAnyID(noun, s string) (id.ID, error) {
	if v, ok, err := id.FromUUID(s); err == nil && ok && !v.IsZero() {
		return v, nil
	}
	if v, err := id.Parse(s); err == nil && !v.IsZero() {
		return v, nil
	}
	return id.Zero, fault.Unknown(noun)
}

// org is the organisation's id as this API writes it.
func org(r *httpx.Request) string { return r.Principal.Tenant.UUID() }

// handle is a handler of a body that must be there: it is read strictly before the
// handler is called.
func handle[B any](h func(ctx context.Context, r *httpx.Request, body B) (*httpx.Response, error)) httpx.Handler {
	return func(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
		if body := bytes.TrimSpace(r.Body); len(body) == 0 || string(body) == "null" {
			return nil, fault.New(fault.Invalid, "the body must be a JSON object").Because("json")
		}
		return maybe(h)(ctx, r)
	}
}

// maybe is handle for a body that may be absent.
func maybe[B any](h func(ctx context.Context, r *httpx.Request, body B) (*httpx.Response, error)) httpx.Handler {
	return func(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
		var body B
		if err := r.Decode(&body); err != nil {
			return nil, err
		}
		return h(ctx, r, body)
	}
}
