package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"time"
)

// Profiler serves /debug/pprof/ on an address of its own.
type Profiler struct {
	srv  *http.Server
	addr string
	done chan struct{}
}

// StartProfiler listens on a loopback address such as "127.0.0.1:6060". Any
// other address is refused, because profiles show memory. The server runs it
// only when the operator asks.
func StartProfiler(addr string) (*Profiler, error) {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil || !ap.Addr().Unmap().IsLoopback() {
		return nil, fmt.Errorf("telemetry: the profiler listens on loopback only, e.g. 127.0.0.1:6060, not on %q", addr)
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("telemetry: profiler: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	p := &Profiler{srv: &http.Server{Handler: localOnly(mux), ReadHeaderTimeout: 10 * time.Second}, addr: ln.Addr().String(), done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = p.srv.Serve(ln) // ends with Close
	}()
	return p, nil
}

// localOnly refuses names other than loopback ones, so that a web page cannot
// reach the profiler through a name that resolves to this machine.
func localOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		ip, err := netip.ParseAddr(host)
		if host != "localhost" && (err != nil || !ip.IsLoopback()) {
			http.Error(w, "ask by the loopback address", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Addr is where the profiler listens.
func (p *Profiler) Addr() string { return p.addr }

// Close stops it, giving running profiles until ctx ends.
func (p *Profiler) Close(ctx context.Context) error {
	err := p.srv.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, p.srv.Close())
	}
	<-p.done
	return err
}
