package targeting

import (
	"fmt"

	"parley/internal/entity"
	"parley/internal/fault"
	"parley/internal/id"
)

// Bodies that refuse further properties (reference §1.5) are read by hand: only
// then is a property that is there told from one that is not.

// maxRefs is how many entities one match may name.
const maxRefs = 1000

// only refuses properties that a body does not have.
func only(doc map[string]any, names ...string) error {
	left := len(doc)
	for _, n := range names {
		if _, ok := doc[n]; ok {
			left--
		}
	}
	if left == 0 {
		return nil
	}
	extra := ""
	for k := range doc {
		known := false
		for _, n := range names {
			known = known || n == k
		}
		if !known && (extra == "" || k < extra) {
			extra = k
		}
	}
	return fault.Field(extra, "there is no property %q here; take it out", clip(extra))
}

// clip shortens what a client wrote for a message.
func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "..."
	}
	return s
}

// listOf reads a list that must be there.
func listOf(doc map[string]any, name string) ([]any, error) {
	v, ok := doc[name]
	if !ok || v == nil {
		return nil, fault.Missing(name)
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fault.Field(name, "%s must be a list", name)
	}
	return list, nil
}

// entityRefs reads entity_refs: {entity_id, entity_schema} and nothing else. Ids
// that Parley never made are left out: nobody has them.
func entityRefs(doc map[string]any) ([]entity.Ref, error) {
	list, err := listOf(doc, "entity_refs")
	if err != nil {
		return nil, err
	}
	if len(list) > maxRefs {
		return nil, fault.Field("entity_refs", "entity_refs must not hold more than %d entities", maxRefs)
	}
	out := make([]entity.Ref, 0, len(list))
	for i, x := range list {
		at := fmt.Sprintf("entity_refs[%d]", i)
		m, ok := x.(map[string]any)
		if !ok {
			return nil, fault.Field(at, "%s must be an object with entity_id and entity_schema", at)
		}
		if err := only(m, "entity_id", "entity_schema"); err != nil {
			f := fault.As(err)
			return nil, fault.Field(at+"."+f.Field, "%s: %s", at, f.Message)
		}
		ref, known, err := entityRef(m, at+".")
		if err != nil {
			return nil, err
		}
		if known {
			out = append(out, ref)
		}
	}
	return out, nil
}

// entityRef reads entity_id and entity_schema, which both must be there; known is
// false for an id that Parley never made.
func entityRef(m map[string]any, at string) (ref entity.Ref, known bool, err error) {
	for _, name := range []string{"entity_id", "entity_schema"} {
		if m[name] == nil {
			return ref, false, fault.Missing(at + name)
		}
	}
	text, _ := m["entity_id"].(string)
	v, known, err := id.FromUUID(text)
	if err != nil {
		return ref, false, fault.Field(at+"entity_id", "%sentity_id must be a UUID", at)
	}
	schema, ok := m["entity_schema"].(string)
	if !ok {
		return ref, false, fault.Field(at+"entity_schema", "%sentity_schema must be a text", at)
	}
	return entity.Ref{Schema: schema, ID: v}, known && !v.IsZero(), nil
}

// uniqueIDs reads a list of 1 to most different UUIDs, as they were written, and
// those of them that Parley made.
func uniqueIDs(doc map[string]any, name string, most int) (texts []string, ids map[string]id.ID, err error) {
	list, err := listOf(doc, name)
	if err != nil {
		return nil, nil, err
	}
	if len(list) == 0 || len(list) > most {
		return nil, nil, fault.Field(name, "%s must hold 1 to %d ids", name, most)
	}
	ids = map[string]id.ID{}
	written, seen := make(map[string]bool, len(list)), make(map[id.ID]bool, len(list))
	for i, x := range list {
		at := fmt.Sprintf("%s[%d]", name, i)
		text, _ := x.(string)
		v, ok, err := id.FromUUID(text)
		if err != nil {
			return nil, nil, fault.Field(at, "%s must be a UUID", at)
		}
		if written[text] || ok && seen[v] {
			return nil, nil, fault.Field(at, "%s repeats an id; name each once", at)
		}
		written[text] = true
		texts = append(texts, text)
		if ok && !v.IsZero() {
			ids[text], seen[v] = v, true
		}
	}
	return texts, ids, nil
}
