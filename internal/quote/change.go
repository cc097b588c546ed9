package quote

import (
	"context"
	"slices"
	"strings"

	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Create is CreateIn in a transaction of its own.
func (s *Service) Create(ctx context.Context, tenant id.ID, actor string, n New) (Quote, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Quote, error) { return s.CreateIn(tx, actor, n) })
}

// Decide is DecideIn in a transaction of its own.
func (s *Service) Decide(ctx context.Context, tenant id.ID, actor string, cid, qid id.ID, status string) (Quote, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Quote, error) { return s.DecideIn(tx, actor, cid, qid, status) })
}

// maxQuotes bounds the quotes of one contact.
const maxQuotes = 1000

// CreateIn makes a quote for a contact and returns it; the timeline tells of it.
// It appends quote.created. Faults: NotFound; Invalid naming "status", "items",
// "items[<n>].quantity" and the like, or "additionalData".
func (s *Service) CreateIn(tx *store.Tx, actor string, n New) (Quote, error) {
	if n.Status == "" {
		n.Status = Pending
	}
	var bad fault.Collector
	if !slices.Contains(Statuses, n.Status) {
		bad.Add(fault.Field("status", "status must be one of %s", strings.Join(Statuses, ", ")))
	}
	items, total, err := checkItems(n.Items)
	bad.Add(err)
	if err := bad.Err(); err != nil {
		return Quote{}, err
	}
	c, err := s.contacts.LockedIn(tx, n.Contact)
	if err != nil {
		return Quote{}, err
	}
	var have int
	if err := tx.QueryRow("SELECT COUNT(*) FROM quote WHERE tenant_id=? AND contact_id=?", c.ID).Scan(&have); err != nil {
		return Quote{}, err
	}
	if have >= maxQuotes {
		return Quote{}, fault.Field("items", "a contact has at most %d quotes", maxQuotes)
	}
	q := Quote{ID: id.New(), Contact: c.ID, Status: n.Status, Items: items, Total: total, Data: n.Data, CreatedBy: actor, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
	if q.Data == nil {
		q.Data = map[string]any{}
	}
	q.finish(tx)
	// The timeline looks at what the open parts hold, and so they are looked at.
	products := make([]any, 0, len(items))
	for _, it := range items {
		products = append(products, it.Product)
	}
	if err := s.contacts.CheckOpen("additionalData", q.Data); err != nil {
		return Quote{}, err
	}
	if err := s.contacts.CheckOpen("items", map[string]any{"products": products}); err != nil {
		return Quote{}, err
	}
	if _, err := tx.Exec("INSERT INTO quote (tenant_id, "+columns+") VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", q.ID, q.Contact, q.Status, store.JSON(q.Items), q.Total,
		store.JSON(q.Data), q.CreatedBy, q.CreatedAt, q.AcceptedAt, q.RejectedAt, q.UpdatedAt); err != nil {
		return Quote{}, err
	}
	if err := s.record(tx, actor, q, "quote", "Quote made"); err != nil {
		return Quote{}, err
	}
	_, err = s.log.Append(tx, event.New{Type: "quote.created", Subject: q.ID, Contact: q.Contact, Changed: []string{"status:" + q.Status}, Actor: actor})
	return q, err
}

func (q *Quote) finish(tx *store.Tx) {
	switch q.Status {
	case Accepted:
		q.AcceptedAt = tx.Now()
	case Rejected:
		q.RejectedAt = tx.Now()
	}
}

func (s *Service) record(tx *store.Tx, actor string, q Quote, typ, title string) error {
	_, err := s.contacts.RecordIn(tx, contact.Activity{Contact: q.Contact, Type: typ, Title: title + ": " + q.Total,
		Metadata: map[string]any{"quoteId": q.ID.String(), "total": q.Total}, PerformedBy: actor})
	return err
}

// DecideIn accepts or rejects a quote, once and for good; saying the same again
// changes nothing. It appends quote.updated. Faults: NotFound naming "quote";
// Invalid naming "status"; Conflict with Reason "status" when it was decided the
// other way.
func (s *Service) DecideIn(tx *store.Tx, actor string, cid, qid id.ID, status string) (Quote, error) {
	switch status {
	case Accepted, Rejected:
	case "":
		return Quote{}, fault.Missing("status")
	default:
		return Quote{}, fault.Field("status", "status must be accepted or rejected")
	}
	c, err := s.contacts.LockedIn(tx, cid)
	if err != nil {
		return Quote{}, err
	}
	q, err := s.Get(tx, c.ID, qid)
	if err != nil || q.Status == status {
		return q, err
	}
	if q.Status != Pending {
		return Quote{}, fault.New(fault.Conflict, "the quote is %s already and stays so; make another one", q.Status).Because("status").With("status", q.Status)
	}
	q.Status, q.UpdatedAt = status, tx.Now()
	q.finish(tx)
	if _, err := tx.Exec("UPDATE quote SET status=?, accepted_at=?, rejected_at=?, updated_at=? WHERE tenant_id=? AND id=?",
		q.Status, q.AcceptedAt, q.RejectedAt, q.UpdatedAt, q.ID); err != nil {
		return Quote{}, err
	}
	if err := s.record(tx, actor, q, "quote_"+status, "Quote "+status); err != nil {
		return Quote{}, err
	}
	_, err = s.log.Append(tx, event.New{Type: "quote.updated", Subject: q.ID, Contact: q.Contact, Changed: []string{"status:" + status}, Actor: actor})
	return q, err
}
