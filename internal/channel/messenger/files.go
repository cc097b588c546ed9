package messenger

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	"parley/internal/channel"
	"parley/internal/channel/meta"
)

// uploadGood is how long an uploaded file is used: Meta keeps attachments longer
// (Messenger Platform, "Attachment upload API": 90 days).
const uploadGood = 60 * 24 * time.Hour

// maxFile is the most bytes of an attachment (Messenger Platform, "Send API").
const maxFile = 25 << 20

// programs are types that Messenger carries for nobody.
var programs = []string{"application/x-msdownload", "application/x-msdos-program", "application/x-executable", "application/x-sharedlib", "application/vnd.microsoft.portable-executable"}

// Upload implements channel.Uploader by POST /{version}/{page}/message_attachments
// (Messenger Platform, "Attachment upload API").
func (c *Channel) Upload(ctx context.Context, a channel.Account, f channel.File) (string, time.Duration, error) {
	token := a.Secrets["token"]
	if token == "" || a.ExternalID == "" {
		return "", 0, unready("the Messenger account has no access token or page id: complete its settings")
	}
	for _, p := range programs {
		if f.MIME == p {
			return "", 0, &channel.SendError{Outcome: channel.Refused, Title: "Messenger carries no programs"}
		}
	}
	if f.Size > maxFile {
		return "", 0, &channel.SendError{Outcome: channel.Refused, Title: "Messenger carries files of at most 25 MB"}
	}
	u, err := c.endpoint(a, a.ExternalID, "message_attachments")
	if err != nil {
		return "", 0, unready(badBase)
	}
	body, err := f.Open(ctx)
	if err != nil {
		return "", 0, &channel.SendError{Outcome: channel.Retry, Title: "the file could not be read: " + err.Error()}
	}
	defer body.Close()
	about, _ := json.Marshal(map[string]any{"attachment": outAttachment{attachmentOf("", f.MIME), outPayload{Reusable: true}}}) // only strings
	// The frame around the file is known beforehand, so that its length is too and
	// the file itself is streamed.
	var frame bytes.Buffer
	w := multipart.NewWriter(&frame)
	_ = w.WriteField("message", string(about)) // a buffer never fails
	_, _ = w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="filedata"; filename="` + strings.NewReplacer(`\`, "", `"`, "", "\r", "", "\n", "").Replace(f.Name) + `"`},
		"Content-Type":        {f.MIME},
	})
	head := frame.Len()
	_ = w.Close()
	framed := frame.Bytes()
	all := io.MultiReader(bytes.NewReader(framed[:head]), io.LimitReader(body, f.Size), bytes.NewReader(framed[head:]))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), all)
	if err != nil {
		return "", 0, unready(badBase)
	}
	req.ContentLength = int64(len(framed)) + f.Size
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", w.FormDataContentType())
	var answer struct {
		ID string `json:"attachment_id"`
	}
	if err := meta.Ask(c.filesDoer(), req, &answer, c.judge); err != nil {
		return "", 0, err
	}
	if answer.ID == "" {
		return "", 0, &channel.SendError{Outcome: channel.Retry, Title: "the provider took the file and named none"}
	}
	return answer.ID, uploadGood, nil
}

// Fetch implements channel.Fetcher. Meta's webhooks name a file by an address
// that is good for a while; after that the message tells another one (Messenger
// Platform, "Conversations API", a message's attachments). The id of a file is
// its message's with "/" and its place.
func (c *Channel) Fetch(ctx context.Context, a channel.Account, m channel.Media) (channel.Download, error) {
	base, err := c.base(a)
	if err != nil {
		return channel.Download{}, unready(badBase)
	}
	if m.URL != "" && reachable(m.URL, base) {
		d, err := c.open(ctx, m.URL, channel.Download{MIME: m.MIME, Filename: m.Filename})
		if err == nil || m.ID == "" {
			return d, err
		}
	}
	message, place, ok := strings.Cut(m.ID, "/")
	n, err := strconv.Atoi(place)
	if !ok || err != nil || message == "" {
		return channel.Download{}, &channel.SendError{Outcome: channel.Refused, Title: "the message names no file"}
	}
	token := a.Secrets["token"]
	if token == "" {
		return channel.Download{}, unready("the Messenger account has no access token: complete its settings")
	}
	u, err := c.endpoint(a, message, "")
	if err != nil {
		return channel.Download{}, unready(badBase)
	}
	u.RawQuery = url.Values{"fields": {"attachments"}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return channel.Download{}, &channel.SendError{Outcome: channel.Refused, Title: "the file's id makes no address"}
	}
	req.Header.Set("Authorization", "Bearer "+token)
	var about struct {
		Attachments struct {
			Data []inStored `json:"data"`
		} `json:"attachments"`
	}
	if err := meta.Ask(c.filesDoer(), req, &about, c.judge); err != nil {
		return channel.Download{}, err
	}
	if n < 0 || n >= len(about.Attachments.Data) {
		return channel.Download{}, &channel.SendError{Outcome: channel.Refused, Title: "the provider does not keep the file any more"}
	}
	s := about.Attachments.Data[n]
	if !reachable(s.url(), base) {
		return channel.Download{}, &channel.SendError{Outcome: channel.Refused, Title: "the provider named no address for the file"}
	}
	return c.open(ctx, s.url(), channel.Download{MIME: s.MIME, Filename: s.Name, Size: s.Size})
}

// inStored is an attachment as the Conversations API tells it.
type inStored struct {
	MIME string `json:"mime_type"`
	Name string `json:"name"`
	Size int64  `json:"size"`
	File string `json:"file_url"`
	Img  struct {
		URL string `json:"url"`
	} `json:"image_data"`
	Film struct {
		URL string `json:"url"`
	} `json:"video_data"`
}

func (s inStored) url() string {
	for _, u := range []string{s.File, s.Img.URL, s.Film.URL} {
		if u != "" {
			return u
		}
	}
	return ""
}

// reachable says which addresses are fetched: https ones, and those of the host
// that the operator named as Meta's. The token goes with none of them.
func reachable(address string, base *url.URL) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	return u.Scheme == "https" || u.Scheme == base.Scheme && u.Host == base.Host
}

// open begins a download.
func (c *Channel) open(ctx context.Context, address string, d channel.Download) (channel.Download, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return d, &channel.SendError{Outcome: channel.Refused, Title: "the provider named no address for the file"}
	}
	return meta.Open(c.filesDoer(), req, d, c.judge)
}

// Profile implements channel.Profiler by GET /{version}/{person} (Messenger
// Platform, "User Profile API").
func (c *Channel) Profile(ctx context.Context, a channel.Account, address string) (channel.Profile, error) {
	token := a.Secrets["token"]
	if token == "" {
		return channel.Profile{}, unready("the Messenger account has no access token: complete its settings")
	}
	if address == "" || strings.Trim(address, "0123456789") != "" {
		return channel.Profile{}, &channel.SendError{Outcome: channel.Refused, Title: "this is no page-scoped id"}
	}
	u, err := c.endpoint(a, address, "")
	if err != nil {
		return channel.Profile{}, unready(badBase)
	}
	u.RawQuery = url.Values{"fields": {"first_name,last_name,name"}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return channel.Profile{}, unready(badBase)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	var answer struct {
		First string `json:"first_name"`
		Last  string `json:"last_name"`
		Name  string `json:"name"`
	}
	if err := meta.Ask(c.doer, req, &answer, c.judge); err != nil {
		return channel.Profile{}, err
	}
	if answer.First == "" && answer.Last == "" {
		answer.First, answer.Last, _ = strings.Cut(answer.Name, " ")
	}
	return channel.Profile{FirstName: answer.First, LastName: answer.Last}, nil
}
