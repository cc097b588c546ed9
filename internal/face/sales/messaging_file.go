package sales

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/textproto"
	"strings"
	"time"

	"parley/internal/channel"
	"parley/internal/conversation"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/media"
)

// Bounds of an upload beside those of the file itself.
const (
	uploadTime  = 10 * time.Minute
	uploadFrame = 1 << 20 // bytes of the multipart frame
	uploadParts = 32
)

// sendFile sends the part "file" of a multipart body (reference §2.5): POST, and
// GET as the original's own sample has it.
func (f *Face) sendFile(w http.ResponseWriter, hr *http.Request) {
	r := httpx.From(hr.Context())
	fail := func(err error) {
		r.Failed(err)
		writeError(w, r, err)
	}
	asCSV, err := wantsCSV(r)
	if err != nil {
		fail(err)
		return
	}
	out, err := f.sentFile(w, hr, r)
	if err != nil {
		fail(err)
		return
	}
	if !asCSV {
		httpx.WriteJSON(w, http.StatusOK, out)
		return
	}
	list := newWriter(w, true, interactionWire{})
	for i := range out {
		if err := list.item(&out[i]); err != nil {
			list.broken(r, err)
			return
		}
	}
	if err := list.end(); err != nil {
		list.broken(r, err)
	}
}

func (f *Face) sentFile(w http.ResponseWriter, hr *http.Request, r *httpx.Request) ([]interactionWire, error) {
	ctx := hr.Context()
	kind, _, _ := mime.ParseMediaType(hr.Header.Get("Content-Type"))
	if kind != "multipart/form-data" {
		return nil, fault.Field("file", "send the file as multipart/form-data in the part file")
	}
	cid, way, err := f.way(ctx, r)
	if err != nil {
		return nil, err
	}
	if !way.Open { // before a large body is read; the gate decides again
		return nil, fault.New(fault.WindowClosed, "files are allowed for 24 hours after the prospect's last message; send a template instead")
	}
	// A large file takes longer than the server gives ordinary requests.
	until := time.Now().Add(uploadTime)
	control := http.NewResponseController(w)
	_, _ = control.SetReadDeadline(until), control.SetWriteDeadline(until.Add(time.Minute))
	hr.Body = http.MaxBytesReader(w, hr.Body, media.MaxFile+uploadFrame)
	file, err := f.received(hr, r)
	if err != nil {
		return nil, err
	}
	return f.saidWire(ctx, r, way.to(cid, conversation.Send{Kind: file.Kind, Media: &channel.Media{Own: file.ID, MIME: file.MIME, Filename: file.Filename}}))
}

// received streams the part into the media room.
func (f *Face) received(hr *http.Request, r *httpx.Request) (media.File, error) {
	parts, err := hr.MultipartReader()
	if err != nil {
		return media.File{}, fault.Field("file", "send the file as multipart/form-data in the part file")
	}
	for range uploadParts {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return media.File{}, brokenOff(err)
		}
		if part.FormName() != "file" {
			continue
		}
		stored, err := f.s.Conversations.Files().Put(hr.Context(), r.Principal.Tenant,
			media.NewFile{Filename: part.FileName(), MIME: part.Header.Get("Content-Type"), Origin: media.Upload}, part)
		if err != nil {
			return stored, brokenOff(err)
		}
		return stored, nil
	}
	return media.File{}, fault.Missing("file")
}

// brokenOff tells a body that is wrong from trouble of ours.
func brokenOff(err error) error {
	var long *http.MaxBytesError
	var header textproto.ProtocolError
	switch {
	case fault.As(err) != nil:
		return err
	case errors.As(err, &long):
		e := fault.New(fault.TooLarge, "the file is larger than %d bytes", media.MaxFile)
		e.Field = "file"
		return e
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.As(err, &header), strings.HasPrefix(err.Error(), "multipart:"):
		return fault.Field("file", "the upload broke off, or its body is no multipart form")
	}
	return err
}
