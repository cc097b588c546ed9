package sales

import (
	"context"
	"iter"
	"net/http"
	"time"

	"parley/internal/httpx"
	"parley/internal/quote"
)

// quoteFilter reads what both lists of quotes have: the status and the three pairs
// of moments, each by its name (reference §2.4).
func quoteFilter(r *httpx.Request) (f quote.Filter, err error) {
	f.Status = r.QueryString("status")
	for _, p := range []struct {
		name string
		to   *time.Time
	}{{"createdAfter", &f.CreatedAfter}, {"createdBefore", &f.CreatedBefore}, {"acceptedAfter", &f.AcceptedAfter},
		{"acceptedBefore", &f.AcceptedBefore}, {"rejectedAfter", &f.RejectedAfter}, {"rejectedBefore", &f.RejectedBefore}} {
		if *p.to, err = queryTime(r, p.name); err != nil {
			return f, err
		}
	}
	return f, nil
}

// quoteRows lists the quotes of everybody in the key's scope, newest first; before
// and after name a quote or a prospect (reference §4.6). The 31 days do not concern
// quotes.
func (f *Face) quoteRows(ctx context.Context, r *httpx.Request) (any, iter.Seq2[any, error], error) {
	flt, err := quoteFilter(r)
	if err != nil {
		return nil, nil, err
	}
	if flt.Scope, err = f.scope(ctx, r); err != nil {
		return nil, nil, err
	}
	if flt.Limit, err = limitOf(r); err != nil {
		return nil, nil, err
	}
	if flt.Before, err = queryID(r, "before", "quote"); err != nil {
		return nil, nil, err
	}
	if flt.After, err = queryID(r, "after", "quote"); err != nil {
		return nil, nil, err
	}
	withData := r.Principal.Allows(readData)
	reads := f.s.Quotes.Reads(ctx, r.Principal.Tenant)
	return quoteWire{}, func(yield func(any, error) bool) {
		err := f.s.Quotes.Walk(reads, flt, func(page []quote.Quote) error {
			for _, q := range page {
				if w := quoteOf(q, withData); !yield(&w, nil) {
					return errClosed
				}
			}
			return nil
		})
		if err != nil && err != errClosed {
			yield(nil, asFilter(err))
		}
	}, nil
}

func (f *Face) prospectQuotes(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	cid, err := f.prospect(ctx, r)
	if err != nil {
		return nil, err
	}
	flt, err := quoteFilter(r)
	if err != nil {
		return nil, err
	}
	list, err := f.s.Quotes.OfContact(f.s.Quotes.Reads(ctx, r.Principal.Tenant), cid, flt)
	if err != nil {
		return nil, asFilter(err)
	}
	out := make([]quoteWire, 0, len(list))
	for _, q := range list {
		out = append(out, quoteOf(q, r.Principal.Allows(readData)))
	}
	return reply(r, out)
}

// addQuote makes a quote: 201 (reference §2.4).
func (f *Face) addQuote(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	cid, err := f.prospect(ctx, r)
	if err != nil {
		return nil, err
	}
	var b newQuoteBody
	if err := r.Decode(&b); err != nil {
		return nil, err
	}
	items, err := b.items()
	if err != nil {
		return nil, err
	}
	q, err := f.s.Quotes.Create(ctx, r.Principal.Tenant, actor(r), quote.New{Contact: cid, Status: b.Status, Items: items, Data: b.AdditionalData})
	if err != nil {
		return nil, err
	}
	res, err := reply(r, quoteOf(q, r.Principal.Allows(readData)))
	if err == nil {
		res.Status = http.StatusCreated
	}
	return res, err
}

func (f *Face) quote(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	cid, err := f.prospect(ctx, r)
	if err != nil {
		return nil, err
	}
	qid, err := pathID(r, "quoteId", "quote")
	if err != nil {
		return nil, err
	}
	q, err := f.s.Quotes.Get(f.s.Quotes.Reads(ctx, r.Principal.Tenant), cid, qid)
	if err != nil {
		return nil, err
	}
	return reply(r, quoteOf(q, r.Principal.Allows(readData)))
}

// decideQuote accepts or rejects a quote (reference §3.5, UpdateQuote).
func (f *Face) decideQuote(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	cid, err := f.prospect(ctx, r)
	if err != nil {
		return nil, err
	}
	qid, err := pathID(r, "quoteId", "quote")
	if err != nil {
		return nil, err
	}
	var b struct {
		Status string `json:"status"`
	}
	if err := r.Decode(&b); err != nil {
		return nil, err
	}
	q, err := f.s.Quotes.Decide(ctx, r.Principal.Tenant, actor(r), cid, qid, b.Status)
	if err != nil {
		return nil, err
	}
	return reply(r, quoteOf(q, r.Principal.Allows(readData)))
}
