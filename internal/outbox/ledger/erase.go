package ledger

import (
	"parley/internal/id"
	"parley/internal/store"
)

// CancelIn takes everything of a conversation away that has not ended: it is not
// sent any more, and nobody asks what became of it. What is at the provider
// already stays there.
func CancelIn(tx *store.Tx, conversation id.ID) error {
	// The index outbox_open holds only these.
	_, err := tx.Exec("DELETE FROM outbox WHERE tenant_id=? AND conversation_id=? AND state IN ('queued', 'sending', 'unknown')", conversation)
	return err
}

// ForgetIn takes the rows of messages away.
func ForgetIn(tx *store.Tx, in string, messages []any) error {
	_, err := tx.Exec("DELETE FROM outbox WHERE tenant_id=? AND id IN "+in, messages...)
	return err
}

// WaitsIn reports whether an account has messages that are still to leave or under
// way.
func WaitsIn(tx *store.Tx, account id.ID) (bool, error) {
	var one int
	// The index outbox_lane holds those that wait; few are under way.
	return store.Found(tx.QueryRow("SELECT 1 FROM outbox WHERE tenant_id=?1 AND account_id=?2 AND state='queued' UNION ALL "+
		"SELECT 1 FROM outbox WHERE tenant_id=?1 AND account_id=?2 AND state='sending' LIMIT 1", account).Scan(&one))
}
