package automation

import (
	"context"
	"database/sql"
	"time"

	"parley/internal/contact"
	"parley/internal/conversation/variables"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// People who have fallen silent (trigger no_contact). Nothing happens when
// nothing happens, so a sweep looks for them: per rule, in the order of their
// last contact, from where it stopped. How far it has come is written in the
// transaction that starts the runs, so each person has one turn per rule and
// period of quiet: the next contact puts them behind the place again.

const (
	kindQuiet    = "automation.quiet"    // looks for tenants with such rules
	kindQuietOf  = "automation.quiet_of" // sweeps one tenant
	quietTrigger = "no_contact"
	quietBatch   = 50  // people of one transaction
	quietRounds  = 200 // transactions of one job
)

// handleQuiet gives every tenant with a rule for quiet people its own job.
func (s *Service) handleQuiet(ctx context.Context, j *job.Job) error {
	names, args := anyOf("trigger_name", namesOf(quietTrigger))
	rows, err := s.db.Read(ctx, j.Tenant).All().Query("SELECT DISTINCT tenant_id FROM automation WHERE is_active AND origin='' AND "+names+
		" UNION SELECT tenant_id FROM event_definition WHERE is_active AND maps_to<>'' AND name='"+quietTrigger+"'", args...)
	tenants, err := store.Collect(rows, err, func(rows *sql.Rows) (t id.ID, err error) { return t, rows.Scan(&t) })
	if err != nil {
		return err
	}
	return s.db.Write(ctx, j.Tenant, func(tx *store.Tx) error {
		for _, t := range tenants {
			if _, _, err := job.Enqueue(tx.For(t), job.New{Kind: kindQuietOf, UniqueKey: "quiet", Priority: 7}); err != nil {
				return err
			}
		}
		return j.Complete(tx)
	})
}

// handleQuietOf sweeps one tenant, rule by rule.
func (s *Service) handleQuietOf(ctx context.Context, j *job.Job) error {
	for range quietRounds {
		more, err := store.Write(ctx, s.db, j.Tenant, func(tx *store.Tx) (bool, error) {
			l, err := s.heard(tx)
			if err != nil {
				return false, err
			}
			rules, err := s.candidates(tx, l.named(quietTrigger))
			if err != nil {
				return false, err
			}
			for i := range rules {
				n, err := s.sweep(tx, &rules[i])
				if err != nil || n > 0 {
					return n > 0, err // one batch of one rule per transaction
				}
			}
			return false, j.Complete(tx)
		})
		if err != nil || !more {
			return err
		}
	}
	return job.Snooze(0) // others first
}

// sweep gives the next people who have been quiet long enough their turn, and
// returns how many it came by.
func (s *Service) sweep(tx *store.Tx, c *candidate) (int, error) {
	// Two nodes must not come by the same people.
	if err := tx.Lock("quiet_sweep", c.id.String()); err != nil {
		return 0, err
	}
	at, last := time.UnixMilli(0), id.Zero
	if _, err := store.Found(tx.QueryRow("SELECT reached_at, reached_id FROM quiet_sweep WHERE tenant_id=? AND automation_id=?", c.id).Scan(store.Time(&at), &last)); err != nil {
		return 0, err
	}
	days := c.graph.Filter.Days
	if days == 0 {
		days = defaultQuiet
	}
	until := tx.Now().Add(-time.Duration(days * float64(24*time.Hour)))
	list, err := s.contacts.QuietSince(tx, at, last, until, quietBatch)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	keys := make([]string, len(list))
	for i, q := range list {
		keys[i] = q.Contact.String()
	}
	if err := tx.Lock("contact", keys...); err != nil {
		return 0, err
	}
	t := &tally{}
	for _, q := range list {
		if err := s.quiet(tx, t, c, q, days); err != nil {
			return 0, err
		}
	}
	end := list[len(list)-1]
	if _, err := tx.Exec(`INSERT INTO quiet_sweep (tenant_id, automation_id, reached_at, reached_id) VALUES (?,?,?,?)
		ON CONFLICT (tenant_id, automation_id) DO UPDATE SET reached_at=excluded.reached_at, reached_id=excluded.reached_id`, c.id, end.Since, end.Contact); err != nil {
		return 0, err
	}
	return len(list), t.flush(tx)
}

// quiet starts the rule for one person, unless something happened meanwhile.
func (s *Service) quiet(tx *store.Tx, t *tally, c *candidate, q contact.Quiet, days float64) error {
	card, err := s.cards.CardIn(tx, q.Contact)
	if f := fault.As(err); f != nil && f.Code == fault.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	p := &card.Contact
	if p.Archived() || !p.ErasedAt.IsZero() || !sinceOf(p).Equal(q.Since) {
		return nil // with a contact of just now, their next quiet has begun
	}
	h := happening{trigger: quietTrigger, facts: facts{source: p.Source, stage: card.Deal.Stage.String(), pipeline: card.Deal.Pipeline.String()}, vars: map[string]any{
		"phone": p.Phone(), "email": p.Email(), "trigger": quietTrigger, "inactiveDays": days,
		"lastContactedAt": variables.ISO(p.LastContactedAt), "quietSince": variables.ISO(q.Since), "days_since_last_contact": float64(int(tx.Now().Sub(q.Since).Hours() / 24))}}
	_, err = s.start(tx, t, []candidate{*c}, occasion{card: card, cause: quietCause(q), happening: h})
	return err
}

// sinceOf is when somebody was last in contact with a person.
func sinceOf(p *contact.Contact) time.Time {
	if p.LastContactedAt.IsZero() {
		return p.CreatedAt
	}
	return p.LastContactedAt
}

// quietCause names a person's period of quiet.
func quietCause(q contact.Quiet) string {
	return "quiet:" + q.Contact.String() + ":" + decimal(float64(q.Since.UnixMilli()))
}
