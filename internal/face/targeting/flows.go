package targeting

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strconv"

	"parley/internal/automation"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// flowID reads the flow in the path.
func flowID(r *httpx.Request) (id.ID, error) { return parseAnyID("automation", r.Param("flow_id")) }

// maxPage is the largest page of flows and executions.
const maxPage = 1000

// pageOf reads from and size.
func pageOf(r *httpx.Request) (from, size int, err error) {
	if from, err = r.QueryInt("from", 0, 0, 1_000_000); err != nil {
		return 0, 0, err
	}
	size, err = r.QueryInt("size", 25, 0, maxPage)
	return from, size, err
}

// readFlow reads the form of a flow. An action whose condition is no text would run
// without one.
func readFlow(r *httpx.Request) (map[string]any, error) {
	form, err := readObject(r)
	if err != nil {
		return nil, err
	}
	for _, part := range []struct{ list, name string }{{"actions", "name"}, {"actions", "condition_id"}, {"actions", "schedule_id"}, {"schedules", "schedule_type"}} {
		list, _ := form[part.list].([]any)
		for i, v := range list {
			m, _ := v.(map[string]any)
			if text, ok := m[part.name].(string); !ok && m[part.name] != nil || ok && text == "" && part.name == "schedule_type" {
				at := fmt.Sprintf("%s[%d].%s", part.list, i, part.name)
				return nil, fault.Field(at, "%s must be a text; leave it out for none", at)
			}
		}
	}
	return form, nil
}

// createFlow makes a flow (reference §4.3, §5.3): 201.
func (f *Face) createFlow(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	form, err := readFlow(r)
	if err != nil {
		return nil, err
	}
	flow, err := f.s.Automations.CreateFlow(ctx, r.Principal.Tenant, actor(r), form)
	if err != nil {
		return nil, err
	}
	return httpx.JSON(http.StatusCreated, wireFlow(r, flow)), nil
}

// replaceFlow gives a flow another form.
func (f *Face) replaceFlow(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	v, err := flowID(r)
	if err != nil {
		return nil, err
	}
	form, err := readFlow(r)
	if err != nil {
		return nil, err
	}
	flow, err := f.s.Automations.ReplaceFlow(ctx, r.Principal.Tenant, actor(r), v, form)
	if err != nil {
		return nil, err
	}
	return httpx.JSON(http.StatusOK, wireFlow(r, flow)), nil
}

func (f *Face) showFlow(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	v, err := flowID(r)
	if err != nil {
		return nil, err
	}
	flow, err := f.s.Automations.Flow(ctx, r.Principal.Tenant, v)
	if err != nil {
		return nil, err
	}
	return httpx.JSON(http.StatusOK, wireFlow(r, flow)), nil
}

// deleteFlow takes a flow away; its open executions are cancelled.
func (f *Face) deleteFlow(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	v, err := flowID(r)
	if err != nil {
		return nil, err
	}
	if err := f.s.Automations.Delete(ctx, r.Principal.Tenant, actor(r), v); err != nil {
		return nil, err
	}
	return httpx.Empty(http.StatusNoContent), nil
}

// flows lists the flows, newest first: also the rules of the platform API.
func (f *Face) flows(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	from, size, err := pageOf(r)
	if err != nil {
		return nil, err
	}
	q := automation.FlowQuery{Schema: r.Query().Get("entity_schema"), Trigger: r.Query().Get("trigger"), Text: r.Query().Get("query"), From: from, Size: size}
	if text := r.Query().Get("enabled"); text != "" {
		enabled, err := strconv.ParseBool(text)
		if err != nil {
			return nil, fault.Field("enabled", "enabled must be true or false")
		}
		q.Enabled = &enabled
	}
	list, total, err := f.s.Automations.Flows(ctx, r.Principal.Tenant, q)
	if err != nil {
		return nil, err
	}
	out := make([]map[string]any, len(list))
	for i, v := range list {
		out[i] = wireFlow(r, v)
	}
	return httpx.JSON(http.StatusOK, map[string]any{"total": total, "results": out}), nil
}

// wireFlow shows a flow: the form as its author sent it, under what we keep of it.
func wireFlow(r *httpx.Request, f automation.Flow) map[string]any {
	out := map[string]any{"triggers": []any{}, "conditions": []any{}, "actions": []any{}, "schedules": []any{}, "version": f.Rule.Version}
	for k, v := range f.Form {
		if v != nil {
			out[k] = v
		}
	}
	maps.Copy(out, map[string]any{"id": f.Rule.ID.UUID(), "org_id": org(r), "runs": f.Rule.RunsStarted,
		"created_at": moment(f.Rule.CreatedAt), "updated_at": moment(f.Rule.UpdatedAt), "editable": f.Own})
	return out
}
