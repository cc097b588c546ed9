package access

import (
	"sync"
	"time"

	"parley/internal/clock"
)

// topic is the wake that follows a revocation; its key is the token's hash.
const topic = "access"

const (
	// keepFor bounds how long a node may miss a revocation when the database's
	// notifications are lost.
	keepFor = 5 * time.Second
	// keepMost bounds the cache; beyond it everything is looked up afresh.
	keepMost = 10_000
)

// cache keeps positive answers by the hash of the token.
type cache struct {
	clock   clock.Clock
	mu      sync.RWMutex
	version uint64 // grows with every change
	m       map[string]kept
}

type kept struct {
	key   Key
	until time.Time
}

func newCache(c clock.Clock) *cache { return &cache{clock: c, m: map[string]kept{}} }

// get returns a kept key, and the version under which a missing one may be put.
func (c *cache) get(hash string) (Key, uint64, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	k, ok := c.m[hash]
	return k.key, c.version, ok && c.clock.Now().Before(k.until)
}

// put keeps a key, unless something changed while it was read.
func (c *cache) put(hash string, k Key, version uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version != version {
		return
	}
	if len(c.m) >= keepMost {
		clear(c.m)
	}
	c.m[hash] = kept{k, c.clock.Now().Add(keepFor)}
}

// forget drops one key, or all of them when hash is empty.
func (c *cache) forget(hash string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version++
	if hash == "" {
		clear(c.m)
		return
	}
	delete(c.m, hash)
}
