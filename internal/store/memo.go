package store

import (
	"sync"

	"parley/internal/id"
)

// Memo remembers one value per tenant between transactions, for what every call
// asks and hardly anybody changes. It remembers on SQLite only, where this
// process makes every change: on PostgreSQL another node may have changed the
// value a moment ago, so there each transaction loads its own.
//
// Whoever changes what the value is made of calls Forget in the transaction of
// the change.
type Memo[V any] struct {
	mu      sync.Mutex
	values  map[id.ID]V
	version uint64
}

// maxMemo bounds the tenants that a Memo remembers.
const maxMemo = 10_000

// Get returns the remembered value, or loads it. A value is remembered once the
// transaction that loaded it is on disk; found is load's second result, and what
// was not found is not remembered.
func (m *Memo[V]) Get(tx *Tx, load func() (v V, found bool, err error)) (v V, found bool, err error) {
	if tx.Dialect() != SQLite {
		return load()
	}
	m.mu.Lock()
	v, found = m.values[tx.id]
	version := m.version
	m.mu.Unlock()
	if found {
		return v, true, nil
	}
	if v, found, err = load(); err != nil || !found {
		return v, found, err
	}
	tenant := tx.id
	tx.After(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.version != version {
			return // somebody changed it in between
		}
		if m.values == nil || len(m.values) >= maxMemo {
			m.values = map[id.ID]V{}
		}
		m.values[tenant] = v
	})
	return v, found, nil
}

// Forget drops the tenant's value, now for the transactions behind this one and
// again when this one is on disk or undone by then.
func (m *Memo[V]) Forget(tx *Tx) {
	tenant := tx.id
	drop := func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.version++
		delete(m.values, tenant)
	}
	drop()
	tx.After(drop)
}
