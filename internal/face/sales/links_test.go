package sales_test

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"slices"
	"strings"
	"testing"

	"parley/test/apitest"
)

// TestLinksLeadHere: the address of a file can be used as it stands by whoever is
// told of it, in an answer and in a notification, on a server that was not told
// under which name it is known.
func TestLinksLeadHere(t *testing.T) {
	apitest.Each(t, apitest.Options{Simulate: true}, func(t *testing.T, r *apitest.Rig) {
		k := newTalk(t, r)
		v := newReceiver(t, nil)
		subscribe(k.Caller, v.URL, "interactions")
		pid := k.lead("Asha", "+919876543210")
		k.writes("919876543210", "hi")
		p := "/prospect/" + pid
		form := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"image.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff\xe0 a photo\r\n--b--\r\n"
		sent := k.Do("POST", p+"/messaging/whatsapp/send-file", form, "Content-Type", "multipart/form-data; boundary=b").OK()
		iid := sent.Str("0.id")
		told := v.find(k.Caller, "the file", 0, func(m heard) bool { return m.str("operationId") == iid })
		links := map[string]string{
			"send-file":       sent.Str("0.output.message.attachment.url"),
			"the list":        k.Get(p + "/interactions?via=whatsApp&limit=1").OK().Str("0.output.message.attachment.url"),
			"everybody's":     k.Get("/prospects/interactions?via=whatsApp&limit=1").OK().Str("0.output.message.attachment.url"),
			"one":             k.Get(p + "/interaction/" + iid).OK().Str("output.message.attachment.url"),
			"the table":       csvOf(t, k.Get(p+"/interactions?format=csv").OK().Body, "output.message.attachment.url"),
			"a notification":  told.str("interaction.output.message.attachment.url"),
			"under its alias": k.Call("GET", "/v1"+p+"/interaction/"+iid, nil, "X-API-Key", k.Token).OK().Str("output.message.attachment.url"),
		}
		for where, link := range links {
			if !strings.HasPrefix(link, r.URL+"/media/") {
				t.Errorf("%s: the link is %q", where, link)
				continue
			}
			res, err := http.Get(link)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != 200 {
				t.Errorf("%s: %s answers %d", where, link, res.StatusCode)
			}
		}
		// Behind a proxy that ends TLS the link is of the name that the caller used.
		if a := k.Get(p+"/interaction/"+iid, "X-Forwarded-Proto", "https").OK(); !strings.HasPrefix(a.Str("output.message.attachment.url"), "https://") {
			t.Errorf("behind a proxy: %s", a.Body)
		}
	})
}

// csvOf returns the first value of a column that has one.
func csvOf(t *testing.T, table []byte, column string) string {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(table)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.Index(rows[0], column)
	if at < 0 {
		t.Fatalf("there is no column %s in %v", column, rows[0])
	}
	for _, row := range rows[1:] {
		if row[at] != "" {
			return row[at]
		}
	}
	return ""
}
