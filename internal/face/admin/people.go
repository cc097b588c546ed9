package admin

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// The largest numbers of people in one call of an export and of an import.
const (
	PeopleLimit = deal.WalkLimit
	ImportLimit = deal.ImportLimit
)

// Person is a contact with its deal as imports and exports carry it.
type Person struct {
	ID         string            `json:"id,omitempty"` // of exports only, as all that follows Attributes
	FirstName  string            `json:"firstName,omitempty"`
	LastName   string            `json:"lastName,omitempty"`
	Phone      string            `json:"phone,omitempty"`
	Email      string            `json:"email,omitempty"`
	Source     string            `json:"source,omitempty"`
	AssignedTo string            `json:"assignedTo,omitempty"`
	Tags       []string          `json:"tags,omitempty"`
	Pipeline   string            `json:"pipeline,omitempty"` // id or name
	Stage      string            `json:"stage,omitempty"`    // id or name
	DealValue  *float64          `json:"dealValue,omitempty"`
	Currency   string            `json:"currency,omitempty"`
	DealTitle  string            `json:"dealTitle,omitempty"`
	Refs       map[string]string `json:"refs,omitempty"`
	Extra      map[string]any    `json:"extra,omitempty"`
	Attributes map[string]any    `json:"attributes,omitempty"`

	Status    string    `json:"status,omitempty"`
	Score     int       `json:"score,omitempty"`
	CreatedAt time.Time `json:"createdAt,omitzero"`
	UpdatedAt time.Time `json:"updatedAt,omitzero"`
}

// Imported is how one call of an import went.
type Imported struct {
	Created int        `json:"created"`
	Updated int        `json:"updated"`
	Failed  int        `json:"failed"`
	Errors  []RowError `json:"errors,omitempty"`
}

// RowError says why a row of an import failed.
type RowError struct {
	Row     int    `json:"row"` // from 0
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
}

// importPeople stores people with their deals by their phones, else e-mails. It
// may be repeated: what is stored already is updated.
func (f *Face) importPeople(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := f.tenant(ctx, r)
	if err != nil {
		return nil, err
	}
	var in struct {
		People []Person
		DryRun bool
	}
	if h := handover(ctx); h != nil {
		in.People, in.DryRun = h.People, h.DryRun
	} else if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if len(in.People) > ImportLimit {
		return nil, fault.Field("people", "send at most %d people in one call", ImportLimit)
	}
	pipelines, err := f.s.Deals.Pipelines(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	out := Imported{}
	var cards []deal.NewCard
	var rows []int // of cards, in what was sent
	for i, p := range in.People {
		card, e := p.card(pipelines)
		if e != nil {
			out.Failed++
			out.Errors = append(out.Errors, RowError{i, e.Field, e.Message})
			continue
		}
		cards, rows = append(cards, card), append(rows, i)
	}
	do := f.s.Deals.Import
	if in.DryRun {
		do = f.s.Deals.TryImport
	}
	res, err := do(ctx, t.ID, "operator", cards)
	if err != nil {
		return nil, err
	}
	out.Created, out.Updated, out.Failed = res.Created, res.Updated, out.Failed+res.Failed
	for _, e := range res.Errors {
		out.Errors = append(out.Errors, RowError{rows[e.Row], e.Field, e.Message})
	}
	return ok(out)
}

// card turns a row into what the deal room takes.
func (p Person) card(pipelines []deal.Pipeline) (deal.NewCard, *fault.Error) {
	if strings.TrimSpace(p.Phone) == "" && strings.TrimSpace(p.Email) == "" {
		return deal.NewCard{}, fault.Field("phone", "a phone or an email is needed to know the person by")
	}
	n := deal.NewCard{New: contact.New{FirstName: p.FirstName, LastName: p.LastName, Phone: p.Phone, Email: p.Email, Source: p.Source,
		AssignedTo: p.AssignedTo, Tags: p.Tags, Refs: p.Refs, Extra: p.Extra, Attributes: p.Attributes},
		Value: p.DealValue, Currency: p.Currency, Title: p.DealTitle}
	within := pipelines
	if p.Pipeline != "" {
		within = nil
		for _, x := range pipelines {
			if x.ID.String() == p.Pipeline || strings.EqualFold(x.Name, p.Pipeline) {
				within = append(within, x)
			}
		}
		if len(within) != 1 {
			return n, fault.Field("pipeline", "%s pipeline is called %q; name one by its id", quantity(len(within)), p.Pipeline)
		}
		n.Pipeline = within[0].ID
	}
	if p.Stage == "" {
		return n, nil
	}
	found := stagesOf(within, p.Stage)
	if p.Pipeline == "" && len(found) > 1 { // the default pipeline's stage wins
		for _, x := range within {
			if x.Default {
				found = stagesOf([]deal.Pipeline{x}, p.Stage)
			}
		}
	}
	if len(found) != 1 {
		return n, fault.Field("stage", "%s stage is called %q; name one by its id, or its pipeline too", quantity(len(found)), p.Stage)
	}
	n.Stage = found[0].ID
	return n, nil
}

// stagesOf finds stages by id or name.
func stagesOf(pipelines []deal.Pipeline, name string) (out []deal.Stage) {
	for _, x := range pipelines {
		for _, st := range x.Stages {
			if st.ID.String() == name || strings.EqualFold(st.Name, name) {
				out = append(out, st)
			}
		}
	}
	return out
}

func quantity(n int) string {
	if n == 0 {
		return "no"
	}
	return "more than one"
}

// exportPeople returns people behind an id, the oldest first.
func (f *Face) exportPeople(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := f.tenant(ctx, r)
	if err != nil {
		return nil, err
	}
	after, limit := id.Zero, PeopleLimit
	q := r.URL.Query()
	if v := q.Get("after"); v != "" {
		if after, err = id.Parse(v); err != nil {
			return nil, fault.Field("after", "after is the id of the last person that was read")
		}
	}
	if v := q.Get("limit"); v != "" {
		if limit, err = strconv.Atoi(v); err != nil || limit < 1 || limit > PeopleLimit {
			return nil, fault.Field("limit", "limit is a number from 1 to %d", PeopleLimit)
		}
	}
	rows, err := f.s.Deals.Walk(ctx, t.ID, after, limit, q.Get("archived") == "true")
	if err != nil {
		return nil, err
	}
	out := make([]Person, len(rows))
	for i := range rows {
		c := &rows[i]
		out[i] = Person{ID: c.ID.String(), FirstName: c.FirstName, LastName: c.LastName, Email: c.Email, Source: c.Source, AssignedTo: c.AssignedTo,
			Tags: c.Tags, Pipeline: c.Pipeline, Stage: c.Stage, Currency: c.Currency, DealTitle: c.Title, Refs: c.Refs, Extra: c.Extra,
			Attributes: c.Attributes, Status: c.Status, Score: c.Score, CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt}
		if c.Phone != "" {
			out[i].Phone = "+" + c.Phone // the digits are international
		}
		if c.Value != 0 {
			out[i].DealValue = &c.Value
		}
	}
	if h := handover(ctx); h != nil {
		h.People = out
		return httpx.Empty(http.StatusNoContent), nil
	}
	return ok(out)
}
