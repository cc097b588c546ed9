package automation

import (
	"testing"

	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"

	"context"
)

// Rules start when somebody comes into a segment or leaves it, for one segment or
// for all, and know which it was.
func TestSegmentTriggers(t *testing.T) {
	each(t, func(w *world) {
		c := w.lead()
		w.settled()
		vip, cold := id.New(), id.New()
		w.s.Segments(func(_ context.Context, _, v id.ID) (string, error) {
			if v == vip {
				return "VIPs", nil
			}
			return "", fault.Unknown("segment")
		})
		act := `,"actions":[{"type":"add_tag","config":{"tag":"{{segment.name}}/{{segment.id}}"}}]}`
		all := w.rule(`{"name":"all","trigger":"segment_entered"` + act)
		one := w.rule(`{"name":"one","trigger":"segment_entered","triggerConfig":{"segmentId":"` + vip.UUID() + `"}` + act)
		hex := w.rule(`{"name":"hex","trigger":"segment_left","triggerConfig":{"segmentId":"` + cold.String() + `"}` + act)
		tell := func(typ string, v, who id.ID) {
			w.Helper()
			err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
				_, err := w.World.Log.Append(tx, event.New{Type: typ, Subject: v, Contact: who, Actor: "system", Changed: []string{"entity:" + who.String(), "schema:contact"}})
				return err
			})
			if err != nil {
				w.Fatal(err)
			}
			w.settled()
		}
		runs := func() [3]int { return [3]int{len(w.runs(all.ID)), len(w.runs(one.ID)), len(w.runs(hex.ID))} }
		for _, step := range []struct {
			typ  string
			v    id.ID
			want [3]int
		}{{"segment.entered", vip, [3]int{1, 1, 0}}, {"segment.entered", cold, [3]int{2, 1, 0}}, {"segment.left", vip, [3]int{2, 1, 0}}, {"segment.left", cold, [3]int{2, 1, 1}}} {
			if tell(step.typ, step.v, c.Contact.ID); runs() != step.want {
				t.Errorf("after %s of %s: %v runs, want %v", step.typ, step.v, runs(), step.want)
			}
		}
		tell("segment.entered", vip, id.Zero) // a record of nobody
		if runs() != [3]int{2, 1, 1} {
			t.Errorf("a record started a rule: %v", runs())
		}
		got, err := w.Contacts.Get(w.DB.Read(bg, w.Tenant), c.Contact.ID)
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"/" + cold.UUID(), "VIPs/" + vip.UUID()}; len(got.Tags) != 2 || got.Tags[0] != want[0] || got.Tags[1] != want[1] {
			t.Errorf("tags %q, want %q", got.Tags, want)
		}
		_, err = w.s.Create(bg, w.Tenant, "test", map[string]any{"name": "x", "trigger": "segment_left", "triggerConfig": map[string]any{"segmentId": "nobody"},
			"actions": []any{map[string]any{"type": "add_tag", "config": map[string]any{"tag": "x"}}}})
		if f := fault.As(err); f == nil || f.Field != "triggerConfig.segmentId" {
			t.Errorf("a segment that is no id: %v", err)
		}
	})
}
