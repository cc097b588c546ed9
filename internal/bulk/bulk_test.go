package bulk

import (
	"errors"
	"slices"
	"testing"

	"parley/internal/automation"
	"parley/internal/entity"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/record"
)

// A job starts its rule once for every entity of its audience, and ends when the
// last run has.
func TestAJobRunsItsFlowForEverybody(t *testing.T) {
	each(t, func(w *world) {
		w.crowd(3)
		vips := w.crowd(21, "vip")
		f := w.follow()
		j := w.create(New{Rule: w.flow(tagging()), Owner: f.owner, Schema: entity.Contact, Filter: tagged("vip"), Approved: true})
		if j.Status != Querying || j.Token == "" {
			t.Errorf("%+v", j)
		}
		var seen []string
		for w.once(j.ID, 8) {
			if st := w.get(j.ID).Status; len(seen) == 0 || seen[len(seen)-1] != st {
				seen = append(seen, st)
			}
		}
		if want := []string{Loaded, Executing, Watching, Reporting, Finished}; !slices.Equal(seen, want) {
			t.Errorf("it came through %v, want %v", seen, want)
		}
		j = w.get(j.ID)
		if j.Total != 21 || j.Started != 21 || j.Refused != 0 || j.Open != 0 || j.EndedAt.IsZero() {
			t.Errorf("%+v", j)
		}
		items := w.items(j.ID)
		for _, v := range vips {
			it := items[v]
			e, err := w.rules.Execution(bg, w.Tenant, it.Run)
			if err != nil || it.Status != automation.ExecSuccess || e.Status != it.Status || e.Entity != v || e.Owner != j.ID {
				t.Fatalf("%+v %+v %v", it, e, err)
			}
			if !slices.Contains(w.tags(v), "offered") {
				t.Errorf("%s was not offered anything", v)
			}
		}
		if len(items) != 21 || w.heard("begin", waiting) != 21 || w.heard("began", "success") != 21 || w.heard("moved", "success") != 0 || w.heard("ended", Finished) != 1 {
			t.Errorf("%d items, told wrongly", len(items))
		}
		if n := w.Events(w, "bulk_job.updated"); n != 5 {
			t.Errorf("%d events of the job", n)
		}
	})
}

// A job waits for its approval, which takes its token.
func TestApprovalAndCancelling(t *testing.T) {
	each(t, func(w *world) {
		who := w.crowd(2)
		f := w.follow()
		j := w.create(New{Rule: w.flow(tagging()), Owner: f.owner, Refs: refs(who...)})
		if w.drain(j.ID, 8).Status != Approval {
			t.Error("it began without a word")
		}
		_, err := w.s.Approve(bg, w.Tenant, "key:test", j.ID, "no")
		wantFault(t, err, fault.Invalid, "task_token", "")
		_, err = w.s.Approve(bg, w.Tenant, "key:test", id.New(), j.Token)
		wantFault(t, err, fault.NotFound, "", "bulk job")
		_, err = w.s.Approve(bg, id.New(), "key:test", j.ID, j.Token)
		wantFault(t, err, fault.NotFound, "", "bulk job")
		if _, err := w.s.Approve(bg, w.Tenant, "key:test", j.ID, j.Token); err != nil {
			t.Fatal(err)
		}
		_, err = w.s.Approve(bg, w.Tenant, "key:test", j.ID, j.Token)
		wantFault(t, err, fault.Conflict, "", "")
		if j = w.drain(j.ID, 8); j.Status != Finished {
			t.Errorf("%+v", j)
		}
		_, err = w.s.Cancel(bg, w.Tenant, "key:test", j.ID, j.Token)
		wantFault(t, err, fault.Conflict, "", "")

		k := w.create(New{Rule: w.flow(tagging()), Refs: refs(who...)})
		if _, err := w.s.Cancel(bg, w.Tenant, "key:test", k.ID, k.Token); err != nil {
			t.Fatal(err)
		}
		if k = w.drain(k.ID, 8); k.Status != Cancelled || k.Started != 0 || len(w.items(k.ID)) != 0 {
			t.Errorf("%+v", k)
		}
	})
}

// Cancelling in the middle ends the runs that are open and settles those whose turn
// had not come.
func TestCancellingInTheMiddle(t *testing.T) {
	each(t, func(w *world) {
		who := w.crowd(20)
		f := w.follow()
		j := w.create(New{Rule: w.flow(waitingHour()), Owner: f.owner, Refs: refs(who...), Approved: true})
		w.once(j.ID, 8) // the audience
		w.once(j.ID, 8)
		if j = w.get(j.ID); j.Started != 8 || j.Open != 8 || w.items(j.ID)[who[0]].Status != automation.ExecScheduled {
			t.Fatalf("%+v", j)
		}
		if _, err := w.s.Cancel(bg, w.Tenant, "key:test", j.ID, j.Token); err != nil {
			t.Fatal(err)
		}
		j = w.drain(j.ID, 8)
		if j.Status != Cancelled || j.Open != 0 || j.Started != 8 || j.Total != 20 {
			t.Errorf("%+v", j)
		}
		for i, v := range who {
			it := w.items(j.ID)[v]
			if it.Status != automation.ExecCancelled || it.Run.IsZero() != (i >= 8) {
				t.Errorf("%d: %+v", i, it)
			}
		}
		if n := w.Count(w, "run", "status='aborted'"); n != 8 {
			t.Errorf("%d runs were ended", n)
		}
		if w.heard("moved", "cancelled") != 8 || w.heard("ended", Cancelled) != 1 || w.heard("began", "scheduled") != 8 {
			t.Error("told wrongly")
		}
	})
}

// What happens to a run later is in the item, and the last one calls who watches.
func TestItemsFollowTheirRuns(t *testing.T) {
	each(t, func(w *world) {
		who := w.crowd(3)
		f := w.follow()
		j := w.create(New{Rule: w.flow(waitingHour()), Owner: f.owner, Refs: refs(who...), Approved: true})
		if w.drain(j.ID, 8).Status != Watching {
			t.Fatal("it must watch now")
		}
		run := func(i int) id.ID { return w.items(j.ID)[who[i]].Run }
		if _, err := w.rules.Pause(bg, w.Tenant, "key:test", run(0)); err != nil {
			t.Fatal(err)
		}
		if it := w.items(j.ID)[who[0]]; it.Status != automation.ExecPaused {
			t.Errorf("%+v", it)
		}
		for i := range who {
			if w.get(j.ID).Open != int64(3-i) {
				t.Errorf("%d are open", w.get(j.ID).Open)
			}
			if _, err := w.rules.Cancel(bg, w.Tenant, "key:test", run(i)); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.Count(w, "job", "kind=? AND state='available'", kindAdvance); n != 1 {
			t.Errorf("%d jobs carry it on", n)
		}
		if j := w.drain(j.ID, 8); j.Status != Finished || j.Started != 3 {
			t.Errorf("%+v", j)
		}
		if w.heard("moved", "cancelled") != 3 || w.heard("moved", "paused") != 1 {
			t.Error("told wrongly")
		}
	})
}

// Somebody who was merged away since the audience was written down gets one run
// together with whom the id leads to now; somebody who is erased gets none, and
// both items can still be read.
func TestMergedAndErasedPeople(t *testing.T) {
	each(t, func(w *world) {
		who := w.crowd(4)
		j := w.create(New{Rule: w.flow(tagging(), waitingHour()), Refs: refs(who...), Approved: true})
		w.once(j.ID, 8)
		if _, err := w.Contacts.Merge(bg, w.Tenant, "key:test", who[0], who[2]); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Contacts.Erase(bg, w.Tenant, "key:test", who[1]); err != nil {
			t.Fatal(err)
		}
		j = w.drain(j.ID, 8)
		items := w.items(j.ID)
		if j.Started != 2 || j.Refused != 2 || len(items) != 4 {
			t.Errorf("%+v", j)
		}
		if it := items[who[2]]; it.Status != automation.ExecSkipped || !it.Run.IsZero() || it.Error == "" {
			t.Errorf("%+v", it)
		}
		if it := items[who[1]]; it.Status != automation.ExecFailed || it.Error == "" {
			t.Errorf("%+v", it)
		}
		// And while its run is open.
		if _, err := w.Contacts.Erase(bg, w.Tenant, "key:test", who[3]); err != nil {
			t.Fatal(err)
		}
		if it := w.items(j.ID)[who[3]]; it.Status != automation.ExecCancelled || it.Run.IsZero() {
			t.Errorf("%+v", it)
		}
		if _, err := w.Contacts.Merge(bg, w.Tenant, "key:test", who[0], w.person()); err != nil {
			t.Fatal(err)
		}
		if it := w.items(j.ID)[who[0]]; it.Status != automation.ExecInProgress {
			t.Errorf("%+v", it)
		}
	})
}

// A record's run is that of the person it relates to; one that relates to nobody
// runs as well, and fails where it needs somebody.
func TestRecords(t *testing.T) {
	each(t, func(w *world) {
		who := w.person()
		one, err := w.records.Create(bg, w.Tenant, "key:test", record.New{Schema: "contract", Attributes: map[string]any{"title": "A",
			"customer": map[string]any{"$relation": []any{map[string]any{"entity_id": who.UUID()}}}}})
		if err != nil {
			t.Fatal(err)
		}
		lone, err := w.records.Create(bg, w.Tenant, "key:test", record.New{Schema: "contract", Attributes: map[string]any{"title": "B"}})
		if err != nil {
			t.Fatal(err)
		}
		list := []entity.Ref{{Schema: "contract", ID: one.ID}, {Schema: "contract", ID: lone.ID}, {Schema: "offer", ID: lone.ID}, {Schema: "contract", ID: id.New()}}
		j := w.create(New{Rule: w.flow(tagging()), Refs: list, Approved: true})
		j = w.drain(j.ID, 8)
		items := w.items(j.ID)
		if j.Status != Finished || j.Started != 2 || j.Refused != 1 || len(items) != 3 { // the same id twice is one entity
			t.Errorf("%+v %v", j, items)
		}
		if items[one.ID].Status != automation.ExecSuccess || !slices.Contains(w.tags(who), "offered") {
			t.Errorf("%+v", items[one.ID])
		}
		if it := items[lone.ID]; it.Status != automation.ExecFailed || it.Error == "" || it.Run.IsZero() {
			t.Errorf("%+v", it)
		}
		e, err := w.rules.Execution(bg, w.Tenant, items[lone.ID].Run)
		if err != nil || !e.Contact.IsZero() || e.Schema != "contract" || e.Status != automation.ExecFailed {
			t.Errorf("%+v %v", e, err)
		}
	})
}

// Runs about two contracts go on when the people behind them turn out to be one: each is
// about something else.
func TestRecordsOfPeopleWhoAreMerged(t *testing.T) {
	each(t, func(w *world) {
		a, b := w.person(), w.person()
		var list []entity.Ref
		for _, who := range []id.ID{a, b} {
			rec, err := w.records.Create(bg, w.Tenant, "key:test", record.New{Schema: "contract", Attributes: map[string]any{
				"customer": map[string]any{"$relation": []any{map[string]any{"entity_id": who.UUID()}}}}})
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, entity.Ref{Schema: "contract", ID: rec.ID})
		}
		j := w.create(New{Rule: w.flow(waitingHour()), Refs: list, Approved: true})
		j = w.drain(j.ID, 8)
		if j.Started != 2 || j.Open != 2 {
			t.Fatalf("%+v", j)
		}
		if _, err := w.Contacts.Merge(bg, w.Tenant, "key:test", a, b); err != nil {
			t.Fatal(err)
		}
		for _, ref := range list {
			it := w.items(j.ID)[ref.ID]
			e, err := w.rules.Execution(bg, w.Tenant, it.Run)
			if err != nil || it.Status != automation.ExecScheduled || e.Contact != a {
				t.Errorf("%+v %+v %v", it, e, err)
			}
		}
		if broken := w.sound(j.ID); len(broken) > 0 {
			t.Error(broken)
		}
	})
}

// A follower may pass over entities, and a rule that goes away fails the job.
func TestPassedOverAndFailed(t *testing.T) {
	each(t, func(w *world) {
		who := w.crowd(20)
		f := w.follow()
		f.refuse[who[1]] = true
		rule := w.flow(waitingHour())
		j := w.create(New{Rule: rule, Owner: f.owner, Refs: refs(who...), Approved: true})
		w.once(j.ID, 8)
		w.once(j.ID, 8)
		if it := w.items(j.ID)[who[1]]; it.Status != automation.ExecSkipped || !it.Run.IsZero() {
			t.Errorf("%+v", it)
		}
		off := false
		if _, err := w.rules.Toggle(bg, w.Tenant, "key:test", rule, &off); err != nil {
			t.Fatal(err)
		}
		j = w.drain(j.ID, 8)
		if j.Status != Failed || j.Error == "" || j.Started != 7 || j.Refused != 1 || j.Open != 7 {
			t.Errorf("%+v", j)
		}
		if it := w.items(j.ID)[who[19]]; it.Status != automation.ExecCancelled {
			t.Errorf("%+v", it)
		}
		if w.heard("ended", Failed) != 1 {
			t.Error("the follower must be told")
		}
		_, err := w.s.Create(bg, w.Tenant, "key:test", New{Rule: rule, Refs: refs(who...)})
		wantFault(t, err, fault.Conflict, "", "automation_disabled")
		_, err = w.s.Create(bg, w.Tenant, "key:test", New{Rule: id.New(), Refs: refs(who...)})
		wantFault(t, err, fault.NotFound, "", "automation")
		_, err = w.s.Create(bg, w.Tenant, "key:test", New{Rule: rule})
		wantFault(t, err, fault.Invalid, "entities_refs", "")
	})
}

// What a follower cannot do undoes the whole batch, and is done when it can.
func TestABatchIsOneTransaction(t *testing.T) {
	each(t, func(w *world) {
		who := w.crowd(3)
		f := w.follow()
		j := w.create(New{Rule: w.flow(tagging()), Owner: f.owner, Refs: refs(who...), Approved: true})
		w.once(j.ID, 8)
		f.fail = errors.New("the disk is full")
		p := pace{size: 8}
		if _, _, err := w.s.advance(bg, w.Tenant, j.ID, &p); !errors.Is(err, f.fail) || !p.later {
			t.Errorf("got %v", err)
		}
		if w.Count(w, "run", "1=1") != 0 || w.get(j.ID).Status != Loaded {
			t.Error("half a batch is on disk")
		}
		f.fail = nil
		if j := w.drain(j.ID, 8); j.Status != Finished || j.Started != 3 {
			t.Errorf("%+v", j)
		}
	})
}

// Start runs a flow for one entity.
func TestStart(t *testing.T) {
	each(t, func(w *world) {
		who := w.person()
		flow := w.flow(tagging())
		e, err := w.s.Start(bg, w.Tenant, "key:test", flow, entity.Ref{ID: who})
		if err != nil || e.Status != automation.ExecSuccess || e.Schema != entity.Contact || len(e.Actions) != 1 || e.Actions[0].Status != automation.ExecSuccess {
			t.Errorf("%+v %v", e, err)
		}
		_, err = w.s.Start(bg, w.Tenant, "key:test", flow, entity.Ref{ID: id.New()})
		wantFault(t, err, fault.NotFound, "", "entity")
		_, err = w.s.Start(bg, w.Tenant, "key:test", flow, entity.Ref{ID: id.New(), Schema: entity.Contact})
		wantFault(t, err, fault.NotFound, "", "entity")
		_, err = w.s.Start(bg, w.Tenant, "key:test", id.New(), entity.Ref{ID: who})
		wantFault(t, err, fault.NotFound, "", "automation")
		if _, err := w.Contacts.Erase(bg, w.Tenant, "key:test", who); err != nil {
			t.Fatal(err)
		}
		_, err = w.s.Start(bg, w.Tenant, "key:test", flow, entity.Ref{ID: who})
		wantFault(t, err, fault.NotFound, "", "entity")
	})
}
