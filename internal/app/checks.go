package app

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/webhook"
)

const (
	maxExtensions = 50       // reports or buttons of an app
	maxURL        = 2000     // bytes of a URL with placeholders
	maxIcon       = 64 << 10 // bytes of an icon, decoded
	maxSecret     = 500      // bytes of a client id, secret or private key
)

var (
	// wordForm is the form of developers and keys of apps: the parts of fields' keys.
	wordForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,39}$`)
	// placeKeyForm is the form of keys of reports and buttons.
	placeKeyForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$`)
)

func item(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }

func isDate(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

// shown is an identity as people write it: phones with their "+".
func shown(i contact.Identity) string {
	if i.Kind == contact.Phone && !strings.HasPrefix(i.Value, "+") {
		return "+" + i.Value
	}
	return i.Value
}

// checked returns an app in its stored form, or says what is wrong with it.
func (a App) checked() (App, error) {
	var c fault.Collector
	for _, w := range []struct{ field, word string }{{"developer", a.Developer}, {"key", a.Key}} {
		if !wordForm.MatchString(w.word) {
			c.Add(fault.Field(w.field, "%s must begin with a letter and hold at most 40 letters, digits and -", w.field))
		}
	}
	c.Add(a.Name.check("name"))
	a.BaseURL = strings.TrimRight(strings.TrimSpace(a.BaseURL), "/")
	c.Add(checkBase(a.BaseURL))
	if !plain(a.ClientID, maxSecret) || a.ClientID == "" || strings.ContainsFunc(a.ClientID, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		c.Add(fault.Field("clientId", "clientId must be at most %d printable characters without spaces", maxSecret))
	}
	var err error
	a.Reports, err = checkReports(a.Reports)
	c.Add(err)
	a.Buttons, err = checkButtons(a.Buttons)
	c.Add(err)
	a.ProspectFields, err = checkFields("prospectFields", a.ProspectFields)
	c.Add(err)
	a.UserFields, err = checkFields("userFields", a.UserFields)
	c.Add(err)
	return a, c.Err()
}

// checkBase wants a base to which the paths of calls can be appended.
func checkBase(base string) error {
	if err := webhook.CheckURL("baseUrl", base); err != nil {
		return err
	}
	if u, err := url.Parse(base); err != nil || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(base, "?#") || len(base) > maxURL {
		return fault.Field("baseUrl", "baseUrl must be an address such as https://app.example.com/sales, without ? and #")
	}
	return nil
}

// checkSecret wants a secret that fits into a header.
func checkSecret(field, s string) error {
	if s == "" || len(s) > maxSecret || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return fault.Field(field, "%s must be at most %d printable characters without spaces", field, maxSecret)
	}
	return nil
}

func checkReports(list []Report) ([]Report, error) {
	if len(list) > maxExtensions {
		return nil, fault.Field("reports", "an app has at most %d reports", maxExtensions)
	}
	keys := map[string]bool{}
	for i, r := range list {
		if err := checkPlace(item("reports", i), r.Key, r.Name, r.URL, keys); err != nil {
			return nil, err
		}
	}
	return slices.Clone(list), nil
}

func checkButtons(list []Button) ([]Button, error) {
	if len(list) > maxExtensions {
		return nil, fault.Field("buttons", "an app has at most %d buttons", maxExtensions)
	}
	keys := map[string]bool{}
	for i, b := range list {
		at := item("buttons", i)
		if err := checkPlace(at, b.Key, b.Name, b.URL, keys); err != nil {
			return nil, err
		}
		if err := checkIcon(at+".icon", b.Icon); err != nil {
			return nil, err
		}
	}
	return slices.Clone(list), nil
}

func checkPlace(at, key string, name Localized, address string, keys map[string]bool) error {
	switch {
	case !placeKeyForm.MatchString(key):
		return fault.Field(at+".key", "%s.key must be at most 60 letters, digits and . _ -", at)
	case keys[key]:
		return fault.Field(at+".key", "%s.key is there twice; keys are unique", at)
	}
	keys[key] = true
	if err := name.check(at + ".name"); err != nil {
		return err
	}
	return checkExtension(at+".url", address)
}

// checkExtension wants an absolute URL whose placeholders lie behind the host, so
// that nobody's data can choose where the page comes from, and that leaves the
// signature to us.
func checkExtension(field, address string) error {
	if len(address) > maxURL || !plain(address, maxURL) {
		return fault.Field(field, "%s must be an address of at most %d bytes", field, maxURL)
	}
	u, err := url.Parse(expand(address, map[string]string{}))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }) {
		return fault.Field(field, "%s must be an absolute address that begins with https:// or http://", field)
	}
	_, rest, _ := strings.Cut(address, "://")
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, "?")
	host, _, _ = strings.Cut(host, "#")
	if strings.ContainsAny(host, "${}") {
		return fault.Field(field, "%s may hold placeholders only behind the host", field)
	}
	for name := range u.Query() {
		if name == signatureName {
			return fault.Field(field, "%s must not hold the parameter signature, which is added", field)
		}
	}
	return nil
}

// images are the types of icons with how their files begin.
var images = map[string][]byte{"image/png": []byte("\x89PNG\r\n\x1a\n"), "image/jpeg": {0xff, 0xd8, 0xff}, "image/gif": []byte("GIF8"), "image/webp": []byte("RIFF")}

// checkIcon wants a data URI of an image: PNG, JPEG, GIF or WebP, as base64. SVG
// is refused, since it can carry scripts.
func checkIcon(field, icon string) error {
	says := func(what string) error {
		return fault.Field(field, "%s must be a data URI such as data:image/png;base64,...: %s", field, what)
	}
	meta, data, ok := strings.Cut(strings.TrimPrefix(icon, "data:"), ",")
	if !ok || !strings.HasPrefix(icon, "data:") {
		return says("it is none")
	}
	kind, coding, _ := strings.Cut(strings.ToLower(meta), ";")
	begins, known := images[kind]
	if !known || coding != "base64" {
		return says("a PNG, JPEG, GIF or WebP image as base64 is wanted")
	}
	if base64.StdEncoding.DecodedLen(len(data)) > maxIcon+2 {
		return says(fmt.Sprintf("the image must not be larger than %d bytes; 64 x 64 pixels do", maxIcon))
	}
	raw, err := base64.StdEncoding.DecodeString(data)
	if err != nil || !bytes.HasPrefix(raw, begins) {
		return says("the data is not an image of that type")
	}
	return nil
}
