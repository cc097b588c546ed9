package whatsapp_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"parley/internal/channel"
	"parley/internal/channel/whatsapp"
	"parley/internal/clock"
	"parley/internal/fault"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func receiver() *whatsapp.Channel { return whatsapp.New(nil, "", "", clock.NewFake(epoch)) }

// TestGolden reads webhooks with the shapes of Meta Cloud API, "messages webhook
// reference", "Status messages webhook reference" and "user_preferences webhook
// reference", and compares with what we make of them.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, in := range files {
		body, err := os.ReadFile(in)
		if err != nil {
			t.Fatal(err)
		}
		b, err := receiver().Parse(body)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		got, err := json.MarshalIndent(b, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, '\n')
		out := strings.TrimSuffix(in, ".json") + ".golden"
		if *update {
			if err := os.WriteFile(out, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if string(want) != string(got) {
			t.Errorf("%s: got %s\nwant %s", in, got, want)
		}
	}
}

// hook wraps a value as a webhook of the number 1.
func hook(field, value string) []byte {
	return []byte(`{"object":"whatsapp_business_account","entry":[{"id":"9","changes":[{"field":"` + field + `","value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550783881","phone_number_id":"1"},` + value + `}}]}]}`)
}

func TestTextMapping(t *testing.T) {
	for _, tc := range []struct{ message, kind, text, payload string }{
		{`"type":"text","text":{"body":"Hi"}`, "text", "Hi", ""},
		{`"type":"button","button":{"text":"Unsubscribe","payload":"p"}`, "button", "Unsubscribe", "p"},
		{`"type":"interactive","interactive":{"type":"button_reply","button_reply":{"id":"cancel","title":"Cancel"}}`, "interactive", "Cancel", "cancel"},
		{`"type":"interactive","interactive":{"type":"list_reply","list_reply":{"id":"x1","title":"Express","description":"d"}}`, "interactive", "Express", "x1"},
		{`"type":"interactive","interactive":{"type":"nfm_reply","nfm_reply":{"name":"flow","body":"Sent","response_json":"{\"a\":1}"}}`, "interactive", "Sent", `{"a":1}`},
		{`"type":"interactive","interactive":{"type":"new_thing"}`, "unsupported", "", ""},
		{`"type":"location","location":{"latitude":37.4421625,"longitude":-122.1615,"name":"HQ"}`, "location", "https://www.google.com/maps?q=37.4421625,-122.1615", ""},
		{`"type":"location","location":{}`, "unsupported", "", ""},
		{`"type":"contacts","contacts":[{"name":{"formatted_name":"Barbara J. Johnson","first_name":"Barbara"}},{"name":{"first_name":"Al","last_name":"Bo"}},{"phones":[{"phone":"+1 650"}]}]`, "contacts", "Barbara J. Johnson, Al Bo, +1 650", ""},
		{`"type":"image","image":{"id":"5","caption":"Look"}`, "image", "Look", ""},
		{`"type":"order","order":{"text":"two please"}`, "order", "two please", ""},
		{`"type":"system","system":{"body":"A changed number","type":"user_changed_number"}`, "unsupported", "A changed number", ""},
		{`"type":"unsupported","errors":[{"code":131051}]`, "unsupported", "", ""},
		{`"type":"hologram","hologram":{}`, "unsupported", "", ""},
		{`"type":"text"`, "unsupported", "", ""},
		{`"type":"text","text":"odd"`, "unsupported", "", ""},
		{`"type":"text","text":{"body":7}`, "unsupported", "", ""},
		{`"type":["text"]`, "unsupported", "", ""},
		{`"nothing":1`, "unsupported", "", ""},
	} {
		b, err := receiver().Parse(hook("messages", `"messages":[{"id":"wamid.1","from":"16505551234","timestamp":"1749416383",`+tc.message+`}]`))
		if err != nil || len(b.Messages) != 1 {
			t.Errorf("%s: %+v %v", tc.message, b, err)
			continue
		}
		m := b.Messages[0]
		if m.Kind != tc.kind || m.Text != tc.text || m.Payload != tc.payload || m.ProviderID != "wamid.1" || m.From != "16505551234" || m.Account != "1" {
			t.Errorf("%s: %+v", tc.message, m)
		}
	}
}

func TestTimesAndSenders(t *testing.T) {
	for _, tc := range []struct {
		in, from, name string
		at             int64
	}{
		{`"contacts":[{"wa_id":"1","profile":{"name":"A"}}],"messages":[{"id":"w","from":"1","timestamp":"1749416383","type":"x"}]`, "1", "A", 1749416383},
		{`"messages":[{"id":"w","from":1,"timestamp":1749416383,"type":"x"}]`, "1", "", 1749416383},
		{`"messages":[{"id":"w","from":"1","timestamp":"soon","type":"x"}]`, "1", "", epoch.Unix()},
		{`"messages":[{"id":"w","from":"1","timestamp":"999999999999999","type":"x"}]`, "1", "", epoch.Unix()},
		{`"messages":[{"id":"w","from":"1","type":"x"}]`, "1", "", epoch.Unix()},
		// Brazil's ninth digit: the two spellings differ, the only contact is meant.
		{`"contacts":[{"wa_id":"551187654321","profile":{"name":"B"}}],"messages":[{"id":"w","from":"5511987654321","timestamp":"1","type":"x"}]`, "5511987654321", "B", 1},
		{`"contacts":[{"wa_id":"1","profile":{"name":"A"}},{"wa_id":"2","profile":{"name":"B"}}],"messages":[{"id":"w","from":"2","timestamp":"1","type":"x"}]`, "2", "B", 1},
		{`"contacts":[{"user_id":"US.1","profile":{"username":"@b"}}],"messages":[{"id":"w","from_user_id":"US.1","timestamp":"1","type":"x"}]`, "US.1", "@b", 1},
		{`"contacts":"odd","messages":[{"id":"w","from":"2","timestamp":"1","type":"x"}]`, "2", "", 1},
	} {
		b, err := receiver().Parse(hook("messages", tc.in))
		if err != nil || len(b.Messages) != 1 {
			t.Errorf("%s: %+v %v", tc.in, b, err)
			continue
		}
		if m := b.Messages[0]; m.From != tc.from || m.ProfileName != tc.name || m.At.Unix() != tc.at {
			t.Errorf("%s: %+v", tc.in, m)
		}
	}
}

func TestStatuses(t *testing.T) {
	b, err := receiver().Parse(hook("messages", `"statuses":[
		{"id":"w1","status":"sent","timestamp":"1","recipient_id":"2","biz_opaque_callback_data":"ours"},
		{"id":"w2","status":"played","timestamp":"1","recipient_id":"2"},
		{"id":"w3","status":"failed","timestamp":"1","recipient_id":"2","errors":[{"code":131047,"title":"Re-engagement message","message":"Re-engagement message","error_data":{"details":"More than 24 hours."}}]},
		{"id":"w4","status":"failed","timestamp":"1","recipient_id":"2"},
		{"id":"w5","status":"failed","timestamp":"1","recipient_id":"2","errors":[{"code":1,"title":"?"}]},
		{"id":"w6","status":"warning","timestamp":"1","recipient_id":"2"},
		{"id":"w7","status":"delivered","timestamp":"1","recipient_id":"2","errors":"odd"},
		{"status":"read"}]`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range b.Receipts {
		s := r.ProviderID + " " + r.Status + " " + r.Echo
		if r.Err != nil {
			s += string(r.Err.Outcome) + " " + r.Err.Title
		}
		got = append(got, s)
	}
	want := []string{
		"w1 sent ours", "w2 read ",
		"w3 failed refused Re-engagement message: More than 24 hours.",
		"w4 failed refused the provider could not deliver the message and gave no reason",
		"w5 failed refused ?", "w7 delivered ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestOtherFieldsAndObjects(t *testing.T) {
	c := receiver()
	// Echoes of the business's own app are not messages from a person.
	b, err := c.Parse(hook("smb_message_echoes", `"messages":[{"id":"w","from":"1","type":"text","text":{"body":"x"}}]`))
	if err != nil || len(b.Messages) != 0 {
		t.Errorf("%+v %v", b, err)
	}
	review := []byte(`{"object":"whatsapp_business_account","entry":[{"id":"9","changes":[{"field":"message_template_status_update","value":{"event":"APPROVED","message_template_id":594425479261596}},{"field":"account_alerts","value":[1]}]}]}`)
	ids, err := c.Accounts(review)
	if err != nil || len(ids) != 0 {
		t.Errorf("%v %v", ids, err)
	}
	if b, err = c.Parse(review); err != nil || len(b.Messages)+len(b.Receipts) != 0 {
		t.Errorf("%+v %v", b, err)
	}
	for _, body := range []string{`{"object":"page","entry":[]}`, `{}`, `{"object":"instagram"}`} {
		_, e1 := c.Accounts([]byte(body))
		_, e2 := c.Parse([]byte(body))
		if fault.As(e1) == nil || fault.As(e1).Code != fault.NotFound || fault.As(e2) == nil || fault.As(e2).Code != fault.NotFound {
			t.Errorf("%s: %v, %v", body, e1, e2)
		}
	}
	two := []byte(`{"object":"whatsapp_business_account","entry":[{"changes":[{"value":{"metadata":{"phone_number_id":"1"}}},{"value":{"metadata":{"phone_number_id":2}}},{"value":{"metadata":{"phone_number_id":"1"}}}]}]}`)
	if ids, err = c.Accounts(two); err != nil || !slices.Equal(ids, []string{"1", "2"}) {
		t.Errorf("%v %v", ids, err)
	}
	for body, field := range map[string]string{
		string(hook("messages", `"messages":[{"from":"1"}]`)):                                                                          "entry[0].changes[0].value.messages[0].id",
		`{"object":"whatsapp_business_account","entry":[{"changes":[{"field":"messages","value":{"messages":[{"id":"w"}]}}]}]}`:        "entry[0].changes[0].value.metadata.phone_number_id",
		`{"object":"whatsapp_business_account","entry":[{"changes":[{"field":"messages","value":7}]}]}`:                                "entry[0].changes[0].value",
		`{"object":"whatsapp_business_account","entry":[{"changes":[]},{"changes":[{"field":"messages","value":{"statuses":[{}]}}]}]}`: "entry[1].changes[0].value.metadata.phone_number_id",
	} {
		_, err := c.Parse([]byte(body))
		if e := fault.As(err); e == nil || e.Code != fault.Invalid || e.Field != field {
			t.Errorf("%s: %v, want field %s", body, err, field)
		}
	}
}

// TestSignature pins the arithmetic to a value computed elsewhere:
// printf '{"a":1}' | openssl dgst -sha256 -hmac s3cret
func TestSignature(t *testing.T) {
	const sum = "5910e62016ef5034272c926c27071992a465c2335cecf41851bda071577f4f6d"
	a := channel.Account{Secrets: map[string]string{"appSecret": "s3cret"}}
	if err := receiver().Verify(map[string][]string{"X-Hub-Signature-256": {"sha256=" + sum}}, []byte(`{"a":1}`), a); err != nil {
		t.Error(err)
	}
	for _, h := range []map[string][]string{
		{"X-Hub-Signature-256": {sum}},
		{"X-Hub-Signature-256": {"sha1=" + sum}},
		{"X-Hub-Signature-256": {"sha256=" + sum, "sha256=" + sum}},
		{"X-Hub-Signature-256": {"sha256=" + sum[:62]}},
		{"X-Hub-Signature-256": {"sha256=" + sum}, "x-hub-signature-256": {"sha256=00"}},
		{"X-Hub-Signature": {"sha256=" + sum}},
	} {
		if err := receiver().Verify(h, []byte(`{"a":1}`), a); fault.As(err) == nil || fault.As(err).Code != fault.Unauthorized {
			t.Errorf("%v: %v", h, err)
		}
	}
}

func TestChallenge(t *testing.T) {
	q := func(mode, token string) map[string][]string {
		return map[string][]string{"hub.mode": {mode}, "hub.verify_token": {token}, "hub.challenge": {"1158201444"}}
	}
	if got, ok := receiver().Challenge(q("subscribe", "meaty"), "meaty"); !ok || got != "1158201444" {
		t.Error(got, ok)
	}
	for _, c := range []struct {
		q     map[string][]string
		token string
	}{{q("subscribe", "meat"), "meaty"}, {q("unsubscribe", "meaty"), "meaty"}, {q("subscribe", ""), ""}, {nil, "meaty"}} {
		if got, ok := receiver().Challenge(c.q, c.token); ok || got != "" {
			t.Error(c, got, ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.json")
	for _, in := range files {
		body, err := os.ReadFile(in)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add(hook("", `"messages":[{"id":1,"type":"location","location":{"latitude":"1","longitude":1e400}}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c := receiver()
		ids, err := c.Accounts(body)
		if err != nil && fault.As(err) == nil {
			t.Fatalf("%v is not a fault", err)
		}
		b, perr := c.Parse(body)
		if perr != nil {
			if fault.As(perr) == nil {
				t.Fatalf("%v is not a fault", perr)
			}
			return
		}
		if err != nil {
			t.Fatalf("Accounts: %v, but Parse read %+v", err, b)
		}
		for _, m := range b.Messages {
			if m.ProviderID == "" || m.Kind == "" || m.At.IsZero() || !slices.Contains(ids, m.Account) {
				t.Fatalf("%+v of accounts %v", m, ids)
			}
		}
		for _, r := range b.Receipts {
			if r.ProviderID == "" || r.At.IsZero() || !slices.Contains(ids, r.Account) || (r.Status == "failed") != (r.Err != nil) {
				t.Fatalf("%+v of accounts %v", r, ids)
			}
		}
		if _, err := json.Marshal(b); err != nil { // times and texts can be stored
			t.Fatal(err)
		}
	})
}
