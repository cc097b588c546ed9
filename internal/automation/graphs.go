package automation

import (
	"sync"

	"parley/internal/id"
	"parley/internal/store"
)

// graphs keeps the graphs of versions that were used lately. A version never
// changes, so nothing has to be forgotten; the bound only limits memory.
type graphs struct {
	mu   sync.Mutex
	kept map[versionKey]*Graph
}

type versionKey struct {
	tenant, rule id.ID
	version      int
}

const maxGraphs = 512

func (g *graphs) get(k versionKey) *Graph {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.kept[k]
}

func (g *graphs) put(k versionKey, v *Graph) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.kept == nil || len(g.kept) >= maxGraphs {
		g.kept = map[versionKey]*Graph{}
	}
	g.kept[k] = v
}

// graphOf returns the graph of a version, which nobody may change; ok is false
// when the rule is gone.
func (s *Service) graphOf(r store.Reader, rule id.ID, version int) (*Graph, bool, error) {
	key := versionKey{r.Tenant(), rule, version}
	if g := s.graphs.get(key); g != nil {
		return g, true, nil
	}
	g, ok, err := graphOf(r, rule, version)
	if err != nil || !ok {
		return nil, false, err
	}
	g.ready()
	if tx, inside := r.(*store.Tx); inside {
		tx.After(func() { s.graphs.put(key, g) }) // the version may be of this very transaction
	} else {
		s.graphs.put(key, g)
	}
	return g, true, nil
}
