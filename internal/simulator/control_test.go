package simulator

import (
	"io"
	"strings"
	"testing"
)

func stringsReader(s string) io.Reader { return strings.NewReader(s) }

func TestControlAPI(t *testing.T) {
	w := newWorld(t, Options{})
	ok := func(method, path, body string) map[string]any {
		t.Helper()
		status, v := w.call(method, path, "", body)
		if status != 200 {
			t.Fatalf("%s %s: %d %v", method, path, status, v)
		}
		return v
	}
	ok("POST", "/_sim/accounts", `{"phoneNumberId":"200","wabaId":"300","token":"t2","appSecret":"s2"}`)
	v := ok("GET", "/_sim/accounts", "")
	if dig(v, "accounts", 1, "phoneNumberId") != "200" || dig(v, "accounts", 1, "token") != "" || dig(v, "accounts", 1, "appSecret") != "" {
		t.Fatal(v)
	}
	ok("POST", "/_sim/templates", `{"wabaId":"300","demo":true}`)
	ok("POST", "/_sim/templates", `{"wabaId":"300","name":"welcome","language":"en_US","status":"DISABLED","components":[{"type":"BODY","text":"x"}]}`)
	v = ok("GET", "/_sim/templates?wabaId=300", "")
	if dig(v, "templates", 1, "status") != "DISABLED" || dig(v, "templates", len(DemoTemplates())) != nil {
		t.Fatal(v)
	}
	v = ok("POST", "/_sim/reply", `{"from":"16505551234","text":"hi","to":"`+number+`"}`)
	if v["accepted"] != true || v["status"] != 200.0 {
		t.Fatal(v)
	}
	if status, v := w.send(text(person1, "hello back")); status != 200 {
		t.Fatal(v)
	}
	w.idle()
	v = ok("GET", "/_sim/inbox?to=%2B16505551234", "")
	if dig(v, "messages", 0, "text") != "hello back" {
		t.Fatal(v)
	}
	ok("POST", "/_sim/optout", `{"from":"16505551234","to":"`+number+`"}`)
	v = ok("GET", "/_sim/webhooks?limit=1", "")
	if dig(v, "webhooks", 0, "kind") != "preference" || dig(v, "webhooks", 0, "accepted") != true {
		t.Fatal(v)
	}
	ok("POST", "/_sim/faults", `{"count":1,"code":131000}`)
	if status, v := w.send(text(person1, "x")); status != 500 || code(v) != 131000 {
		t.Fatal(status, v)
	}
	ok("POST", "/_sim/reset", ``)
	if v = ok("GET", "/_sim/webhooks", ""); dig(v, "webhooks", 0) != nil {
		t.Fatal(v)
	}
}

func TestControlNamesTheWrongField(t *testing.T) {
	w := newWorld(t, Options{})
	for _, c := range []struct{ method, path, body, field string }{
		{"POST", "accounts", `{}`, "phoneNumberId"},
		{"POST", "accounts", `{"phoneNumberId":"a/b"}`, "phoneNumberId"},
		{"POST", "accounts", `{"phoneNumberId":"1"}`, "wabaId"},
		{"POST", "accounts", `{"phoneNumberId":"1","wabaId":"2"}`, "token"},
		{"POST", "accounts", `{"phoneNumberId":"1","wabaId":"2","token":"t"}`, "appSecret"},
		{"POST", "accounts", `{"phoneNumberId":"1","wabaId":"2","token":"t","appSecret":"s","webhookUrl":"ftp://x"}`, "webhookUrl"},
		{"POST", "accounts", `{"phoneNumberId":1}`, "phoneNumberId"},
		{"POST", "accounts", `{"phone":"1"}`, "phone"},
		{"GET", "inbox", ``, "to"},
		{"GET", "inbox?to=abc", ``, "to"},
		{"POST", "reply", `{}`, "from"},
		{"POST", "reply", `{"from":"x"}`, "from"},
		{"POST", "reply", `{"from":"16505551234"}`, "text"},
		{"POST", "reply", `{"from":"16505551234","text":"a","to":"9"}`, "to"},
		{"POST", "reply", `{"from":"16505551234","message":[]}`, "message"},
		{"POST", "reply", `{"from":"16505551234","message":{}}`, "message.type"},
		{"POST", "optout", `{}`, "from"},
		{"POST", "templates", `{}`, "wabaId"},
		{"POST", "templates", `{"wabaId":"2","name":"A b"}`, "name"},
		{"POST", "templates", `{"wabaId":"2","name":"a"}`, "language"},
		{"POST", "templates", `{"wabaId":"2","name":"a","language":"en","status":"NEW"}`, "status"},
		{"POST", "templates", `{"wabaId":"2","name":"a","language":"en","components":[]}`, "components"},
		{"POST", "faults", `{"code":1234567}`, "code"},
		{"POST", "faults", `{"drop":"during"}`, "drop"},
		{"POST", "faults", `{"status":200}`, "status"},
		{"POST", "faults", `{"count":-1}`, "count"},
		{"POST", "faults", `{"delayMs":-1}`, "delayMs"},
		{"POST", "faults", `{"duplicates":-1}`, "duplicates"},
		{"GET", "webhooks?limit=x", ``, "limit"},
		{"POST", "reset", `[]`, ""},
	} {
		status, v := w.call(c.method, "/_sim/"+c.path, "", c.body)
		if status != 400 || dig(v, "error", "field") != c.field || dig(v, "error", "message") == "" {
			t.Errorf("%s %s %s: %d %v, want 400 naming %q", c.method, c.path, c.body, status, v, c.field)
		}
	}
	if status, _ := w.call("GET", "/_sim/nothing", "", ""); status != 404 {
		t.Errorf("unknown control path: %d", status)
	}
}
