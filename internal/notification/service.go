package notification

import (
	"log/slog"
	"sync/atomic"

	"parley/internal/access"
	"parley/internal/agent"
	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
	"parley/internal/tenant"
	"parley/internal/webhook"
)

// Service is the room's door and its ledger. It is safe for concurrent use.
type Service struct {
	db        *store.DB
	contacts  *contact.Service
	agents    *agent.Service
	handovers *handover.Service
	keys      *access.Service
	tenants   *tenant.Service
	hooks     *webhook.Service
	// active are the tenant's active subscriptions; an empty list is remembered too.
	active   store.Memo[[]Subscription]
	renderer atomic.Pointer[Renderer]
	log      *slog.Logger
	// reachable refuses addresses that may not be called; nil refuses none.
	reachable func(url string) error
}

var _ job.Ledger = (*Service)(nil)

// NewService returns the room. It reacts to the feed, takes part in merges and
// answers whether deliveries are still wanted. Give it to job.Lanes as a Ledger,
// and a Renderer by Draw before the lanes run.
func NewService(db *store.DB, feed *event.Log, contacts *contact.Service, agents *agent.Service, handovers *handover.Service, keys *access.Service, tenants *tenant.Service, hooks *webhook.Service) *Service {
	s := &Service{db: db, contacts: contacts, agents: agents, handovers: handovers, keys: keys, tenants: tenants, hooks: hooks, log: slog.New(slog.DiscardHandler)}
	feed.Register(event.Reactor{Name: "notification", Owe: s.owe, Types: []string{"handover.moved", "contact.updated", "contact.merged", "contact.rated", "inquiry.created",
		"message.*", "note.created", "note.updated", "interaction.*", "quote.*", "group.deleted"}})
	contacts.Follow(contact.Follower{Name: "notification", Merge: s.merge, Unmerge: s.unmerge, Erase: s.erase})
	hooks.Ask(webhook.SalesPolicy, s.alive)
	return s
}

// Draw gives the room who draws its notifications.
func (s *Service) Draw(r Renderer) { s.renderer.Store(&r) }

// Logger makes the room tell of rows that it cannot process.
func (s *Service) Logger(l *slog.Logger) { s.log = l }

// alive tells whether a delivery's subscription, its lane, is active.
func (s *Service) alive(r store.Reader, lane string) (bool, error) {
	v, err := id.Parse(lane)
	if err != nil {
		return false, nil
	}
	var one int
	return store.Found(r.QueryRow("SELECT 1 FROM notification_subscription WHERE tenant_id=? AND id=? AND ended_at IS NULL", v).Scan(&one))
}
