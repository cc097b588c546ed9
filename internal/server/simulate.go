package server

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"

	"parley/internal/account"
	"parley/internal/channel"
	"parley/internal/channel/messenger"
	"parley/internal/channel/whatsapp"
	"parley/internal/clock"
	"parley/internal/egress"
	"parley/internal/face/platform"
	"parley/internal/id"
	"parley/internal/secret"
	"parley/internal/simulator"
)

// simulated is the fake outside world of `serve --simulate`. It outlives the
// App, as the real world does.
type simulated struct {
	world  *simulator.Simulator
	handle http.Handler
	out    *egress.Client
	log    *slog.Logger
	mu     sync.Mutex // arranging: a tenant gets one number, however many tell of it
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

// follow arranges tenants that others make, such as a command that works on the
// same PostgreSQL, until ctx ends. It closes begun once those that were there are
// arranged.
func (s *simulated) follow(ctx context.Context, app *App, base string, begun chan<- struct{}) error {
	made := make(chan string, 256)
	defer app.Tenants.OnChange(func(tenant string) {
		select {
		case made <- tenant:
		default: // the next start finds it
		}
	})()
	if err := s.connect(ctx, app, base); err != nil {
		s.log.Warn("the simulator could not be connected to the known accounts", "error", err)
	}
	close(begun)
	for {
		select {
		case <-ctx.Done():
			return nil
		case tenant := <-made:
			tid, err := id.Parse(tenant)
			if err == nil {
				err = s.arrange(ctx, app, base, tid)
			}
			if err != nil && ctx.Err() == nil {
				s.log.Warn("a new tenant got no simulated number", "tenant", tenant, "error", err)
			}
		}
	}
}

// connect arranges every tenant's side of the simulated world, when a server
// begins.
func (s *simulated) connect(ctx context.Context, app *App, base string) error {
	tenants, err := app.Tenants.List(ctx)
	if err != nil {
		return err
	}
	for _, t := range tenants {
		if err := s.arrange(ctx, app, base, t.ID); err != nil {
			return err
		}
	}
	return nil
}

// arrange makes a tenant's WhatsApp numbers and Facebook pages known to the
// simulator, as if they had been set up at Meta. A tenant without a number gets
// one, with the templates of the demo, and a page, so that a new tenant can send
// at once.
func (s *simulated) arrange(ctx context.Context, app *App, base string, tenant id.ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	accounts, err := app.Accounts.List(ctx, tenant)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		if a.Kind == messenger.Kind {
			s.addPage(a, base)
		}
	}
	accounts = slices.DeleteFunc(accounts, func(a channel.Account) bool { return a.Kind != whatsapp.Kind })
	fresh := len(accounts) == 0
	if fresh {
		short := tenant.String()[12:]
		a, err := app.Accounts.Connect(ctx, tenant, account.NewAccount{Kind: whatsapp.Kind, ExternalID: "number-" + short,
			Settings: map[string]string{"wabaId": "business-" + short},
			Secrets: map[string]string{"token": secret.NewToken("", 16), "appSecret": secret.NewToken("", 16),
				"verifyToken": secret.NewToken("", 8)}})
		if err != nil {
			return err
		}
		accounts = append(accounts, a)
		page, err := app.Accounts.Connect(ctx, tenant, account.NewAccount{Kind: messenger.Kind, ExternalID: "page-" + short,
			Secrets: map[string]string{"token": secret.NewToken("", 16), "appSecret": secret.NewToken("", 16), "verifyToken": secret.NewToken("", 8)}})
		if err != nil {
			return err
		}
		s.addPage(page, base)
	}
	for _, a := range accounts {
		s.add(a, base)
	}
	if fresh {
		_, err = app.Conversations.Templates().Sync(ctx, tenant)
	}
	return err
}

// addPage makes a Facebook page known to the simulator.
func (s *simulated) addPage(a channel.Account, base string) {
	if err := s.world.AddPage(simulator.Page{ID: a.ExternalID, Token: a.Secrets["token"], AppSecret: a.Secrets["appSecret"],
		WebhookURL: base + platform.MessengerWebhookPath, GraphURL: base + graphPrefix}); err != nil {
		s.log.Warn("the simulator refused a page", "page", a.ExternalID, "error", err)
	}
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
