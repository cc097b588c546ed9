package verify_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/verify"
)

// Every query must run on both databases, and an empty one breaks nothing.
// That each can fail is proved where there is data to break, in test/chaos.
func TestAnEmptyDatabaseHolds(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		rep, err := verify.Run(context.Background(), db)
		if err != nil || !rep.OK || rep.Checked != len(verify.Invariants) {
			t.Fatalf("%+v %v", rep, err)
		}
	})
}

// The published list and the checked one are the same, in the same order.
func TestTheGuaranteesAreTheInvariants(t *testing.T) {
	b, err := os.ReadFile("../../docs/guarantees.md")
	if err != nil {
		t.Fatal(err)
	}
	var published []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| (.+) \\|$").FindAllStringSubmatch(string(b), -1) {
		published = append(published, m[1]+": "+m[2])
	}
	var checked []string
	for _, inv := range verify.Invariants {
		checked = append(checked, fmt.Sprintf("%s: %s", inv.Name, inv.Says))
	}
	if strings.Join(published, "\n") != strings.Join(checked, "\n") {
		t.Fatalf("docs/guarantees.md lists\n%s\n\nbut verify checks\n%s", strings.Join(published, "\n"), strings.Join(checked, "\n"))
	}
}
