package httpx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// ServeOptions are the limits of connections. Zero values mean the defaults.
type ServeOptions struct {
	Log        *slog.Logger
	ReadHeader time.Duration // 10 s
	Read       time.Duration // a whole request: 60 s; Raw handlers may extend it with http.ResponseController
	Write      time.Duration // a whole answer, from the end of the request's header: 150 s
	Idle       time.Duration // a kept connection: 120 s
	Grace      time.Duration // how long running requests may finish: 30 s
	Linger     time.Duration // how long new requests are answered 503 before the listener closes; 0 = not
	MaxHeader  int           // bytes: 64 KiB
}

func (o *ServeOptions) defaults() {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&o.ReadHeader, 10*time.Second)
	set(&o.Read, time.Minute)
	set(&o.Write, 150*time.Second)
	set(&o.Idle, 2*time.Minute)
	set(&o.Grace, 30*time.Second)
	if o.MaxHeader == 0 {
		o.MaxHeader = 64 << 10
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
}

// drainer is what Serve asks of a handler beyond ServeHTTP; *Server does it.
type drainer interface {
	Drain()
	Wait(ctx context.Context) error
}

var _ drainer = (*Server)(nil)

// Serve answers requests on ln until ctx ends, then drains: new requests get
// 503 for Linger, the listener closes, running requests (hijacked ones too) get
// Grace to finish, then everything is closed. It returns nil after a clean end
// and an error when requests had to be cut off.
func Serve(ctx context.Context, ln net.Listener, handler http.Handler, o ServeOptions) error {
	o.defaults()
	var unasked silent
	srv := &http.Server{
		ConnState: unasked.watch,
		Handler:   handler, ReadHeaderTimeout: o.ReadHeader, ReadTimeout: o.Read, WriteTimeout: o.Write,
		IdleTimeout: o.Idle, MaxHeaderBytes: o.MaxHeader,
		ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return fmt.Errorf("httpx: serve: %w", err)
	case <-ctx.Done():
	}
	d, _ := handler.(drainer)
	if d != nil {
		d.Drain()
	}
	if o.Linger > 0 {
		t := time.NewTimer(o.Linger)
		select {
		case <-t.C:
		case <-failed:
			t.Stop()
		}
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.Grace)
	defer cancel()
	unasked.close()
	err := srv.Shutdown(grace)
	if d != nil && err == nil {
		err = d.Wait(grace) // Shutdown does not wait for hijacked connections
	}
	closeErr := srv.Close()
	if err != nil {
		return fmt.Errorf("httpx: requests were cut off after %s: %w", o.Grace, err)
	}
	if closeErr != nil && !errors.Is(closeErr, net.ErrClosed) {
		return closeErr
	}
	return nil
}
