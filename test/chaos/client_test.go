package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// tenant is a client that has a key of each API.
type tenant struct {
	url, code, key, sales, targeting, id, account, rule string
	http                                                *http.Client
	p                                                   *proc
}

// answer is what came back over the wire.
type answer struct {
	status   int
	replayed bool
	body     []byte
}

// data reads the envelope's data.
func (a answer) data(out any) error {
	var e struct{ Data json.RawMessage }
	if err := json.Unmarshal(a.body, &e); err != nil {
		return err
	}
	return json.Unmarshal(e.Data, out)
}

// call makes one attempt. An error means that nothing is known.
func (c *tenant) call(ctx context.Context, method, path, key string, in any) (answer, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return answer{}, err
		}
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.url+path, body)
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("x-api-key", c.key)
	switch {
	case strings.HasPrefix(path, "/api/v1/"):
		r.Header.Set("x-api-key", c.sales)
	case strings.HasPrefix(path, "/v1/"):
		r.Header.Set("x-api-key", c.targeting)
	}
	r.Header.Set("x-client-code", c.code)
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err // the answer was cut off: nothing is known
	}
	return answer{resp.StatusCode, resp.Header.Get("Idempotency-Replayed") != "", b}, nil
}

var errGivenUp = errors.New("the server was not back in time")

// insist repeats a call until it is answered, however often the server dies:
// only for calls that are safe to repeat. The first try is given up after
// patience (0: never), so that its answer may be missed. tries tells how many it
// took.
func (c *tenant) insist(method, path, key string, in any, patience time.Duration) (a answer, tries int, err error) {
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); {
		tries++
		ctx, cancel := context.Background(), context.CancelFunc(func() {})
		if tries == 1 && patience > 0 {
			ctx, cancel = context.WithTimeout(ctx, patience)
		}
		a, err = c.call(ctx, method, path, key, in)
		cancel()
		if err == nil && a.status != http.StatusServiceUnavailable {
			return a, tries, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return a, tries, fmt.Errorf("%w: %d tries: %v", errGivenUp, tries, err)
}

// must calls once and expects 2xx.
func (c *tenant) must(t testing.TB, method, path, key string, in, out any) {
	t.Helper()
	a, err := c.call(context.Background(), method, path, key, in)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if a.status/100 != 2 {
		t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
	}
	if out == nil {
		return
	}
	if err := a.data(out); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, a.body)
	}
}

// pages reads a whole list that pages by number.
func pages[T any](t testing.TB, c *tenant, path string) []T {
	t.Helper()
	var all []T
	for n := 1; ; n++ {
		var page []T
		c.must(t, "GET", fmt.Sprintf("%s?limit=1000&page=%d", path, n), "", nil, &page)
		all = append(all, page...)
		if len(page) < 1000 {
			return all
		}
	}
}

// row kinds as the API shows them, as far as the tests read them.
type leadRow struct {
	ID, FirstName, Phone string
	CustomFields         map[string]any
	Tags                 []string
}

type runRow struct {
	ID, LeadID, EventLogID, Status string
	Variables                      map[string]any
	NodeResults                    map[string]struct{ Status, Error string }
}

type messageRow struct {
	ID, ConversationID, Direction, Text, Status, WhatsappMessageID string
	Error                                                          *struct{ Title string }
	Metadata                                                       map[string]any
}

// messages reads every message of every conversation.
func (c *tenant) messages(t testing.TB) []messageRow {
	t.Helper()
	var all []messageRow
	after := ""
	for {
		a, err := c.call(context.Background(), "GET", "/api/saas/chat/conversations?limit=1000&after="+after, "", nil)
		var page struct {
			Data       []struct{ ID string }
			HasMore    bool
			NextCursor string
		}
		if err == nil {
			err = json.Unmarshal(a.body, &page)
		}
		if err != nil || a.status != 200 {
			t.Fatalf("conversations: %v %d %s", err, a.status, a.body)
		}
		for _, v := range page.Data {
			all = append(all, c.conversation(t, v.ID)...)
		}
		if !page.HasMore {
			return all
		}
		after = page.NextCursor
	}
}

func (c *tenant) conversation(t testing.TB, id string) []messageRow {
	t.Helper()
	var all []messageRow
	before := ""
	for {
		var page []messageRow
		path := "/api/saas/chat/conversations/" + id + "/messages?limit=1000"
		if before != "" {
			path += "&before=" + before
		}
		c.must(t, "GET", path, "", nil, &page)
		all = append(page, all...)
		if len(page) < 1000 {
			return all
		}
		before = page[0].ID
	}
}
