package simulator

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
)

// Bounds of the files kept; the oldest is forgotten first.
const (
	maxFile  = 16 << 20
	maxFiles = 64
)

type file struct {
	account, mime string
	data          []byte
}

// mediaStore keeps uploaded files; the Simulator's mu guards it.
type mediaStore struct {
	files map[string]*file
	age   []string
}

func newMediaStore() *mediaStore { return &mediaStore{files: map[string]*file{}} }

func (m *mediaStore) put(id string, f *file) {
	if len(m.files) >= maxFiles {
		delete(m.files, m.age[0])
		m.age = m.age[1:]
	}
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
	id := r.PathValue("node")
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
			"sha256": hex.EncodeToString(sum[:]), "url": s.self(r) + r.URL.Path + "?bytes=1",
		})
	}
}
