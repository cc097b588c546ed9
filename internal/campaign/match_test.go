package campaign_test

import (
	"testing"

	"parley/internal/campaign"
	"parley/internal/entity"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// TestMatch follows reference §4.7.
func TestMatch(t *testing.T) {
	each(t, func(w *world) {
		a, b := w.person("Asha", "x"), w.person("Ben", "y")
		x, y := w.campaign("x", id.Zero), w.campaign("y", id.Zero)
		bare, err := w.s.Create(bg, w.Tenant, actor, campaign.New{Attributes: map[string]any{"name": "bare"}})
		w.check(err)
		ids := []id.ID{bare.ID, y.ID, id.New(), x.ID}
		for _, q := range []struct {
			refs   []entity.Ref
			status string
			want   []id.ID
		}{
			{nil, "", nil}, {[]entity.Ref{ref(a)}, "", []id.ID{x.ID}}, {[]entity.Ref{ref(a), ref(b)}, "", []id.ID{y.ID, x.ID}},
			{[]entity.Ref{{Schema: "contract", ID: a}}, "", nil}, {[]entity.Ref{ref(id.New())}, "", nil},
			{[]entity.Ref{ref(a)}, campaign.Active, nil}, {[]entity.Ref{ref(a)}, campaign.Draft, []id.ID{x.ID}},
		} {
			got, err := w.s.Match(w.r(), q.refs, ids, q.status)
			w.check(err)
			ok := len(got) == len(q.want)
			for i := range got {
				ok = ok && got[i].ID == q.want[i]
			}
			if !ok {
				w.Errorf("%+v: %v, want %v", q.refs, got, q.want)
			}
		}
	})
}

// TestSetUpAndDiscover makes a campaign with all that it needs, and offers it.
func TestSetUpAndDiscover(t *testing.T) {
	each(t, func(w *world) {
		who, stranger := w.person("Asha", "x"), w.person("Ben", "y")
		target := w.target("x")
		rule := w.rule(tags)
		w.s.DeliverBy(campaign.Channels{
			Widget: func(tx *store.Tx, _ string, v campaign.Widget) (string, error) {
				if v.Portal != "p" {
					return "", fault.Unknown("portal")
				}
				w.shown[v.Campaign.ID] = true
				return v.Block, nil
			},
			Flow: func(tx *store.Tx, _ string, f campaign.Flow) (id.ID, error) {
				if f.Template != "t" || f.Schema != entity.Contact {
					return id.Zero, fault.Field("template_id", "no")
				}
				return rule.ID, nil
			},
		})
		in := campaign.Setup{Type: campaign.TariffChange, Recommendation: map[string]any{"name": "Green", "priority": 1.0}, Name: "C", Goal: "G", Targets: []id.ID{target.ID},
			Journey: "j", Portal: "p", Block: "b", Template: "t"}
		var made []campaign.Made
		for _, p := range []float64{1, 3, 2} {
			in.Recommendation["priority"] = p
			m, err := w.s.SetUp(bg, w.Tenant, actor, in)
			w.check(err)
			if c := m.Campaign; m.Widget != "b" || c.Flow != rule.ID.UUID() || c.TargetID != target.ID || c.Status != campaign.Draft || c.NextBestAction["journey_id"] != "j" {
				w.Errorf("%+v", m)
			}
			made = append(made, m)
		}
		before := w.Count(w, "record", "1=1")
		for field, change := range map[string]func(s *campaign.Setup){
			"type": func(s *campaign.Setup) { s.Type = "x" }, "campaign.name": func(s *campaign.Setup) { s.Name = "" }, "campaign.target_ids": func(s *campaign.Setup) { s.Targets = nil },
			"campaign.target_ids[0]":           func(s *campaign.Setup) { s.Targets = []id.ID{id.New()} },
			"channels.portal_widget.portal_id": func(s *campaign.Setup) { s.Portal = "q" },
			"channels.email.automation_id":     func(s *campaign.Setup) { s.Flow = "q" },
			"channels.email.template_id":       func(s *campaign.Setup) { s.Template = "q" },
			"product_recommendation.priority":  func(s *campaign.Setup) { s.Recommendation = map[string]any{"priority": "high"} },
			"product_recommendation":           func(s *campaign.Setup) { s.Recommendation = nil },
		} {
			bad := in
			change(&bad)
			_, err := w.s.SetUp(bg, w.Tenant, actor, bad)
			w.invalid(err, field)
		}
		if n := w.Count(w, "record", "1=1"); n != before {
			w.Errorf("%d records were left by set-ups that were refused", n-before)
		}
		discover := func(who id.ID) []campaign.Discovered {
			w.Helper()
			got, err := w.s.Discover(w.r(), ref(who))
			w.check(err)
			return got
		}
		if got := discover(who); len(got) != 0 {
			w.Errorf("drafts are offered: %v", got)
		}
		for _, m := range made {
			w.exec("UPDATE campaign SET status='active' WHERE tenant_id=? AND id=?", m.Campaign.ID)
		}
		_, err := w.s.SetUIStatus(bg, w.Tenant, actor, made[2].Campaign.ID, ref(who), campaign.Seen)
		w.check(err)
		got := discover(who)
		if len(got) != 3 || got[0].Campaign.ID != made[1].Campaign.ID || got[1].Campaign.ID != made[2].Campaign.ID || got[1].Recipient.UIStatus != campaign.Seen || got[2].Campaign.ID != made[0].Campaign.ID {
			w.Errorf("%+v", got)
		}
		if got := discover(stranger); len(got) != 0 {
			w.Errorf("%+v", got)
		}
		_, err = w.records.Delete(bg, w.Tenant, actor, campaign.Recommendations, made[1].Recommendation)
		w.check(err)
		if got := discover(who); len(got) != 2 {
			w.Errorf("an action without its recommendation is offered: %+v", got)
		}
	})
}

// TestCampaignsAreWritten tries what an author may write.
func TestCampaignsAreWritten(t *testing.T) {
	each(t, func(w *world) {
		for field, attrs := range map[string]map[string]any{
			"status": {"status": "active"}, "job_id": {"job_id": "x"}, "name": {"name": 5.0}, "start_date": {"start_date": "tomorrow"}, "end_date": {"start_date": "2026-02-02", "end_date": "2026-02-01"},
			"target": {"target": "x"}, "target.$relation": {"target": map[string]any{"$relation": []any{map[string]any{"entity_id": id.New().UUID()}, map[string]any{"entity_id": id.New().UUID()}}}},
			"target.$relation[0].entity_id": {"target": map[string]any{"$relation": []any{map[string]any{"entity_id": "x"}}}}, "_tags": {"_tags": "x"}, "next_best_action": {"next_best_action": []any{}},
		} {
			_, err := w.s.Create(bg, w.Tenant, actor, campaign.New{Attributes: attrs})
			w.invalid(err, field)
		}
		c, err := w.s.Create(bg, w.Tenant, actor, campaign.New{Attributes: map[string]any{"name": "C", "goal": "G", "status": "draft", "start_date": "2026-01-31", "_tags": []any{"a"}, "budget": 5.0,
			"deep": map[string]any{"a": []any{1.0}}, "target": map[string]any{"$relation": []any{}}}})
		w.check(err)
		doc := campaign.Document(w.Tenant, c)
		if doc["id"] != c.ID.UUID() || doc["_id"] != doc["id"] || doc["_title"] != "C" || doc["budget"] == nil || doc["status"] != "draft" || doc["end_date"] != nil || doc["target"] == nil {
			w.Errorf("%v", doc)
		}
		same, err := w.s.Update(bg, w.Tenant, actor, c.ID, campaign.Change{Attributes: doc, Whole: true, Seen: c.UpdatedAt})
		if err != nil || !same.UpdatedAt.Equal(c.UpdatedAt) || w.Count(w, "event", "type='campaign.updated'") != 0 {
			w.Errorf("sent back as it was read: %+v %v", same, err)
		}
		next, err := w.s.Update(bg, w.Tenant, actor, c.ID, campaign.Change{Attributes: map[string]any{"name": "D", "budget": nil}})
		if err != nil || next.Name != "D" || next.Goal != "G" || next.Extra["budget"] != nil || !next.UpdatedAt.After(c.UpdatedAt) {
			w.Errorf("%+v %v", next, err)
		}
		_, err = w.s.Update(bg, w.Tenant, actor, c.ID, campaign.Change{Attributes: map[string]any{"name": "E"}, Seen: c.UpdatedAt})
		w.refused(err, "stale")
		whole, err := w.s.Update(bg, w.Tenant, actor, c.ID, campaign.Change{Attributes: map[string]any{"name": "F"}, Whole: true})
		if err != nil || whole.Goal != "" || len(whole.Extra) != 0 || whole.Tags != nil || whole.Target != nil {
			w.Errorf("%+v %v", whole, err)
		}
		docs, err := w.entities.Documents(w.r(), campaign.Schema, []id.ID{c.ID})
		if err != nil || docs[c.ID]["name"] != "F" {
			w.Errorf("%v %v", docs, err)
		}
	})
}
