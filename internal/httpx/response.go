package httpx

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
)

// Response is what a handler answers.
type Response struct {
	Status int         // 0 = 200
	Header http.Header // added to the answer; may be nil
	// Body is encoded as JSON without HTML escaping. []byte and json.RawMessage
	// go out as they are; nil is an empty body.
	Body any
}

// contentJSON is the content type of every body that names no other.
const contentJSON = "application/json; charset=utf-8"

// JSON returns a response with a JSON body.
func JSON(status int, body any) *Response { return &Response{Status: status, Body: body} }

// Empty returns a response without a body.
func Empty(status int) *Response { return &Response{Status: status} }

// Encode returns the bytes of the body and keeps them, so that calling it again
// is free and gives the same bytes.
func (r *Response) Encode() ([]byte, error) {
	switch b := r.Body.(type) {
	case nil:
		return nil, nil
	case []byte:
		return b, nil
	case json.RawMessage:
		return b, nil
	}
	out, err := EncodeJSON(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = json.RawMessage(out)
	return out, nil
}

// EncodeJSON writes v as JSON without HTML escaping and without a final line
// break.
func EncodeJSON(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// WriteJSON writes an answer at once; for the WriteError of faces. A body that
// cannot be encoded is a defect and becomes an empty 500.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	_ = (&Response{Status: status, Body: body}).write(w)
}

func (r *Response) write(w http.ResponseWriter) error {
	body, err := r.Encode()
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return err
	}
	h := w.Header()
	for k, vs := range r.Header {
		h[http.CanonicalHeaderKey(k)] = vs
	}
	status := r.Status
	if status == 0 {
		status = http.StatusOK
	}
	if bodyAllowed(status) {
		if len(body) > 0 && h.Get("Content-Type") == "" {
			h.Set("Content-Type", contentJSON)
		}
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	if len(body) > 0 && bodyAllowed(status) {
		_, _ = w.Write(body) // the caller may be gone: nobody is left to tell
	}
	return nil
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
