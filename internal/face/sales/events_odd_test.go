package sales_test

import (
	"testing"
	"time"

	"parley/internal/id"
	"parley/test/apitest"
)

// TestOddEvents holds what no client should send, and some do, to answers that
// every client can read.
func TestOddEvents(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	apitest.Each(t, apitest.Options{At: now, Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		shop := acme.Group("Shop", id.Zero)
		c := acme.In(shop.ID)
		p := prospectOf(acme, "919876543210", shop.ID)
		at := "/prospect/" + p + "/interactions"

		// A year of five digits is no ISO 8601: a call ends before it.
		c.Post(at, map[string]any{"type": "call", "startedAt": "9999-12-31T23:59:59Z", "duration": 600_000_000}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		c.Post(at, map[string]any{"type": "message", "content": "x", "startedAt": "0500-01-01T00:00:00Z"}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		c.Post(at, map[string]any{"type": "call", "startedAt": "1999-12-31T23:59:59Z", "duration": 1000}).OK()

		// The parts of a message are objects (reference §3.4).
		for _, part := range []string{"list", "buttons", "productList", "order", "channelInteraction"} {
			for _, v := range []any{"text", 5, []any{}, true} {
				c.Post(at, map[string]any{"type": "message", "content": "x", part: v}).Refused(400, "SCHEMA_VALIDATION_FAILED")
			}
			c.Post(at, map[string]any{"type": "message", part: map[string]any{}}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		}
		c.Post(at, map[string]any{"type": "message", "attachment": map[string]any{}}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		c.Post(at, map[string]any{"type": "message", "attachment": map[string]any{"type": "image"}}).Refused(400, "SCHEMA_VALIDATION_FAILED")

		if a := c.Post(at, map[string]any{"type": "message", "content": "x", "attachment": map[string]any{}}).OK(); a.Get("0.output.message.attachment") != nil {
			t.Errorf("an empty attachment: %s", a.Body)
		}

		// A choice is what we offer, a cart is what the prospect sends.
		offer := c.Post(at, map[string]any{"type": "message", "list": map[string]any{"body": "b"}}).OK()
		if offer.Get("0.proactive") != true || offer.Str("0.output.message.performer") != "agent" || offer.Str("0.status") != "sent" {
			t.Errorf("an offer: %s", offer.Body)
		}
		cart := c.Post(at, map[string]any{"type": "message", "order": map[string]any{"catalogId": "c"}}).OK()
		if cart.Get("0.proactive") != false || cart.Str("0.output.message.performer") != "integration" {
			t.Errorf("a cart: %s", cart.Body)
		}
		// The way of a message is one of five (reference §3.3); others are told by the
		// interaction alone.
		if offer.Str("0.via") != "customApp" || offer.Get("0.output.message.via") != nil {
			t.Errorf("a message by another application: %s", offer.Body)
		}

		// Nothing was delivered to the portal while nothing was answered.
		q := c.Post(at, map[string]any{"type": "question", "question": "?", "delivered": true}).OK()
		if q.Get("0.output.question.delivered") != nil || q.Str("0.status") != "opened" {
			t.Errorf("a question without an answer: %s", q.Body)
		}
		one := "/prospect/" + p + "/interaction/" + q.Str("0.id")
		c.Put(one, map[string]any{"type": "question", "answer": "first"}).OK()
		if a := c.Put(one, map[string]any{"type": "question", "answer": "better"}).OK(); a.Str("output.question.answer") != "better" {
			t.Errorf("an answer that was not delivered: %s", a.Body)
		}
		q = c.Post(at, map[string]any{"type": "question", "question": "?", "answer": "!", "delivered": true}).OK()
		if q.Get("0.output.question.delivered") != true || q.Str("0.status") != "answered" {
			t.Errorf("a delivered answer: %s", q.Body)
		}
	})
}
