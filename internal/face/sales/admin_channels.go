package sales

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"parley/internal/account"
	"parley/internal/channel"
	"parley/internal/contact"
	"parley/internal/conversation"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// loopbackProvider is the built-in provider that sends nowhere (reference §5);
// package channel/loopback serves its accounts.
const (
	providerSetting  = "provider"
	loopbackProvider = "loopback"
	metaProvider     = "meta"
)

// channelAdminWire is a connected channel. Secrets are never shown.
type channelAdminWire struct {
	ID        string         `json:"id"`
	Channel   string         `json:"channel"`
	ChannelID string         `json:"channelId"`
	GroupID   string         `json:"groupId,omitempty"` // without one it serves the whole account
	Provider  providerWire   `json:"provider"`
	Templates []templateWire `json:"templates"`
}

type providerWire struct {
	Type   string `json:"type"`
	WabaID string `json:"wabaId,omitempty"`
}

// channelBody is a channel as it is sent. The secrets of a provider are those that
// docs/api/sales.md lists.
type channelBody struct {
	Channel   given[string] `json:"channel"`
	ChannelID given[string] `json:"channelId"`
	Group     given[string] `json:"group"`
	Provider  given[struct {
		Type        string `json:"type"`
		Token       string `json:"token"`
		AppSecret   string `json:"appSecret"`
		VerifyToken string `json:"verifyToken"`
		WabaID      string `json:"wabaId"`
	}] `json:"provider"`
}

func providerOf(a channel.Account) string {
	if p := a.Settings[providerSetting]; p != "" {
		return p
	}
	return metaProvider
}

func (f *Face) channelAdmin(ctx context.Context, r *httpx.Request, list []channel.Account) ([]channelAdminWire, error) {
	shown, err := f.channelsWire(ctx, r.Principal.Tenant, list)
	if err != nil {
		return nil, err
	}
	out := make([]channelAdminWire, len(list))
	for i, a := range list {
		out[i] = channelAdminWire{ID: a.ID.String(), Channel: shown[i].Channel, ChannelID: a.ExternalID, GroupID: a.Settings[groupSetting],
			Provider: providerWire{providerOf(a), a.Settings["wabaId"]}, Templates: shown[i].Templates}
	}
	return out, nil
}

// ours returns the accounts of this API's channels that the key administrates.
func (f *Face) ours(ctx context.Context, r *httpx.Request) ([]channel.Account, error) {
	all, err := f.s.Accounts.List(ctx, r.Principal.Tenant)
	if err != nil {
		return nil, err
	}
	var out []channel.Account
	for _, a := range all {
		if wireOf(a.Kind) == "" {
			continue
		}
		own, err := id.Parse(a.Settings[groupSetting])
		if err != nil {
			err = f.wholeAccount(ctx, r)
		} else {
			err = f.sees(ctx, r, own)
		}
		switch {
		case err == nil:
			out = append(out, a)
		case fault.As(err) == nil:
			return nil, err
		}
	}
	return out, nil
}

func (f *Face) channelList(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	list, err := f.ours(ctx, r)
	if err != nil {
		return nil, err
	}
	out, err := f.channelAdmin(ctx, r, list)
	if err != nil {
		return nil, err
	}
	return reply(r, out)
}

// pathChannel returns the account that the path names when the key administrates it.
func (f *Face) pathChannel(ctx context.Context, r *httpx.Request) (channel.Account, error) {
	v, err := pathID(r, "channelId", "channel")
	if err != nil {
		return channel.Account{}, err
	}
	list, err := f.ours(ctx, r)
	if err != nil {
		return channel.Account{}, err
	}
	for _, a := range list {
		if a.ID == v {
			return a, nil
		}
	}
	return channel.Account{}, fault.Unknown("channel")
}

func (f *Face) replyChannel(ctx context.Context, r *httpx.Request, a channel.Account) (*httpx.Response, error) {
	out, err := f.channelAdmin(ctx, r, []channel.Account{a})
	if err != nil {
		return nil, err
	}
	return reply(r, out[0])
}

// addChannel connects a channel. A key of a group connects it for its group.
func (f *Face) addChannel(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var body channelBody
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	n := account.NewAccount{Settings: map[string]string{}, Secrets: map[string]string{}}
	var bad fault.Collector
	for _, c := range messagingChannels {
		if c.wire == strings.ToLower(strings.TrimSpace(body.Channel.Value)) && f.s.Conversations.Serves(c.kind) {
			n.Kind = c.kind
		}
	}
	if n.Kind == "" {
		bad.Add(fault.Field("channel", "channel must be whatsapp or facebook"))
	}
	var err error
	if n.ExternalID, err = contact.Line("channelId", body.ChannelID.Value, 100); err == nil && n.ExternalID == "" {
		err = fault.Missing("channelId")
	}
	bad.Add(err)
	group, err := f.bodyGroup(ctx, r, "group", body.Group)
	if err != nil && fault.As(err) == nil {
		return nil, err
	}
	bad.Add(err)
	bad.Add(body.provider(&n, true))
	if err := bad.Err(); err != nil {
		return nil, err
	}
	if zeroID(group) && !r.Principal.Group.IsZero() {
		own := r.Principal.Group
		group = &own
	}
	if !zeroID(group) {
		n.Settings[groupSetting] = group.String()
	}
	a, err := f.s.Accounts.Add(ctx, r.Principal.Tenant, n)
	if err != nil {
		return nil, fault.Renamed(err, map[string]string{"externalId": "channelId"})
	}
	return f.replyChannel(ctx, r, a)
}

// provider takes over what the body says of the provider; all must be there for a
// new channel.
func (b channelBody) provider(n *account.NewAccount, all bool) error {
	p := b.Provider.Value
	typ := strings.ToLower(strings.TrimSpace(p.Type))
	if typ == "" && !all {
		typ = n.Settings[providerSetting]
		if typ == "" {
			typ = metaProvider
		}
	}
	var bad fault.Collector
	switch typ {
	case loopbackProvider:
		n.Settings[providerSetting] = loopbackProvider
		n.Secrets = map[string]string{}
	case metaProvider:
		delete(n.Settings, providerSetting)
		for _, s := range []struct{ name, value string }{{"token", p.Token}, {"appSecret", p.AppSecret}, {"verifyToken", p.VerifyToken}} {
			v, err := contact.Line("provider."+s.name, s.value, 2000)
			bad.Add(err)
			if v != "" {
				n.Secrets[s.name] = v
			}
			if err == nil && n.Secrets[s.name] == "" && s.name != "verifyToken" {
				bad.Add(fault.Missing("provider." + s.name))
			}
		}
		v, err := contact.Line("provider.wabaId", p.WabaID, 100)
		bad.Add(err)
		if v != "" {
			n.Settings["wabaId"] = v
		}
	default:
		bad.Add(fault.Field("provider.type", "provider.type must be loopback, which sends nowhere, or meta"))
	}
	return bad.Err()
}

// changeChannel changes the group and the provider of a channel; its kind and its
// number stay.
func (f *Face) changeChannel(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	a, err := f.pathChannel(ctx, r)
	if err != nil {
		return nil, err
	}
	var body channelBody
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	var bad fault.Collector
	if body.Channel.Set && body.Channel.Value != wireOf(a.Kind) {
		bad.Add(fault.Field("channel", "a channel keeps its kind; make another one"))
	}
	if body.ChannelID.Set && body.ChannelID.Value != a.ExternalID {
		bad.Add(fault.Field("channelId", "a channel keeps its channelId; make another one"))
	}
	group, err := f.bodyGroup(ctx, r, "group", body.Group)
	if err != nil && fault.As(err) == nil {
		return nil, err
	}
	bad.Add(err)
	if zeroID(group) && group != nil && !r.Principal.Group.IsZero() {
		own := r.Principal.Group
		group = &own
	}
	a, err = f.s.Accounts.Change(ctx, r.Principal.Tenant, a.ID, func(n *account.NewAccount) error {
		bad := bad // it may be asked twice
		if body.Provider.Set {
			bad.Add(body.provider(n, false))
		}
		if group != nil {
			if n.Settings[groupSetting] = group.String(); group.IsZero() {
				delete(n.Settings, groupSetting)
			}
		}
		return bad.Err()
	})
	if isUnknown(err) { // disconnected meanwhile
		err = fault.Unknown("channel")
	}
	if err != nil {
		return nil, err
	}
	return f.replyChannel(ctx, r, a)
}

// removeChannel disconnects a channel. Its conversations stay; what waits to be
// sent through it fails.
func (f *Face) removeChannel(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	a, err := f.pathChannel(ctx, r)
	if err != nil {
		return nil, err
	}
	out, err := f.channelAdmin(ctx, r, []channel.Account{a})
	if err != nil {
		return nil, err
	}
	if err := f.s.Conversations.Disconnect(ctx, r.Principal.Tenant, actor(r), a.ID); err != nil {
		return nil, err
	}
	return reply(r, out[0])
}

// loopback returns the path's channel when the loopback provider serves it: what a
// real provider delivers comes from there alone.
func (f *Face) loopback(ctx context.Context, r *httpx.Request) (channel.Account, error) {
	a, err := f.pathChannel(ctx, r)
	if err == nil && providerOf(a) != loopbackProvider {
		err = fault.New(fault.Conflict, "the provider of this channel delivers its messages itself; only a channel of the provider loopback takes them here")
	}
	return a, err
}

type inboundBody struct {
	From       string `json:"from"`
	Name       string `json:"name"`
	ProviderID string `json:"providerId"`
	Content    string `json:"content"`
	ReceivedAt string `json:"receivedAt"`
	Attachment *struct {
		Type string `json:"type"`
		URL  string `json:"url"`
		Name string `json:"name"`
		MIME string `json:"mimeType"`
	} `json:"attachment"`
}

// attachmentKinds are the kinds of message by the type of an attachment.
var attachmentKinds = map[string]string{"IMAGE": channel.Image, "VIDEO": channel.Video, "AUDIO": channel.Audio, "FILE": channel.Document}

// inbound takes a message that a person wrote, once for each providerId.
func (f *Face) inbound(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	a, err := f.loopback(ctx, r)
	if err != nil {
		return nil, err
	}
	var body inboundBody
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	var bad fault.Collector
	line := func(field, v string, max int, needed bool) string {
		got, err := contact.Line(field, v, max)
		bad.Add(err)
		if err == nil && got == "" && needed {
			bad.Add(fault.Missing(field))
		}
		return got
	}
	m := channel.Incoming{Account: a.ExternalID, Kind: channel.Text, ProviderID: line("providerId", body.ProviderID, 200, true), From: line("from", body.From, 100, true),
		ProfileName: line("name", body.Name, 100, false), Text: line("content", body.Content, 20_000, body.Attachment == nil)}
	if a.Kind == conversation.DefaultChannel && m.From != "" {
		key, err := f.s.Contacts.KeyOf(f.s.Conversations.Reads(ctx, r.Principal.Tenant), m.From)
		if err != nil && fault.As(err) == nil {
			return nil, err
		}
		if err != nil || len(key) < 5 {
			bad.Add(fault.Field("from", "from must be a phone number such as +5511987654321"))
		}
		m.From = key
	}
	if t := body.Attachment; t != nil {
		kind, ok := attachmentKinds[strings.ToUpper(t.Type)]
		if !ok {
			bad.Add(fault.Field("attachment.type", "attachment.type must be FILE, IMAGE, AUDIO or VIDEO"))
		}
		m.Kind, m.Media = kind, &channel.Media{URL: line("attachment.url", t.URL, 2000, true), Filename: line("attachment.name", t.Name, 200, false),
			MIME: line("attachment.mimeType", t.MIME, 100, false), Caption: m.Text}
		if !strings.HasPrefix(t.URL, "https://") && !strings.HasPrefix(t.URL, "http://") {
			bad.Add(fault.Field("attachment.url", "attachment.url must begin with https://"))
		}
	}
	m.At, err = parseMoment("receivedAt", body.ReceivedAt)
	bad.Add(err)
	now := f.s.Clock.Now()
	if m.At.IsZero() {
		m.At = now
	}
	if m.At.After(now) {
		bad.Add(fault.Field("receivedAt", "receivedAt must not lie in the future"))
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	// Providers' names for messages are the account's, so that two cannot meet.
	m.ProviderID = inboundID(a, m.ProviderID)
	if err := f.s.Conversations.Receive(ctx, a, channel.Batch{Messages: []channel.Incoming{m}}); err != nil {
		return nil, err
	}
	return reply(r, success{true})
}

func inboundID(a channel.Account, providerID string) string {
	return "loopback:" + a.ID.String() + ":" + providerID
}

// statuses are the delivery statuses that can be told.
var statuses = []string{"sent", "delivered", "read", "failed"}

// deliveryStatus takes what became of a message of ours. providerId is the one that
// the message shows, or its id.
func (f *Face) deliveryStatus(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	a, err := f.loopback(ctx, r)
	if err != nil {
		return nil, err
	}
	var body struct {
		ProviderID string `json:"providerId"`
		Status     string `json:"status"`
		Error      string `json:"error"`
		At         string `json:"at"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	var bad fault.Collector
	if body.ProviderID == "" {
		bad.Add(fault.Missing("providerId"))
	}
	status := strings.ToLower(body.Status)
	if status == "received" { // this API's word on messages (§3.4)
		status = "delivered"
	}
	if !slices.Contains(statuses, status) {
		bad.Add(fault.Field("status", "status must be sent, delivered (or received), read or failed"))
	}
	words, err := contact.Line("error", body.Error, 500)
	bad.Add(err)
	at, err := parseMoment("at", body.At)
	bad.Add(err)
	if err := bad.Err(); err != nil {
		return nil, err
	}
	if at.IsZero() {
		at = f.s.Clock.Now()
	}
	rec := channel.Receipt{Account: a.ExternalID, ProviderID: body.ProviderID, Status: status, At: at}
	mid, err := id.Parse(strings.TrimPrefix(body.ProviderID, "loopback:"))
	if err != nil {
		return nil, fault.Unknown("message")
	}
	reads := f.s.Conversations.Reads(ctx, r.Principal.Tenant)
	found, err := f.s.Conversations.ByID(reads, []id.ID{mid})
	if err != nil {
		return nil, err
	}
	if x, ok := found[mid]; !ok || x.Conversation.Account != a.ID || x.Message.Direction != conversation.Outbound {
		return nil, fault.Unknown("message")
	}
	rec.ProviderID, rec.Echo = "loopback:"+mid.String(), mid.String()
	if status == "failed" {
		if words == "" {
			words = "the message could not be delivered"
		}
		rec.Err = &channel.SendError{Outcome: channel.Refused, Title: words}
	}
	if err := f.s.Conversations.Receive(ctx, a, channel.Batch{Receipts: []channel.Receipt{rec}}); err != nil {
		return nil, err
	}
	return reply(r, success{true})
}

type templateBody struct {
	Key      string            `json:"key"`
	Name     string            `json:"name"`
	Body     string            `json:"body"`
	Template string            `json:"template"`
	Language string            `json:"language"`
	Defaults map[string]string `json:"defaults"`
}

// setTemplates replaces the templates of a loopback channel: they are approved at
// once. Those of a provider are written there and synchronised.
func (f *Face) setTemplates(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	a, err := f.pathChannel(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := f.wholeAccount(ctx, r); err != nil {
		return nil, err
	}
	if providerOf(a) != loopbackProvider {
		return nil, fault.New(fault.Conflict, "the templates of this channel belong to its provider; write them there and synchronise them")
	}
	body, err := listBody[templateBody](r)
	if err != nil {
		return nil, err
	}
	list := make([]conversation.OwnTemplate, len(body))
	for i, t := range body {
		list[i] = conversation.OwnTemplate{Name: t.Key, Language: t.Language, Body: t.Body, Defaults: t.Defaults}
		if t.Key == "" {
			list[i].Name = t.Template
		}
		if list[i].Name == "" {
			list[i].Name = t.Name
		}
		if strings.TrimSpace(list[i].Name) == "" {
			return nil, fault.Missing(fmt.Sprintf("[%d].key", i))
		}
	}
	if err := f.s.Conversations.Templates().SetOwn(ctx, r.Principal.Tenant, a.Kind, list); err != nil {
		return nil, err
	}
	return f.replyChannel(ctx, r, a)
}
