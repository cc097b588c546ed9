package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// buyers is how many people the leads of the sales API are about.
const buyers = 40

// sell posts a lead about one of few people to the sales API, now by phone, now by
// e-mail, now by both: every second time under a key, until it is answered.
func (l *load) sell(_, n int) {
	who, mark := n%buyers, fmt.Sprint("lead-", n)
	in := map[string]any{"utmSource": "chaos", "firstName": fmt.Sprint("Buyer ", who), "comments": mark, "history": []any{map[string]any{"type": "note", "content": mark}}}
	if n%3 != 1 {
		in["phones"] = []string{buyerPhone(who)}
	}
	if n%3 != 0 {
		in["emails"] = []string{buyerMail(who)}
	}
	const path = "/api/v1/lead/retail"
	var a answer
	if n%2 == 0 {
		var ok bool
		if a, ok = l.insist(path, "sell-"+mark, in); !ok {
			return
		}
	} else {
		var err error
		if a, err = l.c.call(context.Background(), "POST", path, "", in); err != nil || a.status == http.StatusServiceUnavailable {
			return
		}
	}
	var made struct{ ID string }
	if a.status != 200 || json.Unmarshal(a.body, &made) != nil || made.ID == "" {
		l.wrong("POST %s: %d %s", path, a.status, a.body)
		return
	}
	l.j.note(func() {
		l.j.inquiries[mark] = who
		if n%3 == 2 { // the lead that has both makes one person of the two
			l.j.joined[who] = true
		}
	})
}

func buyerMail(who int) string { return fmt.Sprintf("buyer%d@x.example", who) }

func buyerPhone(who int) string { return fmt.Sprintf("+9171000%05d", who) }

// notified counts the notes of which the sales API's subscription was told.
func (w *world) notified(rw http.ResponseWriter, r *http.Request) {
	var in struct {
		Topic, Type string
		Interaction struct{ Output struct{ Comment string } }
	}
	b, _ := io.ReadAll(r.Body)
	if json.Unmarshal(b, &in) != nil || in.Topic == "" {
		http.Error(rw, "not a notification", http.StatusBadRequest)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if in.Topic == "interactions" && in.Type == "created" {
		w.noted[in.Interaction.Output.Comment]++
	}
}

// checkSales looks for every acknowledged lead with its prospect, once, and for
// the notification of its note, at least once.
func checkSales(t testing.TB, w *world, c *tenant, j *journal, f *findings) {
	kept := map[string]int{}
	for who := range buyers {
		prospects := map[string][]string{} // id -> marks
		for _, by := range []string{"phoneNumber=%2B" + buyerPhone(who)[1:], "search=" + buyerMail(who)} {
			var found []struct {
				ID    string
				Leads []struct{ Comments string }
			}
			a, err := c.call(context.Background(), "GET", "/api/v1/prospects?limit=100&"+by, "", nil)
			if err != nil || a.status != 200 || json.Unmarshal(a.body, &found) != nil {
				t.Fatalf("the prospects of buyer %d: %d %s %v", who, a.status, a.body, err)
			}
			for _, p := range found {
				prospects[p.ID] = nil
				for _, l := range p.Leads {
					prospects[p.ID] = append(prospects[p.ID], l.Comments)
				}
			}
		}
		if len(prospects) > 1 && j.joined[who] {
			f.twin("buyer %d is %d prospects", who, len(prospects))
		}
		for _, marks := range prospects {
			for _, m := range marks {
				kept[m]++
			}
		}
	}
	for mark, who := range j.inquiries {
		switch n := kept[mark]; {
		case n > 1:
			f.twin("lead %s of buyer %d is kept %d times", mark, who, n)
		case n == 0:
			f.lose("lead %s of buyer %d", mark, who)
		}
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		missing := ""
		w.mu.Lock()
		for mark := range j.inquiries {
			if w.noted[mark] == 0 {
				missing = mark
			}
		}
		w.mu.Unlock()
		if missing == "" {
			return
		}
		if time.Now().After(end) {
			f.lose("the notification of the note of %s", missing)
			return
		}
	}
}
