package targeting

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"parley/internal/entity"
	"parley/internal/fault"
	"parley/internal/filter"
	"parley/internal/httpx"
)

// searchBody is a search over entities (reference §5.2). What else clients send,
// such as hydrate, changes nothing.
type searchBody struct {
	Q      *string  `json:"q"`
	Filter []any    `json:"filter"`
	Sort   string   `json:"sort"`
	From   int      `json:"from"`
	Size   *int     `json:"size"`
	Fields []string `json:"fields"`
}

// foundEntities is the answer of both searches.
type foundEntities struct {
	Hits    int64        `json:"hits"`
	Results []entity.Doc `json:"results"`
}

// searchEntities finds entities by a Lucene query. Bare words search titles.
func (f *Face) searchEntities(ctx context.Context, r *httpx.Request, body searchBody) (*httpx.Response, error) {
	if body.Q == nil || strings.TrimSpace(*body.Q) == "" {
		return nil, fault.Field("q", "q is required; * finds every entity")
	}
	flt, text, err := filter.ParseLucene(*body.Q)
	if err != nil {
		return nil, err
	}
	return f.findEntities(ctx, r, body, entity.Query{Filter: flt, Text: text})
}

// listEntities finds entities by the search DSL.
func (f *Face) listEntities(ctx context.Context, r *httpx.Request, body searchBody) (*httpx.Response, error) {
	flt, err := filter.ParseSearch(body.Filter, "filter")
	if err != nil {
		return nil, err
	}
	return f.findEntities(ctx, r, body, entity.Query{Filter: flt})
}

func (f *Face) findEntities(ctx context.Context, r *httpx.Request, body searchBody, q entity.Query) (*httpx.Response, error) {
	var err error
	if q.Sort, q.Desc, err = sortOf(body.Sort); err != nil {
		return nil, err
	}
	q.From, q.Size = body.From, entity.DefaultSize
	if body.Size != nil {
		q.Size = *body.Size
	}
	found, err := f.s.Entities.Search(f.s.Entities.Reads(ctx, r.Principal.Tenant), q)
	if err != nil {
		return nil, err
	}
	keep := fieldsOf(body.Fields)
	for i, d := range found.Docs {
		found.Docs[i] = keep(d)
	}
	return httpx.JSON(http.StatusOK, foundEntities{found.Hits, found.Docs}), nil
}

// sortOf reads "field:asc" or "field:desc"; asc when it says nothing. There is no
// score, so sorting by _score is the order of a search that names none.
func sortOf(s string) (field string, desc bool, err error) {
	field, way, _ := strings.Cut(strings.TrimSpace(s), ":")
	field = strings.TrimSuffix(strings.TrimSpace(field), ".keyword")
	if field == "_score" {
		return "", false, nil
	}
	switch strings.ToLower(strings.TrimSpace(way)) {
	case "", "asc":
	case "desc":
		desc = true
	default:
		return "", false, fault.Field("sort", "sort must be a field and asc or desc, such as _created_at:desc")
	}
	if field == "" && s != "" || strings.Contains(field, ",") || len(field) > filter.MaxField {
		return "", false, fault.Field("sort", "sort must be one field and asc or desc, such as _created_at:desc")
	}
	return field, desc, nil
}

// fieldsOf reads which fields an answer shows: those named, or without those named
// with an exclamation mark in front. The id and the schema are always shown.
func fieldsOf(names []string) func(entity.Doc) entity.Doc {
	var show, hide []string
	for _, n := range names {
		if rest, ok := strings.CutPrefix(n, "!"); ok {
			hide = append(hide, rest)
		} else {
			show = append(show, n)
		}
	}
	if len(names) == 0 {
		return func(d entity.Doc) entity.Doc { return d }
	}
	return func(d entity.Doc) entity.Doc {
		out := maps.Clone(d)
		maps.DeleteFunc(out, func(name string, _ any) bool {
			if name == "_id" || name == "_schema" {
				return false
			}
			return slices.Contains(hide, name) || len(show) > 0 && !slices.ContainsFunc(show, func(s string) bool {
				return s == name || strings.HasPrefix(s, name+".") // a field within is shown with what it is in
			})
		})
		return out
	}
}
