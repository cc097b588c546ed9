package sales

import (
	"context"
	"net/http"
	"time"

	"parley/internal/app"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// askTime is how long an answer waits for the app to confirm; what it has not
// confirmed by then goes on behind it, and the answer says so.
const askTime = 5 * time.Second

// settledOf answers an instance once its app has confirmed, or as it is by then.
func (f *Face) settledOf(ctx context.Context, r *httpx.Request, status int, i app.Instance, err error) (*httpx.Response, error) {
	if err == nil {
		i, err = f.s.Apps.Settled(ctx, r.Principal.Tenant, i.ID, askTime)
	}
	if err != nil {
		return nil, err
	}
	return httpx.JSON(status, instanceOf(i)), nil
}

// installApp puts an app into a group.
func (f *Face) installApp(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	aid, err := pathID(r, "appId", "app")
	if err != nil {
		return nil, err
	}
	var b struct {
		Group   string `json:"group"`
		User    string `json:"user"`
		Name    string `json:"name"`
		Enabled *bool  `json:"enabled"`
	}
	if err := r.Decode(&b); err != nil {
		return nil, err
	}
	n := app.NewInstance{Name: b.Name, Disabled: b.Enabled != nil && !*b.Enabled}
	if b.Group == "" {
		n.Group, err = f.scope(ctx, r)
	} else if n.Group, err = parseID("group", "group", b.Group); err == nil {
		err = f.sees(ctx, r, n.Group)
	}
	if err != nil {
		return nil, err
	}
	if b.User != "" {
		if n.User, err = f.colleague(ctx, r, "user", b.User); err != nil {
			return nil, err
		}
	}
	i, err := f.s.Apps.Install(ctx, r.Principal.Tenant, actor(r), aid, n)
	return f.settledOf(ctx, r, http.StatusCreated, i, err)
}

// instances lists where an app is installed, in the groups that the key sees; with
// all=true also where it was.
func (f *Face) instances(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	aid, err := pathID(r, "appId", "app")
	if err != nil {
		return nil, err
	}
	all, err := r.QueryBool("all", false)
	if err != nil {
		return nil, err
	}
	reads := f.s.Apps.Reads(ctx, r.Principal.Tenant)
	if _, err := f.s.Apps.App(reads, aid); err != nil {
		return nil, err
	}
	list, err := f.s.Apps.Instances(reads, aid, all)
	if err != nil {
		return nil, err
	}
	top, err := f.scope(ctx, r)
	if err != nil {
		return nil, err
	}
	groups, err := f.s.Agents.Subtree(reads, top)
	if err != nil {
		return nil, err
	}
	mine := map[id.ID]bool{}
	for _, g := range groups {
		mine[g] = true
	}
	out := make([]instanceWire, 0, len(list))
	for _, i := range list {
		if mine[i.Group] || r.Principal.Group.IsZero() {
			out = append(out, instanceOf(i))
		}
	}
	return reply(r, out)
}

// anInstance answers one instance.
func (f *Face) anInstance(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	i, err := f.instance(ctx, r)
	if err != nil {
		return nil, err
	}
	return reply(r, instanceOf(i))
}

// changeInstance enables, disables or renames an instance; enabling and disabling
// count at once, and the app is told.
func (f *Face) changeInstance(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	i, err := f.instance(ctx, r)
	if err != nil {
		return nil, err
	}
	var b struct {
		Enabled *bool   `json:"enabled"`
		Name    *string `json:"name"`
		User    *string `json:"user"`
	}
	if err := r.Decode(&b); err != nil {
		return nil, err
	}
	var agent *id.ID
	if b.User != nil {
		agent = &id.ID{}
		if *b.User != "" {
			if *agent, err = f.colleague(ctx, r, "user", *b.User); err != nil {
				return nil, err
			}
		}
	}
	if b.Enabled == nil && b.Name == nil && b.User == nil {
		return nil, fault.Missing("enabled")
	}
	i, err = f.s.Apps.Change(ctx, r.Principal.Tenant, actor(r), i.ID, app.InstancePatch{Enabled: b.Enabled, Name: b.Name, User: agent})
	return f.settledOf(ctx, r, http.StatusOK, i, err)
}

// uninstallApp ends an instance: its key is revoked at once, and the app is told.
func (f *Face) uninstallApp(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	i, err := f.instance(ctx, r)
	if err != nil {
		return nil, err
	}
	i, err = f.s.Apps.Uninstall(ctx, r.Principal.Tenant, actor(r), i.ID)
	return f.settledOf(ctx, r, http.StatusOK, i, err)
}

// refreshInstance gives the app a new key; with now the old one ends at once.
func (f *Face) refreshInstance(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	i, err := f.instance(ctx, r)
	if err != nil {
		return nil, err
	}
	var b struct {
		Now bool `json:"now"`
	}
	if err := r.Decode(&b); err != nil {
		return nil, err
	}
	i, err = f.s.Apps.Refresh(ctx, r.Principal.Tenant, actor(r), i.ID, b.Now)
	return f.settledOf(ctx, r, http.StatusOK, i, err)
}

// retryInstance tells the app at once what it has not confirmed.
func (f *Face) retryInstance(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	i, err := f.instance(ctx, r)
	if err != nil {
		return nil, err
	}
	i, err = f.s.Apps.Retry(ctx, r.Principal.Tenant, i.ID)
	return f.settledOf(ctx, r, http.StatusOK, i, err)
}

// asked answers what an app says of an instance, as it says it.
func (f *Face) asked(ask func(ctx context.Context, r *httpx.Request, i app.Instance) (any, error)) httpx.Handler {
	return func(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
		i, err := f.instance(ctx, r)
		if err != nil {
			return nil, err
		}
		out, err := ask(ctx, r, i)
		if err != nil {
			return nil, err
		}
		return httpx.JSON(http.StatusOK, out), nil
	}
}

// settingsForm is the form of the app's settings.
func (f *Face) settingsForm(ctx context.Context, r *httpx.Request, i app.Instance) (any, error) {
	return f.s.Apps.Form(ctx, r.Principal.Tenant, i.ID)
}

// checkSettings is the form as it is for changed settings, with conditions and
// validations carried out; nothing is saved.
func (f *Face) checkSettings(ctx context.Context, r *httpx.Request, i app.Instance) (any, error) {
	var changes map[string]any
	if err := r.Decode(&changes); err != nil {
		return nil, err
	}
	return f.s.Apps.Checked(ctx, r.Principal.Tenant, i.ID, changes)
}

// appSettings are the settings that the app has.
func (f *Face) appSettings(ctx context.Context, r *httpx.Request, i app.Instance) (any, error) {
	return f.s.Apps.Settings(ctx, r.Principal.Tenant, i.ID)
}

// setAppSettings sends the app those of its settings that differ.
func (f *Face) setAppSettings(ctx context.Context, r *httpx.Request, i app.Instance) (any, error) {
	var changes map[string]any
	if err := r.Decode(&changes); err != nil {
		return nil, err
	}
	return f.s.Apps.SetSettings(ctx, r.Principal.Tenant, actor(r), i.ID, changes)
}

// instanceEvents lists what the app told of users.
func (f *Face) instanceEvents(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	i, err := f.instance(ctx, r)
	if err != nil {
		return nil, err
	}
	before, err := queryID(r, "before", "event")
	if err != nil {
		return nil, err
	}
	limit, err := r.QueryInt("limit", 100, 1, 1000)
	if err != nil {
		return nil, err
	}
	list, err := f.s.Apps.ToldOf(f.s.Apps.Reads(ctx, r.Principal.Tenant), i, before, limit)
	if err != nil {
		return nil, err
	}
	out := make([]toldWire, 0, len(list))
	for _, t := range list {
		out = append(out, toldWire{t.ID.String(), t.Name, t.Agent.String(), t.Details, moment(t.At)})
	}
	return reply(r, out)
}
