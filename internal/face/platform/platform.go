package platform

import (
	"context"
	"time"

	"parley/internal/access"
	"parley/internal/account"
	"parley/internal/app"
	"parley/internal/automation"
	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/conversation"
	"parley/internal/deal"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/tenant"
	"parley/internal/webhook"
)

// Name is the face's name: keys are made for it and scopes begin with it.
const Name = "platform"

// Services are the rooms that the face speaks to. All are required but Extra
// and CORS.
type Services struct {
	Access        *access.Service
	Tenants       *tenant.Service
	Contacts      *contact.Service
	Deals         *deal.Service
	Accounts      *account.Service
	Conversations *conversation.Service
	Automations   *automation.Service
	Webhooks      *webhook.Service
	Jobs          *job.Console
	System        System
	Clock         clock.Clock
	// Notices are what apps send to agents; without them nothing is told of it.
	Notices Notices
	// Extra are further routes under the face's prefixes that the server adds,
	// such as the entry of provider webhooks.
	Extra []httpx.Route
	// CORS replaces the server's (reference §1.8); nil keeps it.
	CORS *httpx.CORS
}

// Notices reads what an app sent to agents; *app.Service does.
type Notices interface {
	Sent(ctx context.Context, tenant, notice id.ID) (app.Notice, []id.ID, error)
}

// System tells how the whole server is doing, for health.system.
type System interface {
	Status(ctx context.Context) SystemStatus
}

// SystemStatus is what health.system shows (reference §4.15).
type SystemStatus struct {
	Version    string
	Env        string // "production", "development", ...
	Uptime     time.Duration
	DB         string // "connected" or "disconnected"
	QueueDepth int    // jobs that wait or run, of all tenants
}

// Face serves the platform API.
type Face struct{ s Services }

// New returns the face over its services.
func New(s Services) *Face { return &Face{s} }

// HTTP returns the face as the shared HTTP layer wants it: prefixes, routes,
// authentication and error envelope.
func (f *Face) HTTP() httpx.Face {
	return httpx.Face{
		Name:             Name,
		Prefixes:         []string{"/api/"},
		Authenticate:     f.authenticate,
		WriteError:       writeError,
		Routes:           append(f.routes(), f.s.Extra...),
		CORS:             f.s.CORS,
		IdempotencyField: "idempotencyKey", // reference §1.7
	}
}
