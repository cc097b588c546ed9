package meta

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"parley/internal/channel"
)

// MaxAnswer bounds what is read of an answer that is no file, in bytes.
const MaxAnswer = 4 << 20

// Text reads a JSON string or number: Meta writes ids and times as strings, other
// senders of the same shapes write numbers.
type Text string

// UnmarshalJSON accepts a string, a number or null.
func (t *Text) UnmarshalJSON(b []byte) error {
	s := string(b)
	switch {
	case s == "null":
		return nil
	case strings.HasPrefix(s, `"`):
		return json.Unmarshal(b, (*string)(t))
	}
	var n json.Number
	if err := json.Unmarshal(b, &n); err != nil {
		return err
	}
	*t = Text(n)
	return nil
}

// Judge says what an answer is as an error, nil for a success.
type Judge func(resp *http.Response, answer []byte) error

// Ask makes a request that may be repeated and reads its JSON answer. Its error is
// a *channel.SendError.
func Ask(doer Doer, req *http.Request, into any, judge Judge) error {
	resp, err := doer.Do(req)
	if err != nil {
		return &channel.SendError{Outcome: channel.Retry, Title: "the provider could not be reached: " + err.Error()}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, MaxAnswer))
	if err != nil {
		return &channel.SendError{Outcome: channel.Retry, Title: "the provider's answer broke off: " + err.Error()}
	}
	if err := judge(resp, answer); err != nil {
		return err
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return &channel.SendError{Outcome: channel.Retry, Title: "the provider's answer is not JSON"}
	}
	return nil
}

// Open begins a download; what is known of the file stays, the rest comes from the
// answer. Its error is a *channel.SendError.
func Open(doer Doer, req *http.Request, d channel.Download, judge Judge) (channel.Download, error) {
	resp, err := doer.Do(req)
	if err != nil {
		return d, &channel.SendError{Outcome: channel.Retry, Title: "the file could not be reached: " + err.Error()}
	}
	if resp.StatusCode != http.StatusOK {
		answer, _ := io.ReadAll(io.LimitReader(resp.Body, MaxAnswer))
		_ = resp.Body.Close()
		return d, judge(resp, answer)
	}
	if d.MIME == "" {
		d.MIME = resp.Header.Get("Content-Type")
	}
	if d.Size == 0 && resp.ContentLength > 0 {
		d.Size = resp.ContentLength
	}
	d.Body = resp.Body
	return d, nil
}
