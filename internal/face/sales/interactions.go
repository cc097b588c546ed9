package sales

import (
	"context"
	"iter"

	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/interaction"
)

// interactionFilter reads what both lists read alike: status, and via in all
// spellings (reference §1.6, §2.3).
func interactionFilter(r *httpx.Request) (f interaction.Filter) {
	f.Status = r.QueryString("status")
	for _, v := range r.QueryList("via") {
		if v != "" {
			f.Via = append(f.Via, v)
		}
	}
	return f
}

// interactionRows lists the interactions of everybody in the key's scope, newest
// first. Without a limit and without a date it shows the last 31 days (reference
// §4.4); before and after name an interaction or a prospect (§4.6).
func (f *Face) interactionRows(ctx context.Context, r *httpx.Request) (any, iter.Seq2[any, error], error) {
	flt := interactionFilter(r)
	var err error
	if flt.Scope, err = f.scope(ctx, r); err != nil {
		return nil, nil, err
	}
	if flt.Limit, err = limitOf(r); err != nil {
		return nil, nil, err
	}
	now := f.s.Clock.Now()
	if flt.CreatedAfter, flt.CreatedBefore, err = window(r, now, flt.Limit > 0, "createdAfter", "start", "createdBefore", "end"); err != nil {
		return nil, nil, err
	}
	if flt.Limit == 0 && flt.CreatedAfter.IsZero() && flt.CreatedBefore.IsZero() {
		flt.CreatedAfter = recent(now)
	}
	if flt.Before, err = queryID(r, "before", "interaction"); err != nil {
		return nil, nil, err
	}
	if flt.After, err = queryID(r, "after", "interaction"); err != nil {
		return nil, nil, err
	}
	if flt.Agent, err = queryID(r, "agent", "agent"); isUnknown(err) {
		return interactionWire{}, func(func(any, error) bool) {}, nil // an id of somebody else's: nobody has it
	} else if err != nil {
		return nil, nil, err
	}
	reads := f.s.Interactions.Reads(ctx, r.Principal.Tenant)
	return interactionWire{}, f.interactionItems(ctx, r, func(each func([]interaction.Interaction) error) error {
		return f.s.Interactions.Walk(reads, flt, each)
	}), nil
}

// prospectInteractionRows lists all interactions of one prospect, newest first;
// neither the 31 days nor a limit concern it (reference §2.3, S).
func (f *Face) prospectInteractionRows(ctx context.Context, r *httpx.Request) (any, iter.Seq2[any, error], error) {
	cid, err := f.prospect(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	flt := interactionFilter(r)
	if flt.CreatedAfter, err = queryTime(r, "createdAfter", "start"); err != nil {
		return nil, nil, err
	}
	if flt.CreatedBefore, err = queryTime(r, "createdBefore", "end"); err != nil {
		return nil, nil, err
	}
	reads := f.s.Interactions.Reads(ctx, r.Principal.Tenant)
	return interactionWire{}, f.interactionItems(ctx, r, func(each func([]interaction.Interaction) error) error {
		return f.s.Interactions.WalkContact(reads, cid, flt, each)
	}), nil
}

// interactionItems yields what a walk gives, page by page.
func (f *Face) interactionItems(ctx context.Context, r *httpx.Request, walk func(func([]interaction.Interaction) error) error) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		err := walk(func(page []interaction.Interaction) error {
			list, err := f.interactionsFor(ctx, r, page)
			if err != nil {
				return err
			}
			for i := range list {
				if !yield(&list[i], nil) {
					return errClosed
				}
			}
			return nil
		})
		if err != nil && err != errClosed {
			yield(nil, asFilter(err))
		}
	}
}

// asFilter makes bad input of a list's parameters an INVALID_FILTER.
func asFilter(err error) error {
	if w := fault.As(err); w != nil && w.Code == fault.Invalid {
		return w.Because(reasonFilter)
	}
	return err
}

// oneInteraction answers an interaction, alone or as a list of one.
func (f *Face) oneInteraction(ctx context.Context, r *httpx.Request, i interaction.Interaction, asList bool) (*httpx.Response, error) {
	list, err := f.interactionsFor(ctx, r, []interaction.Interaction{i})
	if err != nil {
		return nil, err
	}
	if asList {
		return reply(r, list)
	}
	return reply(r, list[0])
}

func (f *Face) interaction(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	cid, err := f.prospect(ctx, r)
	if err != nil {
		return nil, err
	}
	iid, err := pathID(r, "interactionId", "interaction")
	if err != nil {
		return nil, err
	}
	i, err := f.s.Interactions.Get(f.s.Interactions.Reads(ctx, r.Principal.Tenant), cid, iid)
	if err != nil {
		return nil, err
	}
	return f.oneInteraction(ctx, r, i, false)
}

// addInteraction records something that happened elsewhere; the answer is a list
// of the one interaction that it became (reference §2.3).
func (f *Face) addInteraction(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	cid, err := f.prospect(ctx, r)
	if err != nil {
		return nil, err
	}
	n, err := readEvent(r.Body)
	if err != nil {
		return nil, err
	}
	i, err := f.s.Interactions.Record(ctx, r.Principal.Tenant, actor(r), cid, n)
	if err != nil {
		return nil, err
	}
	return f.oneInteraction(ctx, r, i, true)
}

// changeBody is a change of a recorded event (reference §3.4, UpdateEvent).
type changeBody struct {
	Type         string  `json:"type"`
	Delivered    *bool   `json:"delivered"`
	Status       string  `json:"status"`
	Error        string  `json:"error"`
	Answer       *string `json:"answer"`
	CancelReason *string `json:"cancelReason"`
}

func (f *Face) changeInteraction(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	cid, err := f.prospect(ctx, r)
	if err != nil {
		return nil, err
	}
	iid, err := pathID(r, "interactionId", "interaction")
	if err != nil {
		return nil, err
	}
	var b changeBody
	if err := r.Decode(&b); err != nil {
		return nil, err
	}
	i, err := f.s.Interactions.Update(ctx, r.Principal.Tenant, actor(r), cid, iid,
		interaction.Update{Type: b.Type, Delivered: b.Delivered, Status: b.Status, Error: b.Error, Answer: b.Answer, CancelReason: b.CancelReason})
	if err != nil {
		return nil, err
	}
	return f.oneInteraction(ctx, r, i, false)
}
