// Package files serves the files of messages by their links, GET
// /media/{id}?e=&s=, to whoever has one. It is no API of its own: the other
// faces show the links. It trusts nothing that a file says of itself: a browser
// may show pictures, sound and film, in a page without any rights, and saves
// everything else.
package files

import (
	"mime"
	"net/http"
	"strings"
	"time"

	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/media"
)

// sendTime is how long a download may take.
const sendTime = 30 * time.Minute

// HTTP returns the face over the media room.
func HTTP(files *media.Service) httpx.Face {
	return httpx.Face{Name: "files", Prefixes: []string{media.Path}, WriteError: writeError, Routes: []httpx.Route{
		{Method: http.MethodGet, Pattern: media.Path + "{id}", Public: true, Raw: serve(files)},
	}}
}

// serve answers with ranges, conditions and HEAD as net/http does; the ETag is
// the file's SHA-256, since a file never changes.
func serve(files *media.Service) http.HandlerFunc {
	return func(w http.ResponseWriter, hr *http.Request) {
		r := httpx.From(hr.Context())
		q := r.Query()
		f, err := files.ByLink(hr.Context(), r.Param("id"), q.Get("e"), q.Get("s"))
		if err != nil {
			writeError(w, r, err)
			return
		}
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(sendTime))
		h := w.Header()
		how, kind := "attachment", "application/octet-stream"
		if f.Shown() {
			how = "inline"
		}
		if media.KindOf(f.MIME) != "" { // a type that may be sent is one that may be named
			kind = f.MIME
		}
		if strings.HasPrefix(kind, "text/") {
			kind += "; charset=utf-8"
		}
		h.Set("Content-Type", kind)
		h.Set("Content-Disposition", disposition(how, f.Name()))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "private, max-age=86400, immutable")
		h.Set("ETag", `"`+f.SHA256+`"`)
		http.ServeContent(w, hr, "", f.CreatedAt, f)
	}
}

// disposition names the file in the way of RFC 6266.
func disposition(how, name string) string {
	if v := mime.FormatMediaType(how, map[string]string{"filename": name}); v != "" {
		return v
	}
	return how
}

func writeError(w http.ResponseWriter, _ *httpx.Request, err error) {
	f := fault.As(err)
	code, message := "INTERNAL_ERROR", "something went wrong on the server; its log tells more"
	if f != nil {
		code, message = strings.ToUpper(string(f.Code)), f.Message
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	httpx.WriteJSON(w, httpx.Status(f), map[string]any{"success": false, "code": code, "message": message})
}
