package egress

import (
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAddresses(t *testing.T) {
	for name, list := range map[string]string{
		"public": "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0 " +
			"172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 203.0.112.255 203.0.114.0 223.255.255.255 " +
			"168.63.129.15 2606:4700:4700::1111 2001:4860:4860::8888 2001:200:: 2003:: 2a00:1450::1 2000:: 3ffe::1",
		"unspecified":          "0.0.0.0 0.1.2.3 0.255.255.255 ::",
		"private":              "10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.0 192.168.255.255 fc00:: fd00:ec2::254 fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"carrier-grade NAT":    "100.64.0.0 100.100.100.200 100.127.255.255",
		"loopback":             "127.0.0.1 127.0.0.0 127.255.255.255 ::1",
		"cloud metadata":       "168.63.129.16",
		"link-local":           "169.254.0.0 169.254.169.254 169.254.255.255 fe80::1 fe80::1%eth0 febf::1",
		"protocol assignments": "192.0.0.0 192.0.0.170 192.0.0.255 2001:1::1 2001:1ff::",
		"documentation":        "192.0.2.0 192.0.2.255 198.51.100.7 203.0.113.0 203.0.113.255 2001:db8::1 3fff::1 3fff:fff::",
		"AS112":                "192.31.196.1 192.175.48.1 2620:4f:8000::1",
		"AMT relay":            "192.52.193.1",
		"6to4 relay":           "192.88.99.1",
		"benchmark":            "198.18.0.0 198.19.255.255 2001:2::1",
		"multicast":            "224.0.0.0 224.0.0.1 239.255.255.255 ff00:: ff02::1",
		"reserved":             "240.0.0.0 255.255.255.254 4000:: e000::1 200::1 1fff::1",
		"broadcast":            "255.255.255.255",
		"IPv4-mapped":          "::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 ::ffff:169.254.169.254",
		"IPv4-compatible":      "::127.0.0.1 ::8.8.8.8 ::2",
		"NAT64":                "64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::1",
		"discard":              "100::1",
		"Teredo":               "2001::1 2001:0:ffff::1",
		"ORCHID":               "2001:10::1 2001:1f:: 2001:20::1 2001:2f::",
		"6to4":                 "2002:7f00:1:: 2002:a00:1::1",
		"segment routing":      "5f00::1",
		"site-local":           "fec0::1 feff::1",
	} {
		for _, s := range strings.Fields(list) {
			err := Check(netip.MustParseAddr(s), nil)
			if name == "public" {
				if err != nil {
					t.Errorf("%s: %v", s, err)
				}
				continue
			}
			f := fault.As(err)
			if f == nil || f.Code != fault.Invalid || f.Reason != "egress" || !strings.Contains(f.Message, "("+name+")") || !strings.Contains(f.Message, "--egress-allow") {
				t.Errorf("%s: %v, want %s", s, err, name)
			}
		}
	}
	if Check(netip.Addr{}, nil) == nil {
		t.Error("the zero address passes")
	}
	allow := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8")}
	for s, ok := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "fd00::1": true, "10.2.0.0": false, "127.0.0.1": false, "fc00::1": false, "::ffff:10.2.0.1": false} {
		if err := Check(netip.MustParseAddr(s), allow); (err == nil) != ok {
			t.Errorf("%s with an allowance: %v", s, err)
		}
	}
}

func get(t *testing.T, c *Client, url string, headers ...string) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

func client(t *testing.T, o Options) *Client {
	c := New(o)
	t.Cleanup(c.Close)
	return c
}

// serve listens on an address of the loopback network.
func serve(t *testing.T, ip string, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	ln, err := net.Listen("tcp", ip+":0")
	if err != nil {
		t.Skipf("this system has no %s: %v", ip, err)
	}
	s := httptest.NewUnstartedServer(h)
	s.Listener.Close()
	s.Listener = ln
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func isRefusal(err error) bool {
	f := fault.As(err)
	return f != nil && f.Code == fault.Invalid && f.Reason == "egress"
}

func TestLoopbackIsRefusedUnlessAllowed(t *testing.T) {
	hits := 0
	s := serve(t, "127.0.0.1", func(w http.ResponseWriter, _ *http.Request) { hits++; fmt.Fprint(w, "hello") })
	t.Setenv("HTTP_PROXY", s.URL) // a proxy must not be asked
	t.Setenv("http_proxy", s.URL)
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	closed := client(t, Options{})
	for _, url := range []string{s.URL, "http://localhost:" + port, "http://[::ffff:127.0.0.1]:" + port, "http://0.0.0.0:" + port, "http://[::]:" + port, "http://127.1:" + port} {
		_, _, err := get(t, closed, url)
		if url == "http://127.1:"+port { // not an address in Go: a name that does not resolve
			if err == nil {
				t.Errorf("%s was reached", url)
			}
			continue
		}
		if !isRefusal(err) {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := closed.DialContext(context.Background(), "tcp", s.Listener.Addr().String()); !isRefusal(err) {
		t.Errorf("dial: %v", err)
	}
	if _, err := closed.DialContext(context.Background(), "unix", "/tmp/x"); !isRefusal(err) {
		t.Errorf("dial unix: %v", err)
	}
	if _, err := closed.HTTP().Get(s.URL); !isRefusal(err) {
		t.Errorf("through the library client: %v", err)
	}
	if hits != 0 {
		t.Fatalf("%d requests arrived", hits)
	}
	for name, o := range map[string]Options{"loopback": {AllowLoopback: true}, "prefix": {AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}} {
		c := client(t, o)
		if _, body, err := get(t, c, s.URL); err != nil || body != "hello" {
			t.Errorf("%s: %q %v", name, body, err)
		}
		conn, err := c.DialContext(context.Background(), "tcp", s.Listener.Addr().String())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		conn.Close()
	}
}

func TestSchemesAndHosts(t *testing.T) {
	c := client(t, Options{AllowLoopback: true})
	for _, url := range []string{"ftp://127.0.0.1/x", "file:///etc/passwd", "gopher://127.0.0.1", "http:///x", "/x", "http://:80/"} {
		if _, _, err := get(t, c, url); !isRefusal(err) {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestRedirects(t *testing.T) {
	var got http.Header
	other := serve(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) { got = r.Header; fmt.Fprint(w, "other") })
	hidden := serve(t, "127.0.0.2", func(w http.ResponseWriter, _ *http.Request) { t.Error("the hidden server was reached") })
	var front *httptest.Server
	front = serve(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/other":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case "/hidden":
			http.Redirect(w, r, hidden.URL, http.StatusFound)
		case "/file":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/away":
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		case "/same":
			http.Redirect(w, r, front.URL+"/end", http.StatusFound)
		case "/end":
			got = r.Header
			fmt.Fprint(w, "end")
		}
	})
	c := client(t, Options{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	for _, path := range []string{"/hidden", "/file", "/loop"} {
		if _, _, err := get(t, c, front.URL+path); !isRefusal(err) {
			t.Errorf("%s: %v", path, err)
		}
	}
	secrets := []string{"Authorization", "Bearer x", "X-Api-Key", "x", "Cookie", "a=b", "X-Signature", "x", "Accept", "text/plain"}
	if _, body, err := get(t, c, front.URL+"/other?token=x", secrets...); err != nil || body != "other" {
		t.Fatalf("%q %v", body, err)
	}
	for _, k := range []string{"Authorization", "X-Api-Key", "Cookie", "X-Signature", "Referer"} {
		if got.Get(k) != "" {
			t.Errorf("%s went to another host", k)
		}
	}
	if got.Get("Accept") != "text/plain" {
		t.Error("Accept was lost")
	}
	if _, body, err := get(t, c, front.URL+"/same", secrets...); err != nil || body != "end" || got.Get("X-Api-Key") != "x" || got.Get("Authorization") == "" {
		t.Errorf("the same host: %q %v %v", body, err, got)
	}
	none := client(t, Options{AllowLoopback: true, MaxRedirects: -1})
	if resp, _, err := get(t, none, front.URL+"/other"); err != nil || resp.StatusCode != http.StatusFound {
		t.Errorf("redirects off: %v %v", resp, err)
	}
}

func TestNoDowngradeFromHTTPS(t *testing.T) {
	plain := serve(t, "127.0.0.1", func(http.ResponseWriter, *http.Request) { t.Error("reached in clear text") })
	safe := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, plain.URL, http.StatusFound) }))
	defer safe.Close()
	pool := x509.NewCertPool()
	pool.AddCert(safe.Certificate())
	if _, _, err := get(t, client(t, Options{AllowLoopback: true, RootCAs: pool}), safe.URL); !isRefusal(err) {
		t.Errorf("%v", err)
	}
	if _, _, err := get(t, client(t, Options{AllowLoopback: true}), safe.URL); err == nil || isRefusal(err) {
		t.Errorf("an unknown certificate: %v", err)
	}
}

func TestSizeAndTime(t *testing.T) {
	stop := make(chan struct{})
	s := serve(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/announced":
			fmt.Fprint(w, strings.Repeat("x", 1001))
		case "/streamed":
			w.(http.Flusher).Flush()
			fmt.Fprint(w, strings.Repeat("x", 1001))
		case "/exact":
			w.(http.Flusher).Flush()
			fmt.Fprint(w, strings.Repeat("x", 1000))
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			fmt.Fprint(z, strings.Repeat("x", 1<<20))
			z.Close()
		case "/silent":
			<-stop
		case "/dripping":
			fmt.Fprint(w, "x")
			w.(http.Flusher).Flush()
			<-stop
		}
	})
	defer close(stop)
	c := client(t, Options{AllowLoopback: true, MaxBody: 1000})
	for _, path := range []string{"/announced", "/streamed", "/bomb"} {
		_, body, err := get(t, c, s.URL+path)
		if f := fault.As(err); f == nil || f.Code != fault.TooLarge || len(body) > 1000 {
			t.Errorf("%s: %d bytes, %v", path, len(body), err)
		}
	}
	if _, body, err := get(t, c, s.URL+"/exact"); err != nil || len(body) != 1000 {
		t.Errorf("exactly the cap: %d %v", len(body), err)
	}
	quick := client(t, Options{AllowLoopback: true, Timeout: 50 * time.Millisecond})
	for _, path := range []string{"/silent", "/dripping"} {
		_, _, err := get(t, quick, s.URL+path+"?token=hush")
		var ne net.Error
		if !errors.As(err, &ne) || !ne.Timeout() || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", path, err)
		}
	}
}
