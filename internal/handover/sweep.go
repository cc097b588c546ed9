package handover

import (
	"context"
	"time"

	"parley/internal/agent"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

const (
	closeJob  = "handover.close"
	removeJob = "handover.remove"
)

// sweepBatch bounds how many contacts are read at once; each is moved in a
// transaction of its own, which looks again.
const sweepBatch = 200

// CloseInactive archives, with ReasonInactive, the contacts of every tenant to
// which nothing happened for as long as their group says, unless a reminder is
// still to come. It returns how many. The cron calls it; calling it again, or
// twice at once, does no harm.
func (s *Service) CloseInactive(ctx context.Context) (closed int, err error) {
	groups, err := s.agents.Closing(ctx)
	if err != nil {
		return 0, err
	}
	for _, g := range groups {
		n, err := s.closeGroup(ctx, g)
		closed += n
		if err != nil {
			return closed, err
		}
	}
	return closed, nil
}

func (s *Service) closeGroup(ctx context.Context, g agent.Closing) (closed int, err error) {
	for {
		r := s.db.Read(ctx, g.Tenant)
		now := r.Now()
		// The index handover_quiet is in this order.
		due, err := ids(r.Query("SELECT contact_id FROM handover WHERE tenant_id=? AND group_id=? AND status<>'archived' AND active_at<=? AND status<>'processing' "+
			"AND (next_reminder IS NULL OR next_reminder<=?) ORDER BY active_at LIMIT ?", g.Group, now.Add(-g.After), now, sweepBatch))
		if err != nil {
			return closed, err
		}
		n := 0
		for _, cid := range due {
			done, err := s.closeOne(ctx, g, cid)
			if err != nil {
				return closed, err
			}
			if done {
				n++
			}
		}
		if closed += n; n == 0 {
			return closed, nil
		}
	}
}

func (s *Service) closeOne(ctx context.Context, g agent.Closing, cid id.ID) (bool, error) {
	return store.Write(ctx, s.db, g.Tenant, func(tx *store.Tx) (done bool, err error) {
		_, err = s.change(tx, "system", cid, Archiving, func(w *Work) error {
			if w.Status == Archived || w.Status == Processing || w.Group != g.Group || w.ActiveAt.After(tx.Now().Add(-g.After)) || w.NextReminder.After(tx.Now()) {
				return errStay
			}
			w.archive(ReasonInactive, tx.Now())
			done = true
			return nil
		})
		return done, gone(err)
	})
}

type removeArgs struct {
	Agent id.ID       `json:"agent"`
	To    Destination `json:"to"`
	Actor string      `json:"actor"`
}

// Remove deletes an agent. Open contacts go to the destination, by a job, which
// deletes the agent when none is left: until then pending is true and the agent
// is no longer active. Archived contacts keep the agent. Faults: NotFound, naming
// "transferTo" for the destination; Invalid naming "transferTo" for the agent
// himself or two destinations; Conflict with Reason "contacts" when there are open
// contacts and no destination.
func (s *Service) Remove(ctx context.Context, tenant id.ID, actor string, agentID id.ID, to Destination) (a agent.Agent, pending bool, err error) {
	type outcome struct {
		a       agent.Agent
		pending bool
	}
	out, err := store.Write(ctx, s.db, tenant, func(tx *store.Tx) (outcome, error) {
		has, err := s.agentHasContacts(tx, agentID)
		if err != nil {
			return outcome{}, err
		}
		if to == (Destination{}) || !has {
			a, err := s.agents.DeleteIn(tx, actor, agentID)
			if f := fault.As(err); f == nil || f.Reason != "contacts" || to == (Destination{}) {
				return outcome{a, false}, err
			} // the agent was given somebody until DeleteIn had the agent's lock
		}
		if err := s.successor(tx, agentID, to); err != nil {
			return outcome{}, naming("transferTo", err)
		}
		off := false
		a, err := s.agents.UpdateIn(tx, actor, agentID, agent.Patch{Active: &off})
		if err != nil {
			return outcome{}, err
		}
		_, _, err = job.Enqueue(tx, job.New{Kind: removeJob, Args: removeArgs{agentID, to, actor}, UniqueKey: agentID.String(), MaxAttempts: 20})
		return outcome{a, true}, err
	})
	return out.a, out.pending, err
}

// successor checks where the contacts of an agent who goes may go.
func (s *Service) successor(tx *store.Tx, leaving id.ID, to Destination) error {
	if err := to.check(); err != nil {
		return err
	}
	if to.Agent == leaving {
		return fault.Field("transferTo", "the contacts cannot stay with the agent who is deleted; name another agent or a group")
	}
	if to.Agent.IsZero() {
		_, err := s.agents.HoldGroupIn(tx, to.Group)
		return err
	}
	_, err := s.agents.HoldAgentIn(tx, to.Agent)
	return err
}

// removal moves the open contacts of an agent who goes, then deletes him.
func (s *Service) removal(ctx context.Context, j *job.Job) error {
	var args removeArgs
	if err := j.Decode(&args); err != nil {
		return job.GiveUp(err)
	}
	for {
		moved, left, err := s.removeBatch(ctx, j.Tenant, args)
		if err != nil {
			return err
		}
		if left == 0 {
			break
		}
		if moved == 0 { // tasks hold the rest
			return job.Snooze(time.Minute)
		}
	}
	return s.db.Write(ctx, j.Tenant, func(tx *store.Tx) error {
		if _, err := s.agents.DeleteIn(tx, args.Actor, args.Agent); err != nil {
			if f := fault.As(err); f == nil || f.Code != fault.NotFound {
				return err
			}
		}
		return j.Complete(tx)
	})
}

func (s *Service) removeBatch(ctx context.Context, tenant id.ID, args removeArgs) (moved, left int, err error) {
	list, err := ids(s.db.Read(ctx, tenant).Query("SELECT contact_id FROM handover WHERE tenant_id=? AND agent_id=? AND status<>'archived' ORDER BY created_at LIMIT ?", args.Agent, sweepBatch))
	if err != nil {
		return 0, 0, err
	}
	for _, cid := range list {
		done, err := store.Write(ctx, s.db, tenant, func(tx *store.Tx) (bool, error) { return s.inherit(tx, cid, args) })
		if err != nil {
			return moved, len(list), err
		}
		if done {
			moved++
		}
	}
	return moved, len(list), nil
}

// inherit moves one contact of an agent who goes; when the destination is gone by
// now, into the pool of the agent's group.
func (s *Service) inherit(tx *store.Tx, cid id.ID, args removeArgs) (bool, error) {
	c, err := s.contacts.LockedIn(tx, cid)
	if err != nil {
		return false, gone(err)
	}
	w, found, err := load(tx, c.ID)
	if err != nil || !found || w.Agent != args.Agent || w.Status == Archived || w.Status == Processing {
		return err == nil && w.Status != Processing, err
	}
	to := args.To
	if err := s.successor(tx, args.Agent, to); fault.As(err) != nil {
		to = Destination{Group: w.Group}
	} else if err != nil {
		return false, err
	}
	_, err = s.TransferIn(tx, args.Actor, c.ID, to)
	return err == nil, err
}

// offerEnds lets the next agent know of a contact that nobody claimed in time.
func (s *Service) offerEnds(ctx context.Context, j *job.Job) error {
	var args offerArgs
	if err := j.Decode(&args); err != nil {
		return job.GiveUp(err)
	}
	return s.db.Write(ctx, j.Tenant, func(tx *store.Tx) error {
		if _, err := s.OfferIn(tx, "system", args.Contact); gone(err) != nil {
			return err
		}
		return j.Complete(tx)
	})
}

// blockEnds frees a contact whose task never did.
func (s *Service) blockEnds(ctx context.Context, j *job.Job) error {
	var args unblockArgs
	if err := j.Decode(&args); err != nil {
		return job.GiveUp(err)
	}
	return s.db.Write(ctx, j.Tenant, func(tx *store.Tx) error {
		if err := s.unblockSame(tx, args); gone(err) != nil {
			return err
		}
		return j.Complete(tx)
	})
}

// unblockSame frees a contact if the block is still the one that a version of the
// work began: labels and the like may have moved the version on.
func (s *Service) unblockSame(tx *store.Tx, args unblockArgs) error {
	c, err := s.contacts.LockedIn(tx, args.Contact)
	if err != nil {
		return err
	}
	w, _, err := load(tx, c.ID)
	if err != nil || w.Status != Processing {
		return err
	}
	var began int
	if err := tx.QueryRow("SELECT COALESCE(MAX(version), 0) FROM handover_log WHERE tenant_id=? AND contact_id=? AND move IN (?,?)", c.ID, Blocked, Merged).Scan(&began); err != nil || began != args.Version {
		return err
	}
	_, err = s.UnblockIn(tx, "system", c.ID)
	return err
}
