package whatsapp

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"strings"
	"time"

	"parley/internal/channel"
	"parley/internal/channel/meta"
)

// uploadGood is how long an uploaded file is used: Meta keeps it 30 days (Meta
// Cloud API, "Media").
const uploadGood = 25 * 24 * time.Hour

var (
	_ channel.Uploader = (*Channel)(nil)
	_ channel.Fetcher  = (*Channel)(nil)
)

// WithFiles makes files travel by a client of their own, whose time and size
// are bounded for files; without it they go the way of messages.
func (c *Channel) WithFiles(doer Doer) *Channel {
	out := *c
	out.files = doer
	return &out
}

func (c *Channel) filesDoer() Doer {
	if c.files != nil {
		return c.files
	}
	return c.doer
}

// Upload implements channel.Uploader by POST /{version}/{phone_number_id}/media
// (Meta Cloud API, "Media, Upload media").
func (c *Channel) Upload(ctx context.Context, a channel.Account, f channel.File) (string, time.Duration, error) {
	token := a.Secrets["token"]
	if token == "" || a.ExternalID == "" {
		return "", 0, unready("the WhatsApp account has no access token or phone number id: complete its settings")
	}
	u, err := c.endpoint(a, a.ExternalID, "media")
	if err != nil {
		return "", 0, unready("the WhatsApp account's base URL is not a URL: correct its settings")
	}
	body, err := f.Open(ctx)
	if err != nil {
		return "", 0, &channel.SendError{Outcome: channel.Retry, Title: "the file could not be read: " + err.Error()}
	}
	defer body.Close()
	// The frame around the file is known beforehand, so that its length is too and
	// the file itself is streamed.
	var frame bytes.Buffer
	w := multipart.NewWriter(&frame)
	_ = w.WriteField("messaging_product", "whatsapp") // a buffer never fails
	_ = w.WriteField("type", f.MIME)
	_, _ = w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="file"; filename="` + strings.NewReplacer(`\`, "", `"`, "", "\r", "", "\n", "").Replace(f.Name) + `"`},
		"Content-Type":        {f.MIME},
	})
	head := frame.Len()
	_ = w.Close()
	framed := frame.Bytes()
	all := io.MultiReader(bytes.NewReader(framed[:head]), io.LimitReader(body, f.Size), bytes.NewReader(framed[head:]))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), all)
	if err != nil {
		return "", 0, unready("the WhatsApp account's base URL is not a URL: correct its settings")
	}
	req.ContentLength = int64(len(framed)) + f.Size
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", w.FormDataContentType())
	var answer struct {
		ID text `json:"id"`
	}
	if err := meta.Ask(c.filesDoer(), req, &answer, c.judge); err != nil {
		return "", 0, err
	}
	if answer.ID == "" {
		return "", 0, &channel.SendError{Outcome: channel.Retry, Title: "the provider took the file but named no id for it"}
	}
	return string(answer.ID), uploadGood, nil
}

var hexSum = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Fetch implements channel.Fetcher: the id leads to an address, which gives the
// bytes to whoever has the token (Meta Cloud API, "Media, Get media URL" and
// "Download media"). A file that came with an address alone is fetched without
// the token, since nobody says whose address it is.
func (c *Channel) Fetch(ctx context.Context, a channel.Account, m channel.Media) (channel.Download, error) {
	if m.ID == "" {
		if !strings.HasPrefix(m.URL, "https://") {
			return channel.Download{}, &channel.SendError{Outcome: channel.Refused, Title: "the message names no file"}
		}
		return c.open(ctx, m.URL, "", channel.Download{MIME: m.MIME})
	}
	token := a.Secrets["token"]
	if token == "" {
		return channel.Download{}, unready("the WhatsApp account has no access token: complete its settings")
	}
	u, err := c.endpoint(a, m.ID, "")
	if err != nil {
		return channel.Download{}, unready("the WhatsApp account's base URL is not a URL: correct its settings")
	}
	u.RawQuery = url.Values{"phone_number_id": {a.ExternalID}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(u.String(), "/"), nil)
	if err != nil {
		return channel.Download{}, &channel.SendError{Outcome: channel.Refused, Title: "the file's id makes no address"}
	}
	req.Header.Set("Authorization", "Bearer "+token)
	var about struct {
		URL    string      `json:"url"`
		MIME   string      `json:"mime_type"`
		SHA256 string      `json:"sha256"`
		Size   json.Number `json:"file_size"` // a number, or a text in older versions
	}
	if err := meta.Ask(c.filesDoer(), req, &about, c.judge); err != nil {
		return channel.Download{}, err
	}
	d := channel.Download{MIME: about.MIME}
	d.Size, _ = about.Size.Int64()
	if s := strings.ToLower(about.SHA256); hexSum.MatchString(s) {
		d.SHA256 = s
	}
	return c.open(ctx, about.URL, token, d)
}

// open begins a download.
func (c *Channel) open(ctx context.Context, address, token string, d channel.Download) (channel.Download, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil || req.URL.Host == "" {
		return d, &channel.SendError{Outcome: channel.Retry, Title: "the provider named no address for the file"}
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return meta.Open(c.filesDoer(), req, d, c.judge)
}

// judge is what an answer to something that may be repeated is as an error: there is
// nothing that could have happened unseen.
func (c *Channel) judge(resp *http.Response, answer []byte) error {
	if resp.StatusCode/100 == 2 && readError(answer) == nil {
		return nil
	}
	err := classify(resp.StatusCode, readError(answer), c.wait(resp.Header))
	if err.Outcome == channel.Unknown {
		err.Outcome = channel.Retry
	}
	if resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone {
		err.Outcome, err.AccountWide = channel.Refused, false // Meta keeps a file for 30 days only
	}
	return err
}
