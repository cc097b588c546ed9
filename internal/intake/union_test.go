package intake_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"parley/internal/id"
	"parley/internal/intake"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// TestLeadsAtOnceAreUnionFind: leads that overlap in any way, taken in any order
// and several at once, end in the connected sets of their phones and e-mails; each
// set is one contact with one card's worth of work, and every lead is kept.
func TestLeadsAtOnceAreUnionFind(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		seen := 0
		rapid.Check(t, func(rt *rapid.T) {
			if seen++; seen > 25 && testing.Short() {
				return
			}
			salt := id.New().String()
			digits := fmt.Sprintf("12%09d", fnv(salt)%900_000_000)[:8]
			model := map[string]string{}
			find := func(k string) string {
				for model[k] != k {
					k = model[k]
				}
				return k
			}
			var leads []intake.Lead
			var keys [][]string
			for range rapid.IntRange(2, 8).Draw(rt, "leads") {
				l := intake.Lead{Kind: intake.Retail, Source: "web", ProviderLeadID: fmt.Sprint(salt, ".", len(leads))}
				var k []string
				for _, n := range rapid.SliceOfN(rapid.IntRange(0, 6), 1, 3).Draw(rt, "ways") {
					if n%2 == 0 {
						p := fmt.Sprintf("%s%03d", digits, n)
						l.Phones, k = append(l.Phones, "+"+p), append(k, p)
					} else {
						m := fmt.Sprintf("%s.%d@example.com", salt, n)
						l.Emails, k = append(l.Emails, m), append(k, m)
					}
				}
				for _, x := range k {
					if _, ok := model[x]; !ok {
						model[x] = x
					}
					model[find(x)] = find(k[0])
				}
				leads, keys = append(leads, l), append(keys, k)
			}
			taken := make([]intake.Taken, len(leads))
			errs := make([]error, len(leads))
			var wg sync.WaitGroup
			for i := range leads {
				wg.Go(func() { taken[i], errs[i] = w.s.Take(bg, w.tenant, actor, leads[i]) })
			}
			wg.Wait()
			r := db.Read(bg, w.tenant)
			owner := map[string]id.ID{}
			count := map[id.ID]int{}
			fresh := map[id.ID]int{}
			for i, got := range taken {
				if errs[i] != nil {
					rt.Fatal(errs[i])
				}
				c, err := w.people.Get(r, got.Contact.ID)
				if err != nil {
					rt.Fatal(err)
				}
				root := find(keys[i][0])
				if at, ok := owner[root]; ok && at != c.ID {
					rt.Fatalf("one person is two: %s and %s", at, c.ID)
				}
				owner[root] = c.ID
				count[c.ID]++
				if !got.Merged {
					fresh[c.ID]++
				}
				work, err := w.handovers.Get(r, c.ID)
				if err != nil || work.Contact != c.ID {
					rt.Fatalf("%+v %v", work, err)
				}
			}
			people := map[id.ID]bool{}
			for _, cid := range owner {
				people[cid] = true
			}
			if len(people) != len(owner) {
				rt.Fatalf("%d people are %d contacts", len(owner), len(people))
			}
			for cid, n := range count {
				list, _, err := w.people.Inquiries(bg, w.tenant, cid, 1, 100)
				if err != nil || len(list) != n || fresh[cid] == 0 {
					rt.Fatalf("%s has %d inquiries of %d, %v; made by %d leads", cid, len(list), n, err, fresh[cid])
				}
				var ids []string
				for _, q := range list {
					s, _ := q.Data["providerLeadId"].(string)
					ids = append(ids, s)
				}
				slices.Sort(ids)
				if len(slices.Compact(ids)) != n || !strings.HasPrefix(ids[0], salt) {
					rt.Fatalf("leads are lost: %v", ids)
				}
			}
		})
	})
}

func fnv(s string) uint64 {
	n := uint64(14695981039346656037)
	for i := range len(s) {
		n = (n ^ uint64(s[i])) * 1099511628211
	}
	return n
}
