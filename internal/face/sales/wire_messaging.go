package sales

// channelWire is a channel through which prospects are written to (reference
// §3.5, Channel).
type channelWire struct {
	Channel   string         `json:"channel"`   // whatsapp, facebook, instagram
	ChannelID string         `json:"channelId"` // the account's number or page
	Templates []templateWire `json:"templates"`
}

// templateWire is one template of a channel (reference §3.5, Template).
type templateWire struct {
	Key      string `json:"key"`
	Name     string `json:"name"`
	Body     string `json:"body"` // placeholders as {{parameter}}
	Template string `json:"template"`
}

// templateInput is the body of a template message (reference §3.5,
// NewTemplateMessage).
type templateInput struct {
	Key        *string            `json:"key"`
	Parameters map[string]*string `json:"parameters"`
}

// messageInput is the body of a free message (reference §3.5, NewMessage).
type messageInput struct {
	Content     *string           `json:"content"`
	List        *listInput        `json:"list"`
	Buttons     *buttonsInput     `json:"buttons"`
	ProductList *productListInput `json:"productList"`
}

// listInput, buttonsInput and productListInput are what a prospect chooses from
// (reference §3.4).
type listInput struct {
	Header   string        `json:"header"`
	Body     string        `json:"body"`
	Footer   string        `json:"footer"`
	Button   string        `json:"button"`
	Sections []listSection `json:"sections"`
}

type listSection struct {
	Title string        `json:"title"`
	Rows  []choiceInput `json:"rows"`
}

type choiceInput struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Description string `json:"description"`
}

type buttonsInput struct {
	Header  string        `json:"header"`
	Body    string        `json:"body"`
	Footer  string        `json:"footer"`
	Buttons []choiceInput `json:"buttons"`
}

type productListInput struct {
	Header string `json:"header"`
	Body   string `json:"body"`
	Footer string `json:"footer"`
	// Button is taken and not shown: the providers' lists of products have none.
	Button    map[string]any   `json:"button"`
	CatalogID string           `json:"catalogId"`
	Sections  []productSection `json:"sections"`
}

type productSection struct {
	Title    string        `json:"title"`
	Products []productItem `json:"productItems"`
}

type productItem struct {
	ProductID string `json:"productId"`
}

// orderWire is a cart that a prospect sent (reference §3.5, OrderByProspect);
// what the provider does not tell is left out.
type orderWire struct {
	OrderID   string          `json:"orderId"`
	CreatedAt *string         `json:"createdAt"`
	Items     []orderItemWire `json:"items"`
}

type orderItemWire struct {
	ID         string `json:"id,omitempty"`
	RetailerID string `json:"retailer_id"`
	Catalog    string `json:"product_catalog,omitempty"`
	Price      string `json:"price,omitempty"` // of one, "30 USD"
	// Quantity is ours.
	Quantity float64 `json:"quantity"`
}
