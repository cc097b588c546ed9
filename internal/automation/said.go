package automation

import (
	"context"
	"strings"

	"parley/internal/contact"
	"parley/internal/conversation/variables"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

const (
	maxPayload  = 64 << 10 // bytes of an event's payload as JSON
	sweepRuns   = 100      // runs that one transaction of WebhookEvent moves on
	sweepRounds = 1000
)

// WebhookEvent tells a rule that an event of a name happened: every run of the
// rule that waits for it goes on (reference 4.8). When the payload names leadId,
// phone, email or runId, only runs that match all of them; then runs whose goal
// the event is end, too. It returns the runs that moved. Nobody waiting is no
// fault. Faults: NotFound of the rule; Invalid of "eventName" or "payload".
func (s *Service) WebhookEvent(ctx context.Context, tenant, rule id.ID, name string, payload map[string]any) ([]id.ID, error) {
	name = strings.TrimSpace(name)
	if name == "" {
		return nil, fault.Missing("eventName")
	}
	one := &config{values: map[string]any{"eventName": name}, at: map[string]string{"eventName": "eventName"}}
	if _, _, err := eventName(one, "eventName"); err != nil {
		return nil, err
	}
	payload, err := asJSON("payload", maxPayload, payload)
	if err != nil {
		return nil, err
	}
	var done []id.ID
	var after id.ID
	for range sweepRounds {
		type result struct {
			moved []id.ID
			last  id.ID // the part was full; there may be more behind it
		}
		part, err := store.Write(ctx, s.db, tenant, func(tx *store.Tx) (result, error) {
			if _, err := ruleOf(tx, rule); err != nil {
				return result{}, err
			}
			o := occurrence{names: namesOf(name), rule: rule, payload: payload, after: after, limit: sweepRuns}
			nobody, err := s.addressed(tx, &o, payload)
			if err != nil || nobody {
				return result{}, err
			}
			var res result
			if res.last, err = lastOf(tx, &o); err != nil {
				return result{}, err
			}
			t := &tally{}
			if res.moved, err = s.occurred(tx, t, o); err != nil {
				return result{}, err
			}
			return res, t.flush(tx)
		})
		if err != nil {
			return nil, err
		}
		done = append(done, part.moved...)
		if after = part.last; after.IsZero() {
			break
		}
	}
	return done, nil
}

// lastOf returns the last run of a part that is full, zero when the part is the last.
func lastOf(tx *store.Tx, o *occurrence) (id.ID, error) {
	where, args := o.where()
	list, err := waiters(tx, where, args...)
	if err != nil || len(list) < o.limit {
		return id.Zero, err
	}
	// A run's branches may stand on both sides of the end: it comes once more.
	last := list[len(list)-1].run
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].run != last {
			return list[i].run, nil
		}
	}
	return last, nil
}

// addressed reads whom a payload names. nobody tells that it names somebody or
// something that is not known, or two people.
func (s *Service) addressed(tx *store.Tx, o *occurrence, payload map[string]any) (nobody bool, err error) {
	for _, key := range []string{"runId", "leadId", "email"} {
		if _, is := payload[key].(string); !is && payload[key] != nil {
			return true, nil // it names somebody, but nobody of ours
		}
	}
	text := func(key string) string {
		v, _ := payload[key].(string)
		return strings.TrimSpace(v)
	}
	if v := text("runId"); v != "" {
		if o.run, err = id.Parse(v); err != nil {
			return true, nil
		}
		r, ok, err := loadRun(tx, o.run)
		if err != nil || !ok || r.rule != o.rule {
			return true, err
		}
		o.contact = r.contact
	}
	meet := func(cid id.ID, known bool) {
		if !known || !o.contact.IsZero() && o.contact != cid {
			nobody = true
			return
		}
		o.contact = cid
	}
	if v := text("leadId"); v != "" {
		cid, err := id.Parse(v)
		if err != nil {
			return true, nil
		}
		if cid, err = s.resolvedContact(tx, cid); err != nil {
			return true, err
		}
		meet(cid, true)
	}
	if v := variables.Plain(payload["phone"]); v != "" {
		key, err := s.contacts.KeyOf(tx, v)
		if fault.As(err) != nil {
			return true, nil
		}
		if err != nil {
			return true, err
		}
		p, ok, err := s.contacts.Find(tx, contact.Phone, key)
		if err != nil {
			return true, err
		}
		meet(p.ID, ok)
	}
	if v := text("email"); v != "" {
		p, ok, err := s.contacts.Find(tx, contact.Email, strings.ToLower(v))
		if err != nil {
			return true, err
		}
		meet(p.ID, ok)
	}
	if !nobody && !o.contact.IsZero() { // whoever is merging them comes first
		o.contact, _, err = s.hold(tx, o.contact)
	}
	return nobody, err
}
