package store

import (
	"sync"
	"time"
)

// Recent keeps what many readers ask for, by a key, for a short while: keys of
// an API, accounts of a provider, settings. A change wakes its topic with the
// key and ends it on every node; the time bounds how long a node may miss that
// when the database's notifications are lost.
type Recent[V any] struct {
	db      *DB
	keep    time.Duration
	mu      sync.RWMutex
	version uint64 // grows with every change
	m       map[string]recent[V]
}

type recent[V any] struct {
	v     V
	until time.Time
}

// maxRecent bounds a Recent; beyond it everything is looked up afresh.
const maxRecent = 10_000

// NewRecent returns a cache that forgets the key of every wake of topic, and
// everything when that key is empty.
func NewRecent[V any](db *DB, topic string, keep time.Duration) *Recent[V] {
	r := &Recent[V]{db: db, keep: keep, m: map[string]recent[V]{}}
	db.OnWake(topic, r.Forget)
	return r
}

// Get returns a kept value, and the version under which a missing one may be put.
func (r *Recent[V]) Get(key string) (v V, version uint64, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	k, ok := r.m[key]
	return k.v, r.version, ok && r.db.opts.Clock.Now().Before(k.until)
}

// Put keeps a value, unless something changed while it was read.
func (r *Recent[V]) Put(key string, v V, version uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.version != version {
		return
	}
	if len(r.m) >= maxRecent {
		clear(r.m)
	}
	r.m[key] = recent[V]{v, r.db.opts.Clock.Now().Add(r.keep)}
}

// Forget drops one key, or all of them when it is empty.
func (r *Recent[V]) Forget(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.version++
	if key == "" {
		clear(r.m)
		return
	}
	delete(r.m, key)
}
