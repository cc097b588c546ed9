package sales

import (
	"context"
	"fmt"
	"strings"

	"parley/internal/access"
	"parley/internal/fault"
	"parley/internal/handover"
	"parley/internal/httpx"
	"parley/internal/tenant"
)

// accountWire is the account that a key belongs to (reference §5). Merging has no
// period here: mergePeriodDays is kept and shown for clients that set it.
type accountWire struct {
	ID                   string   `json:"id"`
	Name                 string   `json:"name"`
	Code                 string   `json:"code"`
	MergePeriodDays      int      `json:"mergePeriodDays"`
	DefaultCurrency      string   `json:"defaultCurrency"`
	DefaultDistance      string   `json:"defaultDistance"`
	Industries           []string `json:"industries"`
	WebhookProspectShape string   `json:"webhookProspectShape"`
	Timezone             string   `json:"timezone"`
	CountryCode          string   `json:"countryCode"`
}

func (f *Face) accountOf(ctx context.Context, r *httpx.Request) (accountWire, error) {
	reads := f.s.Agents.Reads(ctx, r.Principal.Tenant)
	t, err := f.s.Tenants.Get(reads)
	if err != nil {
		return accountWire{}, err
	}
	set, err := f.s.Tenants.SettingsOf(reads)
	if err != nil {
		return accountWire{}, err
	}
	words, err := f.s.Handovers.Words(reads, handover.Industries)
	w := accountWire{ID: t.ID.String(), Name: t.Name, Code: t.Code, MergePeriodDays: set.MergePeriodDays, DefaultCurrency: strings.ToLower(set.Currency),
		DefaultDistance: set.Distance, Industries: []string{}, WebhookProspectShape: set.ProspectShape, Timezone: set.Timezone, CountryCode: set.Region}
	for _, word := range words {
		w.Industries = append(w.Industries, word.Key)
	}
	return w, err
}

// accounts lists the one account that a key belongs to.
func (f *Face) accounts(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	w, err := f.accountOf(ctx, r)
	if err != nil {
		return nil, err
	}
	return reply(r, []accountWire{w})
}

// addAccount refuses: an account is a tenant of the server, and those are the
// operator's.
func (f *Face) addAccount(context.Context, *httpx.Request) (*httpx.Response, error) {
	return nil, fault.New(fault.Forbidden, "accounts are made by the operator of the server: parley tenant create, or POST /parley/v1/tenants with the operator's token")
}

// pathAccount returns NotFound unless the path names the key's own account.
func pathAccount(r *httpx.Request) error {
	v, err := pathID(r, "accountId", "account")
	if err == nil && v != r.Principal.Tenant {
		err = fault.Unknown("account")
	}
	return err
}

func (f *Face) account(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	if err := pathAccount(r); err != nil {
		return nil, err
	}
	w, err := f.accountOf(ctx, r)
	if err != nil {
		return nil, err
	}
	return reply(r, w)
}

type accountBody struct {
	Name                 given[string]   `json:"name"`
	MergePeriodDays      given[int]      `json:"mergePeriodDays"`
	DefaultCurrency      given[string]   `json:"defaultCurrency"`
	DefaultDistance      given[string]   `json:"defaultDistance"`
	Industries           given[[]string] `json:"industries"`
	WebhookProspectShape given[string]   `json:"webhookProspectShape"`
	Timezone             given[string]   `json:"timezone"`
	CountryCode          given[string]   `json:"countryCode"`
}

// changeAccount changes what the account says of itself; null brings a default back.
func (f *Face) changeAccount(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	if err := pathAccount(r); err != nil {
		return nil, err
	}
	if err := f.wholeAccount(ctx, r); err != nil {
		return nil, err
	}
	var body accountBody
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	if body.MergePeriodDays.Set && !body.MergePeriodDays.Null && body.MergePeriodDays.Value < 1 {
		return nil, fault.Field("mergePeriodDays", "mergePeriodDays must be a number of days from 1 to 36500")
	}
	edit := tenant.Edit{Name: body.Name.ptr(), Settings: func(s *tenant.Settings) {
		apply(&s.MergePeriodDays, body.MergePeriodDays.ptr())
		apply(&s.Currency, body.DefaultCurrency.ptr())
		apply(&s.Distance, body.DefaultDistance.ptr())
		apply(&s.ProspectShape, body.WebhookProspectShape.ptr())
		apply(&s.Timezone, body.Timezone.ptr())
		apply(&s.Region, body.CountryCode.ptr())
	}}
	if _, err := f.s.Tenants.Change(ctx, r.Principal.Tenant, edit); err != nil {
		return nil, fault.Renamed(err, map[string]string{"currency": "defaultCurrency", "distance": "defaultDistance", "region": "countryCode"})
	}
	if body.Industries.Set {
		var words []handover.Word
		for _, w := range body.Industries.Value {
			words = append(words, handover.Word{Key: w})
		}
		if _, err := f.s.Handovers.SetWords(ctx, r.Principal.Tenant, actor(r), handover.Industries, words); err != nil {
			return nil, err
		}
	}
	w, err := f.accountOf(ctx, r)
	if err != nil {
		return nil, err
	}
	return reply(r, w)
}

// integrationAdminWire is a key with everything that can be set. apiKey is there
// once, when it is made.
type integrationAdminWire struct {
	integrationWire
	Scopes    []string `json:"scopes"`
	Enabled   bool     `json:"enabled"`
	RateLimit int      `json:"rateLimit"` // requests a minute, 0: the server's
	Created   *string  `json:"created"`
	APIKey    string   `json:"apiKey,omitempty"`
}

func (f *Face) integrationAdmin(ctx context.Context, r *httpx.Request, k access.Key, token string) (integrationAdminWire, error) {
	list, err := f.integrationsOf(ctx, r.Principal.Tenant, []access.Key{k})
	if err != nil {
		return integrationAdminWire{}, err
	}
	w := integrationAdminWire{integrationWire: list[0], Scopes: []string{}, Enabled: k.Enabled, RateLimit: k.Rate, Created: moment(k.CreatedAt), APIKey: token}
	for _, s := range k.Scopes {
		w.Scopes = append(w.Scopes, short(s))
	}
	return w, nil
}

type integrationBody struct {
	Name        given[string]   `json:"name"`
	Group       given[string]   `json:"group"`
	User        given[string]   `json:"user"`
	Scopes      given[[]string] `json:"scopes"`
	Enabled     given[bool]     `json:"enabled"`
	ProviderKey given[string]   `json:"providerKey"`
	Language    given[string]   `json:"language"`
	RateLimit   given[int]      `json:"rateLimit"`
}

// keyBody reads an integration of a body. A key of a group gives nothing to the
// account as a whole.
func (f *Face) keyBody(ctx context.Context, r *httpx.Request) (e access.Edit, err error) {
	var body integrationBody
	if err := r.Decode(&body); err != nil {
		return e, err
	}
	var bad fault.Collector
	e = access.Edit{Name: body.Name.ptr(), Enabled: body.Enabled.ptr(), Provider: body.ProviderKey.ptr(), Language: body.Language.ptr(), Rate: body.RateLimit.ptr()}
	if body.Scopes.Set {
		scopes, err := fullScopes(body.Scopes.Value)
		bad.Add(err)
		e.Scopes = &scopes
	}
	if body.Name.Set && strings.TrimSpace(body.Name.Value) == "" {
		bad.Add(fault.Missing("name"))
	}
	for _, look := range []func() error{
		func() (err error) { e.Group, err = f.bodyGroup(ctx, r, "group", body.Group); return err },
		func() (err error) { e.User, err = f.bodyAgent(ctx, r, "user", body.User); return err },
	} {
		if err := look(); err != nil && fault.As(err) == nil {
			return e, err
		} else if err != nil {
			bad.Add(err)
		}
	}
	if e.Group != nil && e.Group.IsZero() && !r.Principal.Group.IsZero() {
		own := r.Principal.Group
		e.Group = &own
	}
	return e, bad.Err()
}

// addIntegration makes a key of this API, in the key's own group when the body names
// none. Its token is in this answer and nowhere else.
func (f *Face) addIntegration(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	e, err := f.keyBody(ctx, r)
	if err != nil {
		return nil, err
	}
	n := access.NewKey{Face: Name, Group: r.Principal.Group}
	switch {
	case e.Name == nil:
		return nil, fault.Missing("name")
	case e.Scopes == nil || len(*e.Scopes) == 0:
		return nil, fault.Missing("scopes")
	}
	apply(&n.Name, e.Name)
	apply(&n.Group, e.Group)
	apply(&n.User, e.User)
	apply(&n.Scopes, e.Scopes)
	apply(&n.Provider, e.Provider)
	apply(&n.Language, e.Language)
	apply(&n.Rate, e.Rate)
	n.Disabled = e.Enabled != nil && !*e.Enabled
	token, k, err := f.s.Access.Create(ctx, r.Principal.Tenant, n)
	if err != nil {
		return nil, fault.Renamed(err, map[string]string{"rate": "rateLimit", "provider": "providerKey"})
	}
	w, err := f.integrationAdmin(ctx, r, k, token)
	if err != nil {
		return nil, err
	}
	return reply(r, w)
}

// pathIntegration returns the living key that the path names when it belongs to a
// group that the caller sees.
func (f *Face) pathIntegration(ctx context.Context, r *httpx.Request) (access.Key, error) {
	v, err := pathID(r, "integrationId", "integration")
	if err != nil {
		return access.Key{}, err
	}
	k, err := f.s.Access.Get(ctx, r.Principal.Tenant, v)
	if err != nil {
		return k, err
	}
	if k.Face != Name || !k.RevokedAt.IsZero() {
		return k, fault.Unknown("integration")
	}
	if k.Group.IsZero() {
		err = f.wholeAccount(ctx, r)
	} else {
		err = f.sees(ctx, r, k.Group)
	}
	if fault.As(err) != nil {
		err = fault.Unknown("integration")
	}
	return k, err
}

// integrationsAsAdmin lists the living keys that the caller administrates, disabled
// ones too.
func (f *Face) integrationsAsAdmin(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	keys, err := f.s.Access.List(ctx, r.Principal.Tenant)
	if err != nil {
		return nil, err
	}
	out := []integrationAdminWire{}
	for _, k := range keys {
		if k.Face != Name || !k.RevokedAt.IsZero() {
			continue
		}
		if k.Group.IsZero() {
			err = f.wholeAccount(ctx, r)
		} else {
			err = f.sees(ctx, r, k.Group)
		}
		if fault.As(err) != nil {
			continue
		}
		if err != nil {
			return nil, err
		}
		w, err := f.integrationAdmin(ctx, r, k, "")
		if err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return reply(r, out)
}

func (f *Face) oneIntegration(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	k, err := f.pathIntegration(ctx, r)
	if err != nil {
		return nil, err
	}
	w, err := f.integrationAdmin(ctx, r, k, "")
	if err != nil {
		return nil, err
	}
	return reply(r, w)
}

func (f *Face) changeIntegration(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	k, err := f.pathIntegration(ctx, r)
	if err != nil {
		return nil, err
	}
	e, err := f.keyBody(ctx, r)
	if err != nil {
		return nil, err
	}
	switch {
	case e.Scopes != nil && len(*e.Scopes) == 0:
		return nil, fault.Missing("scopes")
	case k.ID == r.Principal.Key && (e.Scopes != nil || e.Enabled != nil || e.Group != nil):
		return nil, fault.New(fault.Conflict, "an integration cannot change its own scopes, group or whether it is enabled; use another one")
	}
	if k, err = f.s.Access.Edit(ctx, r.Principal.Tenant, k.ID, e); err != nil {
		return nil, fault.Renamed(err, map[string]string{"rate": "rateLimit", "provider": "providerKey"})
	}
	w, err := f.integrationAdmin(ctx, r, k, "")
	if err != nil {
		return nil, err
	}
	return reply(r, w)
}

// refreshIntegration gives a key a new token; the old one dies at once.
func (f *Face) refreshIntegration(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	k, err := f.pathIntegration(ctx, r)
	if err != nil {
		return nil, err
	}
	token, k, err := f.s.Access.Refresh(ctx, r.Principal.Tenant, k.ID)
	if err != nil {
		return nil, err
	}
	w, err := f.integrationAdmin(ctx, r, k, token)
	if err != nil {
		return nil, err
	}
	return reply(r, w)
}

func (f *Face) removeIntegration(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	k, err := f.pathIntegration(ctx, r)
	if err != nil {
		return nil, err
	}
	if k.ID == r.Principal.Key {
		return nil, fault.New(fault.Conflict, "an integration cannot delete itself; use another one")
	}
	w, err := f.integrationAdmin(ctx, r, k, "")
	if err != nil {
		return nil, err
	}
	if err := f.s.Access.Revoke(ctx, r.Principal.Tenant, k.ID); err != nil {
		return nil, err
	}
	w.Enabled = false
	return reply(r, w)
}

// wordWire is an entry of a vocabulary; reasons have "reason" for "key".
type wordWire struct {
	Key    string `json:"key,omitempty"`
	Reason string `json:"reason,omitempty"`
	Name   string `json:"name"`
	Snooze *bool  `json:"snooze,omitempty"`
}

func wordsOut(kind string, list []handover.Word) []wordWire {
	out := make([]wordWire, len(list))
	for i, w := range list {
		out[i] = wordWire{Key: w.Key, Name: w.Name}
		if kind == handover.Reasons {
			out[i] = wordWire{Reason: w.Key, Name: w.Name, Snooze: &list[i].Snooze}
		}
	}
	return out
}

// words answers a vocabulary of the account.
func (f *Face) words(kind string) httpx.Handler {
	return func(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
		list, err := f.s.Handovers.Words(f.s.Handovers.Reads(ctx, r.Principal.Tenant), kind)
		if err != nil {
			return nil, err
		}
		return reply(r, wordsOut(kind, list))
	}
}

// setWords replaces a vocabulary; an empty list brings the stock back. Prospects
// keep the words that they have.
func (f *Face) setWords(kind string) httpx.Handler {
	return func(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
		if err := f.wholeAccount(ctx, r); err != nil {
			return nil, err
		}
		body, err := listBody[struct {
			Key    string `json:"key"`
			Reason string `json:"reason"`
			Name   string `json:"name"`
			Snooze bool   `json:"snooze"`
		}](r)
		if err != nil {
			return nil, err
		}
		words := make([]handover.Word, len(body))
		for i, w := range body {
			words[i] = handover.Word{Key: w.Key, Name: w.Name, Snooze: w.Snooze}
			if w.Reason != "" && kind == handover.Reasons {
				words[i].Key = w.Reason
			}
			if kind == handover.Reasons && strings.TrimSpace(words[i].Key) == "" {
				return nil, fault.Missing(fmt.Sprintf("%s[%d].reason", kind, i))
			}
		}
		list, err := f.s.Handovers.SetWords(ctx, r.Principal.Tenant, actor(r), kind, words)
		if err != nil {
			return nil, err
		}
		return reply(r, wordsOut(kind, list))
	}
}
