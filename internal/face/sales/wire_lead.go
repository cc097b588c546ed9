package sales

import (
	"strings"

	"parley/internal/contact"
)

// leadTypes are the kinds of inquiries that this API names (reference §3.2).
var leadTypes = []string{"retail", "insurance", "realEstate", "vehicle", "savingPlan"}

// leadWire is an inquiry, whatever API it came through (reference §3.2, LeadData).
type leadWire struct {
	Priority       any     `json:"priority,omitempty"`
	Created        *string `json:"created"`
	CreatedBy      string  `json:"createdBy,omitempty"`
	Source         string  `json:"source"`
	Comments       string  `json:"comments,omitempty"`
	UTMSource      string  `json:"utmSource"`
	UTMMedium      string  `json:"utmMedium,omitempty"`
	UTMCampaign    string  `json:"utmCampaign,omitempty"`
	ProviderKey    string  `json:"providerKey,omitempty"`
	ProviderLeadID string  `json:"providerLeadId,omitempty"`
	Company        string  `json:"company,omitempty"`
	Store          string  `json:"store,omitempty"`
	Agent          string  `json:"agent,omitempty"`
	Type           string  `json:"type"`
	Product        any     `json:"product,omitempty"`
}

// leadOf writes an inquiry. Its data carry the names of the wire; what another
// API keeps under other names is not guessed at. A kind that this API does not
// have is shown as retail, the general one.
func leadOf(q contact.Inquiry) leadWire {
	text := func(key string) string { s, _ := q.Data[key].(string); return s }
	w := leadWire{Priority: q.Data["priority"], Created: moment(q.At), CreatedBy: text("createdBy"), Source: q.Source, Comments: text("comments"),
		UTMSource: text("utmSource"), UTMMedium: text("utmMedium"), UTMCampaign: text("utmCampaign"), ProviderKey: text("providerKey"),
		ProviderLeadID: text("providerLeadId"), Company: text("company"), Store: text("store"), Agent: text("agent"), Type: "retail", Product: q.Data["product"]}
	if w.UTMSource == "" {
		w.UTMSource = q.Source
	}
	for _, t := range leadTypes {
		if strings.EqualFold(t, q.Kind) {
			w.Type = t
		}
	}
	return w
}
