package targeting

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"parley/internal/entity"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/portal"
)

// campaignPortals tells where a campaign is used (reference §2.1 operation 3, §4.9).
func (f *Face) campaignPortals(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	c, err := campaignID(r)
	if err != nil {
		return nil, err
	}
	reads := f.s.Portals.Reads(ctx, r.Principal.Tenant)
	if _, err := f.s.Campaigns.Get(reads, c); err != nil {
		return nil, err
	}
	list, err := f.s.Portals.UsageOf(reads, c)
	if err != nil {
		return nil, err
	}
	out := make([]portalUsage, 0, len(list))
	for _, u := range list {
		out = append(out, wireUsage(u))
	}
	return httpx.JSON(http.StatusOK, out), nil
}

// shownAnswer counts by entity (reference §4.9).
type shownAnswer struct {
	Success bool `json:"success"`
	Updated int  `json:"updated"`
	Failed  int  `json:"failed"`
	Total   int  `json:"total"`
}

// portalShown takes what people did with a campaign on a portal (reference §4.9).
func (f *Face) portalShown(ctx context.Context, r *httpx.Request, body map[string]any) (*httpx.Response, error) {
	c, err := campaignID(r)
	if err != nil {
		return nil, err
	}
	status, ok := body["status"].(string)
	switch {
	case body["status"] == nil:
		return nil, fault.Missing("status")
	case !ok:
		return nil, fault.Field("status", "status must be a string")
	}
	refs, foreign, err := shownRefs(body)
	if err != nil {
		return nil, err
	}
	done, err := f.s.Portals.Show(ctx, r.Principal.Tenant, actor(r), c, status, refs)
	if err != nil {
		return nil, err
	}
	out := shownAnswer{Updated: done.Updated, Failed: done.Failed + foreign, Total: done.Total + foreign}
	out.Success = out.Failed == 0
	return httpx.JSON(http.StatusOK, out), nil
}

// shownRefs reads entity_refs; foreign counts those that Parley never made, each once:
// a portal is told how many entities it could not write to.
func shownRefs(body map[string]any) (refs []entity.Ref, foreign int, err error) {
	list, err := listOf(body, "entity_refs")
	if err != nil {
		return nil, 0, err
	}
	if len(list) > portal.MaxRefs {
		return nil, 0, fault.Field("entity_refs", "entity_refs holds at most %d entities", portal.MaxRefs)
	}
	unknown := map[[2]string]bool{}
	for i, v := range list {
		at := fmt.Sprintf("entity_refs[%d]", i)
		m, ok := v.(map[string]any)
		if !ok {
			return nil, 0, fault.Field(at, "%s must be an object with entity_id and entity_schema", at)
		}
		ref, known, err := entityRef(m, at+".")
		if err != nil {
			return nil, 0, err
		}
		if known {
			refs = append(refs, ref)
		} else {
			unknown[[2]string{strings.ToLower(m["entity_id"].(string)), ref.Schema}] = true
		}
	}
	return refs, len(unknown), nil
}
