package platform

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"parley/internal/automation"
	"parley/internal/fault"
	"parley/internal/httpx"
)

// meetWarning is what a call that asks for a meeting hears: a meeting that
// cannot be made is never fatal (§4.4.8).
const meetWarning = "meetings are not available in this version, so no meeting was created"

// trigger tells that something happened to somebody, and starts the
// automations that wait for it (§4.4).
func (f *Face) trigger(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in triggerInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	return f.fire(ctx, r, in)
}

// fire makes a trigger call and answers what it set off.
func (f *Face) fire(ctx context.Context, r *httpx.Request, in triggerInput) (*httpx.Response, error) {
	call, err := f.call(ctx, r, in)
	if err != nil {
		return nil, err
	}
	done, err := f.s.Automations.Fire(ctx, r.Principal.Tenant, actor(r), call)
	if err != nil {
		return nil, orDefect(leadMissing(err), "TRIGGER_FAILED")
	}
	out := fired{EventLogID: done.LogID, Trigger: done.Trigger, LeadID: ref(done.Contact), RulesMatched: done.RulesMatched, Scheduled: done.Scheduled}
	if done.Scheduled {
		at := stamp(done.RunAt)
		out.RunAt = &at
	}
	if in.RequiresMeet {
		out.MeetWarning = meetWarning
	}
	resp := httpx.JSON(http.StatusOK, success{Success: true, Data: out})
	if done.Replayed {
		resp.Header = http.Header{"Idempotency-Replayed": {"true"}}
	}
	return resp, nil
}

// call reads a trigger call.
func (f *Face) call(ctx context.Context, r *httpx.Request, in triggerInput) (automation.Call, error) {
	c := automation.Call{
		Trigger: value(in.Trigger), Phone: value(in.Phone), Email: value(in.Email),
		Variables: in.Variables, Data: in.Data, CreateIfMissing: in.CreateLeadIfMissing,
		CallbackURL: value(in.CallbackURL), CallbackMethod: value(in.CallbackMethod), CallbackMetadata: in.CallbackMetadata,
		DelayMinutes: in.DelayMinutes, DelaySeconds: in.DelaySeconds, RunAt: value(in.RunAt), IdempotencyKey: value(in.IdempotencyKey),
	}
	if c.Trigger == "" {
		return c, fault.Missing("trigger")
	}
	if err := checkTrigger(c.Trigger); err != nil {
		return c, err
	}
	if c.Phone != "" {
		if err := f.checkPhone(ctx, r, "phone", c.Phone); err != nil {
			return c, err
		}
	}
	if s := value(in.LeadID); s != "" {
		var err error
		if c.Lead, err = pathID("lead", s); err != nil {
			return c, leadMissing(err)
		}
	}
	if len(in.LeadData) > 0 && string(in.LeadData) != "null" {
		var typed leadInput // names the field whose type is wrong
		if err := httpx.DecodeJSON(in.LeadData, &typed); err != nil {
			return c, under(err, "leadData")
		}
		if err := json.Unmarshal(in.LeadData, &c.LeadData); err != nil {
			return c, fault.Field("leadData", "leadData must be an object")
		}
	}
	return c, nil
}

// maxTrigger is how many characters a trigger's name may have (reference §1.5).
const maxTrigger = 100

func checkTrigger(name string) error {
	if utf8.RuneCountInString(name) > maxTrigger || strings.ContainsFunc(name, unicode.IsSpace) {
		return fault.Field("trigger", "trigger must have no white space and at most %d characters", maxTrigger).Because("trigger")
	}
	return nil
}

// leadMissing is the answer to a trigger for somebody unknown.
func leadMissing(err error) error {
	f := fault.As(err)
	if f == nil || f.Code != fault.NotFound {
		return err
	}
	return fault.New(fault.NotFound, "%s", f.Message).Because(reasonTrigger)
}
