package targeting

import (
	"context"
	"net/http"
	"slices"

	"parley/internal/entity"
	"parley/internal/fault"
	"parley/internal/filter"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/segment"
)

// wireTarget is a target as this API shows it (reference §3.1, §3.3).
func wireTarget(r *httpx.Request, v segment.Segment) entity.Doc {
	return segment.Document(r.Principal.Tenant, v)
}

// targetBody is a target as a client sends it. A property that is absent leaves
// what is there, null empties it.
type targetBody struct {
	segment.Change
}

// targetOf reads a target: the system fields that nobody writes are passed over,
// and what the contract does not name is kept as it is.
func targetOf(b entityBody) (t targetBody, err error) {
	t.Tags, t.Extra = b.Tags, map[string]any{}
	for name, v := range b.Attributes {
		if to := t.text(name); to != nil {
			s, ok := v.(string)
			if !ok && v != nil {
				return t, fault.Field(name, "%s must be a text", name)
			}
			*to = &s
			continue
		}
		switch name {
		case "entity_filters":
			m, ok := v.(map[string]any)
			if !ok && v != nil {
				return t, fault.Field(name, "entity_filters must be an object with filter")
			}
			t.Filters = &m
		default:
			if !segment.Fixed(name) {
				t.Extra[name] = v
			}
		}
	}
	return t, nil
}

// text returns where a property that is a text goes.
func (t *targetBody) text(name string) **string {
	switch name {
	case "name":
		return &t.Name
	case "description":
		return &t.Description
	case "entity_schema":
		return &t.Schema
	}
	return nil
}

// whole is a target made of the body alone.
func (t targetBody) whole(r *httpx.Request) segment.New {
	n := segment.New{Extra: map[string]any{}, CreatedBy: creatorOf(r)}
	for _, p := range []struct {
		to   *string
		from *string
	}{{&n.Name, t.Name}, {&n.Description, t.Description}, {&n.Schema, t.Schema}} {
		if p.from != nil {
			*p.to = *p.from
		}
	}
	if t.Filters != nil {
		n.Filters = *t.Filters
	}
	if t.Tags != nil {
		n.Tags = *t.Tags
	}
	for k, v := range t.Extra {
		if v != nil {
			n.Extra[k] = v
		}
	}
	return n
}

// creatorOf is who owns what a request makes: the user of the token, or the key.
func creatorOf(r *httpx.Request) string {
	if !r.Principal.User.IsZero() {
		return r.Principal.User.UUID()
	}
	return r.Principal.Key.UUID()
}

func readTarget(r *httpx.Request) (targetBody, error) {
	doc, err := readObject(r)
	if err != nil {
		return targetBody{}, err
	}
	delete(doc, "_updated_at") // the Target API overwrites (reference §5.1)
	delete(doc, "_deleted_at")
	b, err := entityOf(doc, "")
	if err != nil {
		return targetBody{}, err
	}
	return targetOf(b)
}

// createTarget makes a target (reference §5.1): 201.
func (f *Face) createTarget(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	b, err := readTarget(r)
	if err != nil {
		return nil, err
	}
	v, err := f.s.Segments.Create(ctx, r.Principal.Tenant, actor(r), b.whole(r))
	if err != nil {
		return nil, err
	}
	return httpx.JSON(http.StatusCreated, wireTarget(r, v)), nil
}

func targetID(r *httpx.Request) (id.ID, error) { return pathUUID(r, "targetId", segment.Noun) }

// showTarget reads a target. hydrate finds nothing to fill in: a target refers to
// no entity. strict puts what the contract does not name into __additional.
func (f *Face) showTarget(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	strict, err := r.QueryBool("strict", false)
	if err != nil {
		return nil, err
	}
	if _, err := r.QueryBool("hydrate", false); err != nil {
		return nil, err
	}
	tid, err := targetID(r)
	if err != nil {
		return nil, err
	}
	v, err := f.s.Segments.Get(f.s.Entities.Reads(ctx, r.Principal.Tenant), tid)
	if err != nil {
		return nil, err
	}
	doc := wireTarget(r, v)
	if strict {
		doc = strictly(doc)
	}
	return httpx.JSON(http.StatusOK, doc), nil
}

// strictly moves what the contract does not name into __additional.
func strictly(doc entity.Doc) entity.Doc {
	out, more := entity.Doc{}, map[string]any{}
	if m, ok := doc["__additional"].(map[string]any); ok {
		for k, v := range m {
			more[k] = v
		}
	}
	for k, v := range doc {
		switch {
		case k == "__additional":
		case segment.Fixed(k) || slices.Contains([]string{"_purpose", "_files", "_manifest"}, k):
			out[k] = v
		default:
			more[k] = v
		}
	}
	if len(more) > 0 {
		out["__additional"] = more
	}
	return out
}

func (f *Face) patchTarget(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	tid, err := targetID(r)
	if err != nil {
		return nil, err
	}
	b, err := readTarget(r)
	if err != nil {
		return nil, err
	}
	v, err := f.s.Segments.Update(ctx, r.Principal.Tenant, actor(r), tid, b.Change)
	if err != nil {
		return nil, err
	}
	return httpx.JSON(http.StatusOK, wireTarget(r, v)), nil
}

func (f *Face) putTarget(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	tid, err := targetID(r)
	if err != nil {
		return nil, err
	}
	b, err := readTarget(r)
	if err != nil {
		return nil, err
	}
	v, err := f.s.Segments.Replace(ctx, r.Principal.Tenant, actor(r), tid, b.whole(r))
	if err != nil {
		return nil, err
	}
	return httpx.JSON(http.StatusOK, wireTarget(r, v)), nil
}

func (f *Face) deleteTarget(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	tid, err := targetID(r)
	if err != nil {
		return nil, err
	}
	v, err := f.s.Segments.Delete(ctx, r.Principal.Tenant, actor(r), tid)
	if err != nil {
		return nil, err
	}
	return httpx.JSON(http.StatusOK, wireTarget(r, v)), nil
}

// matched is an element of a match's results.
type matchedTarget struct {
	Target entity.Doc `json:"target"`
}

type matchedTargets struct {
	Hits    int             `json:"hits"`
	Results []matchedTarget `json:"results"`
}

// matchTargets tells which of some targets contain any of some entities now
// (reference §4.7).
func (f *Face) matchTargets(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	doc, err := readObject(r)
	if err != nil {
		return nil, err
	}
	if err := only(doc, "entity_refs", "target_ids"); err != nil {
		return nil, err
	}
	refs, err := entityRefs(doc)
	if err != nil {
		return nil, err
	}
	texts, known, err := uniqueIDs(doc, "target_ids", 100)
	if err != nil {
		return nil, err
	}
	list, err := f.s.Segments.Match(f.s.Entities.Reads(ctx, r.Principal.Tenant), refs, inOrder(texts, known))
	if err != nil {
		return nil, err
	}
	out := matchedTargets{Hits: len(list), Results: make([]matchedTarget, len(list))}
	for i, v := range list {
		out.Results[i].Target = wireTarget(r, v)
	}
	return httpx.JSON(http.StatusOK, out), nil
}

func inOrder(texts []string, known map[string]id.ID) []id.ID {
	var out []id.ID
	for _, t := range texts {
		if v, ok := known[t]; ok {
			out = append(out, v)
		}
	}
	return out
}

// maxQueries is how many targets one call turns into queries.
const maxQueries = 1000

type targetQuery struct {
	Target string  `json:"target_id"`
	Query  *string `json:"query"`
	Error  *string `json:"error,omitempty"`
}

// targetQueries writes targets as query strings of entity:search (reference §2.2).
// What has none says why in its item.
func (f *Face) targetQueries(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	doc, err := readObject(r)
	if err != nil {
		return nil, err
	}
	if err := only(doc, "target_ids"); err != nil {
		return nil, err
	}
	texts, known, err := uniqueIDs(doc, "target_ids", maxQueries)
	if err != nil {
		return nil, err
	}
	found, err := f.s.Segments.GetMany(f.s.Entities.Reads(ctx, r.Principal.Tenant), inOrder(texts, known))
	if err != nil {
		return nil, err
	}
	out := make([]targetQuery, len(texts))
	for i, t := range texts {
		out[i].Target = t
		v, ok := found[known[t]]
		query, err := "", error(fault.New(fault.NotFound, "there is no such target"))
		if ok {
			query, err = queryOf(v)
		}
		if f := fault.As(err); f != nil {
			out[i].Error = &f.Message
		} else if err != nil {
			return nil, err
		} else {
			out[i].Query = &query
		}
	}
	return httpx.JSON(http.StatusOK, map[string]any{"results": out}), nil
}

// queryOf is a target as a query string: its schema and its filters.
func queryOf(v segment.Segment) (string, error) {
	switch {
	case v.Empty:
		return "", fault.New(fault.Invalid, "the target has no filters")
	case v.Schema == "":
		return "", fault.New(fault.Invalid, "the target has no entity_schema")
	}
	return filter.Lucene(filter.Filter{Op: filter.And, Of: []filter.Filter{{Op: filter.Equal, Field: "_schema", Value: v.Schema}, v.Filter}})
}
