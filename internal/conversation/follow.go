package conversation

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// follow takes part in the merges of contacts: the conversations of the one that
// goes move to the one that stays. Messages and outbox rows are ledgers and keep
// the contact they were written with. Nothing else of a conversation changes:
// its address, its window and its owner belong to it and not to the contact.
func (s *Service) follow() {
	s.contacts.Follow(contact.Follower{Name: "conversation", Merge: s.mergeIn, Unmerge: s.unmergeIn, Erase: s.eraseIn, Purge: s.purgeIn})
}

func (s *Service) mergeIn(tx *store.Tx, m contact.Merge) (any, error) {
	all, err := conversationsOf(tx, m.Merged)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	var moved []id.ID
	for _, c := range all {
		if err := s.giveIn(tx, m.Actor, c, m.Merged, m.Survivor); err != nil {
			return nil, err
		}
		moved = append(moved, c.ID)
	}
	return moved, nil
}

func (s *Service) unmergeIn(tx *store.Tx, m contact.Merge, moved json.RawMessage) error {
	var ids []id.ID
	if len(moved) == 0 || json.Unmarshal(moved, &ids) != nil {
		return nil
	}
	for _, cid := range ids {
		c, err := conversationByID(tx, cid)
		if fault.As(err) != nil {
			continue // deleted meanwhile
		}
		if err == nil {
			err = s.giveIn(tx, m.Actor, c, m.Survivor, m.Merged)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// giveIn moves a conversation from one contact to another, unless somebody
// linked it elsewhere meanwhile. The caller holds both contacts' locks.
func (s *Service) giveIn(tx *store.Tx, actor string, c Conversation, from, to id.ID) error {
	if err := tx.Lock("conversation", c.Channel+":"+c.Address); err != nil {
		return err
	}
	n, err := tx.Exec("UPDATE conversation SET contact_id=?, updated_at=? WHERE tenant_id=? AND id=? AND contact_id=?", to, tx.Now(), c.ID, from)
	if err != nil || n == 0 {
		return err
	}
	_, err = s.log.Append(tx, event.New{Type: "conversation.updated", Subject: c.ID, Contact: to, Changed: []string{"contact"}, Actor: actor})
	return err
}

// conversationsOf returns a contact's conversations, behind the index
// conversation_by_contact, in the order of their locks.
func conversationsOf(r store.Reader, contactID id.ID) ([]Conversation, error) {
	rows, err := r.Query("SELECT "+conversationColumns+ownerColumns+" FROM conversation WHERE tenant_id=? AND contact_id=? ORDER BY channel, address", contactID)
	return store.Collect(rows, err, func(rows *sql.Rows) (Conversation, error) { return scanConversation(rows) })
}

// linker watches for contacts at whose address a conversation with nobody runs.
// It looks at contacts only where there is such a conversation at all.
func (s *Service) linker() event.Reactor {
	return event.Reactor{Name: "conversation.link", Types: []string{"contact.created", "contact.updated"}, Wants: func(tx *store.Tx, e event.Event) (bool, error) {
		if e.Type == "contact.updated" && !slices.Contains(e.Changed, contact.Phone) && !slices.Contains(e.Changed, contact.Messenger) {
			return false, nil
		}
		var one int
		some, err := store.Found(tx.QueryRow("SELECT 1 FROM conversation WHERE tenant_id=? AND contact_id IS NULL LIMIT 1").Scan(&one))
		if err != nil || !some {
			return false, err
		}
		lost, err := s.lostOf(tx, e.Subject)
		return len(lost) > 0, err
	}}
}

// lostOf returns the conversations with nobody at the addresses that a contact
// claims.
func (s *Service) lostOf(r store.Reader, contactID id.ID) ([]Conversation, error) {
	p, err := s.contacts.Get(r, contactID)
	if err != nil {
		if fault.As(err) != nil {
			err = nil
		}
		return nil, err
	}
	var out []Conversation
	for kind := range s.channels {
		ident := s.identityOf(kind)
		for _, i := range p.Identities {
			if i.Kind != ident || !i.Claimed {
				continue
			}
			c, found, err := conversationByAddress(r, kind, i.Value)
			if err != nil {
				return nil, err
			}
			if found && c.Contact.IsZero() {
				out = append(out, c)
			}
		}
	}
	slices.SortFunc(out, func(a, b Conversation) int { return compareTexts(a.Channel+":"+a.Address, b.Channel+":"+b.Address) })
	return out, nil
}

func compareTexts(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// RegisterJobs gives the runner what the room and its files owe.
func (s *Service) RegisterJobs(r *job.Runner) {
	s.files.RegisterJobs(r)
	r.Register(job.Kind{Name: s.linkJob, Handle: s.link})
	r.Register(job.Kind{Name: nameJob, Handle: s.name, Timeout: nameTimeout})
	r.Register(job.Kind{Name: fetchJob, Handle: s.fetch, Timeout: fetchTimeout, Discarded: s.unfetched,
		Backoff: func(attempt int) time.Duration { return min(10*time.Minute, 5*time.Second<<min(attempt, 10)) }})
}

// link gives a contact that appeared the conversations at its addresses.
func (s *Service) link(ctx context.Context, j *job.Job) error {
	var e event.Event
	if err := j.Decode(&e); err != nil {
		return job.GiveUp(err)
	}
	return s.db.Write(ctx, j.Tenant, func(tx *store.Tx) error {
		who, err := s.contacts.Resolve(tx, e.Subject)
		if err != nil {
			return err
		}
		lost, err := s.lostOf(tx, who)
		if err != nil {
			return err
		}
		for _, c := range lost {
			_, err := s.changeIn(tx, "system", c.ID, who, func(c *Conversation, who id.ID) ([]string, error) {
				if !c.Contact.IsZero() {
					return nil, nil
				}
				c.Contact = who
				return []string{"contact"}, nil
			})
			if err != nil {
				return err
			}
		}
		return j.Complete(tx)
	})
}
