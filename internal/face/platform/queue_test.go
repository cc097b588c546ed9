package platform_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/test/platformtest"
)

// jobIn writes a job in a state, as a worker would have left it.
func jobIn(t *testing.T, r *platformtest.Rig, tenant id.ID, state job.State) string {
	t.Helper()
	jid, err := store.Write(context.Background(), r.DB, tenant, func(tx *store.Tx) (id.ID, error) {
		n := job.New{Kind: "crm.test", Args: map[string]any{"a": 1}}
		if state == job.Scheduled || state == job.Retryable {
			n.RunAt = tx.Now().Add(time.Hour)
		}
		jid, _, err := job.Enqueue(tx, n)
		if err != nil {
			return jid, err
		}
		lease := any(nil)
		if state == job.Running {
			lease = tx.Now().Add(time.Hour)
		}
		_, err = tx.Exec("UPDATE job SET state=?, attempt=3, last_error=?, finished_at=?, lease_until=? WHERE tenant_id=? AND id=?", string(state), "it broke", tx.Now(), lease, jid)
		return jid, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return jid.String()
}

func TestQueue(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c, other, saved := r.NewTenant("Acme"), r.NewTenant("Other"), map[string]string{}
		for _, s := range []job.State{job.Available, job.Scheduled, job.Retryable, job.Running, job.Completed, job.Cancelled, job.Discarded} {
			saved[string(s)] = jobIn(t, r, c.ID, s)
			jobIn(t, r, other.ID, s)
		}
		play(t, c, saved, []scene{
			{name: "stats in both readings", method: "GET", path: "/api/saas/queue/stats", status: 200,
				want: []string{`"data":{"waiting":1,"active":1,"completed":1,"failed":2,"delayed":2}`, `"active":1,"completed":1,"data"`}},
			{name: "failed", method: "GET", path: "/api/saas/queue/failed", status: 200,
				want:   []string{`"_id":"{discarded}"`, `"status":"failed"`, `"lastError":"it broke"`, `"data":{"type":"crm.test","payload":{"a":1}}`, `"queue":"default"`, `"total":1`, `"limit":50`},
				forbid: []string{"{completed}", `"failedAt":null`}},
			{name: "status", method: "GET", path: "/api/saas/jobs/status/{scheduled}", status: 200, want: []string{`"jobId":"{scheduled}"`, `"status":"delayed"`, `"data":{`, `"attempts":3`}},
			{name: "status of a running job", method: "GET", path: "/api/saas/jobs/status/{running}", status: 200, want: []string{`"status":"active"`}},
			{name: "status of a finished job", method: "GET", path: "/api/saas/jobs/status/{completed}", status: 200, want: []string{`"status":"completed"`}, forbid: []string{`"completedAt":null`}},
			{name: "status of nothing", method: "GET", path: "/api/saas/jobs/status/x", status: 404, want: []string{`"there is no such job"`}},
			{name: "a running job cannot be deleted", method: "DELETE", path: "/api/saas/queue/{running}", status: 409, want: []string{`"code":"CONFLICT"`}},
			{name: "what runs now", method: "GET", path: "/api/saas/queue/active", status: 200, want: []string{`"_id":"{running}"`, `"total":1`}, forbid: []string{"{available}", "{completed}"}},
			{name: "a running job is told to stop", method: "POST", path: "/api/saas/queue/{running}/cancel", status: 200, want: []string{`"status":"active"`}},
			{name: "a waiting job ends at once", method: "POST", path: "/api/saas/queue/{available}/cancel", status: 200, want: []string{`"status":"failed"`}},
			{name: "a finished job cannot be cancelled", method: "POST", path: "/api/saas/queue/{completed}/cancel", status: 409, want: []string{`finished already`}},
			{name: "only failed jobs are retried", method: "POST", path: "/api/saas/queue/{completed}/retry", status: 404, want: []string{`"code":"NOT_FOUND"`}},
			{name: "retry", method: "POST", path: "/api/saas/queue/{discarded}/retry", status: 200, want: []string{`"status":"waiting"`, `"attempts":0`, `"lastError":null`}},
			{name: "which is no longer failed", method: "GET", path: "/api/saas/queue/failed", status: 200, want: []string{`"data":[]`}},
			{name: "delete", method: "DELETE", path: "/api/saas/queue/{discarded}", status: 200, want: []string{`"success":true`, `"message":"`}},
			{name: "once", method: "DELETE", path: "/api/saas/queue/{discarded}", status: 404, want: []string{`"there is no such job"`}},
		})
	})
}

func TestHealth(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c := r.NewTenant("Acme")
		a := r.Call("GET", "/api/saas/health", nil)
		for _, want := range []string{`"status":"ok"`, `"version":"1.2.3"`, `"env":"test"`, `"uptime":90`, `"db":"connected"`, `"queueDepth":0`, `"data":{`} {
			if a.Status != 200 || !strings.Contains(string(a.Body), want) {
				t.Errorf("%d %s lacks %s", a.Status, a.Body, want)
			}
		}
		if a = r.Call("GET", "/api/saas/health", nil, "Accept", "text/html,application/xhtml+xml"); !strings.Contains(string(a.Body), "<h1>ok</h1>") ||
			!strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
			t.Errorf("a browser gets %s %s", a.Header.Get("Content-Type"), a.Body)
		}
		if a = r.Call("GET", "/api/saas/health", nil, "Accept", "application/json, text/html"); !strings.HasPrefix(string(a.Body), "{") {
			t.Errorf("a client gets %s", a.Body)
		}
		play(t, c, nil, []scene{{name: "nothing set up", method: "GET", path: "/api/saas/health/client", status: 200,
			want: []string{`"clientCode":"` + c.Code + `"`, `"whatsapp":"not_configured"`, `"email":"not_configured"`, `"googleMeet":"not_configured"`, `"activeAutomations":0`}}})
		c.Connect("15550003")
		play(t, c, nil, []scene{
			{name: "a rule", method: "POST", path: "/api/crm/automations", status: 201, body: graph},
			{name: "set up", method: "GET", path: "/api/saas/health/client", status: 200, want: []string{`"whatsapp":"connected"`, `"activeAutomations":1`, `"services":{`}}})
	})
	r := platformtest.New(t, storetest.SQLite(t), platformtest.Options{Down: true})
	if a := r.Call("GET", "/api/saas/health", nil); a.Status != 200 || a.Str(t, "status") != "error" || a.Str(t, "db") != "disconnected" {
		t.Errorf("without a database: %d %s", a.Status, a.Body)
	}
}
