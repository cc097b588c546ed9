package targeting

import (
	"parley/internal/access"
	"parley/internal/clock"
	"parley/internal/httpx"
	"parley/internal/tenant"
)

// Name is the face's name: keys and tokens are made for it and scopes begin with
// it.
const Name = "targeting"

// Services are the rooms that the face speaks to. All are required.
type Services struct {
	Access  *access.Service
	Tenants *tenant.Service
	Clock   clock.Clock
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
