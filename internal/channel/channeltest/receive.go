package channeltest

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"parley/internal/channel"
	"parley/internal/fault"
	"parley/internal/id"
)

// stranger writes first; nobody has written to them.
const stranger = "16505559876"

func signatures(t *testing.T, h Harness, rec channel.Receiver) {
	w := h.Write(h.Account, stranger, "Grüße 👋")
	if err := rec.Verify(w.Header, w.Body, h.Account); err != nil {
		t.Fatalf("a genuine webhook: %v", err)
	}
	wrong := func(what string, header map[string][]string, body []byte, a channel.Account) {
		t.Helper()
		if err := rec.Verify(header, body, a); err == nil {
			t.Errorf("%s: accepted", what)
		} else {
			code(t, err, fault.Unauthorized)
		}
	}
	wrong("another account's secret", w.Header, w.Body, h.Other)
	wrong("no header", nil, w.Body, h.Account)
	wrong("empty body", w.Header, nil, h.Account)
	wrong("longer body", w.Header, append(slices.Clone(w.Body), ' '), h.Account)
	bare := h.Account
	bare.Secrets = nil
	wrong("no secret", w.Header, w.Body, bare)
	for i := 0; i < len(w.Body); i += 7 {
		changed := slices.Clone(w.Body)
		changed[i] ^= 1
		wrong("changed body", w.Header, changed, h.Account)
	}
	for k, vs := range w.Header {
		without := maps.Clone(w.Header)
		delete(without, k)
		if rec.Verify(without, w.Body, h.Account) == nil {
			continue // this header is not part of the signature
		}
		for _, v := range []string{"", "x", vs[0][1:], strings.Repeat("0", len(vs[0])), vs[0] + "00"} {
			with := maps.Clone(w.Header)
			with[k] = []string{v}
			wrong("header "+k+"="+v, with, w.Body, h.Account)
		}
		low := maps.Clone(without)
		low[strings.ToLower(k)] = vs
		if err := rec.Verify(low, w.Body, h.Account); err != nil {
			t.Errorf("header names have no case: %v", err)
		}
	}
}

func message(t *testing.T, h Harness, rec channel.Receiver) {
	w := h.Write(h.Account, stranger, "Grüße 👋")
	ids, err := rec.Accounts(w.Body)
	if err != nil || !slices.Equal(ids, []string{h.Account.ExternalID}) {
		t.Fatalf("accounts %v %v", ids, err)
	}
	b, err := rec.Parse(w.Body)
	if err != nil || len(b.Messages) != 1 {
		t.Fatalf("%+v %v", b, err)
	}
	m := b.Messages[0]
	if m.Account != h.Account.ExternalID || m.From != stranger || m.Kind != channel.Text || m.Text != "Grüße 👋" || m.ProviderID == "" || m.At.IsZero() {
		t.Fatalf("%+v", m)
	}
}

func replay(t *testing.T, h Harness, rec channel.Receiver) {
	w := h.Write(h.Account, stranger, "once")
	first, err := rec.Parse(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	again, err := rec.Parse(w.Body)
	if err != nil || !reflect.DeepEqual(first, again) {
		t.Fatalf("the same body gave\n%+v\n%+v %v", first, again, err)
	}
	next, err := rec.Parse(h.Write(h.Account, stranger, "once").Body)
	if err != nil || next.Messages[0].ProviderID == first.Messages[0].ProviderID {
		t.Fatalf("another message has the same id: %+v %v", next, err)
	}
}

func anotherAccount(t *testing.T, h Harness, rec channel.Receiver) {
	theirs := h.Write(h.Other, stranger, "for the other")
	ids, err := rec.Accounts(theirs.Body)
	if err != nil || !slices.Equal(ids, []string{h.Other.ExternalID}) {
		t.Fatalf("accounts %v %v", ids, err)
	}
	// Whoever knows one account's secret must not write in another's name.
	ours := h.Write(h.Account, stranger, "for the other")
	code(t, rec.Verify(ours.Header, theirs.Body, h.Other), fault.Unauthorized)
	b, err := rec.Parse(theirs.Body)
	if err != nil || len(b.Messages) != 1 || b.Messages[0].Account != h.Other.ExternalID {
		t.Fatalf("%+v %v", b, err)
	}
}

func receipts(t *testing.T, h Harness, rec channel.Receiver) {
	m := h.text()
	m.ID = id.New()
	sent, err := h.Channel.Send(context.Background(), h.Account, m)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	echoed := false // the first receipts carry our id, later ones may not
	for _, w := range h.Posted() {
		if err := rec.Verify(w.Header, w.Body, h.Account); err != nil {
			t.Fatalf("a genuine receipt: %v", err)
		}
		b, err := rec.Parse(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range b.Receipts {
			if !r.UpTo.IsZero() && (r.ProviderID != "" || r.Echo != "" || r.To != h.Person || r.Account != h.Account.ExternalID) {
				t.Errorf("receipt with a watermark: %+v", r)
			}
			if r.ProviderID != sent.ProviderID {
				continue
			}
			if r.Account != h.Account.ExternalID || r.To != h.Person || r.At.IsZero() {
				t.Errorf("receipt %+v", r)
			}
			if r.Echo != "" && r.Echo != m.ID.String() {
				t.Errorf("receipt with another's id: %+v", r)
			}
			echoed = echoed || r.Echo != ""
			got = append(got, r.Status)
		}
	}
	for _, s := range got {
		if !slices.Contains([]string{"sent", "delivered", "read"}, s) {
			t.Errorf("status %q of a message that arrived", s)
		}
	}
	if h.Channel.Capabilities().Echo && !echoed {
		t.Error("no receipt came that carries our id")
	}
}

// garbage feeds what is no webhook, and every damaged form of one that is: the
// channel answers with a fault or a batch, and never names an account in a
// batch that Accounts did not name for verification.
func garbage(t *testing.T, h Harness, rec channel.Receiver) {
	w := h.Write(h.Account, stranger, "text")
	bodies := [][]byte{
		nil, []byte(" "), []byte("null"), []byte("[]"), []byte("{}"), []byte(`""`), []byte("0"), []byte("\xff\xfe"),
		[]byte(strings.Repeat("[", 100_000)), []byte(strings.Repeat(`{"entry":`, 20_000)), []byte("a=b&c=d"),
	}
	for i := range w.Body {
		bodies = append(bodies, w.Body[:i])
		for _, c := range []byte{'"', '{', '[', '0', 0, 0xff, 'n'} {
			b := slices.Clone(w.Body)
			b[i] = c
			bodies = append(bodies, b)
		}
	}
	for _, body := range bodies {
		ids, err := rec.Accounts(body)
		if err != nil && fault.As(err) == nil {
			t.Fatalf("%.80q: %v is not a fault", body, err)
		}
		b, err := rec.Parse(body)
		if err != nil {
			if fault.As(err) == nil {
				t.Fatalf("%.80q: %v is not a fault", body, err)
			}
			continue
		}
		for _, m := range b.Messages {
			if !slices.Contains(ids, m.Account) || m.ProviderID == "" {
				t.Fatalf("%q: message %+v, accounts %v", body, m, ids)
			}
		}
		for _, r := range b.Receipts {
			if !slices.Contains(ids, r.Account) {
				t.Fatalf("%q: receipt %+v, accounts %v", body, r, ids)
			}
		}
	}
}

// challenge holds for every provider: without an account's token nobody is
// answered, and an account without one answers nobody.
func challenge(t *testing.T, h Harness, rec channel.Receiver) {
	for _, q := range []map[string][]string{nil, {}, {"hub.mode": {"subscribe"}, "hub.challenge": {"1"}, "hub.verify_token": {""}}} {
		for _, token := range []string{"", "secret"} {
			if answer, ok := rec.Challenge(q, token); ok || answer != "" {
				t.Errorf("Challenge(%v, %q) = %q, %v", q, token, answer, ok)
			}
		}
	}
}

func templates(t *testing.T, h Harness) {
	lister := h.Channel.(channel.TemplateLister)
	list, err := lister.Templates(context.Background(), h.Account)
	if err != nil || len(list) == 0 {
		t.Fatalf("%d templates: %v", len(list), err)
	}
	seen := map[string]bool{}
	for _, x := range list {
		key := x.Name + "/" + x.Language
		if x.Name == "" || x.Language == "" || x.Status == "" || x.BodyText == "" || x.HeaderType == "" || len(x.Components) == 0 || seen[key] {
			t.Errorf("template %+v", x)
		}
		seen[key] = true
	}
	for _, a := range []channel.Account{h.Unreachable, {Kind: h.Account.Kind, ExternalID: h.Account.ExternalID}} {
		if _, err := lister.Templates(context.Background(), a); err == nil {
			t.Error("no fault from an account that cannot list")
		} else {
			code(t, err, fault.Unready, fault.Unavailable)
		}
	}
}
