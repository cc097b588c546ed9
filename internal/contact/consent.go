package contact

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// States of consent.
const (
	In  = "in"
	Out = "out"
)

// Purposes of messages, for which consent is given or refused.
const (
	Marketing = "marketing" // campaigns, offers: whatever the person did not ask for
	Servicing = "service"   // answers, confirmations, reminders
)

var purposes = []string{Marketing, Servicing}

// Consent is what a contact wants on one channel for one purpose.
type Consent struct {
	Channel string // "whatsapp", "email" ...
	Purpose string // Marketing or Servicing
	State   string // In or Out
	Source  string // where it was said: "channel:whatsapp", "web form"
	At      time.Time
	// Actor recorded it; without one it is a Source of the form "key:<id>", else
	// "system". Only the log keeps it.
	Actor string
}

// ConsentEntry is one row of the log of a contact's consent.
type ConsentEntry struct {
	Consent
	RecordedAt time.Time
}

// Refused reports whether a contact refused messages of a purpose on a channel;
// without a purpose, of any.
func (s *Service) Refused(r store.Reader, cid id.ID, channel, purpose string) (bool, error) {
	var one int
	return store.Found(r.QueryRow("SELECT 1 FROM contact_consent WHERE tenant_id=?1 AND contact_id="+living+
		" AND channel=?3 AND state='out' AND (purpose=?4 OR ?4='') LIMIT 1", cid, channel, purpose).Scan(&one))
}

// Consents returns what is known of a contact's consent, by channel and purpose.
// What was never asked is not listed. NotFound.
func (s *Service) Consents(r store.Reader, cid id.ID) ([]Consent, error) {
	cid, err := exists(r, cid)
	if err != nil {
		return nil, err
	}
	rows, err := consentRows(r, cid)
	out := make([]Consent, len(rows))
	for i, row := range rows {
		out[i] = row.Consent
	}
	return out, err
}

// ConsentsOf is Consents outside a transaction.
func (s *Service) ConsentsOf(ctx context.Context, tenant, cid id.ID) ([]Consent, error) {
	return s.Consents(s.db.Read(ctx, tenant), cid)
}

// SetConsent is ConsentIn in a transaction of its own.
func (s *Service) SetConsent(ctx context.Context, tenant, cid id.ID, c Consent) (changed bool, err error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (bool, error) { return s.ConsentIn(tx, cid, c) })
}

// consentRow is a present consent with its newest position in the log.
type consentRow struct {
	Consent
	Position int
}

func consentRows(r store.Reader, cid id.ID) ([]consentRow, error) {
	rows, err := r.Query("SELECT channel, purpose, state, source, at, position FROM contact_consent WHERE tenant_id=? AND contact_id=? ORDER BY channel, purpose", cid)
	return store.Collect(rows, err, func(rows *sql.Rows) (c consentRow, err error) {
		return c, rows.Scan(&c.Channel, &c.Purpose, &c.State, &c.Source, store.Time(&c.At), &c.Position)
	})
}

// ConsentLog returns a page of every change of a contact's consent, the last
// recorded first, and how many there are, as Timeline counts. NotFound.
func (s *Service) ConsentLog(ctx context.Context, tenant, cid id.ID, page, limit int) ([]ConsentEntry, int, error) {
	return below(s.db.Read(ctx, tenant), cid, page, limit, "consent_log", "channel, purpose, state, source, actor, at, recorded_at",
		"recorded_at DESC, position DESC, channel, purpose", func(rows *sql.Rows) (e ConsentEntry, err error) {
			return e, rows.Scan(&e.Channel, &e.Purpose, &e.State, &e.Source, &e.Actor, store.Time(&e.At), store.Time(&e.RecordedAt))
		})
}

func (c Consent) checked(now time.Time) (Consent, error) {
	var err error
	if c.Channel, err = Line("channel", c.Channel, maxTag); err != nil {
		return c, err
	}
	if c.Channel == "" {
		return c, fault.Missing("channel")
	}
	if c.Purpose != "" && c.Purpose != Marketing && c.Purpose != Servicing {
		return c, fault.Field("purpose", "consent is for the purpose %q or %q; leave it out for both", Marketing, Servicing)
	}
	if c.State != In && c.State != Out {
		return c, fault.Field("state", "consent is %q or %q", In, Out)
	}
	if c.Source, err = Line("source", c.Source, maxWord); err != nil {
		return c, err
	}
	if c.Actor == "" {
		c.Actor = "system"
		if strings.Contains(c.Source, ":") {
			c.Actor = c.Source
		}
	}
	if c.At.IsZero() || c.At.After(now) {
		c.At = now
	}
	c.At = c.At.Truncate(time.Millisecond)
	return c, nil
}

// ConsentIn records what a contact wants on a channel, for a purpose or without
// one for both, and tells whether that changed anything. What was said before
// the last that is known changes nothing, however late it arrives; without At it
// is said now. A change appends contact.opted_out or contact.opted_in with
// "channel:<channel>" and "purpose:<purpose>". Faults: NotFound; Invalid naming
// "channel", "purpose", "state" or "source".
func (s *Service) ConsentIn(tx *store.Tx, cid id.ID, c Consent) (changed bool, err error) {
	if c, err = c.checked(tx.Now()); err != nil {
		return false, err
	}
	who, err := s.locked(tx, cid)
	if err != nil {
		return false, err
	}
	known, err := consentRows(tx, who.ID)
	if err != nil {
		return false, err
	}
	news := []string{"channel:" + c.Channel}
	told := false
	for _, purpose := range purposes {
		if c.Purpose != "" && c.Purpose != purpose {
			continue
		}
		now := consentRow{Consent: c}
		now.Purpose = purpose
		before := find(known, c.Channel, purpose)
		if before.At.After(c.At) || before.State == c.State && before.At.Equal(c.At) {
			continue
		}
		if err := s.say(tx, who.ID, now, before.Position); err != nil {
			return false, err
		}
		if before.State != c.State {
			changed = true
			if c.State == Out || before.State == Out {
				news, told = append(news, "purpose:"+purpose), true
			}
		}
	}
	if !told {
		return changed, nil // a first permission is no change of mind
	}
	typ := "contact.opted_in"
	if c.State == Out {
		typ = "contact.opted_out"
	}
	_, err = s.log.Append(tx, event.New{Type: typ, Subject: who.ID, Contact: who.ID, Changed: news, Actor: c.Actor})
	return changed, err
}

// say writes a consent and its row of the log behind the given position.
func (s *Service) say(tx *store.Tx, cid id.ID, c consentRow, position int) error {
	c.Position = position + 1
	if err := putConsent(tx, cid, c); err != nil {
		return err
	}
	_, err := tx.Exec("INSERT INTO consent_log (tenant_id, contact_id, channel, purpose, position, state, source, actor, at, recorded_at) VALUES (?,?,?,?,?,?,?,?,?,?)",
		cid, c.Channel, c.Purpose, c.Position, c.State, c.Source, c.Actor, c.At, tx.Now())
	return err
}

func putConsent(tx *store.Tx, cid id.ID, c consentRow) error {
	_, err := tx.Exec("INSERT INTO contact_consent (tenant_id, contact_id, channel, purpose, state, source, at, position) VALUES (?,?,?,?,?,?,?,?) "+
		"ON CONFLICT (tenant_id, contact_id, channel, purpose) DO UPDATE SET state=excluded.state, source=excluded.source, at=excluded.at, position=excluded.position",
		cid, c.Channel, c.Purpose, c.State, c.Source, c.At, c.Position)
	return err
}
