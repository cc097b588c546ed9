// Package egress is the only door to the outside: it builds every outbound
// HTTP client and dialler of the server. It owns the rule of which addresses
// may be reached, because tenants choose the targets of webhooks, script fetches
// and media. Addresses are checked when the connection is made, after name
// resolution, so a name cannot point elsewhere in between; private ranges are
// refused unless the operator allows them; no proxy is ever used; redirects are
// followed by the same rules; answers are capped in size and time.
package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"

	"parley/internal/fault"
)

// Options are the operator's settings. The zero value reaches public addresses
// only.
type Options struct {
	AllowPrivate  []netip.Prefix // ranges that may be reached although they are not public (--egress-allow)
	AllowLoopback bool           // 127.0.0.0/8 and ::1, for simulators and tests
	Timeout       time.Duration  // a whole exchange, the body included; 0 = 10 s
	MaxBody       int64          // bytes of an answer, after decompression; 0 = 10 MiB
	MaxRedirects  int            // 0 = 5, negative = none are followed
	RootCAs       *x509.CertPool // nil = the system's
}

// Client sends requests under the rules. It is safe for concurrent use; one per
// purpose is enough.
type Client struct {
	http   *http.Client
	dialer *net.Dialer
	trans  *http.Transport
	allow  []netip.Prefix
}

// New returns a client.
func New(o Options) *Client {
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.MaxBody <= 0 {
		o.MaxBody = 10 << 20
	}
	if o.MaxRedirects == 0 {
		o.MaxRedirects = 5
	}
	allow := slices.Clone(o.AllowPrivate)
	if o.AllowLoopback {
		allow = append(allow, netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
	}
	d := &net.Dialer{Timeout: o.Timeout, KeepAlive: 30 * time.Second,
		Control: func(_, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil {
				return fault.New(fault.Invalid, "the address %s cannot be reached", address).Because("egress")
			}
			return Check(ap.Addr(), allow)
		}}
	t := &http.Transport{
		Proxy:                  nil, // a proxy would connect for us, past the check
		DialContext:            d.DialContext,
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs},
		TLSHandshakeTimeout:    o.Timeout,
		ResponseHeaderTimeout:  o.Timeout,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConns:           2048,
		MaxIdleConnsPerHost:    256,
		IdleConnTimeout:        90 * time.Second,
		ExpectContinueTimeout:  time.Second,
	}
	return &Client{
		dialer: d, trans: t, allow: allow,
		http: &http.Client{Transport: &capped{t, o.MaxBody}, CheckRedirect: redirects(o.MaxRedirects), Timeout: o.Timeout},
	}
}

// Do sends a request and returns its answer; the caller closes the body. A
// refused address, scheme or redirect is fault.Invalid with Reason "egress"; a
// longer answer than allowed is fault.TooLarge, from Do or from reading the
// body. Other errors name the host but never the rest of the URL, which may
// hold a secret.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	if err := checkURL(req.URL); err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err == nil {
		return resp, nil
	}
	if resp != nil { // a refused redirect comes with the answer that asked for it
		resp.Body.Close()
	}
	if f := fault.As(err); f != nil {
		return nil, f
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	return nil, fmt.Errorf("egress: %s %s: %w", req.Method, req.URL.Host, err)
}

// Reachable tells at once what Do would say of a URL whose host is an address or
// localhost: the fault that refuses it. Other names are checked when they are
// called, by what they lead to then.
func (c *Client) Reachable(raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return fault.New(fault.Invalid, "the address is no URL").Because("egress")
	}
	if err := checkURL(u); err != nil {
		return err
	}
	host := u.Hostname()
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return Check(a, c.allow)
	}
	return nil
}

// HTTP returns the client for libraries that want an *http.Client. Its errors
// are those of net/http; fault.As still finds a refusal inside.
func (c *Client) HTTP() *http.Client { return c.http }

// DialContext connects by TCP under the same rules, for SMTP and the like.
func (c *Client) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return nil, fault.New(fault.Invalid, "only TCP connections may leave, not %s", network).Because("egress")
	}
	conn, err := c.dialer.DialContext(ctx, network, address)
	if f := fault.As(err); f != nil {
		return nil, f
	}
	return conn, err
}

// Close gives up idle connections.
func (c *Client) Close() { c.trans.CloseIdleConnections() }

func checkURL(u *url.URL) error {
	if u == nil || u.Host == "" || u.Hostname() == "" {
		return fault.New(fault.Invalid, "the address names no host; give a full http or https URL").Because("egress")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return fault.New(fault.Invalid, "only http and https addresses can be called, not %s", u.Scheme).Because("egress")
	}
	return nil
}
