// Package parley is the Go client of a Parley server's platform API: leads,
// pipelines, automations, WhatsApp conversations, events, jobs, and the live
// feed.
//
//	c, err := parley.New(parley.WithAPIKey("erix_..."), parley.WithBaseURL("https://crm.example.com"))
//	lead, err := c.CRM.Leads.Create(ctx, parley.LeadInput{FirstName: "Priya", Phone: "+919876543210"})
//	for lead, err := range c.CRM.Leads.All(ctx, parley.LeadFilter{Status: "won"}) { ... }
//
// # Retries
//
// A call is tried again after a network error, 429 or 5xx, with exponential
// pauses and jitter; Retry-After is honoured. Every call that changes something
// carries an Idempotency-Key that stays the same over its tries, so that the
// server does it once, however often it is sent. Other 4xx are not repeated.
//
// # Errors
//
// An answer that is no success is an [*APIError]; 401 is also an
// [*AuthenticationError] and 429 also a [*RateLimitError], all found with
// errors.As. Any other error is of the network or the context.
//
// # Zero values
//
// What is left zero in an input or a filter is not sent. A [Field] in an update
// can also clear: [Set] sends a value, [Null] sends null, the zero Field is left
// out. Answers ignore fields that this package does not know.
//
// A [Client] and everything it hands out may be used by many goroutines.
package parley
