package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"parley/internal/config"
	"parley/internal/event"
	"parley/internal/face/admin"
	"parley/internal/face/files"
	"parley/internal/face/platform"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/realtime/socketio"
	"parley/internal/telemetry"
	"parley/internal/verify"
)

// faces lists what the public port serves with this node's roles. Health and
// metrics are there whatever the roles.
func (a *App) faces(o Options) []httpx.Face {
	own := httpx.Face{Name: "server", Prefixes: []string{"/"}, WriteError: plainError, Routes: []httpx.Route{
		{Method: "GET", Pattern: "/healthz", Aliases: []string{"/health-check"}, Public: true, Always: true, Raw: telemetry.Healthz()},
		{Method: "GET", Pattern: "/readyz", Public: true, Always: true, Raw: telemetry.Readyz(a.log, a.checks()...)},
		{Method: "GET", Pattern: "/metrics", Public: true, Raw: a.metrics.Handler().ServeHTTP},
	}}
	if a.cfg.Has(config.RoleRealtime) {
		for _, m := range []string{"GET", "POST"} {
			own.Routes = append(own.Routes, httpx.Route{Method: m, Pattern: "/socket.io", Public: true, Raw: a.sockets.ServeHTTP})
		}
	}
	if o.simulated != nil {
		for _, m := range []string{"GET", "POST", "PUT", "DELETE"} {
			own.Routes = append(own.Routes, httpx.Route{Method: m, Pattern: "/_sim/*", Public: true, MaxBody: -1, Raw: o.simulated.ServeHTTP})
		}
	}
	out := []httpx.Face{own}
	if a.cfg.Has(config.RoleAPI) {
		out = append(out, files.HTTP(a.Conversations.Files()), a.platform.HTTP(), a.sales.HTTP(), a.target.HTTP(), a.operate.HTTP(), a.clients.HTTP())
	}
	return out
}

// plainError is the envelope of paths that belong to no face.
func plainError(w http.ResponseWriter, _ *httpx.Request, err error) {
	f := fault.As(err)
	code, message := "INTERNAL_ERROR", "something went wrong on the server; its log tells more"
	if f != nil {
		code, message = strings.ToUpper(string(f.Code)), f.Message
	}
	httpx.WriteJSON(w, httpx.Status(f), map[string]any{"success": false, "code": code, "message": message})
}

// checks are what /readyz asks.
func (a *App) checks() []telemetry.Check {
	return []telemetry.Check{
		{Name: "database", Run: a.DB.Ping},
		{Name: "schema", Run: func(ctx context.Context) error {
			have, want, err := a.DB.SchemaVersion(ctx)
			if err == nil && have < want {
				err = fmt.Errorf("the schema is at step %d of %d; run `parley migrate`", have, want)
			}
			return err
		}},
	}
}

// limits are the rates of one API key.
func (a *App) limits(name string) httpx.Rate {
	switch name {
	case "trigger":
		return httpx.Rate{PerMinute: a.cfg.TriggerRate}
	case "sales":
		return httpx.Rate{PerMinute: a.cfg.SalesRate}
	}
	return httpx.Rate{PerMinute: a.cfg.RatePerMin}
}

// Status implements platform.System.
func (a *App) Status(ctx context.Context) platform.SystemStatus {
	s := platform.SystemStatus{Version: telemetry.Version(), Env: a.cfg.Env, Uptime: a.clock.Now().Sub(a.begun), DB: "connected"}
	depth, err := a.Jobs.Depth(ctx)
	if err != nil {
		s.DB = "disconnected"
	}
	s.QueueDepth = depth
	return s
}

// status is what `parley doctor` shows of a running server.
func (a *App) status(ctx context.Context, url func() string) admin.Status {
	s := admin.Status{Version: telemetry.Version(), Database: a.DB.Dialect().String(), Node: a.node, Roles: a.cfg.Roles, Simulated: a.cfg.Simulate,
		UptimeSeconds: int64(a.clock.Now().Sub(a.begun) / time.Second)}
	if url != nil {
		s.URL = url()
	}
	if have, want, err := a.DB.SchemaVersion(ctx); err == nil {
		s.Schema, s.SchemaWant = have, want
	} else {
		s.Problems = append(s.Problems, "the database does not answer: "+err.Error())
	}
	if err := a.Tenants.CheckSeal(ctx); err != nil && s.Schema > 0 {
		s.Problems = append(s.Problems, err.Error())
	}
	if depth, err := a.Jobs.Depth(ctx); err == nil {
		s.QueueDepth = depth
	}
	s.WritesWaiting, _, _ = a.DB.Waiting()
	return s
}

// Verify implements admin.Database.
func (a *App) Verify(ctx context.Context) (verify.Report, error) { return verify.Run(ctx, a.DB) }

// Backup implements admin.Database.
func (a *App) Backup(ctx context.Context, file string) error { return backup(ctx, a.DB, file) }

// watch publishes gauges that are read when somebody looks.
func (a *App) watch() {
	a.metrics.GaugeFunc("writes_waiting", "Writes that wait for the database's writer.", func() float64 {
		n, _, _ := a.DB.Waiting()
		return float64(n)
	})
	a.metrics.GaugeFunc("write_groups_total", "Groups of writes committed together.", func() float64 {
		_, groups, _ := a.DB.Waiting()
		return float64(groups)
	})
	a.metrics.GaugeFunc("writes_total", "Writes committed.", func() float64 {
		_, _, calls := a.DB.Waiting()
		return float64(calls)
	})
	a.metrics.GaugeFunc("jobs_depth", "Jobs that wait or run.", func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		n, err := a.Jobs.Depth(ctx)
		if err != nil {
			return -1
		}
		return float64(n)
	})
	a.metrics.GaugeFunc("feed_lag_seconds", "Age of the oldest event that readers may not see yet, because an older transaction still runs.", func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		lag, err := event.Lag(a.DB.Read(ctx, id.Zero))
		if err != nil {
			return -1
		}
		return lag.Seconds()
	})
	a.metrics.GaugeFunc("sockets", "Realtime connections.", func() float64 { return float64(a.sockets.Stats().Connections) })
}

// socketOptions lets a client into its tenant's room by its platform key.
func (a *App) socketOptions() socketio.Options {
	return socketio.Options{
		Authenticate: func(ctx context.Context, h socketio.Handshake) (socketio.Entry, error) {
			return a.live.Handshake(ctx, h)
		},
		OnEvent: func(ctx context.Context, s *socketio.Socket, name string, args []json.RawMessage, ack func(args ...any)) {
			a.live.SocketEvent(ctx, s, name, args, ack)
		},
		Draining: func(r *http.Request) <-chan struct{} {
			if asked := httpx.From(r.Context()); asked != nil {
				return asked.Draining()
			}
			return nil
		},
		MaxConnections: a.cfg.Sockets, AllowOrigin: a.allowOrigin, Clock: a.clock, Logger: a.log,
	}
}

func (a *App) allowOrigin(origin string) bool {
	if len(a.cfg.CORSOrigins) == 0 {
		return true // the key, not the origin, lets a client in
	}
	for _, o := range a.cfg.CORSOrigins {
		if strings.EqualFold(o, origin) {
			return true
		}
	}
	return false
}
