package access

import (
	"context"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/secret"
	"parley/internal/store"
)

// OfferIn gives a key a second token beside its first: both open it, until TakeIn
// ends the first or WithdrawIn the second. Whoever must be told a new token without
// being locked out in between is told this one. An earlier offer ends. NotFound for
// a key that the tenant does not have or that was revoked.
func (s *Service) OfferIn(tx *store.Tx, key id.ID) (token string, err error) {
	if err := lock(tx, key); err != nil {
		return "", err
	}
	k, err := valid(tx, key)
	if err == nil && k.Proven {
		err = unrenewable()
	}
	if err != nil {
		return "", err
	}
	if err := withdraw(tx, key); err != nil {
		return "", err
	}
	token = newToken(k.Face)
	_, err = tx.Exec("INSERT INTO access_successor (tenant_id, key_id, hash, created_at) VALUES (?,?,?,?)", key, secret.Hash(token), tx.Now())
	return token, err
}

// Offers reports whether a key has a second token beside its first.
func (s *Service) Offers(r store.Reader, key id.ID) (bool, error) {
	var one int
	return store.Found(r.QueryRow("SELECT 1 FROM access_successor WHERE tenant_id=? AND key_id=?", key).Scan(&one))
}

// TakeIn makes the offered token a key's only one and ends the first at once on
// every node. Conflict when none is offered; NotFound as OfferIn.
func (s *Service) TakeIn(tx *store.Tx, key id.ID) error {
	if err := lock(tx, key); err != nil {
		return err
	}
	if _, err := valid(tx, key); err != nil {
		return err
	}
	var hash string
	found, err := store.Found(tx.QueryRow("SELECT hash FROM access_successor WHERE tenant_id=? AND key_id=?", key).Scan(&hash))
	if err == nil && !found {
		err = fault.New(fault.Conflict, "no second token is offered for this key; offer one first")
	}
	if err != nil {
		return err
	}
	if err := told(tx, key); err != nil { // of the token that ends
		return err
	}
	if err := withdraw(tx, key); err != nil {
		return err
	}
	_, err = tx.Exec("UPDATE access_key SET hash=? WHERE tenant_id=? AND id=?", hash, key)
	return err
}

// WithdrawIn ends an offer, if there is one.
func (s *Service) WithdrawIn(tx *store.Tx, key id.ID) error {
	if err := lock(tx, key); err != nil {
		return err
	}
	return withdraw(tx, key)
}

func withdraw(tx *store.Tx, key id.ID) error {
	if err := toldOffer(tx, key); err != nil {
		return err
	}
	_, err := tx.Exec("DELETE FROM access_successor WHERE tenant_id=? AND key_id=?", key)
	return err
}

// toldOffer makes every node forget what it knows of a key under its second token.
func toldOffer(tx *store.Tx, key id.ID) error {
	var hash string
	found, err := store.Found(tx.QueryRow("SELECT hash FROM access_successor WHERE tenant_id=? AND key_id=?", key).Scan(&hash))
	if err == nil && found {
		tx.Wake(topic, hash)
	}
	return err
}

// offered finds the key of a second token.
func (s *Service) offered(ctx context.Context, hash string) (Key, bool, error) {
	k, err := scan(s.db.Read(ctx, id.Zero).All().QueryRow("SELECT "+columns+` FROM access_successor o
		JOIN access_key k ON k.tenant_id=o.tenant_id AND k.id=o.key_id JOIN tenant t ON t.tenant_id=k.tenant_id WHERE o.hash=?`, hash))
	ok, err := store.Found(err)
	return k, ok, err
}
