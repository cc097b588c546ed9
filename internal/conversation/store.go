package conversation

import (
	"database/sql"
	"fmt"
	"strings"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

type scanner interface{ Scan(...any) error }

const conversationColumns = "id, contact_id, channel, account_id, address, name, status, unread, messages, last_message_id, last_message_at, last_inbound_at, created_at, updated_at"

// ownerColumns are read with the others and written by MoveIn alone.
const ownerColumns = ", owner_kind, owner_agent, owner_since, owner_version"

func scanConversation(row scanner) (Conversation, error) {
	var c Conversation
	var last id.ID
	err := row.Scan(&c.ID, &c.Contact, &c.Channel, &c.Account, &c.Address, &c.Name, &c.Status, &c.Unread, &c.Messages, &last,
		store.Time(&c.LastMessageAt), store.Time(&c.LastInboundAt), store.Time(&c.CreatedAt), store.Time(&c.UpdatedAt),
		&c.Owner.Kind, &c.Owner.Agent, store.Time(&c.Owner.Since), &c.Owner.Version)
	if !last.IsZero() {
		c.Last = &Message{ID: last}
	}
	return c, err
}

const messageColumns = "id, conversation_id, contact_id, direction, kind, text, media, template, provider_id, reply_to, reply_to_provider, sent_by, status, history, error, reactions, metadata, media_id, created_at, updated_at"

func scanMessage(row scanner) (Message, error) {
	var m Message
	var file id.ID
	err := row.Scan(&m.ID, &m.Conversation, &m.Contact, &m.Direction, &m.Kind, &m.Text, store.JSON(&m.Media), store.JSON(&m.Template),
		store.Text(&m.ProviderID), &m.ReplyTo, store.Text(&m.ReplyToProvider), &m.SentBy, &m.Status, store.JSON(&m.History),
		store.JSON(&m.Error), store.JSON(&m.Reactions), store.JSON(&m.Metadata), &file, store.Time(&m.CreatedAt), store.Time(&m.UpdatedAt))
	if m.Media != nil {
		m.Media.File = file
	}
	return m, err
}

// orNull stores a nil pointer, slice or map as NULL.
func orNull[T any](present bool, v T) any {
	if !present {
		return nil
	}
	return store.JSON(v)
}

// insertMessage stores m. It reports false when the provider's id is known
// already, and then changes nothing.
func insertMessage(tx *store.Tx, m Message) (bool, error) {
	n, err := tx.Exec(`INSERT INTO message (tenant_id, `+messageColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
		ON CONFLICT (tenant_id, provider_id) WHERE provider_id IS NOT NULL DO NOTHING`,
		m.ID, m.Conversation, m.Contact, m.Direction, m.Kind, m.Text, orNull(m.Media != nil, m.Media), orNull(m.Template != nil, m.Template),
		store.NullText(m.ProviderID), m.ReplyTo, store.NullText(m.ReplyToProvider), m.SentBy, m.Status, store.JSON(m.History),
		orNull(m.Error != nil, m.Error), orNull(len(m.Reactions) > 0, m.Reactions), orNull(len(m.Metadata) > 0, m.Metadata), m.file(), m.CreatedAt, m.UpdatedAt)
	if err != nil {
		return false, fmt.Errorf("conversation: store a message: %w", err)
	}
	return n == 1, nil
}

// file is the file of m that is kept here, zero when there is none.
func (m Message) file() id.ID {
	if m.Media == nil {
		return id.Zero
	}
	return m.Media.File
}

// saveMessage writes what can change of a stored message.
func saveMessage(tx *store.Tx, m Message) error {
	_, err := tx.Exec("UPDATE message SET provider_id=?, status=?, history=?, error=?, reactions=?, metadata=?, media=?, media_id=?, updated_at=? WHERE tenant_id=? AND id=?",
		store.NullText(m.ProviderID), m.Status, store.JSON(m.History), orNull(m.Error != nil, m.Error),
		orNull(len(m.Reactions) > 0, m.Reactions), orNull(len(m.Metadata) > 0, m.Metadata),
		orNull(m.Media != nil, m.Media), m.file(), tx.Now(), m.ID)
	if err != nil {
		return fmt.Errorf("conversation: change a message: %w", err)
	}
	return nil
}

// somewhere leaves out messages whose conversation is gone: those of erased people
// that a job has yet to take away.
const somewhere = " AND EXISTS (SELECT 1 FROM conversation c WHERE c.tenant_id=message.tenant_id AND c.id=message.conversation_id)"

// messageByID returns a stored message, with the tombstones of its reactions.
func messageByID(r store.Reader, message id.ID) (Message, bool, error) {
	m, err := scanMessage(r.QueryRow("SELECT "+messageColumns+" FROM message WHERE tenant_id=? AND id=?"+somewhere, message))
	found, err := store.Found(err)
	return m, found, err
}

func conversationByID(r store.Reader, conversation id.ID) (Conversation, error) {
	c, err := scanConversation(r.QueryRow("SELECT "+conversationColumns+ownerColumns+" FROM conversation WHERE tenant_id=? AND id=?", conversation))
	found, err := store.Found(err)
	if err == nil && !found {
		err = fault.Unknown("conversation")
	}
	return c, err
}

func conversationByAddress(r store.Reader, channel, address string) (Conversation, bool, error) {
	c, err := scanConversation(r.QueryRow("SELECT "+conversationColumns+ownerColumns+" FROM conversation WHERE tenant_id=? AND channel=? AND address=?", channel, address))
	found, err := store.Found(err)
	return c, found, err
}

// saveConversation inserts c or writes what can change of it.
func saveConversation(tx *store.Tx, c Conversation) error {
	var last id.ID
	if c.Last != nil {
		last = c.Last.ID
	}
	_, err := tx.Exec(`INSERT INTO conversation (tenant_id, `+conversationColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
		ON CONFLICT (tenant_id, id) DO UPDATE SET contact_id=excluded.contact_id, account_id=excluded.account_id, name=excluded.name,
		status=excluded.status, unread=excluded.unread, messages=excluded.messages, last_message_id=excluded.last_message_id,
		last_message_at=excluded.last_message_at, last_inbound_at=excluded.last_inbound_at, updated_at=excluded.updated_at`,
		c.ID, c.Contact, c.Channel, c.Account, c.Address, c.Name, c.Status, c.Unread, c.Messages, last,
		c.LastMessageAt, c.LastInboundAt, c.CreatedAt, tx.Now())
	if err != nil {
		return fmt.Errorf("conversation: store: %w", err)
	}
	return nil
}

// messageIDs finds messages by texts of a column and returns their ids by text.
func messageIDs(r store.Reader, column string, values []string) (map[string]id.ID, error) {
	out := make(map[string]id.ID, len(values))
	for len(values) > 0 {
		part := values[:min(len(values), 100)]
		values = values[len(part):]
		args := make([]any, len(part))
		for i, v := range part {
			args[i] = v
		}
		type pair struct {
			text string
			id   id.ID
		}
		rows, err := r.Query("SELECT "+column+", id FROM message WHERE tenant_id=? AND "+column+" IN ("+places(len(part))+")", args...)
		found, err := store.Collect(rows, err, func(rows *sql.Rows) (p pair, err error) {
			err = rows.Scan(&p.text, &p.id)
			return p, err
		})
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			out[p.text] = p.id
		}
	}
	return out, nil
}

// messagesByID returns stored messages by id, with the tombstones of their
// reactions; unknown ids are left out.
func messagesByID(r store.Reader, ids []id.ID) (map[id.ID]Message, error) {
	out := make(map[id.ID]Message, len(ids))
	for len(ids) > 0 {
		part := ids[:min(len(ids), 100)]
		ids = ids[len(part):]
		args := make([]any, len(part))
		for i, v := range part {
			args[i] = v
		}
		rows, err := r.Query("SELECT "+messageColumns+" FROM message WHERE tenant_id=? AND id IN ("+places(len(part))+")"+somewhere, args...)
		found, err := store.Collect(rows, err, func(rows *sql.Rows) (Message, error) { return scanMessage(rows) })
		if err != nil {
			return nil, err
		}
		for _, m := range found {
			out[m.ID] = m
		}
	}
	return out, nil
}

func places(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }

// shown leaves out the reactions that were taken back; they are kept so that a
// late repetition cannot bring them back.
func (m Message) shown() Message {
	var live []Reaction
	for _, r := range m.Reactions {
		if r.Emoji != "" {
			live = append(live, r)
		}
	}
	m.Reactions = live
	return m
}
