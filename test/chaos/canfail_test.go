package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"parley/internal/id"
	"parley/internal/store"
)

// TestTheCheckCanFail takes facts away behind the server's back, and lets a phone
// receive a message twice: the check of the kill tests sees each of them.
func TestTheCheckCanFail(t *testing.T) {
	long(t)
	w := newWorld(t)
	p := newProc(t, parley(t), "", w.base)
	p.start(t)
	c := w.setUp(t, p)
	l := &load{t: t, w: w, c: c, j: newJournal(), ctx: context.Background()}
	for n := 1; n <= 4; n++ {
		l.fire(0, n)
		l.createLead(0, 10+n)
		l.write(0, 20+n)
		l.upsert(0, 30+n)
		l.send(0, 40+n)
	}
	for n := 1001; n <= 1205; n++ { // a page that is cut shorter than asked for looks like lost triggers
		l.fire(0, n)
	}
	quiet(t, w, c, time.Minute)
	check(t, w, c, l.j).report(t)
	if t.Failed() {
		return
	}
	again(t, w, c, l.j.sends["out-41;"])
	p.stop(t)
	db := opened(t, p.options())
	for _, q := range []string{
		"DELETE FROM identity WHERE value='9198" + fmt.Sprintf("%08d", 12) + "'",
		"UPDATE contact SET attributes='{}' WHERE id='" + l.j.people["+917000000008"] + "'",
		"DELETE FROM run WHERE trigger_id='" + l.j.fired["run-2;"].log + "'",
		"DELETE FROM message WHERE id='" + l.j.sends["out-43;"] + "'",
		"DELETE FROM message WHERE text='in-22;'",
		"UPDATE outbox SET state='queued', next_at=4000000000000 WHERE id='" + l.j.sends["out-44;"] + "'",
		"UPDATE message SET status='queued' WHERE id='" + l.j.sends["out-44;"] + "'",
	} {
		n, err := store.Write(context.Background(), db, id.Zero, func(tx *store.Tx) (int64, error) { return tx.System().Exec(q) })
		if err != nil || n != 1 {
			t.Fatalf("%s: %d rows, %v", q, n, err)
		}
	}
	_ = db.Close()
	p.start(t)
	f := check(t, w, c, l.j)
	for what, list := range map[string][]string{
		"lead ": f.lost, "the change of +917000000008": f.lost, "trigger run-2;": f.lost, "of send out-43;": f.lost, `"in-22;"`: f.lost,
		"the phone received message " + l.j.sends["out-41;"]: f.twice, "is left queued": f.other, "verify: ": f.other,
	} {
		if !contains(strings.Join(list, "\n"), what) {
			t.Errorf("the check does not see %q: lost %v, twice %v, other %v", what, f.lost, f.twice, f.other)
		}
	}
}

// again makes Meta take a message of ours a second time.
func again(t *testing.T, w *world, c *tenant, message string) {
	t.Helper()
	got, err := w.sim.Inbox("+919000000041")
	if err != nil || len(got) != 1 {
		t.Fatalf("inbox: %v %v", err, got)
	}
	b, _ := json.Marshal(map[string]any{"messaging_product": "whatsapp", "to": got[0].To, "type": got[0].Type, got[0].Type: got[0].Content, "biz_opaque_callback_data": message})
	r, err := http.NewRequest("POST", w.base+"/v24.0/"+c.account+"/messages", bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer token-of-chaos")
	r.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("the simulated Meta answers %d", resp.StatusCode)
	}
}
