package contact

import "parley/internal/store"

// LockWaysIn is LockIn for identities of any kind, by kind and value.
func (s *Service) LockWaysIn(tx *store.Tx, ways []Identity) error {
	keys := make([]string, 0, len(ways))
	for _, w := range ways {
		if w.Kind != "" && w.Value != "" {
			keys = append(keys, w.Kind+":"+w.Value)
		}
	}
	return tx.Lock("identity", keys...)
}
