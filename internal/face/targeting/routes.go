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
	missing family           // the shape of an unknown id, where it differs; client: it does not
	noTx    bool             // calls a provider or opens several transactions
	raw     http.HandlerFunc // instead of handler: it reads and bounds the body itself
	public  bool             // asks for no key
	secret  bool             // its answer shows a secret, once
}

// table lists every route of the face. Literal segments win over {wildcards}.
func (f *Face) table() []line {
	return []line{
		// Campaigns and their recipients (§2.1, §2.2)
		{"POST", "/v1/campaign/{campaign_id}/status", write, f.campaignStatus, option{}},
		{"GET", "/v1/campaign/{campaign_id}/job", read, f.campaignJob, option{}},
		{"POST", "/v1/campaign/{campaign_id}/automations:retrigger", write, f.retrigger, option{unknown: http.StatusNotFound, missing: server}},
		{"POST", "/v1/campaign:match", read, f.matchCampaigns, option{}},
		{"POST", "/v1/campaign:discover", read, f.discoverCampaigns, option{}},
		{"POST", "/v1/campaign:setup", write, handle(f.setupCampaign), option{}},
		{"POST", "/v1/campaign/{campaign_id}/recipient", write, f.addRecipient, option{}},
		{"PATCH", "/v1/campaign/{campaign_id}/recipient/{recipient_id}", write, f.changeRecipient, option{}},
		{"PATCH", "/v1/campaign/{campaign_id}/recipient/{recipient_id}/portal:status", write, f.portalStatus, option{unknown: http.StatusNotFound}},
		{"PATCH", "/v1/campaign/{campaign_id}/recipient/{recipient_id}/entity_ui:status", write, f.uiStatus, option{unknown: http.StatusNotFound}},
		{"POST", "/v1/campaign/{campaign_id}/recipient/{recipient_id}/entity_ui:restore", write, f.uiRestore, option{unknown: http.StatusNotFound}},
		{"GET", "/v1/campaign/{campaign_id}/portals", read, f.campaignPortals, option{}},
		{"GET", "/v1/campaign/{campaign_id}/recipients", read, f.recipients, option{}},
		{"GET", "/v1/campaign/{campaign_id}/email-stats", read, f.emailStats, option{}},

		// Targets (§2.1, §2.2, §5.1)
		{"POST", "/v1/target", write, f.createTarget, option{errors: server}},
		{"GET", "/v1/target/{targetId}", read, f.showTarget, option{errors: server}},
		{"PATCH", "/v1/target/{targetId}", write, f.patchTarget, option{errors: server}},
		{"PUT", "/v1/target/{targetId}", write, f.putTarget, option{errors: server}},
		{"DELETE", "/v1/target/{targetId}", write, f.deleteTarget, option{errors: server}},
		{"POST", "/v1/target:match", read, f.matchTargets, option{}},
		{"POST", "/v1/target/queries", read, f.targetQueries, option{}},

		// Entities (§5.2)
		{"POST", "/v1/entity:search", read, handle(f.searchEntities), option{errors: statused, noTx: true}},
		{"POST", "/v1/entity:list", read, maybe(f.listEntities), option{errors: statused, noTx: true}},
		{"POST", "/v1/entity/{slug}", write, f.createEntity, option{errors: statused}},
		{"PATCH", "/v1/entity/{slug}:upsert", write, f.upsertEntity, option{errors: statused}},
		{"GET", "/v1/entity/{slug}/{id}", read, f.getEntity, option{errors: statused}},
		{"PATCH", "/v1/entity/{slug}/{id}", write, f.patchEntity, option{errors: statused}},
		{"PUT", "/v1/entity/{slug}/{id}", write, f.putEntity, option{errors: statused}},
		{"DELETE", "/v1/entity/{slug}/{id}", write, f.removeEntity, option{errors: statused}},

		// Automations (§5.3)
		{"GET", "/v1/automation/flows", read, f.flows, option{errors: statused}},
		{"POST", "/v1/automation/flows", write, f.createFlow, option{errors: statused}},
		{"GET", "/v1/automation/flows/{flow_id}", read, f.showFlow, option{errors: statused}},
		{"PUT", "/v1/automation/flows/{flow_id}", write, f.replaceFlow, option{errors: statused}},
		{"DELETE", "/v1/automation/flows/{flow_id}", write, f.deleteFlow, option{errors: statused, noTx: true}},
		{"GET", "/v1/automation/executions", read, f.executions, option{errors: statused}},
		{"POST", "/v1/automation/executions", write, handle(f.startExecution), option{errors: statused}},
		{"POST", "/v1/automation/executions/bulk-jobs", write, f.createJob, option{errors: statused}},
		{"GET", "/v1/automation/executions/bulk-jobs/{job_id}", read, f.showJob, option{errors: statused}},
		{"PATCH", "/v1/automation/executions/bulk-jobs/{job_id}", write, handle(f.orderJob), option{errors: statused}},
		{"GET", "/v1/automation/executions/{execution_id}", read, f.showExecution, option{errors: statused}},
		{"DELETE", "/v1/automation/executions/{execution_id}", write, f.cancelExecution, option{errors: statused}},

		// Portals (§5.4)
		{"POST", "/v2/portal/portal", write, handle(f.putPortal), option{errors: statused}},
		{"GET", "/v2/portal/configs", read, f.portals, option{errors: statused}},
		{"GET", "/v2/portal/widgets", read, f.widgets, option{errors: statused}},
		{"POST", "/v2/portal/widgets", write, handle(f.putWidgets), option{errors: statused}},
		{"GET", "/v3/portal/widgets", read, f.widgetsAt, option{errors: statused}},
		{"PUT", "/v2/portal/campaign/{campaign_id}/entity:status", write, handle(f.portalShown), option{errors: statused, noTx: true}},
		{"POST", "/v3/portal/widgets", write, handle(f.putWidgetsAt), option{errors: statused}},

		// Tokens, organisations, users (§5.4)
		{"GET", "/v1/access-tokens", administer, f.listTokens, option{errors: statused}},
		{"POST", "/v1/access-tokens", administer, handle(f.addToken), option{errors: statused, secret: true}},
		{"DELETE", "/v1/access-tokens/{id}", administer, f.revokeToken, option{errors: statused}},
		{"GET", "/v1/access-tokens/.well-known/jwks.json", "", f.jwks, option{errors: statused, public: true}},
		{"GET", "/v1/access-tokens/.well-known/openid-configuration", "", f.openID, option{errors: statused, public: true}},
		{"GET", organizationsPath, administer, f.listOrganizations, option{errors: statused}},
		{"POST", organizationsPath, administer, handle(f.addOrganization), option{errors: statused}},
		{"GET", organizationsPath + "/{id}", administer, f.showOrganization, option{errors: statused}},
		{"PATCH", organizationsPath + "/{id}", administer, handle(f.changeOrganization), option{errors: statused}},
		{"GET", "/v1/admin/users", administer, f.listUsers, option{errors: statused}},
		{"POST", "/v1/admin/users", administer, handle(f.addUser), option{errors: statused}},
		{"GET", "/v1/admin/users/{id}", administer, f.showUser, option{errors: statused}},
		{"PATCH", "/v1/admin/users/{id}", administer, handle(f.changeUser), option{errors: statused}},
		{"DELETE", "/v1/admin/users/{id}", administer, f.removeUser, option{errors: statused}},
	}
}

// routes turns the table into what the shared layer wants.
func (f *Face) routes() []httpx.Route {
	table := f.table()
	out := make([]httpx.Route, 0, len(table))
	for _, l := range table {
		r := httpx.Route{Method: l.method, Pattern: l.pattern, Scope: l.scope, Handler: l.handler, NoTx: l.opts.noTx, Secret: l.opts.secret, Public: l.opts.public}
		if l.opts.raw != nil {
			r.Raw, r.MaxBody = l.opts.raw, -1
		}
		out = append(out, r)
	}
	return out
}
