package platform

import (
	"encoding/json"
	"time"

	"parley/internal/id"
)

// stamp is a time on the wire: ISO 8601, UTC, milliseconds; null when zero.
type stamp time.Time

// isoMillis is the layout of every time the face writes (reference §3).
const isoMillis = "2006-01-02T15:04:05.000Z"

func (s stamp) MarshalJSON() ([]byte, error) {
	t := time.Time(s)
	if t.IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + t.UTC().Format(isoMillis) + `"`), nil
}

// ref is an id on the wire; null when zero.
type ref id.ID

func (r ref) MarshalJSON() ([]byte, error) { return orNull(id.ID(r).String()).MarshalJSON() }

// orNull is text that is null when empty.
type orNull string

func (s orNull) MarshalJSON() ([]byte, error) {
	if s == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(s))
}

// record is what every record carries (reference §3).
type record struct {
	OID        id.ID  `json:"_id"`
	ID         id.ID  `json:"id"`
	ClientCode string `json:"clientCode"`
	CreatedAt  stamp  `json:"createdAt"`
	UpdatedAt  stamp  `json:"updatedAt"`
}

func recordOf(code string, v id.ID, created, updated time.Time) record {
	if updated.IsZero() {
		updated = created
	}
	return record{v, v, code, stamp(created), stamp(updated)}
}

// explicitNulls names the top-level fields of an object that are null: for a
// patch, null clears and absence does not.
func explicitNulls(body []byte) map[string]bool {
	var m map[string]json.RawMessage
	if json.Unmarshal(body, &m) != nil {
		return nil
	}
	out := map[string]bool{}
	for k, v := range m {
		if string(v) == "null" {
			out[k] = true
		}
	}
	return out
}

// first returns the first given spelling of a field.
func first[T any](spellings ...*T) *T {
	for _, s := range spellings {
		if s != nil {
			return s
		}
	}
	return nil
}

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
