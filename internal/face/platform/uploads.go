package platform

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"time"

	"parley/internal/conversation"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/media"
)

// Bounds of an upload beside those of the file itself.
const (
	uploadTime  = 10 * time.Minute
	uploadFrame = 1 << 20 // bytes of the multipart frame
	uploadParts = 32
)

// upload streams the field "file" of a multipart body into the media room and
// answers where it can be read (§2.1). The url serves as the mediaUrl of a send.
func (f *Face) upload(w http.ResponseWriter, hr *http.Request) {
	r := httpx.From(hr.Context())
	// A large file takes longer than the server gives ordinary requests.
	until := time.Now().Add(uploadTime)
	control := http.NewResponseController(w)
	_, _ = control.SetReadDeadline(until), control.SetWriteDeadline(until.Add(time.Minute))
	out, err := f.takeUpload(w, hr, r)
	if err != nil {
		writeError(w, r, err)
		return
	}
	answer, err := dual(out)
	if err != nil {
		writeError(w, r, err)
		return
	}
	httpx.WriteJSON(w, http.StatusOK, answer.Body)
}

func (f *Face) takeUpload(w http.ResponseWriter, hr *http.Request, r *httpx.Request) (uploadView, error) {
	hr.Body = http.MaxBytesReader(w, hr.Body, media.MaxFile+uploadFrame)
	parts, err := hr.MultipartReader()
	if err != nil {
		return uploadView{}, fault.Field("file", "send the file as multipart/form-data in the field file")
	}
	for range uploadParts {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return uploadView{}, brokenOff(err)
		}
		if part.FormName() != "file" && part.FileName() == "" {
			continue
		}
		return f.storeUpload(hr, r, part)
	}
	return uploadView{}, fault.Missing("file")
}

func (f *Face) storeUpload(hr *http.Request, r *httpx.Request, part *multipart.Part) (uploadView, error) {
	stored, err := f.s.Conversations.Files().Put(hr.Context(), r.Principal.Tenant,
		media.NewFile{Filename: part.FileName(), MIME: part.Header.Get("Content-Type"), Origin: media.Upload}, part)
	if err != nil {
		return uploadView{}, brokenOff(err)
	}
	return uploadView{URL: f.link(r, stored.ID), Type: stored.Kind, MimeType: stored.MIME, Filename: stored.Name(), Size: stored.Size,
		SHA256: stored.SHA256, ID: stored.ID}, nil
}

// brokenOff tells a body that is wrong from trouble of ours.
func brokenOff(err error) error {
	var long *http.MaxBytesError
	var header textproto.ProtocolError
	switch {
	case fault.As(err) != nil:
		return err
	case errors.As(err, &long):
		e := fault.New(fault.TooLarge, "the upload is larger than %d bytes", media.MaxFile)
		e.Field = "file"
		return e
	case errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &header), strings.HasPrefix(err.Error(), "multipart:"):
		return fault.Field("file", "the upload broke off, or its body is no multipart form")
	}
	return err
}

// link is the address of a file for whoever asked.
func (f *Face) link(r *httpx.Request, file id.ID) string {
	return r.Absolute(f.s.Conversations.Files().Link(r.Principal.Tenant, file))
}

// messageView is a message for the caller of a request.
func (f *Face) messageView(r *httpx.Request, m conversation.Message) message {
	out := messageOf(r.Principal.TenantCode, m)
	out.MediaURL = orNull(r.Absolute(string(out.MediaURL)))
	return out
}
