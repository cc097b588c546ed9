package parley

import (
	"context"
	"iter"
)

// The paths of reference §1.9.
const (
	saasPath = "/api/saas"
	crmPath  = saasPath + "/crm"
	chatPath = saasPath + "/chat"
	leadPath = crmPath + "/leads"
)

// Leads are the people of the CRM.
type Leads struct{ c *Client }

// Create stores a new lead. A phone that another lead has is a conflict.
func (s *Leads) Create(ctx context.Context, in LeadInput, opts ...CallOption) (Lead, error) {
	return call[Lead](ctx, s.c, "POST", leadPath, nil, in, opts)
}

// Upsert creates a lead or updates the one that has the phone.
func (s *Leads) Upsert(ctx context.Context, in LeadUpsert, opts ...CallOption) (Lead, error) {
	return call[Lead](ctx, s.c, "POST", leadPath+"/upsert", nil, in, opts)
}

// List returns one page of the leads that the filter selects.
func (s *Leads) List(ctx context.Context, f LeadFilter, opts ...CallOption) (Page[Lead], error) {
	return list[Lead](ctx, s.c, leadPath, f.query(), opts)
}

// All yields every lead that the filter selects, fetching pages as they are
// needed. Unless the filter says otherwise it asks for 200 at a time, oldest
// first, so that leads which come in meanwhile are met at the end; one that
// leaves the selection meanwhile may let another be passed over. An error ends
// the walk.
func (s *Leads) All(ctx context.Context, f LeadFilter, opts ...CallOption) iter.Seq2[Lead, error] {
	if f.Limit == 0 {
		f.Limit = 200
	}
	if f.SortBy == "" {
		f.SortBy = "createdAt"
		if f.SortDir == "" {
			f.SortDir = "asc"
		}
	}
	first := max(f.Page, 1)
	return walk(func(n int, _ string) (Page[Lead], error) {
		f := f
		f.Page = first + n - 1
		return s.List(ctx, f, opts...)
	})
}

// Retrieve returns a lead by its id.
func (s *Leads) Retrieve(ctx context.Context, id string, opts ...CallOption) (Lead, error) {
	return call[Lead](ctx, s.c, "GET", at(leadPath, id), nil, nil, opts)
}

// RetrieveByPhone returns the lead that has the phone, in any spelling.
func (s *Leads) RetrieveByPhone(ctx context.Context, phone string, opts ...CallOption) (Lead, error) {
	return call[Lead](ctx, s.c, "GET", at(leadPath+"/phone", phone), nil, nil, opts)
}

// RetrieveByRef returns the lead whose reference has the value, such as orderId
// and ORD-123.
func (s *Leads) RetrieveByRef(ctx context.Context, key, value string, opts ...CallOption) (Lead, error) {
	return call[Lead](ctx, s.c, "GET", at(leadPath+"/ref", key, value), nil, nil, opts)
}

// Update changes a lead.
func (s *Leads) Update(ctx context.Context, id string, in LeadUpdate, opts ...CallOption) (Lead, error) {
	return call[Lead](ctx, s.c, "PATCH", at(leadPath, id), nil, in, opts)
}

// UpdateMetadata merges references and extra fields; nil takes a key away.
func (s *Leads) UpdateMetadata(ctx context.Context, id string, in MetadataUpdate, opts ...CallOption) (Lead, error) {
	return call[Lead](ctx, s.c, "PATCH", at(leadPath, id, "metadata"), nil, in, opts)
}

// Move puts a lead into a stage.
func (s *Leads) Move(ctx context.Context, id, stageID string, opts ...CallOption) (Lead, error) {
	return call[Lead](ctx, s.c, "PATCH", at(leadPath, id, "move"), nil, map[string]string{"stageId": stageID}, opts)
}

// The outcomes of Convert.
const (
	Won  = "won"
	Lost = "lost"
)

// Convert ends a lead's deal as Won or Lost. reason may be empty.
func (s *Leads) Convert(ctx context.Context, id, outcome, reason string, opts ...CallOption) (Lead, error) {
	in := struct {
		Outcome string `json:"outcome"`
		Reason  string `json:"reason,omitempty"`
	}{outcome, reason}
	return call[Lead](ctx, s.c, "POST", at(leadPath, id, "convert"), nil, in, opts)
}

// TagChange adds and removes tags; both may be empty.
type TagChange struct {
	Add    []string `json:"add,omitempty"`
	Remove []string `json:"remove,omitempty"`
}

// Tags adds and removes tags of a lead.
func (s *Leads) Tags(ctx context.Context, id string, in TagChange, opts ...CallOption) (Lead, error) {
	return call[Lead](ctx, s.c, "PATCH", at(leadPath, id, "tags"), nil, in, opts)
}

// RecalculateScore computes the score of a lead anew.
func (s *Leads) RecalculateScore(ctx context.Context, id string, opts ...CallOption) (ScoredLead, error) {
	return call[ScoredLead](ctx, s.c, "POST", at(leadPath, id, "score"), nil, nil, opts)
}

// Import creates or updates up to 1000 leads by their phones in one call. Rows
// that fail are counted and do not stop the others.
func (s *Leads) Import(ctx context.Context, leads []LeadInput, opts ...CallOption) (ImportResult, error) {
	return call[ImportResult](ctx, s.c, "POST", leadPath+"/import", nil, map[string]any{"leads": leads}, opts)
}

// Delete archives a lead.
func (s *Leads) Delete(ctx context.Context, id string, opts ...CallOption) error {
	return perform(ctx, s.c, "DELETE", at(leadPath, id), nil, opts)
}

// BulkDelete archives leads and returns how many it found.
func (s *Leads) BulkDelete(ctx context.Context, ids []string, opts ...CallOption) (int, error) {
	return bulkDelete(ctx, s.c, leadPath+"/bulk-delete", ids, opts)
}

// Timeline returns what happened with a lead, newest first.
func (s *Leads) Timeline(ctx context.Context, id string, page, limit int, opts ...CallOption) (Page[TimelineItem], error) {
	return list[TimelineItem](ctx, s.c, at(leadPath, id, "timeline"), newParams().number("page", page).number("limit", limit), opts)
}

// bulkDelete is what the resources that delete many have in common. The POST
// spelling is used, since some proxies drop the body of a DELETE.
func bulkDelete(ctx context.Context, c *Client, path string, ids []string, opts []CallOption) (int, error) {
	out, err := call[struct{ Deleted int }](ctx, c, "POST", path, nil, map[string]any{"ids": ids}, opts)
	return out.Deleted, err
}

// list fetches one page.
func list[T any](ctx context.Context, c *Client, path string, q params, opts []CallOption) (Page[T], error) {
	var p Page[T]
	err := c.Request(ctx, "GET", path, nil, &p, append([]CallOption{withQuery(q)}, opts...)...)
	return p, err
}

func withQuery(q params) CallOption {
	return func(r *request) {
		for name, v := range q.Values {
			r.query[name] = v
		}
	}
}
