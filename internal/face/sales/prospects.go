package sales

import (
	"context"
	"errors"
	"iter"
	"math"
	"slices"

	"parley/internal/fault"
	"parley/internal/filter"
	"parley/internal/handover"
	"parley/internal/httpx"
	"parley/internal/id"
)

// prospectRows lists prospects, newest first (reference §2.2). With a limit, which
// is cut to 5000, or within the window of 31 days (§4.4), which has none: then the
// list is streamed, however long it is, with memory for one page.
//
// Plans: handover/list.go names the index of each list; what a page shows beside
// the rows costs a query a table for 500 of them (see page.load).
func (f *Face) prospectRows(ctx context.Context, r *httpx.Request) (any, iter.Seq2[any, error], error) {
	flt, some, err := f.prospectFilter(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	if !some {
		return prospectWire{}, func(func(any, error) bool) {}, nil
	}
	return prospectWire{}, f.prospectsIn(ctx, r, flt), nil
}

// pageOf is how many prospects are put together at once.
const pageOf = 500

var errClosed = errors.New("nobody reads on")

// prospectsIn yields what a filter finds.
func (f *Face) prospectsIn(ctx context.Context, r *httpx.Request, flt handover.Filter) iter.Seq2[any, error] {
	withData := r.Principal.Allows(readData)
	reads := f.s.Handovers.Reads(ctx, r.Principal.Tenant)
	return func(yield func(any, error) bool) {
		show := func(page []handover.Work) error {
			list, err := f.prospectsOf(ctx, r.Principal.Tenant, page, withData)
			if err != nil {
				return err
			}
			for i := range list {
				if !yield(&list[i], nil) {
					return errClosed
				}
			}
			return nil
		}
		var err error
		if flt.Limit > 0 {
			var work []handover.Work
			work, err = f.s.Handovers.List(reads, flt)
			for part := range slices.Chunk(work, pageOf) {
				if err == nil {
					err = show(part)
				}
			}
		} else {
			err = f.s.Handovers.Walk(reads, flt, show)
		}
		if err != nil && err != errClosed {
			yield(nil, fault.Renamed(err, map[string]string{"phone": "phoneNumber"}))
		}
	}
}

// prospectFilter reads the parameters of a list of prospects; some is false when
// nothing can match.
func (f *Face) prospectFilter(ctx context.Context, r *httpx.Request) (flt handover.Filter, some bool, err error) {
	if flt.Scope, err = f.scope(ctx, r); err != nil {
		return flt, false, err
	}
	if flt.Limit, err = limitOf(r); err != nil {
		return flt, false, err
	}
	if err = prospectRange(r, f.s.Clock.Now(), &flt); err != nil {
		return flt, false, err
	}
	if flt.Before, err = queryID(r, "before", "prospect"); err != nil {
		return flt, false, err
	}
	if flt.After, err = queryID(r, "after", "prospect"); err != nil {
		return flt, false, err
	}
	some = true
	for _, p := range []struct {
		name string
		to   *id.ID
	}{{"agent", &flt.Agent}, {"group", &flt.Group}} {
		if *p.to, err = queryID(r, p.name, p.name); isUnknown(err) {
			some = false // an id of somebody else's: nobody has it
		} else if err != nil {
			return flt, false, err
		}
	}
	if flt.WithAgent, err = queryBool(r, "withAgent"); err != nil {
		return flt, false, err
	}
	flt.Status, flt.Category = r.QueryString("status"), r.QueryString("category")
	flt.Search, flt.Phone = r.QueryString("search"), r.QueryString("phoneNumber")
	flt.Attributes, err = dataFilter(r)
	return flt, some, err
}

// isUnknown tells a well-formed id that cannot be ours.
func isUnknown(err error) bool { return errors.Is(err, fault.Of(fault.NotFound)) }

// limitOf reads a limit: 0 without one, at most handover.MaxList (reference §2.2).
func limitOf(r *httpx.Request) (int, error) {
	n, err := r.QueryInt("limit", 0, 1, math.MaxInt)
	return min(n, handover.MaxList), err
}

// dataFilter reads the comparisons with additionalData (reference §4.5), which a key
// may make only if it may see what it compares with.
func dataFilter(r *httpx.Request) (filter.Filter, error) {
	list := r.QueryList("additionalData")
	if len(list) == 0 {
		return filter.Filter{}, nil
	}
	if !r.Principal.Allows(readData) {
		return filter.Filter{}, fault.New(fault.Forbidden, "this key may not filter by additionalData").Because("scope").With("scope", readData)
	}
	flt, err := filter.ParseComparisons("additionalData", list)
	if w := fault.As(err); w != nil {
		err = w.Because(reasonFilter)
	}
	return flt, err
}
