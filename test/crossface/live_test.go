package crossface

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	parley "parley/sdk/go"
)

// feed keeps what a live client of the platform API hears.
type feed struct {
	mu    sync.Mutex
	heard []string // the event's name and its JSON
}

// listen connects a client to the tenant's live feed.
func (w *world) listen() *feed {
	w.Helper()
	c, err := parley.New(parley.WithBaseURL(w.tenant.URL), parley.WithAPIKey(w.platform.Token), parley.WithClientCode(w.tenant.Code))
	if err != nil {
		w.Fatal(err)
	}
	l := &feed{}
	for _, name := range []string{"crm.lead_created", "crm.lead_updated", "whatsapp.message_received", "whatsapp.message_sent"} {
		c.Realtime.On(name, func(e parley.Event) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.heard = append(l.heard, fmt.Sprintf("%s %s", e.Name, e.Args))
		})
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := c.Realtime.Connect(ctx); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		c.Realtime.Close()
		<-c.Realtime.Done()
	})
	return l
}

// hears looks for an event with every part in it.
func (w *world) hears(name string, parts ...string) string {
	w.live.mu.Lock()
	defer w.live.mu.Unlock()
	if slices.ContainsFunc(w.live.heard, func(h string) bool {
		return strings.HasPrefix(h, name+" ") && !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(h, p) })
	}) {
		return ""
	}
	return fmt.Sprintf("none of %d live events is %s with %q", len(w.live.heard), name, parts)
}
