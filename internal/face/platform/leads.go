package platform

import (
	"context"
	"strings"
	"time"

	"parley/internal/deal"
	"parley/internal/fault"
	"parley/internal/httpx"
)

// lead answers one lead by id.
func (f *Face) lead(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	card, err := f.card(ctx, r)
	if err != nil {
		return nil, err
	}
	return ok(leadOf(r.Principal.TenantCode, card))
}

// card reads the lead that the path names.
func (f *Face) card(ctx context.Context, r *httpx.Request) (deal.Card, error) {
	contact, err := pathID("lead", r.Param("id"))
	if err != nil {
		return deal.Card{}, err
	}
	return f.s.Deals.Card(ctx, r.Principal.Tenant, contact)
}

// leadByPhone answers one lead by any spelling of its phone.
func (f *Face) leadByPhone(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	raw := r.Param("phone")
	if err := f.checkPhone(ctx, r, "phone", raw); err != nil {
		return nil, err
	}
	card, err := f.s.Deals.CardByPhone(ctx, r.Principal.Tenant, raw)
	if err != nil {
		return nil, err
	}
	return ok(leadOf(r.Principal.TenantCode, card))
}

// listLeads answers a page of leads.
func (f *Face) listLeads(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	q, nothing, err := leadFilter(r)
	if err != nil {
		return nil, err
	}
	return f.leadPage(ctx, r, q, nothing)
}

// leadPage answers the page of leads that a filter selects.
func (f *Face) leadPage(ctx context.Context, r *httpx.Request, q deal.CardFilter, nothing bool) (*httpx.Response, error) {
	var cards []deal.Card
	var err error
	total := 0
	if !nothing {
		if cards, total, err = f.s.Deals.List(ctx, r.Principal.Tenant, q); err != nil {
			return nil, err
		}
	}
	return httpx.JSON(0, list(leadsOf(r.Principal.TenantCode, cards), place{total: total, page: q.Page, limit: q.Limit})), nil
}

// leadFilter reads the query of the lead list. nothing is true when a filter
// names an id that cannot exist: such a filter matches no lead, like an id of
// somebody else.
func leadFilter(r *httpx.Request) (q deal.CardFilter, nothing bool, err error) {
	var all fault.Collector
	q.Page, q.Limit, err = paging(r, 25)
	all.Add(err)
	q.Status, err = statusFilter(r.QueryString("status"))
	all.Add(err)
	if q.Pipeline, err = pathID("pipeline", r.QueryString("pipelineId")); err != nil {
		nothing = nothing || r.QueryString("pipelineId") != ""
	}
	if q.Stage, err = pathID("stage", r.QueryString("stageId")); err != nil {
		nothing = nothing || r.QueryString("stageId") != ""
	}
	q.Source, q.AssignedTo, q.Search = r.QueryString("source"), r.QueryString("assignedTo"), r.QueryString("search")
	for _, name := range deal.RefFilters {
		if v := r.QueryString(name); v != "" {
			if q.Refs == nil {
				q.Refs = map[string]string{}
			}
			q.Refs[name] = v
		}
	}
	q.Tags = commaList(r.QueryList("tags"))
	if r.QueryString("minScore") != "" {
		least, err := r.QueryInt("minScore", 0, 0, 100)
		all.Add(err)
		q.MinScore = &least
	}
	q.From, err = r.QueryTime("startDate")
	all.Add(err)
	q.To, err = endOf(r, "endDate")
	all.Add(err)
	q.SortBy, err = oneOf(r, "sortBy", deal.ByScore, deal.ByScore, deal.ByCreated, deal.ByUpdated, deal.ByValue, deal.ByLastContacted)
	all.Add(err)
	q.SortDir, err = oneOf(r, "sortDir", "desc", "asc", "desc")
	all.Add(err)
	return q, nothing, all.Err()
}

// endOf reads the end of a range: a date means its whole day (reference §7).
func endOf(r *httpx.Request, name string) (time.Time, error) {
	t, err := r.QueryTime(name)
	if err == nil && !t.IsZero() && len(r.QueryString(name)) == len(time.DateOnly) {
		t = t.Add(24*time.Hour - time.Millisecond)
	}
	return t, err
}

// oneOf reads a choice.
func oneOf(r *httpx.Request, name, def string, choices ...string) (string, error) {
	v := r.QueryString(name)
	if v == "" {
		return def, nil
	}
	for _, c := range choices {
		if strings.EqualFold(c, v) {
			return c, nil
		}
	}
	return "", fault.Field(name, "%s must be one of %s", name, strings.Join(choices, ", "))
}

// commaList splits every value at commas and drops what is empty.
func commaList(values []string) []string {
	var out []string
	for _, v := range values {
		for _, s := range strings.Split(v, ",") {
			if s = strings.TrimSpace(s); s != "" {
				out = append(out, s)
			}
		}
	}
	return out
}

// archiveLead puts a lead away (§2.6 delete).
func (f *Face) archiveLead(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	contact, err := pathID("lead", r.Param("id"))
	if err != nil {
		return nil, err
	}
	card, err := f.s.Deals.Archive(ctx, r.Principal.Tenant, actor(r), contact)
	if err != nil {
		return nil, err
	}
	return told("the lead is archived", leadOf(r.Principal.TenantCode, card))
}

// timeline answers what happened to a lead, newest first (§2.9).
func (f *Face) timeline(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	page, limit, err := paging(r, 50)
	if err != nil {
		return nil, err
	}
	card, err := f.card(ctx, r)
	if err != nil {
		return nil, err
	}
	entries, total, err := f.s.Contacts.Timeline(ctx, r.Principal.Tenant, card.Contact.ID, page, limit)
	if err != nil {
		return nil, err
	}
	out := list(activitiesOf(r.Principal.TenantCode, entries), place{total: total, page: page, limit: limit})
	out.Items = out.Data
	return httpx.JSON(0, out), nil
}
