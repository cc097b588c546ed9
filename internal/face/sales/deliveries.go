package sales

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/notification"
	"parley/internal/webhook"
)

// deliveryWire is a notification on its way; the shape is ours (reference §5 names
// the routes alone).
type deliveryWire struct {
	ID             string  `json:"id"`
	SubscriptionID string  `json:"subscriptionId"`
	Topic          string  `json:"topic"`
	Type           string  `json:"type"`
	ProspectID     string  `json:"prospectId"`
	CallbackURL    string  `json:"callbackUrl"`
	Status         string  `json:"status"` // pending, sending, sent, failed
	Attempts       int     `json:"attempts"`
	CreatedAt      *string `json:"createdAt"`
	UpdatedAt      *string `json:"updatedAt"`
	NextAttemptAt  *string `json:"nextAttemptAt,omitempty"`
	ResponseStatus int     `json:"responseStatus,omitempty"`
	ResponseBody   string  `json:"responseBody,omitempty"`
	Error          string  `json:"error,omitempty"`
	// Payload is the body without what each attempt adds, when it was asked for.
	Payload json.RawMessage `json:"payload,omitempty"`
}

func deliveryOf(v webhook.Record, payload bool) deliveryWire {
	topic, typ, _ := strings.Cut(v.Delivery.Event, ".")
	out := deliveryWire{ID: v.ID.String(), SubscriptionID: v.Delivery.Lane, Topic: topic, Type: typ, ProspectID: v.Delivery.Subject, CallbackURL: v.Delivery.URL,
		Status: v.State, Attempts: v.Attempts, CreatedAt: moment(v.CreatedAt), UpdatedAt: moment(v.UpdatedAt),
		ResponseStatus: v.ResponseStatus, ResponseBody: v.ResponseBody, Error: v.LastError}
	if v.State == webhook.Pending {
		out.NextAttemptAt = moment(v.NextAt)
	}
	if payload {
		out.Payload = v.Delivery.Body
	}
	return out
}

// deliveries lists notifications, newest first (reference §5; the filters are ours).
func (f *Face) deliveries(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	q, some, err := f.deliveryQuery(ctx, r)
	if err != nil {
		return nil, err
	}
	payload, err := r.QueryBool("payload", false)
	if err != nil {
		return nil, err
	}
	out := []deliveryWire{}
	if some {
		list, err := f.s.Webhooks.Log(ctx, r.Principal.Tenant, q)
		if err != nil {
			return nil, err
		}
		for _, v := range list {
			out = append(out, deliveryOf(v, payload))
		}
	}
	return reply(r, out)
}

// deliveryQuery reads the filters; some is false when nothing can match.
func (f *Face) deliveryQuery(ctx context.Context, r *httpx.Request) (q webhook.LogQuery, some bool, err error) {
	if q.Limit, err = r.QueryInt("limit", 100, 1, 1000); err != nil {
		return q, false, err
	}
	for _, p := range []struct {
		name string
		to   *time.Time
	}{{"createdAfter", &q.After}, {"createdBefore", &q.Before}} {
		if *p.to, err = queryTime(r, p.name); err != nil {
			return q, false, err
		}
	}
	var sub, prospect id.ID
	for _, p := range []struct {
		name, noun string
		to         *id.ID
	}{{"before", "delivery", &q.Older}, {"after", "delivery", &q.Newer}, {"subscriptionId", "subscription", &sub}, {"prospectId", "prospect", &prospect}} {
		if *p.to, err = queryID(r, p.name, p.noun); isUnknown(err) {
			return q, false, nil
		} else if err != nil {
			return q, false, err
		}
	}
	q.States = r.QueryList("status")
	if t := r.QueryString("topic"); t != "" {
		if !slices.ContainsFunc(notification.Topics, func(k notification.Topic) bool { return k.Name == t }) {
			return q, false, fault.Field("topic", "topics are prospects, interactions, quotes and agents")
		}
		q.Events = []string{t + "." + notification.Created, t + "." + notification.Updated}
	}
	if !prospect.IsZero() {
		cid, err := f.s.Contacts.Resolve(f.s.Handovers.Reads(ctx, r.Principal.Tenant), prospect)
		if err != nil {
			return q, false, err
		}
		q.Subject = cid.String()
	}
	q.Lanes, some, err = f.lanes(ctx, r, sub)
	return q, some, err
}

// lanes are the subscriptions whose deliveries a key may see: all of them (none
// named) without a group, else those of its groups.
func (f *Face) lanes(ctx context.Context, r *httpx.Request, sub id.ID) (lanes []string, some bool, err error) {
	if !sub.IsZero() {
		v, err := f.s.Notifications.Known(ctx, r.Principal.Tenant, sub)
		if err == nil {
			err = f.sees(ctx, r, v.Group)
		}
		if isUnknown(err) {
			return nil, false, nil
		}
		return []string{sub.String()}, true, err
	}
	if r.Principal.Group.IsZero() {
		return nil, true, nil
	}
	groups, err := f.s.Agents.Subtree(f.s.Agents.Reads(ctx, r.Principal.Tenant), r.Principal.Group)
	if err != nil {
		return nil, false, err
	}
	list, err := f.s.Notifications.Of(ctx, r.Principal.Tenant, groups, 1000)
	for _, v := range list {
		lanes = append(lanes, v.ID.String())
	}
	return lanes, len(lanes) > 0, err
}

// replay sends a notification again, also one that was sent (reference §5).
func (f *Face) replay(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	v, err := pathID(r, "deliveryId", "delivery")
	if err != nil {
		return nil, err
	}
	record, err := f.s.Webhooks.Delivered(f.s.Agents.Reads(ctx, r.Principal.Tenant), v)
	if err != nil {
		return nil, err
	}
	lane, err := id.Parse(record.Delivery.Lane)
	if err != nil {
		return nil, fault.Unknown("delivery") // of another API
	}
	if _, some, err := f.lanes(ctx, r, lane); err != nil || !some {
		if err == nil {
			err = fault.Unknown("delivery")
		}
		return nil, err
	}
	record, err = f.s.Webhooks.Replay(ctx, r.Principal.Tenant, v)
	if err != nil {
		return nil, err
	}
	return reply(r, deliveryOf(record, false))
}
