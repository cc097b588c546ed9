package campaign

import (
	"context"
	"errors"

	"parley/internal/bulk"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/segment"
	"parley/internal/store"
)

// SetStatus is SetStatusIn in a transaction of its own.
func (s *Service) SetStatus(ctx context.Context, tenant id.ID, actor string, cid id.ID, desired string) (Campaign, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Campaign, error) { return s.SetStatusIn(tx, actor, cid, desired) })
}

// SetStatusIn makes a campaign Active or Inactive; "" means the other of the two
// (reference §4.1). With an automation an activation begins: the campaign is
// Activating until its bulk job ends. Making such a one Inactive cancels the job. It
// appends campaign.moved. Faults, in the order in which it looks: Invalid naming
// "status"; NotFound; and with a Reason of this room: ReasonBusy, ReasonStatus,
// ReasonNoToken, ReasonNoTarget, ReasonNoFilters, ReasonNoDelivery, ReasonNextBest;
// what the bulk job refuses.
func (s *Service) SetStatusIn(tx *store.Tx, actor string, cid id.ID, desired string) (Campaign, error) {
	if desired != "" && desired != Active && desired != Inactive {
		return Campaign{}, fault.Field("status", "status must be active or inactive")
	}
	c, job, err := s.lockedWithJob(tx, cid)
	if err != nil {
		return Campaign{}, err
	}
	if desired == "" {
		desired = Active
		if c.Status == Active || c.Status == Activating {
			desired = Inactive
		}
	}
	busy := !job.ID.IsZero() && !job.Over()
	if desired == Inactive {
		return s.deactivate(tx, actor, c, busy)
	}
	switch {
	case busy:
		return Campaign{}, fault.New(fault.Conflict, "the campaign is being activated; wait for the end of its job").Because(ReasonBusy)
	case c.Status != Draft && c.Status != Inactive:
		return Campaign{}, fault.New(fault.Conflict, "a campaign that is %s cannot be made active", c.Status).Because(ReasonStatus)
	}
	return s.activate(tx, actor, c)
}

// lockedWithJob locks a campaign and its last job, in the order in which the job's own
// moves take the two locks.
func (s *Service) lockedWithJob(tx *store.Tx, cid id.ID) (c Campaign, job bulk.Job, err error) {
	// One at a time: whoever found no job, or another, would lock the campaign first.
	if err := tx.Lock("campaign_status", cid.String()); err != nil {
		return c, job, err
	}
	if c, err = read(tx, cid, ""); err != nil {
		return c, job, err
	}
	for {
		if !c.Job.IsZero() {
			if err := s.jobs.LockIn(tx, c.Job); err != nil && !gone(err) {
				return c, job, err
			}
		}
		was := c.Job
		if c, err = locked(tx, cid); err != nil {
			return c, job, err
		}
		if c.Job == was {
			job, err = s.jobOf(tx, c)
			return c, job, err
		}
	}
}

// jobOf returns a campaign's last job; the zero one when there is none or it was
// pruned.
func (s *Service) jobOf(r store.Reader, c Campaign) (bulk.Job, error) {
	if c.Job.IsZero() {
		return bulk.Job{}, nil
	}
	j, err := s.jobs.Get(r, c.Job)
	if gone(err) {
		return bulk.Job{}, nil
	}
	return j, err
}

// busy reports whether a campaign's job is under way.
func (s *Service) busy(r store.Reader, c Campaign) (bool, error) {
	j, err := s.jobOf(r, c)
	return !j.ID.IsZero() && !j.Over(), err
}

func gone(err error) bool { return errors.Is(err, fault.Of(fault.NotFound)) }

func (s *Service) deactivate(tx *store.Tx, actor string, c Campaign, busy bool) (Campaign, error) {
	switch {
	case c.Status == Activating && busy:
		if c.token == "" {
			return Campaign{}, fault.New(fault.Conflict, "the token of the campaign's job is not known, so it cannot be cancelled").Because(ReasonNoToken)
		}
		// The job's end makes the campaign inactive, see ended.
		if _, err := s.jobs.CancelIn(tx, actor, c.Job, c.token); err != nil {
			return Campaign{}, err
		}
		return read(tx, c.ID, "")
	case busy:
		return Campaign{}, fault.New(fault.Conflict, "a job of the campaign is under way; wait for its end").Because(ReasonBusy)
	case c.Status != Active && c.Status != Activating:
		return Campaign{}, fault.New(fault.Conflict, "a campaign that is %s cannot be made inactive", c.Status).Because(ReasonStatus)
	}
	return s.move(tx, actor, c, Inactive)
}

// move puts a locked campaign into a status and tells of it.
func (s *Service) move(tx *store.Tx, actor string, c Campaign, to string) (Campaign, error) {
	c.Status = to
	if to != Activating {
		c.token = ""
	}
	if err := save(tx, &c); err != nil {
		return Campaign{}, err
	}
	return c, s.tell(tx, actor, "campaign.moved", c.ID, "status:"+to)
}

// activate looks at what the campaign needs and begins.
func (s *Service) activate(tx *store.Tx, actor string, c Campaign) (Campaign, error) {
	target, err := s.targetOf(tx, c)
	if err != nil {
		return Campaign{}, err
	}
	if target.Empty {
		return Campaign{}, fault.New(fault.Conflict, "the campaign's target has no filters; give it some").Because(ReasonNoFilters)
	}
	rule, err := s.delivery(tx, c)
	if err != nil {
		return Campaign{}, err
	}
	if c.NextBestAction != nil {
		if _, err := s.actionOf(tx, c.NextBestAction); err != nil {
			return Campaign{}, err
		}
	}
	if rule.IsZero() {
		return s.move(tx, actor, c, Active)
	}
	job, token, err := s.jobs.CreateIn(tx, actor, bulk.New{Rule: rule, Owner: c.ID, Schema: target.Schema, Filter: target.Filter, Approved: true})
	if f := fault.As(err); f != nil && f.Code == fault.Conflict { // the flow is not enabled, or not for these entities
		err = fault.Field("flow_id", "%s", f.Message)
	}
	if err != nil {
		return Campaign{}, err
	}
	c.Job, c.token = job.ID, token
	return s.move(tx, actor, c, Activating)
}

func (s *Service) targetOf(r store.Reader, c Campaign) (t segment.Segment, err error) {
	none := fault.New(fault.Conflict, "the campaign has no target; relate it to one").Because(ReasonNoTarget)
	if c.TargetID.IsZero() {
		return t, none
	}
	t, err = s.segments.Get(r, c.TargetID)
	if gone(err) {
		err = none
	}
	return t, err
}

// delivery returns the rule that delivers a campaign; zero when a portal alone does. A
// flow that is not there delivers nothing.
func (s *Service) delivery(r store.Reader, c Campaign) (id.ID, error) {
	none := fault.New(fault.Conflict, "nothing delivers the campaign; set its flow_id, or put a widget that shows it on a portal").Because(ReasonNoDelivery)
	if c.Flow != "" {
		rule := flowID(c.Flow)
		if rule.IsZero() {
			return rule, none
		}
		known, err := s.flow(r, rule)
		if err == nil && !known {
			err = none
		}
		return rule, err
	}
	if s.delivered != nil {
		shown, err := s.delivered(r, c.ID)
		if err != nil || shown {
			return id.Zero, err
		}
	}
	return id.Zero, none
}

// flow reports whether there is a rule.
func (s *Service) flow(r store.Reader, rule id.ID) (bool, error) {
	err := s.automations.LaunchableIn(r, rule, "")
	switch {
	case gone(err):
		return false, nil
	case fault.As(err) != nil: // there, but not enabled
		return true, nil
	}
	return err == nil, err
}

// flowID reads the id of a flow in either spelling; zero for what is none.
func flowID(text string) id.ID {
	if v, ok, err := id.FromUUID(text); err == nil && ok {
		return v
	}
	v, _ := id.Parse(text)
	return v
}
