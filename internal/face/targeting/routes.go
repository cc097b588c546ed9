package targeting

import (
	"net/http"

	"parley/internal/httpx"
)

// Scopes of the face (reference §1.2). A key or token made without any gets
// "targeting:*".
const (
	read       = "targeting:read"  // every GET, matches and searches
	write      = "targeting:write" // the rest
	administer = "targeting:admin" // tokens, organisations, users
)

// Scopes lists them all.
func Scopes() []string { return []string{read, write, administer} }

// line is one row of the table: everything a reader wants to know of a route.
type line struct {
	method, pattern string
	scope           string
	handler         httpx.Handler
	opts            option
}

// option is what few routes need.
type option struct {
	errors  family           // the shape of what is refused; client by default
	unknown int              // status of an unknown id: 400 for client unless said, else 404
	noTx    bool             // calls a provider or opens several transactions
	raw     http.HandlerFunc // instead of handler: it reads and bounds the body itself
	public  bool             // asks for no key
}

// table lists every route of the face. Literal segments win over {wildcards}.
func (f *Face) table() []line {
	return []line{
		// Campaigns and their recipients (§2.1, §2.2)

		// Targets (§2.1, §2.2, §5.1)

		// Entities (§5.2)

		// Automations (§5.3)

		// Portals (§5.4)

		// Tokens, organisations, users (§5.4)
	}
}

// routes turns the table into what the shared layer wants.
func (f *Face) routes() []httpx.Route {
	table := f.table()
	out := make([]httpx.Route, 0, len(table))
	for _, l := range table {
		r := httpx.Route{Method: l.method, Pattern: l.pattern, Scope: l.scope, Handler: l.handler, NoTx: l.opts.noTx, Public: l.opts.public}
		if l.opts.raw != nil {
			r.Raw, r.MaxBody = l.opts.raw, -1
		}
		out = append(out, r)
	}
	return out
}
