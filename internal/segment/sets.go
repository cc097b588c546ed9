package segment

import (
	"database/sql"
	"sync"
	"sync/atomic"

	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/store"
)

const (
	// goneKept is how many versions back deleted segments are listed.
	goneKept = 5000
	// kept bounds the segments that all sets together remember.
	kept = 200_000
)

// entry is what a set knows of a segment. It never changes: a segment that does
// gets another.
type entry struct {
	id      id.ID
	schema  string
	number  int64
	seeded  bool
	version int64
}

// set are a tenant's segments, ready to be asked about documents. It tells the
// version that it was read at; whoever uses it compares that with the tenant's.
type set struct {
	mu       sync.RWMutex
	size     atomic.Int64 // of byID, for whoever has no time to wait
	version  int64
	byID     map[id.ID]*entry
	byNumber map[int64]*entry
	bySchema map[string]*filter.Index[id.ID]
}

func newSet() *set {
	return &set{byID: map[id.ID]*entry{}, byNumber: map[int64]*entry{}, bySchema: map[string]*filter.Index[id.ID]{}}
}

// sets are the sets of the tenants that were asked about.
type sets struct {
	mu sync.Mutex
	m  map[id.ID]*set
}

func (c *sets) of(tenant id.ID) *set {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil {
		c.m = map[id.ID]*set{}
	}
	v, ok := c.m[tenant]
	if !ok {
		v = newSet()
		c.m[tenant] = v
	}
	return v
}

// trim lets go of the sets of others once all of them are too large.
func (c *sets) trim(tenant id.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var total int64
	for _, v := range c.m {
		total += v.size.Load()
	}
	for t, v := range c.m {
		if total <= kept {
			return
		}
		if t != tenant {
			total -= v.size.Load()
			delete(c.m, t)
		}
	}
}

// with calls f with the tenant's set as r sees it or, when others committed
// meanwhile, newer, and keeps it from changing until f returns. What a transaction
// has not committed is never remembered.
func (s *Service) with(r store.Reader, f func(*set) error) error {
	version, err := versionOf(r, "")
	if err != nil {
		return err
	}
	v := s.sets.of(r.Tenant())
	v.mu.RLock()
	if v.version == version {
		defer v.mu.RUnlock()
		return f(v)
	}
	v.mu.RUnlock()
	if _, open := r.(*store.Tx); open {
		own := newSet()
		if err := own.read(r, version); err != nil {
			return err
		}
		return f(own)
	}
	if err := v.refresh(r); err != nil {
		return err
	}
	s.sets.trim(r.Tenant())
	v.mu.RLock()
	defer v.mu.RUnlock()
	return f(v)
}

// refresh brings the set to what r sees.
func (v *set) refresh(r store.Reader) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	version, err := versionOf(r, "") // again: somebody may have been here
	if err != nil || version == v.version {
		return err
	}
	if version < v.version || version-v.version >= goneKept || v.version == 0 {
		v.clear()
	}
	if err := v.read(r, version); err != nil {
		v.clear()
		return err
	}
	return nil
}

func (v *set) clear() {
	v.version = 0
	clear(v.byID)
	clear(v.byNumber)
	clear(v.bySchema)
}

// read applies what changed since the set's version. What changes while it reads
// is read too, and again the next time.
func (v *set) read(r store.Reader, version int64) error {
	rows, err := r.Query("SELECT id, entity_schema, query, number, seeded, version FROM segment WHERE tenant_id=? AND version>?", v.version)
	_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
		var e entry
		var query *filter.Filter
		if err = rows.Scan(&e.id, &e.schema, store.JSON(&query), &e.number, &e.seeded, &e.version); err != nil {
			return x, err
		}
		return x, v.put(&e, query)
	})
	if err != nil {
		return err
	}
	rows, err = r.Query("SELECT segment_id, version FROM segment_gone WHERE tenant_id=? AND version>?", v.version)
	_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
		var gone id.ID
		var at int64
		if err = rows.Scan(&gone, &at); err != nil {
			return x, err
		}
		if e := v.byID[gone]; e != nil && e.version < at {
			v.drop(e)
			delete(v.byID, gone)
		}
		return x, nil
	})
	if err == nil {
		v.version = version
	}
	v.size.Store(int64(len(v.byID)))
	return err
}

// put takes a segment in, in the place of what it was.
func (v *set) put(e *entry, query *filter.Filter) error {
	old := v.byID[e.id]
	v.byID[e.id] = e
	if old != nil && old.number == e.number { // the same filters
		v.byNumber[e.number] = e
		return nil
	}
	if old != nil {
		v.drop(old)
	}
	v.byNumber[e.number] = e
	if query == nil || e.schema == "" {
		return nil
	}
	index, ok := v.bySchema[e.schema]
	if !ok {
		index = filter.NewIndex[id.ID]()
		v.bySchema[e.schema] = index
	}
	return index.Put(e.id, *query)
}

// drop takes a segment's filters out.
func (v *set) drop(old *entry) {
	delete(v.byNumber, old.number)
	if index, ok := v.bySchema[old.schema]; ok {
		index.Delete(old.id)
	}
}

// containing returns the segments that contain a document of a schema.
func (v *set) containing(schema string, doc any) []*entry {
	index, ok := v.bySchema[schema]
	if !ok || doc == nil {
		return nil
	}
	keys := index.Match(doc)
	out := make([]*entry, 0, len(keys))
	for _, k := range keys {
		if e := v.byID[k]; e != nil {
			out = append(out, e)
		}
	}
	return out
}
