package automation

import (
	"testing"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// told keeps what owners are told.
func (w *world) told() func() []string {
	w.Helper()
	list := []string{}
	w.s.OnMoved(func(tx *store.Tx, moved []Moved) error {
		words := []string{}
		for _, m := range moved {
			words = append(words, m.Status)
		}
		tx.After(func() { list = append(list, words...) })
		return nil
	})
	return func() []string {
		out := list
		list = []string{}
		return out
	}
}

func wantWords(t testing.TB, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("told %v, want %v", got, want)
		return
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("told %v, want %v", got, want)
		}
	}
}

// The owner of a run is told of every status it comes to, once, in the transaction.
func TestOwnersAreTold(t *testing.T) {
	each(t, func(w *world) {
		told := w.told()
		f := w.flow(`{"flow_name":"x","schedules":[{"id":"h","duration":1,"unit":"hours"}],"actions":[{"type":"add_tag","schedule_id":"h","config":{"tag":"a"}},{"type":"add_tag","schedule_id":"h","config":{"tag":"b"}}]}`)
		x := w.person()
		x.Rule, x.Owner = f.Rule.ID, id.New()
		l := w.launch(x)
		wantWords(t, told(), ExecScheduled)
		if l.Status != ExecScheduled {
			t.Errorf("%+v", l)
		}
		w.later(time.Hour)
		wantWords(t, told(), ExecInProgress)
		if _, err := w.s.Pause(bg, w.Tenant, "key:test", l.Run); err != nil {
			t.Fatal(err)
		}
		wantWords(t, told(), ExecPaused)
		if _, err := w.s.Resume(bg, w.Tenant, "key:test", l.Run); err != nil {
			t.Fatal(err)
		}
		wantWords(t, told(), ExecInProgress)
		w.later(time.Hour)
		wantWords(t, told(), ExecSuccess)

		// Left to jobs, it is pending first.
		x.Later = true
		l = w.launch(x)
		wantWords(t, told(), ExecPending)
		w.settled()
		wantWords(t, told(), ExecScheduled)
		n, err := store.Write(bg, w.DB, w.Tenant, func(tx *store.Tx) (int, error) { return w.s.CancelRunsIn(tx, x.Owner, 10) })
		if err != nil || n != 1 {
			t.Errorf("%d %v", n, err)
		}
		wantWords(t, told(), ExecCancelled)
		if _, err := w.Contacts.Erase(bg, w.Tenant, "key:test", x.Contact); err != nil {
			t.Fatal(err)
		}
		wantWords(t, told())

		// A run without an owner is nobody's business; deletion ends those that are.
		x = w.person()
		x.Rule = f.Rule.ID
		w.launch(x)
		wantWords(t, told())
		x.Owner = id.New()
		w.launch(x)
		wantWords(t, told(), ExecScheduled)
		if err := w.s.Delete(bg, w.Tenant, "key:test", f.Rule.ID); err != nil {
			t.Fatal(err)
		}
		wantWords(t, told(), ExecCancelled)
		if err := w.sound(); err != nil {
			t.Error(err)
		}
	})
}

// A failed run that is taken up again is told of as open.
func TestOwnersAreToldOfARetry(t *testing.T) {
	each(t, func(w *world) {
		told := w.told()
		f := w.flow(`{"flow_name":"x","actions":[{"type":"move_stage","config":{"stageId":"` + id.New().String() + `"}}]}`)
		x := w.person()
		x.Rule, x.Owner = f.Rule.ID, id.New()
		l := w.launch(x)
		wantWords(t, told(), ExecFailed)
		if l.Status != ExecFailed || l.Error == "" {
			t.Errorf("%+v", l)
		}
		if _, err := w.s.Retry(bg, w.Tenant, "key:test", l.Run); err != nil {
			t.Fatal(err)
		}
		wantWords(t, told(), ExecInProgress)
		w.settled()
		wantWords(t, told(), ExecFailed)
	})
}

// One cause starts a rule once, and everything that cannot start says why.
func TestLaunches(t *testing.T) {
	each(t, func(w *world) {
		f := w.flow(`{"flow_name":"x","entity_schema":"contact","actions":[{"type":"add_tag","config":{"tag":"a"}}]}`)
		x := w.person()
		x.Rule, x.Cause = f.Rule.ID, "bulk:1"
		first := w.launch(x)
		if again := w.launch(x); again.Fresh || again.Run != first.Run || again.Status != ExecSuccess {
			t.Errorf("%+v", again)
		}
		// Also within one call.
		x.Cause = "bulk:2"
		both, err := store.Write(bg, w.DB, w.Tenant, func(tx *store.Tx) ([]Launched, error) { return w.s.LaunchIn(tx, "key:test", []Launch{x, x}) })
		if err != nil || !both[0].Fresh || both[1].Fresh || both[0].Run != both[1].Run {
			t.Errorf("%+v %v", both, err)
		}
		x.Cause = ""
		refuse := func(x Launch, code fault.Code, reason string) {
			t.Helper()
			l := w.launch(x)
			w.wantFault(l.Err, code, "", reason)
			if !l.Run.IsZero() {
				t.Errorf("%+v", l)
			}
		}
		other := x
		other.Schema = "contract"
		refuse(other, fault.Conflict, "automation_schema")
		gone := x
		gone.Contact, gone.Entity = id.New(), id.New()
		refuse(gone, fault.NotFound, "contact")
		unknown := x
		unknown.Rule = id.New()
		refuse(unknown, fault.NotFound, "automation")
		off := false
		if _, err := w.s.Toggle(bg, w.Tenant, "key:test", f.Rule.ID, &off); err != nil {
			t.Fatal(err)
		}
		refuse(x, fault.Conflict, "automation_disabled")

		// A sequence has a person once at a time, also within one call.
		seq := w.rule(`{"name":"s","trigger":"x","isSequence":true,"steps":[{"delayMinutes":5,"action":{"type":"add_tag","config":{"tag":"b"}}}]}`)
		x.Rule = seq.ID
		a, b := x, x
		a.Cause, b.Cause = "a", "b"
		both, err = store.Write(bg, w.DB, w.Tenant, func(tx *store.Tx) ([]Launched, error) { return w.s.LaunchIn(tx, "key:test", []Launch{a, b}) })
		if err != nil || !both[0].Fresh {
			t.Errorf("%+v %v", both, err)
		}
		w.wantFault(both[1].Err, fault.Conflict, "", "enrolled")
		refuse(x, fault.Conflict, "enrolled")
		// The conditions of a rule count, whatever its trigger; nobody's record has no person to ask.
		plain := w.rule(`{"name":"p","trigger":"tag_added","triggerConfig":{"tagName":"vip"},"conditions":[{"field":"lead.source","operator":"eq","value":"website"}],"actions":[{"type":"add_tag","config":{"tag":"c"}}]}`)
		x.Rule = plain.ID
		if l := w.launch(x); l.Status != ExecSuccess {
			t.Errorf("%+v", l)
		}
		if l := w.launch(Launch{Rule: plain.ID, Schema: "contract", Entity: id.New()}); l.Status != ExecSkipped {
			t.Errorf("%+v", l)
		}
		if err := w.sound(); err != nil {
			t.Error(err)
		}
	})
}
