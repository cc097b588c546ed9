package sales_test

import (
	"fmt"
	"sync"
	"testing"

	"parley/test/apitest"
)

// atOnce makes calls at the same time and counts their statuses.
func atOnce(n int, call func(i int) apitest.Answer) map[int]int {
	var all sync.WaitGroup
	var mu sync.Mutex
	out := map[int]int{}
	begin := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-begin
			a := call(i)
			mu.Lock()
			out[a.Status]++
			mu.Unlock()
		})
	}
	close(begin)
	all.Wait()
	return out
}

// TestAChannelIsConnectedOnce: of several who connect one channel at the same time
// one does; the others are told so and take nothing from it.
func TestAChannelIsConnectedOnce(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		c := r.NewTenant("Acme").Caller()
		for n := range 12 {
			body := map[string]any{"channel": "whatsapp", "channelId": fmt.Sprintf("loop-%d", n), "provider": map[string]any{"type": "loopback"}}
			if got := atOnce(8, func(int) apitest.Answer { return c.Post("/admin/channels", body) }); got[200] != 1 || got[409] != 7 {
				t.Fatalf("channel %d: %v", n, got)
			}
		}
	})
}

// TestChangesOfAChannelMeet: of two changes of one channel at the same time both
// are there afterwards, and a change brings back none that was taken away.
func TestChangesOfAChannelMeet(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		w := newCrew(r)
		c := w.Caller()
		for n := range 12 {
			at := "/admin/channel/" + c.Post("/admin/channels", map[string]any{"channel": "whatsapp", "channelId": fmt.Sprintf("number-%d", n),
				"provider": map[string]any{"type": "meta", "token": "t", "appSecret": "s"}}).OK().Str("id")
			changes := []map[string]any{{"group": w.north.ID.String()}, {"provider": map[string]any{"wabaId": "waba-1"}}}
			if got := atOnce(2, func(i int) apitest.Answer { return c.Patch(at, changes[i]) }); got[200] != 2 {
				t.Fatalf("channel %d: %v", n, got)
			}
			one := c.Patch(at, map[string]any{}).OK()
			if one.Get("groupId") != w.north.ID.String() || one.Str("provider.wabaId") != "waba-1" {
				t.Fatalf("channel %d lost a change: %s", n, one.Body)
			}
			atOnce(2, func(i int) apitest.Answer {
				if i == 0 {
					return c.Delete(at)
				}
				return c.Patch(at, map[string]any{"group": w.north.ID.String()})
			})
			c.Patch(at, map[string]any{}).Refused(404, "NOT_FOUND")
			for _, v := range c.Get("/admin/channels").OK().List() {
				t.Fatalf("channel %d is back: %v", n, v)
			}
		}
	})
}
