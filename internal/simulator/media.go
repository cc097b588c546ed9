package simulator

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Bounds of the files kept; the oldest is forgotten first.
const (
	maxFile  = 100 << 20
	maxFiles = 64
	maxKept  = 256 << 20 // bytes of all of them
)

// kinds are the types that may be uploaded and the most bytes of each kind
// (Meta Cloud API, "Media, Supported media types").
var kinds = map[string]struct {
	max   int
	types []string
}{
	"audio": {16 << 20, []string{"audio/aac", "audio/mp4", "audio/mpeg", "audio/amr", "audio/ogg"}},
	"document": {maxFile, []string{"text/plain", "application/pdf", "application/vnd.ms-powerpoint", "application/msword", "application/vnd.ms-excel",
		"application/vnd.openxmlformats-officedocument.wordprocessingml.document",
		"application/vnd.openxmlformats-officedocument.presentationml.presentation",
		"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}},
	"image":   {5 << 20, []string{"image/jpeg", "image/png"}},
	"sticker": {500 << 10, []string{"image/webp"}},
	"video":   {16 << 20, []string{"video/mp4", "video/3gpp"}},
}

// kindOf names the kind of message that carries a type, "" for none.
func kindOf(mime string) string {
	mime, _, _ = strings.Cut(mime, ";")
	for kind, k := range kinds {
		if slices.Contains(k.types, strings.TrimSpace(mime)) {
			return kind
		}
	}
	return ""
}

type file struct {
	account, mime string
	data          []byte
}

// mediaStore keeps uploaded files; the Simulator's mu guards it.
type mediaStore struct {
	files map[string]*file
	age   []string
	kept  int // bytes
}

func newMediaStore() *mediaStore { return &mediaStore{files: map[string]*file{}} }

func (m *mediaStore) put(id string, f *file) {
	for len(m.age) > 0 && (len(m.files) >= maxFiles || m.kept+len(f.data) > maxKept) {
		m.kept -= len(m.files[m.age[0]].data)
		delete(m.files, m.age[0])
		m.age = m.age[1:]
	}
	m.kept += len(f.data)
	m.files[id] = f
	m.age = append(m.age, id)
}

// get returns nil for a file that is unknown or another account's.
func (m *mediaStore) get(account, id string) *file {
	if f := m.files[id]; f != nil && f.account == account {
		return f
	}
	return nil
}

// postMedia takes a multipart upload (Meta Cloud API, "Media, Upload media").
func (s *Simulator) postMedia(w http.ResponseWriter, r *http.Request) {
	a, gerr := s.account(r)
	if gerr != nil {
		s.refuseHTTP(w, gerr, 0)
		return
	}
	if s.fileFault(w, r, "upload", a.PhoneNumberID) {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxFile+maxBody)
	part, header, err := r.FormFile("file")
	if err != nil {
		s.refuseHTTP(w, refuse(131008, "The parameter file is required."), 0)
		return
	}
	defer part.Close()
	if r.FormValue("messaging_product") != "whatsapp" {
		s.refuseHTTP(w, refuse(100, "The parameter messaging_product is required."), 0)
		return
	}
	data, err := io.ReadAll(part)
	if err != nil || len(data) == 0 || len(data) > maxFile {
		s.refuseHTTP(w, refuse(131053, "The file is empty or too large"), 0)
		return
	}
	mime := r.FormValue("type")
	if mime == "" {
		mime = header.Header.Get("Content-Type")
	}
	switch kind := kindOf(mime); {
	case kind == "":
		s.refuseHTTP(w, refuse(100, "Param file must be a file with one of the following types: audio/aac, audio/mp4, audio/mpeg, audio/amr, audio/ogg, image/jpeg, image/png, image/webp, video/mp4, video/3gpp, text/plain, application/pdf or an office document. Received file of type '"+mime+"'."), 0)
		return
	case len(data) > kinds[kind].max:
		s.refuseHTTP(w, refuse(131053, "The file is too large for the type "+mime), 0)
		return
	}
	s.mu.Lock()
	id := s.number()
	s.media.put(id, &file{account: a.PhoneNumberID, mime: mime, data: data})
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]string{"id": id})
}

// getMedia tells a file's link, and serves the file itself where the link
// points (?bytes=1), both only with the token (Meta Cloud API, "Media, Get media
// URL" and "Download media").
func (s *Simulator) getMedia(w http.ResponseWriter, r *http.Request) {
	if s.getPageNode(w, r) {
		return
	}
	id := r.PathValue("node")
	if s.fileFault(w, r, "download", "") {
		return
	}
	s.mu.Lock()
	f := s.media.files[id]
	allowed := f != nil && s.accounts[f.account] != nil && s.accounts[f.account].Token == bearer(r)
	s.mu.Unlock()
	switch {
	case f == nil:
		s.refuseHTTP(w, unknownNode(id), 0)
	case !allowed:
		s.refuseHTTP(w, refuse(190, "The access token is invalid or has expired"), 0)
	case r.URL.Query().Get("bytes") != "":
		w.Header().Set("Content-Type", f.mime)
		_, _ = w.Write(f.data)
	default:
		sum := sha256.Sum256(f.data)
		writeJSON(w, http.StatusOK, map[string]any{
			"messaging_product": "whatsapp", "id": id, "mime_type": f.mime, "file_size": len(f.data),
			"sha256": hex.EncodeToString(sum[:]), "url": s.self(r) + s.path(r) + "?bytes=1",
		})
	}
}

// path is where the request came to: behind a server that mounts the Graph API
// under a prefix, the prefix is part of it.
func (s *Simulator) path(r *http.Request) string {
	if path, _, _ := strings.Cut(r.RequestURI, "?"); strings.HasPrefix(path, "/") && s.opt.PublicURL == "" {
		return path
	}
	return r.URL.Path
}

// fileFault answers with the fault that waits for a file, if there is one.
func (s *Simulator) fileFault(w http.ResponseWriter, r *http.Request, on, account string) bool {
	s.mu.Lock()
	f := s.nextFault(on, account, "")
	s.mu.Unlock()
	if f != nil && f.DelayMS > 0 {
		later, stop := s.opt.Clock.After(time.Duration(f.DelayMS) * time.Millisecond)
		defer stop()
		select {
		case <-later:
		case <-r.Context().Done():
			return true // whoever asked hung up
		}
	}
	switch {
	case f == nil, f.Status == 0 && f.Code == 0:
		return false
	case f.Status != 0:
		s.misbehave(w, f)
	default:
		s.refuseHTTP(w, refuse(f.Code, "injected by the simulator"), 0)
	}
	return true
}

// fileMessage keeps a person's file for the server to fetch and returns the
// message about it; the caller holds mu. The webhook's checksum is base64, unlike
// that of the Graph API (Meta Cloud API, "Media messages").
func (s *Simulator) fileMessage(a *Account, f ReplyFile) map[string]any {
	id := s.number()
	s.media.put(id, &file{account: a.PhoneNumberID, mime: f.MIME, data: f.Data})
	sum := sha256.Sum256(f.Data)
	part := map[string]any{"id": id, "mime_type": f.MIME, "sha256": base64.StdEncoding.EncodeToString(sum[:])}
	if f.Caption != "" {
		part["caption"] = f.Caption
	}
	if f.Filename != "" {
		part["filename"] = f.Filename
	}
	return map[string]any{"type": f.Type, f.Type: part}
}

// Keep makes as if a person had sent a file to the account, without a webhook,
// and returns the id under which the server finds it.
func (s *Simulator) Keep(account, mime string, data []byte) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.number()
	s.media.put(id, &file{account: account, mime: mime, data: data})
	return id
}

// File returns a file that an account's provider keeps: one that was uploaded,
// or one that a person sent.
func (s *Simulator) File(account, id string) (mime string, data []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.media.get(account, id)
	if f == nil {
		return "", nil, false
	}
	return f.mime, f.data, true
}

// Forget drops a file, as Meta does after 30 days.
func (s *Simulator) Forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.media.files[id]; f != nil {
		s.media.kept -= len(f.data)
		delete(s.media.files, id)
		s.media.age = slices.DeleteFunc(s.media.age, func(a string) bool { return a == id })
	}
}
