package targeting

import (
	"encoding/json"
	"time"

	"parley/internal/fault"
	"parley/internal/filter"
	"parley/internal/httpx"
)

// entityBody is an entity as a client sends it.
type entityBody struct {
	// Whole is all of it, in canonical form.
	Whole map[string]any
	// Attributes are Whole without the system fields.
	Attributes map[string]any
	Tags       *[]string // nil when absent, empty for null
	Title      *string
	// Seen is _updated_at: what changed since is not overwritten (reference §5.2).
	Seen time.Time
	// Restore tells that _deleted_at is null: what was deleted comes back.
	Restore bool
}

// kept are the system fields that nobody writes. Whoever sends an entity back as it
// was read sends them too, so they are passed over.
var kept = []string{"_id", "_org", "_schema", "_owners", "_acl", "_created_at"}

// maxEntity bounds the bytes of a body: no entity is larger, however it is written.
const maxEntity = 1 << 20

// readObject reads a body that is an object, with its numbers as they are written.
// No body is none: an empty one would empty what it replaces.
func readObject(r *httpx.Request) (map[string]any, error) {
	if len(r.Body) > maxEntity {
		return nil, fault.New(fault.TooLarge, "an entity must not be larger than %d bytes of JSON", maxEntity)
	}
	var raw json.RawMessage
	if err := r.Decode(&raw); err != nil {
		return nil, err
	}
	if len(raw) == 0 {
		return nil, fault.New(fault.Invalid, "the body must be a JSON object").Because("json")
	}
	v, err := filter.Decode(raw)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fault.New(fault.Invalid, "the body must be a JSON object").Because("json")
	}
	return m, nil
}

// entityOf reads an entity; at is put before the names in faults.
func entityOf(doc map[string]any, at string) (b entityBody, err error) {
	b.Whole, b.Attributes = doc, make(map[string]any, len(doc))
	for name, v := range doc {
		b.Attributes[name] = v
	}
	take := func(name string) (any, bool) {
		v, ok := b.Attributes[name]
		delete(b.Attributes, name)
		return v, ok
	}
	for _, name := range kept {
		take(name)
	}
	if v, ok := take("_tags"); ok {
		if b.Tags, err = tagsOf(v, at+"_tags"); err != nil {
			return b, err
		}
	}
	if v, ok := take("_title"); ok && v != nil {
		s, isText := v.(string)
		if !isText {
			return b, fault.Field(at+"_title", "%s_title must be a text", at)
		}
		b.Title = &s
	}
	if v, ok := take("_updated_at"); ok && v != nil {
		s, _ := v.(string)
		if b.Seen, err = time.Parse(time.RFC3339Nano, s); err != nil || b.Seen.IsZero() {
			return b, fault.Field(at+"_updated_at", "%s_updated_at must be a moment such as 2026-01-31T12:00:00.000Z, as it was read", at)
		}
	}
	if v, ok := take("_deleted_at"); ok {
		if b.Restore = v == nil; !b.Restore {
			if _, isText := v.(string); !isText {
				return b, fault.Field(at+"_deleted_at", "%s_deleted_at is null, to take the entity back, or left out; DELETE puts it away", at)
			}
		}
	}
	return b, nil
}

// tagsOf reads _tags: a list of texts, or null for none.
func tagsOf(v any, at string) (*[]string, error) {
	out := []string{}
	list, ok := v.([]any)
	if v != nil && !ok {
		return nil, fault.Field(at, "%s must be a list of texts, or null", at)
	}
	for _, x := range list {
		s, ok := x.(string)
		if !ok {
			return nil, fault.Field(at, "%s must be a list of texts, or null", at)
		}
		out = append(out, s)
	}
	return &out, nil
}
