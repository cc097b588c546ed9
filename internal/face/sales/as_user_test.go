package sales_test

import (
	"fmt"
	"testing"

	"parley/internal/access"
	"parley/internal/agent"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/test/apitest"
)

func TestTransfer(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		w := newCrew(r)
		all, north := w.Caller(), w.In(w.north.ID)
		p := lead(north, map[string]any{"phones": phones("+919876543210")})
		at := "/prospect/" + p + "/transfer"
		to := func(field string, v id.ID) map[string]any { return map[string]any{field: v.String()} }
		if got := north.Post(at, to("user", w.asha.ID)).OK(); string(got.Body) != `{"success":true}` {
			t.Errorf("%s", got.Body)
		}
		if got := all.Get("/prospect/" + p).OK(); got.Str("status") != "followUp" || got.Str("agent.id") != w.asha.ID.String() || got.Str("groupId") != w.shop.ID.String() || got.Str("initialGroupId") != w.north.ID.String() {
			t.Errorf("%s", got.Body)
		}
		// Not to where the key does not see, and to exactly one place.
		north.Post(at, to("group", w.south.ID)).Refused(404, "NOT_FOUND")
		north.Post(at, to("user", w.bela.ID)).Refused(404, "NOT_FOUND")
		north.Post(at, to("group", id.New())).Refused(404, "NOT_FOUND")
		north.Post(at, map[string]any{"group": w.shop.ID.String(), "user": w.asha.ID.String()}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		north.Post(at, map[string]any{}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		north.Post(at, map[string]any{"group": "x"}).Refused(400, "INVALID_ID")
		w.In(w.south.ID).Post(at, to("group", w.south.ID)).Refused(404, "NOT_FOUND")
		north.Post(at, to("group", w.north.ID)).OK()
		if got := all.Get("/prospect/" + p).OK(); got.Str("status") != "unclaimed" || got.Get("agent") != nil || got.Get("assigned") != nil {
			t.Errorf("%s", got.Body)
		}
		// prospects:read is what it takes, odd as it is.
		w.Caller("prospects:read").Post(at, to("user", w.bela.ID)).OK()
		w.Caller("prospects:write").Post(at, to("user", w.bela.ID)).Refused(403, "INVALID_SCOPE")
	})
}

func TestActingAsAUser(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		w := newCrew(r)
		all := w.Caller()
		asha := w.WithKey(access.NewKey{Group: w.north.ID, User: w.asha.ID})
		p := lead(asha, map[string]any{"firstName": "Ann", "phones": phones("+919876543210")})
		at := "/prospect/" + p + "/as-user/"

		for _, call := range []func(c *apitest.Caller) apitest.Answer{
			func(c *apitest.Caller) apitest.Answer { return c.Get("/as-user/transfer") },
			func(c *apitest.Caller) apitest.Answer { return c.Get("/as-user/archiving-reasons") },
			func(c *apitest.Caller) apitest.Answer { return c.Get("/as-user/labels") },
			func(c *apitest.Caller) apitest.Answer {
				return c.Post(at+"transfer", map[string]any{"group": w.south.ID.String()})
			},
			func(c *apitest.Caller) apitest.Answer {
				return c.Post(at+"archive", map[string]any{"archivingReason": "converted"})
			},
			func(c *apitest.Caller) apitest.Answer { return c.Post(at+"label", map[string]any{"label": "hot"}) },
		} {
			call(all).Refused(409, "INTEGRATION_HAS_NO_USER")
			call(w.As(w.asha, "prospects:read", "prospects:write")).Refused(403, "INVALID_SCOPE")
		}

		where := asha.Get("/as-user/transfer").OK()
		if len(where.Get("agents").([]any)) != 1 || where.Str("agents.0.id") != w.asha.ID.String() || len(where.Get("groups").([]any)) != 2 || where.Str("groups.0.name") != "North" {
			t.Errorf("%s", where.Body)
		}
		if got := asha.Get("/as-user/labels").OK(); got.Str("0.key") != "cold" || got.Str("0.name") != "Cold" {
			t.Errorf("%s", got.Body)
		}
		if got := asha.Get("/as-user/archiving-reasons").OK(); got.Str("1.reason") != "converted" {
			t.Errorf("%s", got.Body)
		}
		if got := all.Get("/archiving-reasons?agent=" + w.bela.ID.String()).OK(); got.Str("0.reason") != "inactive" {
			t.Errorf("%s", got.Body)
		}
		all.Get("/archiving-reasons").Refused(400, "SCHEMA_VALIDATION_FAILED")
		asha.Get("/archiving-reasons?agent="+w.bela.ID.String()).Refused(404, "NOT_FOUND")

		asha.Post(at+"transfer", map[string]any{"user": w.asha.ID.String()}).OK()
		if got := asha.Post(at+"label", map[string]any{"label": "hot"}).OK(); got.Str("label") != "hot" || got.Str("status") != "followUp" {
			t.Errorf("%s", got.Body)
		}
		asha.Post(at+"label", map[string]any{"label": "boiling"}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		asha.Post(at+"label", map[string]any{}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		asha.Post(at+"transfer", map[string]any{"user": w.bela.ID.String()}).Refused(404, "NOT_FOUND")
		asha.Post(at+"transfer", map[string]any{}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		asha.Post(at+"archive", map[string]any{"firstName": "X"}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		asha.Post(at+"archive", map[string]any{"firstName": "X", "archivingReason": "boredom"}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		done := asha.Post(at+"archive", map[string]any{"firstName": "Anna", "archivingReason": "converted", "phone": "9876543299"}).OK()
		if done.Str("status") != "archived" || done.Str("archivingReason") != "converted" || done.Str("firstName") != "Anna" || fmt.Sprint(done.Get("phones")) != "[+919876543210 +919876543299]" || done.Str("agent.id") != w.asha.ID.String() {
			t.Errorf("%s", done.Body)
		}

		cid, _ := id.Parse(p)
		if _, err := r.App.Handovers.Unarchive(t.Context(), w.ID, "test", cid); err != nil {
			t.Fatal(err)
		}
		// Everything was signed by the agent.
		list, err := r.App.Handovers.History(r.App.Handovers.Reads(t.Context(), w.ID), cid, 0)
		if err != nil {
			t.Fatal(err)
		}
		signed := map[string]string{}
		for _, e := range list {
			signed[e.Move] = e.Actor
		}
		for _, move := range []string{handover.Transferred, handover.Labelled, handover.Archiving} {
			if signed[move] != "agent:"+w.asha.ID.String() {
				t.Errorf("%s was signed by %q", move, signed[move])
			}
		}
		// A refusal for the state of things is told in the answer.
		idle, off := w.Agent("Idle", "Ivo", w.shop.ID), false
		if _, err := r.App.Agents.Update(t.Context(), w.ID, "test", idle.ID, agent.Patch{Active: &off}); err != nil {
			t.Fatal(err)
		}
		if got := asha.Post(at+"transfer", map[string]any{"user": idle.ID.String()}).OK(); got.Get("success") != false || got.Str("error") == "" {
			t.Errorf("%s", got.Body)
		}
		all.Post("/prospect/"+p+"/transfer", map[string]any{"user": idle.ID.String()}).Refused(409, "CONFLICT")
	})
}
