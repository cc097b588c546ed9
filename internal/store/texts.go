package store

import (
	"sync"
	"sync/atomic"
)

// maxTexts bounds what a texts remembers. The program's own statements are a few
// hundred; filters of tenants make as many as they have shapes, and those that
// come too late are worked out each time.
const maxTexts = 4096

// texts remembers what query texts were turned into. It is safe for concurrent
// use.
type texts struct {
	known sync.Map
	n     atomic.Int64
}

func (t *texts) get(q string) (string, bool) {
	v, ok := t.known.Load(q)
	if !ok {
		return "", false
	}
	return v.(string), true
}

func (t *texts) put(q, text string) {
	if t.n.Load() >= maxTexts {
		return
	}
	if _, had := t.known.LoadOrStore(q, text); !had {
		t.n.Add(1)
	}
}
