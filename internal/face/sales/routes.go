package sales

import (
	"strings"

	"parley/internal/httpx"
)

// The two spellings of the base path (reference §1.1).
const (
	base  = "/api/v1"
	alias = "/v1"
)

// rateLimit names the face's one rate limit (reference §1.4).
const rateLimit = "sales"

// Scopes of the face (reference §1.3). A key made without any gets "sales:*".
const (
	leadsWrite    = "sales:leads:write"
	prospectsRead = "sales:prospects:read"
	// readData lets a key see and filter by additionalData; without it the field
	// is left out.
	readData        = "sales:prospects:readAdditionalData"
	prospectsWrite  = "sales:prospects:write"
	notifications   = "sales:notifications"
	channelsRead    = "sales:messages:channels"
	transactional   = "sales:messages:transactional"
	conversational  = "sales:messages:conversational"
	actAsUser       = "sales:integration:act-as-user"
	administer      = "sales:admin"
	anyKey          = "" // every valid key
	prospect        = "/prospect/{prospectId}"
	prospectAsUser  = prospect + "/as-user"
	notificationsAt = "/notifications"
)

// line is one row of the table: everything a reader wants to know of a route.
type line struct {
	method, pattern string
	scope           string
	handler         httpx.Handler
	opts            option
}

// option is what few routes need.
type option struct {
	aliases []string // beside the one of the other base path
	noTx    bool     // calls a provider or opens several transactions
	rows    rows     // instead of handler: a list that is streamed
	public  bool     // asks for no key
	maxBody int64    // bytes, 0 for the server's
}

// table lists every route of the face, below the base path. Literal segments win
// over {wildcards}.
func (f *Face) table() []line {
	return []line{
		// Leads (§2.1)

		// Prospects (§2.2)

		// Interactions (§2.3)

		// Quotes (§2.4)

		// Messaging (§2.5)

		// Acting as a user (§2.6)

		// Integration, agents, groups (§2.7)
		{"GET", "/integration", anyKey, f.integration, option{}},

		// Notifications (§2.8)

		// Apps (§2.9)

		// Administration (§5)
	}
}

// routes turns the table into what the shared layer wants.
func (f *Face) routes() []httpx.Route {
	table := f.table()
	out := make([]httpx.Route, 0, len(table))
	for _, l := range table {
		r := httpx.Route{Method: l.method, Pattern: base + l.pattern, Aliases: []string{alias + l.pattern},
			Scope: l.scope, Handler: l.handler, Limit: rateLimit, NoTx: l.opts.noTx, Public: l.opts.public, MaxBody: l.opts.maxBody}
		for _, a := range l.opts.aliases {
			r.Aliases = append(r.Aliases, base+a, alias+a)
		}
		if l.opts.rows != nil {
			r.Raw = f.stream(l.opts.rows)
		}
		out = append(out, r)
	}
	return out
}

// short is a scope as users write it, without the face's name.
func short(scope string) string { return strings.TrimPrefix(scope, Name+":") }
