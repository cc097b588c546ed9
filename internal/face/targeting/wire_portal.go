package targeting

import (
	"maps"

	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/portal"
)

// portalUsage is a portal with the widgets on it that refer to a campaign (seed 002,
// CampaignPortalsResponse).
type portalUsage struct {
	Portal  usedPortal   `json:"portal"`
	Widgets []usedWidget `json:"widgets"`
}

type usedPortal struct {
	Origin string `json:"origin"`
	Domain string `json:"domain"`
	Name   string `json:"name"`
}

type usedWidget struct {
	ID       string            `json:"id"`
	Headline map[string]string `json:"headline,omitempty"`
}

func wireUsage(u portal.Usage) portalUsage {
	out := portalUsage{Portal: usedPortal{u.Portal.Origin, u.Portal.Domain, u.Portal.Name}, Widgets: make([]usedWidget, 0, len(u.Widgets))}
	for _, w := range u.Widgets {
		out.Widgets = append(out.Widgets, usedWidget{ID: w.ID, Headline: w.Headline()})
	}
	return out
}

// wirePortal writes a portal: what was given, and over it what Parley knows.
func wirePortal(r *httpx.Request, p portal.Portal) map[string]any {
	out := maps.Clone(p.Extra)
	if out == nil {
		out = map[string]any{}
	}
	out["portal_id"], out["organization_id"] = p.ID.UUID(), org(r)
	out["origin"], out["name"], out["domain"], out["enabled"] = p.Origin, p.Name, p.Domain, p.Enabled
	return out
}

// portalChange reads what is to change of a portal. What a portal was read with may
// be sent again.
func portalChange(origin string, body map[string]any) (c portal.Change, err error) {
	var bad fault.Collector
	line := func(name string, v any) *string {
		s, ok := v.(string)
		if !ok && v != nil {
			bad.Add(fault.Field(name, "%s must be a string", name))
		}
		return &s
	}
	for name, v := range body {
		switch name {
		case "portal_id", "organization_id":
		case "origin":
			if s, ok := v.(string); v != nil && (!ok || s != origin) {
				bad.Add(fault.Field("origin", "the origin of the body differs from that of the query; a portal keeps its origin"))
			}
		case "name":
			c.Name = line(name, v)
		case "domain":
			c.Domain = line(name, v)
		case "enabled":
			on, ok := v.(bool)
			if !ok {
				bad.Add(fault.Field(name, "enabled must be true or false"))
			}
			c.Enabled = &on
		default:
			if c.Extra == nil {
				c.Extra = map[string]any{}
			}
			c.Extra[name] = v
		}
	}
	return c, bad.Err()
}
