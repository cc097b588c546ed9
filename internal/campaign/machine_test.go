package campaign_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"parley/internal/campaign"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// TestTheMachine compares random histories of a campaign with the table of the
// reference (§4.1): people come and go and are merged, jobs run for a while or to their
// end, and whatever happened every recipient was started as often as it says and
// nothing is broken.
func TestTheMachine(t *testing.T) {
	defer counts("8", "15", "1000")()
	each(t, func(w *world) {
		rapid.Check(w.TB.(*testing.T), func(t *rapid.T) { w.play(t) })
	})
}

// counts sets how often rapid checks: in short runs, as a rule, and in a soak. It
// returns what takes that back.
func counts(short, rule, soak string) func() {
	few := flag.Lookup("rapid.checks")
	was := few.Value.String()
	n := rule
	switch {
	case os.Getenv("PARLEY_SOAK") != "":
		n = soak
	case testing.Short():
		n = short
	}
	_ = few.Value.Set(n)
	return func() { _ = few.Value.Set(was) }
}

func (w *world) play(t *rapid.T) {
	tag := id.New().String()[8:]
	rule := w.rule(rapid.SampledFrom([]string{tags, fails, waits}).Draw(t, "actions"))
	c := w.campaign(tag, rule.ID)
	status := campaign.Draft
	var people []id.ID
	log := []string{}
	for i := range rapid.IntRange(3, 14).Draw(t, "steps") {
		step := rapid.SampledFrom([]string{"person", "person", "active", "active", "inactive", "toggle", "work", "end", "merge", "retrigger", "cancelled"}).Draw(t, fmt.Sprint("step", i))
		log = append(log, step)
		status = w.status(c.ID) // jobs end by themselves while they run
		switch step {
		case "person":
			people = append(people, w.person("P", tag))
		case "merge":
			if len(people) > 1 {
				_, err := w.Contacts.Merge(bg, w.Tenant, actor, people[0], people[len(people)-1])
				w.check(err)
				people = people[:len(people)-1]
			}
		case "retrigger":
			if status != campaign.Draft {
				_, err := w.s.Retrigger(bg, w.Tenant, actor, c.ID, people)
				w.check(err)
			}
		case "cancelled":
			for _, who := range people[:min(1, len(people))] {
				_, err := w.s.ChangeRecipient(bg, w.Tenant, actor, c.ID, who, campaign.RecipientChange{AutomationStatus: ptr(campaign.Cancelled)})
				if f := fault.As(err); f != nil && f.Reason != "recipient" {
					w.check(err)
				}
			}
		case "work":
			n := 0
			w.work(func() bool { n++; return n > 3 })
		case "end":
			if status == campaign.Activating {
				w.ends(c.ID)
			}
		default:
			to := map[string]string{"active": campaign.Active, "inactive": campaign.Inactive}[step]
			got, err := w.set(c.ID, to)
			if to == "" {
				to = map[string]string{campaign.Draft: campaign.Active, campaign.Inactive: campaign.Active, campaign.Active: campaign.Inactive, campaign.Activating: campaign.Inactive}[status]
			}
			want, reason := campaign.Activating, ""
			switch {
			case to == campaign.Active && status == campaign.Activating:
				reason = campaign.ReasonBusy
			case to == campaign.Active && status == campaign.Active, to == campaign.Inactive && (status == campaign.Draft || status == campaign.Inactive):
				reason = campaign.ReasonStatus
			case to == campaign.Inactive:
				want = campaign.Inactive
			}
			f := fault.As(err)
			if reason == "" && (err != nil || got.Status != want) || reason != "" && (f == nil || f.Reason != reason) {
				w.Fatalf("%v: %s of a campaign that is %s: %+v %v", log, step, status, got, err)
			}
		}
		w.whole()
		if w.Failed() {
			w.Fatalf("%v", log)
		}
	}
	if w.status(c.ID) == campaign.Activating {
		w.ends(c.ID)
	}
	// Nobody was started more often than the ledger says.
	rows, err := w.r().Query("SELECT entity_id FROM campaign_recipient WHERE tenant_id=? AND campaign_id=?", c.ID)
	list, err := store.Collect(rows, err, scanText)
	w.check(err)
	slices.Sort(list)
	for _, who := range list {
		var starts, runs int
		w.check(w.r().QueryRow("SELECT starts FROM campaign_recipient WHERE tenant_id=? AND campaign_id=? AND entity_id=?", c.ID, who).Scan(&starts))
		w.check(w.r().QueryRow("SELECT COUNT(*) FROM run WHERE tenant_id=? AND automation_id=? AND entity_id=?", rule.ID, who).Scan(&runs))
		if runs > starts {
			w.Fatalf("%v: %s was started %d times, and there are %d runs", log, who, starts, runs)
		}
	}
	w.whole()
}

// ends lets an activation come to its end: what its runs wait for happens.
func (w *world) ends(cid id.ID) {
	w.Helper()
	w.work(func() bool {
		rows, err := w.r().Query("SELECT contact_id FROM run WHERE tenant_id=? AND status='waiting'")
		list, err := store.Collect(rows, err, scanText)
		w.check(err)
		for _, text := range list {
			who, err := id.Parse(text)
			w.check(err)
			run, err := w.open(who)
			w.check(err)
			if !run.IsZero() {
				_, _ = w.rules.Abort(bg, w.Tenant, actor, run)
			}
		}
		return w.status(cid) != campaign.Activating
	})
}

func (w *world) open(who id.ID) (run id.ID, err error) {
	_, err = store.Found(w.r().QueryRow("SELECT id FROM run WHERE tenant_id=? AND contact_id=? AND status='waiting' LIMIT 1", who).Scan(&run))
	return run, err
}
