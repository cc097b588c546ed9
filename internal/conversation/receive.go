package conversation

import (
	"context"
	"slices"
	"strings"
	"time"

	"parley/internal/channel"
	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/outbox/ledger"
	"parley/internal/store"
)

// receiveChunk bounds the items of one transaction. A provider that sends more
// at once gets several; seeing a part of a batch again is harmless.
const receiveChunk = 100

// Receive takes what a provider delivered to an account, in one transaction for
// every 100 items. It may see the same items again and in any order. An item of
// another account is Invalid, and then nothing of its part is stored.
func (s *Service) Receive(ctx context.Context, a channel.Account, b channel.Batch) error {
	for {
		part, rest := cutBatch(b)
		err := s.db.Write(ctx, a.Tenant, func(tx *store.Tx) error { return s.receiveIn(tx, a, part) })
		if err != nil {
			return err
		}
		if b = rest; len(b.Messages)+len(b.Receipts)+len(b.Preferences) == 0 {
			return nil
		}
	}
}

func cutBatch(b channel.Batch) (part, rest channel.Batch) {
	room := receiveChunk
	n := min(room, len(b.Messages))
	part.Messages, rest.Messages = b.Messages[:n], b.Messages[n:]
	room -= n
	n = min(room, len(b.Receipts))
	part.Receipts, rest.Receipts = b.Receipts[:n], b.Receipts[n:]
	room -= n
	n = min(room, len(b.Preferences))
	part.Preferences, rest.Preferences = b.Preferences[:n], b.Preferences[n:]
	return part, rest
}

// tidied takes out of a message what no database can hold, since its sender may
// be anybody, and bounds the name that he gives himself.
func tidied(m channel.Incoming) channel.Incoming {
	m.Text, m.Payload, m.Reaction = ledger.Tidy(m.Text), ledger.Tidy(m.Payload), ledger.Tidy(m.Reaction)
	m.Order = tidyOrder(m.Order)
	name := []rune(strings.Join(strings.Fields(ledger.Tidy(m.ProfileName)), " "))
	m.ProfileName = string(name[:min(len(name), maxProfileName)])
	if m.Media != nil {
		f := *m.Media
		f.URL, f.ID, f.MIME, f.Caption, f.Filename = ledger.Tidy(f.URL), ledger.Tidy(f.ID), ledger.Tidy(f.MIME), ledger.Tidy(f.Caption), ledger.Tidy(f.Filename)
		m.Media = &f
	}
	return m
}

const maxProfileName = 100 // characters

func (s *Service) receiveIn(tx *store.Tx, a channel.Account, b channel.Batch) error {
	in := &intake{s: s, tx: tx, account: a, ident: s.identityOf(a.Kind), actor: "channel:" + a.Kind, people: map[string]id.ID{}, convs: map[string]*Conversation{}, changed: map[string]bool{}, gone: map[string]time.Time{}}
	if err := in.check(b); err != nil {
		return err
	}
	var err error
	if b.Receipts, err = in.spread(b.Receipts); err != nil {
		return err
	}
	if err := in.lockAhead(b); err != nil {
		return err
	}
	if err := in.preferences(b.Preferences); err != nil {
		return err
	}
	if err := in.messages(b.Messages); err != nil {
		return err
	}
	// Reactions are not messages of their own: they change the one they are on.
	reactions := slices.DeleteFunc(slices.Clone(b.Messages), func(m channel.Incoming) bool { return m.Kind != channel.Reaction })
	return in.updates(b.Receipts, reactions)
}

// intake is one batch on its way in.
type intake struct {
	s       *Service
	tx      *store.Tx
	account channel.Account
	ident   string // the kind of identity that the channel's addresses are
	actor   string
	people  map[string]id.ID         // contacts by address
	convs   map[string]*Conversation // by address
	changed map[string]bool
	gone    map[string]time.Time // until when everything from an address was erased
}

func (in *intake) check(b channel.Batch) error {
	wrong := func(account string) bool { return account != "" && account != in.account.ExternalID }
	if slices.ContainsFunc(b.Messages, func(m channel.Incoming) bool { return wrong(m.Account) }) ||
		slices.ContainsFunc(b.Receipts, func(r channel.Receipt) bool { return wrong(r.Account) }) ||
		slices.ContainsFunc(b.Preferences, func(p channel.Preference) bool { return wrong(p.Account) }) {
		return fault.New(fault.Invalid, "the batch carries something for another account")
	}
	return nil
}

// address is how we write a provider's address: a phone as its key, anything
// else as it is. known tells whether it is an identity that contacts can claim.
func (in *intake) address(from string) (address string, known bool, err error) {
	if in.ident != contact.Phone {
		return from, from != "", nil
	}
	if from == "" || strings.Trim(from, "0123456789") != "" {
		return from, false, nil
	}
	key, err := in.s.contacts.KeyOf(in.tx, "+"+from)
	if fault.As(err) != nil || err == nil && key == "" {
		return from, false, nil
	}
	return key, true, err
}

// ways are addresses as identities.
func (in *intake) ways(addresses []string) []contact.Identity {
	out := make([]contact.Identity, len(addresses))
	for i, a := range addresses {
		out[i] = contact.Identity{Kind: in.ident, Value: a}
	}
	return out
}

// lockAhead takes the locks of everybody a larger batch is about in one go:
// messages and receipts would else take them in two, and two batches could wait
// for each other. What is locked here may be locked again below.
func (in *intake) lockAhead(b channel.Batch) error {
	if in.tx.Dialect() != store.Postgres || len(b.Messages)+len(b.Receipts)+len(b.Preferences) < 2 {
		return nil // SQLite has one writer; one item takes its locks in one go
	}
	var phones, people, from []string
	for _, m := range b.Messages {
		from = append(from, m.From)
	}
	for _, p := range b.Preferences {
		from = append(from, p.From)
	}
	for _, f := range from {
		address, phone, err := in.address(f)
		if err != nil {
			return err
		}
		if phone {
			phones = append(phones, address)
		}
		c, found, err := conversationByAddress(in.tx, in.account.Kind, address)
		if err != nil {
			return err
		}
		if found && !c.Contact.IsZero() {
			people = append(people, c.Contact.String())
		}
	}
	if err := in.s.contacts.LockWaysIn(in.tx, in.ways(phones)); err != nil {
		return err
	}
	for _, p := range phones {
		c, found, err := in.s.contacts.Find(in.tx, in.ident, p)
		if err != nil {
			return err
		}
		if found {
			people = append(people, c.ID.String())
		}
	}
	ids, _, err := in.concerned(b.Receipts, nil)
	if err != nil {
		return err
	}
	about, err := messagesByID(in.tx, ids)
	if err != nil {
		return err
	}
	for _, m := range about {
		if !m.Contact.IsZero() {
			people = append(people, m.Contact.String())
		}
	}
	return in.tx.Lock("contact", people...)
}

// messages stores the messages that are news: everything but reactions.
func (in *intake) messages(all []channel.Incoming) error {
	var ids []string
	for _, m := range all {
		if m.ProviderID != "" {
			ids = append(ids, m.ProviderID)
		}
	}
	// What is known already must not even wake its person. Two copies at the same
	// moment pass this look; the unique index decides between them.
	known, err := messageIDs(in.tx, "provider_id", ids)
	if err != nil {
		return err
	}
	byAddress := map[string][]channel.Incoming{}
	phones := map[string]bool{}
	var order []string
	for _, m := range all {
		if m.Kind == channel.Reaction || m.ProviderID == "" || m.From == "" {
			continue
		}
		if _, seen := known[m.ProviderID]; seen {
			continue
		}
		address, phone, err := in.address(m.From)
		if err != nil {
			return err
		}
		if byAddress[address] == nil {
			order = append(order, address)
		}
		byAddress[address] = append(byAddress[address], tidied(m))
		phones[address] = phone
	}
	slices.Sort(order) // everybody takes locks in one order
	if err := in.s.contacts.LockWaysIn(in.tx, in.ways(slices.DeleteFunc(slices.Clone(order), func(a string) bool { return !phones[a] }))); err != nil {
		return err
	}
	for _, address := range order {
		if in.people[address], err = in.person(address, phones[address], byAddress[address]); err != nil {
			return err
		}
	}
	if err := in.lock(order); err != nil {
		return err
	}
	for _, address := range order {
		for _, m := range byAddress[address] {
			if in.erased(address, m) {
				continue
			}
			if err := in.message(address, m); err != nil {
				return err
			}
		}
	}
	for _, address := range order {
		if in.changed[address] {
			if err := saveConversation(in.tx, *in.convs[address]); err != nil {
				return err
			}
		}
	}
	return nil
}

// person finds or makes the contact behind an address, and takes an archived
// one back. A conversation that somebody linked keeps its contact.
func (in *intake) person(address string, phone bool, ms []channel.Incoming) (id.ID, error) {
	c, found, err := conversationByAddress(in.tx, in.account.Kind, address)
	if err != nil {
		return id.Zero, err
	}
	if found && in.alone() {
		in.convs[address] = &c // nobody changes it before the lock
	}
	if !found {
		if in.gone[address], err = in.s.contacts.GoneUntil(in.tx, in.account.Kind, address); err != nil {
			return id.Zero, err
		}
		if !slices.ContainsFunc(ms, func(m channel.Incoming) bool { return !in.erased(address, m) }) {
			return id.Zero, nil
		}
	}
	if found && !c.Contact.IsZero() {
		if live, err := in.s.contacts.Live(in.tx, c.Contact); err != nil || live {
			return c.Contact, err
		}
		p, err := in.s.contacts.Get(in.tx, c.Contact)
		switch {
		case err == nil && p.ErasedAt.IsZero() && (p.ArchivedAt.IsZero() || !claims(p, in.ident, address)):
			return p.ID, nil
		case err != nil && fault.As(err) == nil:
			return id.Zero, err
		}
	}
	if !phone {
		// Somebody who hides the phone number has no identity that contacts can claim.
		return id.Zero, nil
	}
	first := address
	for _, m := range ms {
		if name := strings.TrimSpace(m.ProfileName); name != "" {
			first = name
			break
		}
	}
	card, _, err := in.s.cards.EnsureIn(in.tx, in.actor, deal.NewCard{New: in.s.stranger(in.account.Kind, address, first)})
	return card.Contact.ID, err
}

// erased reports whether a message that the provider delivers once more was erased
// with its sender. Providers tell whole seconds.
func (in *intake) erased(address string, m channel.Incoming) bool {
	return !m.At.IsZero() && m.At.Before(in.gone[address].Truncate(time.Second))
}

// alone reports whether no other transaction runs beside this one: SQLite has
// one writer, so what was read before the locks is still so behind them.
func (in *intake) alone() bool { return in.tx.Dialect() == store.SQLite }

// lock takes the locks of the people and addresses of the batch, and reads
// their conversations.
func (in *intake) lock(addresses []string) error {
	var people []id.ID
	var places []string
	for _, address := range addresses {
		people = append(people, in.people[address])
		places = append(places, in.account.Kind+":"+address)
	}
	now, err := in.s.lockContactsIn(in.tx, people...)
	if err != nil {
		return err
	}
	for _, address := range addresses {
		in.people[address] = now[in.people[address]]
	}
	if err := in.tx.Lock("conversation", places...); err != nil {
		return err
	}
	for _, address := range addresses {
		if err := in.s.thereIn(in.tx, in.people[address]); err != nil {
			if fault.As(err) != nil { // the provider brings it again, and then it is somebody new
				err = fault.New(fault.Unavailable, "the person who wrote is being erased at this moment; deliver it again").After(time.Second)
			}
			return err
		}
		if in.convs[address] != nil {
			continue
		}
		c, found, err := conversationByAddress(in.tx, in.account.Kind, address)
		if err != nil {
			return err
		}
		if found {
			in.convs[address] = &c
		}
	}
	return nil
}

// message stores one message that was not known before the locks were taken.
func (in *intake) message(address string, m channel.Incoming) error {
	now := in.tx.Now()
	if !in.alone() { // somebody may have stored it before we had the locks
		known, err := messageIDs(in.tx, "provider_id", []string{m.ProviderID})
		if err != nil || len(known) > 0 {
			return err
		}
	}
	c := in.convs[address]
	at, err := in.moment(c, m.At)
	if err != nil {
		return err
	}
	if c == nil {
		name := strings.TrimSpace(m.ProfileName)
		begun, err := in.s.beginIn(in.tx, in.actor, in.account.Kind, in.account.ID, address, in.people[address], name)
		if err != nil {
			return err
		}
		begun.LastMessageAt = at
		if err := in.s.askNameIn(in.tx, in.account.Kind, begun); err != nil {
			return err
		}
		c = &begun
		in.convs[address] = c
	}
	msg := Message{ID: id.New(), Conversation: c.ID, Contact: in.people[address], Direction: Inbound, Kind: m.Kind, Text: m.Text, Media: incomingMedia(m.Media),
		ProviderID: m.ProviderID, ReplyToProvider: m.ReplyTo, SentBy: "contact", Status: Delivered, CreatedAt: at, UpdatedAt: now,
		History: []StatusAt{{Delivered, at}}, Metadata: in.about(c, m, at)}
	if m.ReplyTo != "" {
		answered, err := messageIDs(in.tx, "provider_id", []string{m.ReplyTo})
		if err != nil {
			return err
		}
		msg.ReplyTo = answered[m.ReplyTo]
	}
	stored, err := insertMessage(in.tx, msg)
	if err != nil || !stored {
		return err
	}
	in.count(c, msg, m.ProfileName)
	in.changed[address] = true
	if err := in.fetchIn(msg, m.Media); err != nil {
		return err
	}
	if err := keepOrderIn(in.tx, msg, m.Order); err != nil {
		return err
	}
	if err := in.s.tellIn(in.tx, in.actor, "message.received", msg); err != nil {
		return err
	}
	return in.s.noteIn(in.tx, in.account.Kind, "received", msg, at)
}

// moment is when a message was written. Providers tell whole seconds, and an answer
// must not seem older than what it answers: it stands behind whatever the
// conversation has of the same second, however late it is brought.
func (in *intake) moment(c *Conversation, at time.Time) (time.Time, error) {
	if !at.Equal(at.Truncate(time.Second)) {
		return at, nil
	}
	if now := in.tx.Now(); at.IsZero() || now.Sub(at) < time.Second {
		return now, nil
	}
	if c == nil || c.LastMessageAt.Before(at) {
		return at, nil
	}
	var last time.Time
	err := in.tx.QueryRow("SELECT MAX(created_at) FROM message WHERE tenant_id=? AND conversation_id=? AND created_at>=? AND created_at<?",
		c.ID, at, at.Add(time.Second)).Scan(store.Time(&last))
	if last.After(at) {
		at = last
	}
	return at, err
}

// about is what rules may want to know of a message (platform reference §4.9,
// Bus): whether it is the person's first, how long they were silent, the
// developer's id of a pressed button.
func (in *intake) about(c *Conversation, m channel.Incoming, at time.Time) map[string]any {
	days := 999 // never
	if !c.LastInboundAt.IsZero() {
		days = max(0, int(at.Sub(c.LastInboundAt).Hours()/24))
	}
	meta := map[string]any{"isFirstMessage": c.LastInboundAt.IsZero(), "daysSinceLastMessage": days, "totalMessageCount": c.Messages + 1}
	if m.ProfileName != "" {
		meta["senderName"] = m.ProfileName
	}
	if m.Payload != "" {
		meta["payload"] = m.Payload
	}
	if m.Order != nil {
		meta["order"] = m.Order
	}
	return meta
}

// count takes a stored inbound message into its conversation.
func (in *intake) count(c *Conversation, m Message, profile string) {
	c.Unread++
	c.Messages++
	c.Status = StatusOpen
	c.Account = in.account.ID
	if !m.Contact.IsZero() {
		c.Contact = m.Contact
	}
	if profile = strings.TrimSpace(profile); profile != "" && c.Name == c.Address {
		c.Name = profile
	}
	if m.CreatedAt.After(c.LastInboundAt) {
		c.LastInboundAt = m.CreatedAt
	}
	if c.Last == nil || !m.CreatedAt.Before(c.LastMessageAt) {
		c.Last, c.LastMessageAt = &Message{ID: m.ID}, m.CreatedAt
	}
}

// incomingMedia is what a message shows of a file that a contact sent: nothing
// of the provider's address, which only we may read, until the file is here.
func incomingMedia(m *channel.Media) *Media {
	if m == nil {
		return nil
	}
	out := &Media{ProviderID: m.ID, MIME: m.MIME, Caption: m.Caption, Filename: m.Filename}
	if m.ID == "" {
		out.URL = m.URL
	}
	return out
}

// preferences records changes of mind about marketing, the latest last.
func (in *intake) preferences(ps []channel.Preference) error {
	ps = slices.Clone(ps)
	slices.SortStableFunc(ps, func(a, b channel.Preference) int { return a.At.Compare(b.At) })
	for _, p := range ps {
		who, err := in.whose(p.From)
		if err != nil {
			return err
		}
		if who.IsZero() {
			continue
		}
		state := contact.Out
		if p.Marketing {
			state = contact.In
		}
		if err := in.s.stoppedIn(in.tx, who, in.account.Kind, contact.Consent{State: state, At: p.At}); err != nil {
			return err
		}
	}
	return nil
}

// whose returns the contact whose consent counts for messages to an address: that
// of the conversation there, since somebody may have linked it, else the one who
// claims the address; zero for nobody.
func (in *intake) whose(from string) (id.ID, error) {
	address, known, err := in.address(from)
	if err != nil {
		return id.Zero, err
	}
	c, found, err := conversationByAddress(in.tx, in.account.Kind, address)
	if err != nil || found && !c.Contact.IsZero() || !known {
		return c.Contact, err
	}
	who, _, err := in.s.contacts.Find(in.tx, in.ident, address)
	return who.ID, err
}
