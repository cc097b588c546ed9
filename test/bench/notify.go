package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"parley/internal/access"
	"parley/internal/agent"
	"parley/internal/config"
	"parley/internal/contact"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/notification"
	"parley/internal/server"
	"parley/internal/store"
	"parley/internal/tenant"
	hooks "parley/internal/webhook"
)

const (
	endpoints = 20   // one subscription each, in groups below one another, so that each hears of everything
	peopleOf  = 1000 // prospects who change in turn
	perLane   = 8    // calls of one endpoint at once, as the server makes them
)

// notifyFigures are those of notifications to many endpoints.
type notifyFigures struct {
	Endpoints   int     `json:"endpoints"`
	Each        int     `json:"notificationsPerEndpoint"`
	PerSecond   float64 `json:"deliveriesPerSecond"` // from the feed to the receivers' answers on disk
	Raw         float64 `json:"rawPostsPerSecond"`   // the same bodies posted by a loop with as many connections
	Ratio       float64 `json:"ratioToRaw"`
	CPUus       float64 `json:"cpuMicrosPerDelivery"`
	RawCPUus    float64 `json:"rawCPUMicrosPerPost"`
	BytesOfBody int     `json:"bytesOfBody"`
}

// receiveCommand is the hidden first argument by which this program becomes the
// receiver, which answers 200 to everything and says so.
const receiveCommand = "serve-receiver"

func serveReceiver(in io.Reader, out io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, l.Addr())
	srv := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })}
	go func() { _, _ = io.Copy(io.Discard, in); _ = srv.Close() }()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// startReceiver starts one in a process of its own.
func startReceiver() (addr string, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.Command(self, receiveCommand)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := spawn(cmd); err != nil {
		return "", nil, err
	}
	if _, err := fmt.Fscanln(out, &addr); err != nil {
		return "", nil, err
	}
	return addr, func() { _ = in.Close(); _ = cmd.Wait() }, nil
}

func measureNotifications(o options, dir string) (f *notifyFigures, err error) {
	f = &notifyFigures{Endpoints: endpoints, Each: o.Notifications}
	addr, stop, err := startReceiver()
	if err != nil {
		return nil, err
	}
	defer stop()
	ctx := context.Background()
	cfg := config.Server{Database: config.Database{Data: filepath.Join(dir, "notifications")}, Listen: "127.0.0.1:0", Roles: []string{config.RoleWorker},
		EgressAllow: []string{"127.0.0.0/8"}, GraphURL: "http://127.0.0.1:1", GraphAPI: "v24.0", Workers: 8, Connections: 8, MaxBody: 1 << 20, Grace: 5 * time.Second, Env: "bench"}
	a, err := server.Open(ctx, cfg, server.Options{})
	if err != nil {
		return nil, err
	}
	t, err := owe(ctx, a, "http://"+addr, o.Notifications)
	if err = errors.Join(err, a.Close()); err != nil {
		return nil, err
	}
	say("notifications: %d owed", o.Notifications)
	if o.Profile != "" {
		if err := os.MkdirAll(o.Profile, 0o755); err != nil {
			return nil, err
		}
		p, err := os.Create(filepath.Join(o.Profile, "notifications.pprof"))
		if err != nil {
			return nil, err
		}
		defer p.Close()
		if err := pprof.StartCPUProfile(p); err != nil {
			return nil, err
		}
	}
	begun, cpu := time.Now(), selfCPU()
	m, err := server.Start(ctx, cfg, server.Options{})
	if err != nil {
		return nil, err
	}
	all := o.Notifications * endpoints
	err = until(time.Duration(all)*5*time.Millisecond+time.Minute, func() (bool, error) {
		time.Sleep(50 * time.Millisecond)
		var one int
		left, err := store.Found(m.App().DB.Read(ctx, t).QueryRow("SELECT 1 WHERE EXISTS (SELECT 1 FROM notification_owed WHERE tenant_id=?) OR " +
			"EXISTS (SELECT 1 FROM webhook_delivery WHERE tenant_id=? AND state='pending') OR EXISTS (SELECT 1 FROM webhook_delivery WHERE tenant_id=? AND state='sending')").Scan(&one))
		return !left, err
	})
	took := time.Since(begun)
	f.CPUus = (selfCPU() - cpu) * 1e6 / float64(all)
	if o.Profile != "" {
		pprof.StopCPUProfile()
	}
	var body []byte
	if err == nil {
		body, err = proof(ctx, m.App(), t, all)
	}
	if err = errors.Join(err, m.Close()); err != nil {
		return nil, err
	}
	f.PerSecond, f.BytesOfBody = float64(all)/took.Seconds(), len(body)
	begun, cpu = time.Now(), selfCPU()
	bare := min(all, 100_000) // it goes on like this
	if err := postAll("http://"+addr, body, bare); err != nil {
		return nil, err
	}
	f.Raw, f.RawCPUus = float64(bare)/time.Since(begun).Seconds(), (selfCPU()-cpu)*1e6/float64(bare)
	f.Ratio = f.PerSecond / f.Raw
	return f, nil
}

// owe makes a tenant with its subscriptions, and things to tell of.
func owe(ctx context.Context, a *server.App, url string, n int) (id.ID, error) {
	if _, err := a.DB.Migrate(ctx); err != nil {
		return id.Zero, err
	}
	made, err := a.Tenants.Create(ctx, tenant.NewTenant{Name: "Bench"})
	if err != nil {
		return id.Zero, err
	}
	t := made.ID
	at, err := a.Agents.Root(ctx, t)
	if err != nil {
		return t, err
	}
	_, k, err := a.Access.Create(ctx, t, access.NewKey{Face: "sales"})
	if err != nil {
		return t, err
	}
	for i := range endpoints {
		if i > 0 {
			if at, err = a.Agents.CreateGroup(ctx, t, "bench", agent.Group{Name: fmt.Sprint("Group ", i), Parent: at.ID}); err != nil {
				return t, err
			}
		}
	}
	var people []id.ID
	for range min(peopleOf, n) {
		one, err := store.Write(ctx, a.DB, t, func(tx *store.Tx) (id.ID, error) {
			c, err := a.Contacts.CreateIn(tx, "bench", contact.New{FirstName: "Priya", LastName: "Rao", Phone: fmt.Sprintf("+549114%07d", len(people)), Email: fmt.Sprintf("p%d@example.com", len(people))})
			if err != nil {
				return c.ID, err
			}
			_, err = a.Handovers.PlaceIn(tx, "bench", c.ID, handover.Arrival{Group: at.ID})
			return c.ID, err
		})
		if err != nil {
			return t, err
		}
		people = append(people, one)
	}
	groups, err := a.Agents.Above(a.DB.Read(ctx, t), at.ID)
	if err != nil {
		return t, err
	}
	for i, g := range groups {
		if _, err := a.Notifications.Subscribe(ctx, t, notification.New{Group: g, Key: k.ID, Topics: []string{notification.Prospects}, CallbackURL: fmt.Sprintf("%s/hook/%d", url, i)}); err != nil {
			return t, err
		}
	}
	for done := 0; done < n; {
		part := min(100, n-done)
		if err := a.DB.Write(ctx, t, func(tx *store.Tx) error {
			for i := range part {
				name := fmt.Sprint("Name ", done+i)
				if _, _, err := a.Contacts.UpdateIn(tx, "bench", people[(done+i)%len(people)], contact.Patch{FirstName: &name}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return t, err
		}
		done += part
	}
	return t, nil
}

// proof checks that everything was sent at once, and returns one of the bodies.
func proof(ctx context.Context, a *server.App, t id.ID, all int) ([]byte, error) {
	var sent, again int
	if err := a.DB.Read(ctx, t).QueryRow("SELECT COUNT(*), COALESCE(SUM(attempt-1), 0) FROM webhook_delivery WHERE tenant_id=? AND state='sent'").Scan(&sent, &again); err != nil {
		return nil, err
	}
	if sent != all || again > all/100 {
		return nil, fmt.Errorf("%d of %d notifications were sent, %d of them again", sent, all, again)
	}
	list, err := a.Webhooks.Log(ctx, t, hooks.LogQuery{Limit: 1})
	if err != nil || len(list) == 0 {
		return nil, errors.Join(err, errors.New("the log is empty"))
	}
	return list[0].Delivery.Body, nil
}

// postAll posts a body n times by as many connections as the lanes have.
func postAll(url string, body []byte, n int) error {
	tr := &http.Transport{MaxIdleConnsPerHost: endpoints * perLane}
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr, Timeout: 10 * time.Second}
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	errs := make(chan error, endpoints*perLane)
	for range endpoints * perLane {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for left.Add(-1) >= 0 {
				res, err := client.Post(url, "application/json", bytes.NewReader(body))
				if err != nil {
					errs <- err
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
		}()
	}
	wg.Wait()
	close(errs)
	return <-errs
}

// print writes the figures of notifications.
func (f *notifyFigures) print(p func(format string, args ...any)) {
	p("\n| Endpoints | notifications each | bytes each | deliveries/s, from the feed to the answer on disk | a bare loop that posts the same/s | **ratio** | CPU µs a delivery | CPU µs a bare post |")
	p("|---:|---:|---:|---:|---:|---:|---:|---:|")
	p("| %d | %d | %d | %.0f | %.0f | **%.2f** | %.0f | %.0f |", f.Endpoints, f.Each, f.BytesOfBody, f.PerSecond, f.Raw, f.Ratio, f.CPUus, f.RawCPUus)
}
