// Package contract holds the published descriptions of the faces (api/*.yaml)
// against what the faces really say. Spec reads a description; Transport checks
// every exchange of a test's HTTP client against it. End-to-end tests of the
// faces import it; nothing else does.
package contract

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
)

// Spec is one description with its aliases spelled out.
type Spec struct {
	doc        *openapi3.T
	operations []operation
}

// operation is one method of one path or alias.
type operation struct {
	method   string
	segments []string // of the path or alias
	route    routers.Route
	scope    string
	public   bool
	first    bool // the first spelling of its operation
}

// bases lists what the servers of a path put before it: "" where a description
// has paths from the root, two bases where a face is there under both.
func bases(doc *openapi3.T, item *openapi3.PathItem) []string {
	servers := doc.Servers
	if len(item.Servers) > 0 {
		servers = item.Servers
	}
	var out []string
	for _, s := range servers {
		out = append(out, strings.TrimSuffix(s.URL, "/"))
	}
	return out
}

// Load reads api/<name>.yaml of this repository and checks that it is valid
// OpenAPI.
func Load(name string) (*Spec, error) {
	_, here, _, _ := runtime.Caller(0)
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromFile(filepath.Join(filepath.Dir(here), "..", "..", "api", name+".yaml"))
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	s := &Spec{doc: doc}
	for _, path := range slices.Sorted(maps.Keys(doc.Paths.Map())) {
		item := doc.Paths.Value(path)
		paths, err := aliases(item)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		for method, op := range item.Operations() {
			if op.OperationID == "" || op.Summary == "" {
				return nil, fmt.Errorf("%s %s needs an operationId and a summary", method, path)
			}
			scope, _ := op.Extensions["x-scope"].(string)
			public := op.Security != nil && len(*op.Security) == 0
			if public == (scope != "") {
				return nil, fmt.Errorf("%s %s needs either an x-scope or an empty security", method, path)
			}
			for _, base := range bases(doc, item) {
				for i, p := range append([]string{path}, paths...) {
					s.operations = append(s.operations, operation{method, strings.Split(base+p, "/"),
						routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: op}, scope, public, i == 0 && base == bases(doc, item)[0]})
				}
			}
		}
	}
	return s, nil
}

func aliases(item *openapi3.PathItem) ([]string, error) {
	raw, ok := item.Extensions["x-aliases"]
	if !ok {
		return nil, nil
	}
	list, ok := raw.([]any)
	if !ok {
		return nil, fmt.Errorf("x-aliases must be a list")
	}
	var out []string
	for _, v := range list {
		p, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("x-aliases must be a list of paths")
		}
		out = append(out, p)
	}
	return out, nil
}

// Routes lists "METHOD path scope" of every path and alias, sorted; the scope of
// a public route is "public", of one for every valid key "any".
func (s *Spec) Routes() []string {
	var out []string
	for _, op := range s.operations {
		scope := op.scope
		if op.public {
			scope = "public"
		}
		out = append(out, op.method+" "+strings.Join(op.segments, "/")+" "+scope)
	}
	slices.Sort(out)
	return out
}

// find returns the operation of a request's path; literal segments win over
// parameters, as in the router.
func (s *Spec) find(method, path string) (*operation, map[string]string) {
	segments := strings.Split(strings.TrimSuffix(path, "/"), "/")
	var best *operation
	var params map[string]string
	literals := -1
	for i := range s.operations {
		op := &s.operations[i]
		if op.method != method || len(op.segments) != len(segments) {
			continue
		}
		found, same := map[string]string{}, 0
		for j, want := range op.segments {
			switch {
			case strings.HasPrefix(want, "{"): // "{slug}:upsert" too
				name, tail, _ := strings.Cut(want[1:], "}")
				value, ok := strings.CutSuffix(segments[j], tail)
				if !ok {
					same = -len(segments) * 2
				} else if tail != "" {
					same++
				}
				found[name] = value
			case want == segments[j]:
				same++
			default:
				same = -len(segments) * 2
			}
		}
		if same >= 0 && same > literals {
			best, params, literals = op, found, same
		}
	}
	return best, params
}

// Bodies lists the operations that take a body: "METHOD path" -> the schemas
// whose properties the body may have.
func (s *Spec) Bodies() map[string][]*openapi3.Schema {
	out := map[string][]*openapi3.Schema{}
	for _, op := range s.operations {
		if !op.first || op.route.Operation.RequestBody == nil {
			continue
		}
		media := op.route.Operation.RequestBody.Value.Content.Get("application/json")
		if media == nil {
			continue // a form
		}
		out[op.method+" "+op.route.Path] = flatten([]*openapi3.Schema{media.Schema.Value})
	}
	return out
}

// Queries lists the query parameters of each operation that has some.
func (s *Spec) Queries() map[string][]*openapi3.Parameter {
	out := map[string][]*openapi3.Parameter{}
	for _, op := range s.operations {
		if !op.first {
			continue
		}
		for _, p := range op.route.Operation.Parameters {
			if p.Value.In == "query" {
				out[op.method+" "+op.route.Path] = append(out[op.method+" "+op.route.Path], p.Value)
			}
		}
	}
	return out
}
