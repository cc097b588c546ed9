package contact

import (
	"database/sql"
	"encoding/hex"
	"slices"
	"time"

	"parley/internal/id"
	"parley/internal/store"
)

// suppressed is where consent that was kept in spite of an erasing was said.
const suppressed = "erased contact"

// hash is how an address is remembered of which nothing may be known: without the
// server's own key nobody can tell whose it is, nor try addresses out.
func (s *Service) hash(tenant id.ID, kind, value string) string {
	return hex.EncodeToString(s.tenants.MAC(tenant, "contact.suppression", kind+"\x00"+value))
}

// suppress remembers what a contact refuses under every address that it claims,
// and forgets what it had refused before and allows by now.
func (s *Service) suppress(tx *store.Tx, c Contact) error {
	rows, err := consentRows(tx, c.ID)
	if err != nil {
		return err
	}
	for _, i := range c.Identities {
		if !i.Claimed {
			continue // whoever claims it says what it wants
		}
		h := s.hash(tx.Tenant(), i.Kind, i.Value)
		for _, r := range rows {
			if r.State == Out {
				err = suppressIn(tx, h, r.Channel, r.Purpose, r.At)
			} else {
				_, err = tx.Exec("DELETE FROM contact_suppression WHERE tenant_id=? AND hash=? AND channel=? AND purpose=?", h, r.Channel, r.Purpose)
			}
			if err != nil {
				return err
			}
		}
	}
	s.suppressing.Forget(tx)
	return nil
}

func suppressIn(tx *store.Tx, hash, channel, purpose string, at time.Time) error {
	_, err := tx.Exec("INSERT INTO contact_suppression (tenant_id, hash, channel, purpose, at) VALUES (?,?,?,?,?) "+
		"ON CONFLICT (tenant_id, hash, channel, purpose) DO UPDATE SET at=excluded.at", hash, channel, purpose, at)
	return err
}

// remembered returns what erased people refused under the given identities, once
// for each channel and purpose and as it was said last. Tenants that never erased
// anybody who refused anything pay one remembered look.
func (s *Service) remembered(tx *store.Tx, identities []Identity) ([]Consent, error) {
	some, _, err := s.suppressing.Get(tx, func() (bool, bool, error) {
		var one int
		some, err := store.Found(tx.QueryRow("SELECT 1 FROM contact_suppression WHERE tenant_id=? AND channel<>'' LIMIT 1").Scan(&one))
		return some, true, err
	})
	if err != nil || !some {
		return nil, err
	}
	var out []Consent
	for _, i := range identities {
		rows, err := tx.Query("SELECT channel, purpose, at FROM contact_suppression WHERE tenant_id=? AND hash=? AND channel<>'' ORDER BY channel, purpose", s.hash(tx.Tenant(), i.Kind, i.Value))
		list, err := store.Collect(rows, err, func(rows *sql.Rows) (c Consent, err error) {
			c.State, c.Source, c.Actor = Out, suppressed, "system"
			return c, rows.Scan(&c.Channel, &c.Purpose, store.Time(&c.At))
		})
		if err != nil {
			return nil, err
		}
		for _, c := range list {
			at := slices.IndexFunc(out, func(o Consent) bool { return o.Channel == c.Channel && o.Purpose == c.Purpose })
			switch {
			case at < 0:
				out = append(out, c)
			case c.At.After(out[at].At):
				out[at] = c
			}
		}
	}
	return out, nil
}

// RefusedAtIn is Refused for an address that no contact has: whether somebody who
// was erased refused messages of a purpose under it.
func (s *Service) RefusedAtIn(tx *store.Tx, at Identity, channel, purpose string) (bool, error) {
	list, err := s.remembered(tx, []Identity{at})
	return slices.ContainsFunc(list, func(c Consent) bool { return c.Channel == channel && (purpose == "" || c.Purpose == purpose) }), err
}

// refuseAtFirst gives a new contact the refusals that are remembered of its
// addresses. It is no change of mind, so no event tells it.
func (s *Service) refuseAtFirst(tx *store.Tx, c Contact) error {
	list, err := s.remembered(tx, c.Identities)
	for _, said := range list {
		if err == nil {
			err = s.say(tx, c.ID, consentRow{Consent: said}, 0)
		}
	}
	return err
}

// refuseAgain gives a contact that takes a further address the refusals that are
// remembered of it, unless the contact has allowed the same since.
func (s *Service) refuseAgain(tx *store.Tx, cid id.ID, i Identity) error {
	list, err := s.remembered(tx, []Identity{i})
	for _, said := range list {
		if err == nil {
			_, err = s.ConsentIn(tx, cid, said)
		}
	}
	return err
}

// GoneIn remembers, under a hash, that everything up to now from an address of a
// channel was erased: what the provider delivers of it once more is not new.
func (s *Service) GoneIn(tx *store.Tx, channel, address string) error {
	return suppressIn(tx, s.hash(tx.Tenant(), "channel:"+channel, address), "", "", tx.Now())
}

// GoneUntil returns the moment up to which everything from an address of a channel
// was erased, the zero time when nothing was.
func (s *Service) GoneUntil(r store.Reader, channel, address string) (at time.Time, err error) {
	_, err = store.Found(r.QueryRow("SELECT at FROM contact_suppression WHERE tenant_id=? AND hash=? AND channel='' AND purpose=''",
		s.hash(r.Tenant(), "channel:"+channel, address)).Scan(store.Time(&at)))
	return at, err
}
