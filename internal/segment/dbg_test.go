package segment

import "testing"
import "parley/internal/id"

func TestDbg(t *testing.T) {
	each(t, func(w *world) {
		for range 3 {
			w.person(map[string]any{"city": "Berlin"})
		}
		seg := w.segment("contact", "city", "Berlin")
		p, n, err := w.entities.Walk(w.r(), "contact", seg.Filter, id.Zero, 2)
		t.Log(p, n, err)
		for i := range 12 {
			d, nx, err := w.s.step(bg, w.tenant)
			var upto, walked int
			var after string
			w.r().QueryRow("SELECT upto,walked,after_id FROM segment_seed WHERE tenant_id=?").Scan(&upto, &walked, &after)
			t.Log(i, d, nx, err, upto, walked, after, w.count("SELECT COUNT(*) FROM segment_owed WHERE tenant_id=?"), w.count("SELECT COUNT(*) FROM segment_member WHERE tenant_id=?"))
		}
	})
}
