package targeting

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"parley/internal/campaign"
	"parley/internal/entity"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/record"
	"parley/internal/segment"
)

// createEntity makes an entity (reference §5.2): 201.
func (f *Face) createEntity(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	k, b, err := f.entityBody(r)
	if err != nil {
		return nil, err
	}
	v, err := k.create(ctx, r, b)
	if err != nil {
		return nil, err
	}
	return f.entityAnswer(ctx, r, http.StatusCreated, v)
}

func (f *Face) entityBody(r *httpx.Request) (entityKind, entityBody, error) {
	k, err := f.kindOf(r.Param("slug"))
	if err != nil {
		return nil, entityBody{}, err
	}
	doc, err := readObject(r)
	if err != nil {
		return nil, entityBody{}, err
	}
	b, err := entityOf(doc, "")
	return k, b, err
}

// noEntity words what the room of a kind does not know as the paths of entities do.
func noEntity(err error) error {
	if w := fault.As(err); w != nil && w.Code == fault.NotFound && (w.Reason == campaign.Schema || w.Reason == segment.Noun) {
		return fault.Unknown("entity")
	}
	return err
}

// entityID reads the id in the path.
func entityID(r *httpx.Request) (id.ID, error) { return pathUUID(r, "id", "entity") }

// patchEntity merges into an entity; putEntity replaces what it holds.
func (f *Face) patchEntity(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	return f.changeEntity(ctx, r, entityKind.patch)
}

func (f *Face) putEntity(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	return f.changeEntity(ctx, r, entityKind.put)
}

func (f *Face) changeEntity(ctx context.Context, r *httpx.Request, do func(entityKind, context.Context, *httpx.Request, id.ID, entityBody) error) (*httpx.Response, error) {
	k, b, err := f.entityBody(r)
	if err != nil {
		return nil, err
	}
	v, err := entityID(r)
	if err != nil {
		return nil, err
	}
	if err := do(k, ctx, r, v, b); err != nil {
		return nil, noEntity(err)
	}
	return f.entityAnswer(ctx, r, http.StatusOK, v)
}

// removeEntity puts an entity away, or with purge=true takes it away for good. It
// answers which one: what it held is not repeated.
func (f *Face) removeEntity(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	k, err := f.kindOf(r.Param("slug"))
	if err != nil {
		return nil, err
	}
	v, err := entityID(r)
	if err != nil {
		return nil, err
	}
	purge, err := r.QueryBool("purge", false)
	if err != nil {
		return nil, err
	}
	if err := k.remove(ctx, r, v, purge); err != nil {
		return nil, noEntity(err)
	}
	return httpx.JSON(http.StatusOK, map[string]any{"_id": v.UUID(), "_org": org(r), "_schema": r.Param("slug"), "_deleted_at": moment(f.s.Clock.Now())}), nil
}

// upsertEntity finds an entity by unique_key and merges into it, or makes it
// (reference §5.2): 200 or 201, 409 when several are found.
func (f *Face) upsertEntity(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	slug := r.Param("slug")
	k, err := f.kindOf(slug)
	if err != nil {
		return nil, err
	}
	doc, err := readObject(r)
	if err != nil {
		return nil, err
	}
	unique, err := uniqueOf(doc["unique_key"])
	if err != nil {
		return nil, err
	}
	whole, ok := doc["entity"].(map[string]any)
	if !ok {
		if doc["entity"] == nil {
			return nil, fault.Missing("entity")
		}
		return nil, fault.Field("entity", "entity must be an object")
	}
	b, err := entityOf(whole, "entity.")
	if err != nil {
		return nil, err
	}
	if slices.Equal(unique, []string{"_id"}) {
		s, _ := whole["_id"].(string)
		v, err := parseUUID("entity._id", "entity", s)
		if err == nil {
			err = noEntity(k.patch(ctx, r, v, b))
		}
		if err != nil {
			return nil, err
		}
		return f.entityAnswer(ctx, r, http.StatusOK, v)
	}
	u, ok := k.(upserter)
	if !ok {
		return nil, noUpsert(slug)
	}
	v, fresh, err := u.upsert(ctx, r, unique, b)
	if err != nil {
		return nil, err
	}
	status := http.StatusOK
	if fresh {
		status = http.StatusCreated
	}
	return f.entityAnswer(ctx, r, status, v)
}

func uniqueOf(v any) ([]string, error) {
	if v == nil {
		return nil, fault.Missing("unique_key")
	}
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return nil, fault.Field("unique_key", "unique_key must be a list of names of attributes")
	}
	out := make([]string, len(list))
	for i, x := range list {
		if out[i], ok = x.(string); !ok || out[i] == "" {
			return nil, fault.Field("unique_key", "unique_key must be a list of names of attributes")
		}
	}
	return out, nil
}

// entityDoc reads an entity. NotFound.
func (f *Face) entityDoc(ctx context.Context, r *httpx.Request, slug string, v id.ID) (entity.Doc, error) {
	docs, err := f.s.Entities.Documents(f.s.Entities.Reads(ctx, r.Principal.Tenant), slug, []id.ID{v})
	if err != nil {
		return nil, err
	}
	doc, ok := docs[v]
	if !ok {
		return nil, fault.Unknown("entity")
	}
	return doc, nil
}

func (f *Face) entityAnswer(ctx context.Context, r *httpx.Request, status int, v id.ID) (*httpx.Response, error) {
	doc, err := f.entityDoc(ctx, r, r.Param("slug"), v)
	if err != nil {
		return nil, err
	}
	return httpx.JSON(status, doc), nil
}

// entityAnd is an entity with those that it refers to.
type entityAnd struct {
	Entity    entity.Doc   `json:"entity"`
	Relations []entity.Doc `json:"relations"`
}

// getEntity reads an entity with those that its $relation attributes lead to.
func (f *Face) getEntity(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	slug := r.Param("slug")
	if err := record.CheckSchema(slug); err != nil {
		return nil, err
	}
	v, err := entityID(r)
	if err != nil {
		return nil, err
	}
	doc, err := f.entityDoc(ctx, r, slug, v)
	if err != nil {
		return nil, err
	}
	relations, err := f.relations(ctx, r, doc)
	if err != nil {
		return nil, err
	}
	return httpx.JSON(http.StatusOK, entityAnd{doc, relations}), nil
}

// maxRelations bounds the entities that an answer carries along.
const maxRelations = 100

// relations reads the entities that an entity refers to, each once and at most
// maxRelations, in the order of its attributes. What leads to nobody is left out.
func (f *Face) relations(ctx context.Context, r *httpx.Request, doc entity.Doc) ([]entity.Doc, error) {
	var open []id.ID
	for _, rel := range record.Relations(doc) {
		if len(open) < maxRelations && !slices.Contains(open, rel.Entity) {
			open = append(open, rel.Entity)
		}
	}
	out := []entity.Doc{}
	if len(open) == 0 {
		return out, nil
	}
	reads := f.s.Entities.Reads(ctx, r.Principal.Tenant)
	schemas, err := f.s.Records.Schemas(reads, open)
	if err != nil {
		return nil, err
	}
	by := map[string][]id.ID{}
	for _, v := range open {
		if slug, ok := schemas[v]; ok {
			by[slug] = append(by[slug], v)
			continue
		}
		for _, slug := range []string{entity.Contact, "campaign", "target"} { // an id tells no schema
			by[slug] = append(by[slug], v)
		}
	}
	found := make(map[id.ID]entity.Doc, len(open))
	for slug, ids := range by {
		docs, err := f.s.Entities.Documents(reads, slug, ids)
		if err != nil && !errors.Is(err, fault.Of(fault.NotFound)) {
			return nil, err
		}
		for v, d := range docs {
			found[v] = d
		}
	}
	seen := map[any]bool{}
	for _, v := range open {
		if d, ok := found[v]; ok && !seen[d["_id"]] { // two ids may lead to one contact
			seen[d["_id"]] = true
			out = append(out, d)
		}
	}
	return out, nil
}
