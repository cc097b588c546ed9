package conversation

import (
	"context"
	"errors"
	"strings"
	"time"

	"parley/internal/channel"
	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/outbox/ledger"
	"parley/internal/store"
)

// nameJob asks a provider who writes from an address.
const (
	nameJob      = "conversation.name"
	nameTimeout  = time.Minute
	nameAttempts = 6
)

type nameArgs struct {
	Conversation id.ID `json:"conversation"`
}

// askNameIn owes the name of the person of a new conversation, where messages do
// not tell it and the provider can be asked.
func (s *Service) askNameIn(tx *store.Tx, kind string, c Conversation) error {
	if _, ok := s.channels[kind].(channel.Profiler); !ok || c.Name != c.Address {
		return nil
	}
	_, _, err := job.Enqueue(tx, job.New{Kind: nameJob, Args: nameArgs{c.ID}, UniqueKey: "name:" + c.ID.String(), MaxAttempts: nameAttempts})
	return err
}

// name gives a conversation, and a contact that was made for its address, the
// person's name. What somebody named meanwhile stays.
func (s *Service) name(ctx context.Context, j *job.Job) error {
	var args nameArgs
	if err := j.Decode(&args); err != nil {
		return job.GiveUp(err)
	}
	r := s.db.Read(ctx, j.Tenant)
	c, err := conversationByID(r, args.Conversation)
	if err != nil {
		return gone(err, "the conversation was deleted")
	}
	a, err := s.accounts.Get(r, c.Account)
	if err != nil {
		return gone(err, "its account is not connected any more")
	}
	asked, ok := s.channels[a.Kind].(channel.Profiler)
	if !ok {
		return nil
	}
	p, err := asked.Profile(ctx, a, c.Address)
	var refused *channel.SendError
	if errors.As(err, &refused) && refused.Outcome == channel.Refused {
		return nil // the person keeps the name to themselves
	}
	if err != nil {
		return err
	}
	first, last := called(p.FirstName), called(p.LastName)
	whole := strings.TrimSpace(first + " " + last)
	if whole == "" {
		return nil
	}
	return s.db.Write(ctx, j.Tenant, func(tx *store.Tx) error {
		c, err := conversationByID(tx, args.Conversation)
		if err != nil {
			return gone(err, "the conversation was deleted")
		}
		if !c.Contact.IsZero() {
			who, err := s.contacts.LockedIn(tx, c.Contact)
			if err == nil && who.FirstName == c.Address && who.LastName == "" {
				_, _, err = s.contacts.UpdateIn(tx, "channel:"+c.Channel, who.ID, contact.Patch{FirstName: &first, LastName: &last})
			}
			if err != nil && fault.As(err) == nil {
				return err
			}
		}
		if _, err := s.changeIn(tx, "channel:"+c.Channel, c.ID, id.Zero, func(c *Conversation, _ id.ID) ([]string, error) {
			if c.Name != c.Address {
				return nil, nil
			}
			c.Name = whole
			return []string{"name"}, nil
		}); err != nil {
			return err
		}
		return j.Complete(tx)
	})
}

// called bounds a name that people give themselves.
func called(s string) string {
	name := []rune(strings.Join(strings.Fields(ledger.Tidy(s)), " "))
	return string(name[:min(len(name), maxProfileName)])
}
