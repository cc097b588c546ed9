package sdk_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"

	parley "parley/sdk/go"
)

func apiError(err error) *parley.APIError {
	var e *parley.APIError
	errors.As(err, &e)
	return e
}

func TestLeads(t *testing.T) {
	each(t, func(h *house) {
		leads, x := h.CRM.Leads, h.ctx()
		get := ok[parley.Lead](h)
		l := get(leads.Create(x, parley.LeadInput{FirstName: "Priya", LastName: "Sharma", Phone: "+91 98765 43210", Email: "Priya@Example.com",
			Source: "website", DealValue: 1500, Tags: []string{"vip"}, Metadata: parley.Metadata{Refs: map[string]string{"orderId": "ORD-123"}, Extra: map[string]any{"utm": "google"}},
			DynamicFields: map[string]any{"size": 7}}))
		if l.ID == "" || l.Phone != "919876543210" || l.Email != "priya@example.com" || l.DealValue != 1500 || !has(l.Tags, "vip") ||
			l.Metadata.Refs["orderId"] != "ORD-123" || l.Metadata.Extra["utm"] != "google" || l.DynamicFields["size"] != 7.0 || l.Stage == nil || l.CreatedAt.IsZero() {
			h.Errorf("%+v", l)
		}
		_, err := leads.Create(x, parley.LeadInput{FirstName: "Twice", Phone: "9876543210"})
		h.refused(err, 409, parley.CodeConflict)
		_, err = leads.Create(x, parley.LeadInput{FirstName: "Short", Phone: "12"})
		h.refused(err, 400, parley.CodeInvalidPhone)

		// The same key does it once.
		first := get(leads.Create(x, parley.LeadInput{FirstName: "Once", Phone: "+14155550100"}, parley.IdempotencyKey("k1")))
		again := get(leads.Create(x, parley.LeadInput{FirstName: "Once", Phone: "+14155550100"}, parley.IdempotencyKey("k1")))
		if first.ID != again.ID {
			h.Errorf("%s and %s", first.ID, again.ID)
		}

		for _, same := range []parley.Lead{get(leads.Retrieve(x, l.ID)), get(leads.RetrieveByPhone(x, "+91 98765 43210")), get(leads.RetrieveByRef(x, "orderId", "ORD-123"))} {
			if same.ID != l.ID {
				h.Errorf("found %s, want %s", same.ID, l.ID)
			}
		}
		_, err = leads.Retrieve(x, "65f1c0ffee65f1c0ffee65f1")
		if !parley.IsNotFound(err) {
			h.Error(err)
		}

		l = get(leads.Update(x, l.ID, parley.LeadUpdate{Email: parley.Null[string](), LastName: parley.Set("Rao"), DealValue: parley.Set(0.0),
			DynamicFields: map[string]any{"size": nil, "color": "red"}}))
		if l.Email != "" || l.LastName != "Rao" || l.DealValue != 0 || l.FirstName != "Priya" || l.DynamicFields["color"] != "red" || l.DynamicFields["size"] != nil {
			h.Errorf("%+v", l)
		}
		two := "2"
		l = get(leads.UpdateMetadata(x, l.ID, parley.MetadataUpdate{Refs: map[string]*string{"orderId": nil, "bookingId": &two}, Extra: map[string]any{"plan": "pro"}}))
		if l.Metadata.Refs["orderId"] != "" || l.Metadata.Refs["bookingId"] != "2" || l.Metadata.Extra["plan"] != "pro" || l.Metadata.Extra["utm"] != "google" {
			h.Errorf("%+v", l.Metadata)
		}
		l = get(leads.Tags(x, l.ID, parley.TagChange{Add: []string{"hot"}, Remove: []string{"vip"}}))
		if !has(l.Tags, "hot") || has(l.Tags, "vip") {
			h.Errorf("%v", l.Tags)
		}
		board := ok[parley.Board](h)(h.CRM.Pipelines.Board(x, l.PipelineID))
		l = get(leads.Move(x, l.ID, board.Columns[1].Stage.ID))
		if l.StageID != board.Columns[1].Stage.ID || len(l.StageHistory) < 1 {
			h.Errorf("%+v", l)
		}
		if l = get(leads.Convert(x, l.ID, parley.Won, "Signed")); l.Status != "won" || l.ConvertedAt.IsZero() {
			h.Errorf("%+v", l)
		}
		if s := ok[parley.ScoredLead](h)(leads.RecalculateScore(x, l.ID)); s.ID != l.ID || s.Score.UpdatedAt.IsZero() {
			h.Errorf("%+v", s)
		}
		up := get(leads.Upsert(x, parley.LeadUpsert{LeadData: parley.LeadInput{Phone: "+919876543210", FirstName: "Priyanka"}}))
		if up.ID != l.ID || up.FirstName != "Priyanka" {
			h.Errorf("%+v", up)
		}
		if tl := ok[parley.Page[parley.TimelineItem]](h)(leads.Timeline(x, l.ID, 1, 50)); len(tl.Data) < 3 || tl.Data[0].Title == "" {
			h.Errorf("%+v", tl)
		}
		if err := leads.Delete(x, l.ID); err != nil {
			h.Error(err)
		}
		if l = get(leads.Retrieve(x, l.ID)); !l.IsArchived {
			h.Errorf("%+v", l)
		}
	})
}

func TestManyLeads(t *testing.T) {
	each(t, func(h *house) {
		leads, x := h.CRM.Leads, h.ctx()
		in := make([]parley.LeadInput, 57)
		for i := range in {
			in[i] = parley.LeadInput{FirstName: fmt.Sprint("Lead ", i), Phone: fmt.Sprintf("+1415555%04d", i), Source: "bulk"}
		}
		in[3].Phone = "12"
		in[40].Phone = in[39].Phone
		made, err := leads.CreateMany(x, in, 3)
		if err != nil {
			h.Fatal(err)
		}
		// Of the two with one phone either may be first.
		if (made[39].Err == nil) == (made[40].Err == nil) {
			h.Errorf("%v, %v", made[39].Err, made[40].Err)
		}
		for i, m := range made {
			if i == 39 || i == 40 {
				continue
			}
			if bad := i == 3; bad != (m.Err != nil) {
				h.Errorf("%d: %+v", i, m)
			} else if !bad && m.Lead.FirstName != in[i].FirstName {
				h.Errorf("%d: %+v", i, m.Lead)
			}
		}
		h.refused(made[3].Err, 400, "")
		var ids []string
		for l, err := range leads.All(x, parley.LeadFilter{Source: "bulk", Limit: 10}) {
			if err != nil {
				h.Fatal(err)
			}
			if slices.Contains(ids, l.ID) {
				h.Errorf("%s came twice", l.ID)
			}
			ids = append(ids, l.ID)
		}
		if len(ids) != 55 {
			h.Errorf("%d leads, want 55", len(ids))
		}
		p := ok[parley.Page[parley.Lead]](h)(leads.List(x, parley.LeadFilter{Source: "bulk", Page: 2, Limit: 50}))
		if p.Total != 55 || p.Number != 2 || p.Pages != 2 || len(p.Data) != 5 || p.HasMore {
			h.Errorf("%+v", p)
		}
		r := ok[parley.ImportResult](h)(leads.Import(x, []parley.LeadInput{{Phone: in[0].Phone, FirstName: "Renamed"}, {Phone: "+14155559999", FirstName: "New"}, {Phone: "1"}}))
		if r.Created != 1 || r.Updated != 1 || r.Failed != 1 || len(r.Errors) != 1 {
			h.Errorf("%+v", r)
		}
		if n := ok[int](h)(leads.BulkDelete(x, ids[:10])); n != 10 {
			h.Errorf("%d archived, want 10", n)
		}
	})
}

func TestPipelines(t *testing.T) {
	each(t, func(h *house) {
		s, x := h.CRM.Pipelines, h.ctx()
		get := ok[parley.Pipeline](h)
		before := ok[[]parley.Pipeline](h)(s.List(x))
		p := get(s.Create(x, parley.PipelineInput{Name: "Deals", Template: "sales"}))
		if p.Name != "Deals" || len(p.Stages) < 3 {
			h.Fatalf("%+v", p)
		}
		if p = get(s.Update(x, p.ID, parley.PipelineUpdate{Name: parley.Set("Sales"), Description: parley.Set("all")})); p.Name != "Sales" || p.Description != "all" {
			h.Errorf("%+v", p)
		}
		st := ok[parley.Stage](h)(s.AddStage(x, p.ID, parley.StageInput{Name: "Negotiation 2", Color: "#f59e0b", Probability: 70}))
		if st.PipelineID != p.ID || st.Probability != 70 {
			h.Errorf("%+v", st)
		}
		if st = ok[parley.Stage](h)(s.UpdateStage(x, st.ID, parley.StageUpdate{Probability: parley.Set(80.0)})); st.Probability != 80 {
			h.Errorf("%+v", st)
		}
		p = get(s.Retrieve(x, p.ID))
		var order []string
		for _, st := range p.Stages {
			order = append(order, st.ID)
		}
		slices.Reverse(order)
		for i, st := range ok[[]parley.Stage](h)(s.ReorderStages(x, p.ID, order)) {
			if st.ID != order[i] || st.Order != i {
				h.Errorf("place %d holds %s (%d)", i, st.Name, st.Order)
			}
		}
		l := ok[parley.Lead](h)(h.CRM.Leads.Create(x, parley.LeadInput{FirstName: "Priya", Phone: "+919876543210", PipelineID: p.ID, StageID: st.ID, DealValue: 1000}))
		f := ok[parley.Forecast](h)(s.Forecast(x, p.ID))
		if f.GrandTotal != 800 || f.TotalPipeline != 1000 {
			h.Errorf("%+v", f)
		}
		if page := ok[parley.Page[parley.Lead]](h)(s.StageLeads(x, p.ID, st.ID, 1, 10)); len(page.Data) != 1 || page.Data[0].ID != l.ID {
			h.Errorf("%+v", page)
		}
		_, err := s.DeleteStage(x, st.ID, "")
		h.refused(err, 409, parley.CodeConflict)
		if n := ok[int](h)(s.DeleteStage(x, st.ID, order[len(order)-1])); n != 1 {
			h.Errorf("%d leads moved", n)
		}
		dup := get(s.Duplicate(x, p.ID, "Sales Copy"))
		if dup.Name != "Sales Copy" || len(dup.Stages) != len(p.Stages)-1 {
			h.Errorf("%+v", dup)
		}
		h.refused(s.Delete(x, p.ID), 409, parley.CodeConflict)
		if err := s.Delete(x, dup.ID); err != nil {
			h.Error(err)
		}
		if p = get(s.SetDefault(x, p.ID)); !p.IsDefault {
			h.Errorf("%+v", p)
		}
		for _, old := range before {
			if old = get(s.Archive(x, old.ID)); old.IsActive {
				h.Errorf("%+v", old)
			}
		}
	})
}

func TestErrorsOfARealServer(t *testing.T) {
	each(t, func(h *house) {
		bad, err := parley.New(parley.WithAPIKey("erix_wrong"), parley.WithBaseURL(h.main.URL()),
			parley.WithHTTPClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}))
		if err != nil {
			h.Fatal(err)
		}
		_, err = bad.CRM.Pipelines.List(h.ctx())
		var auth *parley.AuthenticationError
		if !errors.As(err, &auth) || auth.RequestID == "" || auth.Code != parley.CodeUnauthorized {
			h.Errorf("%v", err)
		}
		if err := bad.Realtime.Connect(h.ctx()); !errors.As(err, &auth) {
			h.Errorf("%v", err)
		}
		s := ok[parley.SystemHealth](h)(bad.Health.System(h.ctx())) // asks for no key
		if s.Status != "ok" || s.DB != "connected" {
			h.Errorf("%+v", s)
		}
		_, err = h.Events.Trigger(h.ctx(), parley.TriggerInput{Trigger: "t", Phone: "+919876543210"})
		h.refused(err, 404, parley.CodeLeadNotFound)
		if e := apiError(err); e.Hint == "" {
			h.Errorf("%+v", e)
		}
		var whole struct{ Success bool }
		if err := h.Request(h.ctx(), "GET", "/api/saas/queue/stats", nil, &whole); err != nil || !whole.Success {
			h.Errorf("%+v %v", whole, err)
		}
	})
}
