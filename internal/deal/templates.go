package deal

import (
	"maps"
	"slices"
	"strings"

	"parley/internal/fault"
)

// DefaultTemplate is the stage template of a pipeline that names no stages.
const DefaultTemplate = "sales"

// templates are the stages that a new pipeline may begin with (reference §3.2):
// "sales" as it is given there, the others ours.
var templates = map[string][]NewStage{
	"sales": salesTemplate,
	"marketing": line("Captured Lead", 5, "Nurturing", 15, "Engaged", 30, "Marketing Qualified", 50, "Sales Ready", 75,
		"Converted", won, "Unsubscribed", lost),
	"product_purchase": line("Interested", 10, "Product Shared", 25, "Added to Cart", 45, "Payment Pending", 75, "Purchased", won, "Dropped", lost),
	"appointment":      line("Enquiry", 10, "Slot Offered", 30, "Booked", 60, "Confirmed", 80, "Attended", won, "Cancelled", lost, "No Show", lost),
	"patient_journey": line("Enquiry", 10, "Consultation Booked", 30, "Consulted", 50, "Treatment Planned", 65, "In Treatment", 85,
		"Recovered", won, "Discontinued", lost),
	"wellness":    line("Enquiry", 10, "Trial Session", 30, "Assessment Done", 50, "Plan Proposed", 70, "Member", won, "Not Interested", lost),
	"admissions":  line("Enquiry", 10, "Counselled", 25, "Application Started", 45, "Application Submitted", 60, "Offer Made", 80, "Enrolled", won, "Withdrawn", lost),
	"coaching":    line("Enquiry", 10, "Discovery Call", 30, "Goals Agreed", 50, "Proposal Sent", 70, "Enrolled", won, "Not a Fit", lost),
	"real_estate": line("Enquiry", 10, "Requirements Noted", 20, "Site Visit Planned", 40, "Site Visited", 55, "Negotiation", 75, "Booked", won, "Lost", lost),
	"recruitment": line("Applied", 10, "Screened", 25, "Interview", 45, "Assessment", 60, "Offer Made", 85, "Hired", won, "Rejected", lost),
	"support":     line("New Request", 10, "In Review", 30, "Waiting for Customer", 50, "Being Solved", 75, "Resolved", won, "Closed Unresolved", lost),
	"saas_trial":  line("Signed Up", 10, "Activated", 30, "Engaged", 50, "Trial Ending", 65, "Upgrade Offered", 80, "Subscribed", won, "Churned", lost),
	"event":       line("Invited", 10, "Interested", 30, "Registered", 60, "Reminded", 80, "Attended", won, "Declined", lost),
	"legal":       line("Enquiry", 10, "Conflict Check", 25, "Consultation", 45, "Proposal Sent", 65, "Engagement Letter", 85, "Retained", won, "Declined", lost),
	"insurance":   line("Enquiry", 10, "Needs Analysed", 30, "Quote Sent", 50, "Documents Collected", 70, "Underwriting", 85, "Policy Issued", won, "Lapsed", lost),
	"ecommerce":   line("Visitor", 5, "Product Viewed", 20, "Cart", 40, "Checkout Started", 70, "Ordered", won, "Abandoned", lost),
	"custom":      {},
}

// Templates are the names of the stage templates, sorted.
func Templates() []string { return slices.Sorted(maps.Keys(templates)) }

// ending says in line how a stage ends a deal.
type ending int

const (
	won ending = iota
	lost
)

// line writes stages as pairs of a name and a probability or an ending.
func line(pairs ...any) []NewStage {
	var out []NewStage
	for i := 0; i < len(pairs); i += 2 {
		st := NewStage{Name: pairs[i].(string)}
		switch v := pairs[i+1].(type) {
		case int:
			st.Probability = v
		case ending:
			if st.Won = v == won; st.Won {
				st.Probability = 100
			}
			st.Lost = v == lost
		}
		out = append(out, st)
	}
	return out
}

// templateStages returns the stages of a template.
func templateStages(name string) ([]NewStage, error) {
	if name = strings.TrimSpace(name); name == "" {
		name = DefaultTemplate
	}
	stages, ok := templates[name]
	if !ok {
		return nil, fault.Field("template", "template must be one of %s", strings.Join(Templates(), ", "))
	}
	return stages, nil
}
