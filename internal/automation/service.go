package automation

import (
	"context"

	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/conversation"
	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/tenant"
	"parley/internal/webhook"
)

// Inbox is what this room needs of conversations; *conversation.Service is one.
type Inbox interface {
	SendIn(tx *store.Tx, actor string, m conversation.Send) (conversation.Message, error)
	Message(ctx context.Context, tenant, message id.ID) (conversation.Message, error)
	Get(ctx context.Context, tenant, conversation id.ID) (conversation.Conversation, error)
	Templates() *conversation.Templates
}

var _ Inbox = (*conversation.Service)(nil)

// NewService returns the room and registers its reactors on log.
func NewService(db *store.DB, log *event.Log, contacts *contact.Service, cards *deal.Service, inbox Inbox,
	hooks *webhook.Service, tenants *tenant.Service, c clock.Clock) *Service {
	s := &Service{db: db, log: log, contacts: contacts, cards: cards, inbox: inbox, hooks: hooks, tenants: tenants, clock: c}
	s.register()
	s.registerAnswers()
	s.follow()
	return s
}

// Create stores a rule. Faults name the field of the definition.
func (s *Service) Create(ctx context.Context, tenant id.ID, actor string, def map[string]any) (Rule, error) {
	f, err := readForm(def)
	if err != nil {
		return Rule{}, err
	}
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Rule, error) {
		r := Rule{ID: id.New(), Name: f.name, Description: f.description, Trigger: f.trigger, Active: f.active == nil || *f.active,
			Version: 1, Definition: f.def, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
		if err := s.insertRule(tx, &r); err != nil {
			return Rule{}, err
		}
		if err := insertVersion(tx, r.ID, 1, f); err != nil {
			return Rule{}, err
		}
		return r, s.tell(tx, "automation.created", r.ID, actor)
	})
}

// Update replaces the given keys of a rule's definition; null takes a key away.
// A changed graph is a new version: runs that began keep theirs.
func (s *Service) Update(ctx context.Context, tenant id.ID, actor string, rule id.ID, patch map[string]any) (Rule, error) {
	patch, err := asJSON("definition", maxForm, patch)
	if err != nil {
		return Rule{}, err
	}
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Rule, error) {
		r, err := lockedRule(tx, rule)
		if err != nil {
			return Rule{}, err
		}
		def := copyMap(r.Definition)
		for k, v := range patch {
			if v == nil {
				delete(def, k)
			} else {
				def[k] = v
			}
		}
		return s.redefine(tx, actor, r, def)
	})
}

// redefine gives a locked rule another definition.
func (s *Service) redefine(tx *store.Tx, actor string, r Rule, def map[string]any) (Rule, error) {
	f, err := readForm(def)
	if err != nil {
		return Rule{}, err
	}
	r.Name, r.Description, r.Trigger, r.Definition, r.UpdatedAt = f.name, f.description, f.trigger, f.def, tx.Now()
	if f.active != nil {
		r.Active = *f.active
	}
	same, err := sameGraph(tx, r, f.graph)
	if err != nil {
		return Rule{}, err
	}
	if !same {
		r.Version++
		if err := insertVersion(tx, r.ID, r.Version, f); err != nil {
			return Rule{}, err
		}
	}
	if err := s.updateRule(tx, &r); err != nil {
		return Rule{}, err
	}
	return r, s.tell(tx, "automation.updated", r.ID, actor)
}

// Toggle turns a rule on or off: to the given state, or to the other one. Runs
// under way go on.
func (s *Service) Toggle(ctx context.Context, tenant id.ID, actor string, rule id.ID, to *bool) (Rule, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Rule, error) {
		r, err := lockedRule(tx, rule)
		if err != nil {
			return Rule{}, err
		}
		active := !r.Active
		if to != nil {
			active = *to
		}
		if active == r.Active {
			return r, nil
		}
		r.Active, r.UpdatedAt = active, tx.Now()
		if err := s.updateRule(tx, &r); err != nil {
			return Rule{}, err
		}
		return r, s.tell(tx, "automation.updated", r.ID, actor)
	})
}

// Get returns a rule, or fault NotFound.
func (s *Service) Get(ctx context.Context, tenant id.ID, rule id.ID) (Rule, error) {
	return ruleOf(s.db.Read(ctx, tenant), rule)
}

// List returns a tenant's rules, newest first.
func (s *Service) List(ctx context.Context, tenant id.ID, q RuleQuery) ([]Rule, error) {
	return listRules(s.db.Read(ctx, tenant), q)
}

// Delete takes a rule away. Its open runs end as aborted; finished ones stay to
// be read by their id. A rule with many open runs is switched off first and loses
// them over several transactions: one that is cut short is finished by the next.
func (s *Service) Delete(ctx context.Context, tenant id.ID, actor string, rule id.ID) error {
	for {
		more, err := store.Write(ctx, s.db, tenant, func(tx *store.Tx) (bool, error) { return s.deletePart(tx, actor, rule) })
		if err != nil || !more {
			return err
		}
	}
}

// deletePart ends some of a rule's open runs and, when none is left, deletes it.
// Runs are locked before the rule, as everywhere.
func (s *Service) deletePart(tx *store.Tx, actor string, rule id.ID) (more bool, err error) {
	r, err := ruleOf(tx, rule)
	if err == nil {
		err = ownedElsewhere(r)
	}
	if err != nil {
		return false, err
	}
	t := &tally{}
	n, err := s.abortSome(tx, t, rule)
	if err != nil {
		return false, err
	}
	if err := t.flush(tx); err != nil {
		return false, err
	}
	if r, err = lockedRule(tx, rule); err != nil {
		return false, err
	}
	open := n == abortBatch
	if !open { // one may have begun before the rule was locked
		var one int
		if open, err = store.Found(tx.QueryRow("SELECT 1 FROM run WHERE tenant_id=? AND automation_id=? AND status IN ('running','waiting','paused') AND status<>'completed' LIMIT 1", rule).Scan(&one)); err != nil {
			return false, err
		}
	}
	if !open {
		return false, s.deleteRule(tx, actor, rule)
	}
	r.Active = false // nobody begins while the others leave
	return true, s.updateRule(tx, &r)
}

// DeleteMany is Delete of several rules, each in a transaction of its own, and
// returns how many there were. Unknown ids are passed over.
func (s *Service) DeleteMany(ctx context.Context, tenant id.ID, actor string, rules []id.ID) (int, error) {
	n := 0
	for _, rule := range rules {
		err := s.Delete(ctx, tenant, actor, rule)
		if f := fault.As(err); f != nil && f.Code == fault.NotFound {
			continue
		}
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (s *Service) deleteRule(tx *store.Tx, actor string, rule id.ID) error {
	s.triggers.Forget(tx)
	for _, q := range []string{
		"DELETE FROM automation_event WHERE tenant_id=? AND automation_id=?",
		"DELETE FROM quiet_sweep WHERE tenant_id=? AND automation_id=?",
		"DELETE FROM automation_version WHERE tenant_id=? AND automation_id=?",
		"DELETE FROM automation WHERE tenant_id=? AND id=?",
	} {
		if _, err := tx.Exec(q, rule); err != nil {
			return err
		}
	}
	return s.tell(tx, "automation.deleted", rule, actor)
}

// Runs returns a page of a rule's runs, newest first, without their steps.
// total is exact up to 10,000.
func (s *Service) Runs(ctx context.Context, tenant, rule id.ID, status string, page, limit int) ([]Run, int, error) {
	r := s.db.Read(ctx, tenant)
	if _, err := ruleOf(r, rule); err != nil {
		return nil, 0, err
	}
	switch status {
	case "", Running, Waiting, Paused, Completed, Failed, Aborted:
	default:
		return nil, 0, fault.Field("status", "a run's status is running, waiting, paused, completed, failed or aborted")
	}
	page, limit = max(page, 1), min(max(limit, 1), maxRuns)
	return listRuns(r, rule, status, page, limit)
}

// Run returns a run with its steps, or fault NotFound.
func (s *Service) Run(ctx context.Context, tenant, run id.ID) (Run, error) {
	return readRun(s.db.Read(ctx, tenant), run)
}

func (s *Service) tell(tx *store.Tx, typ string, subject id.ID, actor string) error {
	_, err := s.log.Append(tx, event.New{Type: typ, Subject: subject, Actor: actor})
	return err
}
