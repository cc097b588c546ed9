package targeting

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"parley/internal/bulk"
	"parley/internal/entity"
	"parley/internal/fault"
	"parley/internal/filter"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/record"
)

// bulkJob is a job on the wire (reference §4.2, §4.3).
type bulkJob struct {
	ID               string     `json:"id"`
	OrgID            string     `json:"org_id"`
	FlowID           string     `json:"flow_id"`
	Status           string     `json:"status"`
	TaskToken        string     `json:"task_token,omitempty"`
	EntitySchema     string     `json:"entity_schema,omitempty"`
	Total            int64      `json:"total"`
	Started          int64      `json:"started"`
	Refused          int64      `json:"refused"`
	Open             int64      `json:"open"`
	Error            string     `json:"error,omitempty"`
	ExecutionSummary []bulkItem `json:"execution_summary"`
	CreatedAt        *string    `json:"created_at"`
	UpdatedAt        *string    `json:"updated_at"`
	FinishedAt       *string    `json:"finished_at,omitempty"`
}

type bulkItem struct {
	EntityID        string  `json:"entity_id"`
	EntitySchema    string  `json:"entity_schema"`
	ExecutionID     *string `json:"execution_id,omitempty"`
	ExecutionStatus string  `json:"execution_status"`
	Timestamp       *string `json:"timestamp"`
	Error           string  `json:"error,omitempty"`
}

func showBulk(r *httpx.Request, j bulk.Job, items []bulk.Item) bulkJob {
	out := bulkJob{ID: j.ID.UUID(), OrgID: org(r), FlowID: j.Rule.UUID(), Status: j.Status, EntitySchema: j.Schema, Total: j.Total, Started: j.Started, Refused: j.Refused, Open: j.Open,
		Error: j.Error, ExecutionSummary: []bulkItem{}, CreatedAt: moment(j.CreatedAt), UpdatedAt: moment(j.UpdatedAt), FinishedAt: moment(j.EndedAt)}
	if !j.Over() {
		out.TaskToken = j.Token
	}
	for _, it := range items {
		out.ExecutionSummary = append(out.ExecutionSummary, bulkItem{EntityID: it.Entity.UUID(), EntitySchema: it.Schema, ExecutionID: uuid(it.Run), ExecutionStatus: it.Status,
			Timestamp: moment(it.At), Error: it.Error})
	}
	return out
}

// createJob runs a flow for many entities (reference §4.3): 202, and the job waits
// for approval unless auto_approve says otherwise.
func (f *Face) createJob(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	doc, err := readObject(r)
	if err != nil {
		return nil, err
	}
	n, err := f.jobOf(ctx, r, doc)
	if err != nil {
		return nil, err
	}
	j, err := f.s.Bulk.Create(ctx, r.Principal.Tenant, actor(r), n)
	if err != nil {
		return nil, err
	}
	return httpx.JSON(http.StatusAccepted, showBulk(r, j, nil)), nil
}

// jobOf reads flow_id and one of entities_refs, entities_query and entities_filter.
func (f *Face) jobOf(ctx context.Context, r *httpx.Request, doc map[string]any) (n bulk.New, err error) {
	text, _ := doc["flow_id"].(string)
	if text == "" {
		return n, fault.Missing("flow_id")
	}
	if n.Rule, err = parseAnyID("automation", text); err != nil {
		return n, err
	}
	var ok bool
	if v := doc["auto_approve"]; v != nil {
		if n.Approved, ok = v.(bool); !ok {
			return n, fault.Field("auto_approve", "auto_approve must be true or false")
		}
	}
	if v := doc["entity_schema"]; v != nil {
		if _, ok = v.(string); !ok {
			return n, fault.Field("entity_schema", "entity_schema must be a text")
		}
	}
	given := 0
	for _, name := range []string{"entities_refs", "entities_query", "entities_filter"} {
		if doc[name] != nil {
			given++
		}
	}
	if given != 1 {
		return n, fault.Field("entities_refs", "one of entities_refs, entities_query and entities_filter is required, and only one: for whom the flow is to run")
	}
	if doc["entities_refs"] != nil {
		n.Refs, err = jobRefs(doc["entities_refs"])
		return n, err
	}
	if n.Filter, err = jobFilter(doc); err != nil {
		return n, err
	}
	n.Schema, err = f.jobSchema(ctx, r, doc, n)
	return n, err
}

// jobRefs reads {entity_id, entity_schema} of each entity. Ids that Parley never made
// are refused: nobody would run for them.
func jobRefs(v any) ([]entity.Ref, error) {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return nil, fault.Field("entities_refs", "entities_refs must be a list of objects with entity_id and entity_schema")
	}
	out := make([]entity.Ref, len(list))
	for i, x := range list {
		at := fmt.Sprintf("entities_refs[%d]", i)
		m, _ := x.(map[string]any)
		text, ok := m["entity_id"].(string)
		if !ok {
			return nil, fault.Field(at+".entity_id", "%s.entity_id is required and must be a UUID", at)
		}
		v, err := parseUUID(at+".entity_id", "entity", text)
		if e := fault.As(err); e != nil && e.Code == fault.NotFound {
			return nil, fault.Field(at+".entity_id", "%s: there is no such entity", at)
		}
		if err != nil {
			return nil, err
		}
		schema, ok := m["entity_schema"].(string)
		if !ok || record.CheckSchema(schema) != nil {
			return nil, fault.Field(at+".entity_schema", "%s.entity_schema is required, such as contact", at)
		}
		out[i] = entity.Ref{Schema: schema, ID: v}
	}
	return out, nil
}

// jobFilter reads entities_query (Lucene; bare words search titles), or
// entities_filter: a list of the search DSL, or a target's filter.
func jobFilter(doc map[string]any) (filter.Filter, error) {
	if v := doc["entities_query"]; v != nil {
		text, ok := v.(string)
		if !ok {
			return filter.Filter{}, fault.Field("entities_query", "entities_query must be text")
		}
		if strings.TrimSpace(text) == "" { // it would be everybody
			return filter.Filter{}, fault.Field("entities_query", "entities_query must not be empty; * selects every entity of the schema")
		}
		got, words, err := filter.ParseLucene(text)
		if err == nil && words != "" {
			got = filter.Titled(words)
			err = got.Validate()
		}
		return got, renamed(err, "entities_query")
	}
	switch t := doc["entities_filter"].(type) {
	case []any:
		return filter.ParseSearch(t, "entities_filter")
	case map[string]any:
		if _, ok := t["filter"]; !ok {
			t = map[string]any{"filter": t}
		}
		got, empty, err := filter.ParseTarget(t)
		if err == nil && empty {
			err = fault.Field("entities_filter", "entities_filter has no items; name entities, or send [] for all of a schema")
		}
		return got, err
	}
	return filter.Filter{}, fault.Field("entities_filter", "entities_filter must be a list of search filters")
}

// renamed gives a fault of a query the name of the property that held it.
func renamed(err error, name string) error {
	e := fault.As(err)
	if e == nil {
		return err
	}
	c := *e
	c.Field, c.Message = name, name+strings.TrimPrefix(e.Message, e.Field)
	return &c
}

// jobSchema finds the schema of a filter's audience: entity_schema of the body, what
// the filter says of _schema, or what the flow takes.
func (f *Face) jobSchema(ctx context.Context, r *httpx.Request, doc map[string]any, n bulk.New) (string, error) {
	schema, _ := doc["entity_schema"].(string)
	if schema == "" {
		schema = schemaIn(n.Filter)
	}
	if schema == "" {
		flow, err := f.s.Automations.Flow(ctx, r.Principal.Tenant, n.Rule)
		if err != nil {
			return "", err
		}
		schema, _ = flow.Rule.Definition["entitySchema"].(string)
	}
	if schema == "" {
		return "", fault.Field("entity_schema", "entity_schema is required: name it here, in the flow, or by _schema in the query")
	}
	if record.CheckSchema(schema) != nil {
		return "", fault.Field("entity_schema", "entity_schema must have 1 to 100 letters, digits, _ and -")
	}
	return schema, nil
}

// schemaIn returns the one schema that a filter demands, or "".
func schemaIn(v filter.Filter) string {
	if v.Op == filter.And {
		for _, inner := range v.Of {
			if s := schemaIn(inner); s != "" {
				return s
			}
		}
	}
	if v.Field != "_schema" {
		return ""
	}
	if s, ok := v.Value.(string); ok && (v.Op == filter.Eq || v.Op == filter.Equal || v.Op == filter.Is) {
		return s
	}
	if len(v.List) == 1 {
		if s, ok := v.List[0].(string); ok && (v.Op == filter.In || v.Op == filter.AnyOf) {
			return s
		}
	}
	return ""
}

func jobID(r *httpx.Request) (id.ID, error) { return parseAnyID("bulk job", r.Param("job_id")) }

// showJob answers a job with the first of its entities; limit says how many.
func (f *Face) showJob(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	v, err := jobID(r)
	if err != nil {
		return nil, err
	}
	limit := 100
	if text := r.Query().Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 0 || limit > maxPage {
			return nil, fault.Field("limit", "limit must be a whole number from 0 to %d", maxPage)
		}
	}
	reads := f.s.Bulk.Reads(ctx, r.Principal.Tenant)
	j, err := f.s.Bulk.Get(reads, v)
	if err != nil {
		return nil, err
	}
	items, err := f.s.Bulk.Summary(reads, v, limit)
	if err != nil {
		return nil, err
	}
	return httpx.JSON(http.StatusOK, showBulk(r, j, items)), nil
}

// orderBody approves or cancels a job.
type orderBody struct {
	Action    string `json:"action"`
	TaskToken string `json:"task_token"`
}

func (f *Face) orderJob(ctx context.Context, r *httpx.Request, body orderBody) (*httpx.Response, error) {
	v, err := jobID(r)
	if err != nil {
		return nil, err
	}
	do := f.s.Bulk.Approve
	switch body.Action {
	case "APPROVE":
	case "CANCEL":
		do = f.s.Bulk.Cancel
	default:
		return nil, fault.Field("action", "action must be APPROVE or CANCEL")
	}
	if body.TaskToken == "" {
		return nil, fault.Missing("task_token")
	}
	j, err := do(ctx, r.Principal.Tenant, actor(r), v, body.TaskToken)
	if err != nil {
		return nil, err
	}
	return httpx.JSON(http.StatusOK, showBulk(r, j, nil)), nil
}
