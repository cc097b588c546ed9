package platform

import (
	"context"
	"encoding/json"

	"parley/internal/channel"
	"parley/internal/conversation"
	"parley/internal/fault"
	"parley/internal/httpx"
)

// listTemplates answers every stored template that the filters leave (§2.3).
func (f *Face) listTemplates(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	all, err := f.s.Conversations.Templates().List(ctx, r.Principal.Tenant, conversation.TemplateQuery{
		Status: r.QueryString("status"), MappingStatus: r.QueryString("mappingStatus"), Channel: r.QueryString("channel")})
	if err != nil {
		return nil, err
	}
	out := make([]templateView, 0, len(all))
	for _, t := range all {
		out = append(out, templateOf(r.Principal.TenantCode, t))
	}
	return whole(out)
}

// syncTemplates fetches the templates from the provider (§2.3, §4.9).
func (f *Face) syncTemplates(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	s, err := f.s.Conversations.Templates().Sync(ctx, r.Principal.Tenant)
	if e := fault.As(err); e != nil && e.Code == fault.Unready {
		return nil, e.Because(reasonSync)
	}
	if err != nil {
		return nil, orDefect(err, "TEMPLATE_SYNC_FAILED")
	}
	return ok(syncView{s.Synced, s.Updated, orEmpty(s.Outdated), orEmpty(s.New), orEmpty(s.Removed)})
}

func templateOf(code string, t conversation.Template) templateView {
	out := templateView{
		record: recordOf(code, t.ID, t.CreatedAt, t.UpdatedAt), Name: t.Name, Language: t.Language, Channel: t.Channel,
		Status: t.Status, Category: t.Category, HeaderType: t.HeaderType, HeaderText: t.HeaderText, BodyText: t.BodyText,
		FooterText: t.FooterText, Buttons: t.Buttons, Components: json.RawMessage(t.Components), TemplateID: orNull(t.ProviderID),
		VariablesCount: t.Variables, VariablePositions: []int{}, VariableMapping: t.Mapping, OnEmptyVariable: t.OnEmpty,
		MappingStatus: t.MappingStatus, LastSyncedAt: stamp(t.LastSyncedAt), IsActive: t.Active, LastMappedAt: stamp(t.MappedAt),
		Subject: orNull(t.Subject), ContentType: orNull(t.ContentType), Attachments: t.Attachments,
	}
	if out.Attachments == nil {
		out.Attachments = []map[string]any{}
	}
	for _, p := range t.Positions {
		out.VariablePositions = append(out.VariablePositions, p.Position)
	}
	if out.Buttons == nil {
		out.Buttons = []channel.TemplateButton{}
	}
	if out.VariableMapping == nil {
		out.VariableMapping = []conversation.Mapping{}
	}
	if len(t.Components) == 0 {
		out.Components = json.RawMessage("[]")
	}
	return out
}
