package sales

import (
	"context"
	"encoding/json"

	"parley/internal/fault"
	"parley/internal/handover"
	"parley/internal/httpx"
	"parley/internal/id"
)

// successor reads where the prospects of an agent who goes are to go.
func (f *Face) successor(ctx context.Context, r *httpx.Request) (to handover.Destination, err error) {
	var body struct {
		TransferTo json.RawMessage `json:"transferTo"`
	}
	if err := r.Decode(&body); err != nil {
		return to, err
	}
	text := r.QueryString("transferTo")
	if text == "" && len(body.TransferTo) > 0 {
		var both struct {
			User  given[string] `json:"user"`
			Group given[string] `json:"group"`
		}
		switch {
		case json.Unmarshal(body.TransferTo, &text) == nil:
		case json.Unmarshal(body.TransferTo, &both) == nil:
			user, err := f.bodyAgent(ctx, r, "transferTo.user", both.User)
			if err != nil {
				return to, err
			}
			group, err := f.bodyGroup(ctx, r, "transferTo.group", both.Group)
			if err != nil {
				return to, err
			}
			apply(&to.Agent, user)
			apply(&to.Group, group)
			if zeroID(user) == zeroID(group) {
				err = fault.Field("transferTo", "transferTo names either a user or a group")
			}
			return to, err
		default:
			return to, fault.Field("transferTo", "transferTo must be the id of a user or a group")
		}
	}
	if text == "" {
		return to, nil
	}
	v, err := id.Parse(text)
	if err != nil {
		return to, fault.Field("transferTo", "transferTo must be the id of a user or a group")
	}
	given := given[string]{Set: true, Value: text}
	if _, err := f.bodyAgent(ctx, r, "transferTo", given); err == nil {
		return handover.Destination{Agent: v}, nil
	} else if fault.As(err) == nil {
		return to, err
	}
	_, err = f.bodyGroup(ctx, r, "transferTo", given)
	return handover.Destination{Group: v}, err
}
