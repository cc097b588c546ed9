package whatsapp

import (
	"encoding/json"
	"fmt"

	"parley/internal/channel"
)

// The interactive part of a request (Meta Cloud API, "Interactive reply buttons
// messages", "Interactive list messages", "Share products, multi-product
// messages").

type outInteractive struct {
	Type   string    `json:"type"`
	Header *outTitle `json:"header,omitempty"`
	Body   outWords  `json:"body"`
	Footer *outWords `json:"footer,omitempty"`
	Action outAction `json:"action"`
}

type outTitle struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type outWords struct {
	Text string `json:"text"`
}

type outAction struct {
	Button   string       `json:"button,omitempty"`
	Buttons  []outButton  `json:"buttons,omitempty"`
	Catalog  string       `json:"catalog_id,omitempty"`
	Sections []outSection `json:"sections,omitempty"`
}

type outButton struct {
	Type  string   `json:"type"`
	Reply outReply `json:"reply"`
}

type outReply struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

type outSection struct {
	Title    string       `json:"title,omitempty"`
	Rows     []outRow     `json:"rows,omitempty"`
	Products []outProduct `json:"product_items,omitempty"`
}

type outRow struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
}

type outProduct struct {
	ID string `json:"product_retailer_id"`
}

// Meta's bounds, in characters and pieces, from the same pages.
const (
	mostHeader      = 60
	mostFooter      = 60
	mostBody        = 1024
	mostListBody    = 4096
	mostButtons     = 3
	mostButtonTitle = 20
	mostButtonID    = 256
	mostSections    = 10
	mostRows        = 10
	mostRowTitle    = 24
	mostRowID       = 200
	mostDescription = 72
	mostSection     = 24
	mostProducts    = 30
)

// Check implements channel.Checker for what a person chooses from: Meta refuses
// the rest of a message in its answer.
func (c *Channel) Check(m channel.Outgoing) error {
	if m.Kind != channel.Interactive {
		return nil
	}
	_, err := buildPrompt(m.Prompt)
	return err
}

// buildPrompt turns a prompt into Meta's shape. Its error is a sentence for the
// user.
func buildPrompt(p *channel.Prompt) (*outInteractive, error) {
	if p == nil || p.Body == "" {
		return nil, fmt.Errorf("a message with choices needs a body")
	}
	out := &outInteractive{Body: outWords{p.Body}}
	most := mostBody
	if p.Kind == channel.RowList {
		most = mostListBody
	}
	for _, err := range []error{channel.Limit("the body", p.Body, most), channel.Limit("the header", p.Header, mostHeader), channel.Limit("the footer", p.Footer, mostFooter)} {
		if err != nil {
			return nil, err
		}
	}
	if p.Header != "" {
		out.Header = &outTitle{"text", p.Header}
	}
	if p.Footer != "" {
		out.Footer = &outWords{p.Footer}
	}
	var err error
	switch p.Kind {
	case channel.ReplyButtons:
		out.Type = "button"
		out.Action.Buttons, err = buildButtons(p.Buttons)
	case channel.RowList:
		out.Type, out.Action.Button = "list", p.Button
		if err = titled("the button of a list", p.Button, mostButtonTitle); err == nil {
			out.Action.Sections, err = buildRows(p.Sections)
		}
	case channel.ProductList:
		out.Type, out.Action.Catalog = "product_list", p.Catalog
		switch {
		case p.Header == "":
			err = fmt.Errorf("WhatsApp wants a header for a list of products")
		case p.Catalog == "":
			err = fmt.Errorf("a list of products needs the catalog's id")
		default:
			out.Action.Sections, err = buildProducts(p.Sections)
		}
	default:
		err = fmt.Errorf("WhatsApp cannot send choices of kind %q", p.Kind)
	}
	return out, err
}

// titled checks a text that must be there and short.
func titled(what, text string, most int) error {
	if text == "" {
		return fmt.Errorf("%s must not be empty", what)
	}
	return channel.Limit(what, text, most)
}

// once checks that the ids by which answers are told apart are different.
type once map[string]bool

func (o once) take(what, id string, most int) error {
	if err := titled("the id of "+what, id, most); err != nil {
		return err
	}
	if o[id] {
		return fmt.Errorf("the id %q is there twice; answers could not be told apart", id)
	}
	o[id] = true
	return nil
}

func buildButtons(list []channel.Choice) (out []outButton, err error) {
	if len(list) == 0 || len(list) > mostButtons {
		return nil, fmt.Errorf("WhatsApp shows 1 to %d buttons, not %d; use a list for more", mostButtons, len(list))
	}
	seen := once{}
	for _, b := range list {
		if err := titled("a button's title", b.Title, mostButtonTitle); err != nil {
			return nil, err
		}
		if err := seen.take("a button", b.ID, mostButtonID); err != nil {
			return nil, err
		}
		out = append(out, outButton{"reply", outReply{b.ID, b.Title}})
	}
	return out, nil
}

func checkSections(list []channel.ChoiceSection) error {
	if len(list) == 0 || len(list) > mostSections {
		return fmt.Errorf("WhatsApp shows 1 to %d sections, not %d", mostSections, len(list))
	}
	for _, s := range list {
		if s.Title == "" && len(list) > 1 {
			return fmt.Errorf("each of several sections needs a title")
		}
		if err := channel.Limit("a section's title", s.Title, mostSection); err != nil {
			return err
		}
	}
	return nil
}

func buildRows(list []channel.ChoiceSection) (out []outSection, err error) {
	if err := checkSections(list); err != nil {
		return nil, err
	}
	seen := once{}
	for _, s := range list {
		if len(s.Rows) == 0 {
			return nil, fmt.Errorf("a section of a list needs rows")
		}
		section := outSection{Title: s.Title}
		for _, r := range s.Rows {
			if err := titled("a row's title", r.Title, mostRowTitle); err != nil {
				return nil, err
			}
			if err := channel.Limit("a row's description", r.Description, mostDescription); err != nil {
				return nil, err
			}
			if err := seen.take("a row", r.ID, mostRowID); err != nil {
				return nil, err
			}
			section.Rows = append(section.Rows, outRow{r.ID, r.Title, r.Description})
		}
		out = append(out, section)
	}
	if len(seen) > mostRows {
		return nil, fmt.Errorf("WhatsApp shows %d rows in all sections together, not %d", mostRows, len(seen))
	}
	return out, nil
}

func buildProducts(list []channel.ChoiceSection) (out []outSection, err error) {
	if err := checkSections(list); err != nil {
		return nil, err
	}
	n := 0
	for _, s := range list {
		if len(s.Products) == 0 {
			return nil, fmt.Errorf("a section of a list of products needs products")
		}
		section := outSection{Title: s.Title}
		for _, p := range s.Products {
			if p == "" {
				return nil, fmt.Errorf("a product needs its id")
			}
			section.Products = append(section.Products, outProduct{p})
			n++
		}
		out = append(out, section)
	}
	if n > mostProducts {
		return nil, fmt.Errorf("WhatsApp shows %d products in all sections together, not %d", mostProducts, n)
	}
	return out, nil
}

// inOrder is a cart (Meta Cloud API, "Order messages webhook reference").
type inOrder struct {
	Catalog text   `json:"catalog_id"`
	Text    string `json:"text"`
	Items   []struct {
		Product  text        `json:"product_retailer_id"`
		Quantity json.Number `json:"quantity"`
		Price    json.Number `json:"item_price"`
		Currency string      `json:"currency"`
	} `json:"product_items"`
}

// readOrder fills in a cart; false means that it does not have its shape.
func readOrder(m *channel.Incoming, part json.RawMessage) bool {
	v, ok := as[inOrder](part)
	if !ok {
		return false
	}
	m.Text, m.Order = v.Text, &channel.Order{Catalog: string(v.Catalog), Items: []channel.OrderItem{}}
	for _, i := range v.Items {
		m.Order.Items = append(m.Order.Items, channel.OrderItem{Product: string(i.Product), Quantity: i.Quantity, Price: i.Price, Currency: i.Currency})
	}
	return true
}
