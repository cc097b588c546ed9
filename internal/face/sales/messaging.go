package sales

import (
	"context"
	"slices"

	"parley/internal/channel"
	"parley/internal/conversation"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// The channels of this API by their names in paths, in the order of the lists,
// and what they are here (reference §2.5).
var messagingChannels = []struct{ wire, kind string }{{"whatsapp", "whatsapp"}, {"facebook", "messenger"}, {"instagram", "instagram"}}

// kindOf returns what a channel of the path is here. A name that is none of the
// three is a fault of "channel".
func kindOf(r *httpx.Request) (kind string, err error) {
	for _, c := range messagingChannels {
		if c.wire == r.Param("channel") {
			return c.kind, nil
		}
	}
	return "", fault.Field("channel", "channel must be whatsapp, facebook or instagram")
}

func wireOf(kind string) string {
	for _, c := range messagingChannels {
		if c.kind == kind {
			return c.wire
		}
	}
	return ""
}

// groupSetting is the setting of an account that names the group it belongs to;
// one without belongs to all.
const groupSetting = "group"

// serving returns the tenant's accounts of the three channels that serve a group:
// those of no group, of the group itself and of one above it; and, for a caller
// who sees a whole tree, those below it. Channels come in their order, accounts
// oldest first.
func (f *Face) serving(ctx context.Context, tenant, group id.ID, below bool) ([]channel.Account, error) {
	all, err := f.s.Accounts.List(ctx, tenant)
	if err != nil {
		return nil, err
	}
	reads := f.s.Agents.Reads(ctx, tenant)
	var out []channel.Account
	for _, c := range messagingChannels {
		for _, a := range all {
			if a.Kind != c.kind {
				continue
			}
			own, err := id.Parse(a.Settings[groupSetting])
			serves := err != nil
			if !serves {
				if serves, err = f.s.Agents.Within(reads, own, group); err == nil && !serves && below {
					serves, err = f.s.Agents.Within(reads, group, own)
				}
				if err != nil {
					return nil, err
				}
			}
			if serves {
				out = append(out, a)
			}
		}
	}
	return out, nil
}

// channels lists the channels in the key's scope (reference §2.5).
func (f *Face) channels(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	group, err := f.scope(ctx, r)
	if err != nil {
		return nil, err
	}
	accounts, err := f.serving(ctx, r.Principal.Tenant, group, true)
	if err != nil {
		return nil, err
	}
	out, err := f.channelsWire(ctx, r.Principal.Tenant, accounts)
	if err != nil {
		return nil, err
	}
	return reply(r, out)
}

// prospectChannels lists the channels by which a prospect can be written to: one
// account for each, the one that a message would go through.
func (f *Face) prospectChannels(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	cid, err := f.prospect(ctx, r)
	if err != nil {
		return nil, err
	}
	ways, err := f.ways(ctx, r.Principal.Tenant, cid)
	if err != nil {
		return nil, err
	}
	var accounts []channel.Account
	for _, c := range messagingChannels {
		if w, ok := ways[c.kind]; ok {
			accounts = append(accounts, w.account)
		}
	}
	out, err := f.channelsWire(ctx, r.Principal.Tenant, accounts)
	if err != nil {
		return nil, err
	}
	return reply(r, out)
}

// way is how a prospect is written to on a channel.
type way struct {
	conversation.Reach
	account channel.Account
}

// ways returns how a prospect can be written to, by kind: where it has an address
// and the tenant an account, the conversation's own or the newest that serves the
// prospect's group.
func (f *Face) ways(ctx context.Context, tenant, cid id.ID) (map[string]way, error) {
	reaches, err := f.s.Conversations.Reaches(f.s.Conversations.Reads(ctx, tenant), cid)
	if err != nil {
		return nil, err
	}
	work, err := f.s.Handovers.Get(f.s.Handovers.Reads(ctx, tenant), cid)
	if err != nil {
		return nil, err
	}
	accounts, err := f.serving(ctx, tenant, work.Group, false)
	if err != nil {
		return nil, err
	}
	out := map[string]way{}
	for kind, at := range reaches {
		w := way{Reach: at}
		for _, a := range accounts {
			if a.Kind == kind && (at.Account.IsZero() || at.Account == a.ID) {
				w.account = a
			}
		}
		if w.account.ID.IsZero() && !at.Account.IsZero() { // a conversation goes on where it runs
			a, err := f.s.Accounts.Get(f.s.Conversations.Reads(ctx, tenant), at.Account)
			if err != nil && fault.As(err) == nil {
				return nil, err
			}
			w.account = a
		}
		if w.account.ID.IsZero() {
			for _, a := range slices.Backward(accounts) { // the account was disconnected
				if a.Kind == kind {
					w.account = a
					break
				}
			}
		}
		if !w.account.ID.IsZero() {
			out[kind] = w
		}
	}
	return out, nil
}

// channelsWire shows accounts with the templates of their channels.
func (f *Face) channelsWire(ctx context.Context, tenant id.ID, accounts []channel.Account) ([]channelWire, error) {
	templates := map[string][]templateWire{}
	out := make([]channelWire, 0, len(accounts))
	for _, a := range accounts {
		list, ok := templates[a.Kind]
		if !ok {
			keyed, err := f.templates(ctx, tenant, a.Kind)
			if err != nil {
				return nil, err
			}
			list = make([]templateWire, 0, len(keyed))
			for _, k := range keyed {
				list = append(list, templateWire{Key: k.key, Name: k.name, Body: k.body(), Template: k.Name})
			}
			templates[a.Kind] = list
		}
		out = append(out, channelWire{Channel: wireOf(a.Kind), ChannelID: a.ExternalID, Templates: list})
	}
	return out, nil
}

// way returns how the path's prospect is written to on the path's channel.
// NotFound naming "channel" where it cannot be.
func (f *Face) way(ctx context.Context, r *httpx.Request) (cid id.ID, w way, err error) {
	kind, err := kindOf(r)
	if err != nil {
		return cid, w, err
	}
	if cid, err = f.prospect(ctx, r); err != nil {
		return cid, w, err
	}
	ways, err := f.ways(ctx, r.Principal.Tenant, cid)
	if err != nil {
		return cid, w, err
	}
	w, ok := ways[kind]
	if !ok {
		return cid, w, fault.New(fault.NotFound, "the prospect cannot be reached on %s: %s", r.Param("channel"), f.why(ctx, r, kind))
	}
	return cid, w, nil
}

// why says what is missing for a channel.
func (f *Face) why(ctx context.Context, r *httpx.Request, kind string) string {
	all, err := f.s.Accounts.List(ctx, r.Principal.Tenant)
	switch {
	case err == nil && !slices.ContainsFunc(all, func(a channel.Account) bool { return a.Kind == kind }):
		return "no account of this channel is connected"
	case kind == "whatsapp":
		return "it has no phone number, or no number serves its group"
	}
	return "it has never written there, or no page serves its group"
}
