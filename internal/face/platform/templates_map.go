package platform

import (
	"context"
	"encoding/json"

	"parley/internal/conversation"
	"parley/internal/conversation/variables"
	"parley/internal/fault"
	"parley/internal/httpx"
)

// mappingView is what a mapping may name (§2.3, mapping config).
type mappingView struct {
	Sources     []string             `json:"sources"`
	Collections []collectionView     `json:"collections"`
	Formulas    []variables.Function `json:"formulas"`
	Transforms  []string             `json:"transforms"`
	OnEmpty     []string             `json:"onEmptyVariable"`
	System      []string             `json:"systemFields"`
}

type collectionView struct {
	Name   string                `json:"name"`
	Fields []variables.FieldInfo `json:"fields"`
}

func (f *Face) mappingConfig(context.Context, *httpx.Request) (*httpx.Response, error) {
	out := mappingView{Sources: conversation.MappingSources, Formulas: variables.Formulas, Transforms: variables.Transforms,
		OnEmpty: []string{conversation.SkipSend, conversation.UseFallback, conversation.SendAnyway}, System: []string{"today", "now", "time", "year"}}
	for _, c := range variables.Collections {
		out.Collections = append(out.Collections, collectionView{c, variables.Fields(c)})
	}
	return ok(out)
}

func (f *Face) templateCollections(context.Context, *httpx.Request) (*httpx.Response, error) {
	return whole(variables.Collections)
}

func (f *Face) collectionFields(_ context.Context, r *httpx.Request) (*httpx.Response, error) {
	fields := variables.Fields(r.Param("name"))
	if fields == nil {
		return nil, fault.Unknown("collection")
	}
	return whole(fields)
}

// mapInput is the body of set mapping.
type mapInput struct {
	Mappings        *[]conversation.Mapping `json:"mappings"`
	VariableMapping *[]conversation.Mapping `json:"variableMapping"` // alias, as in the template itself
	OnEmpty         string                  `json:"onEmptyVariable"`
}

func (f *Face) mapTemplate(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in mapInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	mappings := first(in.Mappings, in.VariableMapping)
	if mappings == nil {
		return nil, fault.Missing("mappings")
	}
	t, err := f.s.Conversations.Templates().SetMapping(ctx, r.Principal.Tenant, r.Param("name"), *mappings, in.OnEmpty)
	if err != nil {
		return nil, err
	}
	return ok(templateOf(r.Principal.TenantCode, t))
}

// readyView is the answer to validate (§2.3).
type readyView struct {
	IsReady bool                 `json:"isReady"`
	Issues  []conversation.Issue `json:"issues"`
}

func (f *Face) validateTemplate(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	ready, issues, err := f.s.Conversations.Templates().Validate(ctx, r.Principal.Tenant, r.Param("name"))
	if err != nil {
		return nil, err
	}
	return ok(readyView{ready, issues})
}

// previewInput is the body of preview: a context, or its fields at the top.
type previewInput struct {
	Context *previewContext `json:"context"`
	previewContext
}

type previewContext struct {
	Lead      map[string]any  `json:"lead"` // fields of a lead, or {leadId} of a stored one
	LeadID    *string         `json:"leadId"`
	Vars      map[string]any  `json:"vars"`
	Event     map[string]any  `json:"event"` // alias of vars
	Variables json.RawMessage `json:"variables"`
}

// previewView is the answer to preview (§2.3).
type previewView struct {
	Resolved  []string             `json:"resolvedVariables"`
	Text      string               `json:"previewText"`
	Variables []variableView       `json:"variables"`
	Issues    []conversation.Issue `json:"issues"`
}

type variableView struct {
	Position int    `json:"position"`
	Value    string `json:"value"`
}

// previewTemplate shows what a template would say to a stored lead, to one whose
// fields the caller gives, or to nobody (§2.3, §4.6).
func (f *Face) previewTemplate(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in previewInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	at := in.previewContext
	if in.Context != nil {
		at = *in.Context
	}
	c := conversation.Context{Lead: at.Lead, Vars: at.Vars}
	if c.Vars == nil {
		c.Vars = at.Event
	}
	_, named, err := readVariables(at.Variables)
	if err != nil {
		return nil, err
	}
	c.Named = named
	lead := value(at.LeadID)
	for _, key := range []string{"leadId", "_id", "id"} {
		if s, is := at.Lead[key].(string); is && lead == "" {
			lead = s
		}
	}
	if lead != "" {
		if c.Contact, err = bodyID("contact", "context.lead.leadId", lead); err != nil {
			return nil, err
		}
		if _, err := f.s.Deals.Card(ctx, r.Principal.Tenant, c.Contact); err != nil {
			return nil, elsewhere(err, "contact", "context.lead.leadId")
		}
	}
	p, err := f.s.Conversations.Templates().Preview(ctx, r.Principal.Tenant, r.Param("name"), c)
	if err != nil {
		return nil, err
	}
	out := previewView{Resolved: orEmpty(p.Values), Text: p.Text, Variables: []variableView{}, Issues: p.Issues}
	for i, v := range p.Values {
		out.Variables = append(out.Variables, variableView{i + 1, v})
	}
	if out.Issues == nil {
		out.Issues = []conversation.Issue{}
	}
	return dual(out)
}
