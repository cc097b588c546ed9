package campaign_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"parley/internal/campaign"
	"parley/internal/clock"
	"parley/internal/conversation/convtest"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// deadlocks counts those that PostgreSQL has seen in this database.
func (w *world) deadlocks() (n int) {
	w.Helper()
	w.check(w.r().All().QueryRow("SELECT deadlocks FROM pg_stat_database WHERE datname=current_database()").Scan(&n))
	return n
}

// TestManyMoveOneCampaign lets many activate and cancel one campaign at once, while its
// job goes on: none of them is undone for a deadlock.
func TestManyMoveOneCampaign(t *testing.T) {
	now := clock.NewFake(convtest.Start)
	w := newWorld(t, storetest.Postgres(t, storetest.Clock(now), storetest.Once()), now)
	for i := range 20 {
		w.person(fmt.Sprint("P", i), "x")
	}
	c := w.campaign("x", w.rule(tags).ID)
	for range 3 {
		for _, to := range []string{campaign.Active, campaign.Inactive} {
			var wg sync.WaitGroup
			for range 12 {
				wg.Go(func() {
					if _, err := w.set(c.ID, to); err != nil && fault.As(err) == nil {
						w.Error(err)
					}
				})
			}
			w.work(func() bool { return w.status(c.ID) != campaign.Activating || to == campaign.Active })
			wg.Wait()
		}
		w.work(func() bool { return w.status(c.ID) == campaign.Inactive })
	}
	if n := w.deadlocks(); n != 0 {
		t.Errorf("%d deadlocks", n)
	}
	w.whole()
}

// TestMergesBesideActivations lets people be merged while a campaign
// reaches them again and again: all take the locks in one order, contacts before
// recipients, so that hardly any is undone for a deadlock, and nobody who is there is
// told to be unknown.
func TestMergesBesideActivations(t *testing.T) {
	now := clock.NewFake(convtest.Start)
	w := newWorld(t, storetest.Postgres(t, storetest.Clock(now), storetest.Once()), now)
	const pairs, rounds = 8, 6
	var people [pairs][2]id.ID
	for i := range people {
		for k := range people[i] {
			people[i][k] = w.person(fmt.Sprint("P", i, k), "x")
		}
	}
	c := w.campaign("x", w.rule(waits).ID)
	again := w.campaign("x", w.rule(tags).ID)
	w.exec("UPDATE campaign SET status='active' WHERE tenant_id=? AND id=?", again.ID)
	before := w.deadlocks()
	for range rounds {
		for _, p := range people {
			for _, who := range p {
				// Taken up again by the two ways there are.
				if _, err := w.s.AddRecipient(bg, w.Tenant, actor, again.ID, campaign.NewRecipient{Entity: ref(who), AutomationStatus: campaign.Failed, Execution: "e", PortalStatus: campaign.Sent}); err != nil {
					status := campaign.Failed
					_, err = w.s.ChangeRecipient(bg, w.Tenant, actor, again.ID, who, campaign.RecipientChange{AutomationStatus: &status})
					w.check(err)
				}
			}
		}
		_, err := w.set(c.ID, campaign.Active)
		w.check(err)
		var wg sync.WaitGroup
		for _, p := range people {
			wg.Go(func() {
				if _, err := w.Contacts.Merge(bg, w.Tenant, actor, p[0], p[1]); err != nil && fault.As(err) == nil {
					w.Error(err)
				}
			})
			wg.Go(func() {
				if _, err := w.s.Retrigger(bg, w.Tenant, actor, again.ID, []id.ID{p[1], p[0]}); err != nil {
					w.Error(err)
				}
				for _, who := range p {
					if _, err := w.s.SetPortalStatus(bg, w.Tenant, actor, again.ID, who, campaign.Sent); err != nil && !errors.Is(err, fault.Of(fault.Conflict)) {
						w.Errorf("a person who is a recipient: %v", err)
					}
				}
			})
		}
		w.work(func() bool { return w.Count(w, "bulk_job", "status='monitoring'") == 1 })
		wg.Wait()
		_, err = w.set(c.ID, campaign.Inactive)
		w.check(err)
		w.work(func() bool { return w.Count(w, "run", "completed_at IS NULL") == 0 })
		for _, p := range people {
			_, _, err := w.Contacts.Unmerge(bg, w.Tenant, actor, p[0])
			w.check(err)
		}
	}
	// A batch that names somebody who is merged away between its look at where ids lead
	// and its locks takes the survivor's lock behind those of others. That may still meet
	// another such one; it is tried again, and then sees the merge at once.
	if n := w.deadlocks() - before; n > rounds {
		t.Errorf("%d deadlocks", n)
	}
	w.whole()
}

// TestMergesMeetInOneOrder merges two pairs at once. One merge ends a run since the
// survivor has one that goes on, the other since the campaign was successful with the
// survivor: both write the rule's counters before they take the tenant's lane of
// segments, so that neither is undone for a deadlock.
func TestMergesMeetInOneOrder(t *testing.T) {
	now := clock.NewFake(convtest.Start)
	w := newWorld(t, storetest.Postgres(t, storetest.Clock(now), storetest.Once()), now)
	rule := w.rule(waits)
	c := w.campaign("x", rule.ID)
	w.exec("UPDATE campaign SET status='active' WHERE tenant_id=? AND id=?", c.ID)
	people := make([]id.ID, 4)
	for i := range people {
		people[i] = w.person(fmt.Sprint("P", i), "x")
		w.add(c.ID, people[i], campaign.NewRecipient{AutomationStatus: campaign.Failed, Execution: "e"})
	}
	_, err := w.s.Retrigger(bg, w.Tenant, actor, c.ID, people)
	w.check(err)
	w.work(func() bool { return w.Count(w, "run", "status='waiting'") == 4 })
	success := campaign.Success
	_, err = w.s.ChangeRecipient(bg, w.Tenant, actor, c.ID, people[2], campaign.RecipientChange{AutomationStatus: &success})
	w.check(err)
	w.exec("DELETE FROM run_branch WHERE tenant_id=? AND run_id IN (SELECT id FROM run WHERE tenant_id=?1 AND contact_id=?)", people[2])
	w.exec("UPDATE run SET status='completed', completed_at=1 WHERE tenant_id=? AND contact_id=?", people[2])
	before := w.deadlocks()
	held, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 3)
	go func() {
		ended <- w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
			_, err := tx.Exec("UPDATE automation SET updated_at=updated_at WHERE tenant_id=? AND id=?", rule.ID)
			close(held)
			<-release
			return err
		})
	}()
	<-held
	for i := range 2 {
		go func() {
			_, err := w.Contacts.Merge(bg, w.Tenant, actor, people[2*i], people[2*i+1])
			ended <- err
		}()
		storetest.AwaitWaiting(w, w.DB, i+1)
	}
	close(release)
	for range 3 {
		w.check(<-ended)
	}
	if n := w.deadlocks() - before; n != 0 {
		t.Errorf("%d deadlocks", n)
	}
}
