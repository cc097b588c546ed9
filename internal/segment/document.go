package segment

import (
	"slices"
	"time"

	"parley/internal/entity"
	"parley/internal/id"
	"parley/internal/store"
)

// Schema is the schema of segments as entities.
const Schema = "target"

// Documents returns segments as entities. It makes the room a Source of package
// entity.
func (s *Service) Documents(r store.Reader, ids []id.ID) (map[id.ID]entity.Doc, error) {
	known, err := s.GetMany(r, ids)
	out := make(map[id.ID]entity.Doc, len(known))
	for v, seg := range known {
		out[v] = Document(r.Tenant(), seg)
	}
	return out, err
}

// All returns segments as entities, by id.
func (s *Service) All(r store.Reader, limit int) ([]entity.Doc, error) {
	found, err := list(r, id.Zero, limit)
	out := make([]entity.Doc, len(found))
	for i, seg := range found {
		out[i] = Document(r.Tenant(), seg)
	}
	return out, err
}

// Document is a segment as the targeting API shows it (reference §3.1, §3.3):
// what stands in Extra under a name of the contract is not shown.
func Document(tenant id.ID, v Segment) entity.Doc {
	doc := entity.Doc{}
	for k, x := range v.Extra {
		doc[k] = x
	}
	owner := map[string]any{"org_id": tenant.UUID()}
	if v.CreatedBy != "" {
		owner["user_id"] = v.CreatedBy
	}
	system := entity.Doc{
		"_id": v.ID.UUID(), "id": v.ID.UUID(), "_org": tenant.UUID(), "_schema": Schema, "_title": v.Name, "_tags": nil,
		"_owners": []any{owner}, "_acl": map[string]any{"view": []any{}, "edit": []any{}, "delete": []any{}},
		"_created_at": stamp(v.CreatedAt), "_updated_at": stamp(v.UpdatedAt), "name": v.Name,
	}
	for k, x := range system {
		doc[k] = x
	}
	if v.Tags != nil {
		list := make([]any, len(v.Tags))
		for i, t := range v.Tags {
			list[i] = t
		}
		doc["_tags"] = list
	}
	for k, text := range map[string]string{"description": v.Description, "entity_schema": v.Schema} {
		if delete(doc, k); text != "" {
			doc[k] = text
		}
	}
	if delete(doc, "entity_filters"); v.Filters != nil {
		doc["entity_filters"] = v.Filters
	}
	return doc
}

// fixed are the names of a document that Extra cannot have.
var fixed = []string{"id", "name", "description", "entity_schema", "entity_filters", "_id", "_org", "_schema", "_title", "_tags", "_owners", "_acl",
	"_created_at", "_updated_at", "_deleted_at"}

// Fixed reports whether an attribute's name has a meaning of its own, so that it is
// not kept in Extra.
func Fixed(name string) bool { return slices.Contains(fixed, name) }

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
