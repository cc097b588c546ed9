package sales

import (
	"encoding/json"

	"parley/internal/fault"
	"parley/internal/quote"
)

// quoteWire is a quote (reference §3.5).
type quoteWire struct {
	ID             string          `json:"id"`
	ProspectID     string          `json:"prospectId"`
	Status         string          `json:"status"`
	Items          []quoteItemWire `json:"items"`
	Total          json.Number     `json:"total"`
	CreatedAt      *string         `json:"createdAt"`
	RejectedAt     *string         `json:"rejectedAt,omitempty"`
	AcceptedAt     *string         `json:"acceptedAt,omitempty"`
	FinishedAt     *string         `json:"finishedAt,omitempty"`
	AdditionalData map[string]any  `json:"additionalData,omitzero"`
}

// quoteItemWire is a line of a quote. Numbers are written digit by digit, so that
// nothing is lost on the way.
type quoteItemWire struct {
	Quantity json.Number    `json:"quantity"`
	Price    json.Number    `json:"price,omitempty"`
	Currency string         `json:"currency,omitempty"`
	Concept  string         `json:"concept,omitempty"`
	Code     string         `json:"code,omitempty"`
	Product  map[string]any `json:"product,omitempty"`
}

// quoteOf writes a quote; withData shows additionalData (reference §1.3).
func quoteOf(q quote.Quote, withData bool) quoteWire {
	w := quoteWire{ID: q.ID.String(), ProspectID: q.Contact.String(), Status: q.Status, Items: []quoteItemWire{}, Total: json.Number(q.Total),
		CreatedAt: moment(q.CreatedAt), RejectedAt: moment(q.RejectedAt), AcceptedAt: moment(q.AcceptedAt), FinishedAt: moment(q.FinishedAt())}
	for _, i := range q.Items {
		w.Items = append(w.Items, quoteItemWire{Quantity: json.Number(i.Quantity), Price: json.Number(i.Price), Currency: i.Currency,
			Concept: i.Concept, Code: i.Code, Product: i.Product})
	}
	if withData {
		w.AdditionalData = q.Data
	}
	return w
}

// newQuoteBody is a quote to make (reference §3.5, NewQuote). additionalData is
// our own addition.
type newQuoteBody struct {
	Status string `json:"status"`
	Items  []struct {
		Quantity amount          `json:"quantity"`
		Price    json.RawMessage `json:"price"`
		Currency string          `json:"currency"`
		Concept  string          `json:"concept"`
		Code     string          `json:"code"`
		Product  map[string]any  `json:"product"`
	} `json:"items"`
	AdditionalData map[string]any `json:"additionalData"`
}

// amount is a number as it was written, also one in quotes.
type amount string

// UnmarshalJSON keeps the digits.
func (a *amount) UnmarshalJSON(b []byte) error {
	var n json.Number
	if err := json.Unmarshal(b, &n); err != nil {
		return &json.UnmarshalTypeError{Value: "a value that is no number"}
	}
	*a = amount(n)
	return nil
}

// items reads the lines; a price is a number or a MoneyAmount.
func (b *newQuoteBody) items() ([]quote.Item, error) {
	var bad fault.Collector
	out := make([]quote.Item, 0, len(b.Items))
	for n, i := range b.Items {
		it := quote.Item{Quantity: string(i.Quantity), Currency: i.Currency, Concept: i.Concept, Code: i.Code, Product: i.Product}
		var plain amount
		var money struct {
			Amount   amount `json:"amount"`
			Currency string `json:"currency"`
		}
		switch {
		case len(i.Price) == 0 || string(i.Price) == "null":
		case json.Unmarshal(i.Price, &plain) == nil:
			it.Price = string(plain)
		case json.Unmarshal(i.Price, &money) == nil && money.Amount != "":
			it.Price = string(money.Amount)
			if money.Currency != "" {
				it.Currency = money.Currency
			}
		default:
			bad.Add(fault.Field("items", "items[%d].price must be a number, or an amount with a currency", n))
		}
		out = append(out, it)
	}
	return out, bad.Err()
}
