package contact

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// eraseJob takes away what is left of people who were erased.
const eraseJob = "contact.erase"

type eraseArgs struct {
	Contact id.ID `json:"contact"`
}

// oweErasure owes the job that goes on where the erasing transaction stopped.
func oweErasure(tx *store.Tx, cid id.ID) error {
	_, _, err := job.Enqueue(tx, job.New{Kind: eraseJob, Args: eraseArgs{cid}, UniqueKey: cid.String(), MaxAttempts: 50})
	return err
}

// entomb makes a tombstone of a contact's own row and takes away what lies around
// it and is never much: identities, tags, words, references, consent.
func entomb(tx *store.Tx, c Contact) error {
	if err := unindex(tx, c.ID, wordsOf(c), c.Refs); err != nil {
		return err
	}
	if err := reattribute(tx, c.ID, attributesOf(c.Attributes), nil); err != nil {
		return err
	}
	for _, table := range []string{"identity", "contact_tag", "contact_consent", "consent_log", "consent"} {
		if _, err := tx.Exec("DELETE FROM "+table+" WHERE tenant_id=? AND contact_id=?", c.ID); err != nil {
			return err
		}
	}
	_, err := tx.Exec("UPDATE contact SET first_name='', last_name='', search_name='', source='', assigned_to=NULL, refs='{}', extra='{}', attributes='{}', "+
		"score=0, last_contacted_at=NULL, archived_at=NULL, erased_at=?, updated_at=? WHERE tenant_id=? AND id=?", tx.Now(), tx.Now(), c.ID)
	return err
}

// forgetMerges deletes the ledger entries of merges that hold the person as it was.
// A merge that was taken back may have left it in an entry of whom it was merged
// with, so those that were taken back go as far as they hang together.
func forgetMerges(tx *store.Tx, ids []id.ID) error {
	seen := slices.Clone(ids)
	for next := ids; len(next) > 0; {
		in, args := Among(next)
		rows, err := tx.Query("SELECT survivor_id, merged_id FROM contact_merge WHERE tenant_id=?1 AND undone_at IS NOT NULL AND (survivor_id IN "+in+
			" OR merged_id IN "+in+")", append(args, args...)...)
		pairs, err := store.Collect(rows, err, func(rows *sql.Rows) (p [2]id.ID, err error) { return p, rows.Scan(&p[0], &p[1]) })
		if err != nil {
			return err
		}
		next = nil
		for _, p := range pairs {
			for _, cid := range p {
				if !slices.Contains(seen, cid) {
					seen, next = append(seen, cid), append(next, cid)
				}
			}
		}
	}
	for part := range slices.Chunk(seen, batch) {
		undone := " AND undone_at IS NOT NULL"
		in, args := Among(part)
		for _, column := range []string{"survivor_id", "merged_id"} {
			if _, err := tx.Exec("DELETE FROM contact_merge WHERE tenant_id=? AND "+column+" IN "+in+undone, args...); err != nil {
				return err
			}
		}
	}
	in, args := Among(ids)
	for _, column := range []string{"survivor_id", "merged_id"} {
		if _, err := tx.Exec("DELETE FROM contact_merge WHERE tenant_id=? AND "+column+" IN "+in, args...); err != nil {
			return err
		}
	}
	return nil
}

// purge takes away one batch of the person's histories and reports whether none
// is left.
func (s *Service) purge(tx *store.Tx, e Erased) (done bool, err error) {
	left := purgeAtOnce
	purgers := []func(*store.Tx, Erased, int) (int, error){
		func(tx *store.Tx, e Erased, limit int) (int, error) { return e.Purge(tx, "activity", "id", limit) },
		func(tx *store.Tx, e Erased, limit int) (int, error) { return e.Purge(tx, "note", "id", limit) },
		func(tx *store.Tx, e Erased, limit int) (int, error) { return e.Purge(tx, "inquiry", "id", limit) },
		func(tx *store.Tx, e Erased, limit int) (int, error) {
			in, args := e.In()
			return event.ForgetIn(tx, in, args, limit)
		},
	}
	for _, f := range s.followers {
		if f.Purge != nil {
			purgers = append(purgers, f.Purge)
		}
	}
	for _, f := range purgers {
		n, err := f(tx, e, left)
		if err != nil {
			return false, err
		}
		if left -= n; left <= 0 {
			return false, nil
		}
	}
	_, err = tx.Exec("UPDATE contact_erasure SET addresses='[]', done_at=? WHERE tenant_id=? AND contact_id=?", tx.Now(), e.Contact)
	return true, err
}

// eraseRest goes on with an erasing until nothing is left of the person.
func (s *Service) eraseRest(ctx context.Context, j *job.Job) error {
	var args eraseArgs
	if err := j.Decode(&args); err != nil {
		return job.GiveUp(err)
	}
	for range eraseBatches {
		done, err := store.Write(ctx, s.db, j.Tenant, func(tx *store.Tx) (bool, error) {
			e, found, err := openErasure(tx, args.Contact)
			if err != nil {
				return false, err
			}
			done := true
			if found {
				done, err = s.purge(tx, e)
			}
			if err == nil && done {
				err = j.Complete(tx)
			}
			return done, err
		})
		if err != nil || done {
			return err
		}
	}
	return job.Snooze(time.Second) // others have their turn
}

func openErasure(r store.Reader, cid id.ID) (e Erased, found bool, err error) {
	e.Contact = cid
	found, err = store.Found(r.QueryRow("SELECT ids, addresses, actor, erased_at FROM contact_erasure WHERE tenant_id=? AND contact_id=? AND done_at IS NULL", cid).
		Scan(store.JSON(&e.IDs), store.JSON(&e.Addresses), &e.Actor, store.Time(&e.At)))
	return e, found, err
}

// Erasing reports whether a job is still taking away what is left of an erased
// person.
func (s *Service) Erasing(r store.Reader, cid id.ID) (bool, error) {
	_, found, err := openErasure(r, cid)
	return found, err
}

// eraseBatches bounds the transactions of one run of the job: a history of millions
// of messages is erased by several.
const eraseBatches = 1000

// registerErasing makes the jobs of erasing known; RegisterJobs calls it.
func (s *Service) registerErasing(r *job.Runner) {
	r.Register(job.Kind{Name: eraseJob, Handle: s.eraseRest, Timeout: 30 * time.Minute})
	r.Register(job.Kind{Name: oweJob, Handle: func(ctx context.Context, _ *job.Job) error { return s.OweErasures(ctx) }})
	r.Cron(oweJob, "17 * * * *", job.New{Kind: oweJob, UniqueKey: "owe", Priority: 8})
}

const oweJob = "contact.erase.owe"

// OweErasures owes the job of every erasing that is not done again: somebody may
// have cancelled it, or it failed too often. The cron calls it.
func (s *Service) OweErasures(ctx context.Context) error {
	type open struct{ tenant, contact id.ID }
	// The index contact_erasure_open holds only these.
	rows, err := s.db.Read(ctx, id.Zero).All().Query("SELECT tenant_id, contact_id FROM contact_erasure WHERE done_at IS NULL")
	list, err := store.Collect(rows, err, func(rows *sql.Rows) (o open, err error) { return o, rows.Scan(&o.tenant, &o.contact) })
	if err != nil {
		return err
	}
	for _, o := range list {
		if err := s.db.Write(ctx, o.tenant, func(tx *store.Tx) error { return oweErasure(tx, o.contact) }); err != nil {
			return err
		}
	}
	return nil
}
