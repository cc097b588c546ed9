package platform

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"

	"parley/internal/automation"
	"parley/internal/deal"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// newStage reads a stage; at is where it stands in the body, "" for the body itself.
func newStage(at string, in stageInput) (deal.NewStage, error) {
	if err := in.check(at); err != nil {
		return deal.NewStage{}, err
	}
	n := deal.NewStage{Name: value(in.Name), Color: value(in.Color), Won: value(in.IsWon), Lost: value(in.IsLost), AutoActions: value(in.AutoActions)}
	if p := percent(in.Probability); p != nil {
		n.Probability = *p
	}
	return n, nil
}

// check refuses actions that could not be carried out, as for a rule (§3.2, §6
// row 37).
func (in stageInput) check(at string) error {
	field := "autoActions"
	if at != "" {
		field = at + "." + field
	}
	return automation.CheckActions(field, value(in.AutoActions))
}

// percent reads a probability; what lies outside of int lies outside of 0 to 100.
func percent(v *float64) *int {
	if v == nil {
		return nil
	}
	p := int(math.Round(min(max(*v, -1), 101)))
	return &p
}

// addStage adds a stage (§2.7); order 0 of insertAfterOrder is the first stage.
func (f *Face) addStage(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in stageInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if value(in.Name) == "" {
		return nil, fault.Missing("name")
	}
	pid, err := pathID("pipeline", r.Param("id"))
	if err != nil {
		return nil, err
	}
	n, err := newStage("", in)
	if err != nil {
		return nil, err
	}
	s, err := f.s.Deals.AddStage(ctx, r.Principal.Tenant, actor(r), pid, n, in.InsertAfterOrder)
	if err != nil {
		return nil, err
	}
	return created(stageOf(r.Principal.TenantCode, s))
}

// updateStage changes a stage (§2.7).
func (f *Face) updateStage(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in stageInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	sid, err := pathID("stage", r.Param("id"))
	if err != nil {
		return nil, err
	}
	if err := in.check(""); err != nil {
		return nil, err
	}
	s, err := f.s.Deals.UpdateStage(ctx, r.Principal.Tenant, actor(r), sid, deal.StagePatch{Name: in.Name, Color: in.Color, Probability: percent(in.Probability),
		Won: in.IsWon, Lost: in.IsLost, Default: in.IsDefault, Position: in.Order, AutoActions: in.AutoActions})
	if err != nil {
		return nil, err
	}
	return ok(stageOf(r.Principal.TenantCode, s))
}

// reorderStages puts the stages of a pipeline in order (§2.7, §6 row 16).
func (f *Face) reorderStages(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	pid, err := pathID("pipeline", r.Param("id"))
	if err != nil {
		return nil, err
	}
	order, err := stageOrder(r.Body)
	if err != nil {
		return nil, err
	}
	list, err := f.s.Deals.ReorderStages(ctx, r.Principal.Tenant, actor(r), pid, order)
	if err != nil {
		return nil, err
	}
	return whole(stagesOf(r.Principal.TenantCode, list))
}

// stageOrder reads {order}, {stageIds}, {stages} or a bare list, whose elements
// are ids or {stageId, newOrder}; objects that tell a newOrder are sorted by it.
func stageOrder(body []byte) ([]id.ID, error) {
	var items []json.RawMessage
	if b := bytes.TrimSpace(body); len(b) > 0 && b[0] == '[' {
		if err := httpx.DecodeJSON(b, &items); err != nil {
			return nil, err
		}
	} else {
		var in struct {
			Order    []json.RawMessage `json:"order"`
			StageIDs []json.RawMessage `json:"stageIds"`
			Stages   []json.RawMessage `json:"stages"`
		}
		if err := httpx.DecodeJSON(b, &in); err != nil {
			return nil, err
		}
		for _, list := range [][]json.RawMessage{in.Order, in.StageIDs, in.Stages} {
			if items == nil {
				items = list
			}
		}
	}
	if len(items) == 0 {
		return nil, fault.Missing("order")
	}
	type place struct {
		stage id.ID
		at    float64
	}
	places := make([]place, 0, len(items))
	for i, raw := range items {
		name, at, err := stagePlace(raw, i)
		if err != nil {
			return nil, err
		}
		stage, err := bodyID("stage", "order", name)
		if err != nil || stage.IsZero() {
			return nil, fault.Field("order", "the order names a stage twice, or one that is not of this pipeline")
		}
		places = append(places, place{stage, at})
	}
	slices.SortStableFunc(places, func(a, b place) int { return cmp.Compare(a.at, b.at) })
	out := make([]id.ID, len(places))
	for i, p := range places {
		out[i] = p.stage
	}
	return out, nil
}

// stagePlace reads one element of an order.
func stagePlace(raw json.RawMessage, i int) (name string, at float64, err error) {
	at = float64(i)
	if json.Unmarshal(raw, &name) == nil {
		return name, at, nil
	}
	var in struct {
		StageID  *string  `json:"stageId"`
		OID      *string  `json:"_id"`
		ID       *string  `json:"id"`
		NewOrder *float64 `json:"newOrder"`
		Order    *float64 `json:"order"`
	}
	if err := httpx.DecodeJSON(raw, &in); err != nil {
		return "", 0, fault.Field("order", "an element of order is the id of a stage, or {stageId, newOrder}")
	}
	if v := first(in.NewOrder, in.Order); v != nil {
		at = *v
	}
	return value(first(in.StageID, in.OID, in.ID)), at, nil
}

// fallbackNames are the names under which the stage that takes the leads over is
// given, in the body or in the query (§6 row 17).
var fallbackNames = []string{"moveLeadsToStageId", "moveToStageId", "fallbackStageId", "targetStageId"}

// deleteStage deletes a stage; its leads move to the fallback stage (§2.7).
func (f *Face) deleteStage(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in struct {
		MoveLeads *string `json:"moveLeadsToStageId"`
		Move      *string `json:"moveToStageId"`
		Fallback  *string `json:"fallbackStageId"`
		Target    *string `json:"targetStageId"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	sid, err := pathID("stage", r.Param("id"))
	if err != nil {
		return nil, err
	}
	to := value(first(in.MoveLeads, in.Move, in.Fallback, in.Target))
	for _, name := range fallbackNames {
		if to == "" {
			to = r.QueryString(name)
		}
	}
	fallback, err := bodyID("stage", fallbackNames[0], to)
	if err != nil {
		return nil, err
	}
	n, err := f.s.Deals.DeleteStage(ctx, r.Principal.Tenant, actor(r), sid, fallback)
	if err != nil {
		return nil, stageFault(err)
	}
	return httpx.JSON(0, struct {
		success
		movedLeads
	}{success{true, "the stage is deleted", movedLeads{n}}, movedLeads{n}}), nil
}
