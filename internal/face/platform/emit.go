package platform

import (
	"context"
	"maps"
	"strings"

	"parley/internal/fault"
	"parley/internal/httpx"
)

// emit is a trigger call in the shapes of the README and of the backend: the
// name in eventName, trigger, name or event; the person in leadId, phone or
// email, at the top or in payload; the variables in payload, variables and data
// (§2.12, §6 rows 27 and 28).
func (f *Face) emit(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in emitInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	call := in.triggerInput
	for _, name := range []*string{in.EventName, in.Trigger, in.Name, in.Event} {
		if value(name) != "" {
			call.Trigger = name
			break
		}
	}
	if value(call.Trigger) == "" {
		return nil, fault.Missing("eventName")
	}
	if err := in.spread(&call); err != nil {
		return nil, err
	}
	resp, err := f.fire(ctx, r, call)
	return resp, in.whence(err)
}

// spread reads the payload: who it is about, its own variables and data, and
// whatever else it holds as variables.
func (in *emitInput) spread(call *triggerInput) error {
	call.Variables = maps.Clone(call.Variables)
	if call.Variables == nil {
		call.Variables = map[string]any{}
	}
	for k, v := range in.Payload {
		field := "payload." + k
		switch k {
		case "phone", "email", "leadId":
			s, isText := v.(string)
			if v != nil && !isText {
				return fault.Field(field, "%s must be text", field)
			}
			to := map[string]**string{"phone": &call.Phone, "email": &call.Email, "leadId": &call.LeadID}[k]
			if value(*to) == "" && s != "" {
				*to = &s
			}
		case "data", "variables":
			if v == nil {
				continue
			}
			m, isObject := v.(map[string]any)
			if !isObject {
				return fault.Field(field, "%s must be an object", field)
			}
			if k == "variables" {
				maps.Copy(call.Variables, m)
				continue
			}
			call.Data = maps.Clone(call.Data)
			if call.Data == nil {
				call.Data = map[string]any{}
			}
			maps.Copy(call.Data, m)
		default:
			call.Variables[k] = v
		}
	}
	return nil
}

// whence gives the fault of a variable the field of the body it came from.
func (in *emitInput) whence(err error) error {
	f := fault.As(err)
	if f == nil {
		return err
	}
	root, rest, _ := strings.Cut(f.Field, ".")
	if root != "variables" && root != "data" || in.Payload == nil {
		return err
	}
	name, _, _ := strings.Cut(rest, ".")
	top := map[string]map[string]any{"variables": in.Variables, "data": in.Data}[root]
	if _, there := top[name]; there && rest != "" {
		return err
	}
	field := "payload"
	if inner, _ := in.Payload[root].(map[string]any); inner != nil {
		if _, there := inner[name]; there || root == "data" {
			field += "." + root
		}
	}
	if rest != "" {
		field += "." + rest
	}
	c := *f
	c.Field, c.Message = field, strings.Replace(f.Message, f.Field, field, 1)
	return &c
}
