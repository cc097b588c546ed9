package filter

import (
	"maps"
	"slices"
	"sync"
)

// Index holds many filters and tells which of them match one document without
// asking each. A filter lies under probes, such as status = "open", of which every
// document that it matches satisfies one; the document's own values find them. A
// filter without such a probe is asked about every document. Match may be called
// concurrently, but not together with Put or Delete.
type Index[K comparable] struct {
	entries []entry[K]
	free    []uint32 // slots of entries that nobody uses
	keys    map[K]uint32
	asked   []uint32 // slots of filters without probes
	fields  map[string]*indexed
	tops    map[string][]*indexed // by the first name of their paths
	scratch sync.Pool
}

type entry[K comparable] struct {
	key    K
	root   node
	sure   bool // whoever satisfies a probe matches
	probes []probe
}

// NewIndex makes an empty index.
func NewIndex[K comparable]() *Index[K] {
	return &Index[K]{keys: map[K]uint32{}, fields: map[string]*indexed{}, tops: map[string][]*indexed{}}
}

// Len is how many filters the index holds.
func (x *Index[K]) Len() int { return len(x.keys) }

// Put adds a filter, or replaces that of the key. The index is as before when the
// filter is wrong.
func (x *Index[K]) Put(key K, f Filter) error {
	m, err := Compile(f)
	if err != nil {
		return err
	}
	x.Delete(key)
	var slot uint32
	if n := len(x.free); n > 0 {
		slot, x.free = x.free[n-1], x.free[:n-1]
	} else {
		slot = uint32(len(x.entries))
		x.entries = append(x.entries, entry[K]{})
	}
	e := entry[K]{key: key, root: m.root}
	if p, ok := x.plan(&f); ok {
		e.sure, e.probes = p.sure, p.probes
		for _, p := range e.probes {
			x.field(p.field).add(p, slot)
		}
	} else {
		x.asked = append(x.asked, slot)
	}
	x.entries[slot], x.keys[key] = e, slot
	return nil
}

// Delete forgets a key.
func (x *Index[K]) Delete(key K) {
	slot, ok := x.keys[key]
	if !ok {
		return
	}
	delete(x.keys, key)
	e := &x.entries[slot]
	for _, p := range e.probes {
		x.field(p.field).remove(p, slot)
	}
	x.asked = without(x.asked, slot)
	*e = entry[K]{}
	x.free = append(x.free, slot)
}

func without(list []uint32, slot uint32) []uint32 {
	i := slices.Index(list, slot)
	if i < 0 {
		return list
	}
	list[i] = list[len(list)-1]
	return list[:len(list)-1]
}

func (x *Index[K]) field(name string) *indexed {
	a := x.fields[name]
	if a == nil {
		a = newIndexed(name)
		x.fields[name] = a
		x.tops[a.path[0]] = append(x.tops[a.path[0]], a)
	}
	return a
}

// Match lists the keys whose filters match a document, in no particular order.
// Filters that NeedsNow are not for an index.
func (x *Index[K]) Match(doc any) []K {
	m := x.matching(plainly(doc))
	defer x.scratch.Put(m)
	if top, ok := m.doc.(map[string]any); ok {
		if len(x.tops) < len(top) {
			for name := range x.tops {
				if v, ok := top[name]; ok {
					m.top(name, v)
				}
			}
		} else {
			for name, v := range top {
				m.top(name, v)
			}
		}
	} else if m.doc != nil { // an array of objects, or what no path leads into
		for _, name := range slices.Sorted(maps.Keys(x.fields)) {
			m.found(x.fields[name], m.doc, x.fields[name].path)
		}
	}
	for _, slot := range x.asked {
		if e := &x.entries[slot]; e.root.match(timeless, m.doc) {
			m.out = append(m.out, e.key)
		}
	}
	out := m.out
	m.out, m.doc = nil, nil
	return out
}

// matching is one document on its way through the index.
type matching[K comparable] struct {
	x    *Index[K]
	doc  any
	out  []K
	seen []uint32 // by slot: the turn in which it was tested
	turn uint32
	full bool
}

func (x *Index[K]) matching(doc any) *matching[K] {
	m, ok := x.scratch.Get().(*matching[K])
	if !ok {
		m = &matching[K]{x: x}
	}
	if n := len(x.entries); len(m.seen) < n {
		m.seen, m.turn = make([]uint32, n+n/8), 0
	}
	if m.turn++; m.turn == 0 { // all turns were used
		clear(m.seen)
		m.turn = 1
	}
	m.doc = doc
	return m
}

func (m *matching[K]) top(name string, v any) {
	for _, a := range m.x.tops[name] {
		m.found(a, v, a.path[1:])
	}
}

// found looks up what a path leads to.
func (m *matching[K]) found(a *indexed, v any, path []string) {
	m.full = false
	m.walk(a, v, path)
	if m.full {
		m.hits(a.filled)
	}
}

// walk is that of targetNode.
func (m *matching[K]) walk(a *indexed, v any, path []string) {
	v = plainly(v)
	list, isList := v.([]any)
	if len(path) == 0 {
		if !isList {
			m.value(a, v)
		}
		for _, x := range list {
			m.value(a, plainly(x))
		}
		return
	}
	if d, ok := v.(map[string]any); ok {
		if x, ok := d[path[0]]; ok {
			m.walk(a, x, path[1:])
		}
		return
	}
	for _, x := range list {
		if d, ok := plainly(x).(map[string]any); ok {
			if y, ok := d[path[0]]; ok {
				m.walk(a, y, path[1:])
			}
		}
	}
}

func (m *matching[K]) hits(slots []uint32) {
	for _, slot := range slots {
		m.hit(slot)
	}
}

func (m *matching[K]) hit(slot uint32) {
	if m.seen[slot] == m.turn {
		return
	}
	m.seen[slot] = m.turn
	if e := &m.x.entries[slot]; e.sure || e.root.match(timeless, m.doc) {
		m.out = append(m.out, e.key)
	}
}
