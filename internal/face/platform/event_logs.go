package platform

import (
	"context"
	"encoding/json"
	"time"

	"parley/internal/automation"
	"parley/internal/httpx"
	"parley/internal/webhook"
)

// listEventLogs answers what became of trigger calls, newest first (§2.14).
func (f *Face) listEventLogs(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	page, limit, err := paging(r, 25)
	if err != nil {
		return nil, err
	}
	q := automation.LogQuery{Trigger: r.QueryString("trigger"), Phone: r.QueryString("phone"), Page: page, Limit: limit}
	if q.Status, err = oneOf(r, "status", "", automation.LogStatuses...); err != nil {
		return nil, err
	}
	if q.From, q.Until, err = days(r); err != nil {
		return nil, err
	}
	logs, total, err := f.s.Automations.Logs(ctx, r.Principal.Tenant, q)
	if err != nil {
		return nil, err
	}
	out := make([]eventLog, 0, len(logs))
	for _, l := range logs {
		out = append(out, eventLogOf(r.Principal.TenantCode, l))
	}
	return httpx.JSON(0, list(out, place{total: total, page: page, limit: limit})), nil
}

// days reads startDate and endDate; both are whole days when they are dates.
func days(r *httpx.Request) (from, until time.Time, err error) {
	if from, err = r.QueryTime("startDate"); err != nil {
		return from, until, err
	}
	if until, err = endOf(r, "endDate"); err == nil && !until.IsZero() {
		until = until.Add(time.Millisecond)
	}
	return from, until, err
}

// eventLog answers what became of one trigger call.
func (f *Face) eventLog(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	lid, err := pathID("event log", r.Param("id"))
	if err != nil {
		return nil, err
	}
	l, err := f.s.Automations.Log(ctx, r.Principal.Tenant, lid)
	if err != nil {
		return nil, err
	}
	return ok(eventLogOf(r.Principal.TenantCode, l))
}

// eventStats answers the figures of trigger calls.
func (f *Face) eventStats(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	from, until, err := days(r)
	if err != nil {
		return nil, err
	}
	st, err := f.s.Automations.LogFigures(ctx, r.Principal.Tenant, from, until)
	if err != nil {
		return nil, err
	}
	out := eventStats{TotalEvents: st.Total, ByTrigger: []triggerStats{}, ByStatus: []statusStats{}}
	for _, t := range st.ByTrigger {
		out.ByTrigger = append(out.ByTrigger, triggerStats{t.Trigger, t.Count, t.Success})
	}
	for _, s := range st.ByStatus {
		out.ByStatus = append(out.ByStatus, statusStats{s.Status, s.Count})
	}
	return dual(out)
}

func eventLogOf(code string, l automation.TriggerLog) eventLog {
	return eventLog{record: recordOf(code, l.ID, l.CreatedAt, l.UpdatedAt), Trigger: l.Trigger, Phone: orNull(l.Phone), Email: orNull(l.Email), LeadID: ref(l.Contact),
		Status: l.Status, RulesMatched: l.RulesMatched, JobsCreated: l.RunsStarted, RunsOpen: l.RunsOpen, RunsFailed: l.RunsFailed,
		CallbackURL: orNull(l.CallbackURL), CallbackStatus: l.CallbackStatus, Error: orNull(l.Error), IdempotencyKey: orNull(l.IdempotencyKey),
		Payload: eventLogPayload{orNone(l.Call.Variables), orNone(l.Call.Data), l.Call.LeadData, l.Call.CallbackMetadata},
		RunAt:   stamp(l.RunAt), ProcessedAt: stamp(l.ProcessedAt)}
}

// callbackStates are the platform's names of where a delivery stands.
var callbackStates = map[string][]string{
	"sent": {webhook.Sent}, "failed": {webhook.Failed}, "pending_retry": {webhook.Pending, webhook.Sending},
}

// listCallbacks answers the deliveries to other systems, newest first (§2.14).
func (f *Face) listCallbacks(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	page, limit, err := paging(r, 25)
	if err != nil {
		return nil, err
	}
	status, err := oneOf(r, "status", "", "sent", "failed", "pending_retry")
	if err != nil {
		return nil, err
	}
	all, total, err := f.s.Webhooks.List(ctx, r.Principal.Tenant, callbackStates[status], page, limit)
	if err != nil {
		return nil, err
	}
	out := make([]callbackLog, 0, len(all))
	for _, d := range all {
		out = append(out, callbackLogOf(r.Principal.TenantCode, d))
	}
	return httpx.JSON(0, list(out, place{total: total, page: page, limit: limit})), nil
}

func callbackLogOf(code string, d webhook.Record) callbackLog {
	c := callbackLog{record: recordOf(code, d.ID, d.CreatedAt, d.UpdatedAt), CallbackURL: d.Delivery.URL, Method: d.Delivery.Method, Event: d.Delivery.Event,
		JobID: d.ID, EventLogID: ref(d.Delivery.TriggerID), ResponseBody: orNull(d.ResponseBody), Status: "pending_retry", Attempts: d.Attempts,
		Error: orNull(d.LastError), Signature: orNull(d.Signature)}
	switch d.State {
	case webhook.Sent, webhook.Failed:
		c.Status = d.State
	default:
		c.NextAttemptAt = stamp(d.NextAt)
	}
	if d.Attempts > 0 {
		c.LastAttemptAt = stamp(d.UpdatedAt)
	}
	if d.ResponseStatus != 0 {
		c.ResponseStatus = &d.ResponseStatus
	}
	if c.Payload = d.Delivery.Body; !json.Valid(c.Payload) {
		c.Payload, _ = json.Marshal(string(d.Delivery.Body))
	}
	return c
}
