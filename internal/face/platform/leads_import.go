package platform

import (
	"context"
	"encoding/json"

	"parley/internal/deal"
	"parley/internal/fault"
	"parley/internal/httpx"
)

// importLeads stores many leads, known and new ones (§4.2, import). A row that
// fails is told of and the others are stored.
func (f *Face) importLeads(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	items, err := leadItems(r.Body)
	if err != nil {
		return nil, err
	}
	region := f.region(ctx, r)
	rows := make([]deal.NewCard, 0, len(items))
	at := make([]int, 0, len(items)) // the item of each row
	var out imported
	for i, raw := range items {
		n, err := importRow(raw, region)
		if err != nil {
			if fault.As(err) == nil {
				return nil, err
			}
			out.fail(i, raw, err)
			continue
		}
		rows, at = append(rows, n), append(at, i)
	}
	res, err := f.s.Deals.Import(ctx, r.Principal.Tenant, actor(r), rows)
	if err != nil {
		return nil, err
	}
	out.Created, out.Updated = res.Created, res.Updated
	out.Failed += res.Failed
	for _, e := range res.Errors {
		i := at[e.Row]
		bad := fault.As(leadFault(&fault.Error{Code: fault.Invalid, Field: e.Field, Message: e.Message}))
		out.Errors = append(out.Errors, rowError{Row: i, Index: i, Field: bad.Field, Phone: phoneOf(items[i]), Message: e.Message})
	}
	out.sort()
	return dual(out)
}

// importRow reads one row: the phone is all it needs.
func importRow(raw json.RawMessage, region regionOf) (deal.NewCard, error) {
	var in leadInput
	if err := httpx.DecodeJSON(raw, &in); err != nil {
		return deal.NewCard{}, err
	}
	var all fault.Collector
	if value(in.Phone) == "" {
		all.Add(fault.Missing("phone"))
	} else if err := phoneRule(region, "phone", *in.Phone); err != nil {
		if fault.As(err) == nil {
			return deal.NewCard{}, err
		}
		all.Add(err)
	}
	all.Add(newStatus(in, "an imported lead"))
	n, err := newCard(in)
	if err != nil && fault.As(err) == nil {
		return n, err
	}
	all.Add(err)
	return n, all.Err()
}

// phoneOf returns the phone that a row gives, for telling rows apart.
func phoneOf(raw json.RawMessage) string {
	var in struct {
		Phone any `json:"phone"`
	}
	if json.Unmarshal(raw, &in) != nil {
		return ""
	}
	return text(in.Phone)
}
