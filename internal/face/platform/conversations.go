package platform

import (
	"context"
	"strings"
	"time"

	"parley/internal/conversation"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// step is how many rows one call of the room below returns at most; longer
// pages are put together.
const step = 200

// listConversations answers the inbox, newest message first, by cursor (§2.2).
func (f *Face) listConversations(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	limit, err := r.QueryInt("limit", 50, 1, maxLimit)
	if err != nil {
		return nil, err
	}
	status, err := conversationStatus(r)
	if err != nil {
		return nil, err
	}
	name := "after"
	if r.QueryString(name) == "" {
		name = "before"
	}
	q := conversation.ListQuery{Status: status, Search: r.QueryString("search"), Before: r.QueryString(name),
		Owner: r.QueryString("owner"), Agent: r.QueryString("agent")}
	out := []conversationView{}
	for {
		q.Limit = min(limit-len(out), step)
		items, next, err := f.s.Conversations.List(ctx, r.Principal.Tenant, q)
		if err != nil {
			return nil, fault.Renamed(err, map[string]string{"before": name, "cursor": name})
		}
		for _, c := range items {
			out = append(out, conversationOf(r.Principal.TenantCode, c))
		}
		if q.Before = next; next == "" || len(out) >= limit {
			break
		}
	}
	return httpx.JSON(0, list(out, place{total: -1, limit: limit, more: q.Before != "", next: q.Before})), nil
}

// conversationStatus reads the spellings of a status (§3.22).
func conversationStatus(r *httpx.Request) (string, error) {
	switch v := strings.ToLower(r.QueryString("status")); v {
	case "", "all":
		return "", nil
	case "open", "waiting":
		return conversation.StatusOpen, nil
	case "closed", "resolved":
		return conversation.StatusClosed, nil
	}
	return "", fault.Field("status", "status must be open or closed")
}

// listMessages answers a conversation's messages, oldest first; older pages by
// before (§2.2).
func (f *Face) listMessages(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	limit, err := r.QueryInt("limit", 50, 1, maxLimit)
	if err != nil {
		return nil, err
	}
	q, err := messageQuery(r)
	if err != nil {
		return nil, err
	}
	cid, err := pathID("conversation", r.Param("id"))
	if err != nil {
		return nil, err
	}
	c, err := f.s.Conversations.Get(ctx, r.Principal.Tenant, cid)
	if err != nil {
		return nil, err
	}
	found, more, err := f.messages(ctx, r, cid, q, limit)
	if err != nil {
		return nil, err
	}
	forward := !q.After.IsZero() || !q.AfterID.IsZero()
	out := make([]message, 0, len(found))
	for _, m := range found {
		out = append(out, f.messageView(r, m))
	}
	at := place{total: -1, limit: limit, more: more}
	if more && len(found) > 0 {
		at.next = found[0].ID.String() // to be given back as before
		if forward {
			at.next = found[len(found)-1].ID.String() // as after
		}
	}
	answer := list(out, at)
	answer.Total, answer.Pagination.Total = &c.Messages, &c.Messages
	return httpx.JSON(0, answer), nil
}

// messages puts a page together: the newest before a bound, or with after the
// oldest behind it.
func (f *Face) messages(ctx context.Context, r *httpx.Request, cid id.ID, q conversation.MessageQuery, limit int) (found []conversation.Message, more bool, err error) {
	forward := !q.After.IsZero() || !q.AfterID.IsZero()
	for more = true; more && len(found) < limit; {
		q.Limit = min(limit-len(found), step)
		var items []conversation.Message
		if items, more, err = f.s.Conversations.Messages(ctx, r.Principal.Tenant, cid, q); err != nil || len(items) == 0 {
			return found, more, err
		}
		if forward {
			found = append(found, items...)
			q.AfterID = items[len(items)-1].ID
		} else {
			found = append(items, found...)
			q.BeforeID = items[0].ID
		}
	}
	return found, more, nil
}

// messageQuery reads before and after, each a time or the id of a message.
func messageQuery(r *httpx.Request) (q conversation.MessageQuery, err error) {
	if q.BeforeID, q.Before, err = timeOrMessage(r, "before"); err != nil {
		return q, err
	}
	q.AfterID, q.After, err = timeOrMessage(r, "after")
	return q, err
}

func timeOrMessage(r *httpx.Request, name string) (message id.ID, at time.Time, err error) {
	if message, err = id.Parse(r.QueryString(name)); err == nil {
		return message, at, nil
	}
	if at, err = r.QueryTime(name); err != nil {
		err = fault.Field(name, "%s must be a time such as 2026-01-31T15:04:05Z, or the id of a message", name)
	}
	return id.Zero, at, err
}

// talkPhone is a conversation's phone; on Messenger there is none.
func talkPhone(c conversation.Conversation) string {
	if c.Channel == conversation.DefaultChannel {
		return c.Address
	}
	return ""
}

func conversationOf(code string, c conversation.Conversation) conversationView {
	out := conversationView{
		record: recordOf(code, c.ID, c.CreatedAt, c.UpdatedAt), LeadID: ref(c.Contact), Channel: c.Channel, Phone: talkPhone(c),
		UserName: c.Name, LastMessageAt: stamp(c.LastMessageAt), LastUserMessageAt: stamp(c.LastInboundAt),
		UnreadCount: c.Unread, Status: c.Status, Owner: ownerOf(c.Owner),
	}
	if m := c.Last; m != nil {
		out.LastMessage, out.LastMessageID = m.Text, ref(m.ID)
		out.LastMessageType, out.LastMessageStatus = orNull(m.Kind), orNull(m.Status)
		if out.LastMessageSender = "admin"; m.Direction == conversation.Inbound {
			out.LastMessageSender = "user"
		}
	}
	return out
}
