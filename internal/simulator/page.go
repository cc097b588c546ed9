package simulator

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"parley/internal/fault"
)

// Page is one Facebook page at the simulated Meta, with the Messenger Platform
// behind it. WebhookURL gets its webhooks, signed with AppSecret; without one none
// are sent.
type Page struct {
	ID         string `json:"pageId"`
	Name       string `json:"name,omitempty"`
	Token      string `json:"token"`
	AppSecret  string `json:"appSecret"`
	WebhookURL string `json:"webhookUrl,omitempty"`
	// GraphURL is where this simulator answers, for the links of files that people
	// send; by default the simulator's PublicURL.
	GraphURL string `json:"graphUrl,omitempty"`
	// NoEchoes leaves out the webhooks about the page's own messages, as of an app
	// that is not subscribed to them.
	NoEchoes bool `json:"noEchoes,omitempty"`
}

// AddPage registers a page, or replaces the one of that id. A fault names the
// field that is wrong.
func (s *Simulator) AddPage(p Page) error {
	switch {
	case p.ID == "":
		return fault.Missing("pageId")
	case !nodeID.MatchString(p.ID):
		return fault.Field("pageId", "pageId must be letters and digits, at most 64")
	case p.Token == "":
		return fault.Missing("token")
	case p.AppSecret == "":
		return fault.Missing("appSecret")
	}
	for _, link := range []struct{ field, url string }{{"webhookUrl", p.WebhookURL}, {"graphUrl", p.GraphURL}} {
		u, err := url.Parse(link.url)
		if link.url != "" && (err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https")) {
			return fault.Field(link.field, "%s must be an http or https URL", link.field)
		}
	}
	if p.Name == "" {
		p.Name = "Page " + p.ID
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accounts[p.ID] != nil {
		return fault.Field("pageId", "pageId names a phone number already")
	}
	if s.pages[p.ID] == nil {
		s.pageOrder = append(s.pageOrder, p.ID)
	}
	s.pages[p.ID] = &p
	return nil
}

// Pages returns the registered pages, oldest first.
func (s *Simulator) Pages() []Page {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Page, 0, len(s.pageOrder))
	for _, id := range s.pageOrder {
		list = append(list, *s.pages[id])
	}
	return list
}

// pageRules are the documented errors of the Messenger Platform (Messenger
// Platform, "Error codes"), all of them answers to the request.
var pageRules = map[int]struct {
	title   string
	status  int
	subcode int
}{
	2:    {"Service temporarily unavailable", http.StatusServiceUnavailable, 0},
	4:    {"Application request limit reached", http.StatusForbidden, 0},
	10:   {"This message is sent outside of allowed window. Learn more about the new policy here: https://developers.facebook.com/docs/messenger-platform/policy-overview", http.StatusForbidden, 2018278},
	100:  {"No matching user found", http.StatusBadRequest, 2018001},
	190:  {"Invalid OAuth access token.", http.StatusUnauthorized, 0},
	200:  {"Permissions error", http.StatusForbidden, 0},
	368:  {"The action attempted has been deemed abusive or is otherwise disallowed", http.StatusForbidden, 0},
	551:  {"This person isn't available right now.", http.StatusForbidden, 1545041},
	613:  {"Calls to this api have exceeded the rate limit.", http.StatusForbidden, 0},
	1200: {"Temporary send message failure. Please try again later.", http.StatusInternalServerError, 0},
}

// pageError is a refusal of the Messenger Platform.
type pageError struct {
	code, subcode int
	message       string
}

// pageRefuse is a documented error with its own words.
func pageRefuse(code int) *pageError {
	r := pageRules[code]
	return &pageError{code, r.subcode, r.title}
}

func badParam(subcode int, message string) *pageError { return &pageError{100, subcode, message} }

func (s *Simulator) refusePage(w http.ResponseWriter, e *pageError) {
	s.mu.Lock()
	trace := s.trace()
	s.mu.Unlock()
	body := map[string]any{"message": "(#" + itoa(e.code) + ") " + e.message, "type": "OAuthException", "code": e.code, "fbtrace_id": trace}
	if e.subcode != 0 {
		body["error_subcode"] = e.subcode
	}
	status := http.StatusBadRequest
	if r, ok := pageRules[e.code]; ok && e.code != 100 {
		status = r.status
	}
	writeJSON(w, status, map[string]any{"error": body})
}

// page finds the page that the path names and checks the token: its id, or "me"
// for the token's own.
func (s *Simulator) page(r *http.Request) (Page, *pageError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	node, token := r.PathValue("node"), bearer(r)
	if node == "me" {
		for _, p := range s.pages {
			if p.Token == token {
				return *p, nil
			}
		}
		return Page{}, pageRefuse(190)
	}
	p := s.pages[node]
	switch {
	case p == nil:
		return Page{}, &pageError{100, 33, "Unsupported request. Object with ID '" + node + "' does not exist, cannot be loaded due to missing permissions, or does not support this operation"}
	case p.Token != token:
		return Page{}, pageRefuse(190)
	}
	return *p, nil
}

// isPage tells the requests of the Messenger Platform from those of WhatsApp.
func (s *Simulator) isPage(node string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pages[node] != nil || node == "me"
}

// pageHook puts an event into the envelope of a page's webhook.
func (p *Page) hook(now time.Time, event map[string]any) []byte {
	b, _ := json.Marshal(map[string]any{ // only strings and numbers: it cannot fail
		"object": "page",
		"entry":  []any{map[string]any{"id": p.ID, "time": now.UnixMilli(), "messaging": []any{event}}},
	})
	return b
}

// pageWebhook makes a webhook and its duplicates; none without a URL. The caller
// holds mu.
func (s *Simulator) pageWebhook(p *Page, kind, subject, person string, event map[string]any, due time.Time) []*delivery {
	if p.WebhookURL == "" {
		return nil
	}
	body := p.hook(due, event)
	ds := make([]*delivery, 1+s.faults.duplicates)
	for i := range ds {
		ds[i] = &delivery{account: p.ID, url: p.WebhookURL, secret: p.AppSecret, kind: kind, subject: subject,
			lane: p.ID + "/" + person, body: body, due: due}
	}
	return ds
}

// fileLink is where a file that somebody sent to a page is read: a signed link
// that needs no token, as Meta's are.
func (s *Simulator) fileLink(p *Page, id string) string {
	base := p.GraphURL
	if base == "" {
		base = s.opt.PublicURL
	}
	if base == "" {
		base = "https://files.simulated.invalid"
	}
	return strings.TrimRight(base, "/") + "/v24.0/file-" + id + "?oh=" + lastDigits(id, 6)
}
