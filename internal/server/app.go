// Package server wires every room together: App is one opened house with its
// services, Main is a running server with Run and Close. The commands and every
// end-to-end test use it; no other room does.
package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"parley/internal/absence"
	"parley/internal/access"
	"parley/internal/account"
	"parley/internal/agent"
	"parley/internal/app"
	"parley/internal/automation"
	"parley/internal/bulk"
	"parley/internal/campaign"
	"parley/internal/channel"
	"parley/internal/channel/inbound"
	"parley/internal/channel/loopback"
	"parley/internal/channel/messenger"
	"parley/internal/channel/whatsapp"
	"parley/internal/clock"
	"parley/internal/config"
	"parley/internal/contact"
	"parley/internal/conversation"
	"parley/internal/deal"
	"parley/internal/egress"
	"parley/internal/egress/poster"
	"parley/internal/entity"
	"parley/internal/event"
	"parley/internal/face/admin"
	"parley/internal/face/platform"
	"parley/internal/face/sales"
	"parley/internal/face/targeting"
	"parley/internal/handover"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/idempotency"
	"parley/internal/intake"
	"parley/internal/interaction"
	"parley/internal/job"
	"parley/internal/media"
	"parley/internal/notification"
	"parley/internal/outbox"
	"parley/internal/portal"
	"parley/internal/quote"
	"parley/internal/realtime"
	"parley/internal/realtime/socketio"
	"parley/internal/record"
	"parley/internal/secret"
	"parley/internal/segment"
	"parley/internal/store"
	"parley/internal/telemetry/metrics"
	"parley/internal/tenant"
	"parley/internal/token"
	"parley/internal/webhook"
)

// App is an opened house: the database and every service, nothing running.
type App struct {
	cfg   config.Server
	log   *slog.Logger
	clock clock.Clock
	node  string
	begun time.Time

	DB            *store.DB
	Tenants       *tenant.Service
	Access        *access.Service
	Contacts      *contact.Service
	Deals         *deal.Service
	Accounts      *account.Service
	Conversations *conversation.Service
	Automations   *automation.Service
	Agents        *agent.Service
	Handovers     *handover.Service
	Quotes        *quote.Service
	Interactions  *interaction.Service
	Intake        *intake.Service
	Records       *record.Service
	Entities      *entity.Service
	Segments      *segment.Service
	Bulk          *bulk.Service
	Campaigns     *campaign.Service
	People        *record.People
	Portals       *portal.Service
	Webhooks      *webhook.Service
	Notifications *notification.Service
	Apps          *app.Service
	Tokens        *token.Service
	Outbox        *outbox.Outbox
	Jobs          *job.Console

	runner   *job.Runner
	lanes    *job.Lanes
	sockets  *socketio.Server
	live     *realtime.Dispatcher
	metrics  *metrics.Registry
	platform *platform.Face
	sales    *sales.Face
	target   *targeting.Face
	operate  *admin.Face
	clients  *platform.Operator
	outside  []*egress.Client
	// api answers the public port, command the command socket.
	api, command *httpx.Server
}

// Options are what a server needs beyond its settings.
type Options struct {
	Logger *slog.Logger
	Clock  clock.Clock // the machine's by default
	// Channels replaces the real channels, for the simulator: Meta's base URL.
	GraphURL string
	// Twice runs every write closure twice; tests set it.
	Twice bool
	// Restore is called by the command socket's restore; nil refuses it.
	restore func(ctx context.Context, file string) error
	// url returns the address the API answers at, once known.
	url func() string
	// alone says that no other process works on this database.
	alone bool
	// simulated is the fake outside world, which answers /_sim/ on both ports and
	// posts its webhooks to the server at loopback.
	simulated *simulated
	loopback  string
}

// Open opens the database and builds every service. It does not migrate, listen
// or run anything.
func Open(ctx context.Context, cfg config.Server, o Options) (*App, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if err := resume(cfg.Database); err != nil {
		return nil, err
	}
	box, err := secret.LoadBox(cfg.Data, cfg.SecretKey)
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, store.Options{Path: cfg.File(), URL: cfg.Database.Database, MaxConns: cfg.Connections,
		Twice: o.Twice, Clock: o.Clock, Logger: o.Logger})
	if err != nil {
		return nil, err
	}
	a := &App{cfg: cfg, log: o.Logger, clock: db.Clock(), node: id.New().String(), begun: db.Clock().Now(), DB: db}
	if err := a.build(box, o); err != nil {
		_ = db.Close()
		return nil, err
	}
	return a, nil
}

func (a *App) build(box *secret.Box, o Options) error {
	graph := a.cfg.GraphURL
	if o.GraphURL != "" {
		graph = o.GraphURL
	}
	allow, err := config.Prefixes(a.cfg.EgressAllow)
	if err != nil {
		return err
	}
	// Tenants choose where webhooks go; the operator alone chooses where the
	// channels go, so only those may reach the simulator on loopback.
	hooks := egress.New(egress.Options{AllowPrivate: allow, AllowLoopback: a.cfg.Simulate, Timeout: time.Minute})
	providers := egress.New(egress.Options{AllowPrivate: allow, AllowLoopback: a.cfg.Simulate, Timeout: 40 * time.Second})
	a.outside = []*egress.Client{hooks, providers}
	// Files take longer and are larger than messages.
	carriers := egress.New(egress.Options{AllowPrivate: allow, AllowLoopback: a.cfg.Simulate, Timeout: 8 * time.Minute, MaxBody: media.MaxFile + 1<<20})
	a.outside = append(a.outside, carriers)
	wa := whatsapp.New(providers, graph, a.cfg.GraphAPI, a.clock).WithFiles(carriers)
	fb := messenger.New(providers, graph, a.cfg.GraphAPI, a.clock).WithFiles(carriers)
	// Accounts of the loopback provider go nowhere, whatever their kind.
	waOrLoop, _ := loopback.Over(wa)
	fbOrLoop, _ := loopback.Over(fb)
	channels := map[string]channel.Channel{wa.Kind(): waOrLoop, fb.Kind(): fbOrLoop}

	feed := event.NewLog()
	a.Tenants = tenant.New(a.DB, box)
	a.Access = access.New(a.DB, a.Tenants)
	a.Contacts = contact.NewService(a.DB, feed, a.Tenants)
	a.Deals = deal.NewService(a.DB, feed, a.Contacts, a.Tenants)
	a.Accounts = account.New(a.DB, a.Tenants)
	templates := conversation.NewTemplates(a.DB, a.Accounts, channels)
	a.Conversations = conversation.NewService(a.DB, feed, a.Contacts, a.Deals, a.Tenants, a.Accounts, templates)
	a.Outbox = outbox.New(a.DB, channels, a.Accounts, a.Contacts, a.Conversations, outbox.Options{Logger: a.log})
	a.Webhooks = webhook.NewService(a.DB, feed, a.Tenants, poster.New(hooks))
	a.Automations = automation.NewService(a.DB, feed, a.Contacts, a.Deals, a.Conversations, a.Webhooks, a.Tenants, a.clock)
	a.Agents = agent.NewService(a.DB, feed, a.Tenants)
	// Whoever may call the sales API finds every contact there: the first group is
	// made, which adopts those who came before it.
	a.Access.OnMade(func(tx *store.Tx, k access.Key) error {
		if k.Face != sales.Name {
			return nil
		}
		_, err := a.Agents.RootIn(tx)
		return err
	})
	a.Access.OnBound(a.bound)
	a.Agents.Hold(agent.Holder{Name: "keys", Group: a.Access.InGroup, Reason: "keys", Refusal: "integrations belong to the group; move or delete them first"})
	a.Handovers = handover.NewService(a.DB, feed, a.Contacts, a.Deals, a.Agents)
	a.Quotes = quote.NewService(a.DB, feed, a.Contacts, a.Agents, a.Handovers)
	a.Interactions = interaction.NewService(a.DB, feed, a.Contacts, a.Conversations, a.Agents, a.Handovers, a.Quotes)
	a.Notifications = notification.NewService(a.DB, feed, a.Contacts, a.Agents, a.Handovers, a.Access, a.Tenants, a.Webhooks)
	a.Notifications.Reachable(hooks.Reachable)
	a.Notifications.Logger(a.log)
	a.Apps = app.NewService(a.DB, feed, app.Rooms{Tenants: a.Tenants, Access: a.Access, Agents: a.Agents, Contacts: a.Contacts, Handovers: a.Handovers,
		Automations: a.Automations, Caller: poster.New(hooks)})
	a.Intake = intake.NewService(a.DB, feed, a.Contacts, a.Deals, a.Agents, a.Handovers, a.Interactions)

	a.Records = record.NewService(a.DB, feed, a.Contacts)
	a.People = record.NewPeople(a.DB, a.Contacts, a.Deals)
	a.Entities = entity.NewService(a.DB, a.Contacts, a.Records)
	a.Segments = segment.NewService(a.DB, feed, a.Contacts, a.Entities)
	a.Segments.Logger(a.log)
	a.Automations.Segments(a.Segments.NameOf)
	a.Entities.Serve(segment.Schema, a.Segments)
	a.Automations.ReadEntities(a.Entities.Documents)
	a.Bulk = bulk.NewService(a.DB, feed, a.Contacts, a.Records, a.Entities, a.Automations)
	a.Campaigns = campaign.NewService(a.DB, feed, campaign.Rooms{Contacts: a.Contacts, Records: a.Records, Entities: a.Entities, Segments: a.Segments,
		Automations: a.Automations, Bulk: a.Bulk})
	a.Entities.Serve(campaign.Schema, a.Campaigns)
	a.Portals = portal.NewService(a.DB, feed, a.Campaigns, a.Segments)
	a.Campaigns.DeliveredBy(a.Portals.Refers)
	a.Campaigns.DeliverBy(a.delivers())

	a.Tokens = token.NewService(a.DB, a.Tenants, a.Access, token.Options{URL: a.cfg.Public})

	idem := idempotency.New(a.DB)
	a.Contacts.Follow(contact.Follower{Name: "idempotency", Erase: func(tx *store.Tx, e contact.Erased) error { return forgetAnswers(tx, idem, e) }})
	absent := absence.NewService(a.DB, feed, a.Contacts, a.Agents, a.Handovers, a.Conversations)
	a.runner = job.NewRunner(a.DB, job.Options{Node: a.node, Workers: a.cfg.Workers, Logger: a.log, Alone: o.alone})
	a.Jobs = job.NewConsole(a.DB, a.runner)
	a.Contacts.RegisterJobs(a.runner)
	a.Automations.RegisterJobs(a.runner)
	a.Bulk.RegisterJobs(a.runner)
	a.Campaigns.RegisterJobs(a.runner)
	a.Handovers.RegisterJobs(a.runner)
	a.Apps.RegisterJobs(a.runner)
	absent.RegisterJobs(a.runner)
	a.Conversations.Files().At(a.cfg.Public)
	a.Conversations.RegisterJobs(a.runner)
	a.retain()
	idem.RegisterJobs(a.runner)
	a.lanes = job.NewLanes(a.DB, job.LaneOptions{Node: a.node, Logger: a.log, MaxLanes: 512})
	a.lanes.Add(a.Outbox)
	a.lanes.Add(a.Webhooks)
	a.lanes.Add(a.Notifications)
	a.lanes.Add(a.Segments)

	a.metrics = metrics.New()
	a.watch()
	a.platform = platform.New(platform.Services{Access: a.Access, Tenants: a.Tenants, Contacts: a.Contacts, Deals: a.Deals,
		Accounts: a.Accounts, Conversations: a.Conversations, Automations: a.Automations, Webhooks: a.Webhooks, Jobs: a.Jobs, System: a, Clock: a.clock, Notices: a.Apps,
		Extra: append(inbound.Routes(inbound.Source{Kind: wa.Kind(), Receiver: wa, Accounts: a.Accounts, Conversations: a.Conversations}, platform.WhatsAppWebhookPath),
			inbound.Routes(inbound.Source{Kind: fb.Kind(), Receiver: fb, Accounts: a.Accounts, Conversations: a.Conversations}, platform.MessengerWebhookPath)...)})
	a.sales = sales.New(sales.Services{Access: a.Access, Tenants: a.Tenants, Contacts: a.Contacts, Deals: a.Deals, Accounts: a.Accounts,
		Conversations: a.Conversations, Agents: a.Agents, Handovers: a.Handovers, Interactions: a.Interactions, Quotes: a.Quotes, Intake: a.Intake, Clock: a.clock,
		Notifications: a.Notifications, Webhooks: a.Webhooks, Apps: a.Apps, URL: o.url})
	a.Notifications.Draw(a.sales.Renderer())
	a.target = targeting.New(targeting.Services{Access: a.Access, Tenants: a.Tenants, Clock: a.clock, Records: a.Records, People: a.People, Entities: a.Entities, Segments: a.Segments, Automations: a.Automations, Bulk: a.Bulk, Campaigns: a.Campaigns, Portals: a.Portals, Tokens: a.Tokens, Agents: a.Agents, Handovers: a.Handovers,
		Operator: access.NewOperator(a.cfg.AdminToken), Changed: a.changed(o)})
	a.sockets = socketio.New(a.socketOptions())
	a.live = realtime.New(a.DB, a.sockets, a.platform, box, a.log)
	return a.serveable(o, idem)
}

// serveable builds the handlers of the public port and the command socket.
func (a *App) serveable(o Options, idem httpx.Idempotency) error {
	trusted, err := config.Prefixes(a.cfg.TrustedProxy)
	if err != nil {
		return err
	}
	opts := httpx.Options{Log: a.log, Clock: a.clock, Metrics: a.metrics, Idempotency: idem, Limits: a.limits,
		MaxBody: a.cfg.MaxBody, TrustedProxies: trusted}
	if len(a.cfg.CORSOrigins) > 0 {
		opts.CORS = &httpx.CORS{Origins: a.cfg.CORSOrigins, Credentials: true}
	}
	status := func(ctx context.Context) admin.Status { return a.status(ctx, o.url) }
	ops := admin.Services{DB: a, Tenants: a.Tenants, Access: a.Access, Accounts: a.Accounts, Outbox: a.Outbox, Conversations: a.Conversations, Deals: a.Deals,
		Contacts: a.Contacts, Agents: a.Agents, Tokens: a.Tokens, Scopes: knownScopes,
		Operator: access.NewOperator(a.cfg.AdminToken), Status: status, Restore: o.restore}
	if o.simulated != nil {
		ops.Simulator = o.simulated
	}
	ops.Changed = a.changed(o)
	a.operate = admin.New(ops)
	a.clients = platform.NewOperator(platform.OperatorServices{Operator: ops.Operator, Tenants: a.Tenants, Access: a.Access, Accounts: a.Accounts, Changed: ops.Changed})
	if a.api, err = httpx.NewHandler(opts, a.faces(o)...); err != nil {
		return err
	}
	// Commands take their time: a verification of a large base, a backup.
	a.command, err = httpx.NewHandler(httpx.Options{Log: a.log, Clock: a.clock, Timeout: -1}, a.operate.Socket())
	return err
}

// changed is told of new tenants and accounts: the simulator gives them a number. It
// is nil where nobody wants to know.
func (a *App) changed(o Options) func(ctx context.Context, tenant id.ID) error {
	if o.simulated == nil {
		return nil
	}
	return func(ctx context.Context, t id.ID) error { return o.simulated.arrange(ctx, a, o.loopback, t) }
}

// Close ends what Open began.
func (a *App) Close() error {
	// Its heartbeat runs from the beginning, whether sockets were served or not.
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := a.sockets.Close(grace)
	for _, c := range a.outside {
		c.Close()
	}
	return errors.Join(err, a.DB.Close())
}

// Command answers the routes of the command socket.
func (a *App) Command() http.Handler { return a.command }

// API answers the public routes.
func (a *App) API() http.Handler { return a.api }
