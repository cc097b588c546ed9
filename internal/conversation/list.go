package conversation

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Bounds of a page.
const (
	defaultPage = 50
	maxPage     = 200
)

func pageSize(limit int) int {
	if limit <= 0 {
		return defaultPage
	}
	return min(limit, maxPage)
}

// List returns conversations, the most recent first, and a cursor for those
// that follow, "" when there are none. A conversation without messages counts
// from its creation.
func (s *Service) List(ctx context.Context, tenantID id.ID, q ListQuery) ([]Conversation, string, error) {
	limit := pageSize(q.Limit)
	where, args := "tenant_id=?", []any{}
	if q.Status != "" {
		status, err := conversationStatus(q.Status)
		if err != nil {
			return nil, "", err
		}
		where += " AND status=?"
		args = append(args, status)
	}
	if q.Owner != "" {
		if q.Owner != OwnerBot && q.Owner != OwnerQueue && q.Owner != OwnerAgent {
			return nil, "", fault.Field("owner", "owner must be bot, queue or agent")
		}
		where += " AND owner_kind=?" // behind the index conversation_owned
		args = append(args, q.Owner)
	}
	if q.Agent != "" {
		where += " AND owner_kind='agent' AND owner_agent=?"
		args = append(args, q.Agent)
	}
	if q.Search != "" {
		where += ` AND (LOWER(name) LIKE ? ESCAPE '\' OR address LIKE ? ESCAPE '\')`
		args = append(args, contains(strings.ToLower(q.Search)), contains(digits(q.Search)))
	}
	if q.Before != "" {
		at, after, err := parseCursor(q.Before)
		if err != nil {
			return nil, "", err
		}
		where += " AND (last_message_at<? OR (last_message_at=? AND id<?))"
		args = append(args, at, at, after.String())
	}
	r := s.db.Read(ctx, tenantID)
	rows, err := r.Query("SELECT "+conversationColumns+ownerColumns+" FROM conversation WHERE "+where+" ORDER BY last_message_at DESC, id DESC LIMIT ?", append(args, limit+1)...)
	items, err := store.Collect(rows, err, func(rows *sql.Rows) (Conversation, error) { return scanConversation(rows) })
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(items) > limit {
		items = items[:limit]
		last := items[limit-1]
		next = strconv.FormatInt(last.LastMessageAt.UnixMilli(), 10) + "." + last.ID.String()
	}
	return items, next, fillLast(r, items)
}

// parseCursor reads a cursor of List, or an ISO time, which stands before every
// conversation of that moment.
func parseCursor(s string) (time.Time, id.ID, error) {
	if ms, tail, ok := strings.Cut(s, "."); ok {
		n, err1 := strconv.ParseInt(ms, 10, 64)
		after, err2 := id.Parse(tail)
		if err1 == nil && err2 == nil {
			return time.UnixMilli(n), after, nil
		}
	}
	if at, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return at, id.Zero, nil
	}
	return time.Time{}, id.Zero, fault.Field("after", "the cursor must be one that an earlier page returned as nextCursor, or an ISO 8601 time")
}

func conversationStatus(s string) (string, error) {
	switch strings.ToLower(s) {
	case StatusOpen, "waiting":
		return StatusOpen, nil
	case StatusClosed, "resolved":
		return StatusClosed, nil
	}
	return "", fault.Field("status", "the status must be open or closed")
}

func contains(s string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s) + "%"
}

// digits takes out of a phone number what people write between its digits;
// anything else stays as it is.
func digits(s string) string {
	bare := strings.NewReplacer("+", "", " ", "", "-", "", "(", "", ")", "").Replace(s)
	if bare == "" || strings.Trim(bare, "0123456789") != "" {
		return s
	}
	return bare
}

// fillLast reads the last messages of a page of conversations.
func fillLast(r store.Reader, items []Conversation) error {
	var ids []id.ID
	for _, c := range items {
		if c.Last != nil {
			ids = append(ids, c.Last.ID)
		}
	}
	last, err := messagesByID(r, ids)
	if err != nil {
		return err
	}
	for i := range items {
		if items[i].Last == nil {
			continue
		}
		if m, ok := last[items[i].Last.ID]; ok {
			m = m.shown()
			items[i].Last = &m
		} else {
			items[i].Last = nil
		}
	}
	return nil
}

// Get returns a conversation, or fault.Unknown("conversation").
func (s *Service) Get(ctx context.Context, tenantID, conversation id.ID) (Conversation, error) {
	return filled(s.db.Read(ctx, tenantID), conversation)
}

func filled(r store.Reader, conversation id.ID) (Conversation, error) {
	c, err := conversationByID(r, conversation)
	if err != nil {
		return c, err
	}
	one := []Conversation{c}
	err = fillLast(r, one)
	return one[0], err
}

// Message returns a message, or fault.Unknown("message").
func (s *Service) Message(ctx context.Context, tenantID, message id.ID) (Message, error) {
	return s.MessageIn(s.db.Read(ctx, tenantID), message)
}

// MessageIn is Message within a transaction or a read.
func (s *Service) MessageIn(r store.Reader, message id.ID) (Message, error) {
	m, found, err := messageByID(r, message)
	if err == nil && !found {
		err = fault.Unknown("message")
	}
	return s.linked(r, m.shown()), err
}

// linked gives a message the link to its file.
func (s *Service) linked(r store.Reader, m Message) Message {
	if m.Media != nil && !m.Media.File.IsZero() {
		m.Media.Link = s.files.Link(r.Tenant(), m.Media.File)
	}
	return m
}

// Messages returns messages of a conversation, oldest first. Without After they
// are the newest before the bound; with After or AfterID the oldest behind it. more tells
// whether further messages follow in that direction.
func (s *Service) Messages(ctx context.Context, tenantID, conversation id.ID, q MessageQuery) (items []Message, more bool, err error) {
	r := s.db.Read(ctx, tenantID)
	if _, err := conversationByID(r, conversation); err != nil {
		return nil, false, err
	}
	where, args := "tenant_id=? AND conversation_id=?", []any{conversation}
	if !q.BeforeID.IsZero() {
		bound, err := boundIn(r, "before", conversation, q.BeforeID)
		if err != nil {
			return nil, false, err
		}
		where += " AND (created_at<? OR (created_at=? AND id<?))"
		args = append(args, bound.CreatedAt, bound.CreatedAt, bound.ID)
	} else if !q.Before.IsZero() {
		where += " AND created_at<?"
		args = append(args, q.Before)
	}
	order := " ORDER BY created_at DESC, id DESC LIMIT ?"
	forward := !q.After.IsZero() || !q.AfterID.IsZero()
	if forward {
		order = " ORDER BY created_at, id LIMIT ?"
	}
	if !q.AfterID.IsZero() {
		bound, err := boundIn(r, "after", conversation, q.AfterID)
		if err != nil {
			return nil, false, err
		}
		where += " AND (created_at>? OR (created_at=? AND id>?))"
		args = append(args, bound.CreatedAt, bound.CreatedAt, bound.ID)
	} else if forward {
		where += " AND created_at>?"
		args = append(args, q.After)
	}
	limit := pageSize(q.Limit)
	rows, err := r.Query("SELECT "+messageColumns+" FROM message WHERE "+where+order, append(args, limit+1)...)
	items, err = store.Collect(rows, err, func(rows *sql.Rows) (Message, error) {
		m, err := scanMessage(rows)
		return s.linked(r, m.shown()), err
	})
	if err != nil {
		return nil, false, err
	}
	if more = len(items) > limit; more {
		items = items[:limit]
	}
	if !forward {
		slices.Reverse(items)
	}
	return items, more, nil
}

// boundIn reads the message from which a page begins.
func boundIn(r store.Reader, field string, conversation, message id.ID) (Message, error) {
	m, found, err := messageByID(r, message)
	if err == nil && (!found || m.Conversation != conversation) {
		err = fault.Field(field, "%s names no message of this conversation", field)
	}
	return m, err
}
