package notification

import (
	"context"
	"database/sql"
	"slices"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/webhook"
)

// Subscribe makes a subscription; the one that its group had ends (S: one per
// group). Topics are listed once each, in the order of Topics. Faults: Invalid
// naming "topics", "callbackUrl" or "prospectShape"; NotFound of "group".
func (s *Service) Subscribe(ctx context.Context, tenant id.ID, n New) (Subscription, error) {
	if err := n.check(); err != nil {
		return Subscription{}, err
	}
	if s.reachable != nil {
		if f := fault.As(s.reachable(n.CallbackURL)); f != nil {
			return Subscription{}, fault.Field("callbackUrl", "callbackUrl cannot be called: %s", f.Message)
		}
	}
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Subscription, error) {
		// Held, so that nobody deletes it before we are done.
		if _, err := s.agents.HoldGroupIn(tx, n.Group); err != nil {
			return Subscription{}, err
		}
		if err := tx.Lock("notification_group", n.Group.String()); err != nil {
			return Subscription{}, err
		}
		v := Subscription{ID: id.New(), Group: n.Group, Key: n.Key, Topics: n.Topics, CallbackURL: n.CallbackURL, Shape: n.Shape, CreatedAt: tx.Now()}
		if _, err := tx.Exec("UPDATE notification_subscription SET ended_at=?, replaced_by=? WHERE tenant_id=? AND group_id=? AND ended_at IS NULL", tx.Now(), v.ID, n.Group); err != nil {
			return v, err
		}
		_, err := tx.Exec("INSERT INTO notification_subscription (tenant_id, id, group_id, key_id, topics, callback_url, shape, created_at) VALUES (?,?,?,?,?,?,?,?)",
			v.ID, v.Group, v.Key, store.JSON(v.Topics), v.CallbackURL, v.Shape, v.CreatedAt)
		s.active.Forget(tx)
		return v, err
	})
}

func (n *New) check() error {
	var c fault.Collector
	if len(n.Topics) == 0 {
		c.Add(fault.Field("topics", "topics must name at least one of prospects, interactions, quotes and agents"))
	}
	for _, t := range n.Topics {
		if !slices.ContainsFunc(Topics, func(k Topic) bool { return k.Name == t }) {
			c.Add(fault.Field("topics", "there is no topic %q; topics are prospects, interactions, quotes and agents", t))
			break
		}
	}
	var topics []string
	for _, k := range Topics {
		if slices.Contains(n.Topics, k.Name) {
			topics = append(topics, k.Name)
		}
	}
	n.Topics = topics
	if n.CallbackURL == "" {
		c.Add(fault.Missing("callbackUrl"))
	} else if err := webhook.CheckURL("callbackUrl", n.CallbackURL); err != nil {
		c.Add(fault.As(err))
	}
	if n.Shape != "" && n.Shape != Array && n.Shape != Object {
		c.Add(fault.Field("prospectShape", "prospectShape must be array or object"))
	}
	return c.Err()
}

const columns = "id, group_id, key_id, topics, callback_url, shape, created_at, ended_at, replaced_by"

func scan(rows interface{ Scan(...any) error }) (v Subscription, err error) {
	err = rows.Scan(&v.ID, &v.Group, &v.Key, store.JSON(&v.Topics), &v.CallbackURL, &v.Shape, store.Time(&v.CreatedAt), store.Time(&v.EndedAt), &v.ReplacedBy)
	return v, err
}

func collect(rows *sql.Rows, err error) ([]Subscription, error) {
	return store.Collect(rows, err, func(rows *sql.Rows) (Subscription, error) { return scan(rows) })
}

// List returns the active subscriptions of a group; at most one.
func (s *Service) List(ctx context.Context, tenant, group id.ID) ([]Subscription, error) {
	return collect(s.db.Read(ctx, tenant).Query("SELECT "+columns+" FROM notification_subscription WHERE tenant_id=? AND group_id=? AND ended_at IS NULL", group))
}

// Get returns an active subscription of a group. NotFound, also for an ended one.
func (s *Service) Get(ctx context.Context, tenant, group, subscription id.ID) (Subscription, error) {
	return get(s.db.Read(ctx, tenant), group, subscription)
}

func get(r store.Reader, group, subscription id.ID) (Subscription, error) {
	v, err := scan(r.QueryRow("SELECT "+columns+" FROM notification_subscription WHERE tenant_id=? AND id=? AND group_id=? AND ended_at IS NULL", subscription, group))
	found, err := store.Found(err)
	if err == nil && !found {
		err = fault.Unknown("subscription")
	}
	return v, err
}

// End ends an active subscription of a group and returns it. What was still to be
// sent to it is given up. NotFound, also for one that ended already.
func (s *Service) End(ctx context.Context, tenant, group, subscription id.ID) (Subscription, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Subscription, error) {
		v, err := get(tx, group, subscription)
		if err != nil {
			return v, err
		}
		n, err := s.endIn(tx, "id=?", subscription)
		if err == nil && n == 0 {
			err = fault.Unknown("subscription")
		}
		v.EndedAt = tx.Now()
		return v, err
	})
}

// EndAll ends the active subscriptions of a group and returns how many they were.
func (s *Service) EndAll(ctx context.Context, tenant, group id.ID) (int, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (int, error) { return s.endIn(tx, "group_id=?", group) })
}

func (s *Service) endIn(tx *store.Tx, where string, arg any) (int, error) {
	n, err := tx.Exec("UPDATE notification_subscription SET ended_at=? WHERE tenant_id=? AND ended_at IS NULL AND "+where, tx.Now(), arg)
	s.active.Forget(tx)
	return int(n), err
}

// all returns the active subscriptions of r's tenant, oldest first.
func all(r store.Reader) ([]Subscription, error) {
	// notification_active holds them.
	return collect(r.Query("SELECT " + columns + " FROM notification_subscription WHERE tenant_id=? AND ended_at IS NULL ORDER BY id"))
}
