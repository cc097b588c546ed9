package app

import (
	"slices"
	"strings"

	"parley/internal/agent"
	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
)

// Report is a page of an app in the reports section, for managers (S, custom
// reports).
type Report struct {
	Key  string    `json:"key"` // unique within the app
	Name Localized `json:"name"`
	URL  string    `json:"url"` // may hold placeholders
}

// Button is a dialog of an app in the toolbar of conversations (S, custom buttons).
type Button struct {
	Key  string    `json:"key"`
	Name Localized `json:"name"`
	URL  string    `json:"url"`
	Icon string    `json:"icon"` // a data URI of an image
}

// Ranges are the periods of reports (reference §4.12).
var Ranges = []string{"last-month", "this-month", "yesterday", "today", "last30", "last7", rangeCustom}

const rangeCustom = "custom"

// Period is what a report is about. Start and End, dates, belong to the range
// custom and to no other.
type Period struct {
	Range, Start, End string // YYYY-MM-DD
	Group             id.ID  // the selected one
}

// ReportURL returns the signed URL of a report for an agent of a group: pure, with
// the parameters of reference §4.12.
func ReportURL(r Report, p Period, viewer agent.Agent, group agent.Group, privateKey string) string {
	url := expand(r.URL, viewing(viewer, group))
	url = with(url, "range", p.Range)
	if p.Range == rangeCustom {
		url = with(with(url, "start", p.Start), "end", p.End)
	}
	url = with(url, "group", p.Group.String())
	return Sign(with(url, "parentGroup", group.ID.String()), privateKey)
}

// Person is a contact as the placeholders of buttons show it.
type Person struct {
	Contact        contact.Contact
	Source         string // of the latest inquiry
	ProviderLeadID string
}

// ButtonURL returns the signed URL of a button for an agent who looks at the
// conversation of a person in a group.
func ButtonURL(b Button, p Person, viewer agent.Agent, group agent.Group, privateKey string) string {
	values := viewing(viewer, group)
	values["prospect._id"] = p.Contact.ID.String()
	values["prospect.firstName"], values["prospect.lastName"] = p.Contact.FirstName, p.Contact.LastName
	values["prospect.phones"] = strings.Join(reaching(p.Contact, contact.Phone), ",")
	values["prospect.emails"] = strings.Join(reaching(p.Contact, contact.Email), ",")
	values["prospect.source"], values["prospect.providerLeadId"] = p.Source, p.ProviderLeadID
	return Sign(expand(b.URL, values), privateKey)
}

// reaching lists a person's identities of a kind, the primary one first.
func reaching(c contact.Contact, kind string) []string {
	var out []string
	for _, i := range c.Identities {
		if i.Kind == kind {
			out = append(out, shown(i))
		}
	}
	return out
}

// viewing are the values that reports and buttons share.
func viewing(u agent.Agent, g agent.Group) map[string]string {
	if u.ID.IsZero() {
		u = agent.Agent{}
	}
	v := map[string]string{
		"user.firstName": u.FirstName, "user.lastName": u.LastName, "user.cellPhone": u.CellPhone, "user.phone": u.Phone, "user.email": u.Email,
		"group._id": g.ID.String(), "group.name": g.Name, "group.language": g.Language, "group.displayName": g.Shown(),
	}
	if !u.ID.IsZero() {
		v["user._id"] = u.ID.String()
	}
	return v
}

// languageOf is the language that a viewer reads: the group's, else English.
func languageOf(g agent.Group) string {
	if g.Language != "" {
		return g.Language
	}
	return "en"
}

// Check says what is wrong with a period.
func (p Period) Check() error {
	if !slices.Contains(Ranges, p.Range) {
		return fault.Field("range", "range must be one of %s", strings.Join(Ranges, ", "))
	}
	if p.Range != rangeCustom {
		if p.Start != "" || p.End != "" {
			return fault.Field("range", "start and end belong to range=custom; leave them out, or ask for that range")
		}
		return nil
	}
	for _, d := range []struct{ name, date string }{{"start", p.Start}, {"end", p.End}} {
		if !isDate(d.date) {
			return fault.Field(d.name, "%s must be a date like 2020-12-01 when range is custom", d.name)
		}
	}
	if p.End < p.Start {
		return fault.Field("end", "end must not be before start")
	}
	return nil
}
