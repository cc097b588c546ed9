package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/segment"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// TestMembershipSQLite kills the real binary while many people move in and out of
// segments by all three APIs, and groups and stages are renamed under them. Once the
// lane is quiet, what is remembered of everybody is what the live match says, nobody
// was told twice to have come or gone, and each coming started the rule once.
func TestMembershipSQLite(t *testing.T) {
	long(t)
	moving(t, "", full(60, 400), count(t, 4, 30))
}

// TestMembershipPostgres is TestMembershipSQLite on PostgreSQL.
func TestMembershipPostgres(t *testing.T) {
	long(t)
	moving(t, storetest.PostgresURL(t), full(40, 300), count(t, 2, 15))
}

// movers is the storm: people, and where they may go.
type movers struct {
	*tenant
	ids    []string
	group  string
	stage  string
	second string // a stage beside it
}

// part is what part of the people are put away now and then, one in so many; as many
// of those who follow are merged and parted.
const part = 4

// joined tells who may be merged.
func (m *movers) joined(i int) bool { n := len(m.ids) / part; return i >= n && i < 2*n }

func moving(t *testing.T, database string, people, kills int) {
	rng := dice(t)
	w := newWorld(t)
	p := newProc(t, parley(t), database, w.base)
	p.start(t)
	m := &movers{tenant: w.setUp(t, p)}
	var key struct{ APIKey string }
	m.read(t, []byte(p.run(t, "key", "create", "--tenant", m.code, "--face", "targeting", "--json")), &key)
	m.targeting = key.APIKey
	targets := m.segments(t)
	m.eventually(t, p)
	rule := m.rules(t, targets[0])
	m.meet(t, people)
	stop := m.storm(rng)
	for n := 1; n <= kills; n++ {
		time.Sleep(moment(rng, 200, 1200)) // the moment of the kill is the point
		p.kill()
		restart(t, p, n < kills || !soak())
		p.start(t)
		if broken := p.verify(t); len(broken) > 0 {
			t.Errorf("after kill %d: %v", n, broken)
		}
		if n == kills/2 { // one that finds people there
			targets = append(targets, m.segment(t, "late", item("city", "any_of", []string{"Berlin", "Bonn"})))
		}
	}
	time.Sleep(moment(rng, 200, 400))
	if wrong := stop(); len(wrong) > 0 {
		t.Errorf("%d calls were refused, the first %s", len(wrong), wrong[0])
	}
	m.eventually(t, p)
	quiet(t, w, m.tenant, 2*time.Minute)
	m.eventually(t, p) // what rules did counts as well
	if broken := p.verify(t); len(broken) > 0 {
		t.Error(broken)
	}
	m.compare(t, p, targets, rule)
	p.stop(t)
}

func item(key, operator string, value any) map[string]any {
	return map[string]any{"key": key, "operator": operator, "value": value}
}

func (m *movers) segment(t testing.TB, name string, items ...map[string]any) string {
	t.Helper()
	var made struct{ ID string }
	m.read(t, m.target(t, "POST", "/v1/target", map[string]any{"name": name, "entity_schema": "contact", "entity_filters": map[string]any{"filter": map[string]any{"items": items}}}), &made)
	return made.ID
}

func (m *movers) segments(t testing.TB) []string {
	return []string{
		m.segment(t, "Berlin", item("city", "equals", "Berlin")),
		m.segment(t, "not Berlin", item("city", "not_equals", "Berlin")),
		m.segment(t, "met and gone", item("_tags", "equals", "met"), item("city", "not_equals", "Berlin")),
		m.segment(t, "warm", item("label", "equals", "warm")),
		m.segment(t, "in the east", item("group", "equals", "East")),
		m.segment(t, "on the way", item("stage", "equals", "On the way")),
		m.segment(t, "put away", item("archived", "equals", "true")),
	}
}

// rules tag who comes to Berlin, and take the tag from who comes to where the tag
// leads: what a rule does moves people as well.
func (m *movers) rules(t testing.TB, berlin string) string {
	t.Helper()
	var met struct{ ID string }
	rule := func(trigger, action string) {
		m.must(t, "POST", "/api/saas/crm/automations", "", map[string]any{"name": trigger, "trigger": trigger, "isActive": true, "triggerConfig": map[string]any{"segmentId": berlin},
			"nodes": []map[string]any{{"id": "t", "type": "trigger"}, {"id": "a", "type": action, "data": map[string]any{"tag": "met"}}},
			"edges": []map[string]any{{"source": "t", "target": "a"}}}, &met)
	}
	rule("segment_left", "remove_tag")
	rule("segment_entered", "add_tag")
	return met.ID
}

// meet makes the people, half by each of two APIs, and learns where they are.
func (m *movers) meet(t testing.TB, people int) {
	t.Helper()
	for n := range people {
		var made struct{ ID string }
		phone := fmt.Sprintf("+9175000%05d", n)
		if n%2 == 0 {
			m.must(t, "POST", "/api/saas/crm/leads", "", map[string]any{"firstName": "Mover", "phone": phone}, &made)
		} else {
			m.read(t, m.target(t, "POST", "/api/v1/lead/retail", map[string]any{"utmSource": "chaos", "firstName": "Mover", "phones": []string{phone}}), &made)
		}
		m.ids = append(m.ids, made.ID)
	}
	var groups []struct{ ID string }
	m.read(t, m.target(t, "GET", "/api/v1/groups", nil), &groups)
	m.group = groups[0].ID
	var lines []struct{ Stages []struct{ ID string } }
	m.must(t, "GET", "/api/saas/crm/pipelines", "", nil, &lines)
	m.stage, m.second = lines[0].Stages[0].ID, lines[0].Stages[1].ID
}

// uuid is how the targeting API writes an id.
func uuid(text string) string {
	v, _ := id.Parse(text)
	return v.UUID()
}

// storm moves people until stop is called, which tells what the server should not
// have said.
func (m *movers) storm(rng *rand.Rand) (stop func() (wrong []string)) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var mu sync.Mutex
	var wrong []string
	for range 6 {
		dice := rand.New(rand.NewPCG(rng.Uint64(), rng.Uint64()))
		wg.Go(func() {
			for ctx.Err() == nil {
				method, path, in := m.move(dice)
				a, err := m.call(ctx, method, path, "", in)
				switch {
				case err != nil || a.status == http.StatusServiceUnavailable:
					select { // it is down, or going down
					case <-ctx.Done():
					case <-time.After(10 * time.Millisecond):
					}
				case a.status/100 != 2 && a.status != http.StatusConflict && !(strings.HasSuffix(path, "merge") && a.status/100 == 4): // two that move one person at once, or who is one already
					mu.Lock()
					wrong = append(wrong, fmt.Sprintf("%s %s: %d %s", method, path, a.status, a.body))
					mu.Unlock()
				}
			}
		})
	}
	return func() []string { cancel(); wg.Wait(); return wrong }
}

// move is one change of somebody, or of a name that is in everybody's documents.
func (m *movers) move(dice *rand.Rand) (method, path string, in any) {
	one := func(list ...string) string { return list[dice.IntN(len(list))] }
	who, city := m.ids[dice.IntN(len(m.ids))], one("Berlin", "Bonn", "Bremen")
	lead, prospect, contact := "/api/saas/crm/leads/"+who, "/api/v1/prospect/"+who, "/v1/entity/contact/"+uuid(who)
	switch dice.IntN(14) {
	case 0, 1, 2:
		return "PATCH", lead, map[string]any{"customFields": map[string]any{"city": city}}
	case 3, 4:
		return "PATCH", prospect + "/additionalData", map[string]any{"city": city}
	case 5, 6:
		return "PATCH", contact, map[string]any{"city": city}
	case 7:
		return "PATCH", prospect, map[string]any{"label": one("warm", "cold")}
	case 8:
		return "PATCH", lead, map[string]any{"stageId": one(m.stage, m.second)}
	case 9:
		who = m.ids[dice.IntN(len(m.ids)/part)]
		if dice.IntN(2) == 0 {
			return "DELETE", "/v1/entity/contact/" + uuid(who), nil
		}
		return "PATCH", "/v1/entity/contact/" + uuid(who), map[string]any{"_deleted_at": nil}
	case 10:
		return "PATCH", "/api/v1/admin/group/" + m.group, map[string]any{"name": one("East", "West"), "displayName": ""}
	case 11, 12:
		n := len(m.ids) / part
		at := "/api/saas/crm/leads/" + m.ids[n+dice.IntN(n)]
		if dice.IntN(2) == 0 {
			return "POST", at + "/unmerge", map[string]any{}
		}
		return "POST", at + "/merge", map[string]any{"leadId": m.ids[n+dice.IntN(n)]}
	}
	return "PATCH", "/api/saas/crm/stages/" + m.stage, map[string]any{"name": one("On the way", "Here")}
}

// eventually waits until no comparison is owed.
func (m *movers) eventually(t testing.TB, p *proc) {
	t.Helper()
	eventually(t, 2*time.Minute, "the lane", func() (bool, string) {
		db := opened(t, p.options())
		defer db.Close()
		var owed, walks int
		err := db.Read(context.Background(), id.Zero).All().QueryRow("SELECT (SELECT COUNT(*) FROM segment_owed), (SELECT COUNT(*) FROM segment_seed)").Scan(&owed, &walks)
		return err == nil && owed+walks == 0, fmt.Sprint(owed, " comparisons and ", walks, " walks are owed ", err)
	})
}

// compare holds what is remembered, what was told, and what rules did against each
// other and against the live match.
func (m *movers) compare(t testing.TB, p *proc, targets []string, rule string) {
	t.Helper()
	db := opened(t, p.options())
	defer db.Close()
	tenant, err := id.Parse(m.id)
	if err != nil {
		t.Fatal(err)
	}
	r := db.Read(context.Background(), tenant)
	number := map[string]int64{} // of targets
	for _, v := range targets {
		own, _, _ := id.FromUUID(v)
		var n int64
		if err := r.QueryRow("SELECT number FROM segment WHERE tenant_id=? AND id=?", own).Scan(&n); err != nil {
			t.Fatal(err)
		}
		number[v] = n
	}
	told, comings := told(t, r)
	inside, away := 0, 0
	for k, who := range m.ids {
		var match struct {
			Results []struct{ Target struct{ ID string } }
		}
		m.read(t, m.target(t, "POST", "/v1/target:match", map[string]any{"entity_refs": []map[string]any{{"entity_id": uuid(who), "entity_schema": "contact"}}, "target_ids": targets}), &match)
		var live []string
		for _, hit := range match.Results {
			live = append(live, hit.Target.ID)
		}
		var is struct {
			Entity struct {
				ID string `json:"_id"`
			}
		}
		m.read(t, m.target(t, "GET", "/v1/entity/contact/"+uuid(who), nil), &is)
		merged := is.Entity.ID != uuid(who)
		if merged { // what matches is the other
			live = nil
			away++
		}
		var numbers []int64
		if _, err := store.Found(r.QueryRow("SELECT numbers FROM segment_member WHERE tenant_id=? AND entity_id=?", who).Scan(store.JSON(&numbers))); err != nil {
			t.Fatal(err)
		}
		for i, v := range targets {
			matches := slices.Contains(live, v)
			if matches {
				inside++
			}
			if remembered := slices.Contains(numbers, number[v]); remembered != matches {
				t.Errorf("%s in target %d: remembered %v, matches %v", who, i, remembered, matches)
			}
			if m.joined(k) { // who takes over what was told of another
				continue
			}
			news := told[uuid(who)+" "+v]
			for j := 1; j < len(news); j++ {
				if news[j] == news[j-1] {
					t.Errorf("%s was told twice to have %s target %d: %v", who, news[j], i, news)
				}
			}
			late := i == len(targets)-1
			if len(news) > 0 && ((news[len(news)-1] == "entered") != matches || news[0] == "left" && !late) || len(news) == 0 && matches && !late {
				t.Errorf("%s and target %d: told %v, matches %v", who, i, news, matches)
			}
		}
	}
	runs := pages[runRow](t, m.tenant, "/api/saas/crm/automations/"+rule+"/runs")
	of := map[string]int{}
	for _, run := range runs {
		of[run.LeadID]++
	}
	want := 0
	for i, who := range m.ids {
		if m.joined(i) {
			continue
		}
		n := comings[uuid(who)+" "+targets[0]]
		want += n
		// No rule starts for people who are put away.
		if of[who] > n || of[who] < n && i >= len(m.ids)/part {
			t.Errorf("%s came to Berlin %d times and the rule ran %d times", who, n, of[who])
		}
	}
	if want < len(m.ids)/10 || inside == 0 {
		t.Errorf("only %d came to Berlin, %d are anywhere: that proves nothing", want, inside)
	}
	t.Logf("%d people, %d of them merged, %d targets: %d memberships; Berlin was entered %d times", len(m.ids), away, len(targets), inside, want)
}

// told reads the events of membership in their order, by "entity target", and how
// often each entity entered a target.
func told(t testing.TB, r store.Reader) (news map[string][]string, comings map[string]int) {
	t.Helper()
	news, comings = map[string][]string{}, map[string]int{}
	var at event.Cursor
	for {
		page, err := event.After(r, at, 500)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			at = e.Cursor
			if e.Type != segment.Entered && e.Type != segment.Left {
				continue
			}
			k := e.Contact.UUID() + " " + e.Subject.UUID()
			news[k] = append(news[k], strings.TrimPrefix(e.Type, "segment."))
			if e.Type == segment.Entered {
				comings[k]++
			}
		}
		if len(page) < 500 {
			return news, comings
		}
	}
}
