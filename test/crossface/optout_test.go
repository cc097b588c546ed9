package crossface

import (
	"testing"

	"parley/test/apitest"
)

// Whoever does not want messages gets none from a campaign either, however they
// said so: the recipient shows that the execution failed, and the phone is silent.
func TestCampaignsLeaveOptedOutPeopleAlone(t *testing.T) {
	apitest.Each(t, apitest.Options{Simulate: true}, func(t *testing.T, r *apitest.Rig) {
		w := newWorld(t, r)
		for _, before := range []string{platform, sales, targeting} {
			p := newPerson()
			w.known(p, before)
			for _, purpose := range []string{"marketing", "service"} {
				w.platform.Put(leads+"/"+p.id+"/consent", map[string]any{"channel": "whatsapp", "purpose": purpose, "state": "out", "source": "web form"}).OK()
			}
			w.campaigns(p)
			w.Eventually("the job of the campaign has finished", func() bool {
				return w.targets.Get("/v1/campaign/"+p.campaign+"/job").Str("status") == "finished"
			})
			a := w.targets.Get("/v1/campaign/" + p.campaign + "/recipients?automation_status=failed").OK()
			if a.Get("total") != 1.0 || a.Str("results.0.entity_id") != uuid(p.id) {
				t.Errorf("known by %s: the recipients are %s", before, a.Body)
			}
			if got := list(w.tenant.Call("GET", "/_sim/inbox?to="+p.phone, nil).Get("messages")); len(got) != 0 {
				t.Errorf("known by %s: the phone got %v", before, got)
			}
		}
	})
}
