package server

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"parley/internal/channel"
	"parley/internal/channel/whatsapp"
	"parley/internal/clock"
	"parley/internal/egress"
	"parley/internal/face/platform"
	"parley/internal/simulator"
)

// simulated is the fake outside world of `serve --simulate`. It outlives the
// App, as the real world does.
type simulated struct {
	world  *simulator.Simulator
	handle http.Handler
	out    *egress.Client
	log    *slog.Logger
}

func newSimulated(log *slog.Logger, c clock.Clock) *simulated {
	out := egress.New(egress.Options{AllowLoopback: true})
	world := simulator.New(simulator.Options{Clock: c, Doer: out, Logger: log})
	return &simulated{world: world, handle: world.Handler(), out: out, log: log}
}

func (s *simulated) close() {
	s.world.Close()
	s.out.Close()
}

// ServeHTTP answers the control routes under /_sim/ and Meta's Graph API under
// /_sim/graph/.
func (s *simulated) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rest, ok := strings.CutPrefix(r.URL.Path, graphPrefix); ok {
		r = r.Clone(r.Context())
		r.URL.Path, r.URL.RawPath = rest, ""
	}
	s.handle.ServeHTTP(w, r)
}

// connect makes every WhatsApp account of every tenant known to the simulator,
// as if it had been set up at Meta.
func (s *simulated) connect(ctx context.Context, app *App, base string) error {
	tenants, err := app.Tenants.List(ctx)
	if err != nil {
		return err
	}
	for _, t := range tenants {
		accounts, err := app.Accounts.List(ctx, t.ID)
		if err != nil {
			return err
		}
		for _, a := range accounts {
			if a.Kind == whatsapp.Kind {
				s.add(a, base)
			}
		}
	}
	return nil
}

func (s *simulated) add(a channel.Account, base string) {
	waba := a.Settings["wabaId"]
	if err := s.world.AddAccount(simulator.Account{PhoneNumberID: a.ExternalID, WABAID: waba, Token: a.Secrets["token"],
		AppSecret: a.Secrets["appSecret"], WebhookURL: base + platform.WhatsAppWebhookPath}); err != nil {
		s.log.Warn("the simulator refused an account", "account", a.ExternalID, "error", err)
		return
	}
	if waba != "" {
		if err := s.world.LoadDemoTemplates(waba); err != nil {
			s.log.Warn("the simulator refused the demo templates", "error", err)
		}
	}
}
