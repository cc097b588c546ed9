package event

import (
	"context"
	"strconv"
	"time"

	"parley/internal/id"
	"parley/internal/store"
)

// MinKeep is the least time that events are kept: a client of the realtime feed
// may resume, and a webhook be replayed, from any cursor that is younger.
const MinKeep = 7 * 24 * time.Hour

// prunedUntil is where the installation keeps the moment of the newest event
// that was pruned, in Unix milliseconds. The published invariants look behind it.
const prunedUntil = "event.pruned_until"

// Prune deletes up to limit events, of every tenant, that are older than before,
// and returns how many went. It takes them from the beginning of the feed, so
// that what is left is whole. A before that is less than MinKeep ago deletes
// nothing.
func Prune(ctx context.Context, db *store.DB, before time.Time, limit int) (int64, error) {
	return store.Write(ctx, db, id.Zero, func(tx *store.Tx) (int64, error) {
		if tx.Now().Sub(before) < MinKeep {
			return 0, nil
		}
		// Only the oldest are looked at, in the feed's own order: at has no index.
		oldest := "(SELECT tenant_id, seq, at FROM event ORDER BY " + inOrder(tx.Dialect(), "") + " LIMIT ?) x WHERE at<?"
		var last time.Time
		if err := tx.System().QueryRow("SELECT MAX(at) FROM "+oldest, limit, before).Scan(store.Time(&last)); err != nil || last.IsZero() {
			return 0, err
		}
		n, err := tx.System().Exec("DELETE FROM event WHERE (tenant_id, seq) IN (SELECT tenant_id, seq FROM "+oldest+")", limit, before)
		if err != nil {
			return 0, err
		}
		until, err := PrunedUntil(tx)
		if err != nil || !last.After(until) {
			return n, err
		}
		_, err = tx.System().Exec("INSERT INTO installation (name, value) VALUES (?,?) ON CONFLICT (name) DO UPDATE SET value=excluded.value",
			prunedUntil, strconv.FormatInt(last.UnixMilli(), 10))
		return n, err
	})
}

// PrunedUntil returns the moment of the newest event that was pruned; zero when
// none ever was. A cursor of before that moment may have lost what followed it.
func PrunedUntil(r store.Reader) (time.Time, error) {
	var v string
	found, err := store.Found(r.All().QueryRow("SELECT value FROM installation WHERE name=?", prunedUntil).Scan(&v))
	if err != nil || !found {
		return time.Time{}, err
	}
	ms, err := strconv.ParseInt(v, 10, 64)
	return time.UnixMilli(ms), err
}
