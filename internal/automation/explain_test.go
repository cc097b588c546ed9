package automation

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
)

func (w *world) explain(rule id.ID, q Question) Explanation {
	w.Helper()
	x, err := w.s.Explain(bg, w.Tenant, rule, q)
	if err != nil {
		w.Fatal(err)
	}
	return x
}

func (w *world) wantOutcome(x Explanation, outcome string, recorded bool, sentence ...string) {
	w.Helper()
	if x.Outcome != outcome || x.Recorded != recorded || x.DecidedAt.IsZero() == recorded {
		w.Errorf("got %s (recorded %v at %v), want %s", x.Outcome, x.Recorded, x.DecidedAt, outcome)
	}
	for _, s := range sentence {
		if !strings.Contains(x.Sentence, s) {
			w.Errorf("%q does not say %q", x.Sentence, s)
		}
	}
}

func check(x Explanation, name string) Check {
	for _, c := range x.Checks {
		if c.Name == name {
			return c
		}
	}
	return Check{Name: "no such check"}
}

func TestExplainDecisions(t *testing.T) {
	each(t, func(w *world) {
		c := w.lead()
		w.settled()
		cond := w.rule(`{"name":"c","trigger":"go","conditions":[{"field":"lead.source","operator":"eq","value":"fair"},{"field":"n","operator":"gt","value":3}],"actions":[]}`)
		filt := w.rule(`{"name":"f","trigger":"go","triggerConfig":{"excludeSources":["website"],"tagName":"vip"},"actions":[]}`)
		good := w.rule(`{"name":"g","trigger":"go","nodes":[{"id":"d","type":"delay","data":{"delayMinutes":10}}],"edges":[]}`)
		else_ := w.rule(`{"name":"e","trigger":"other","actions":[]}`)
		asleep := w.rule(`{"name":"s","trigger":"go","isActive":false,"actions":[]}`)
		f := w.fire(Call{Trigger: "go", Phone: phone, Variables: map[string]any{"n": 1.0}})
		w.settled()

		// The person changes afterwards; what was decided then stays what it was.
		source := "fair"
		p := deal.CardPatch{}
		p.Patch.Source = &source
		if _, err := w.Cards.Update(bg, w.Tenant, "key:test", c.Contact.ID, p); err != nil {
			w.Fatal(err)
		}
		for _, q := range []Question{{Log: f.LogID}, {Contact: c.Contact.ID}, {Contact: c.Contact.ID, Log: f.LogID}} {
			x := w.explain(cond.ID, q)
			w.wantOutcome(x, OutcomeConditions, true, `lead.source was "website"`, `n was "1"`)
			if k := check(x, "condition"); k.Field != "lead.source" || k.Actual != "website" || k.Operator != "eq" || k.Passed {
				w.Errorf("%+v", k)
			}
			if len(x.Now) != 2 || !x.Now[0].Passed || x.Now[0].Actual != "fair" || x.Contact != c.Contact.ID || x.Log != f.LogID {
				w.Errorf("%+v", x.Now)
			}
		}
		x := w.explain(filt.ID, Question{Log: f.LogID})
		w.wantOutcome(x, OutcomeFilter, true, "triggerConfig.tagName wants", "triggerConfig.excludeSources")
		x = w.explain(good.ID, Question{Log: f.LogID})
		w.wantOutcome(x, OutcomeStarted, true, "It waits in node d until")
		if x.Run == nil || x.Run.ID != w.run(good.ID).ID || check(x, "run").Actual != Waiting {
			w.Errorf("%+v", x.Run)
		}
		w.wantOutcome(w.explain(else_.ID, Question{Log: f.LogID}), OutcomeNotConsidered, false, `waits for "other"`)
		w.wantOutcome(w.explain(asleep.ID, Question{Log: f.LogID}), OutcomeNotConsidered, false, "switched off")
		w.wantOutcome(w.explain(else_.ID, Question{Contact: c.Contact.ID}), OutcomeNothing, false, `"other" has not happened`)
		w.Clock.Advance(time.Minute)
		young := w.rule(`{"name":"y","trigger":"go","actions":[]}`)
		w.wantOutcome(w.explain(young.ID, Question{Log: f.LogID}), OutcomeNotConsidered, false, "made after the call")

		// A rule that is switched off afterwards was active then.
		off := false
		if _, err := w.s.Toggle(bg, w.Tenant, "key:test", good.ID, &off); err != nil {
			w.Fatal(err)
		}
		x = w.explain(good.ID, Question{Log: f.LogID})
		if k := check(x, "active"); !k.Passed || !strings.Contains(k.Note, "switched off since") {
			w.Errorf("%+v", k)
		}
		later := w.fire(Call{Trigger: "go", Phone: phone, DelayMinutes: 5})
		w.wantOutcome(w.explain(cond.ID, Question{Log: later.LogID}), OutcomePending, false, "fires at")
		lost, err := w.s.Fire(bg, w.Tenant, "key:test", Call{Trigger: "go", Email: "nobody@example.com"})
		w.wantFault(err, fault.NotFound, "", "lead")
		w.wantOutcome(w.explain(cond.ID, Question{Log: lost.LogID}), OutcomeRefused, false, "there is no such lead")

		_, err = w.s.Explain(bg, w.Tenant, id.New(), Question{Log: f.LogID})
		w.wantFault(err, fault.NotFound, "", "automation")
		_, err = w.s.Explain(bg, w.Tenant, cond.ID, Question{Log: id.New()})
		w.wantFault(err, fault.NotFound, "", "trigger log")
		_, err = w.s.Explain(bg, w.Tenant, cond.ID, Question{Contact: id.New()})
		w.wantFault(err, fault.NotFound, "", "contact")
		_, err = w.s.Explain(bg, w.Tenant, cond.ID, Question{})
		w.wantFault(err, fault.Invalid, "contact", "")
		_, err = w.s.Explain(bg, w.Tenant, cond.ID, Question{Event: "soon"})
		w.wantFault(err, fault.Invalid, "event", "")
	})
}

func TestExplainEvents(t *testing.T) {
	each(t, func(w *world) {
		r := w.rule(`{"name":"x","trigger":"tag_added","triggerConfig":{"tagName":"vip"},"nodes":[{"id":"s","type":"send_whatsapp","data":{"text":"hello"}}],"edges":[]}`)
		c := w.lead()
		w.settled()
		if _, err := w.Cards.Update(bg, w.Tenant, "key:test", c.Contact.ID, deal.CardPatch{AddTags: []string{"vip", "plain"}}); err != nil {
			w.Fatal(err)
		}
		w.settled()
		list, err := event.OfContact(w.DB.Read(bg, w.Tenant), c.Contact.ID, 50)
		if err != nil {
			w.Fatal(err)
		}
		seen := 0
		for _, e := range list {
			if e.Type != "contact.tag_added" {
				continue
			}
			seen++
			x := w.explain(r.ID, Question{Event: e.Cursor.String()})
			if slices.Contains(e.Changed, "tag:vip") {
				// It started, and the gate refused the text: nobody has written.
				w.wantOutcome(x, OutcomeStarted, true, "It failed", "24 hours")
			} else {
				w.wantOutcome(x, OutcomeFilter, true, `wants "vip", it was "plain"`)
			}
		}
		if seen != 2 {
			w.Errorf("%d tags", seen)
		}
		w.wantOutcome(w.explain(r.ID, Question{Event: "0.999999"}), OutcomeNotConsidered, false)
	})
}

func TestExplainMerged(t *testing.T) {
	each(t, func(w *world) {
		r := w.rule(`{"name":"x","trigger":"go","conditions":[{"field":"lead.source","operator":"eq","value":"fair"}],"actions":[]}`)
		a := w.lead()
		w.Clock.Advance(time.Second)
		f := w.fire(Call{Trigger: "go", Phone: "+919876500001", CreateIfMissing: true})
		w.settled()
		if _, err := w.Contacts.Merge(bg, w.Tenant, "key:test", a.Contact.ID, f.Contact); err != nil {
			w.Fatal(err)
		}
		for _, q := range []Question{{Contact: a.Contact.ID}, {Contact: f.Contact}, {Log: f.LogID}, {Log: f.LogID, Contact: a.Contact.ID}} {
			x := w.explain(r.ID, q)
			w.wantOutcome(x, OutcomeConditions, true)
			if x.Contact != a.Contact.ID {
				w.Errorf("%+v is about %s", q, x.Contact)
			}
		}
		if l := w.log(f.LogID); l.Contact != a.Contact.ID {
			w.Errorf("the log names %s", l.Contact)
		}
		if n := w.Count(w, "trigger_log", "contact_id=?", f.Contact); n != 1 {
			w.Error("the ledger was rewritten")
		}
	})
}
