package store

import (
	"sync"
	"time"
)

// Recent keeps what many readers ask for, by a key, for a short while: keys of
// an API, accounts of a provider, settings. A change wakes its topic with the
// key and ends it on every node; the time bounds how long a node may miss that
// when the database's notifications are lost.
//
// On the node of the change nobody who has seen it committed gets the old value:
// from the wake inside the transaction until it has ended, the key is barred and
// looked up afresh. A transaction of which nobody knows how it ended bars it for as
// long as a value is kept, which costs reads only.
type Recent[V any] struct {
	db      *DB
	keep    time.Duration
	mu      sync.RWMutex
	version uint64 // grows with every change
	m       map[string]recent[V]
	bars    uint64                          // how many there were
	barred  map[string]map[uint64]time.Time // until when at most, by bar; "" bars every key
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
	r := &Recent[V]{db: db, keep: keep, m: map[string]recent[V]{}, barred: map[string]map[uint64]time.Time{}}
	db.bus.cache(topic, r.bar)
	db.OnWake(topic, r.Forget)
	return r
}

// ClearedBy makes the cache forget everything at a wake of another topic as well.
func (r *Recent[V]) ClearedBy(topic string) *Recent[V] {
	r.db.bus.cache(topic, func(string) func() { return r.bar("") })
	r.db.OnWake(topic, func(string) { r.Forget("") })
	return r
}

// Get returns a kept value, and the version under which a missing one may be put.
func (r *Recent[V]) Get(key string) (v V, version uint64, ok bool) {
	now := r.db.opts.Clock.Now()
	r.mu.RLock()
	defer r.mu.RUnlock()
	k, ok := r.m[key]
	return k.v, r.version, ok && now.Before(k.until) && !r.isBarred(key, now)
}

// Put keeps a value, unless something changed while it was read.
func (r *Recent[V]) Put(key string, v V, version uint64) {
	now := r.db.opts.Clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.version != version || r.isBarred(key, now) {
		return
	}
	if len(r.m) >= maxRecent {
		clear(r.m)
	}
	r.m[key] = recent[V]{v, now.Add(r.keep)}
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

// bar makes a key be looked up afresh until lift is called.
func (r *Recent[V]) bar(key string) (lift func()) {
	now := r.db.opts.Clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, list := range r.barred { // those whose end nobody has told
		for n, until := range list {
			if !now.Before(until) {
				r.unbar(k, n)
			}
		}
	}
	r.bars++
	n := r.bars
	if r.barred[key] == nil {
		r.barred[key] = map[uint64]time.Time{}
	}
	r.barred[key][n] = now.Add(r.keep)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.unbar(key, n)
	}
}

// unbar takes one bar away; r.mu is held.
func (r *Recent[V]) unbar(key string, n uint64) {
	delete(r.barred[key], n)
	if len(r.barred[key]) == 0 {
		delete(r.barred, key)
	}
}

// isBarred says whether a change of the key is under way; r.mu is held.
func (r *Recent[V]) isBarred(key string, now time.Time) bool {
	if len(r.barred) == 0 {
		return false
	}
	for _, k := range []string{key, ""} {
		for _, until := range r.barred[k] {
			if now.Before(until) {
				return true
			}
		}
	}
	return false
}
