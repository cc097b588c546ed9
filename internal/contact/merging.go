package contact

import (
	"context"
	"encoding/json"
	"slices"

	"parley/internal/id"
	"parley/internal/store"
)

// Merge is one merge of two contacts.
type Merge struct {
	ID       id.ID
	Survivor id.ID // the older one, which stays
	Merged   id.ID // the other, whose id leads to the survivor from now on
	Actor    string
}

// Follower is a room whose rows belong to contacts. It takes part in merges, in
// the same transaction, with both contacts locked. Children move to the survivor;
// ledgers (events, messages, the outbox, trigger calls, deliveries) keep the id
// that they were written with.
type Follower struct {
	Name string // of the room; unique
	// Last makes the room follow behind all others, for one that takes a lock of the
	// whole tenant: what others wait for, such as the counters of a rule, is held then.
	Last bool
	// Merge moves the room's rows from m.Merged to m.Survivor and returns what it
	// needs to give them back: ids, never values of people. It is kept as JSON. nil
	// for a room that only erases.
	Merge func(tx *store.Tx, m Merge) (moved any, err error)
	// Unmerge gives back what Merge moved, except rows that are gone since. Rows
	// that were added since stay with the survivor. Both contacts' rows are there.
	Unmerge func(tx *store.Tx, m Merge, moved json.RawMessage) error
	// Erase takes away what the room knows of a person, in the transaction that
	// erases it and under its lock: what makes the person visible, what would still
	// happen to it, and every table of which a contact has few rows. Optional.
	Erase func(tx *store.Tx, e Erased) error
	// Purge takes away at most limit rows of tables that may hold many of one
	// person, and returns how many it took; fewer than limit means that none are
	// left. It is called until then, first in the erasing transaction, later by a
	// job: until it is done nobody may meet the person by these rows. Optional.
	Purge func(tx *store.Tx, e Erased, limit int) (int, error)
}

// Follow makes a room take part in merges. Call it before the first use; rooms
// follow in the order of their calls, but for those that are Last.
func (s *Service) Follow(f Follower) {
	at := len(s.followers)
	if last := slices.IndexFunc(s.followers, func(o Follower) bool { return o.Last }); !f.Last && last >= 0 {
		at = last
	}
	s.followers = slices.Insert(s.followers, at, f)
}

// Merge makes one contact of two and returns it: the older id survives, the
// other leads to it from now on. Merging what is one contact already changes
// nothing. NotFound.
func (s *Service) Merge(ctx context.Context, tenant id.ID, actor string, a, b id.ID) (Contact, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Contact, error) { return s.MergeIn(tx, actor, a, b) })
}

// Unmerge takes the last merge of a contact back and returns the survivor and
// the contact that is there again. See UnmergeIn.
func (s *Service) Unmerge(ctx context.Context, tenant id.ID, actor string, survivor id.ID) (remaining, restored Contact, err error) {
	type pair struct{ remaining, restored Contact }
	p, err := store.Write(ctx, s.db, tenant, func(tx *store.Tx) (pair, error) {
		a, b, err := s.UnmergeIn(tx, actor, survivor)
		return pair{a, b}, err
	})
	return p.remaining, p.restored, err
}
