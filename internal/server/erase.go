package server

import (
	"parley/internal/contact"
	"parley/internal/face/sales"
	"parley/internal/face/targeting"
	"parley/internal/idempotency"
	"parley/internal/store"
)

// forgetAnswers deletes the kept answers that show a person who was erased.
func forgetAnswers(tx *store.Tx, idem *idempotency.Ledger, e contact.Erased) error {
	var texts []string
	for _, v := range e.IDs {
		texts = append(texts, v.String())
	}
	for _, a := range e.Addresses {
		texts = append(texts, a.Value, a.Raw)
	}
	_, err := idem.ForgetIn(tx, texts)
	return err
}

// knownScopes lists the scopes of the faces that say them.
func knownScopes(face string) []string {
	switch face {
	case sales.Name:
		return sales.Scopes()
	case targeting.Name:
		return targeting.Scopes()
	}
	return nil
}
