package conversation

import (
	"database/sql"
	"time"

	"parley/internal/channel"
	"parley/internal/id"
	"parley/internal/outbox/ledger"
	"parley/internal/store"
)

// Order is a cart that a person sent in a message.
type Order struct {
	ID      id.ID // of the message
	Catalog string
	Text    string // the note beside the cart
	Items   []channel.OrderItem
	At      time.Time
}

// Bounds of a cart that a person sends; what lies beyond is left out.
const (
	maxOrderItems = 100
	maxOrderText  = 200 // characters of an id
)

// tidyOrder takes out of a cart what no database can hold.
func tidyOrder(o *channel.Order) *channel.Order {
	if o == nil {
		return nil
	}
	clip := func(s string) string {
		r := []rune(ledger.Tidy(s))
		return string(r[:min(len(r), maxOrderText)])
	}
	out := &channel.Order{Catalog: clip(o.Catalog), Items: []channel.OrderItem{}}
	for _, i := range o.Items[:min(len(o.Items), maxOrderItems)] {
		i.Product, i.Currency = clip(i.Product), clip(i.Currency)
		out.Items = append(out.Items, i)
	}
	return out
}

// keepOrderIn keeps the cart of a stored message. It belongs to the conversation,
// so it goes wherever that goes when contacts are merged.
func keepOrderIn(tx *store.Tx, m Message, o *channel.Order) error {
	if o == nil {
		return nil
	}
	_, err := tx.Exec("INSERT INTO message_order (tenant_id, message_id, conversation_id, catalog, items, created_at) VALUES (?,?,?,?,?,?)",
		m.ID, m.Conversation, o.Catalog, store.JSON(o.Items), m.CreatedAt)
	return err
}

// Orders returns the carts that a contact sent, newest first, at most limit.
func (s *Service) Orders(r store.Reader, contactID id.ID, limit int) ([]Order, error) {
	// Behind conversation_by_contact and message_order_recent.
	rows, err := r.Query(`SELECT o.message_id, o.catalog, m.text, o.items, o.created_at FROM conversation c
		JOIN message_order o ON o.tenant_id=c.tenant_id AND o.conversation_id=c.id
		JOIN message m ON m.tenant_id=o.tenant_id AND m.id=o.message_id
		WHERE c.tenant_id=? AND c.contact_id=? ORDER BY o.created_at DESC, o.message_id DESC LIMIT ?`, contactID, limit)
	return store.Collect(rows, err, func(rows *sql.Rows) (o Order, err error) {
		err = rows.Scan(&o.ID, &o.Catalog, &o.Text, store.JSON(&o.Items), store.Time(&o.At))
		return o, err
	})
}
