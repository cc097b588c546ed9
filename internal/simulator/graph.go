package simulator

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const maxBody = 1 << 20

var versionForm = regexp.MustCompile(`^v\d+\.\d+$`)

// Handler serves the Graph paths /{version}/... and the control API /_sim/.
func (s *Simulator) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{version}/{node}/messages", s.postMessage)
	mux.HandleFunc("GET /{version}/{node}/message_templates", s.getTemplates)
	mux.HandleFunc("POST /{version}/{node}/media", s.postMedia)
	mux.HandleFunc("POST /{version}/{node}/message_attachments", s.postAttachment)
	mux.HandleFunc("GET /{version}/{node}", s.getMedia)
	control := http.NewServeMux() // of its own: its catch-all would clash with /{version}/{node}
	s.control(control)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.refuseHTTP(w, &graphError{code: 2500, details: "Unknown path components: " + r.URL.Path}, http.StatusBadRequest)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/_sim/") {
			control.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (s *Simulator) refuseHTTP(w http.ResponseWriter, e *graphError, status int) {
	s.mu.Lock()
	trace := s.trace()
	s.mu.Unlock()
	if status == 0 {
		status = e.rule().status
	}
	writeJSON(w, status, map[string]any{"error": e.answer(trace)})
}

// unknownNode is Meta's answer for an object that is not there or not ours.
func unknownNode(id string) *graphError {
	return &graphError{code: 100, subcode: 33, details: "Unsupported request. Object with ID '" + id + "' does not exist, cannot be loaded due to missing permissions, or does not support this operation"}
}

// bearer reads the token from the header or the query, as the Graph API does.
func bearer(r *http.Request) string {
	if t, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return t
	}
	return r.URL.Query().Get("access_token")
}

// account finds the number that the path names and checks the token.
func (s *Simulator) account(r *http.Request) (Account, *graphError) {
	if !versionForm.MatchString(r.PathValue("version")) {
		return Account{}, &graphError{code: 2500, details: "Unknown path components: " + r.URL.Path}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[r.PathValue("node")]
	if a == nil {
		return Account{}, unknownNode(r.PathValue("node"))
	}
	if bearer(r) != a.Token {
		return Account{}, refuse(190, "The access token is invalid or has expired")
	}
	return *a, nil
}

func (s *Simulator) postMessage(w http.ResponseWriter, r *http.Request) {
	if s.isPage(r.PathValue("node")) && versionForm.MatchString(r.PathValue("version")) {
		s.postPageMessage(w, r)
		return
	}
	a, gerr := s.account(r)
	if gerr != nil {
		s.refuseHTTP(w, gerr, 0)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		s.refuseHTTP(w, refuse(100, "The request body is too large or broke off"), 0)
		return
	}
	var head request
	if json.Unmarshal(body, &head) == nil && head.Status == "read" {
		s.markRead(w, head)
		return
	}
	s.mu.Lock()
	to := head.To
	if to == "" {
		to = head.Recipient
	}
	to, _ = person(to)
	f := s.nextFault("", a.PhoneNumberID, to)
	if f == nil {
		f = &Fault{}
	}
	if f.Drop == "before" || f.Status != 0 {
		s.mu.Unlock()
		s.misbehave(w, f)
		return
	}
	wamid, ds, gerr := s.send(&a, body, f)
	s.mu.Unlock()
	s.post.enqueue(ds...)
	if d := f.delay(); d > 0 {
		timer, stop := s.clock.After(d)
		defer stop()
		select {
		case <-timer:
		case <-r.Context().Done():
		case <-s.post.ctx.Done():
		}
	}
	switch {
	case f.Drop == "after":
		drop(w)
	case gerr != nil:
		s.refuseHTTP(w, gerr, 0)
	default:
		writeJSON(w, http.StatusOK, map[string]any{
			"messaging_product": "whatsapp",
			"contacts":          []any{map[string]any{"input": head.To + head.Recipient, "wa_id": to}},
			"messages":          []any{map[string]any{"id": wamid, "message_status": "accepted"}},
		})
	}
}

// send runs one message through fault, checks and limits; the caller holds mu.
func (s *Simulator) send(a *Account, body []byte, f *Fault) (string, []*delivery, *graphError) {
	var later *graphError
	if f.Code != 0 {
		e := refuse(f.Code, "injected by the simulator")
		if !e.rule().async {
			return "", nil, e
		}
		later = e
	}
	m, err := s.read(a, body)
	if err != nil {
		return "", nil, err
	}
	return s.accept(a, m, later)
}

// misbehave answers without having accepted anything.
func (s *Simulator) misbehave(w http.ResponseWriter, f *Fault) {
	if f.Drop != "" {
		drop(w)
		return
	}
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(f.Status)
	_, _ = io.WriteString(w, "<html><body>Sorry, something went wrong.</body></html>\n")
}

// drop closes the connection without an answer.
func drop(w http.ResponseWriter) {
	if hj, ok := w.(http.Hijacker); ok {
		if conn, _, err := hj.Hijack(); err == nil {
			_ = conn.Close()
			return
		}
	}
	panic(http.ErrAbortHandler) // net/http closes the connection quietly
}

// markRead answers the request that shows blue ticks on the person's phone.
func (s *Simulator) markRead(w http.ResponseWriter, head request) {
	if head.MessageID == "" {
		s.refuseHTTP(w, refuse(131008, "The parameter message_id is required."), 0)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"success": true})
}

// getTemplates lists a business account's templates with cursors (Meta Graph
// API, "Paginated results"). The cursor is the number of templates before it.
func (s *Simulator) getTemplates(w http.ResponseWriter, r *http.Request) {
	if !versionForm.MatchString(r.PathValue("version")) {
		s.refuseHTTP(w, &graphError{code: 2500, details: "Unknown path components: " + r.URL.Path}, http.StatusBadRequest)
		return
	}
	waba, q := r.PathValue("node"), r.URL.Query()
	s.mu.Lock()
	known, allowed := false, false
	for _, a := range s.accounts {
		if a.WABAID == waba {
			known = true
			allowed = allowed || a.Token == bearer(r)
		}
	}
	list := slices.Clone(s.templates[waba])
	s.mu.Unlock()
	switch {
	case !known:
		s.refuseHTTP(w, unknownNode(waba), 0)
		return
	case !allowed:
		s.refuseHTTP(w, refuse(190, "The access token is invalid or has expired"), 0)
		return
	}
	limit := 25
	if v := q.Get("limit"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > 1000 {
			s.refuseHTTP(w, refuse(100, "Param limit must be between 1 and 1000"), 0)
			return
		}
		limit = n
	}
	if name := q.Get("name"); name != "" {
		list = slices.DeleteFunc(list, func(t Template) bool { return t.Name != name })
	}
	from := 0
	if v := q.Get("after"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 {
			s.refuseHTTP(w, refuse(100, "Param after is not a valid cursor"), 0)
			return
		}
		from = min(n, len(list))
	}
	to := min(from+limit, len(list))
	answer := map[string]any{"data": list[from:to:to]}
	if to > from {
		paging := map[string]any{"cursors": map[string]string{"before": strconv.Itoa(from), "after": strconv.Itoa(to)}}
		if to < len(list) {
			q.Set("after", strconv.Itoa(to))
			paging["next"] = s.self(r) + r.URL.Path + "?" + q.Encode()
		}
		answer["paging"] = paging
	}
	if list == nil {
		answer["data"] = []Template{}
	}
	writeJSON(w, http.StatusOK, answer)
}

// self is the prefix of links to this server.
func (s *Simulator) self(r *http.Request) string {
	if s.opt.PublicURL != "" {
		return strings.TrimRight(s.opt.PublicURL, "/")
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
