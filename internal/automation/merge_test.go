package automation

import (
	"slices"
	"testing"
	"time"

	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/id"
)

const otherPhone = "+91 98765 00000"

// two makes two people; the first is the older one.
func (w *world) two() (older, younger deal.Card) {
	w.Helper()
	older = w.lead()
	w.Clock.Advance(time.Second)
	younger, _, err := w.Cards.Upsert(bg, w.Tenant, "key:test", deal.NewCard{New: contact.New{FirstName: "Other", Phone: otherPhone}})
	if err != nil {
		w.Fatal(err)
	}
	w.settled()
	return older, younger
}

func TestMerge(t *testing.T) {
	each(t, func(w *world) {
		ask := w.rule(`{"name":"Ask","trigger":"ask","nodes":[{"id":"w","type":"wait_reply","data":{"timeoutMinutes":30}},{"id":"y","type":"add_tag","data":{"tag":"said-{{reply}}"}},{"id":"n","type":"add_tag","data":{"tag":"silent"}}],
			"edges":[{"source":"w","target":"y","sourceHandle":"reply"},{"source":"w","target":"n","sourceHandle":"timeout"}]}`)
		event := w.rule(`{"name":"Event","trigger":"ask","nodes":[{"id":"w","type":"wait_event","data":{"eventName":"paid"}},{"id":"y","type":"add_tag","data":{"tag":"paid"}},{"id":"q","type":"goal","data":{"eventName":"won"}}],
			"edges":[{"source":"w","target":"y"},{"source":"y","target":"q"}]}`)
		both := w.rule(`{"name":"Both","trigger":"both","nodes":[{"id":"d","type":"delay","data":{"delayMinutes":60}}]}`)
		seq := w.rule(`{"name":"Seq","trigger":"x","isSequence":true,"steps":[{"delayMinutes":60,"action":{"type":"add_tag","config":{"tag":"seq"}}}]}`)
		older, younger := w.two()
		w.fire(Call{Trigger: "ask", Phone: otherPhone})
		w.fire(Call{Trigger: "both", Phone: otherPhone})
		f := w.fire(Call{Trigger: "both", Phone: phone})
		en, err := w.s.Enroll(bg, w.Tenant, "key:test", seq.ID, younger.Contact.ID, nil)
		if err != nil {
			w.Fatal(err)
		}
		w.settled()
		if _, err := w.Contacts.Merge(bg, w.Tenant, "key:test", older.Contact.ID, younger.Contact.ID); err != nil {
			w.Fatal(err)
		}
		w.settled()
		if err := w.sound(); err != nil {
			w.Error(err)
		}
		for _, r := range []Rule{ask, event} {
			if run := w.wantStory(r.ID, "waiting w=waiting"); run.Contact != older.Contact.ID {
				w.Errorf("%+v", run)
			}
		}
		for _, run := range w.runs(both.ID) {
			if run.TriggerLog == f.LogID && run.Status != Waiting || run.TriggerLog != f.LogID && (run.Status != Aborted || run.ExitReason != ExitMerged || w.log(run.TriggerLog).Status != logCompleted) {
				w.Errorf("%+v %+v", run, w.log(run.TriggerLog))
			}
		}
		for _, cid := range []id.ID{older.Contact.ID, younger.Contact.ID} { // the old id leads there
			if list, err := w.s.EnrollmentsOf(bg, w.Tenant, cid); err != nil || len(list) != 1 || list[0].ID != en.ID {
				w.Errorf("%+v %v", list, err)
			}
		}
		_, err = w.s.Enroll(bg, w.Tenant, "key:test", seq.ID, younger.Contact.ID, nil)
		w.refused(err, "twice")
		// The survivor's reply and events reach the runs that came along.
		w.Clock.Advance(time.Minute)
		w.says("yes")
		w.settled()
		w.wantStory(ask.ID, "completed w=completed y=completed")
		if n, err := w.s.WebhookEvent(bg, w.Tenant, event.ID, "paid", map[string]any{"leadId": younger.Contact.ID.String()}); err != nil || len(n) != 1 {
			w.Errorf("%v %v", n, err)
		}
		w.settled()
		if got := w.tags(older.Contact.ID); !slices.Equal(got, []string{"paid", "said-yes"}) {
			w.Errorf("%q", got)
		}
		if err := w.sound(); err != nil {
			w.Error(err)
		}
	})
}

func TestUnmerge(t *testing.T) {
	each(t, func(w *world) {
		ask := w.rule(`{"name":"Ask","trigger":"ask","nodes":[{"id":"w","type":"wait_reply","data":{"timeoutMinutes":30}},{"id":"q","type":"goal","data":{"eventName":"won"}}],"edges":[{"source":"w","target":"q"}]}`)
		older, younger := w.two()
		w.fire(Call{Trigger: "ask", Phone: otherPhone})
		w.settled()
		run := w.run(ask.ID)
		w.must(w.s.Pause(bg, w.Tenant, "key:test", run.ID)) // it moves also while it is paused
		if _, err := w.Contacts.Merge(bg, w.Tenant, "key:test", older.Contact.ID, younger.Contact.ID); err != nil {
			w.Fatal(err)
		}
		if _, _, err := w.Contacts.Unmerge(bg, w.Tenant, "key:test", older.Contact.ID); err != nil {
			w.Fatal(err)
		}
		got := w.must(w.s.Resume(bg, w.Tenant, "key:test", run.ID))
		if got.Contact != younger.Contact.ID || got.WaitKey != replyKey(younger.Contact.ID.String()) {
			w.Errorf("%+v", got)
		}
		w.later(30 * time.Minute)
		w.wantStory(ask.ID, "completed w=completed q=completed")
		if err := w.sound(); err != nil {
			w.Error(err)
		}
	})
}

// A failed run of somebody who was merged since is taken up again for the survivor; one
// of a sequence in which the survivor is stays ended.
func TestRetryBehindAMerge(t *testing.T) {
	each(t, func(w *world) {
		r := w.rule(`{"name":"Send","trigger":"go","nodes":[{"id":"s","type":"send_whatsapp","data":{"text":"hi"}},{"id":"w","type":"wait_reply","data":{"timeoutMinutes":30}},{"id":"g","type":"add_tag","data":{"tag":"{{reply}}"}}],
			"edges":[{"source":"s","target":"w"},{"source":"w","target":"g"}]}`)
		older, younger := w.two()
		w.fire(Call{Trigger: "go", Phone: otherPhone})
		w.settled()
		run := w.wantStory(r.ID, "failed s=failed")
		if _, err := w.Contacts.Merge(bg, w.Tenant, "key:test", older.Contact.ID, younger.Contact.ID); err != nil {
			w.Fatal(err)
		}
		w.says("hello") // opens the window
		w.settled()
		got := w.must(w.s.Retry(bg, w.Tenant, "key:test", run.ID))
		if got.Contact != older.Contact.ID {
			w.Errorf("%+v", got)
		}
		if err := w.sound(); err != nil {
			w.Error(err)
		}
		w.settled()
		w.Clock.Advance(time.Second)
		w.says("yes")
		w.settled()
		w.wantStory(r.ID, "completed s=retried s=completed w=completed g=completed")
		if got := w.tags(older.Contact.ID); !slices.Contains(got, "yes") {
			w.Errorf("%q", got)
		}
		if err := w.sound(); err != nil {
			w.Error(err)
		}
	})
}
