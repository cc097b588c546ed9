package sales

import (
	"time"

	"parley/internal/access"
	"parley/internal/account"
	"parley/internal/agent"
	"parley/internal/app"
	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/conversation"
	"parley/internal/deal"
	"parley/internal/handover"
	"parley/internal/httpx"
	"parley/internal/intake"
	"parley/internal/interaction"
	"parley/internal/notification"
	"parley/internal/quote"
	"parley/internal/tenant"
	"parley/internal/webhook"
)

// Name is the face's name: keys are made for it and scopes begin with it.
const Name = "sales"

// Services are the rooms that the face speaks to. All are required.
type Services struct {
	Access        *access.Service
	Tenants       *tenant.Service
	Contacts      *contact.Service
	Deals         *deal.Service
	Accounts      *account.Service
	Conversations *conversation.Service
	Agents        *agent.Service
	Handovers     *handover.Service
	Interactions  *interaction.Service
	Intake        *intake.Service
	Quotes        *quote.Service
	Notifications *notification.Service
	Webhooks      *webhook.Service
	Apps          *app.Service
	Clock         clock.Clock
	// URL tells where this server answers, for those who are told without having
	// asked; nil where nobody knows. It may be called at any time.
	URL func() string
}

// Face serves the sales API.
type Face struct{ s Services }

// New returns the face over its services.
func New(s Services) *Face { return &Face{s} }

// HTTP returns the face as the shared HTTP layer wants it: prefixes, routes,
// authentication and error envelope.
func (f *Face) HTTP() httpx.Face {
	return httpx.Face{
		Name:         Name,
		Prefixes:     []string{base + "/", alias + "/", "/swagger.json$"},
		Authenticate: f.authenticate,
		WriteError:   writeError,
		Routes:       f.routes(),
		SecretQuery:  []string{"api-key"},
		// Reference §1.4: the count begins anew every 60 seconds.
		Window: &httpx.Window{Every: time.Minute, Prefix: "X-RateLimit-", Limit: rateLimit},
	}
}
