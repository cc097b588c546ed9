// Package notification owns subscriptions: which group wants to be told of what
// happens to its contacts, and at which address. Faces subscribe through it and
// draw what is told (Renderer); the calls themselves are deliveries of webhook.
//
// In the transaction of each event that somebody subscribed to, a row is written
// of what is owed (notification_owed). One lane per tenant takes these rows in the
// order in which they happened and, in one transaction, writes the deliveries and
// removes the rows: none is missed, none is written twice, and of one contact they
// stand in order, also across a merge (docs/decisions/0025-notifications.md).
// Tenants without subscriptions owe nothing.
package notification

import (
	"context"
	"encoding/json"
	"time"

	"parley/internal/access"
	"parley/internal/id"
)

// Topics of subscriptions (sales reference §2.8).
const (
	Prospects    = "prospects"
	Interactions = "interactions"
	Quotes       = "quotes"
	Agents       = "agents"
)

// Topic is something to subscribe to.
type Topic struct {
	Name        string
	Description string
}

// Topics lists all of them.
var Topics = []Topic{
	{Prospects, "Prospects that are new or that changed: data, status, label, agent, group"},
	{Interactions, "Messages, calls, notes, transfers and other interactions that are new or that changed"},
	{Quotes, "Quotes that were made, accepted or rejected"},
	{Agents, "Prospects that the integration's user made or was given (needs the scope integration:act-as-user)"},
}

// Types of notifications (sales reference §4.10, S).
const (
	Created = "created"
	Updated = "updated"
)

// Shapes of the prospect in a notification, and of the agent in it: an array of
// one, or the object itself (sales reference §6, 1).
const (
	Array  = "array"
	Object = "object"
)

// Subscription is who is told what, and where.
type Subscription struct {
	ID          id.ID
	Group       id.ID // it and the groups below it
	Key         id.ID // who subscribed
	Topics      []string
	CallbackURL string
	Shape       string // Array, Object, or "" for the tenant's
	CreatedAt   time.Time
	EndedAt     time.Time // zero: active
	ReplacedBy  id.ID     // the younger subscription of the group, zero when it was deleted
}

// New describes a subscription to make.
type New struct {
	Group       id.ID
	Key         id.ID
	Topics      []string
	CallbackURL string
	Shape       string
}

// Renderer draws the parts of a notification as an API shows them. Each method is
// asked for a whole batch, and leaves out what is gone.
type Renderer interface {
	// Rights tells what a key may be told: additional data, and the topic Agents.
	Rights(k access.Key) (data, agents bool)
	// Prospects draws contacts, keyed by the ids given: JSON objects whose agent has
	// the shape. data shows their additional data.
	Prospects(ctx context.Context, tenant id.ID, contacts []id.ID, data bool, shape string) (map[id.ID]json.RawMessage, error)
	// Interactions draws interactions of contacts, by their ids.
	Interactions(ctx context.Context, tenant id.ID, list []Ref) (map[id.ID]json.RawMessage, error)
	// Quotes draws quotes of contacts, by their ids. data shows their additional data.
	Quotes(ctx context.Context, tenant id.ID, list []Ref, data bool) (map[id.ID]json.RawMessage, error)
	// Field names a field of an event of a contact or its work as the prospect shows
	// it; "" for one that it does not show.
	Field(name string) string
}

// Ref names something of a contact.
type Ref struct {
	Contact id.ID
	ID      id.ID
}
