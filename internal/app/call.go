package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/webhook"
)

// Headers of every call. The first two are the credentials (reference §4.11); the
// last names what is told, the same in every try, so that an app can drop the
// second of two.
const (
	IDHeader     = "x-app-id"
	SecretHeader = "x-app-secret"
	CallHeader   = "x-parley-call"
)

// Policy is how one kind of call is made, as data.
type Policy struct {
	Method, Path string
	Attempts     int           // at most, until somebody asks for a retry
	Timeout      time.Duration // of one try
	Pauses       []time.Duration
}

// patient are the pauses of calls that an app must hear in the end: 5 s, 30 s, 2,
// 10 and 30 minutes, then every hour.
var patient = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour}

// Policies are the calls that are tried until they are confirmed (reference §4.11),
// for three days.
var Policies = map[string]Policy{
	CallInstall:   {"POST", "/install", 76, 10 * time.Second, patient},
	CallEnabled:   {"PUT", "/enabled", 76, 10 * time.Second, patient},
	CallKey:       {"PUT", "/api-key", 76, 10 * time.Second, patient},
	CallUninstall: {"DELETE", "/", 76, 10 * time.Second, patient},
}

// pause returns how long to wait after the given failed try, from 1.
func (p Policy) pause(try int) time.Duration {
	return p.Pauses[min(max(try, 1), len(p.Pauses))-1]
}

const (
	settingsTimeout = 12 * time.Second
	maxAnswer       = 60 << 10 // bytes of an app's answer that count
	keptError       = 500      // bytes of an error that are kept
)

// caller is what calls of one instance need.
type caller struct {
	base, clientID, secret string
	token                  string // the key that travels as context
}

// callerOf opens the secrets of an instance and its app. taken chooses the key that
// the app is to take as the context, not the one that it had.
func (s *Service) callerOf(r store.Reader, i row, taken bool) (c caller, err error) {
	a, err := loadApp(r, i.App)
	if err != nil {
		return c, err
	}
	c.base, c.clientID = a.BaseURL, a.ClientID
	if c.secret, err = s.tenants.OpenFor(r.Tenant(), place(a.ID, ofSecret), a.secret); err != nil {
		return c, err
	}
	sealed := i.token
	if taken && i.next != "" {
		sealed = i.next
	}
	c.token, err = s.tenants.OpenFor(r.Tenant(), place(i.ID, ofToken), sealed)
	return c, err
}

// request makes a call of the instance: credentials in headers, its key in the
// query, also where the body holds them.
func (c caller) request(method, path string, body any, name string, timeout time.Duration) (webhook.Request, error) {
	q := webhook.Request{Method: method, URL: c.base + path + "?api-key=" + url.QueryEscape(c.token), Timeout: timeout, Stay: true,
		Header: map[string]string{IDHeader: c.clientID, SecretHeader: c.secret, "accept": "application/json"}}
	if name != "" {
		q.Header[CallHeader] = name
	}
	if body == nil {
		return q, nil
	}
	raw, err := json.Marshal(body)
	q.Body, q.Header["content-type"] = raw, "application/json"
	return q, err
}

// Bodies of calls (S).
type (
	installBody struct {
		AppID       string `json:"appId"`
		AppSecret   string `json:"appSecret"`
		Integration struct {
			APIKey  string `json:"apiKey"`
			Enabled bool   `json:"enabled"`
		} `json:"integration"`
	}
	enabledBody struct {
		Enabled bool `json:"enabled"`
	}
	keyBody struct {
		NewAPIKey string `json:"newApiKey"`
	}
)

// namesNext reports whether the next try names the instance by its new key. Whether
// an app that fell silent has taken that is unknown, so that the tries name the old
// and the new one in turn.
func (i *row) namesNext() bool {
	return i.next != "" && i.Tries%2 == 1 && (i.Owes == CallKey || i.Owes == CallUninstall)
}

// installsNext reports whether an app is to be installed with the new key: the old
// one has ended, and an app may look whether its key opens before it agrees.
func (s *Service) installsNext(r store.Reader, i row) (bool, error) {
	if i.Owes != CallInstall || i.next == "" {
		return false, nil
	}
	both, err := s.keys.Offers(r, i.Key)
	return !both, err
}

// owedRequest makes the call that an instance owes, and notes which key it is
// installed with.
func (s *Service) owedRequest(r store.Reader, i *row) (webhook.Request, error) {
	var err error
	if i.withNext, err = s.installsNext(r, *i); err != nil {
		return webhook.Request{}, err
	}
	c, err := s.callerOf(r, *i, i.withNext || i.namesNext())
	if err != nil {
		return webhook.Request{}, err
	}
	var body any
	switch i.Owes {
	case CallInstall:
		b := installBody{AppID: c.clientID, AppSecret: c.secret}
		b.Integration.APIKey, b.Integration.Enabled = c.token, i.Enabled
		body = b
	case CallEnabled:
		body = enabledBody{i.Enabled}
	case CallKey:
		token, err := s.tenants.OpenFor(r.Tenant(), place(i.ID, ofToken), i.next)
		if err != nil {
			return webhook.Request{}, err
		}
		body = keyBody{token}
	}
	p := Policies[i.Owes]
	return c.request(p.Method, p.Path, body, i.ID.String()+"-"+strconv.Itoa(i.version), p.Timeout)
}

// errUnknownKey is what an app says that knows no instance of a key.
var errUnknownKey = errors.New("the app does not know the instance")

// confirmed returns why an answer does not confirm a call, nil when it does. An
// app that says it does not know the instance (errUnknownKey) has nothing left to
// uninstall under that key.
func confirmed(call string, res webhook.Response, err error) error {
	switch {
	case err != nil:
		return err
	case call == CallUninstall && (res.Status == 404 || res.Status == 410):
		return errUnknownKey
	case res.Status < 200 || res.Status > 299:
		return fmt.Errorf("the app answered with status %d", res.Status)
	case call != CallUninstall:
		return nil
	}
	var said struct {
		Success bool `json:"success"`
	}
	if json.Unmarshal(res.Body, &said) != nil || !said.Success {
		return errors.New(`the app did not answer {"success": true}`)
	}
	return nil
}

// ask makes a call whose answer somebody waits for, once, and decodes it into dst
// if dst is not nil. Faults: NotFound; Unready while the app is not installed;
// Unavailable when it does not answer as it should.
func (s *Service) ask(ctx context.Context, tenant, instance id.ID, method, path string, body, dst any) error {
	r := s.db.Read(ctx, tenant)
	i, err := load(r, instance)
	switch {
	case err != nil:
		return err
	case i.State == Uninstalled:
		return fault.Unknown("app instance")
	case i.State == Pending:
		return fault.New(fault.Unready, "the app has not confirmed its installation; wait until it has, or retry it").Because("pending")
	}
	c, err := s.callerOf(r, i, false)
	if err != nil {
		return err
	}
	q, err := c.request(method, path, body, "", settingsTimeout)
	if err != nil {
		return err
	}
	res, err := s.out.Post(ctx, q)
	switch f := fault.As(err); {
	case f != nil && f.Code == fault.Invalid:
		return fault.New(fault.Unready, "the address of the app may not be called: %s", f.Message).Because("egress")
	case errors.Is(err, context.DeadlineExceeded):
		return silent("the app did not answer within %s; try again later", settingsTimeout)
	case err != nil:
		return silent("the app cannot be reached; try again later")
	case res.Status < 200 || res.Status > 299:
		return silent("the app answered with status %d; try again later, or ask its developer", res.Status)
	case dst == nil:
		return nil
	case len(res.Body) > maxAnswer:
		return silent("the app answered with more than %d bytes; ask its developer", maxAnswer)
	case json.Unmarshal(res.Body, dst) != nil:
		return silent("the app answered with something that is not the JSON it should be; ask its developer")
	}
	return nil
}

func silent(format string, args ...any) error {
	return fault.New(fault.Unavailable, format, args...).Because("app").After(10 * time.Second)
}
