package sales

import (
	"regexp"
	"strings"
	"time"

	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// isoMillis is how moments are written (reference §1.6).
const isoMillis = "2006-01-02T15:04:05.000Z"

// moment writes a time, nil for the zero one, so that its field is left out.
func moment(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format(isoMillis)
	return &s
}

// wellFormed is what the original calls an id: looser than ours, so that one of
// its ids is unknown here, not malformed (reference §1.6).
var wellFormed = regexp.MustCompile(`^[a-z0-9]{24}$`)

// parseID reads an id: a fault of field for what is none, NotFound of noun for one
// that cannot be ours.
func parseID(field, noun, s string) (id.ID, error) {
	if !wellFormed.MatchString(s) {
		return id.Zero, fault.Field(field, "Invalid %s: an id has 24 lower-case letters and digits", field).Because(reasonID)
	}
	if v, err := id.Parse(s); err == nil && !v.IsZero() {
		return v, nil
	}
	return id.Zero, fault.Unknown(noun)
}

// pathID is parseID for a parameter of the path.
func pathID(r *httpx.Request, name, noun string) (id.ID, error) {
	return parseID(name, noun, r.Param(name))
}

// queryID is parseID for an optional parameter of the query: the zero id when it
// is absent.
func queryID(r *httpx.Request, name, noun string) (id.ID, error) {
	s := r.QueryString(name)
	if s == "" {
		return id.Zero, nil
	}
	return parseID(name, noun, s)
}

// stray is the colon that the original's own examples put before the time.
var stray = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})T?:T?`)

// queryTime reads a moment under its name or a deprecated one, the new name
// first; the zero time when both are absent. "2020-09-30:T03:00:00.000Z" is read
// too (reference §1.6).
func queryTime(r *httpx.Request, names ...string) (time.Time, error) {
	for _, name := range names {
		s := r.QueryString(name)
		if s == "" {
			continue
		}
		t, err := parseMoment(name, s)
		if err != nil {
			return t, fault.As(err).Because(reasonRange)
		}
		return t, nil
	}
	return time.Time{}, nil
}

// parseMoment reads a moment as queryTime does; the zero time for "".
func parseMoment(field, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	s = strings.Replace(stray.ReplaceAllString(s, "${1}T"), " ", "+", 1)
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", time.DateOnly} {
		// A zone can carry a moment out of the four digits of a year.
		if t, err := time.Parse(layout, s); err == nil && t.UTC().Year() > 0 && t.UTC().Year() < 10_000 {
			return t.UTC().Truncate(time.Millisecond), nil
		}
	}
	return time.Time{}, fault.Field(field, "%s must be a date-time like 2020-09-30T03:00:00.000Z", field)
}

// queryBool reads an optional true or false.
func queryBool(r *httpx.Request, name string) (*bool, error) {
	if r.QueryString(name) == "" {
		return nil, nil
	}
	v, err := r.QueryBool(name, false)
	return &v, err
}
