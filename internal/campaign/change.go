package campaign

import (
	"context"
	"time"

	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// New is a campaign to make.
type New struct {
	// Attributes are what its author writes: name, goal, start_date, end_date, flow_id,
	// target, next_best_action, _tags, and whatever else. status and job_id follow from
	// what happens to the campaign.
	Attributes map[string]any
	Owner      id.ID // the user who makes it, zero for a key of nobody
}

// Create is CreateIn in a transaction of its own.
func (s *Service) Create(ctx context.Context, tenant id.ID, actor string, n New) (Campaign, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Campaign, error) { return s.CreateIn(tx, actor, n) })
}

// CreateIn makes a draft. It appends campaign.created. Faults: Invalid naming an
// attribute; Quota.
func (s *Service) CreateIn(tx *store.Tx, actor string, n New) (Campaign, error) {
	c := Campaign{ID: id.New(), Status: Draft, Owner: n.Owner, CreatedBy: actor, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
	if err := c.merge(n.Attributes); err != nil {
		return Campaign{}, err
	}
	var have int
	if err := tx.QueryRow("SELECT COUNT(*) FROM campaign WHERE tenant_id=? AND kind='target'").Scan(&have); err != nil {
		return Campaign{}, err
	}
	if have >= maxCampaigns {
		return Campaign{}, fault.New(fault.Quota, "there are %d campaigns; purge some of them", have)
	}
	if _, err := tx.Exec("INSERT INTO campaign (tenant_id, "+columns+", kind) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,'target')",
		c.ID, c.Name, c.Goal, c.Status, c.StartDate, c.EndDate, c.Flow, c.Job, store.NullText(c.token), store.JSON(c.Target), c.TargetID, object(c.NextBestAction),
		store.JSON(c.Tags), store.JSON(c.Extra), c.Owner, c.CreatedBy, c.CreatedAt, c.UpdatedAt, c.deleted); err != nil {
		return Campaign{}, err
	}
	return c, s.tell(tx, actor, "campaign.created", c.ID)
}

func (s *Service) tell(tx *store.Tx, actor, typ string, cid id.ID, changed ...string) error {
	_, err := s.log.Append(tx, event.New{Type: typ, Subject: cid, Changed: changed, Actor: actor})
	return err
}

// Change is a change of a campaign's attributes.
type Change struct {
	Attributes map[string]any // absent ones stay, null takes away
	// Whole replaces everything: what is absent goes.
	Whole bool
	// Seen, when set, is the UpdatedAt that the caller has read: a campaign that
	// changed since is a Conflict.
	Seen time.Time
	// Restore takes a campaign that was put away back first; without it such a one is
	// unknown.
	Restore bool
}

// Update is UpdateIn in a transaction of its own.
func (s *Service) Update(ctx context.Context, tenant id.ID, actor string, cid id.ID, ch Change) (Campaign, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Campaign, error) { return s.UpdateIn(tx, actor, cid, ch) })
}

// UpdateIn changes a campaign in whatever status. An activation that is under way goes
// on with the target and the automation that it began with. It appends
// campaign.updated. Faults: NotFound; Conflict with Reason "stale"; Invalid naming an
// attribute.
func (s *Service) UpdateIn(tx *store.Tx, actor string, cid id.ID, ch Change) (Campaign, error) {
	if ch.Restore {
		n, err := tx.Exec("UPDATE campaign SET deleted_at=NULL, updated_at=? WHERE tenant_id=? AND id=? AND kind='target' AND deleted_at IS NOT NULL AND purged_at IS NULL", tx.Now(), cid)
		if err == nil && n > 0 {
			err = s.tell(tx, actor, "campaign.restored", cid)
		}
		if err != nil {
			return Campaign{}, err
		}
	}
	c, err := locked(tx, cid)
	if err != nil {
		return Campaign{}, err
	}
	if !ch.Restore && !ch.Seen.IsZero() && ch.Seen.UnixMilli() < c.UpdatedAt.UnixMilli() {
		return Campaign{}, fault.New(fault.Conflict, "the campaign has changed since; read it again").Because("stale")
	}
	was := document(c)
	if ch.Whole {
		c = Campaign{ID: c.ID, Status: c.Status, Job: c.Job, token: c.token, Owner: c.Owner, CreatedBy: c.CreatedBy, CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt}
	}
	if err := c.merge(ch.Attributes); err != nil {
		return Campaign{}, err
	}
	changed := differ(was, document(c))
	if len(changed) == 0 {
		return c, nil
	}
	if err := save(tx, &c); err != nil {
		return Campaign{}, err
	}
	return c, s.tell(tx, actor, "campaign.updated", c.ID, changed...)
}

// Delete is DeleteIn in a transaction of its own.
func (s *Service) Delete(ctx context.Context, tenant id.ID, actor string, cid id.ID, purge bool) (Campaign, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Campaign, error) { return s.DeleteIn(tx, actor, cid, purge) })
}

// DeleteIn puts a campaign away, and nobody meets it or its recipients any more;
// purge takes both away for good, also of one that was put away before. It appends
// campaign.deleted or campaign.purged. Faults: NotFound; Conflict with ReasonBusy
// while an activation is under way.
func (s *Service) DeleteIn(tx *store.Tx, actor string, cid id.ID, purge bool) (Campaign, error) {
	c, err := locked(tx, cid)
	if err != nil && purge {
		var gone Campaign
		found, ferr := store.Found(tx.QueryRow("SELECT "+columns+" FROM campaign WHERE tenant_id=? AND id=? AND kind='target' AND purged_at IS NULL"+tx.Dialect().ForUpdate(), cid).Scan(gone.fields()...))
		if ferr != nil {
			return Campaign{}, ferr
		}
		if found {
			c, err = gone, nil
			c.tidy()
		}
	}
	if err != nil {
		return Campaign{}, err
	}
	busy, err := s.busy(tx, c)
	if err != nil {
		return Campaign{}, err
	}
	if busy {
		return Campaign{}, fault.New(fault.Conflict, "the campaign is being activated; wait for the end, or make it inactive first").Because(ReasonBusy)
	}
	if !purge {
		if _, err := tx.Exec("UPDATE campaign SET deleted_at=? WHERE tenant_id=? AND id=?", tx.Now(), c.ID); err != nil {
			return Campaign{}, err
		}
		return c, s.tell(tx, actor, "campaign.deleted", c.ID)
	}
	if _, err := tx.Exec("UPDATE campaign SET deleted_at=?, purged_at=? WHERE tenant_id=? AND id=?", tx.Now(), tx.Now(), c.ID); err != nil {
		return Campaign{}, err
	}
	if err := owePurge(tx, c.ID); err != nil {
		return Campaign{}, err
	}
	return c, s.tell(tx, actor, "campaign.purged", c.ID)
}
