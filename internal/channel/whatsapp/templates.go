package whatsapp

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"

	"parley/internal/channel"
	"parley/internal/channel/meta"
	"parley/internal/fault"
)

// Limits of one listing: Meta allows a business account at most 6000 templates
// (Meta Cloud API, "Message templates, Limits").
const (
	templatesPerPage = "100"
	maxTemplatePages = 1000
)

type templatePage struct {
	Data   []inTemplate `json:"data"`
	Paging struct {
		Cursors struct {
			After string `json:"after"`
		} `json:"cursors"`
		Next string `json:"next"`
	} `json:"paging"`
}

type inTemplate struct {
	ID         text            `json:"id"`
	Name       string          `json:"name"`
	Language   string          `json:"language"`
	Status     string          `json:"status"`
	Category   string          `json:"category"`
	Components json.RawMessage `json:"components"`
}

type inComponent struct {
	Type    string `json:"type"`
	Format  string `json:"format"`
	Text    string `json:"text"`
	Buttons []struct {
		Type  string `json:"type"`
		Text  string `json:"text"`
		URL   string `json:"url"`
		Phone string `json:"phone_number"`
	} `json:"buttons"`
}

// Templates lists all templates of the account's business account, page by
// page. Faults: Unready (settings or rights are missing), RateLimited,
// Unavailable (Meta does not answer or answers nonsense).
func (c *Channel) Templates(ctx context.Context, a channel.Account) ([]channel.Template, error) {
	waba, token := a.Settings["wabaId"], a.Secrets["token"]
	if waba == "" || token == "" {
		return nil, fault.New(fault.Unready, "templates need the WhatsApp account's wabaId and access token: complete its settings")
	}
	first, err := c.endpoint(a, waba, "message_templates")
	if err != nil {
		return nil, fault.New(fault.Unready, "the WhatsApp account's base URL is not a URL: correct its settings")
	}
	first.RawQuery = url.Values{"limit": {templatesPerPage}}.Encode()
	var all []channel.Template
	seen := map[string]bool{}
	for u := first; u != nil; {
		if seen[u.String()] || len(seen) >= maxTemplatePages {
			return nil, fault.New(fault.Unavailable, "Meta's list of templates does not come to an end: try again later")
		}
		seen[u.String()] = true
		page, err := c.templatePage(ctx, u, token)
		if err != nil {
			return nil, err
		}
		for _, t := range page.Data {
			all = append(all, t.neutral())
		}
		if u, err = nextPage(first, page); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// nextPage returns nil after the last page, which has no paging.next (Meta
// Graph API, "Paginated results"). The cursor is put on our own URL; where
// there is only a link it must stay on the same host, and the access token
// that Meta writes into its links is not repeated.
func nextPage(first *url.URL, page *templatePage) (*url.URL, error) {
	if page.Paging.Next == "" {
		return nil, nil
	}
	u := *first
	q := u.Query()
	if after := page.Paging.Cursors.After; after != "" {
		q.Set("after", after)
		u.RawQuery = q.Encode()
		return &u, nil
	}
	next, err := url.Parse(page.Paging.Next)
	if err != nil || next.Scheme != first.Scheme || next.Host != first.Host {
		return nil, fault.New(fault.Unavailable, "Meta's list of templates continues on another host, which is not followed")
	}
	q = next.Query()
	q.Del("access_token")
	next.RawQuery = q.Encode()
	return next, nil
}

func (c *Channel) templatePage(ctx context.Context, u *url.URL, token string) (*templatePage, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fault.New(fault.Unready, "the WhatsApp account's base URL is not a URL: correct its settings")
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := c.doer.Do(req)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "Meta could not be reached for the templates: %v", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, meta.MaxAnswer))
	if err != nil {
		return nil, fault.New(fault.Unavailable, "Meta's list of templates broke off: %v", err)
	}
	if g := readError(body); g != nil || resp.StatusCode != http.StatusOK {
		return nil, listFault(resp.StatusCode, classify(resp.StatusCode, g, c.wait(resp.Header)))
	}
	var page templatePage
	if err := json.Unmarshal(body, &page); err != nil {
		return nil, fault.New(fault.Unavailable, "Meta's list of templates cannot be read: %v", err)
	}
	return &page, nil
}

// listFault says of a failed listing what its caller can do.
func listFault(status int, e *channel.SendError) error {
	switch {
	case status == http.StatusTooManyRequests || e.Code == 4 || e.Code == 80007 || e.Code == 130429:
		return fault.New(fault.RateLimited, "Meta wants fewer requests: %s", e.Title).After(e.RetryAfter)
	case e.Outcome == channel.Refused, e.Code != 0 && rules[e.Code] == setup:
		return fault.New(fault.Unready, "Meta does not show the templates: %s", e.Title)
	default:
		return fault.New(fault.Unavailable, "Meta does not show the templates now: %s", e.Title).After(e.RetryAfter)
	}
}

// neutral maps the components (Meta Cloud API, "Template components").
func (t inTemplate) neutral() channel.Template {
	out := channel.Template{
		ProviderID: string(t.ID), Name: t.Name, Language: t.Language, Status: t.Status,
		Category: t.Category, HeaderType: "NONE", Components: t.Components,
	}
	var parts []inComponent
	if json.Unmarshal(t.Components, &parts) != nil {
		return out
	}
	for _, p := range parts {
		switch p.Type {
		case "HEADER":
			out.HeaderType, out.HeaderText = p.Format, p.Text
		case "BODY":
			out.BodyText = p.Text
		case "FOOTER":
			out.FooterText = p.Text
		case "BUTTONS":
			for _, b := range p.Buttons {
				out.Buttons = append(out.Buttons, channel.TemplateButton{Type: b.Type, Text: b.Text, URL: b.URL, Phone: b.Phone})
			}
		}
	}
	return out
}
