package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"parley/internal/clock"
	"parley/internal/config"
	"parley/internal/httpx"
	"parley/internal/job"
	"parley/internal/secret"
	"parley/internal/store"
	"parley/internal/telemetry"
	"parley/internal/tenant"
)

// Main is a running server: it holds the data folder's lock, the command socket
// and the simulator, and runs one App at a time; a restore replaces the App.
type Main struct {
	cfg  config.Server
	log  *slog.Logger
	opts Options
	lock *Lock
	sock net.Listener
	sim  *simulated

	restoring sync.Mutex // one restore at a time

	mu      sync.Mutex
	app     *App
	url     string
	swap    chan swap
	ready   chan struct{}
	begun   sync.Once // closes ready
	stop    context.CancelFunc
	stopped chan struct{}
	err     error
}

// swap asks the running Main to change the database under it.
type swap struct {
	file string // for the log
	done chan error
}

// Start opens, migrates and runs a server. It returns once the server is ready.
func Start(ctx context.Context, cfg config.Server, o Options) (*Main, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	m := &Main{cfg: cfg, log: o.Logger, opts: o, swap: make(chan swap), ready: make(chan struct{}), stopped: make(chan struct{})}
	var err error
	if m.lock, err = TakeLock(cfg.Data); errors.Is(err, ErrLocked) {
		return nil, fmt.Errorf("another server is running on the data folder %s; stop it or choose another --data", cfg.Data)
	} else if err != nil {
		return nil, err
	}
	if m.sock, err = listenSocket(cfg.Data); err != nil {
		m.lock.Release()
		return nil, err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	m.stop = stop
	go m.run(run)
	select {
	case <-m.ready:
		return m, nil
	case <-m.stopped:
		return nil, m.err
	case <-ctx.Done():
		_ = m.Close()
		return nil, ctx.Err()
	}
}

// URL is where the API answers.
func (m *Main) URL() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.url
}

// App is the house that runs now.
func (m *Main) App() *App {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.app
}

// Close stops the server: it finishes running requests, hands unfinished jobs
// back, and closes the database.
func (m *Main) Close() error {
	m.stop()
	<-m.stopped
	return m.err
}

// Done is closed when the server has stopped; Err then tells why.
func (m *Main) Done() <-chan struct{} { return m.stopped }

// Err is nil after a clean stop.
func (m *Main) Err() error { return m.err }

func (m *Main) run(ctx context.Context) {
	defer close(m.stopped)
	defer m.lock.Release()
	var prof *telemetry.Profiler
	if m.cfg.Pprof != "" {
		var err error
		if prof, err = telemetry.StartProfiler(m.cfg.Pprof); err != nil {
			m.err = err
			_ = m.sock.Close()
			return
		}
		defer func() { _ = prof.Close(context.Background()) }()
	}
	// The command socket outlives the App, so that a restore can answer its caller.
	commands := &http.Server{Handler: http.HandlerFunc(m.command), ReadHeaderTimeout: 10 * time.Second}
	var wg sync.WaitGroup
	wg.Add(1)
	go func() { defer wg.Done(); _ = commands.Serve(m.sock) }()
	defer wg.Wait()
	defer func() {
		grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = commands.Shutdown(grace)
		_ = commands.Close()
	}()
	if m.cfg.Simulate {
		m.sim = newSimulated(m.log, m.opts.Clock)
		defer m.sim.close()
	}
	var pending *swap
	for {
		next, err := m.once(ctx, pending)
		if next == nil {
			m.err = err
			return
		}
		if err := install(m.cfg.Database); err != nil {
			next.done <- err
			next = nil // the server goes on with what is there
		}
		pending = next
	}
}

// once runs one App until ctx ends or a restore asks for the database. again is
// the swap whose caller waits for this App to be ready.
func (m *Main) once(ctx context.Context, again *swap) (next *swap, err error) {
	ln, err := net.Listen("tcp", m.cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("cannot listen: %w", err)
	}
	m.cfg.Listen = ln.Addr().String() // the same port after a restore
	url := m.cfg.Public
	if url == "" {
		url = local(m.cfg.Listen)
	}
	o := m.opts
	o.url, o.restore, o.alone = m.URL, m.restore, m.cfg.Database.Database == ""
	if m.sim != nil {
		o.simulated, o.loopback = m.sim, local(m.cfg.Listen)
		o.GraphURL = o.loopback + graphPrefix
	}
	app, err := Open(ctx, m.cfg, o)
	if err != nil {
		_ = ln.Close()
		return nil, err
	}
	defer func() { err = errors.Join(err, app.Close()) }()
	if err := app.prepare(ctx, o.alone); err != nil {
		_ = ln.Close()
		return nil, err
	}
	m.mu.Lock()
	m.app, m.url = app, url
	m.mu.Unlock()

	run, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 5)
	n := app.start(run, ln, ended)
	if m.sim != nil {
		n++
		begun := make(chan struct{})
		go func() { ended <- m.sim.follow(run, app, o.loopback, begun) }()
		<-begun
	}
	if again != nil {
		close(again.done)
		m.log.Info("restored a backup; the former database is kept beside it", "file", again.file)
	} else {
		m.begun.Do(func() { close(m.ready) })
	}
	m.log.Info("ready", "url", url, "roles", m.cfg.Roles, "database", app.DB.Dialect().String())
	for n > 0 {
		select {
		case s := <-m.swap:
			next = &s
			cancel()
		case e := <-ended:
			if run.Err() == nil || !errors.Is(e, context.Canceled) { // told to stop while it began
				err = errors.Join(err, e)
			}
			n--
			cancel() // whatever ends ends the App
		case <-ctx.Done():
			cancel()
			ctx = context.WithoutCancel(ctx)
		}
	}
	return next, err
}

// prepare brings an opened database to where a server may run on it.
func (a *App) prepare(ctx context.Context, alone bool) error {
	n, err := a.DB.Migrate(ctx)
	if err != nil {
		return err
	}
	if n > 0 {
		a.log.Info("migrated the database", "steps", n)
	}
	if err := a.Tenants.CheckSeal(ctx); err != nil {
		return err
	}
	if err := a.Tokens.Ready(ctx); err != nil || !alone {
		return err
	}
	return a.inherit(ctx)
}

// inherit settles at once what a process that was killed left at work, instead
// of waiting for its leases to end. Only a server that is alone with its
// database may do so.
func (a *App) inherit(ctx context.Context) error {
	if err := job.ForgetLanes(ctx, a.DB); err != nil {
		return err
	}
	if _, err := a.Outbox.RescueAll(ctx); err != nil {
		return err
	}
	_, err := a.Webhooks.RescueAll(ctx)
	return err
}

// linger is how long a stopping server still takes connections, to answer them
// with 503 instead of a reset: those that wait in the kernel's queue get an answer.
const linger = 100 * time.Millisecond

// start runs the roles of an App and returns how many results to expect.
func (a *App) start(run context.Context, ln net.Listener, ended chan<- error) (n int) {
	// Requests end before the workers do, the workers before the sockets.
	work, stopWork := context.WithCancel(context.WithoutCancel(run))
	n++
	go func() {
		defer stopWork()
		ended <- httpx.Serve(run, ln, a.api, httpx.ServeOptions{Log: a.log, Grace: a.cfg.Grace, Linger: linger})
	}()
	if a.cfg.Has(config.RoleWorker) {
		n += 2
		go func() { ended <- a.runner.Run(work) }()
		go func() { a.lanes.Run(work); ended <- nil }()
	}
	if a.cfg.Has(config.RoleRealtime) {
		n++
		go func() {
			err := a.live.Run(work)
			grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			ended <- errors.Join(err, a.sockets.Close(grace))
		}()
	}
	return n
}

// command answers the command socket by the App that runs now.
func (m *Main) command(w http.ResponseWriter, r *http.Request) {
	select {
	case <-m.ready:
	case <-r.Context().Done():
		return
	}
	m.App().Command().ServeHTTP(w, r)
}

// restore proves a backup while the server runs on, then swaps the database and
// returns when the server is ready on it.
func (m *Main) restore(ctx context.Context, file string) error {
	m.restoring.Lock()
	defer m.restoring.Unlock()
	// A backup sealed with another key would bring the server down.
	sealed := func(db *store.DB) error {
		box, err := secret.LoadBox(m.cfg.Data, m.cfg.SecretKey)
		if err != nil {
			return err
		}
		return tenant.New(db, box).CheckSeal(ctx)
	}
	if err := stage(ctx, m.cfg.Database, file, sealed); err != nil {
		return err
	}
	s := swap{file: file, done: make(chan error, 1)}
	select {
	case m.swap <- s:
	case <-m.stopped:
		return errors.New("the server is stopping")
	}
	select {
	case err := <-s.done: // closed once the server runs again
		return err
	case <-m.stopped:
		return fmt.Errorf("the backup was restored, but the server could not start on it: %w", m.err)
	}
}

// local is the URL by which this machine reaches a listening address.
func local(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "http://" + listen
	}
	if a, err := netip.ParseAddr(host); host == "" || err == nil && a.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// graphPrefix is where the simulated Graph API answers on the public port.
const graphPrefix = "/_sim/graph"
