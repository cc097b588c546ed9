package sales

import (
	"context"
	"strings"

	"parley/internal/conversation"
	"parley/internal/httpx"
)

// maxOrders bounds the list of a prospect's orders; it is also the default.
const maxOrders = 100

// orders lists the carts that a prospect sent, newest first (reference §2.2,
// §3.5): only what the provider told of them is known here.
func (f *Face) orders(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	cid, err := f.prospect(ctx, r)
	if err != nil {
		return nil, err
	}
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	if limit == 0 || limit > maxOrders {
		limit = maxOrders
	}
	list, err := f.s.Conversations.Orders(f.s.Conversations.Reads(ctx, r.Principal.Tenant), cid, limit)
	if err != nil {
		return nil, err
	}
	out := make([]orderWire, 0, len(list))
	for _, o := range list {
		out = append(out, orderOf(o))
	}
	return reply(r, out)
}

func orderOf(o conversation.Order) orderWire {
	w := orderWire{OrderID: o.ID.String(), CreatedAt: moment(o.At), Items: []orderItemWire{}}
	for _, i := range o.Items {
		item := orderItemWire{ID: i.Product, RetailerID: i.Product, Catalog: o.Catalog}
		item.Quantity, _ = i.Quantity.Float64()
		if i.Price != "" {
			item.Price = strings.TrimSpace(i.Price.String() + " " + i.Currency)
		}
		w.Items = append(w.Items, item)
	}
	return w
}
