package sales

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"

	"parley/internal/fault"
	"parley/internal/handover"
	"parley/internal/httpx"
	"parley/internal/id"
)

// selectionWire is a selection that was made; ours.
type selectionWire struct {
	ID      string  `json:"id"`
	Total   int     `json:"total"`
	Created *string `json:"created"`
	Expires *string `json:"expires"`
}

// selectionBody names the prospects of a selection; without any the parameters of
// the list choose them.
type selectionBody struct {
	Prospects []string `json:"prospects"`
}

// selectProspects keeps the ids of the prospects that the body names, or else of what
// a list of prospects shows, by the list's own parameters; a limit is not cut to the
// list's. It is our own way to make what GET /contacts/selection reads: the original
// makes them in its console.
func (f *Face) selectProspects(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	flt, err := f.chosen(ctx, r)
	if err != nil {
		return nil, err
	}
	top, err := f.scope(ctx, r)
	if err != nil {
		return nil, err
	}
	v, err := f.s.Handovers.Select(ctx, r.Principal.Tenant, actor(r), top, flt)
	if err != nil {
		return nil, fault.Renamed(err, map[string]string{"phone": "phoneNumber"})
	}
	return httpx.JSON(http.StatusCreated, selectionWire{v.ID.String(), v.Total, moment(v.CreatedAt), moment(v.CreatedAt.Add(handover.KeepSelection))}), nil
}

// chosen reads whom a selection is of.
func (f *Face) chosen(ctx context.Context, r *httpx.Request) (handover.Filter, error) {
	var body selectionBody
	if len(r.Body) > 0 {
		if err := r.Decode(&body); err != nil {
			return handover.Filter{}, err
		}
	}
	if len(body.Prospects) > 0 {
		return f.named(ctx, r, body.Prospects)
	}
	flt, some, err := f.prospectFilter(ctx, r)
	if err != nil {
		return flt, err
	}
	if flt.Limit, err = r.QueryInt("limit", 0, 1, math.MaxInt); err == nil && !some {
		flt = handover.Filter{Among: []id.ID{}}
	}
	return flt, err
}

// named is a filter for prospects named by their ids, each of which the key sees;
// NotFound else.
func (f *Face) named(ctx context.Context, r *httpx.Request, texts []string) (flt handover.Filter, err error) {
	if len(texts) > handover.MaxList {
		return flt, fault.Field("prospects", "prospects names at most %d; use the parameters of the list for more", handover.MaxList)
	}
	if flt.Scope, err = f.scope(ctx, r); err != nil {
		return flt, err
	}
	given := make([]id.ID, len(texts))
	for i, text := range texts {
		if given[i], err = parseID(fmt.Sprintf("prospects[%d]", i), "prospect", text); err != nil {
			return flt, err
		}
	}
	reads := f.s.Handovers.Reads(ctx, r.Principal.Tenant)
	work, err := f.s.Handovers.GetMany(reads, given)
	if err != nil {
		return flt, err
	}
	once := map[id.ID]bool{}
	for _, v := range given {
		w, ok := work[v]
		if !ok {
			return flt, fault.Unknown("prospect")
		}
		if !once[w.Contact] {
			once[w.Contact] = true
			flt.Among = append(flt.Among, w.Contact)
		}
	}
	seen, err := f.s.Handovers.List(reads, flt)
	if err == nil && len(seen) < len(flt.Among) {
		err = fault.Unknown("prospect")
	}
	return flt, err
}

// contactsWire is a part of a selection.
type contactsWire struct {
	Contacts []any `json:"contacts"`
	Total    int   `json:"total"`
}

// always are the fields of a contact of a selection that need not be asked for
// (reference §2.2).
var always = []string{"id", "status", "leads", "accountId", "account", "group", "groupId", "created"}

const (
	selected    = 100  // contacts of a part when no limit is given
	maxSelected = 1000 // at most
)

// selection answers a part of a selection. Contacts that are gone since, or that the
// key does not see now, are left out of it; total and offset count them.
func (f *Face) selection(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	sid, err := pathID(r, "selectionId", "selection")
	if err != nil {
		return nil, err
	}
	offset, err := r.QueryInt("offset", 0, 0, math.MaxInt)
	if err != nil {
		return nil, err
	}
	limit, err := r.QueryInt("limit", selected, 1, math.MaxInt)
	if err != nil {
		return nil, err
	}
	reads := f.s.Handovers.Reads(ctx, r.Principal.Tenant)
	v, err := f.s.Handovers.Selected(reads, sid)
	if err == nil && isUnknown(f.sees(ctx, r, v.Group)) {
		err = fault.Unknown("selection")
	}
	if err != nil {
		return nil, err
	}
	out := contactsWire{Contacts: []any{}, Total: v.Total}
	if offset < v.Total {
		if out.Contacts, err = f.selectedOf(ctx, r, sid, offset, min(limit, maxSelected)); err != nil {
			return nil, err
		}
	}
	return reply(r, out)
}

func (f *Face) selectedOf(ctx context.Context, r *httpx.Request, sid id.ID, offset, limit int) ([]any, error) {
	reads := f.s.Handovers.Reads(ctx, r.Principal.Tenant)
	ids, err := f.s.Handovers.SelectedIDs(reads, sid, offset, limit)
	if err != nil {
		return nil, err
	}
	top, err := f.scope(ctx, r)
	if err != nil {
		return nil, err
	}
	work, err := f.s.Handovers.GetMany(reads, ids)
	if err != nil {
		return nil, err
	}
	groups, err := f.s.Agents.Subtree(reads, top)
	if err != nil {
		return nil, err
	}
	in := make(map[id.ID]bool, len(groups))
	for _, g := range groups {
		in[g] = true
	}
	var list []handover.Work
	seen := map[id.ID]bool{} // two of them may be one by now
	for _, v := range ids {
		if w, ok := work[v]; ok && in[w.Group] && !seen[w.Contact] {
			seen[w.Contact] = true
			list = append(list, w)
		}
	}
	shown, err := f.prospectsOf(ctx, r.Principal.Tenant, list, r.Principal.Allows(readData))
	if err != nil {
		return nil, err
	}
	fields := r.QueryList("fields")
	out := make([]any, len(shown))
	for i := range shown {
		if out[i], err = only(shown[i], fields); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// only returns the fields of a prospect that were asked for, and those that are
// always there; everything when none were.
func only(p prospectWire, fields []string) (any, error) {
	if len(fields) == 0 {
		return p, nil
	}
	raw, err := httpx.EncodeJSON(p)
	if err != nil {
		return nil, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, err
	}
	for name := range all {
		if !slices.Contains(always, name) && !slices.Contains(fields, name) {
			delete(all, name)
		}
	}
	return all, nil
}
