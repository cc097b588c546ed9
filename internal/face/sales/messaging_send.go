package sales

import (
	"context"
	"strings"

	"parley/internal/channel"
	"parley/internal/conversation"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// sendFields are the names of a send's fields on this wire.
var sendFields = map[string]string{"text": "content", "mediaUrl": "file", "templateName": "key", "variables": "parameters", "to": "prospectId"}

// to aims a send at a way.
func (w way) to(cid id.ID, s conversation.Send) conversation.Send {
	if w.Conversation.IsZero() {
		s.Contact, s.Channel, s.Account = cid, w.Channel, w.account.ID
	} else {
		s.Conversation = w.Conversation
	}
	return s
}

// said sends a message through the one gate and answers it as an interaction.
func (f *Face) said(ctx context.Context, r *httpx.Request, s conversation.Send) (*httpx.Response, error) {
	out, err := f.saidWire(ctx, r, s)
	if err != nil {
		return nil, err
	}
	return reply(r, out)
}

func (f *Face) saidWire(ctx context.Context, r *httpx.Request, s conversation.Send) ([]interactionWire, error) {
	m, err := f.s.Conversations.Send(ctx, r.Principal.Tenant, actor(r), s)
	if err != nil {
		return nil, fault.Renamed(err, sendFields)
	}
	list, err := f.s.Interactions.OfMessages(f.s.Conversations.Reads(ctx, r.Principal.Tenant), []id.ID{m.ID})
	if err != nil {
		return nil, err
	}
	return f.interactionsFor(ctx, r, list)
}

// notify sends a template (reference §2.5, §4.8): it needs no open window.
func (f *Face) notify(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in templateInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if in.Key == nil || strings.TrimSpace(*in.Key) == "" {
		return nil, fault.Missing("key")
	}
	if err := checkParameters(in.Parameters); err != nil {
		return nil, err
	}
	cid, w, err := f.way(ctx, r)
	if err != nil {
		return nil, err
	}
	keyed, err := f.templates(ctx, r.Principal.Tenant, w.Channel)
	if err != nil {
		return nil, err
	}
	tpl, ok := byKey(keyed, strings.TrimSpace(*in.Key))
	if !ok {
		return nil, fault.Field("key", "there is no template with the key %s on %s; GET messaging/channels lists those that can be sent", *in.Key, r.Param("channel"))
	}
	vars, err := f.aboutProspect(ctx, r.Principal.Tenant, cid)
	if err != nil {
		return nil, err
	}
	use := conversation.TemplateUse{Name: tpl.Name, Language: tpl.Language, Named: tpl.given(in.Parameters), Vars: vars}
	answer, err := f.said(ctx, r, w.to(cid, conversation.Send{Template: &use}))
	return answer, asParameter(err)
}

// asParameter tells values that are missing as what they are here: a 400.
func asParameter(err error) error {
	e := fault.As(err)
	if e == nil || e.Field != "parameters" && !(e.Code == fault.Unready && e.Reason == "template") {
		return err
	}
	bad := fault.Field("parameters", "%s", e.Message).Because(reasonParameter)
	return bad
}

// converse sends a free message, inside the window (reference §2.5, §4.9).
func (f *Face) converse(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in messageInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	s, err := in.send()
	if err != nil {
		return nil, err
	}
	cid, w, err := f.way(ctx, r)
	if err != nil {
		return nil, err
	}
	answer, err := f.said(ctx, r, w.to(cid, s))
	return answer, fault.Renamed(err, map[string]string{"interactive": in.field()})
}

// field names the part that a message chooses from.
func (in messageInput) field() string {
	switch {
	case in.List != nil:
		return "list"
	case in.Buttons != nil:
		return "buttons"
	}
	return "productList"
}

// send reads a message: exactly one of its four contents.
func (in messageInput) send() (s conversation.Send, err error) {
	given := 0
	if in.Content != nil {
		given, s.Text = given+1, *in.Content
		if strings.TrimSpace(*in.Content) == "" {
			return s, fault.Field("content", "content must not be empty")
		}
	}
	if in.List != nil {
		given, s.Prompt = given+1, in.List.prompt()
	}
	if in.Buttons != nil {
		given, s.Prompt = given+1, in.Buttons.prompt()
	}
	if in.ProductList != nil {
		given, s.Prompt = given+1, in.ProductList.prompt()
	}
	switch {
	case given == 0:
		return s, fault.Missing("content")
	case given > 1:
		return s, fault.Field("content", "send one of content, list, buttons and productList, not several")
	case s.Prompt != nil && strings.TrimSpace(s.Prompt.Body) == "":
		return s, fault.Missing(in.field() + ".body")
	}
	return s, nil
}

func choices(in []choiceInput) (out []channel.Choice) {
	for _, c := range in {
		out = append(out, channel.Choice{ID: c.ID, Title: c.Title, Description: c.Description})
	}
	return out
}

func (in *listInput) prompt() *channel.Prompt {
	p := &channel.Prompt{Kind: channel.RowList, Header: in.Header, Body: in.Body, Footer: in.Footer, Button: in.Button}
	for _, s := range in.Sections {
		p.Sections = append(p.Sections, channel.ChoiceSection{Title: s.Title, Rows: choices(s.Rows)})
	}
	return p
}

func (in *buttonsInput) prompt() *channel.Prompt {
	return &channel.Prompt{Kind: channel.ReplyButtons, Header: in.Header, Body: in.Body, Footer: in.Footer, Buttons: choices(in.Buttons)}
}

func (in *productListInput) prompt() *channel.Prompt {
	p := &channel.Prompt{Kind: channel.ProductList, Header: in.Header, Body: in.Body, Footer: in.Footer, Catalog: in.CatalogID}
	for _, s := range in.Sections {
		part := channel.ChoiceSection{Title: s.Title}
		for _, i := range s.Products {
			part.Products = append(part.Products, i.ProductID)
		}
		p.Sections = append(p.Sections, part)
	}
	return p
}
