package crossface

import (
	"fmt"
	"slices"
	"strings"
)

// notified looks for a notification with every part in it.
func (w *world) notified(parts ...string) string {
	for {
		select {
		case b := <-w.hooks.bodies:
			w.hooks.heard = append(w.hooks.heard, b)
			continue
		default:
		}
		break
	}
	if slices.ContainsFunc(w.hooks.heard, func(b string) bool {
		return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(b, p) })
	}) {
		return ""
	}
	return fmt.Sprintf("none of %d notifications has %q", len(w.hooks.heard), parts)
}

// inbox looks for a text in the person's conversation on the platform API.
func (w *world) inbox(p *person, part string) string {
	for _, c := range list(w.platform.Get(chat + "/conversations?search=" + p.phone).Get("data")) {
		id, _ := c["_id"].(string)
		return contains("the conversation", string(w.platform.Get(chat+"/conversations/"+id+"/messages").Body), part)
	}
	return "there is no conversation"
}

// putAway archives the person, seen by both.
func (w *world) putAway(p *person) {
	w.platform.Delete(leads + "/" + p.id).OK()
	w.Eventually("it is put away", func() bool { return w.sales.Get("/prospect/"+p.id).Str("status") == "archived" })
}

// opened opens the window for free messages.
func (w *world) opened(p *person) {
	w.texts(p, "hi from "+p.first)
	w.Eventually("the window is open", func() bool { return w.sales.Get("/prospect/"+p.id).Str("whatsAppDueAt") != "" })
}

// second makes another contact, younger than the person's.
func (w *world) second(p *person) {
	q := newPerson()
	p.other = w.sales.Post("/lead/retail", map[string]any{"firstName": q.first, "emails": []string{"second." + p.email}, "utmSource": "x"}).OK().Str("id")
}

// list reads a list of objects.
func list(v any) (out []map[string]any) {
	items, _ := v.([]any)
	for _, i := range items {
		if m, ok := i.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}
