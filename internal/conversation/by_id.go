package conversation

import (
	"database/sql"
	"slices"

	"parley/internal/channel"
	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Exchange is a message with the conversation that it belongs to and our account
// in it; a conversation without an account has the zero one.
type Exchange struct {
	Message      Message
	Conversation Conversation
	Account      channel.Account
}

// ByID returns messages with their conversations, by the message's id, by one
// query for each hundred and one for each account; unknown ids are left out.
func (s *Service) ByID(r store.Reader, ids []id.ID) (map[id.ID]Exchange, error) {
	found, err := messagesByID(r, ids)
	if err != nil {
		return nil, err
	}
	var want []id.ID
	for _, m := range found {
		want = append(want, m.Conversation)
	}
	slices.SortFunc(want, func(a, b id.ID) int { return slices.Compare(a[:], b[:]) })
	convs := map[id.ID]Conversation{}
	for part := range slices.Chunk(slices.Compact(want), 500) {
		in, args := contact.Among(part)
		rows, err := r.Query("SELECT "+conversationColumns+ownerColumns+" FROM conversation WHERE tenant_id=? AND id IN "+in, args...)
		list, err := store.Collect(rows, err, func(rows *sql.Rows) (Conversation, error) { return scanConversation(rows) })
		if err != nil {
			return nil, err
		}
		for _, c := range list {
			convs[c.ID] = c
		}
	}
	accounts := map[id.ID]channel.Account{}
	for _, c := range convs {
		if _, done := accounts[c.Account]; done || c.Account.IsZero() {
			continue
		}
		a, err := s.accounts.Get(r, c.Account)
		if err != nil && fault.As(err) == nil {
			return nil, err
		}
		accounts[c.Account] = a
	}
	out := make(map[id.ID]Exchange, len(found))
	for mid, m := range found {
		if c, ok := convs[m.Conversation]; ok {
			out[mid] = Exchange{s.linked(r, m.shown()), c, accounts[c.Account]}
		}
	}
	return out, nil
}
