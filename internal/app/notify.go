package app

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"parley/internal/agent"
	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Notice is a notification that an app sends to agents (reference §3.5, Push
// notification). Parley speaks to no push service of a phone: a notice is kept for
// each agent until it is seen (Notices, See), and told live by agent.notified to
// whoever is connected. Platforms are the app's own words to the programs that show
// it, and pass through as they are.
type Notice struct {
	ID        id.ID
	App       string // <developer>_<app>
	Type      string
	Platforms map[string]any // android, ios, desktop
	At        time.Time
	SeenAt    time.Time // of one agent, zero: not seen
}

// Target says whom a notice is for: the agents named and those with one of the
// roles, as far as they are active and lie in the scope of the key.
type Target struct {
	Users []id.ID
	Roles []string
}

// KeepNotices is for how many days notices are kept.
const KeepNotices = 30

const (
	maxTarget  = 1000 // users named at once
	maxNotices = 1000 // of one page
	reasonApps = "refused"
)

// Notify sends a notice to agents of a group or below it, and returns whom it is
// for, oldest ids first. Appends agent.notified with the notice as its subject.
// Faults: Invalid with Reason "refused" when the key belongs to no app or its app
// may not; Invalid naming "type", "target" or "platforms".
func (s *Service) Notify(ctx context.Context, tenant id.ID, actor string, key, scope id.ID, n Notice, to Target) ([]id.ID, error) {
	name, err := contact.Line("type", n.Type, maxEventName)
	switch {
	case err != nil:
		return nil, err
	case name == "":
		return nil, fault.Missing("type")
	case len(to.Users) == 0 && len(to.Roles) == 0:
		return nil, fault.Field("target", "target must name agents under user, roles under role, or both")
	case len(to.Users) > maxTarget:
		return nil, fault.Field("target.user", "target.user must not name more than %d agents", maxTarget)
	}
	for _, role := range to.Roles {
		if !slices.Contains([]string{agent.RoleOwner, agent.RoleAdmin, agent.RoleAgent}, role) {
			return nil, fault.Field("target.role", "target.role holds the roles owner, admin and agent")
		}
	}
	if n.Platforms == nil {
		return nil, fault.Missing("platforms")
	}
	if err := checkOpen("platforms", n.Platforms); err != nil {
		return nil, err
	}
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) ([]id.ID, error) {
		if err := s.mayPush(tx, key); err != nil {
			return nil, err
		}
		all, err := s.agents.List(tx, scope, agent.OnlyActive, true)
		if err != nil {
			return nil, err
		}
		targets := []id.ID{}
		for _, a := range all {
			if slices.Contains(to.Users, a.ID) || slices.Contains(to.Roles, a.Role) {
				targets = append(targets, a.ID)
			}
		}
		if len(targets) == 0 {
			return targets, nil
		}
		v := id.New()
		if _, err := tx.Exec("INSERT INTO app_notification (tenant_id, id, key_id, type, platforms, created_at) VALUES (?,?,?,?,?,?)",
			v, key, name, store.JSON(n.Platforms), tx.Now()); err != nil {
			return nil, err
		}
		rows := make([][]any, len(targets))
		for i, a := range targets {
			rows[i] = []any{a, v}
		}
		if _, err := store.InsertRows(tx, "app_notification_target (tenant_id, agent_id, notification_id)", rows, ""); err != nil {
			return nil, err
		}
		return targets, s.append(tx, actor, "agent.notified", v, "targets")
	})
}

// mayPush refuses keys of people and of apps without the permission.
func (s *Service) mayPush(tx *store.Tx, key id.ID) error {
	i, found, err := s.OfKey(tx, key)
	if err != nil {
		return err
	}
	if !found {
		return fault.New(fault.Invalid, "only the key of an installed app may send notifications; register the app and install it").Because(reasonApps)
	}
	a, err := loadApp(tx, i.App)
	if err == nil && !a.Push {
		err = fault.New(fault.Invalid, "this app may not send notifications; an administrator can grant it with push: true").Because(reasonApps)
	}
	return err
}

const noticeColumns = "n.id, n.key_id, n.type, n.platforms, n.created_at"

// Notices returns the notices of an agent, the newest first, those before a notice
// unless it is zero. They are kept for 30 days.
func (s *Service) Notices(r store.Reader, of, before id.ID, limit int) ([]Notice, error) {
	// The key of the table is in this order, since ids grow with time.
	query := "SELECT " + noticeColumns + ", t.seen_at FROM app_notification_target t JOIN app_notification n ON n.tenant_id=t.tenant_id AND n.id=t.notification_id " +
		"WHERE t.tenant_id=? AND t.agent_id=?"
	args := []any{of}
	if !before.IsZero() {
		query, args = query+" AND t.notification_id<?", append(args, before)
	}
	rows, err := r.Query(query+" ORDER BY t.notification_id DESC LIMIT ?", append(args, min(max(limit, 1), maxNotices))...)
	keys := []id.ID{}
	out, err := store.Collect(rows, err, func(r *sql.Rows) (n Notice, err error) {
		var key id.ID
		err = r.Scan(&n.ID, &key, &n.Type, store.JSON(&n.Platforms), store.Time(&n.At), store.Time(&n.SeenAt))
		keys = append(keys, key)
		return n, err
	})
	if err != nil {
		return nil, err
	}
	slugs := map[id.ID]string{}
	for i, key := range keys {
		if _, known := slugs[key]; !known {
			if slugs[key], err = slugAt(r, key); err != nil {
				return nil, err
			}
		}
		out[i].App = slugs[key]
	}
	return out, nil
}

// slugAt names the app of a key also after its instance has ended.
func slugAt(r store.Reader, key id.ID) (string, error) {
	var developer, word string
	_, err := store.Found(r.QueryRow("SELECT a.developer, a.app_key FROM app_instance i JOIN app a ON a.tenant_id=i.tenant_id AND a.id=i.app_id "+
		"WHERE i.tenant_id=? AND i.key_id=?", key).Scan(&developer, &word))
	return App{Developer: developer, Key: word}.Slug(), err
}

// Sent returns a notice with whom it is for, for those who tell of it live. NotFound
// when it was pruned.
func (s *Service) Sent(ctx context.Context, tenant, notice id.ID) (n Notice, targets []id.ID, err error) {
	r := s.db.Read(ctx, tenant)
	var key id.ID
	found, err := store.Found(r.QueryRow("SELECT "+noticeColumns+" FROM app_notification n WHERE n.tenant_id=? AND n.id=?", notice).
		Scan(&n.ID, &key, &n.Type, store.JSON(&n.Platforms), store.Time(&n.At)))
	if err != nil || !found {
		return n, nil, unknown(err, "notification")
	}
	if n.App, err = slugAt(r, key); err != nil {
		return n, nil, err
	}
	// By the index app_notification_reach.
	rows, err := r.Query("SELECT agent_id FROM app_notification_target WHERE tenant_id=? AND notification_id=? ORDER BY agent_id", notice)
	targets, err = store.Collect(rows, err, func(r *sql.Rows) (a id.ID, err error) { return a, r.Scan(&a) })
	return n, targets, err
}

// See notes that an agent has seen a notice; seeing it again changes nothing.
// NotFound of "notification".
func (s *Service) See(ctx context.Context, tenant, of, notice id.ID) error {
	return s.db.Write(ctx, tenant, func(tx *store.Tx) error {
		n, err := tx.Exec("UPDATE app_notification_target SET seen_at=COALESCE(seen_at, ?) WHERE tenant_id=? AND agent_id=? AND notification_id=?", tx.Now(), of, notice)
		if err == nil && n == 0 {
			err = fault.Unknown("notification")
		}
		return err
	})
}

// Prune deletes up to limit notices, of every tenant, from before a moment, and
// returns how many went.
func (s *Service) Prune(ctx context.Context, before time.Time, limit int) (int64, error) {
	return store.Write(ctx, s.db, id.Zero, func(tx *store.Tx) (int64, error) {
		const old = "(SELECT tenant_id, id FROM app_notification WHERE created_at<? ORDER BY created_at, id LIMIT ?)"
		if _, err := tx.System().Exec("DELETE FROM app_notification_target WHERE (tenant_id, notification_id) IN "+old, before, limit); err != nil {
			return 0, err
		}
		return tx.System().Exec("DELETE FROM app_notification WHERE (tenant_id, id) IN "+old, before, limit)
	})
}
