package platform

import (
	"context"
	"fmt"
	"net/http"

	"parley/internal/conversation"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// conversation answers one conversation (§2.2); README assigns the whole
// result, hence the dual envelope.
func (f *Face) conversation(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	cid, err := pathID("conversation", r.Param("id"))
	if err != nil {
		return nil, err
	}
	c, err := f.s.Conversations.Get(ctx, r.Principal.Tenant, cid)
	return oneConversation(r, c, err)
}

func oneConversation(r *httpx.Request, c conversation.Conversation, err error) (*httpx.Response, error) {
	if err != nil {
		return nil, err
	}
	return dual(conversationOf(r.Principal.TenantCode, c))
}

// createConversation opens the conversation with a phone: 200 for one that there
// was, 201 for a new one (§2.2).
func (f *Face) createConversation(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in conversationInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	phone := value(first(in.Phone, in.To))
	if phone == "" {
		return nil, fault.Missing("phone")
	}
	if err := f.checkPhone(ctx, r, "phone", phone); err != nil {
		return nil, err
	}
	lead, err := bodyID("contact", "leadId", value(first(in.LeadID, in.Lead)))
	if err != nil {
		return nil, err
	}
	c, created, err := f.s.Conversations.Open(ctx, r.Principal.Tenant, actor(r), conversation.Open{Phone: phone, Name: in.name(), Contact: lead})
	if err != nil {
		return nil, elsewhere(err, "contact", "leadId")
	}
	if !created && !lead.IsZero() && c.Contact.IsZero() {
		if c, err = f.s.Conversations.Link(ctx, r.Principal.Tenant, actor(r), c.ID, lead); err != nil {
			return nil, err
		}
	}
	answer, err := oneConversation(r, c, nil)
	if err == nil && created {
		answer.Status = http.StatusCreated
	}
	return answer, err
}

// linkLead says whose conversation it is: a lead's, or without leadId that of
// whoever has its phone, who is created if need be (§2.2).
func (f *Face) linkLead(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	cid, err := pathID("conversation", r.Param("id"))
	if err != nil {
		return nil, err
	}
	var in conversationInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	lead, err := bodyID("contact", "leadId", value(first(in.LeadID, in.Lead)))
	if err != nil {
		return nil, err
	}
	if lead.IsZero() {
		c, err := f.s.Conversations.LinkNew(ctx, r.Principal.Tenant, actor(r), cid, in.name(), value(in.Email))
		return oneConversation(r, c, fault.Renamed(err, map[string]string{"firstName": "name", "lastName": "name"}))
	}
	c, err := f.s.Conversations.Link(ctx, r.Principal.Tenant, actor(r), cid, lead)
	return oneConversation(r, c, elsewhere(err, "contact", "leadId"))
}

// updateConversation closes or reopens a conversation. The reference has the
// status and no route for it: this one is ours.
func (f *Face) updateConversation(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	cid, err := pathID("conversation", r.Param("id"))
	if err != nil {
		return nil, err
	}
	var in conversationInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if in.Status == nil {
		return nil, fault.Missing("status")
	}
	c, err := f.s.Conversations.SetStatus(ctx, r.Principal.Tenant, actor(r), cid, *in.Status)
	return oneConversation(r, c, err)
}

// markRead takes the id of a conversation or of a message under every one of its
// paths (§2.1, §6 row 49).
func (f *Face) markRead(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	any, err := pathID("message", r.Param("id"))
	if err != nil {
		return nil, err
	}
	c, err := f.s.Conversations.MarkRead(ctx, r.Principal.Tenant, actor(r), any)
	if err == nil {
		return dual(conversationOf(r.Principal.TenantCode, c))
	}
	if e := fault.As(err); e == nil || e.Code != fault.NotFound {
		return nil, err
	}
	m, err := f.s.Conversations.MarkMessageRead(ctx, r.Principal.Tenant, actor(r), any)
	if err != nil {
		return nil, err
	}
	return dual(readMessage{f.messageView(r, m), m.ID})
}

// readMessage is a message with the second spelling of its id (§2.1).
type readMessage struct {
	message
	MessageID id.ID `json:"messageId"`
}

func (f *Face) deleteConversation(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	cid, err := pathID("conversation", r.Param("id"))
	if err != nil {
		return nil, err
	}
	n, err := f.s.Conversations.Delete(ctx, r.Principal.Tenant, actor(r), []id.ID{cid})
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, fault.Unknown("conversation")
	}
	return told("the conversation and its messages were deleted", nil)
}

// maxDeletes bounds the ids of one request.
const maxDeletes = 1000

// deletedView is the answer to bulk-delete.
type deletedView struct {
	Deleted int `json:"deleted"`
}

// deleteConversations answers both spellings of bulkDelete (§2.2). Ids that are
// no conversation of the tenant's are passed over.
func (f *Face) deleteConversations(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	texts, err := idList(r, "conversationIds")
	if err != nil {
		return nil, err
	}
	if len(texts) == 0 {
		return nil, fault.Missing("ids")
	}
	if len(texts) > maxDeletes {
		return nil, fault.Field("ids", "delete at most %d conversations at once", maxDeletes)
	}
	var ids []id.ID
	for _, s := range texts {
		if cid, err := id.Parse(s); err == nil {
			ids = append(ids, cid)
		}
	}
	n, err := f.s.Conversations.Delete(ctx, r.Principal.Tenant, actor(r), ids)
	if err != nil {
		return nil, err
	}
	return httpx.JSON(0, struct {
		success
		deletedView
	}{success{true, fmt.Sprintf("%d conversations were deleted", n), deletedView{n}}, deletedView{n}}), nil
}

// conversationOwner answers who owns a conversation and how that came (ours).
func (f *Face) conversationOwner(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	cid, err := pathID("conversation", r.Param("id"))
	if err != nil {
		return nil, err
	}
	c, err := f.s.Conversations.Get(ctx, r.Principal.Tenant, cid)
	if err != nil {
		return nil, err
	}
	moves, err := f.s.Conversations.OwnerHistory(ctx, r.Principal.Tenant, cid)
	if err != nil {
		return nil, err
	}
	out := ownerAnswer{ownerOf(c.Owner), []ownerMoveView{}}
	for _, m := range moves {
		from := ownerOf(m.From)
		from.Version = m.Version - 1
		out.History = append(out.History, ownerMoveView{m.Version, m.Move, from, ownerOf(m.To), m.Actor, stamp(m.At)})
	}
	return ok(out)
}

// moveConversation moves a conversation's owner (ours). Of several who take it
// at once one succeeds; the others are told who has it.
func (f *Face) moveConversation(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	cid, err := pathID("conversation", r.Param("id"))
	if err != nil {
		return nil, err
	}
	var in moveInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if value(in.Action) == "" {
		return nil, fault.Missing("action")
	}
	c, err := f.s.Conversations.Move(ctx, r.Principal.Tenant, actor(r), cid,
		conversation.Move{Do: *in.Action, Agent: value(first(in.Agent, in.AgentID)), Version: in.Version})
	return oneConversation(r, c, err)
}

func ownerOf(o conversation.Owner) ownerView {
	return ownerView{o.Kind, orNull(o.Agent), stamp(o.Since), o.Version}
}
