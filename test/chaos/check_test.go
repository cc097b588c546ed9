package chaos

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// findings is what a check saw: promises that were broken, by their kind.
type findings struct {
	lost, twice, other []string
	unknown            int // messages whose outcome nobody knows, all listed
	failed             int // messages that ended without being sent
}

func (f *findings) lose(format string, args ...any) {
	f.lost = append(f.lost, fmt.Sprintf(format, args...))
}
func (f *findings) twin(format string, args ...any) {
	f.twice = append(f.twice, fmt.Sprintf(format, args...))
}
func (f *findings) wrong(format string, args ...any) {
	f.other = append(f.other, fmt.Sprintf(format, args...))
}

// report fails the test with what was found, at most some of each kind.
func (f *findings) report(t testing.TB) {
	t.Helper()
	for _, k := range []struct {
		what string
		list []string
	}{{"lost", f.lost}, {"twice", f.twice}, {"wrong", f.other}} {
		for i, s := range k.list {
			if i == 10 {
				t.Errorf("%s: and %d more", k.what, len(k.list)-i)
				break
			}
			t.Errorf("%s: %s", k.what, s)
		}
	}
}

// check asks the server for everything that was acknowledged, and looks for
// effects that happened twice.
func check(t testing.TB, w *world, c *tenant, j *journal) *findings {
	t.Helper()
	f := &findings{}
	j.mu.Lock()
	defer j.mu.Unlock()
	f.other = append(f.other, j.wrong...)
	checkLeads(t, c, j, f)
	checkRuns(t, c, j, f)
	checkMessages(t, w, c, j, f)
	checkSales(t, w, c, j, f)
	for _, s := range c.p.verify(t) {
		f.wrong("%s", s)
	}
	return f
}

func checkLeads(t testing.TB, c *tenant, j *journal, f *findings) {
	byPhone, byID := map[string]string{}, map[string]leadRow{}
	for _, l := range pages[leadRow](t, c, "/api/saas/crm/leads") {
		digits := strings.TrimPrefix(l.Phone, "+")
		if was := byPhone[digits]; was != "" && digits != "" { // whoever wrote by e-mail alone has none
			f.twin("phone %s belongs to lead %s and lead %s", l.Phone, was, l.ID)
		}
		byPhone[digits], byID[l.ID] = l.ID, l
	}
	for _, m := range []map[string]string{j.leads, j.people} {
		for phone, id := range m {
			if byPhone[phone[1:]] != id {
				f.lose("lead %s of phone %s: the server knows lead %q", id, phone, byPhone[phone[1:]])
			}
		}
	}
	for phone, marks := range j.marks {
		for who, n := range marks {
			if got, _ := byID[j.people[phone]].CustomFields[who].(float64); got < n {
				f.lose("the change of %s to %s=%v: it is %v", phone, who, n, got)
			}
		}
	}
	for token, x := range j.fired {
		if byPhone[x.phone[1:]] != x.lead {
			f.lose("lead %s of trigger %s", x.lead, token)
		}
	}
	// The way by which most clients look: one of each kind is enough.
	for phone, id := range j.leads {
		var l leadRow
		c.must(t, "GET", "/api/saas/crm/leads/phone/"+url.PathEscape(phone), "", nil, &l)
		if l.ID != id {
			f.lose("lead %s by its phone", id)
		}
		break
	}
}

func checkRuns(t testing.TB, c *tenant, j *journal, f *findings) {
	byToken := map[string]runRow{}
	for _, r := range pages[runRow](t, c, "/api/saas/crm/automations/"+c.rule+"/runs") {
		token, _ := r.Variables["token"].(string)
		if was, twice := byToken[token]; twice {
			f.twin("trigger %s started run %s and run %s", token, was.ID, r.ID)
		}
		byToken[token] = r
		if !j.tried[token] {
			f.wrong("run %s of trigger %q that nobody made", r.ID, token)
		}
	}
	for token, x := range j.fired {
		r, ok := byToken[token]
		if !ok || r.EventLogID != x.log || r.LeadID != x.lead {
			f.lose("trigger %s (log %s): its run is %+v", token, x.log, r)
			continue
		}
		want := "waiting"
		if j.answered[token] != "" {
			want = "completed"
		}
		if r.Status != want {
			f.wrong("run %s of trigger %s is %s, not %s", r.ID, token, r.Status, want)
		}
	}
}

func checkMessages(t testing.TB, w *world, c *tenant, j *journal, f *findings) {
	var listed []struct{ ID string }
	if err := json.Unmarshal([]byte(c.p.run(t, "outbox", "unknown", "--tenant", c.code, "--json")), &listed); err != nil {
		t.Fatal(err)
	}
	unknown := map[string]bool{}
	for _, u := range listed {
		unknown[u.ID] = true
	}
	f.unknown = len(listed)
	received := receipts(t, w, j)
	byID, byWamid, steps := map[string]messageRow{}, map[string]string{}, map[string]string{}
	for _, m := range c.messages(t) {
		if _, twice := byID[m.ID]; twice {
			f.twin("message %s is in two places", m.ID)
		}
		byID[m.ID] = m
		if m.WhatsappMessageID != "" {
			if was := byWamid[m.WhatsappMessageID]; was != "" {
				f.twin("Meta's message %s is message %s and message %s", m.WhatsappMessageID, was, m.ID)
			}
			byWamid[m.WhatsappMessageID] = m.ID
		}
		if m.Direction != "outbound" {
			continue
		}
		if run, _ := m.Metadata["runId"].(string); run != "" {
			step := fmt.Sprint(run, " ", m.Metadata["nodeId"])
			if was := steps[step]; was != "" {
				f.twin("step %s sent message %s and message %s", step, was, m.ID)
			}
			steps[step] = m.ID
		}
		switch {
		case m.Status == "queued" && !unknown[m.ID]:
			f.wrong("message %s is left queued", m.ID)
		case m.Status == "failed":
			f.failed++
			if received[m.ID] > 0 {
				f.wrong("message %s failed (%+v), but the phone has it", m.ID, m.Error)
			}
		case m.Status != "queued" && received[m.ID] == 0:
			f.wrong("message %s is %s, but no phone has it", m.ID, m.Status)
		case unknown[m.ID] && received[m.ID] > 0:
			f.wrong("message %s is listed as unknown, but the phone has it and its receipts came", m.ID)
		}
	}
	for id, n := range received {
		if _, ok := byID[id]; !ok {
			f.lose("message %s, which a phone received", id)
		}
		if n > 1 { // no attempt of WhatsApp's may be repeated by itself
			f.twin("the phone received message %s %d times", id, n)
		}
	}
	for token, id := range j.sends {
		if m := byID[id]; !strings.Contains(m.Text, token) {
			f.lose("message %s of send %s: %+v", id, token, m)
		}
	}
	for wamid, text := range j.inbound {
		if m := byID[byWamid[wamid]]; m.Text != text || m.Direction != "inbound" {
			f.lose("inbound %s %q: %+v", wamid, text, m)
		}
	}
	checkTokens(j, byID, f)
	w.mu.Lock()
	defer w.mu.Unlock()
	for token, x := range j.fired {
		if x.callback && w.told[token+" processing"] == 0 {
			f.lose("the callback of trigger %s", token)
		}
		if x.callback && j.answered[token] != "" && w.told[token+" completed"] == 0 {
			f.lose("the last callback of trigger %s", token)
		}
	}
}

// checkTokens looks for one cause that made two messages.
func checkTokens(j *journal, byID map[string]messageRow, f *findings) {
	seen := map[string]string{}
	for _, m := range byID {
		if m.Direction != "outbound" {
			continue
		}
		i, k := strings.LastIndex(m.Text, "run-"), strings.LastIndex(m.Text, "out-")
		at := max(i, k)
		end := -1
		if at >= 0 {
			end = strings.Index(m.Text[at:], ";")
		}
		if end < 0 {
			f.wrong("message %s with a text that nobody sent: %q", m.ID, m.Text)
			continue
		}
		token := m.Text[at : at+end+1]
		if !j.tried[token] {
			f.wrong("message %s of %s, which nobody made", m.ID, token)
		}
		if strings.HasPrefix(m.Text, "Thank you for") {
			token = "thanks " + token
		}
		if was := seen[token]; was != "" {
			f.twin("%s made message %s and message %s", token, was, m.ID)
		}
		seen[token] = m.ID
	}
	for token := range j.fired {
		if seen[token] == "" {
			f.lose("the greeting of trigger %s", token)
		}
		if j.answered[token] != "" && seen["thanks "+token] == "" {
			f.lose("the thanks of trigger %s", token)
		}
	}
}

// receipts counts what the phones received by our message id.
func receipts(t testing.TB, w *world, j *journal) map[string]int {
	t.Helper()
	got := map[string]int{}
	for phone := range j.phones {
		list, err := w.sim.Inbox(phone)
		if err != nil {
			t.Fatalf("inbox of %s: %v", phone, err)
		}
		for _, r := range list {
			got[r.Callback]++
		}
	}
	return got
}

// quiet waits until Meta's webhooks are delivered and the server has nothing
// left to do but wait for answers.
func quiet(t testing.TB, w *world, c *tenant, within time.Duration) {
	t.Helper()
	eventually(t, within, "quiet", func() (bool, string) {
		if n := undelivered(w); n > 0 {
			return false, fmt.Sprintf("%d webhooks of Meta are not delivered", n)
		}
		var s struct{ Waiting, Active, Failed int }
		c.must(t, "GET", "/api/saas/queue/stats", "", nil, &s)
		if s.Waiting+s.Active+s.Failed > 0 {
			return false, fmt.Sprintf("jobs: %+v", s)
		}
		if left := c.p.open(t); left != "" {
			return false, left
		}
		return true, ""
	})
}

// undelivered counts the webhooks that Meta has tried and not yet delivered.
func undelivered(w *world) int {
	type key struct{ kind, subject string }
	tried := map[key]int{}
	for _, a := range w.sim.Webhooks() {
		k := key{a.Kind, a.Subject}
		if a.Accepted {
			tried[k] = -1 << 30
		} else {
			tried[k]++
		}
	}
	n := 0
	for _, x := range tried {
		if x > 0 {
			n++
		}
	}
	return n
}
