package agent_test

import (
	"strings"
	"testing"

	"parley/internal/agent"
	"parley/internal/id"
	"parley/internal/store"
)

func TestFindGroup(t *testing.T) {
	each(t, func(w world) {
		south := w.group(agent.Group{Name: "Southern Group", DisplayName: "Grupo Sur", Parent: w.root.ID})
		branch := w.group(agent.Group{Name: "Córdoba Centro", Parent: south.ID})
		plain := w.group(agent.Group{Name: "cordoba norte", Parent: south.ID})
		accent := w.group(agent.Group{Name: "Córdoba Norte", Parent: south.ID})
		twin := w.group(agent.Group{Name: "Twin", Parent: south.ID})
		w.group(agent.Group{Name: "twin", Parent: w.root.ID})
		aside := w.group(agent.Group{Name: "Aside", Parent: w.root.ID})
		check := func(root id.ID, text string, want id.ID) {
			t.Helper()
			g, found, err := w.s.FindGroup(w.r(), root, text)
			if err != nil || found == want.IsZero() || g.ID != want {
				w.Errorf("%q: %s %v %v, want %s", text, g.ID, found, err, want)
			}
		}
		look := func() {
			t.Helper()
			check(w.root.ID, " SOUTHERN group ", south.ID)
			check(w.root.ID, "grupo  sur", south.ID)
			check(w.root.ID, "CORDOBA CENTRO", branch.ID)
			check(w.root.ID, "cordoba norte", plain.ID)  // the exact one of two
			check(w.root.ID, "córdoba norte", accent.ID) // and the other
			check(w.root.ID, "twin", id.Zero)            // two of a name
			check(south.ID, "twin", twin.ID)             // one of them below
			check(south.ID, "Southern Group", south.ID)  // the root itself
			check(south.ID, "Aside", id.Zero)            // outside
			check(south.ID, aside.ID.String(), id.Zero)
			check(w.root.ID, aside.ID.String(), aside.ID)
			check(w.root.ID, "Nobody", id.Zero)
			check(w.root.ID, "", id.Zero)
			check(w.root.ID, "a\x00b", id.Zero)
		}
		look()
		// Groups that were written before there were keys.
		if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
			_, err := tx.Exec("UPDATE agent_group SET name_key=NULL, display_key=NULL WHERE tenant_id=?")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		look()
		// A new name is found, the old one is not.
		w.edit(branch.ID, agent.GroupPatch{Name: ptr("Centro")})
		check(w.root.ID, "centro", branch.ID)
		check(w.root.ID, "cordoba centro", id.Zero)
		if _, err := w.s.DeleteGroup(bg, w.tenant, actor, branch.ID); err != nil {
			t.Fatal(err)
		}
		check(w.root.ID, "centro", id.Zero)
	})
}

// A lead finds its group by the indexes of the names, however many groups there are.
func TestFindGroupReadsByTheNames(t *testing.T) {
	each(t, func(w world) {
		if w.db.Dialect() != store.SQLite {
			return
		}
		var plan []string
		for _, where := range []string{"g.name_key=?3", "g.display_key=?3", "g.name_key IS NULL AND ?3='x'"} {
			rows, err := w.r().Query("EXPLAIN QUERY PLAN SELECT g.id FROM agent_group g JOIN agent_group_path p ON p.tenant_id=g.tenant_id AND p.group_id=g.id AND p.ancestor_id=?2 WHERE g.tenant_id=?1 AND g.deleted_at IS NULL AND "+where, w.root.ID, "x")
			if err != nil {
				w.Fatal(err)
			}
			for rows.Next() {
				var a, b, c int
				var detail string
				if err := rows.Scan(&a, &b, &c, &detail); err != nil {
					w.Fatal(err)
				}
				plan = append(plan, detail)
			}
			rows.Close()
		}
		if got := strings.Join(plan, "; "); strings.Count(got, "agent_group_name")+strings.Count(got, "agent_group_display") != 3 {
			w.Error(got)
		}
	})
}
