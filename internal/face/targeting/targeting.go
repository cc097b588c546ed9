package targeting

import (
	"context"

	"parley/internal/access"
	"parley/internal/agent"
	"parley/internal/automation"
	"parley/internal/bulk"
	"parley/internal/campaign"
	"parley/internal/clock"
	"parley/internal/entity"
	"parley/internal/handover"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/portal"
	"parley/internal/record"
	"parley/internal/segment"
	"parley/internal/tenant"
	"parley/internal/token"
)

// Name is the face's name: keys and tokens are made for it and scopes begin with
// it.
const Name = "targeting"

// Services are the rooms that the face speaks to. All are required but Changed.
type Services struct {
	Access      *access.Service
	Tenants     *tenant.Service
	Clock       clock.Clock
	Records     *record.Service
	People      *record.People
	Entities    *entity.Service
	Segments    *segment.Service
	Automations *automation.Service
	Bulk        *bulk.Service
	Campaigns   *campaign.Service
	Portals     *portal.Service

	Tokens    *token.Service
	Agents    *agent.Service
	Handovers *handover.Service
	Operator  access.Operator                                     // who may make organisations
	Changed   func(ctx context.Context, organization id.ID) error // told of a new one; may be nil
}

// Face serves the targeting API.
type Face struct {
	s Services
	// lines are the table's rows by method and pattern.
	lines map[string]line
}

// New returns the face over its services.
func New(s Services) *Face {
	f := &Face{s: s, lines: map[string]line{}}
	for _, l := range f.table() {
		f.lines[l.method+" "+l.pattern] = l
	}
	return f
}

// HTTP returns the face as the shared HTTP layer wants it: prefixes, routes,
// authentication and error envelope.
func (f *Face) HTTP() httpx.Face {
	return httpx.Face{
		Name: Name,
		Prefixes: []string{"/v1/campaign", "/v1/target", "/v1/entity", "/v1/automation", "/v1/access-tokens",
			"/v1/admin/organizations", "/v1/admin/users", "/v2/portal", "/v3/portal"},
		Authenticate: f.authenticate,
		WriteError:   f.writeError,
		Routes:       f.routes(),
	}
}
