package platform

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"parley/internal/deal"
	"parley/internal/fault"
	"parley/internal/httpx"
)

// maxBulk is how many leads one call may create (reference §2.6, import).
const maxBulk = 1000

// createLeads makes many leads. Every lead is checked before the first is
// stored, against the others and against the people who are known; each is
// then a transaction of its own, or under an idempotency key a part of the key's.
func (f *Face) createLeads(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	items, err := leadItems(r.Body)
	if err != nil {
		return nil, err
	}
	cards, order, err := f.readNewLeads(ctx, r, items)
	if err != nil {
		return nil, err
	}
	out := make([]lead, len(cards))
	for _, i := range order {
		card, err := f.s.Deals.Create(ctx, r.Principal.Tenant, actor(r), cards[i])
		if err != nil {
			return nil, under(leadFault(err), item(i))
		}
		out[i] = leadOf(r.Principal.TenantCode, card)
	}
	return created(out)
}

func item(i int) string { return fmt.Sprintf("leads[%d]", i) }

// leadItems reads a bare list or {leads: [...]}.
func leadItems(body []byte) ([]json.RawMessage, error) {
	var items []json.RawMessage
	if b := bytes.TrimSpace(body); len(b) > 0 && b[0] == '[' {
		if err := httpx.DecodeJSON(body, &items); err != nil {
			return nil, err
		}
	} else {
		var in struct {
			Leads []json.RawMessage `json:"leads"`
		}
		if err := httpx.DecodeJSON(body, &in); err != nil {
			return nil, err
		}
		items = in.Leads
	}
	switch {
	case len(items) == 0:
		return nil, fault.Missing("leads")
	case len(items) > maxBulk:
		return nil, fault.Field("leads", "leads must hold at most %d leads; send them in several calls", maxBulk)
	}
	return items, nil
}

// readNewLeads reads and checks all leads of a call, and tells in which order they
// are to be stored: that of their phones, the greatest first, in which a
// transaction may take one after the other. Two lists of the same people in
// another order would wait for each other without end.
func (f *Face) readNewLeads(ctx context.Context, r *httpx.Request, items []json.RawMessage) (cards []deal.NewCard, order []int, err error) {
	region := f.region(ctx, r)
	pipelines, err := f.s.Deals.Pipelines(ctx, r.Principal.Tenant)
	if err != nil {
		return nil, nil, err
	}
	cards = make([]deal.NewCard, len(items))
	seen := map[string]int{}
	keys := make([]string, len(items))
	for i, raw := range items {
		if cards[i], err = newLead(raw, region); err != nil {
			return nil, nil, under(err, item(i))
		}
		if err := standsIn(pipelines, cards[i]); err != nil {
			return nil, nil, under(err, item(i))
		}
		key, err := phoneKey(region, cards[i].Phone)
		if err != nil {
			return nil, nil, err
		}
		if j, twice := seen[key]; twice {
			return nil, nil, under(taken("the phone stands in leads[%d] as well", j), item(i))
		}
		seen[key], keys[i] = i, key
		known, err := f.s.Deals.CardByPhone(ctx, r.Principal.Tenant, cards[i].Phone)
		switch e := fault.As(err); {
		case err == nil && !known.Contact.Archived():
			return nil, nil, under(taken("a lead with this phone exists").With("contactId", known.Contact.ID), item(i))
		case err != nil && (e == nil || e.Code != fault.NotFound):
			return nil, nil, err
		}
	}
	for i := range cards {
		order = append(order, i)
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(keys[b], keys[a]) })
	return cards, order, nil
}

func taken(format string, args ...any) *fault.Error {
	e := fault.New(fault.Conflict, format, args...).Because("phone")
	e.Field = "phone"
	return e
}

// standsIn checks that the pipeline and stage of a card exist.
func standsIn(all []deal.Pipeline, n deal.NewCard) error {
	pipeline, stage := n.Pipeline.IsZero(), n.Stage.IsZero()
	for _, p := range all {
		pipeline = pipeline || p.ID == n.Pipeline
		for _, s := range p.Stages {
			stage = stage || s.ID == n.Stage
		}
	}
	if !pipeline {
		return elsewhere(fault.Unknown("pipeline"), "pipeline", "pipelineId")
	}
	if !stage {
		return elsewhere(fault.Unknown("stage"), "stage", "stageId")
	}
	return nil
}
