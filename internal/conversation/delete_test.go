package conversation_test

import (
	"fmt"
	"strings"
	"testing"

	"parley/internal/conversation"
	"parley/internal/conversation/convtest"
	"parley/internal/fault"
	"parley/internal/id"
)

// Many conversations go in several transactions, each once.
func TestDeleteMany(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		var all []id.ID
		for i := range 120 {
			c, _, err := w.Conversations.Open(bg, w.Tenant, "key:test", conversation.Open{Phone: fmt.Sprintf("+9199%08d", i)})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, c.ID)
		}
		keep := all[60]
		gone := append(append(all[:60:60], all[61:]...), id.New(), all[0], all[119])
		n, err := w.Conversations.Delete(bg, w.Tenant, "key:test", gone)
		if err != nil || n != 119 || w.Events(t, "conversation.deleted") != 119 {
			t.Fatalf("%d deleted, %d events, %v", n, w.Events(t, "conversation.deleted"), err)
		}
		if _, err := w.Conversations.Get(bg, w.Tenant, keep); err != nil {
			t.Fatal(err)
		}
		if n, err := w.Conversations.Delete(bg, w.Tenant, "key:test", gone); n != 0 || err != nil {
			t.Fatalf("again: %d, %v", n, err)
		}
	})
}

func TestTheNameOfAConversationIsBounded(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		_, _, err := w.Conversations.Open(bg, w.Tenant, "key:test", conversation.Open{Phone: "+919900000000", Name: strings.Repeat("ü", 201)})
		if f := fault.As(err); f == nil || f.Field != "name" {
			t.Fatalf("a name of 201 characters: %v", err)
		}
		c, _, err := w.Conversations.Open(bg, w.Tenant, "key:test", conversation.Open{Phone: "+919900000000", Name: " " + strings.Repeat("ü", 200) + " "})
		if err != nil || c.Name != strings.Repeat("ü", 200) {
			t.Fatalf("%q %v", c.Name, err)
		}
	})
}
