package sales

import (
	"context"
	"errors"
	"net/http"

	"parley/internal/app"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// appEvent takes what happened in an app (reference §2.9, §3.5). data.apiKey is the
// key of the call itself: an event is never somebody else's.
func (f *Face) appEvent(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var body struct {
		Event      string `json:"event"`
		Type       string `json:"type"`
		ProspectID string `json:"prospectId"`
		UserID     string `json:"userId"`
		Data       *struct {
			APIKey  string `json:"apiKey"`
			Details any    `json:"details"`
		} `json:"data"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	switch {
	case body.Event == "":
		return nil, fault.Missing("event")
	case body.Type == "":
		return nil, fault.Missing("type")
	case body.Data == nil:
		return nil, fault.Missing("data")
	case body.Data.APIKey == "":
		return nil, fault.Missing("data.apiKey")
	}
	key, err := f.s.Access.Authenticate(ctx, Name, body.Data.APIKey)
	if err != nil && fault.As(err) == nil {
		return nil, err
	}
	if err != nil || key.ID != r.Principal.Key {
		return nil, fault.Field("data.apiKey", "data.apiKey must be the API key of the integration that makes the call")
	}
	e := app.Event{Name: body.Event, About: body.Type, Details: body.Data.Details}
	if body.ProspectID != "" {
		cid, err := parseID("prospectId", "prospect", body.ProspectID)
		if err != nil {
			return nil, err
		}
		if e.Contact, err = f.seen(ctx, r, cid); err != nil {
			return nil, err
		}
	}
	if body.UserID != "" {
		if e.Agent, err = f.colleague(ctx, r, "userId", body.UserID); err != nil {
			return nil, err
		}
	}
	message, err := f.s.Apps.Take(ctx, r.Principal.Tenant, actor(r), r.Principal.Key, e)
	if err != nil {
		return nil, err
	}
	return httpx.JSON(http.StatusOK, map[string]string{"messageId": message.String(), "status": "received"}), nil
}

// colleague reads the id of an agent in the key's groups.
func (f *Face) colleague(ctx context.Context, r *httpx.Request, field, text string) (id.ID, error) {
	aid, err := parseID(field, "agent", text)
	if err != nil {
		return id.Zero, err
	}
	a, err := f.s.Agents.Agent(f.s.Agents.Reads(ctx, r.Principal.Tenant), aid)
	if err == nil && !a.DeletedAt.IsZero() {
		err = fault.Unknown("agent")
	}
	if err != nil {
		return id.Zero, err
	}
	if err := f.sees(ctx, r, a.Group); errors.Is(err, fault.Of(fault.NotFound)) {
		return id.Zero, fault.Unknown("agent")
	} else if err != nil {
		return id.Zero, err
	}
	return aid, nil
}

// appNotification sends a notification to agents (reference §2.9, §3.5).
func (f *Face) appNotification(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var body struct {
		Type   string `json:"type"`
		Target *struct {
			User []string `json:"user"`
			Role []string `json:"role"`
		} `json:"target"`
		Platforms *struct {
			Android map[string]any `json:"android,omitempty"`
			IOS     map[string]any `json:"ios,omitempty"`
			Desktop map[string]any `json:"desktop,omitempty"`
		} `json:"platforms"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	switch {
	case body.Type == "":
		return nil, fault.Missing("type")
	case body.Target == nil:
		return nil, fault.Missing("target")
	case body.Platforms == nil:
		return nil, fault.Missing("platforms")
	}
	n := app.Notice{Type: body.Type, Platforms: map[string]any{}}
	for name, v := range map[string]map[string]any{"android": body.Platforms.Android, "ios": body.Platforms.IOS, "desktop": body.Platforms.Desktop} {
		if v != nil {
			n.Platforms[name] = v
		}
	}
	to := app.Target{Roles: body.Target.Role}
	for _, text := range body.Target.User {
		// Whoever is not there, or not in the key's groups, is no target: the answer
		// says who is.
		aid, err := parseID("target.user", "agent", text)
		if err != nil && !errors.Is(err, fault.Of(fault.NotFound)) {
			return nil, err
		}
		to.Users = append(to.Users, aid)
	}
	top, err := f.scope(ctx, r)
	if err != nil {
		return nil, err
	}
	targets, err := f.s.Apps.Notify(ctx, r.Principal.Tenant, actor(r), r.Principal.Key, top, n, to)
	if err != nil {
		return nil, err
	}
	final := make([]string, 0, len(targets))
	for _, t := range targets {
		final = append(final, t.String())
	}
	return httpx.JSON(http.StatusOK, map[string]any{"finalTargets": final, "status": "sent"}), nil
}

// reports lists the reports of apps for the agent of the key (ours).
func (f *Face) reports(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	viewer, _, err := f.user(ctx, r)
	if err != nil {
		return nil, err
	}
	p := app.Period{Range: r.QueryString("range"), Start: r.QueryString("start"), End: r.QueryString("end")}
	if p.Range == "" {
		p.Range = "this-month"
	}
	if p.Group, err = queryID(r, "group", "group"); err != nil {
		return nil, err
	}
	list, err := f.s.Apps.Reports(f.s.Apps.Reads(ctx, r.Principal.Tenant), viewer, p)
	if err != nil {
		return nil, err
	}
	return reply(r, shownOf(list))
}

// buttons lists the buttons of apps beside the conversation with a prospect, for
// the agent of the key (ours).
func (f *Face) buttons(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	viewer, _, err := f.user(ctx, r)
	if err != nil {
		return nil, err
	}
	cid, err := f.prospect(ctx, r)
	if err != nil {
		return nil, err
	}
	list, err := f.s.Apps.Buttons(f.s.Apps.Reads(ctx, r.Principal.Tenant), viewer, cid)
	if err != nil {
		return nil, err
	}
	return reply(r, shownOf(list))
}

// notices lists the notifications of the agent of the key, the newest first (ours).
func (f *Face) notices(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	viewer, _, err := f.user(ctx, r)
	if err != nil {
		return nil, err
	}
	before, err := queryID(r, "before", "notification")
	if err != nil {
		return nil, err
	}
	limit, err := r.QueryInt("limit", 100, 1, 1000)
	if err != nil {
		return nil, err
	}
	list, err := f.s.Apps.Notices(f.s.Apps.Reads(ctx, r.Principal.Tenant), viewer, before, limit)
	if err != nil {
		return nil, err
	}
	out := make([]appNoticeWire, 0, len(list))
	for _, n := range list {
		out = append(out, appNoticeWire{n.ID.String(), n.App, n.Type, n.Platforms, moment(n.At), moment(n.SeenAt)})
	}
	return reply(r, out)
}

// seeNotice notes that the agent of the key has seen a notification (ours).
func (f *Face) seeNotice(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	viewer, _, err := f.user(ctx, r)
	if err != nil {
		return nil, err
	}
	nid, err := pathID(r, "notificationId", "notification")
	if err != nil {
		return nil, err
	}
	if err := f.s.Apps.See(ctx, r.Principal.Tenant, viewer, nid); err != nil {
		return nil, err
	}
	return httpx.JSON(http.StatusOK, map[string]bool{"success": true}), nil
}
