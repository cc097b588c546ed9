package parley

import (
	"context"
	"encoding/json"
	"iter"
	"time"
)

func unmarshal(b []byte, v any) error { return json.Unmarshal(b, v) }

// unquote reads a JSON text, and says whether it was one.
func unquote(b []byte, s *string) bool {
	return len(b) > 0 && b[0] == '"' && json.Unmarshal(b, s) == nil
}

const conversationPath = chatPath + "/conversations"

// Conversation is a thread with one person (reference §3.13).
type Conversation struct {
	Record
	LeadID            string    `json:"leadId"`
	Channel           string    `json:"channel"`
	Phone             string    `json:"phone"`
	UserName          string    `json:"userName"`
	ProfilePicture    string    `json:"profilePicture"`
	LastMessage       string    `json:"lastMessage"`
	LastMessageID     string    `json:"lastMessageId"`
	LastMessageType   string    `json:"lastMessageType"`
	LastMessageStatus string    `json:"lastMessageStatus"`
	LastMessageSender string    `json:"lastMessageSender"` // admin or user
	LastMessageAt     time.Time `json:"lastMessageAt"`
	LastUserMessageAt time.Time `json:"lastUserMessageAt"` // opens the 24-hour window
	UnreadCount       int       `json:"unreadCount"`
	Status            string    `json:"status"` // open or closed
}

// ConversationFilter selects conversations. After is the NextCursor of the page
// before.
type ConversationFilter struct {
	Status string // open or closed
	Search string
	After  string
	Limit  int
}

// ConversationInput is a conversation to open.
type ConversationInput struct {
	Phone  string `json:"phone"`
	Name   string `json:"name,omitempty"`
	LeadID string `json:"leadId,omitempty"`
}

// Conversations is the inbox.
type Conversations struct{ c *Client }

// List returns conversations, the one with the newest message first.
func (s *Conversations) List(ctx context.Context, f ConversationFilter, opts ...CallOption) (Page[Conversation], error) {
	q := newParams().text("status", f.Status).text("search", f.Search).text("after", f.After).number("limit", f.Limit)
	return list[Conversation](ctx, s.c, conversationPath, q, opts)
}

// All yields every conversation that the filter selects. One that gets a message
// meanwhile moves to the front, which the walk has passed.
func (s *Conversations) All(ctx context.Context, f ConversationFilter, opts ...CallOption) iter.Seq2[Conversation, error] {
	return walk(func(_ int, cursor string) (Page[Conversation], error) {
		f := f
		f.After = firstOf(cursor, f.After)
		p, err := s.List(ctx, f, opts...)
		p.HasMore = p.HasMore && p.NextCursor != "" // without a cursor there is no way on
		return p, err
	})
}

// Retrieve returns a conversation.
func (s *Conversations) Retrieve(ctx context.Context, id string, opts ...CallOption) (Conversation, error) {
	return call[Conversation](ctx, s.c, "GET", at(conversationPath, id), nil, nil, opts)
}

// MessageFilter selects messages. Before is the NextCursor of the page before, a
// message's id or a time.
type MessageFilter struct {
	Before string
	After  string
	Limit  int
}

// Messages returns messages of a conversation, oldest first: the latest ones, or
// those before a cursor.
func (s *Conversations) Messages(ctx context.Context, id string, f MessageFilter, opts ...CallOption) (Page[Message], error) {
	q := newParams().text("before", f.Before).text("after", f.After).number("limit", f.Limit)
	return list[Message](ctx, s.c, at(conversationPath, id, "messages"), q, opts)
}

// Create opens a conversation, or returns the one that the phone has.
func (s *Conversations) Create(ctx context.Context, in ConversationInput, opts ...CallOption) (Conversation, error) {
	return call[Conversation](ctx, s.c, "POST", conversationPath, nil, in, opts)
}

// LinkLead ties a conversation to a lead.
func (s *Conversations) LinkLead(ctx context.Context, id, leadID string, opts ...CallOption) (Conversation, error) {
	return call[Conversation](ctx, s.c, "POST", at(conversationPath, id, "link-lead"), nil, map[string]string{"leadId": leadID}, opts)
}

// MarkRead clears the number of unread messages.
func (s *Conversations) MarkRead(ctx context.Context, id string, opts ...CallOption) error {
	return perform(ctx, s.c, "POST", at(conversationPath, id, "read"), nil, opts)
}

// Delete removes a conversation and its messages.
func (s *Conversations) Delete(ctx context.Context, id string, opts ...CallOption) error {
	return perform(ctx, s.c, "DELETE", at(conversationPath, id), nil, opts)
}

// BulkDelete removes conversations and returns how many it found.
func (s *Conversations) BulkDelete(ctx context.Context, ids []string, opts ...CallOption) (int, error) {
	return bulkDelete(ctx, s.c, conversationPath+"/bulk-delete", ids, opts)
}

const templatePath = chatPath + "/templates"

// Template is a message template (reference §3.15).
type Template struct {
	Record
	Name              string            `json:"name"`
	Language          string            `json:"language"`
	Channel           string            `json:"channel"`
	Status            string            `json:"status"` // APPROVED, PENDING, REJECTED, PAUSED or DISABLED
	Category          string            `json:"category"`
	HeaderType        string            `json:"headerType"`
	HeaderText        string            `json:"headerText"`
	BodyText          string            `json:"bodyText"`
	FooterText        string            `json:"footerText"`
	Buttons           []map[string]any  `json:"buttons"`
	Components        json.RawMessage   `json:"components"`
	TemplateID        string            `json:"templateId"`
	VariablesCount    int               `json:"variablesCount"`
	VariablePositions []int             `json:"variablePositions"`
	VariableMapping   []VariableMapping `json:"variableMapping"`
	OnEmptyVariable   string            `json:"onEmptyVariable"`
	MappingStatus     string            `json:"mappingStatus"`
	LastSyncedAt      time.Time         `json:"lastSyncedAt"`
	IsActive          bool              `json:"isActive"`
}

// VariableMapping says where a template's variable comes from.
type VariableMapping struct {
	Position       int    `json:"position"`
	OriginalIndex  int    `json:"originalIndex,omitempty"`
	ComponentType  string `json:"componentType,omitempty"`
	ComponentIndex int    `json:"componentIndex,omitempty"`
	Label          string `json:"label,omitempty"`
	Source         string `json:"source"` // crm, static, computed, system, manual or trigger
	Collection     string `json:"collection,omitempty"`
	Field          string `json:"field,omitempty"`
	StaticValue    string `json:"staticValue,omitempty"`
	Formula        string `json:"formula,omitempty"`
	Fallback       string `json:"fallback,omitempty"`
	Required       bool   `json:"required,omitempty"`
	Transform      string `json:"transform,omitempty"`
}

// TemplateFilter selects templates.
type TemplateFilter struct {
	Status, MappingStatus, Channel string
	Page, Limit                    int
}

// TemplateSync tells what a synchronisation did.
type TemplateSync struct {
	Synced   int      `json:"synced"`
	Updated  int      `json:"updated"`
	Outdated []string `json:"outdated"`
	New      []string `json:"new"`
	Removed  []string `json:"removed"`
}

// Templates holds message templates.
type Templates struct{ c *Client }

// List returns templates.
func (s *Templates) List(ctx context.Context, f TemplateFilter, opts ...CallOption) (Page[Template], error) {
	q := newParams().text("status", f.Status).text("mappingStatus", f.MappingStatus).text("channel", f.Channel).number("page", f.Page).number("limit", f.Limit)
	return list[Template](ctx, s.c, templatePath, q, opts)
}

// Sync fetches the templates from the provider.
func (s *Templates) Sync(ctx context.Context, opts ...CallOption) (TemplateSync, error) {
	return call[TemplateSync](ctx, s.c, "POST", templatePath+"/sync", nil, nil, opts)
}

// Retrieve returns a template by its name or id.
func (s *Templates) Retrieve(ctx context.Context, nameOrID string, opts ...CallOption) (Template, error) {
	return call[Template](ctx, s.c, "GET", at(templatePath, nameOrID), nil, nil, opts)
}

// SetMapping says where a template's variables come from. onEmpty is skip_send,
// use_fallback or send_anyway; "" leaves it.
func (s *Templates) SetMapping(ctx context.Context, name string, mappings []VariableMapping, onEmpty string, opts ...CallOption) (Template, error) {
	in := struct {
		Mappings        []VariableMapping `json:"mappings"`
		OnEmptyVariable string            `json:"onEmptyVariable,omitempty"`
	}{mappings, onEmpty}
	return call[Template](ctx, s.c, "PUT", at(templatePath, name, "mapping"), nil, in, opts)
}
