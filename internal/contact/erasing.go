package contact

import (
	"context"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Erased is the erasing of one person.
type Erased struct {
	Contact id.ID   // who the person was; the id stays and leads nowhere
	IDs     []id.ID // every id that the person ever had, Contact first
	// Addresses are the phones, e-mails and other addresses that the person had, for
	// rows that name no contact. What is younger than At under one of them belongs
	// to somebody else.
	Addresses []Address
	Actor     string
	At        time.Time
}

// Address is a normalised identity, with the form it was given in.
type Address struct {
	Kind    string
	Value   string
	Raw     string
	Claimed bool // the person was who it found
}

// In writes placeholders for the ids, as Among does.
func (e Erased) In() (in string, args []any) { return Among(e.IDs) }

// Purge deletes at most limit rows of a table that belong to the person by the
// column contact_id, and returns how many it deleted. key are the columns of the
// table's primary key behind tenant_id; the table needs an index that begins with
// (tenant_id, contact_id).
func (e Erased) Purge(tx *store.Tx, table, key string, limit int) (int, error) {
	in, args := e.In()
	n, err := tx.Exec("DELETE FROM "+table+" WHERE tenant_id=?1 AND ("+key+") IN (SELECT "+key+" FROM "+table+" WHERE tenant_id=?1 AND contact_id IN "+in+" LIMIT ?)",
		append(args, limit)...)
	return int(n), err
}

// purgeAtOnce is how many rows of histories the erasing transaction itself takes
// away, and each transaction of the job that takes away the rest.
const purgeAtOnce = 500

// Erase is EraseIn in a transaction of its own.
func (s *Service) Erase(ctx context.Context, tenant id.ID, actor string, cid id.ID) (Contact, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Contact, error) { return s.EraseIn(tx, actor, cid) })
}

// EraseIn takes away everything that is known of a person, under every id that it
// ever had, and returns the contact as it was. What remains is a tombstone: the
// ids, which lead nowhere from now on, and, under a hash, what the person refused,
// so that whoever comes back under the same address is refused again. It appends
// contact.erased. Every Follower erases its own; of long histories a job takes
// away what one transaction should not, but nobody meets the person any more from
// this commit on. It takes the locks of the person's identities: call it before
// the contact's lock is taken. NotFound.
func (s *Service) EraseIn(tx *store.Tx, actor string, cid id.ID) (Contact, error) {
	c, err := s.lockWhole(tx, cid)
	if err != nil {
		return Contact{}, err
	}
	e := Erased{Contact: c.ID, Actor: actor, At: tx.Now()}
	if e.IDs, err = s.Known(tx, c.ID); err != nil {
		return Contact{}, err
	}
	for _, i := range c.Identities {
		e.Addresses = append(e.Addresses, Address{i.Kind, i.Value, i.Raw, i.Claimed})
	}
	if err := s.suppress(tx, c); err != nil {
		return Contact{}, err
	}
	if err := entomb(tx, c); err != nil {
		return Contact{}, err
	}
	if err := forgetMerges(tx, e.IDs); err != nil {
		return Contact{}, err
	}
	for _, f := range s.followers {
		if f.Erase == nil {
			continue
		}
		if err := f.Erase(tx, e); err != nil {
			return Contact{}, err
		}
	}
	if _, err := tx.Exec("INSERT INTO contact_erasure (tenant_id, contact_id, ids, addresses, actor, erased_at) VALUES (?,?,?,?,?,?)",
		e.Contact, store.JSON(e.IDs), store.JSON(e.Addresses), e.Actor, e.At); err != nil {
		return Contact{}, err
	}
	done, err := s.purge(tx, e)
	if err != nil {
		return Contact{}, err
	}
	if !done {
		if err := oweErasure(tx, e.Contact); err != nil {
			return Contact{}, err
		}
	}
	return c, s.append(tx, actor, "contact.erased", c.ID)
}

// lockWhole takes the locks of a contact and of all its identities, in the order
// of the house: behind them nobody who comes under one of its addresses can meet
// it half gone. NotFound.
func (s *Service) lockWhole(tx *store.Tx, cid id.ID) (Contact, error) {
	held := map[string]bool{}
	for {
		c, err := s.Get(tx, cid)
		if err != nil {
			return Contact{}, err
		}
		var keys []string
		for _, i := range c.Identities {
			keys = append(keys, i.Kind+":"+i.Value)
		}
		if err := tx.Lock("identity", keys...); err != nil {
			return Contact{}, err
		}
		for _, k := range keys {
			held[k] = true
		}
		if c, err = s.locked(tx, c.ID); err != nil {
			return Contact{}, err
		}
		more := false
		for _, i := range c.Identities {
			more = more || !held[i.Kind+":"+i.Value]
		}
		if more { // it got another one, or was merged, before we had its lock
			continue
		}
		return c, s.lockRows(tx, []id.ID{c.ID})
	}
}

// ErasedAt returns when the person was erased that an id belonged to, the zero
// time when none was.
func (s *Service) ErasedAt(r store.Reader, cid id.ID) (at time.Time, err error) {
	_, err = store.Found(r.QueryRow("SELECT erased_at FROM contact WHERE tenant_id=?1 AND id="+living, cid).Scan(store.Time(&at)))
	return at, err
}

// Named returns the contact meant by a text that is an id, a phone or an e-mail
// address. NotFound.
func (s *Service) Named(r store.Reader, text string) (Contact, error) {
	if cid, err := id.Parse(text); err == nil {
		if c, err := s.Get(r, cid); err == nil || fault.As(err) == nil {
			return c, err
		}
	}
	if mail, err := address(text); err == nil && mail != "" {
		c, found, err := s.Find(r, Email, mail)
		if err == nil && !found {
			err = fault.Unknown("contact")
		}
		return c, err
	}
	key, err := s.KeyOf(r, text)
	if fault.As(err) != nil {
		return Contact{}, fault.Unknown("contact")
	}
	if err != nil {
		return Contact{}, err
	}
	c, found, err := s.Find(r, Phone, key)
	if err == nil && !found {
		err = fault.Unknown("contact")
	}
	return c, err
}
