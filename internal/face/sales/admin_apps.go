package sales

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"parley/internal/app"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// appScopes are what the key of an app may do. Administration is not among them.
var appScopes = []string{leadsWrite, prospectsRead, readData, prospectsWrite, notifications, channelsRead, transactional, conversational, actAsUser}

// appBody is what an app is registered and changed with; absent fields stay.
type appBody struct {
	Developer      *string        `json:"developer"`
	Key            *string        `json:"key"`
	Name           *app.Localized `json:"name"`
	BaseURL        *string        `json:"baseUrl"`
	ClientID       *string        `json:"clientId"`
	ClientSecret   *string        `json:"clientSecret"`
	PrivateKey     *string        `json:"privateKey"`
	Scopes         *[]string      `json:"scopes"`
	Reports        *[]app.Report  `json:"reports"`
	Buttons        *[]app.Button  `json:"buttons"`
	ProspectFields *[]app.Field   `json:"prospectFields"`
	UserFields     *[]app.Field   `json:"userFields"`
	Push           *bool          `json:"push"`
}

// scopes reads the short names of scopes that an app may have.
func (b *appBody) scopes() error {
	if b.Scopes == nil {
		return nil
	}
	out := []string{}
	for _, s := range *b.Scopes {
		long := Name + ":" + s
		if !slices.Contains(appScopes, long) {
			var all []string
			for _, s := range appScopes {
				all = append(all, short(s))
			}
			return fault.Field("scopes", "an app has scopes among %s", strings.Join(all, ", "))
		}
		if !slices.Contains(out, long) {
			out = append(out, long)
		}
	}
	b.Scopes = &out
	return nil
}

// registerApp makes an app known. Its secrets are in this answer and in no other.
func (f *Face) registerApp(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var b appBody
	if err := f.wholeAccount(ctx, r); err != nil {
		return nil, err
	}
	if err := r.Decode(&b); err != nil {
		return nil, err
	}
	if err := b.scopes(); err != nil {
		return nil, err
	}
	for _, x := range []struct {
		name   string
		absent bool
	}{{"developer", b.Developer == nil}, {"key", b.Key == nil}, {"name", b.Name == nil}, {"baseUrl", b.BaseURL == nil}} {
		if x.absent {
			return nil, fault.Missing(x.name)
		}
	}
	n := app.NewApp{App: app.App{Developer: *b.Developer, Key: *b.Key, Name: *b.Name, BaseURL: *b.BaseURL, ClientID: value(b.ClientID), Scopes: value(b.Scopes),
		Reports: value(b.Reports), Buttons: value(b.Buttons), ProspectFields: value(b.ProspectFields), UserFields: value(b.UserFields), Push: value(b.Push)},
		Secrets: app.Secrets{ClientSecret: value(b.ClientSecret), PrivateKey: value(b.PrivateKey)}}
	if len(n.Scopes) == 0 {
		n.Scopes = slices.DeleteFunc(slices.Clone(appScopes), func(s string) bool { return s == actAsUser })
	}
	a, own, err := f.s.Apps.Register(ctx, r.Principal.Tenant, actor(r), n)
	if err != nil {
		return nil, err
	}
	return httpx.JSON(http.StatusCreated, appOf(a, own)), nil
}

// value is what a pointer points to, or nothing.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// appList lists the apps of the account.
func (f *Face) appList(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	list, err := f.s.Apps.Apps(f.s.Apps.Reads(ctx, r.Principal.Tenant))
	if err != nil {
		return nil, err
	}
	out := make([]appWire, 0, len(list))
	for _, a := range list {
		out = append(out, appOf(a, app.Secrets{}))
	}
	return reply(r, out)
}

// anApp answers one app.
func (f *Face) anApp(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	aid, err := pathID(r, "appId", "app")
	if err != nil {
		return nil, err
	}
	a, err := f.s.Apps.App(f.s.Apps.Reads(ctx, r.Principal.Tenant), aid)
	if err != nil {
		return nil, err
	}
	return reply(r, appOf(a, app.Secrets{}))
}

// changeApp changes an app. An empty clientSecret or privateKey asks for a new one,
// which is in this answer and in no other.
func (f *Face) changeApp(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	if err := f.wholeAccount(ctx, r); err != nil {
		return nil, err
	}
	aid, err := pathID(r, "appId", "app")
	if err != nil {
		return nil, err
	}
	var b appBody
	if err := r.Decode(&b); err != nil {
		return nil, err
	}
	if err := b.scopes(); err != nil {
		return nil, err
	}
	if b.Developer != nil || b.Key != nil {
		return nil, fault.Field("key", "developer and key cannot be changed, since the keys of fields are made of them; register another app instead")
	}
	a, own, err := f.s.Apps.Update(ctx, r.Principal.Tenant, actor(r), aid, app.Patch{Name: b.Name, BaseURL: b.BaseURL, ClientID: b.ClientID,
		ClientSecret: b.ClientSecret, PrivateKey: b.PrivateKey, Scopes: b.Scopes, Reports: b.Reports, Buttons: b.Buttons,
		ProspectFields: b.ProspectFields, UserFields: b.UserFields, Push: b.Push})
	if err != nil {
		return nil, err
	}
	return reply(r, appOf(a, own))
}

// deleteApp takes an app away that is installed nowhere.
func (f *Face) deleteApp(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	if err := f.wholeAccount(ctx, r); err != nil {
		return nil, err
	}
	aid, err := pathID(r, "appId", "app")
	if err != nil {
		return nil, err
	}
	a, err := f.s.Apps.Delete(ctx, r.Principal.Tenant, actor(r), aid)
	if err != nil {
		return nil, err
	}
	return reply(r, appOf(a, app.Secrets{}))
}

// extraFields lists the additional fields of prospects or users: the account's own
// and those of its installed apps.
func (f *Face) extraFields(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	entity := r.QueryString("entity")
	if entity == "" {
		entity = app.Prospect
	}
	list, err := f.s.Apps.Fields(f.s.Apps.Reads(ctx, r.Principal.Tenant), entity)
	if err != nil {
		return nil, err
	}
	return reply(r, extraFieldsOf(list))
}

func extraFieldsOf(list []app.Field) []extraFieldWire {
	out := make([]extraFieldWire, 0, len(list))
	for _, v := range list {
		out = append(out, extraFieldWire{v, v.App})
	}
	return out
}

// setExtraFields replaces the account's own fields of prospects or users; those of
// apps stay with their apps. The body is the list itself, as of the other
// vocabularies (reference §5), for ?entity=, or an object that names both.
func (f *Face) setExtraFields(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	if err := f.wholeAccount(ctx, r); err != nil {
		return nil, err
	}
	var b struct {
		Entity string       `json:"entity"`
		Fields *[]app.Field `json:"fields"`
	}
	if isList(r.Body) {
		list, err := listBody[app.Field](r)
		if err != nil {
			return nil, err
		}
		b.Fields = &list
	} else if err := r.Decode(&b); err != nil {
		return nil, err
	}
	if b.Fields == nil {
		return nil, fault.Missing("fields")
	}
	if b.Entity == "" {
		b.Entity = r.QueryString("entity")
	}
	if b.Entity == "" {
		b.Entity = app.Prospect
	}
	list, err := f.s.Apps.SetFields(ctx, r.Principal.Tenant, actor(r), b.Entity, *b.Fields)
	if err != nil {
		return nil, err
	}
	return reply(r, extraFieldsOf(list))
}

// instance returns the instance that the path names when the key sees its group.
func (f *Face) instance(ctx context.Context, r *httpx.Request) (app.Instance, error) {
	iid, err := pathID(r, "instanceId", "app instance")
	if err != nil {
		return app.Instance{}, err
	}
	return f.instanceSeen(ctx, r, iid)
}

func (f *Face) instanceSeen(ctx context.Context, r *httpx.Request, iid id.ID) (app.Instance, error) {
	i, err := f.s.Apps.Instance(f.s.Apps.Reads(ctx, r.Principal.Tenant), iid)
	if err != nil {
		return i, err
	}
	top, err := f.scope(ctx, r)
	if err != nil {
		return i, err
	}
	within, err := f.s.Agents.Within(f.s.Agents.Reads(ctx, r.Principal.Tenant), top, i.Group)
	// Of a group that is gone since, only the ended instances are left, which a key
	// of the whole account still sees.
	if err == nil && !within && (!r.Principal.Group.IsZero() || i.State != app.Uninstalled) {
		err = fault.Unknown("app instance")
	}
	return i, err
}
