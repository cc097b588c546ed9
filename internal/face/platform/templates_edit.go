package platform

import (
	"context"
	"fmt"

	"parley/internal/automation"
	"parley/internal/channel"
	"parley/internal/conversation"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// templateInput is the body of create and update (§3.15).
type templateInput struct {
	Name        *string                   `json:"name"`
	Language    *string                   `json:"language"`
	Channel     *string                   `json:"channel"`
	Category    *string                   `json:"category"`
	HeaderType  *string                   `json:"headerType"`
	HeaderText  *string                   `json:"headerText"`
	BodyText    *string                   `json:"bodyText"`
	Body        *string                   `json:"body"` // alias of bodyText
	FooterText  *string                   `json:"footerText"`
	Buttons     *[]channel.TemplateButton `json:"buttons"`
	Subject     *string                   `json:"subject"`
	ContentType *string                   `json:"contentType"`
	Attachments *[]map[string]any         `json:"attachments"`
	Mapping     *[]conversation.Mapping   `json:"variableMapping"`
	OnEmpty     *string                   `json:"onEmptyVariable"`
	IsActive    *bool                     `json:"isActive"`
}

func (in templateInput) patch() conversation.TemplatePatch {
	return conversation.TemplatePatch{Name: in.Name, Language: in.Language, Channel: in.Channel, Category: in.Category, HeaderType: in.HeaderType,
		HeaderText: in.HeaderText, BodyText: first(in.BodyText, in.Body), FooterText: in.FooterText, Buttons: in.Buttons, Subject: in.Subject,
		ContentType: in.ContentType, Attachments: in.Attachments, Mapping: in.Mapping, OnEmpty: in.OnEmpty, Active: in.IsActive}
}

// template answers one template by name or id (§2.3).
func (f *Face) template(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := f.s.Conversations.Templates().Find(ctx, r.Principal.Tenant, r.Param("name"))
	if err != nil {
		return nil, err
	}
	return ok(templateOf(r.Principal.TenantCode, t))
}

func (f *Face) createTemplate(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in templateInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	t, err := f.s.Conversations.Templates().Create(ctx, r.Principal.Tenant, in.patch())
	if err != nil {
		return nil, err
	}
	return created(templateOf(r.Principal.TenantCode, t))
}

func (f *Face) updateTemplate(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in templateInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	t, err := f.s.Conversations.Templates().Update(ctx, r.Principal.Tenant, r.Param("name"), in.patch())
	if err != nil {
		return nil, err
	}
	return ok(templateOf(r.Principal.TenantCode, t))
}

// usageView tells which rules use a template (§2.3).
type usageView struct {
	UsedIn []ruleRef `json:"usedIn"`
}

type ruleRef struct {
	RuleID   id.ID  `json:"ruleId"`
	RuleName string `json:"ruleName"`
	IsActive bool   `json:"isActive"`
}

func usageOf(rules []automation.RuleRef) usageView {
	out := usageView{[]ruleRef{}}
	for _, u := range rules {
		out.UsedIn = append(out.UsedIn, ruleRef{u.ID, u.Name, u.Active})
	}
	return out
}

// usage returns a template and the rules that use it.
func (f *Face) usage(ctx context.Context, r *httpx.Request) (conversation.Template, []automation.RuleRef, error) {
	t, err := f.s.Conversations.Templates().Find(ctx, r.Principal.Tenant, r.Param("name"))
	if err != nil {
		return t, nil, err
	}
	used, err := f.s.Automations.Using(ctx, r.Principal.Tenant, t.Name)
	return t, used, err
}

func (f *Face) templateUsage(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	_, used, err := f.usage(ctx, r)
	if err != nil {
		return nil, err
	}
	return ok(usageOf(used))
}

// deleteTemplate removes a template; while rules use it only with force (§2.3).
func (f *Face) deleteTemplate(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	force, err := r.QueryBool("force", false)
	if err != nil {
		return nil, err
	}
	t, used, err := f.usage(ctx, r)
	if err != nil {
		return nil, err
	}
	if len(used) > 0 && !force {
		return nil, fault.New(fault.Conflict, "the template %s is used by %s; change them, or delete it with force=true", t.Name, rulesText(used))
	}
	name, err := f.s.Conversations.Templates().Delete(ctx, r.Principal.Tenant, r.Param("name"))
	if err != nil {
		return nil, err
	}
	return told("the template "+name+" was deleted", nil)
}

func rulesText(used []automation.RuleRef) string {
	if len(used) == 1 {
		return "the automation " + used[0].Name
	}
	return fmt.Sprintf("%d automations, the first of them %s", len(used), used[0].Name)
}
