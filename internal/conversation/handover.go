package conversation

import (
	"parley/internal/id"
	"parley/internal/store"
)

// lockedIn returns one message under its locks; found is false when it was
// deleted meanwhile.
func (s *Service) lockedIn(tx *store.Tx, message id.ID) (m Message, kind string, found bool, err error) {
	all, err := s.lockMessagesIn(tx, []id.ID{message})
	if err != nil {
		return m, "", false, err
	}
	if m, found = all[message]; !found {
		return m, "", false, nil
	}
	err = tx.QueryRow("SELECT channel FROM conversation WHERE tenant_id=? AND id=?", m.Conversation).Scan(&kind)
	return m, kind, true, err
}

// LockIn takes the locks of a message, before the outbox changes its row.
func (s *Service) LockIn(tx *store.Tx, message id.ID) error {
	_, err := s.lockMessagesIn(tx, []id.ID{message})
	return err
}

// AcceptedIn records that the provider took a message. Only the outbox calls it.
func (s *Service) AcceptedIn(tx *store.Tx, actor string, message id.ID, providerID string) error {
	m, kind, found, err := s.lockedIn(tx, message)
	if err != nil || !found {
		return err
	}
	return s.applyIn(tx, actor, kind, &m, news{status: Sent, providerID: providerID, at: tx.Now()})
}

// FailedIn records that a message will not be sent. Only the outbox calls it.
func (s *Service) FailedIn(tx *store.Tx, actor string, message id.ID, why SendFailure) error {
	m, kind, found, err := s.lockedIn(tx, message)
	if err != nil || !found {
		return err
	}
	return s.applyIn(tx, actor, kind, &m, news{status: Failed, at: tx.Now(), why: &why})
}

// UncertainIn notes on a message that nobody knows whether the provider took
// it, or with a nil why that this is settled and it waits again. The status
// stays queued. Only the outbox calls it.
func (s *Service) UncertainIn(tx *store.Tx, actor string, message id.ID, why *SendFailure) error {
	m, _, found, err := s.lockedIn(tx, message)
	if err != nil || !found || m.Status != Queued {
		return err
	}
	if why == nil && m.Error == nil || why != nil && m.Error != nil && *why == *m.Error {
		return nil
	}
	m.Error = why
	if err := saveMessage(tx, m); err != nil {
		return err
	}
	return s.tellIn(tx, actor, "message.updated", m, "error")
}

// ReplyTarget returns the provider's id of a message, for one that answers it.
func (s *Service) ReplyTarget(r store.Reader, message id.ID) (string, error) {
	var p string
	_, err := store.Found(r.QueryRow("SELECT provider_id FROM message WHERE tenant_id=? AND id=?", message).Scan(store.Text(&p)))
	return p, err
}

// Gate returns the contact (zero when unknown) and the state of
// the reply window of a conversation: what the gate checks.
func (s *Service) Gate(r store.Reader, conversation id.ID) (contactID id.ID, windowOpen bool, err error) {
	c, err := conversationByID(r, conversation)
	if err != nil {
		return id.Zero, false, err
	}
	return c.Contact, s.windowOpen(r, c), nil
}
