package sales

import (
	"encoding/json"
	"strings"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/intake"
	"parley/internal/interaction"
)

// leadBody is a lead as it is sent (reference §3.1, Lead). Fields that it does not
// name are ignored.
type leadBody struct {
	Priority       *float64          `json:"priority"`
	Provider       string            `json:"provider"`
	ProviderLeadID string            `json:"providerLeadId"`
	UTMSource      string            `json:"utmSource"`
	UTMMedium      string            `json:"utmMedium"`
	UTMCampaign    string            `json:"utmCampaign"`
	FirstName      string            `json:"firstName"`
	LastName       string            `json:"lastName"`
	Phones         []string          `json:"phones"`
	Emails         []string          `json:"emails"`
	Category       string            `json:"category"`
	Nin            []ninWire         `json:"nin"`
	Address        string            `json:"address"`
	SubLocality    string            `json:"subLocality"`
	Locality       string            `json:"locality"`
	Region         string            `json:"region"`
	Country        string            `json:"country"`
	ZipCode        string            `json:"zipCode"`
	ListingTitle   string            `json:"listingTitle"`
	ListingURL     string            `json:"listingUrl"`
	Comments       string            `json:"comments"`
	Company        string            `json:"company"`
	Store          string            `json:"store"`
	Agent          string            `json:"agent"`
	History        []json.RawMessage `json:"history"`
	Product        json.RawMessage   `json:"product"`

	// Deprecated names; the new one wins.
	LeadID   string          `json:"leadId"`
	Source   string          `json:"source"`
	Medium   string          `json:"medium"`
	Campaign string          `json:"campaign"`
	CallIn   json.RawMessage `json:"callIn"`
}

// Bounds of texts of a lead, in characters.
const (
	maxSource = 200
	maxShort  = 500
	maxLong   = 20_000
)

// read checks the body and makes a lead of it. Every complaint is told at once.
func (b *leadBody) read(kind string, std defaultsWire) (intake.Lead, error) {
	var bad fault.Collector
	b.renew()
	data := map[string]any{}
	text := func(field string, v *string, max int) {
		got, err := lines(field, *v, max)
		bad.Add(err)
		*v = got
	}
	for _, t := range []struct {
		field string
		value *string
		keep  bool // with the inquiry, under this name
	}{
		{"provider", &b.Provider, false}, {"providerLeadId", &b.ProviderLeadID, false},
		{"utmMedium", &b.UTMMedium, true}, {"utmCampaign", &b.UTMCampaign, true}, {"category", &b.Category, false},
		{"address", &b.Address, true}, {"subLocality", &b.SubLocality, true}, {"locality", &b.Locality, true}, {"region", &b.Region, true},
		{"country", &b.Country, true}, {"zipCode", &b.ZipCode, true}, {"listingTitle", &b.ListingTitle, true}, {"listingUrl", &b.ListingURL, true},
		{"company", &b.Company, false}, {"store", &b.Store, false}, {"agent", &b.Agent, false},
	} {
		text(t.field, t.value, maxShort)
		if t.keep && *t.value != "" {
			data[t.field] = *t.value
		}
	}
	text("utmSource", &b.UTMSource, maxSource)
	text("comments", &b.Comments, maxLong)
	if b.UTMSource == "" {
		bad.Add(fault.Field("utmSource", "utmSource is required: name who sends the traffic"))
	}
	product, err := readProduct(kind, b.Product, std)
	bad.Add(err)
	if product != nil {
		data["product"] = product
	}
	history, err := b.events()
	bad.Add(err)
	l := intake.Lead{Kind: kind, FirstName: b.FirstName, LastName: b.LastName, Phones: b.Phones, Emails: b.Emails, Category: b.Category,
		Company: b.Company, Store: b.Store, Agent: b.Agent, Source: b.UTMSource, ProviderLeadID: b.ProviderLeadID, ProviderKey: b.Provider,
		Comments: b.Comments, Priority: b.Priority, Data: data, History: history}
	for _, n := range b.Nin {
		l.Nin = append(l.Nin, contact.Nin{Type: n.Type, Number: n.Number})
	}
	return l, bad.Err()
}

// renew moves deprecated names to the new ones, unless those are there too.
func (b *leadBody) renew() {
	for _, p := range []struct{ now, was *string }{{&b.ProviderLeadID, &b.LeadID}, {&b.UTMSource, &b.Source}, {&b.UTMMedium, &b.Medium}, {&b.UTMCampaign, &b.Campaign}} {
		if strings.TrimSpace(*p.now) == "" {
			*p.now = *p.was
		}
	}
}

// events reads the history. The deprecated callIn is a call at its end, unless the
// history tells of a call itself.
func (b *leadBody) events() ([]interaction.New, error) {
	var out []interaction.New
	calls := false
	for i, raw := range b.History {
		n, err := readEvent(raw)
		if err != nil {
			return nil, under("history."+itoa(i), err)
		}
		calls = calls || n.Type == "call"
		out = append(out, n)
	}
	call := strings.TrimSpace(string(b.CallIn))
	if call == "" || call == "null" || call == "false" || calls {
		return out, nil
	}
	fields := map[string]json.RawMessage{}
	if call != "true" && httpx.DecodeJSON(b.CallIn, &fields) != nil {
		return nil, fault.Field("callIn", "callIn must be an object with the call; better send a call in history")
	}
	fields["type"] = json.RawMessage(`"call"`)
	if source, old := fields["source"], fields["utmSource"] == nil; old && source != nil {
		fields["utmSource"] = source
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	n, err := readEvent(raw)
	return append(out, n), under("callIn", err)
}

// lines checks a text that may have several lines.
func lines(field, s string, max int) (string, error) { return contact.Line(field, s, max) }

// under says of a fault below which field its own lies.
func under(at string, err error) error {
	f := fault.As(err)
	if f == nil {
		return err
	}
	c := *f
	c.Field = strings.TrimSuffix(at+"."+f.Field, ".")
	c.Message = at + ": " + f.Message
	return &c
}
