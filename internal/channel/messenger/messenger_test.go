package messenger_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"parley/internal/channel"
	"parley/internal/channel/messenger"
	"parley/internal/clock"
	"parley/internal/fault"
	"parley/internal/id"
)

// hook puts an event into the envelope of Messenger Platform, "Webhook events".
func hook(events ...string) []byte {
	return []byte(`{"object":"page","entry":[{"id":"PAGE","time":1458692752478,"messaging":[` + strings.Join(events, ",") + `]}]}`)
}

const from = `"sender":{"id":"777"},"recipient":{"id":"PAGE"},"timestamp":1458692752478`

func TestParse(t *testing.T) {
	at := time.UnixMilli(1458692752478).UTC()
	in := func(mid, kind, text string) channel.Incoming {
		return channel.Incoming{Account: "PAGE", ProviderID: mid, From: "777", At: at, Kind: kind, Text: text}
	}
	quick, press, reply := in("m_1", "interactive", "Red"), in("m_2", "button", "Yes"), in("m_3", "text", "this one")
	quick.Payload, press.Payload, reply.ReplyTo = "RED", "YES", "m_before"
	photo, doc, sticker := in("m_4", "image", ""), in("m_4#1", "document", ""), in("m_5", "sticker", "")
	photo.Media = &channel.Media{ID: "m_4/0", URL: "https://cdn.example/a.jpg"}
	doc.Media = &channel.Media{ID: "m_4/1", URL: "https://cdn.example/b.pdf"}
	sticker.Media = &channel.Media{ID: "m_5/0", URL: "https://cdn.example/s.png"}
	heart := in("reaction:777:1458692752478", "reaction", "")
	heart.ReplyTo, heart.Reaction = "m_0", "❤️"
	for name, tc := range map[string]struct {
		event    string
		messages []channel.Incoming
		receipts []channel.Receipt
	}{
		"text":        {`{` + from + `,"message":{"mid":"m_0","text":"hello"}}`, []channel.Incoming{in("m_0", "text", "hello")}, nil},
		"quick reply": {`{` + from + `,"message":{"mid":"m_1","text":"Red","quick_reply":{"payload":"RED"}}}`, []channel.Incoming{quick}, nil},
		"postback":    {`{` + from + `,"postback":{"mid":"m_2","title":"Yes","payload":"YES"}}`, []channel.Incoming{press}, nil},
		"reply":       {`{` + from + `,"message":{"mid":"m_3","text":"this one","reply_to":{"mid":"m_before"}}}`, []channel.Incoming{reply}, nil},
		"two files": {`{` + from + `,"message":{"mid":"m_4","attachments":[{"type":"image","payload":{"url":"https://cdn.example/a.jpg"}},{"type":"file","payload":{"url":"https://cdn.example/b.pdf"}}]}}`,
			[]channel.Incoming{photo, doc}, nil},
		"sticker":  {`{` + from + `,"message":{"mid":"m_5","attachments":[{"type":"image","payload":{"url":"https://cdn.example/s.png","sticker_id":369239263222822}}]}}`, []channel.Incoming{sticker}, nil},
		"location": {`{` + from + `,"message":{"mid":"m_6","attachments":[{"type":"location","payload":{"coordinates":{"lat":1.5,"long":-2}}}]}}`, []channel.Incoming{in("m_6", "location", "https://www.google.com/maps?q=1.5,-2")}, nil},
		"link":     {`{` + from + `,"message":{"mid":"m_7","text":"see https://x.example","attachments":[{"type":"fallback","title":"X","payload":{"url":"https://x.example"}}]}}`, []channel.Incoming{in("m_7", "text", "see https://x.example")}, nil},
		"a post":   {`{` + from + `,"message":{"mid":"m_8","attachments":[{"type":"reel","payload":{"url":"https://r.example","title":"A reel"}}]}}`, []channel.Incoming{in("m_8", "text", "A reel\nhttps://r.example")}, nil},
		"odd":      {`{` + from + `,"message":{"mid":"m_9","attachments":[{"type":"hologram"}]}}`, []channel.Incoming{in("m_9", "unsupported", "")}, nil},
		"odd text": {`{` + from + `,"message":{"mid":"m_9","text":[1]}}`, []channel.Incoming{in("m_9", "unsupported", "")}, nil},
		"reaction": {`{` + from + `,"reaction":{"reaction":"love","emoji":"❤️","action":"react","mid":"m_0"}}`, []channel.Incoming{heart}, nil},
		"delivery": {`{` + from + `,"delivery":{"mids":["m_a"],"watermark":1458692752000}}`, nil, []channel.Receipt{
			{Account: "PAGE", ProviderID: "m_a", Status: "delivered", At: at, To: "777"},
			{Account: "PAGE", Status: "delivered", At: at, To: "777", UpTo: time.UnixMilli(1458692752000).UTC()}}},
		"read":        {`{` + from + `,"read":{"watermark":1458692752000}}`, nil, []channel.Receipt{{Account: "PAGE", Status: "read", At: at, To: "777", UpTo: time.UnixMilli(1458692752000).UTC()}}},
		"our echo":    {`{"sender":{"id":"PAGE"},"recipient":{"id":"777"},"timestamp":1458692752478,"message":{"is_echo":true,"app_id":1,"mid":"m_e","metadata":"ours","text":"x"}}`, nil, []channel.Receipt{{Account: "PAGE", ProviderID: "m_e", Echo: "ours", Status: "sent", At: at, To: "777"}}},
		"other echo":  {`{"sender":{"id":"PAGE"},"recipient":{"id":"777"},"timestamp":1458692752478,"message":{"is_echo":true,"app_id":2,"mid":"m_e","text":"from the page's inbox"}}`, nil, nil},
		"opt-in":      {`{` + from + `,"optin":{"type":"one_time_notif_req"}}`, nil, nil},
		"taken back":  {`{` + from + `,"message":{"mid":"m_0","is_deleted":true}}`, nil, nil},
		"handed over": {`{` + from + `,"pass_thread_control":{"new_owner_app_id":"1"}}`, nil, nil},
	} {
		got, err := messenger.New(nil, "", "", clock.NewFake(epoch)).Parse(hook(tc.event))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if a, b := show(got), show(channel.Batch{Messages: tc.messages, Receipts: tc.receipts}); a != b {
			t.Errorf("%s:\n got %s\nwant %s", name, a, b)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	c := messenger.New(nil, "", "", clock.NewFake(epoch))
	for body, code := range map[string]fault.Code{
		`{"object":"instagram","entry":[]}`: fault.NotFound, `[]`: fault.Invalid, `{"object":"page","entry":[{"messaging":[{}]}]}`: fault.Invalid,
		string(hook(`{` + from + `,"message":{"text":"no id"}}`)): fault.Invalid, string(hook(`7`)): fault.Invalid,
	} {
		if _, err := c.Parse([]byte(body)); !errors.Is(err, fault.Of(code)) {
			t.Errorf("%s: %v, want %s", body, err, code)
		}
	}
	// A postback of an older version has no id: its repetition is the same, another is not.
	old := func(ms string) string {
		return `{"sender":{"id":"777"},"recipient":{"id":"PAGE"},"timestamp":` + ms + `,"postback":{"title":"Yes","payload":"YES"}}`
	}
	ids := map[string]bool{}
	for _, ms := range []string{"1458692752478", "1458692752478", "1458692752479"} {
		b, err := c.Parse(hook(old(ms)))
		if err != nil || len(b.Messages) != 1 {
			t.Fatal(b, err)
		}
		ids[b.Messages[0].ProviderID] = true
	}
	if len(ids) != 2 {
		t.Errorf("the ids are %v", ids)
	}
}

// doer answers everything alike.
type doer struct {
	status int
	body   string
	got    *string
}

func (d doer) Do(r *http.Request) (*http.Response, error) {
	b, _ := io.ReadAll(r.Body)
	if d.got != nil {
		*d.got = r.URL.Path + " " + string(b)
	}
	return &http.Response{StatusCode: d.status, Body: io.NopCloser(strings.NewReader(d.body)), Header: http.Header{}}, nil
}

var page = channel.Account{Kind: messenger.Kind, ExternalID: "PAGE", Secrets: map[string]string{"token": "t"}}

// TestErrors maps the answers of Messenger Platform, "Error codes".
func TestErrors(t *testing.T) {
	for _, tc := range []struct {
		status  int
		body    string
		outcome channel.Outcome
		wide    bool
		code    int
	}{
		{400, `{"error":{"message":"(#10) This message is sent outside of allowed window.","type":"OAuthException","code":10,"error_subcode":2018278,"fbtrace_id":"x"}}`, channel.Refused, false, 2018278},
		{403, `{"error":{"message":"(#10) Application does not have permission","code":10}}`, channel.Retry, true, 10},
		{403, `{"error":{"message":"(#551) This person isn't available right now.","code":551,"error_subcode":1545041}}`, channel.Refused, false, 1545041},
		{403, `{"error":{"message":"(#200) This person isn't available right now.","code":200,"error_subcode":1545041}}`, channel.Refused, false, 1545041},
		{403, `{"error":{"message":"(#200) Requires pages_messaging","code":200}}`, channel.Retry, true, 200},
		{400, `{"error":{"message":"(#100) No matching user found","code":100,"error_subcode":2018001}}`, channel.Refused, false, 2018001},
		{400, `{"error":{"message":"(#613) Calls to this api have exceeded the rate limit.","code":613}}`, channel.Retry, true, 613},
		{401, `{"error":{"message":"Invalid OAuth access token.","code":190}}`, channel.Retry, true, 190},
		{500, `{"error":{"message":"(#1200) Temporary send message failure. Please try again later.","code":1200}}`, channel.Retry, false, 1200},
		{500, `{"error":{"message":"An unknown error has occurred.","code":1}}`, channel.Unknown, false, 1},
		{400, `{"error":{"message":"An unknown error has occurred.","code":1}}`, channel.Refused, false, 1},
		{400, `{"error":{"message":"new","code":4711}}`, channel.Refused, false, 4711},
		{503, `<html>`, channel.Unknown, false, 0},
		{404, `<html>`, channel.Retry, true, 0},
		{429, ``, channel.Retry, true, 0},
		{200, `{"recipient_id":"777"}`, channel.Unknown, false, 0},
		{200, `{"error":{"message":"x","code":551}}`, channel.Refused, false, 551},
	} {
		c := messenger.New(doer{status: tc.status, body: tc.body}, "", "", clock.NewFake(epoch))
		_, err := c.Send(t.Context(), page, channel.Outgoing{ID: id.New(), To: "777", Kind: channel.Text, Text: "x"})
		var e *channel.SendError
		if !errors.As(err, &e) || e.Outcome != tc.outcome || e.AccountWide != tc.wide || e.Code != tc.code || e.Title == "" {
			t.Errorf("%d %s: %+v", tc.status, tc.body, e)
		}
	}
}

func TestBuild(t *testing.T) {
	mid, err := id.Parse("000000000000000000000001")
	if err != nil {
		t.Fatal(err)
	}
	two := []channel.Choice{{ID: "a", Title: "A"}, {ID: "b", Title: "B"}}
	for want, m := range map[string]channel.Outgoing{
		`/v24.0/PAGE/messages {"recipient":{"id":"777"},"messaging_type":"RESPONSE","message":{"text":"hi","metadata":"000000000000000000000001"},"reply_to":{"mid":"m_0"}}`:                                                                                                                                                                {Kind: channel.Text, Text: "hi", ReplyTo: "m_0"},
		`/v24.0/PAGE/messages {"recipient":{"id":"777"},"messaging_type":"RESPONSE","message":{"attachment":{"type":"file","payload":{"url":"https://x.example/a.pdf"}},"metadata":"000000000000000000000001"}}`:                                                                                                                            {Kind: channel.Document, Media: &channel.Media{URL: "https://x.example/a.pdf"}},
		`/v24.0/PAGE/messages {"recipient":{"id":"777"},"messaging_type":"RESPONSE","message":{"attachment":{"type":"image","payload":{"attachment_id":"9"}},"metadata":"000000000000000000000001"}}`:                                                                                                                                       {Kind: channel.Document, Media: &channel.Media{ID: "9", MIME: "image/png"}},
		`/v24.0/PAGE/messages {"recipient":{"id":"777"},"messaging_type":"RESPONSE","message":{"attachment":{"type":"template","payload":{"template_type":"button","text":"H\nWhich?\nF","buttons":[{"type":"postback","title":"A","payload":"a"},{"type":"postback","title":"B","payload":"b"}]}},"metadata":"000000000000000000000001"}}`: {Kind: channel.Interactive, Prompt: &channel.Prompt{Kind: channel.ReplyButtons, Header: "H", Body: "Which?", Footer: "F", Buttons: two}},
		`/v24.0/PAGE/messages {"recipient":{"id":"777"},"messaging_type":"RESPONSE","message":{"text":"Which?\nB: the second","quick_replies":[{"content_type":"text","title":"A","payload":"a"},{"content_type":"text","title":"B","payload":"b"}],"metadata":"000000000000000000000001"}}`:                                                {Kind: channel.Interactive, Prompt: &channel.Prompt{Kind: channel.RowList, Body: "Which?", Sections: []channel.ChoiceSection{{Title: "S", Rows: []channel.Choice{{ID: "a", Title: "A"}, {ID: "b", Title: "B", Description: "the second"}}}}}},
	} {
		var got string
		m.ID, m.To = mid, "777"
		if _, err := messenger.New(doer{200, `{"message_id":"m_1"}`, &got}, "", "", clock.NewFake(epoch)).Send(t.Context(), page, m); err != nil || got != want {
			t.Errorf("%v\n got %s\nwant %s", err, got, want)
		}
	}
	c := messenger.New(nil, "", "", clock.NewFake(epoch))
	for _, m := range []channel.Outgoing{
		{Kind: channel.Text, Text: strings.Repeat("x", 2001)},
		{Kind: channel.Image, Text: "a caption", Media: &channel.Media{Own: mid}},
		{Kind: channel.Interactive, Prompt: &channel.Prompt{Kind: channel.ReplyButtons, Body: "b", Buttons: append(two, two...)}},
		{Kind: channel.Interactive, Prompt: &channel.Prompt{Kind: channel.ReplyButtons, Body: "b", Buttons: []channel.Choice{{ID: "a", Title: strings.Repeat("x", 21)}}}},
		{Kind: channel.Interactive, Prompt: &channel.Prompt{Kind: channel.ReplyButtons, Body: "b", Buttons: []channel.Choice{two[0], two[0]}}},
		{Kind: channel.Interactive, Prompt: &channel.Prompt{Kind: channel.RowList, Body: "b"}},
		{Kind: channel.Interactive, Prompt: &channel.Prompt{Kind: channel.ProductList, Body: "b", Catalog: "1"}},
		{Kind: channel.TemplateMsg, Template: &channel.TemplateSend{Name: "n", Language: "en"}},
	} {
		if m.To = "777"; c.Check(m) == nil {
			t.Errorf("%+v passes", m)
		}
	}
	if err := c.Check(channel.Outgoing{To: "777", Kind: channel.Image, Media: &channel.Media{Own: mid}}); err != nil {
		t.Errorf("a file of ours: %v", err)
	}
}

func show(b channel.Batch) string {
	raw, err := json.Marshal(b)
	if err != nil {
		return err.Error()
	}
	return strings.ReplaceAll(string(raw), "[]", "null")
}
