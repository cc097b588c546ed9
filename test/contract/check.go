package contract

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

func init() {
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.PlainBodyDecoder)
}

// Exchange is one request with its answer.
type Exchange struct {
	Request      *http.Request
	RequestBody  []byte
	Status       int
	Header       http.Header
	ResponseBody []byte
}

// Check holds an exchange against the description. What the server accepted
// must be described as valid; every answer must be described, to the last
// field. A path that the description does not know must answer 404.
func (s *Spec) Check(x Exchange) error {
	op, params := s.find(x.Request.Method, x.Request.URL.Path)
	if op == nil {
		return s.unknown(x)
	}
	req := x.Request.Clone(context.Background())
	req.Body = io.NopCloser(bytes.NewReader(x.RequestBody))
	req.ContentLength = int64(len(x.RequestBody))
	options := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true,
		SkipSettingDefaults: true}
	in := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: &op.route, Options: options}
	if x.Status < 300 {
		if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil {
			return fmt.Errorf("the server accepted what %s does not describe: %w", op.route.Operation.OperationID, err)
		}
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: x.Status, Header: x.Header, Options: options}
	out.SetBodyBytes(x.ResponseBody)
	if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
		return fmt.Errorf("%s does not describe its answer: %w", op.route.Operation.OperationID, err)
	}
	resp := op.route.Operation.Responses.Status(x.Status)
	if resp == nil {
		return fmt.Errorf("%s does not describe the status %d", op.route.Operation.OperationID, x.Status)
	}
	kind, _, _ := mime.ParseMediaType(x.Header.Get("Content-Type"))
	media := resp.Value.Content.Get(kind)
	if media == nil || kind != "application/json" {
		return nil
	}
	return undeclared(media.Schema, x.ResponseBody)
}

// unknown checks the answer on a path of no operation.
func (s *Spec) unknown(x Exchange) error {
	if x.Status < 400 {
		return fmt.Errorf("%s %s answered %d and is not described", x.Request.Method, x.Request.URL.Path, x.Status)
	}
	var body any
	if err := json.Unmarshal(x.ResponseBody, &body); err != nil {
		return fmt.Errorf("%s %s: the error is not JSON: %w", x.Request.Method, x.Request.URL.Path, err)
	}
	return s.doc.Components.Schemas["Failure"].Value.VisitJSON(body)
}

// undeclared complains about fields of an answer that its schema does not name.
// OpenAPI allows them, but a field nobody described is a field nobody tests.
func undeclared(schema *openapi3.SchemaRef, body []byte) error {
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return err
	}
	return walk([]*openapi3.Schema{schema.Value}, v, "answer")
}

func walk(schemas []*openapi3.Schema, v any, at string) error {
	all := flatten(schemas)
	switch v := v.(type) {
	case []any:
		var items []*openapi3.Schema
		for _, s := range all {
			if s.Items != nil {
				items = append(items, s.Items.Value)
			}
		}
		for i, e := range v {
			if err := walk(items, e, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	case map[string]any:
		for name, e := range v {
			var found []*openapi3.Schema
			open := len(all) == 0
			for _, s := range all {
				if p := s.Properties[name]; p != nil {
					found = append(found, p.Value)
				}
				if a := s.AdditionalProperties; a.Schema != nil {
					found = append(found, a.Schema.Value)
				} else if a.Has != nil && *a.Has || len(s.Properties) == 0 && s.Items == nil && s.Type == nil {
					open = true
				}
			}
			if len(found) == 0 && !open {
				return fmt.Errorf("%s.%s is described nowhere", at, name)
			}
			if len(found) > 0 {
				if err := walk(found, e, at+"."+name); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// flatten opens compositions.
func flatten(in []*openapi3.Schema) []*openapi3.Schema {
	var out []*openapi3.Schema
	for _, s := range in {
		if len(s.Properties) > 0 || s.Items != nil || s.AdditionalProperties.Has != nil || s.AdditionalProperties.Schema != nil || len(s.AllOf)+len(s.OneOf)+len(s.AnyOf) == 0 {
			out = append(out, s)
		}
		for _, refs := range []openapi3.SchemaRefs{s.AllOf, s.OneOf, s.AnyOf} {
			for _, r := range refs {
				out = append(out, flatten([]*openapi3.Schema{r.Value})...)
			}
		}
	}
	return out
}

// Transport sends requests by next and checks each exchange; a mismatch fails
// the test. It counts what it saw by operation.
type Transport struct {
	spec *Spec
	t    testing.TB
	next http.RoundTripper
	mu   sync.Mutex
	seen map[string]int
}

// NewTransport returns a checking transport over next.
func NewTransport(t testing.TB, s *Spec, next http.RoundTripper) *Transport {
	return &Transport{spec: s, t: t, next: next, seen: map[string]int{}}
}

// RoundTrip implements http.RoundTripper.
func (c *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	var sent []byte
	if req.Body != nil {
		var err error
		if sent, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		_ = req.Body.Close()
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(sent))
	}
	resp, err := c.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	x := Exchange{Request: req, RequestBody: sent, Status: resp.StatusCode, Header: resp.Header, ResponseBody: body}
	if req.Method != http.MethodOptions && req.Method != http.MethodHead {
		if err := c.spec.Check(x); err != nil {
			c.t.Errorf("%s %s: %d %.600s\n%v", req.Method, req.URL.RequestURI(), x.Status, body, err)
		}
	}
	if op, _ := c.spec.find(req.Method, req.URL.Path); op != nil && resp.StatusCode < 300 {
		c.mu.Lock()
		c.seen[op.route.Operation.OperationID]++
		c.mu.Unlock()
	}
	return resp, nil
}

// Unseen lists the operations that never answered with success.
func (c *Transport) Unseen() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	done := map[string]bool{}
	for _, op := range c.spec.operations {
		name := op.route.Operation.OperationID
		if c.seen[name] == 0 && !done[name] {
			out, done[name] = append(out, name), true
		}
	}
	return out
}
