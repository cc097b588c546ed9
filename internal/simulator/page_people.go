package simulator

import (
	"context"
	"net/http"
	"strings"

	"parley/internal/fault"
)

// PageReply is what a person does on Messenger: write to a page.
type PageReply struct {
	From      string `json:"from"` // page-scoped id, digits
	To        string `json:"to,omitempty"`
	Text      string `json:"text,omitempty"`
	FirstName string `json:"firstName,omitempty"` // what the profile tells
	LastName  string `json:"lastName,omitempty"`
	// Payload makes it the press of a button, QuickReply the choice of a quick
	// reply: the text is the title of what was chosen.
	Payload    string `json:"payload,omitempty"`
	QuickReply string `json:"quickReply,omitempty"`
	ReplyTo    string `json:"replyTo,omitempty"` // mid
	// Reaction puts an emoji on the message ReplyTo.
	Reaction string      `json:"reaction,omitempty"`
	Files    []ReplyFile `json:"files,omitempty"`
}

// profile is what Messenger tells of a person.
type profile struct{ first, last string }

func psid(s string) bool {
	return len(s) >= 5 && len(s) <= 32 && strings.Trim(s, "0123456789") == ""
}

// PageReply lets a person write to a page. It opens the window, posts the signed
// webhook (and the duplicates asked for) and returns with the server's answer. A
// fault names the field that is wrong.
func (s *Simulator) PageReply(ctx context.Context, r PageReply) (Replied, error) {
	switch {
	case r.From == "":
		return Replied{}, fault.Missing("from")
	case !psid(r.From):
		return Replied{}, fault.Field("from", "from must be a page-scoped id, 5 to 32 digits")
	case r.Text == "" && len(r.Files) == 0 && r.Reaction == "":
		return Replied{}, fault.Missing("text")
	}
	for _, f := range r.Files {
		if kinds[f.Type].max == 0 || len(f.Data) == 0 || f.MIME == "" {
			return Replied{}, fault.Field("files", "a file needs a type (image, video, audio, document), a mime and data")
		}
	}
	s.mu.Lock()
	p, err := s.pageFor(r.To)
	if err != nil {
		s.mu.Unlock()
		return Replied{}, err
	}
	now := s.clock.Now()
	who := s.phoneOf(p.ID, r.From)
	who.lastWrote = now
	if len(s.profiles) >= s.opt.MaxPhones { // what is forgotten is asked for again
		s.profiles, s.sent = map[string]profile{}, map[string][]string{}
	}
	if r.FirstName != "" || r.LastName != "" {
		s.profiles[r.From] = profile{r.FirstName, r.LastName}
	} else if _, known := s.profiles[r.From]; !known {
		s.profiles[r.From] = profile{"Person", r.From[len(r.From)-4:]}
	}
	mid := s.mid()
	event := map[string]any{"sender": map[string]string{"id": r.From}, "recipient": map[string]string{"id": p.ID}, "timestamp": now.UnixMilli()}
	switch {
	case r.Reaction != "":
		event["reaction"] = map[string]any{"reaction": "other", "emoji": r.Reaction, "action": "react", "mid": r.ReplyTo}
	case r.Payload != "":
		event["postback"] = map[string]any{"mid": mid, "title": r.Text, "payload": r.Payload}
	default:
		event["message"] = s.pageText(p, mid, r)
	}
	ds := s.pageWebhook(p, "message", mid, r.From, event, now)
	page := p.ID
	s.mu.Unlock()
	out := s.postNow(ctx, ds)
	out.ID, out.Account = mid, page
	return out, nil
}

// pageText is the message of a webhook; the caller holds mu.
func (s *Simulator) pageText(p *Page, mid string, r PageReply) map[string]any {
	msg := map[string]any{"mid": mid}
	if r.Text != "" {
		msg["text"] = r.Text
	}
	if r.QuickReply != "" {
		msg["quick_reply"] = map[string]string{"payload": r.QuickReply}
	}
	if r.ReplyTo != "" {
		msg["reply_to"] = map[string]string{"mid": r.ReplyTo}
	}
	var list []any
	for _, f := range r.Files {
		id := s.number()
		s.media.put(id, &file{account: p.ID, mime: f.MIME, data: f.Data})
		s.sent[mid] = append(s.sent[mid], id)
		kind := f.Type
		if kind == "document" {
			kind = "file"
		}
		list = append(list, map[string]any{"type": kind, "payload": map[string]any{"url": s.fileLink(p, id)}})
	}
	if list != nil {
		msg["attachments"] = list
	}
	return msg
}

// pageFor finds the page that a person writes to: the one named, else the only
// one. The caller holds mu.
func (s *Simulator) pageFor(to string) (*Page, error) {
	if to == "" && len(s.pageOrder) == 1 {
		to = s.pageOrder[0]
	}
	if p := s.pages[to]; p != nil {
		return p, nil
	}
	return nil, fault.Field("to", "to must name a registered page id")
}

// KeepAt makes as if a person had sent a file to a page, without a webhook, and
// returns the message id under which the server finds it.
func (s *Simulator) KeepAt(page, mime string, data []byte) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, mid := s.number(), s.mid()
	s.media.put(id, &file{account: page, mime: mime, data: data})
	s.sent[mid] = []string{id}
	return mid
}

// Block makes a person unavailable to a page, or available again.
func (s *Simulator) Block(person, page string, blocked bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pageFor(page)
	if err != nil {
		return err
	}
	s.phoneOf(p.ID, person).blocked = blocked
	return nil
}

// PageInbox returns what a person received from all pages, oldest first for each
// page, as far as its ring reaches back.
func (s *Simulator) PageInbox(person string) ([]Received, error) {
	if !psid(person) {
		return nil, fault.Field("to", "to must be a page-scoped id, 5 to 32 digits")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []Received{}
	for _, id := range s.pageOrder {
		if p := s.phones[phoneKey{id, person}]; p != nil {
			all = append(all, p.inbox...)
		}
	}
	return all, nil
}

// getPageNode answers what the Messenger Platform keeps under a node: a person's
// profile, a message's attachments, a file. It reports false for any other node.
func (s *Simulator) getPageNode(w http.ResponseWriter, r *http.Request) bool {
	node := r.PathValue("node")
	if id, ok := strings.CutPrefix(node, "file-"); ok {
		if s.fileFault(w, r, "download", "") {
			return true
		}
		s.mu.Lock()
		f := s.media.files[id]
		s.mu.Unlock()
		if f == nil || r.URL.Query().Get("oh") != lastDigits(id, 6) {
			http.Error(w, "URL signature expired", http.StatusForbidden)
			return true
		}
		w.Header().Set("Content-Type", f.mime)
		_, _ = w.Write(f.data)
		return true
	}
	s.mu.Lock()
	var p *Page
	for _, q := range s.pages {
		if q.Token == bearer(r) {
			p = q
		}
	}
	ids, isMessage := s.sent[node]
	known, isPerson := s.profiles[node]
	if !isMessage && !isPerson {
		s.mu.Unlock()
		return false
	}
	allowed := p != nil
	var data []any
	if allowed && isPerson {
		who := s.phones[phoneKey{p.ID, node}]
		allowed = who != nil && !who.lastWrote.IsZero()
	}
	for _, id := range ids {
		f := s.media.files[id]
		if f == nil {
			continue
		}
		if p == nil || f.account != p.ID {
			allowed = false
			break
		}
		item := map[string]any{"id": id, "mime_type": f.mime, "size": len(f.data), "name": "file"}
		link := map[string]any{"url": s.here(r, p, id)}
		switch attachmentType(f.mime) {
		case "image":
			item["image_data"] = link
		case "video":
			item["video_data"] = link
		default:
			item["file_url"] = link["url"]
		}
		data = append(data, item)
	}
	s.mu.Unlock()
	switch {
	case p == nil:
		s.refusePage(w, pageRefuse(190))
	case !allowed:
		s.refusePage(w, &pageError{100, 33, "Unsupported get request. Object with ID '" + node + "' does not exist, cannot be loaded due to missing permissions, or does not support this operation"})
	case isPerson:
		writeJSON(w, http.StatusOK, map[string]string{"first_name": known.first, "last_name": known.last, "id": node})
	default:
		if !s.fileFault(w, r, "download", p.ID) {
			writeJSON(w, http.StatusOK, map[string]any{"id": node, "attachments": map[string]any{"data": data}})
		}
	}
	return true
}

// here is fileLink for whoever asks: at the address they reached us by.
func (s *Simulator) here(r *http.Request, p *Page, id string) string {
	at := *p
	if at.GraphURL == "" {
		at.GraphURL = s.self(r) + strings.TrimSuffix(s.path(r), r.URL.Path)
	}
	return s.fileLink(&at, id)
}
