package channel

import (
	"context"
	"encoding/json"
	"fmt"
)

// Kinds of Prompt.
const (
	ReplyButtons = "buttons"  // up to a few buttons below a text
	RowList      = "list"     // a menu of rows in sections
	ProductList  = "products" // products of a catalog in sections
)

// Prompt is a message of kind Interactive: a person answers it by choosing. The answer comes
// as an Incoming of kind Interactive whose Payload is the id of what was chosen.
type Prompt struct {
	Kind     string          `json:"kind"` // ReplyButtons, RowList or ProductList
	Header   string          `json:"header,omitempty"`
	Body     string          `json:"body"`
	Footer   string          `json:"footer,omitempty"`
	Buttons  []Choice        `json:"buttons,omitempty"`  // of ReplyButtons
	Button   string          `json:"button,omitempty"`   // the words that open a list
	Sections []ChoiceSection `json:"sections,omitempty"` // of the two lists
	Catalog  string          `json:"catalog,omitempty"`  // of ProductList: the provider's id
}

// ChoiceSection is one titled part of a list.
type ChoiceSection struct {
	Title    string   `json:"title"`
	Rows     []Choice `json:"rows,omitempty"`     // of RowList
	Products []string `json:"products,omitempty"` // of ProductList: ids of the catalog
}

// Choice is what a person may choose.
type Choice struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"` // of a row
}

// Shown is the text of an interactive message as a reader sees it, one line for
// each part.
func (i *Prompt) Shown() string {
	s := i.Body
	if i.Header != "" {
		s = i.Header + "\n" + s
	}
	if i.Footer != "" {
		s += "\n" + i.Footer
	}
	return s
}

// Texts lists every text of a prompt.
func (i *Prompt) Texts() []string {
	out := []string{i.Header, i.Body, i.Footer, i.Button, i.Catalog}
	for _, b := range i.Buttons {
		out = append(out, b.ID, b.Title, b.Description)
	}
	for _, s := range i.Sections {
		out = append(append(out, s.Title), s.Products...)
		for _, r := range s.Rows {
			out = append(out, r.ID, r.Title, r.Description)
		}
	}
	return out
}

// Order is a cart that a person sent.
type Order struct {
	Catalog string      `json:"catalog,omitempty"`
	Items   []OrderItem `json:"items"`
}

// OrderItem is one product of an Order.
type OrderItem struct {
	Product  string      `json:"product"` // the retailer's id
	Quantity json.Number `json:"quantity"`
	Price    json.Number `json:"price,omitempty"` // of one, in units of the currency
	Currency string      `json:"currency,omitempty"`
}

// Checker is a channel that can tell before a message is promised that it can
// never be sent like this. The error is a sentence for the user.
type Checker interface {
	Check(m Outgoing) error
}

// Profile is what a provider tells of a person.
type Profile struct {
	FirstName, LastName string
}

// Profiler is a channel whose messages do not say who writes; the provider can
// be asked. A non-nil error is a *SendError: Refused when it does not tell.
type Profiler interface {
	Profile(ctx context.Context, a Account, address string) (Profile, error)
}

// Limit is a sentence about a text that is missing or too long at a provider,
// in characters; nil when it fits.
func Limit(what, text string, most int) error {
	if n := len([]rune(text)); n > most {
		return fmt.Errorf("%s must not be longer than %d characters, it has %d", what, most, n)
	}
	return nil
}
