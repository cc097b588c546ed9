package store

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/internal/id"
)

// Wakes of all topics travel on one PostgreSQL channel, gathered for this long,
// so that a busy node notifies a hundred times a second, not once a transaction.
const (
	busChannel  = "parley_wake"
	busDebounce = 10 * time.Millisecond
	busPayload  = 7000 // PostgreSQL refuses 8,000 bytes
)

type wake struct {
	Topic string `json:"t"`
	Key   string `json:"k"`
}

// bus carries wakes to whoever listens on this node and on the others.
type bus struct {
	db   *DB
	node string
	mu   sync.RWMutex
	subs map[string]map[int]func(key string)
	next int
	// caches are told of a wake before the commit too.
	caches map[string][]func(key string) (lift func())
	// PostgreSQL only:
	pendMu  sync.Mutex
	pending map[wake]struct{}
	kick    chan struct{}
}

func newBus(db *DB) *bus {
	return &bus{db: db, node: id.New().String(), subs: map[string]map[int]func(string){}, caches: map[string][]func(string) func(){}}
}

// cache calls bar with the key of every wake of a topic inside its transaction, and
// what that returns when the transaction has ended.
func (b *bus) cache(topic string, bar func(key string) (lift func())) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.caches[topic] = append(b.caches[topic], bar)
}

// coming bars what a transaction is about to change, until lift is called; lift is
// nil when no cache keeps anything of the topic.
func (b *bus) coming(topic, key string) (lift func()) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if len(b.caches[topic]) == 0 {
		return nil
	}
	var lifts []func()
	for _, bar := range b.caches[topic] {
		lifts = append(lifts, bar(key))
	}
	return func() {
		for _, f := range lifts {
			f()
		}
	}
}

// OnWake calls f with the key of every wake of a topic, from this node and from
// others. f must not block. The returned function ends it.
func (db *DB) OnWake(topic string, f func(key string)) (cancel func()) {
	b := db.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	n := b.next
	if b.subs[topic] == nil {
		b.subs[topic] = map[int]func(string){}
	}
	b.subs[topic][n] = f
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.subs[topic], n)
	}
}

func (b *bus) publish(topic, key string) {
	b.local(topic, key)
	if b.kick == nil {
		return
	}
	b.pendMu.Lock()
	b.pending[wake{topic, key}] = struct{}{}
	b.pendMu.Unlock()
	select {
	case b.kick <- struct{}{}:
	default:
	}
}

func (b *bus) local(topic, key string) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, f := range b.subs[topic] {
		f(key)
	}
}

// network joins the nodes of one PostgreSQL database.
func (b *bus) network(run context.Context, cfg *pgx.ConnConfig) {
	b.kick = make(chan struct{}, 1)
	b.pending = map[wake]struct{}{}
	b.db.wg.Add(2)
	go func() {
		defer b.db.wg.Done()
		b.announce(run)
	}()
	go func() {
		defer b.db.wg.Done()
		for run.Err() == nil {
			if err := b.listen(run, cfg); err != nil && run.Err() == nil {
				b.db.opts.Logger.Warn("lost the database's notifications; listening again", "error", err)
				select {
				case <-time.After(time.Second):
				case <-run.Done():
				}
			}
		}
	}()
}

type busMessage struct {
	Node  string `json:"n"`
	Wakes []wake `json:"w"`
}

// announce tells the other nodes what waits to be told, gathered for a moment,
// until run ends; then the rest, for a command ends right after its change.
func (b *bus) announce(run context.Context) {
	for run.Err() == nil {
		select {
		case <-b.kick:
		case <-run.Done():
		}
		select {
		case <-time.After(busDebounce):
		case <-run.Done():
		}
		b.flush(run)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(run), 2*time.Second)
	defer cancel()
	b.flush(last)
}

func (b *bus) flush(ctx context.Context) {
	b.pendMu.Lock()
	pending := b.pending
	b.pending = map[wake]struct{}{}
	b.pendMu.Unlock()
	msg, size := busMessage{Node: b.node}, 0
	send := func() {
		if len(msg.Wakes) == 0 {
			return
		}
		body, _ := json.Marshal(msg)
		if _, err := b.db.read.ExecContext(ctx, "SELECT pg_notify($1, $2)", busChannel, string(body)); err != nil {
			if ctx.Err() != nil { // told to end in the middle: the last flush tells them
				b.pendMu.Lock()
				for _, w := range msg.Wakes {
					b.pending[w] = struct{}{}
				}
				b.pendMu.Unlock()
			} else {
				b.db.opts.Logger.Warn("could not notify the other nodes; they will look by themselves", "error", err)
			}
		}
		msg.Wakes, size = nil, 0
	}
	for w := range pending {
		if size += len(w.Topic) + len(w.Key) + 20; size > busPayload {
			send()
			size = len(w.Topic) + len(w.Key) + 20
		}
		msg.Wakes = append(msg.Wakes, w)
	}
	send()
}

func (b *bus) listen(run context.Context, cfg *pgx.ConnConfig) error {
	c, err := pgx.ConnectConfig(run, cfg.Copy())
	if err != nil {
		return err
	}
	defer func() { _ = c.Close(context.WithoutCancel(run)) }()
	if _, err := c.Exec(run, "LISTEN "+busChannel); err != nil {
		return err
	}
	for {
		n, err := c.WaitForNotification(run)
		if err != nil {
			return err
		}
		var msg busMessage
		if json.Unmarshal([]byte(n.Payload), &msg) != nil || msg.Node == b.node {
			continue
		}
		for _, w := range msg.Wakes {
			b.local(w.Topic, w.Key)
		}
	}
}
