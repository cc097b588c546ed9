package campaign_test

import (
	"database/sql"
	"testing"
	"time"

	"parley/internal/campaign"
	"parley/internal/contact"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// pages reads a list to its end, page by page, and calls between before each page but
// the first.
func (w *world) pages(q campaign.RecipientQuery, between func()) (got []id.ID) {
	w.Helper()
	for {
		p, err := w.s.Recipients(w.r(), q)
		w.check(err)
		for _, v := range p.Recipients {
			got = append(got, v.Entity)
		}
		if q.Next = p.Next; q.Next == "" {
			return got
		}
		between()
	}
}

// once wants everybody in a list, and nobody twice.
func (w *world) once(got, want []id.ID) {
	w.Helper()
	met := map[id.ID]int{}
	for _, v := range got {
		met[v]++
	}
	for i, v := range want {
		if met[v] != 1 {
			w.Errorf("recipient %d was met %d times", i, met[v])
		}
	}
	if len(got) != len(want) {
		w.Errorf("met %d of %d", len(got), len(want))
	}
}

// Who comes while the list is read is on a later page, whatever the entity's id is and
// although the clock stands.
func TestPagesWhileOthersCome(t *testing.T) {
	each(t, func(w *world) {
		c := w.campaign("x", id.Zero)
		var who []id.ID
		for range 5 {
			who = append(who, w.person("P", "x"))
		}
		n := campaign.NewRecipient{PortalStatus: campaign.Sent}
		w.add(c.ID, who[3], n)
		w.add(c.ID, who[4], n)
		rest := []id.ID{who[1], who[0], who[2]}
		got := w.pages(campaign.RecipientQuery{Campaign: c.ID, Limit: 1}, func() {
			if len(rest) > 0 {
				w.add(c.ID, rest[0], n)
				rest = rest[1:]
			}
		})
		w.once(got, who)
		w.whole()
	})
}

// A transaction that is older than the page and commits behind it is on a later page.
func TestPagesWithALateCommit(t *testing.T) {
	each(t, func(w *world) {
		if w.DB.Dialect() == store.SQLite {
			w.Skip("there nobody commits late")
		}
		c := w.campaign("x", id.Zero)
		var who []id.ID
		for range 4 {
			who = append(who, w.person("P", "x"))
		}
		n := campaign.NewRecipient{PortalStatus: campaign.Sent}
		open, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error)
		go func() {
			done <- w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
				close(open)
				<-goOn
				n := n
				n.Entity = ref(who[0])
				_, err := w.s.AddRecipient(store.Join(bg, tx), w.Tenant, actor, c.ID, n)
				return err
			})
		}()
		<-open
		w.Clock.Advance(time.Second)
		for _, v := range who[1:] {
			w.add(c.ID, v, n)
		}
		late := true
		got := w.pages(campaign.RecipientQuery{Campaign: c.ID, Limit: 2}, func() {
			if late {
				late = false
				close(goOn)
				w.check(<-done)
			}
		})
		w.once(got, who)
		w.whole()
	}, storetest.Once())
}

// beside runs a change in a transaction and other while that is open; it commits once
// other is done, or waits for it.
func (w *world) beside(change func(tx *store.Tx) error, other func() error) error {
	w.Helper()
	done := make(chan error, 1)
	w.check(w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
		if err := change(tx); err != nil {
			return err
		}
		go func() { done <- other() }()
		for end := time.Now().Add(time.Minute); time.Now().Before(end) && len(done) == 0; time.Sleep(5 * time.Millisecond) {
			if storetest.Waiting(w, w.DB) > 0 {
				return nil
			}
		}
		return nil
	}))
	return <-done
}

// A campaign that is purged while somebody becomes its recipient leaves nobody behind.
func TestPurgeBesideANewcomer(t *testing.T) {
	each(t, func(w *world) {
		if w.DB.Dialect() == store.SQLite {
			w.Skip("there one writes after the other")
		}
		c := w.campaign("x", id.Zero)
		n := campaign.NewRecipient{Entity: ref(w.person("P", "x")), PortalStatus: campaign.Sent}
		w.check(w.beside(func(tx *store.Tx) error {
			_, err := w.s.AddRecipient(store.Join(bg, tx), w.Tenant, actor, c.ID, n)
			return err
		}, func() error {
			_, err := w.s.Delete(bg, w.Tenant, actor, c.ID, true)
			if err == nil {
				w.work(func() bool { return w.Count(w, "campaign", "id=?", c.ID) == 0 })
			}
			return err
		}))
		w.whole()
	}, storetest.Once())
}

// Whoever becomes a recipient while being renamed has the new name: nobody refreshes
// the title of somebody who was no recipient when the name changed.
func TestTitleBesideAChange(t *testing.T) {
	each(t, func(w *world) {
		if w.DB.Dialect() == store.SQLite {
			w.Skip("there one writes after the other")
		}
		c := w.campaign("x", id.Zero)
		who, name := w.person("Old", "x"), "New"
		w.check(w.beside(func(tx *store.Tx) error {
			_, _, err := w.Contacts.UpdateIn(tx, actor, who, contact.Patch{FirstName: &name})
			return err
		}, func() error {
			_, err := w.s.AddRecipient(bg, w.Tenant, actor, c.ID, campaign.NewRecipient{Entity: ref(who), PortalStatus: campaign.Sent})
			return err
		}))
		if v := w.recipient(c.ID, who); v.Title != name {
			w.Errorf("%+v", v)
		}
	}, storetest.Once())
}

// Who takes a status that nobody had while the page is read stays on it.
func TestPagesWhileStatusesMove(t *testing.T) {
	each(t, func(w *world) {
		c := w.campaign("x", id.Zero)
		var who []id.ID
		for range 3 {
			who = append(who, w.person("P", "x"))
			w.add(c.ID, who[len(who)-1], campaign.NewRecipient{PortalStatus: campaign.Sent})
		}
		for _, q := range []campaign.RecipientQuery{{}, {Q: "p"}, {Portal: []string{campaign.Sent, campaign.Seen, campaign.Clicked}}} {
			q.Campaign, q.Limit = c.ID, 10
			to := map[string]string{campaign.Sent: campaign.Seen, campaign.Seen: campaign.Clicked, campaign.Clicked: campaign.Sent}
			r := &moving{Reader: w.r(), move: func() {
				status := to[w.recipient(c.ID, who[1]).PortalStatus]
				_, err := w.s.ChangeRecipient(bg, w.Tenant, actor, c.ID, who[1], campaign.RecipientChange{PortalStatus: &status})
				w.check(err)
			}}
			p, err := w.s.Recipients(r, q)
			w.check(err)
			var got []id.ID
			for _, v := range p.Recipients {
				got = append(got, v.Entity)
			}
			w.once(got, who)
		}
		w.whole()
	})
}

// moving lets somebody change something before every query.
type moving struct {
	store.Reader
	move func()
}

func (m *moving) Query(query string, args ...any) (*sql.Rows, error) {
	m.move()
	return m.Reader.Query(query, args...)
}
