package campaign

import (
	"context"
	"fmt"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/record"
	"parley/internal/store"
)

// TariffChange is the only type of a set-up.
const TariffChange = "tariff_change"

// Channels make what delivers a campaign that is set up. Other rooms provide them; a
// set-up that asks for one that is not there is refused.
type Channels struct {
	// Widget puts a widget that shows the campaign on a portal and returns its id.
	// Faults: Invalid naming "portal_id" or "block_id".
	Widget func(tx *store.Tx, actor string, w Widget) (string, error)
	// Flow makes an automation that sends an e-mail template to entities of a schema.
	// Faults: Invalid naming "template_id".
	Flow func(tx *store.Tx, actor string, f Flow) (id.ID, error)
}

// Widget is a widget to be made.
type Widget struct {
	Portal, Block string // as the caller names them
	Campaign      Campaign
}

// Flow is an automation to be made.
type Flow struct {
	Name, Schema, Template string
}

// DeliverBy tells how a set-up makes what delivers a campaign. Call it before the first
// use.
func (s *Service) DeliverBy(c Channels) { s.channels = c }

// Setup is a campaign to be made with everything that it needs.
type Setup struct {
	Type           string
	Recommendation map[string]any // attributes of the product recommendation
	Name, Goal     string
	Targets        []id.ID // the first of them counts (reference §2.2)
	Journey        string
	Portal, Block  string // "" for no widget
	Flow, Template string // the automation that sends e-mails, or else of which one is made
	Owner          id.ID
}

// Made is what a Setup made.
type Made struct {
	Recommendation id.ID
	Campaign       Campaign
	Widget         string // "" for none
}

// SetUp makes a product recommendation, a campaign whose next best action it is, and
// what delivers it: all of it or nothing. Faults: Invalid naming a field of the
// request, such as "campaign.name".
func (s *Service) SetUp(ctx context.Context, tenant id.ID, actor string, in Setup) (Made, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (m Made, err error) {
		if err := in.check(); err != nil {
			return m, err
		}
		target, err := s.segments.Get(tx, in.Targets[0])
		if gone(err) {
			return m, fault.Field("campaign.target_ids[0]", "campaign.target_ids[0] is no target")
		}
		if err != nil {
			return m, err
		}
		rec, err := s.records.CreateIn(tx, actor, record.New{Schema: Recommendations, Attributes: in.Recommendation, Owner: in.Owner})
		if err != nil {
			return m, within(err, "product_recommendation", "")
		}
		m.Recommendation = rec.ID
		action := map[string]any{"type": in.Type, "product_recommendation_id": rec.ID.UUID()}
		if p, ok := rec.Attributes["priority"]; ok {
			action["priority"] = p
		}
		if in.Journey != "" {
			action["journey_id"] = in.Journey
		}
		if _, err := s.actionOf(tx, action); err != nil {
			return m, fault.Field("product_recommendation.priority", "product_recommendation.priority must be a number")
		}
		attrs := map[string]any{"name": in.Name, "goal": in.Goal, "next_best_action": action,
			"target": map[string]any{"$relation": []any{map[string]any{"entity_id": target.ID.UUID()}}}}
		if attrs["flow_id"], err = s.mailFlow(tx, actor, in, target.Schema); err != nil {
			return m, err
		}
		if m.Campaign, err = s.CreateIn(tx, actor, New{Attributes: attrs, Owner: in.Owner}); err != nil {
			return m, within(err, "campaign", "")
		}
		if in.Portal == "" {
			return m, nil
		}
		if s.channels.Widget == nil {
			return m, fault.Field("channels.portal_widget", "this server has no portals")
		}
		m.Widget, err = s.channels.Widget(tx, actor, Widget{Portal: in.Portal, Block: in.Block, Campaign: m.Campaign})
		return m, within(err, "channels.portal_widget", "portal_id")
	})
}

func (in Setup) check() error {
	var bad fault.Collector
	if in.Type != TariffChange {
		bad.Add(fault.Field("type", "type must be %s", TariffChange))
	}
	if in.Recommendation == nil {
		bad.Add(fault.Missing("product_recommendation"))
	}
	if in.Name == "" {
		bad.Add(fault.Missing("campaign.name"))
	}
	if len(in.Targets) == 0 {
		bad.Add(fault.Missing("campaign.target_ids"))
	}
	if (in.Portal == "") != (in.Block == "") {
		bad.Add(fault.Field("channels.portal_widget", "channels.portal_widget needs portal_id and block_id"))
	}
	return bad.Err()
}

// mailFlow returns the automation that sends the e-mails: the one that is named as it
// is, else one made of the template, "" for none.
func (s *Service) mailFlow(tx *store.Tx, actor string, in Setup, schema string) (string, error) {
	switch {
	case in.Flow != "":
		known, err := s.flow(tx, flowID(in.Flow))
		if err == nil && !known {
			err = fault.Field("channels.email.automation_id", "channels.email.automation_id is no automation flow")
		}
		return in.Flow, err
	case in.Template == "":
		return "", nil
	case s.channels.Flow == nil:
		return "", fault.Field("channels.email.template_id", "no automation can be made of a template here; give automation_id")
	}
	rule, err := s.channels.Flow(tx, actor, Flow{Name: in.Name, Schema: schema, Template: in.Template})
	if err != nil {
		return "", within(err, "channels.email", "template_id")
	}
	return rule.UUID(), nil
}

// within names the field of a fault as it is called in the request; other is the one
// to blame for a fault that names none.
func within(err error, at, other string) error {
	f := fault.As(err)
	if f == nil {
		return err
	}
	name := f.Field
	if name == "" {
		name = other
	}
	if f.Code == fault.NotFound || name == "" {
		return fault.Field(fmt.Sprintf("%s.%s", at, other), "%s.%s: %s", at, other, f.Message)
	}
	return fault.Field(at+"."+name, "%s: %s", at, f.Message)
}
