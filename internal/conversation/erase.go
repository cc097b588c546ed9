package conversation

import (
	"database/sql"
	"slices"

	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/outbox/ledger"
	"parley/internal/store"
)

// eraseIn takes the conversations of a person away, and those with nobody at its
// addresses: whatever waits to be sent in them is not sent any more. Their messages
// are nobody's from now on and go with purgeIn.
func (s *Service) eraseIn(tx *store.Tx, e contact.Erased) error {
	all, err := s.toErase(tx, e)
	if err != nil || len(all) == 0 {
		return err
	}
	places := make([]string, len(all))
	for i, c := range all {
		places[i] = c.Channel + ":" + c.Address
	}
	if err := tx.Lock("conversation", places...); err != nil {
		return err
	}
	if all, err = s.toErase(tx, e); err != nil { // behind their locks
		return err
	}
	for _, c := range all {
		if err := ledger.CancelIn(tx, c.ID); err != nil {
			return err
		}
		if _, err := tx.Exec("INSERT INTO conversation_gone (tenant_id, conversation_id, contact_id) VALUES (?,?,?)", c.ID, e.Contact); err != nil {
			return err
		}
		for _, q := range []string{"DELETE FROM conversation_owner_log WHERE tenant_id=? AND conversation_id=?", "DELETE FROM conversation WHERE tenant_id=? AND id=?"} {
			if _, err := tx.Exec(q, c.ID); err != nil {
				return err
			}
		}
		if err := s.contacts.GoneIn(tx, c.Channel, c.Address); err != nil {
			return err
		}
		if _, err := s.log.Append(tx, event.New{Type: "conversation.deleted", Subject: c.ID, Contact: e.Contact, Actor: e.Actor}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) toErase(r store.Reader, e contact.Erased) ([]Conversation, error) {
	all, err := conversationsOf(r, e.Contact)
	if err != nil {
		return nil, err
	}
	for kind := range s.channels {
		ident := s.identityOf(kind)
		for _, a := range e.Addresses {
			if a.Kind != ident || !a.Claimed {
				continue
			}
			c, found, err := conversationByAddress(r, kind, a.Value)
			if err != nil {
				return nil, err
			}
			if found && c.Contact.IsZero() {
				all = append(all, c)
			}
		}
	}
	slices.SortFunc(all, func(a, b Conversation) int { return compareTexts(a.Channel+":"+a.Address, b.Channel+":"+b.Address) })
	return all, nil
}

// purgeIn takes at most limit messages of erased conversations away, with their
// files, their carts and what the outbox holds of them.
func (s *Service) purgeIn(tx *store.Tx, e contact.Erased, limit int) (int, error) {
	rows, err := tx.Query("SELECT conversation_id FROM conversation_gone WHERE tenant_id=? AND contact_id=? ORDER BY conversation_id", e.Contact)
	gone, err := store.Collect(rows, err, func(rows *sql.Rows) (v id.ID, err error) { return v, rows.Scan(&v) })
	if err != nil {
		return 0, err
	}
	done := 0
	for _, c := range gone {
		n, err := s.purgeOne(tx, c, limit-done)
		if err != nil {
			return done, err
		}
		if done += n; done >= limit {
			return done, nil
		}
		if _, err := tx.Exec("DELETE FROM conversation_gone WHERE tenant_id=? AND contact_id=? AND conversation_id=?", e.Contact, c); err != nil {
			return done, err
		}
	}
	return done, nil
}

func (s *Service) purgeOne(tx *store.Tx, conversation id.ID, limit int) (done int, err error) {
	type one struct{ message, file id.ID }
	for done < limit {
		// Behind the index message_by_conversation.
		rows, err := tx.Query("SELECT id, media_id FROM message WHERE tenant_id=? AND conversation_id=? ORDER BY created_at, id LIMIT ?", conversation, min(limit-done, eraseChunk))
		list, err := store.Collect(rows, err, func(rows *sql.Rows) (v one, err error) { return v, rows.Scan(&v.message, &v.file) })
		if err != nil || len(list) == 0 {
			return done, err
		}
		var ids []id.ID
		var keys []string
		for _, v := range list {
			ids, keys = append(ids, v.message), append(keys, v.message.String())
		}
		if err := tx.Lock("message", keys...); err != nil {
			return done, err
		}
		in, args := contact.Among(ids)
		if _, err := tx.Exec("DELETE FROM message_order WHERE tenant_id=? AND message_id IN "+in, args...); err != nil {
			return done, err
		}
		if err := ledger.ForgetIn(tx, in, args); err != nil {
			return done, err
		}
		if _, err := tx.Exec("DELETE FROM message WHERE tenant_id=? AND id IN "+in, args...); err != nil {
			return done, err
		}
		for _, v := range list {
			if v.file.IsZero() {
				continue
			}
			if err := s.files.DropIn(tx, v.file); err != nil {
				return done, err
			}
		}
		done += len(list)
	}
	return done, nil
}

// eraseChunk bounds the messages of one statement.
const eraseChunk = 256

// thereIn makes sure that whoever was to be locked is still there: on PostgreSQL
// somebody may have been erased while we waited. NotFound.
func (s *Service) thereIn(tx *store.Tx, who id.ID) error {
	if who.IsZero() || tx.Dialect() == store.SQLite {
		return nil
	}
	at, err := s.contacts.ErasedAt(tx, who)
	if err == nil && !at.IsZero() {
		err = fault.Unknown("contact")
	}
	return err
}
