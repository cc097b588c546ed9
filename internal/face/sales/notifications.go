package sales

import (
	"context"
	"net/http"
	"slices"

	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/notification"
)

// topicWire is something to subscribe to (reference §2.8).
type topicWire struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// subscriptionWire is a subscription (reference §3.5). ProspectShape is ours and
// there only when the subscription has one of its own.
type subscriptionWire struct {
	ID            string   `json:"id"`
	Topics        []string `json:"topics"`
	CallbackURL   string   `json:"callbackUrl"`
	ProspectShape string   `json:"prospectShape,omitempty"`
}

func subscriptionOf(v notification.Subscription) subscriptionWire {
	return subscriptionWire{ID: v.ID.String(), Topics: v.Topics, CallbackURL: v.CallbackURL, ProspectShape: v.Shape}
}

// topics lists what there is to subscribe to.
func (f *Face) topics(_ context.Context, r *httpx.Request) (*httpx.Response, error) {
	var out []topicWire
	for _, t := range notification.Topics {
		out = append(out, topicWire{t.Name, t.Description})
	}
	return reply(r, out)
}

// subscribe makes the subscription of the key's group; the one that it had ends
// (S). The topic agents needs the scope of its calls and a user.
func (f *Face) subscribe(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var body struct {
		Topics        []string `json:"topics"`
		CallbackURL   string   `json:"callbackUrl"`
		ProspectShape string   `json:"prospectShape"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	if slices.Contains(body.Topics, notification.Agents) {
		if !r.Principal.Allows(actAsUser) {
			return nil, fault.New(fault.Forbidden, "the topic agents needs another scope").Because("scope").With("scope", actAsUser)
		}
		if _, _, err := f.user(ctx, r); err != nil {
			return nil, err
		}
	}
	group, err := f.scope(ctx, r)
	if err != nil {
		return nil, err
	}
	v, err := f.s.Notifications.Subscribe(ctx, r.Principal.Tenant, notification.New{Group: group, Key: r.Principal.Key,
		Topics: body.Topics, CallbackURL: body.CallbackURL, Shape: body.ProspectShape})
	if err != nil {
		return nil, err
	}
	res, err := reply(r, subscriptionOf(v))
	if err == nil {
		res.Status = http.StatusCreated
	}
	return res, err
}

// subscriptions lists the active ones of the key's group.
func (f *Face) subscriptions(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	group, err := f.scope(ctx, r)
	if err != nil {
		return nil, err
	}
	list, err := f.s.Notifications.List(ctx, r.Principal.Tenant, group)
	if err != nil {
		return nil, err
	}
	out := []subscriptionWire{}
	for _, v := range list {
		out = append(out, subscriptionOf(v))
	}
	return reply(r, out)
}

// unsubscribeAll ends the active ones of the key's group.
func (f *Face) unsubscribeAll(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	group, err := f.scope(ctx, r)
	if err != nil {
		return nil, err
	}
	n, err := f.s.Notifications.EndAll(ctx, r.Principal.Tenant, group)
	if err != nil {
		return nil, err
	}
	return reply(r, struct {
		Modified int `json:"modified"`
	}{n})
}

// subscription answers one of the key's group.
func (f *Face) subscription(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	return f.ofSubscription(ctx, r, f.s.Notifications.Get)
}

// unsubscribe ends one of the key's group and answers it.
func (f *Face) unsubscribe(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	return f.ofSubscription(ctx, r, f.s.Notifications.End)
}

func (f *Face) ofSubscription(ctx context.Context, r *httpx.Request, do func(ctx context.Context, tenant, group, subscription id.ID) (notification.Subscription, error)) (*httpx.Response, error) {
	v, err := pathID(r, "subscriptionId", "subscription")
	if err != nil {
		return nil, err
	}
	group, err := f.scope(ctx, r)
	if err != nil {
		return nil, err
	}
	sub, err := do(ctx, r.Principal.Tenant, group, v)
	if err != nil {
		return nil, err
	}
	return reply(r, subscriptionOf(sub))
}
