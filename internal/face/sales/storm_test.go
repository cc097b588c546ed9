package sales_test

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"parley/internal/config"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/verify"
	"parley/test/apitest"
)

// stormSize is how many leads of how many people: PARLEY_SOAK=1 takes the full
// counts.
func stormSize() (leads, people int) {
	switch {
	case os.Getenv("PARLEY_SOAK") != "":
		return 10_000, 1_000
	case testing.Short():
		return 200, 20
	}
	return 600, 60
}

// stormLead is a lead with the keys by which it is known.
type stormLead struct {
	body []byte
	keys []string
}

// storm makes leads of people who have several phones and e-mails each, written in
// several ways; now and then a lead holds those of two people, who are one then.
func storm(rng *rand.Rand, leads, people int) []stormLead {
	type way struct{ key, written string }
	has := make([][2][]way, people) // phones, e-mails
	for i := range has {
		for n := range 1 + rng.IntN(3) {
			digits := fmt.Sprintf("5411%05d%03d", i, n)
			has[i][0] = append(has[i][0], way{digits, digits})
		}
		for n := range 1 + rng.IntN(3) {
			mail := fmt.Sprintf("p%d.%d@example.com", i, n)
			has[i][1] = append(has[i][1], way{mail, mail})
		}
	}
	pick := func(list []way) (out []way) {
		for _, w := range list {
			if rng.IntN(2) == 0 {
				out = append(out, w)
			}
		}
		return out
	}
	out := make([]stormLead, leads)
	for i := range out {
		who := []int{i % people} // everybody inquires
		if rng.IntN(40) == 0 {
			who = append(who, rng.IntN(people))
		}
		var phones, mails []string
		for _, p := range who {
			got, letters := pick(has[p][0]), pick(has[p][1])
			if len(got)+len(letters) == 0 {
				got = has[p][0][:1]
			}
			for _, w := range got {
				out[i].keys = append(out[i].keys, w.key)
				d := w.written
				phones = append(phones, []string{"+" + d, "+54 9 11 " + d[4:8] + "-" + d[8:], d, "00" + d}[rng.IntN(4)])
			}
			for _, w := range letters {
				out[i].keys = append(out[i].keys, w.key)
				mails = append(mails, []string{w.written, "  " + w.written, "P" + w.written[1:]}[rng.IntN(3)])
			}
		}
		out[i].body, _ = json.Marshal(map[string]any{"utmSource": "storm", "providerLeadId": fmt.Sprint("lead-", i), "firstName": fmt.Sprint("N", rng.IntN(9)), "phones": phones, "emails": mails})
	}
	return out
}

// sets is a union-find over keys.
type sets map[string]string

func (s sets) find(k string) string {
	if _, ok := s[k]; !ok {
		s[k] = k
	}
	for s[k] != k {
		s[k] = s[s[k]]
		k = s[k]
	}
	return k
}

func (s sets) join(keys []string) {
	for _, k := range keys {
		s[s.find(k)] = s.find(keys[0])
	}
}

// TestMergeStorm: leads with overlapping phones and e-mails, posted at once in any
// order, always end in the same prospects: the connected sets of a union-find.
// Nobody is lost, every lead is kept, and each person is new once.
func TestMergeStorm(t *testing.T) {
	apitest.Each(t, apitest.Options{Config: func(c *config.Server) { c.Roles = []string{config.RoleAPI} }}, func(t *testing.T, r *apitest.Rig) {
		n, people := stormSize()
		rng := rand.New(rand.NewPCG(7, uint64(n)))
		leads := storm(rng, n, people)
		model := sets{}
		for _, l := range leads {
			model.join(l.keys)
		}
		var partitions [2]map[string][]string
		for round := range partitions { // two orders
			acme := r.NewTenant(fmt.Sprint("Storm ", round))
			c := acme.Caller("leads:write")
			order := rng.Perm(n)
			began := time.Now()
			ended, fresh := post(t, r, c, leads, order)
			t.Logf("%d leads in %s", n, time.Since(began).Round(time.Millisecond))
			partitions[round] = survey(t, r, acme, leads, ended, model)
			if people := len(partitions[round]); fresh < people {
				t.Errorf("%d people, but only %d leads said that theirs was new", people, fresh)
			}
		}
		for root, members := range partitions[0] {
			if !slices.Equal(members, partitions[1][root]) {
				t.Errorf("the order matters: %v and %v", members, partitions[1][root])
			}
		}
		rep, err := verify.Run(context.Background(), r.App.DB)
		if err != nil || !rep.OK {
			t.Errorf("%v %+v", err, rep.Breaks)
		}
	})
}

// post sends every lead in an order from sixteen clients and returns in which
// prospect each ended, and how many were told that theirs was new.
func post(t *testing.T, r *apitest.Rig, c *apitest.Caller, leads []stormLead, order []int) (ended []id.ID, fresh int) {
	t.Helper()
	ended = make([]id.ID, len(leads))
	next := make(chan int, len(order))
	for _, i := range order {
		next <- i
	}
	close(next)
	tr := &http.Transport{MaxIdleConnsPerHost: 16}
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr, Timeout: 2 * time.Minute}
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range 16 {
		wg.Go(func() {
			for i := range next {
				req, _ := http.NewRequest("POST", r.URL+"/api/v1/lead/retail", bytes.NewReader(leads[i].body))
				req.Header.Set("X-API-Key", c.Token)
				resp, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				raw, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				var a struct {
					ID     id.ID
					Merged *bool
					Leads  []struct{ ProviderLeadID string }
				}
				if err != nil || resp.StatusCode != 200 || json.Unmarshal(raw, &a) != nil || a.Merged == nil || len(a.Leads) != 1 || a.Leads[0].ProviderLeadID != fmt.Sprint("lead-", i) {
					t.Errorf("lead %d: %d %s", i, resp.StatusCode, raw)
					continue
				}
				mu.Lock()
				if ended[i] = a.ID; !*a.Merged {
					fresh++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return ended, fresh
}

// survey compares what is stored with the model and returns the people: their
// phones and e-mails by the root of their set.
func survey(t *testing.T, r *apitest.Rig, acme *apitest.Tenant, leads []stormLead, ended []id.ID, model sets) map[string][]string {
	t.Helper()
	rd := r.App.DB.Read(context.Background(), acme.ID)
	type row struct {
		contact id.ID
		text    string
	}
	read := func(query string) []row {
		t.Helper()
		rows, err := rd.Query(query)
		list, err := store.Collect(rows, err, func(rows *sql.Rows) (v row, err error) { return v, rows.Scan(&v.contact, &v.text) })
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	owner := map[string]id.ID{}
	ways := map[id.ID][]string{}
	for _, v := range read("SELECT contact_id, value FROM identity WHERE tenant_id=? AND claimed") {
		owner[v.text] = v.contact
		ways[v.contact] = append(ways[v.contact], v.text)
	}
	// The partition is the model's, and nothing that was sent is missing.
	out := map[string][]string{}
	for k := range model {
		if owner[k].IsZero() {
			t.Fatalf("%s is lost", k)
		}
		if at := owner[model.find(k)]; at != owner[k] {
			t.Fatalf("%s and %s are one person, but two prospects", k, model.find(k))
		}
		out[model.find(k)] = nil
	}
	if len(ways) != len(out) {
		t.Fatalf("%d people, %d prospects", len(out), len(ways))
	}
	for root := range out {
		list := ways[owner[root]]
		slices.Sort(list)
		out[root] = list
		for _, k := range list {
			if model.find(k) != model.find(root) {
				t.Fatalf("%s and %s are two people, but one prospect", k, root)
			}
		}
	}
	// Every lead is kept, once, and its prospect's; and so the answer told, or its
	// id leads there.
	kept := map[string]id.ID{}
	for _, v := range read("SELECT contact_id, data FROM inquiry WHERE tenant_id=?") {
		var d struct{ ProviderLeadID string }
		if err := json.Unmarshal([]byte(v.text), &d); err != nil || !kept[d.ProviderLeadID].IsZero() {
			t.Fatalf("%s %v", v.text, err)
		}
		kept[d.ProviderLeadID] = v.contact
	}
	if len(kept) != len(leads) {
		t.Fatalf("%d leads of %d are kept", len(kept), len(leads))
	}
	now, err := r.App.Contacts.ResolveMany(rd, ended)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range leads {
		want := owner[l.keys[0]]
		at := ended[i]
		if to, ok := now[at]; ok {
			at = to
		}
		if kept[fmt.Sprint("lead-", i)] != want || at != want {
			t.Fatalf("lead %d is with %s and was told %s, want %s", i, kept[fmt.Sprint("lead-", i)], ended[i], want)
		}
	}
	// One card, one piece of work and one beginning each; no other contact.
	for what, query := range map[string]string{
		"contacts":           "SELECT id, '' FROM contact WHERE tenant_id=?",
		"primary deals":      "SELECT contact_id, '' FROM deal WHERE tenant_id=? AND is_primary",
		"pieces of work":     "SELECT contact_id, '' FROM handover WHERE tenant_id=?",
		"made by one event":  "SELECT contact_id, '' FROM event WHERE tenant_id=? AND type='contact.created' AND contact_id IN (SELECT id FROM contact)",
		"primary identities": "SELECT DISTINCT contact_id, '' FROM identity WHERE tenant_id=? AND is_primary",
	} {
		list := read(query)
		slices.SortFunc(list, func(a, b row) int { return cmp.Compare(a.contact.String(), b.contact.String()) })
		if len(list) != len(out) || len(slices.CompactFunc(list, func(a, b row) bool { return a.contact == b.contact })) != len(out) {
			t.Errorf("%d %s of %d people", len(list), what, len(out))
		}
	}
	return out
}
