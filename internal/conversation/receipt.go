package conversation

import (
	"slices"

	"parley/internal/channel"
	"parley/internal/id"
	"parley/internal/outbox/ledger"
)

// concerned returns the ids of the messages that receipts and reactions are
// about, and those found by provider id.
func (in *intake) concerned(receipts []channel.Receipt, reactions []channel.Incoming) (ids []id.ID, byProvider map[string]id.ID, err error) {
	var texts []string
	for _, r := range receipts {
		texts = append(texts, r.ProviderID)
	}
	for _, r := range reactions {
		texts = append(texts, r.ReplyTo)
	}
	texts = slices.DeleteFunc(texts, func(s string) bool { return s == "" })
	if byProvider, err = messageIDs(in.tx, "provider_id", texts); err != nil {
		return nil, nil, err
	}
	for _, r := range receipts {
		ids = append(ids, about(r, byProvider))
	}
	for _, r := range reactions {
		ids = append(ids, byProvider[r.ReplyTo])
	}
	return slices.DeleteFunc(ids, id.ID.IsZero), byProvider, nil
}

// about finds a receipt's message by our own id, where the provider returned
// it: that works even before Send has returned the provider's id.
func about(r channel.Receipt, byProvider map[string]id.ID) id.ID {
	if own, err := id.Parse(r.Echo); err == nil {
		return own
	}
	return byProvider[r.ProviderID]
}

// updates takes receipts and reactions to the messages they are about. What is
// about no message of ours is ignored.
func (in *intake) updates(receipts []channel.Receipt, reactions []channel.Incoming) error {
	if len(receipts)+len(reactions) == 0 {
		return nil
	}
	ids, byProvider, err := in.concerned(receipts, reactions)
	if err != nil || len(ids) == 0 {
		return err
	}
	known, err := in.s.lockMessagesIn(in.tx, ids)
	if err != nil {
		return err
	}
	for _, r := range receipts {
		m, ok := known[about(r, byProvider)]
		if !ok {
			continue
		}
		if holder := byProvider[r.ProviderID]; holder != m.ID && !holder.IsZero() {
			r.ProviderID = "" // the id is another message's
		}
		if err := in.receipt(&m, r); err != nil {
			return err
		}
		known[m.ID] = m
	}
	for _, r := range reactions {
		m, ok := known[byProvider[r.ReplyTo]]
		if !ok {
			continue
		}
		if err := in.reaction(&m, r); err != nil {
			return err
		}
		known[m.ID] = m
	}
	return nil
}

// receipt takes one receipt to its message and brings the outbox row in line.
func (in *intake) receipt(m *Message, r channel.Receipt) error {
	if m.Direction != Outbound || rank[r.Status] == 0 || r.Status == Queued {
		return nil
	}
	if r.Status == Failed && r.ProviderID != "" && m.ProviderID != "" && r.ProviderID != m.ProviderID {
		return nil // an earlier attempt failed; the one that counts is another
	}
	at := r.At
	if now := in.tx.Now(); at.IsZero() || at.After(now) {
		at = now
	}
	n := news{status: r.Status, providerID: r.ProviderID, at: at}
	if r.Status == Failed {
		n.why = &SendFailure{Title: "the provider could not deliver the message"}
		if r.Err != nil {
			n.why = &SendFailure{Code: r.Err.Code, Title: ledger.Tidy(r.Err.Title)}
		}
	}
	// The row ends as the message will stand, so that the two never contradict
	// each other. News that does not move a failed message does not move its row.
	if m.Status != Failed || rank[r.Status] > rank[Failed] {
		state, why := ledger.Sent, ""
		if r.Status == Failed && rank[m.Status] < rank[Failed] {
			state, why = ledger.Failed, n.why.Title
		}
		if err := ledger.AgreeIn(in.tx, m.ID, state, why); err != nil {
			return err
		}
	}
	return in.s.applyIn(in.tx, in.actor, in.account.Kind, m, n)
}

// reaction puts a person's emoji on a message, or takes it back.
func (in *intake) reaction(m *Message, r channel.Incoming) error {
	address, _, err := in.address(r.From)
	if err != nil {
		return err
	}
	if !m.react(Reaction{Emoji: ledger.Tidy(r.Reaction), By: address, At: r.At, Mark: r.ProviderID}) {
		return nil
	}
	if err := saveMessage(in.tx, *m); err != nil {
		return err
	}
	return in.s.tellIn(in.tx, in.actor, "message.updated", *m, "reactions")
}
