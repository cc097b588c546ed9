package chaos

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/store/storetest"
)

// TestActivationSQLite kills the real binary while it activates a campaign:
// afterwards every matched person is one recipient, and every recipient has one
// execution, which ran once.
func TestActivationSQLite(t *testing.T) {
	long(t)
	activating(t, "kill -9 in an activation, SQLite", "", full(5000, 100_000), count(t, 6, 40))
}

// TestActivationPostgres is TestActivationSQLite on PostgreSQL.
func TestActivationPostgres(t *testing.T) {
	long(t)
	activating(t, "kill -9 in an activation, PostgreSQL", storetest.PostgresURL(t), full(1000, 20_000), count(t, 2, 10))
}

func full(small, soaked int) int {
	if soak() {
		return soaked
	}
	return small
}

// bystanders are people whom the campaign's target does not select.
const bystanders = 100

func activating(t *testing.T, name, database string, people, kills int) {
	begun := time.Now()
	rng := dice(t)
	w := newWorld(t)
	p := newProc(t, parley(t), database, w.base)
	p.start(t)
	c := w.setUp(t, p)
	c.audience(t, people)
	flow := c.flow(t)
	campaign := c.campaign(t, flow)
	if a, _, err := c.insist("POST", "/v1/campaign/"+campaign+"/status", "activate", map[string]any{"status": "active"}, 0); err != nil || a.status != 200 {
		t.Fatalf("activating: %v %d %s", err, a.status, a.body)
	}
	killed := 0
	for n := 1; n <= kills && !c.ended(t, campaign); n++ {
		time.Sleep(moment(rng, 50, 700)) // the moment of the kill is the point
		p.kill()
		killed++
		restart(t, p, n < kills || !soak())
		p.start(t)
		if broken := p.verify(t); len(broken) > 0 {
			t.Errorf("after kill %d: %v", n, broken)
		}
	}
	if killed < 2 {
		t.Errorf("only %d kills fell into the activation: there were too few people to prove anything", killed)
	}
	eventually(t, 10*time.Minute, "the end of the job", func() (bool, string) {
		return c.ended(t, campaign), string(c.target(t, "GET", "/v1/campaign/"+campaign+"/job?limit=1", nil))
	})
	lost, twice := c.reached(t, campaign, flow, people)
	if broken := p.verify(t); len(broken) > 0 {
		t.Error(broken)
	}
	t.Logf("%s: %d recipients, %d kills in %s; lost %d, twice %d", name, people, killed, time.Since(begun).Round(time.Millisecond), lost, twice)
	p.stop(t)
	if !t.Failed() || lost+twice > 0 {
		summary{name: name, kills: killed, facts: people, lost: lost, twice: twice, begun: begun}.record(t)
	}
}

// audience imports the people of the campaign, and some others.
func (c *tenant) audience(t testing.TB, people int) {
	t.Helper()
	file := filepath.Join(work, "audience.csv")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	b := bufio.NewWriter(f)
	fmt.Fprintln(b, "firstName,phone,tags")
	for n := range people + bystanders {
		tag := "audience"
		if n >= people {
			tag = "other"
		}
		fmt.Fprintf(b, "Person %d,9197%08d,%s\n", n, n, tag)
	}
	if err := errors.Join(b.Flush(), f.Close()); err != nil {
		t.Fatal(err)
	}
	c.p.run(t, "import", file, "--tenant", c.code)
	var key struct{ APIKey string }
	if err := json.Unmarshal([]byte(c.p.run(t, "key", "create", "--tenant", c.code, "--face", "targeting", "--json")), &key); err != nil {
		t.Fatal(err)
	}
	c.targeting = key.APIKey
}

// flow makes a rule that the campaign starts for each recipient.
func (c *tenant) flow(t testing.TB) string {
	t.Helper()
	var rule struct{ ID string }
	c.must(t, "POST", "/api/saas/crm/automations", "", map[string]any{"name": "Campaign", "trigger": "campaign", "isActive": true,
		"nodes": []map[string]any{{"id": "t", "type": "trigger"}, {"id": "tag", "type": "add_tag", "data": map[string]any{"tag": "reached"}},
			{"id": "task", "type": "create_task", "data": map[string]any{"title": "Call"}}},
		"edges": []map[string]any{{"source": "t", "target": "tag"}, {"source": "tag", "target": "task"}}}, &rule)
	return rule.ID
}

func (c *tenant) campaign(t testing.TB, flow string) string {
	t.Helper()
	var target, made map[string]any
	c.read(t, c.target(t, "POST", "/v1/target", map[string]any{"name": "Audience", "entity_schema": "contact", "entity_filters": map[string]any{
		"filter": map[string]any{"items": []map[string]any{{"key": "_tags", "operator": "equals", "value": "audience"}}}}}), &target)
	c.read(t, c.target(t, "POST", "/v1/entity/campaign", map[string]any{"name": "Chaos", "flow_id": flow,
		"target": map[string]any{"$relation": []map[string]any{{"entity_id": target["id"]}}}}), &made)
	return made["_id"].(string)
}

// target calls the targeting API, whatever happens to the server.
func (c *tenant) target(t testing.TB, method, path string, in any) []byte {
	t.Helper()
	a, _, err := c.insist(method, path, "", in, 0)
	if err != nil || a.status/100 != 2 {
		t.Fatalf("%s %s: %v %d %s", method, path, err, a.status, a.body)
	}
	return a.body
}

func (c *tenant) read(t testing.TB, body []byte, out any) {
	t.Helper()
	if err := json.Unmarshal(body, out); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
}

func (c *tenant) ended(t testing.TB, campaign string) bool {
	var job struct{ Status string }
	c.read(t, c.target(t, "GET", "/v1/campaign/"+campaign+"/job", nil), &job)
	if job.Status == "failed" || job.Status == "cancelled" {
		t.Fatalf("the job is %s", job.Status)
	}
	return job.Status == "finished"
}

// reached counts recipients and executions that are missing or too many.
func (c *tenant) reached(t testing.TB, campaign, flow string, people int) (lost, twice int) {
	t.Helper()
	var rows, next = 0, ""
	entities, executions := map[string]bool{}, map[string]bool{}
	for {
		var page struct {
			Results []struct {
				EntityID  string `json:"entity_id"`
				Status    string `json:"automation_status"`
				Execution string `json:"automation_execution_id"`
			}
			Next  *string
			Total int
		}
		c.read(t, c.target(t, "GET", "/v1/campaign/"+campaign+"/recipients?limit=1000&next="+url.QueryEscape(next), nil), &page)
		if page.Total != people {
			t.Errorf("the list says %d recipients, there are %d people", page.Total, people)
		}
		for _, r := range page.Results {
			rows++
			entities[r.EntityID], executions[r.Execution] = true, true
			if r.Status != "success" {
				t.Errorf("recipient %s is %s", r.EntityID, r.Status)
			}
		}
		if page.Next == nil || *page.Next == "" {
			break
		}
		next = *page.Next
	}
	lost, twice = people-len(entities), rows-len(entities)
	runs := pages[runRow](t, c, "/api/saas/crm/automations/"+flow+"/runs")
	of := map[string]int{}
	for _, r := range runs {
		of[r.LeadID]++
		if r.Status != "completed" {
			t.Errorf("run %s is %s", r.ID, r.Status)
		}
	}
	for _, n := range of {
		twice += n - 1
	}
	if lost != 0 || twice != 0 || len(executions) != people || len(of) != people || len(runs) != people {
		t.Errorf("%d people: %d rows of %d recipients with %d executions, %d runs of %d people", people, rows, len(entities), len(executions), len(runs), len(of))
	}
	c.tagged(t, people)
	return lost, twice
}

// tagged holds what the runs did against the people: each has the tag, and no
// bystander. They are exported, since lists end at 100,000 rows.
func (c *tenant) tagged(t testing.TB, people int) {
	t.Helper()
	file := filepath.Join(work, "reached.csv")
	c.p.run(t, "export", file, "--tenant", c.code)
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) != 1+people+bystanders {
		t.Fatalf("%d rows were exported: %v", len(rows), err)
	}
	at := slices.Index(rows[0], "tags")
	var reached, wrong int
	for _, row := range rows[1:] {
		audience, got := strings.Contains(row[at], "audience"), strings.Contains(row[at], "reached")
		switch {
		case audience && got:
			reached++
		case audience != got:
			wrong++
		}
	}
	if reached != people || wrong != 0 {
		t.Errorf("%d of %d people have the tag, %d others have it or lack it", reached, people, wrong)
	}
}
