package conversation

import (
	"encoding/json"
	"maps"
	"mime"
	"path"
	"slices"
	"strings"

	"parley/internal/channel"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/media"
	"parley/internal/outbox/ledger"
	"parley/internal/store"
)

// target is where a message goes.
type target struct {
	channel string
	account channel.Account
	conv    Conversation // ID is zero when there is none yet
	address string
	contact id.ID
}

// SendIn promises a message: it stores it as queued together with its outbox
// row. Nothing is written when it returns a fault, so a caller may go on with
// its transaction.
//
// Faults: Invalid (field to, text, media, templateName, variables, interactive, replyToId),
// NotFound (conversation, contact), Unready (no account; template not approved
// or not to be filled), Forbidden with Reason "consent", Conflict with Reason
// "owner" for a Bot or UnlessAgent that must be silent, WindowClosed.
func (s *Service) SendIn(tx *store.Tx, actor string, in Send) (Message, error) {
	if err := checkSend(in); err != nil {
		return Message{}, err
	}
	t, err := s.targetIn(tx, in)
	if err != nil {
		return Message{}, err
	}
	if err := t.conv.speakIn(in); err != nil {
		return Message{}, err
	}
	m := Message{ID: id.New(), Contact: t.contact, Direction: Outbound, Status: Queued, ReplyTo: in.ReplyTo, SentBy: in.SentBy,
		Metadata: in.Metadata, CreatedAt: tx.Now(), UpdatedAt: tx.Now(), History: []StatusAt{{Queued, tx.Now()}}}
	if m.SentBy == "" {
		m.SentBy = actor
	}
	content, err := s.contentIn(tx, t, in, &m)
	if err != nil {
		return Message{}, err
	}
	if err := s.consentIn(tx, t, content.Purpose); err != nil {
		return Message{}, err
	}
	if m.Kind != channel.TemplateMsg && !s.windowOpen(tx, t.conv) {
		return Message{}, fault.New(fault.WindowClosed, "free text is allowed for 24 hours after the contact's last message; send an approved template instead")
	}
	if err := s.replyIn(tx, t, &m); err != nil {
		return Message{}, err
	}
	return s.storeIn(tx, actor, t, m, content)
}

// Bounds of what a message carries.
const (
	maxText     = 65536     // bytes of a text, a URL or a value; the provider's own bound is tighter
	maxMetadata = 64 * 1024 // bytes of JSON
)

// checkSend refuses what no database can hold or no provider would take.
func checkSend(in Send) error {
	texts := map[string][]string{"to": {in.To}, "text": {in.Text}, "sentBy": {in.SentBy}}
	if m := in.Media; m != nil {
		texts["mediaUrl"] = []string{m.URL, m.ID, m.MIME, m.Filename}
		texts["caption"] = []string{m.Caption}
	}
	if in.Prompt != nil {
		texts["interactive"] = in.Prompt.Texts()
	}
	if t := in.Template; t != nil {
		texts["templateName"] = []string{t.Name, t.Language}
		texts["variables"] = append(texts["variables"], t.Values...)
		for _, v := range t.Named {
			texts["variables"] = append(texts["variables"], v)
		}
	}
	var bad fault.Collector
	for _, field := range slices.Sorted(maps.Keys(texts)) {
		for _, v := range texts[field] {
			switch {
			case len(v) > maxText:
				bad.Add(fault.Field(field, "%s is too long; send at most %d bytes", field, maxText))
			case ledger.Tidy(v) != v:
				bad.Add(fault.Field(field, "%s holds characters that are not text", field))
			default:
				continue
			}
			break
		}
	}
	if len(in.Metadata) > 0 {
		b, err := json.Marshal(in.Metadata)
		if err != nil || len(b) > maxMetadata || strings.Contains(string(b), `\u0000`) {
			bad.Add(fault.Field("metadata", "metadata must be plain JSON of at most %d bytes", maxMetadata))
		}
	}
	return bad.Err()
}

// targetIn finds conversation, contact and account and takes their locks.
func (s *Service) targetIn(tx *store.Tx, in Send) (target, error) {
	t := target{channel: in.Channel}
	if t.channel == "" {
		t.channel = DefaultChannel
	}
	switch {
	case !in.Conversation.IsZero():
		c, err := conversationByID(tx, in.Conversation)
		if err != nil {
			return t, err
		}
		t.conv, t.channel, t.address, t.contact = c, c.Channel, c.Address, c.Contact
	case in.To != "":
		key, err := s.keyOf(tx, t.channel, in.To)
		if err != nil {
			return t, err
		}
		if key == "" {
			return t, fault.Field("to", "give a phone number with its country code")
		}
		t.address = key
		if !in.Contact.IsZero() {
			if t.contact, err = s.contacts.Resolve(tx, in.Contact); err != nil {
				return t, err
			}
		}
	case !in.Contact.IsZero():
		c, err := s.contacts.Get(tx, in.Contact)
		if err != nil {
			return t, err
		}
		if t.address, err = s.addressOf(tx, c, t.channel); err != nil {
			return t, err
		}
		t.contact = c.ID
	default:
		return t, fault.Missing("to")
	}
	if s.channels[t.channel] == nil {
		return t, fault.Field("channel", "there is no channel %q on this server", t.channel)
	}
	if t.conv.ID.IsZero() {
		c, _, err := conversationByAddress(tx, t.channel, t.address)
		if err != nil {
			return t, err
		}
		t.conv = c
		if !c.Contact.IsZero() {
			t.contact = c.Contact
		}
	}
	var err error
	if t.contact.IsZero() {
		if t.contact, err = s.whoIn(tx, s.identityOf(t.channel), t.address); err != nil {
			return t, err
		}
	}
	if t.contact, err = s.lockPlaceIn(tx, t.contact, t.channel, t.address); err != nil {
		return t, err
	}
	c, _, err := conversationByAddress(tx, t.channel, t.address) // as it is under the lock
	if err != nil {
		return t, err
	}
	if c.ID.IsZero() {
		c = Conversation{Channel: t.channel}
	}
	t.conv = c
	if c.Account.IsZero() {
		c.Account = in.Account
	}
	for held := false; err == nil && !held; { // again for one that was disconnected at this moment
		if t.account, err = s.accountFor(tx, t.channel, c.Account); err == nil {
			held, err = s.accounts.HoldIn(tx, t.account.ID)
		}
	}
	return t, err
}

// lockPlaceIn takes the locks of a contact and of a conversation's address, and
// returns the contact that the id leads to behind them.
func (s *Service) lockPlaceIn(tx *store.Tx, contactID id.ID, kind, address string) (id.ID, error) {
	who, err := s.lockContactsIn(tx, contactID)
	if err != nil {
		return contactID, err
	}
	if err := tx.Lock("conversation", kind+":"+address); err != nil {
		return contactID, err
	}
	return who[contactID], s.thereIn(tx, who[contactID])
}

// lockContactsIn takes the locks of contacts that were read before, and tells
// where their ids lead now: on PostgreSQL whoever had a lock before may have
// merged its contact into another, whose lock is then taken too. Zero ids are
// nobody's.
func (s *Service) lockContactsIn(tx *store.Tx, ids ...id.ID) (map[id.ID]id.ID, error) {
	now := make(map[id.ID]id.ID, len(ids))
	for _, v := range ids {
		now[v] = v
	}
	if tx.Dialect() == store.SQLite {
		return now, nil // it has one writer: what was read is still so
	}
	for wait := slices.DeleteFunc(slices.Clone(ids), id.ID.IsZero); len(wait) > 0; {
		keys := make([]string, len(wait))
		for i, v := range wait {
			keys[i] = v.String()
		}
		if err := tx.Lock("contact", keys...); err != nil {
			return nil, err
		}
		moved, err := s.contacts.ResolveMany(tx, wait)
		if err != nil {
			return nil, err
		}
		wait = wait[:0]
		for v, at := range now {
			if to, ok := moved[at]; ok {
				now[v], wait = to, append(wait, to)
			}
		}
	}
	return now, nil
}

// accountFor returns the account a conversation runs through, or the tenant's
// newest of the kind.
func (s *Service) accountFor(r store.Reader, kind string, bound id.ID) (channel.Account, error) {
	if !bound.IsZero() {
		a, err := s.accounts.Get(r, bound)
		if fault.As(err) == nil {
			return a, err // found, or broken
		}
	}
	a, found, err := s.accounts.Default(r, kind)
	if err == nil && !found {
		name := channelNames[kind]
		if name == "" {
			name = kind
		}
		err = fault.New(fault.Unready, "connect a %s account before sending messages", name).Because("account")
	}
	return a, err
}

// windowOpen reports whether the provider allows free text in c now.
func (s *Service) windowOpen(r store.Reader, c Conversation) bool {
	window := s.capabilities(c.Channel).ReplyWindow
	return window == 0 || !c.LastInboundAt.IsZero() && r.Now().Before(c.LastInboundAt.Add(window))
}

var mediaKinds = []string{channel.Image, channel.Video, channel.Audio, channel.Document, channel.Sticker}

// contentIn fills m with what is shown and returns what is handed over.
func (s *Service) contentIn(tx *store.Tx, t target, in Send, m *Message) (ledger.Content, error) {
	out := ledger.Content{To: t.address, ReplyTo: in.ReplyTo, Purpose: ForService}
	var file *media.File
	if in.Media != nil {
		own, err := *in.Media, error(nil)
		kind := in.Kind
		if in.Template != nil {
			kind = "" // the template knows
		}
		if file, err = s.ownIn(tx, &own, kind); err != nil {
			return out, err
		}
		in.Media = &own
		if file != nil && in.Kind == "" {
			in.Kind = file.Kind
		}
	}
	switch {
	case in.Template != nil && !s.capabilities(t.channel).Templates:
		// Its provider knows no templates: one of ours is a text like any other.
		use, err := s.templates.resolve(tx, t.channel, t.contact, *in.Template, in.Kind, in.Media)
		if err != nil {
			return out, err
		}
		m.Kind, m.Text, m.Template, out.Text = channel.Text, use.text, &use.data, use.text
		out.Purpose = purposeOf(use.category)
	case in.Template != nil:
		use, err := s.templates.resolve(tx, t.channel, t.contact, *in.Template, in.Kind, in.Media)
		if err != nil {
			return out, err
		}
		m.Kind, m.Text, m.Template, out.Template = channel.TemplateMsg, use.text, &use.data, &use.send
		m.Media, out.Purpose = shownMedia(use.send.HeaderMedia, file), purposeOf(use.category)
	case in.Media != nil:
		if in.Media.URL == "" && in.Media.ID == "" && in.Media.Own.IsZero() {
			return out, fault.Missing("mediaUrl")
		}
		if m.Kind = in.Kind; m.Kind == "" {
			m.Kind = kindOf(*in.Media)
		}
		if !slices.Contains(mediaKinds, m.Kind) {
			return out, fault.Field("mediaType", "the media type must be image, video, audio, document or sticker")
		}
		given := *in.Media
		if given.Caption == "" {
			given.Caption = in.Text
		}
		m.Text, m.Media, out.Media = given.Caption, shownMedia(&given, file), &given
	case in.Prompt != nil:
		m.Kind, m.Text, out.Prompt = channel.Interactive, in.Prompt.Shown(), in.Prompt
		m.Metadata = withPrompt(m.Metadata, in.Prompt)
	case strings.TrimSpace(in.Text) != "":
		m.Kind, m.Text, out.Text = channel.Text, in.Text, in.Text
	default:
		return out, fault.Missing("text")
	}
	out.Kind = m.Kind
	return out, s.check(t, out)
}

// shownMedia is what a message shows of its file; file is the one that is kept
// here, nil when it lies elsewhere.
func shownMedia(m *channel.Media, file *media.File) *Media {
	if m == nil {
		return nil
	}
	out := &Media{File: m.Own, URL: m.URL, ProviderID: m.ID, MIME: m.MIME, Caption: m.Caption, Filename: m.Filename}
	if file != nil {
		out.Size = file.Size
	}
	return out
}

// kindOf guesses the kind of a file from its MIME type or name.
func kindOf(m channel.Media) string {
	t := m.MIME
	for _, name := range []string{m.Filename, m.URL} {
		if t == "" {
			name, _, _ = strings.Cut(name, "?")
			t = mime.TypeByExtension(path.Ext(name))
		}
	}
	family, _, _ := strings.Cut(t, "/")
	if slices.Contains([]string{channel.Image, channel.Video, channel.Audio}, family) {
		return family
	}
	return channel.Document
}

// replyIn checks the message that m answers.
func (s *Service) replyIn(tx *store.Tx, t target, m *Message) error {
	if m.ReplyTo.IsZero() {
		return nil
	}
	answered, found, err := messageByID(tx, m.ReplyTo)
	if err != nil {
		return err
	}
	if !found || answered.Conversation != t.conv.ID {
		return fault.Field("replyToId", "the message to reply to is not in this conversation")
	}
	m.ReplyToProvider = answered.ProviderID
	return nil
}

// storeIn writes message, row, conversation and events.
func (s *Service) storeIn(tx *store.Tx, actor string, t target, m Message, content ledger.Content) (Message, error) {
	c := t.conv
	if c.ID.IsZero() {
		var err error
		if c, err = s.beginIn(tx, actor, t.channel, t.account.ID, t.address, t.contact, ""); err != nil {
			return m, err
		}
	}
	m.Conversation = c.ID
	if _, err := insertMessage(tx, m); err != nil {
		return m, err
	}
	row := ledger.Row{ID: m.ID, Account: t.account.ID, Conversation: c.ID, Contact: t.contact, Content: content}
	if err := ledger.EnqueueIn(tx, row); err != nil {
		return m, err
	}
	c.Messages++
	if c.Contact.IsZero() {
		c.Contact = t.contact
	}
	c.Account = t.account.ID
	if !m.CreatedAt.Before(c.LastMessageAt) || c.Last == nil {
		c.Last, c.LastMessageAt = &Message{ID: m.ID}, m.CreatedAt
	}
	if err := saveConversation(tx, c); err != nil {
		return m, err
	}
	return s.linked(tx, m), s.tellIn(tx, actor, "message.queued", m)
}

// beginIn makes a conversation that does not exist; the caller holds its lock.
// Until its first message it counts as of its creation.
func (s *Service) beginIn(tx *store.Tx, actor, kind string, accountID id.ID, address string, contactID id.ID, name string) (Conversation, error) {
	c := Conversation{ID: id.New(), Contact: contactID, Channel: kind, Account: accountID, Address: address, Name: name, Status: StatusOpen, Owner: Owner{Kind: OwnerBot},
		LastMessageAt: tx.Now(), CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
	if c.Name == "" && !contactID.IsZero() {
		p, err := s.contacts.Get(tx, contactID)
		if err != nil {
			return c, err
		}
		c.Name = p.Name()
	}
	if c.Name == "" {
		c.Name = address
	}
	if err := saveConversation(tx, c); err != nil {
		return c, err
	}
	_, err := s.log.Append(tx, event.New{Type: "conversation.created", Subject: c.ID, Contact: contactID, Actor: actor})
	return c, err
}
