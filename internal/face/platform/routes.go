package platform

import (
	"slices"
	"strings"

	"parley/internal/httpx"
)

// The prefixes of reference §1.9. The whole CRM answers under both of its own.
const (
	crm      = "/api/saas/crm"
	crmAlias = "/api/crm"
	chat     = "/api/saas/chat"
	whatsapp = "/api/saas/whatsapp"
	saas     = "/api/saas"
)

// WhatsAppWebhookPath is where Meta sends its webhooks (reference §4.9). Whoever
// takes them in mounts its routes there through Services.Extra.
const WhatsAppWebhookPath = whatsapp + "/webhook"

// Names of the rate limits, whose figures are settings (reference §1.6).
const (
	limitGeneral = "general"
	limitTrigger = "trigger"
)

// Scopes of the face. A key made without any gets "platform:*".
const (
	crmRead          = "platform:crm:read"
	crmWrite         = "platform:crm:write"
	automationsRead  = "platform:automations:read"
	automationsWrite = "platform:automations:write"
	eventsWrite      = "platform:events:write"
	messagesRead     = "platform:messages:read"
	messagesWrite    = "platform:messages:write"
	queueRead        = "platform:queue:read"
	queueWrite       = "platform:queue:write"
	healthRead       = "platform:health:read"
)

// public marks the routes that ask for no key.
const public = "public"

// line is one row of the table: everything a reader wants to know of a route.
type line struct {
	method, pattern string
	scope           string // or public
	handler         httpx.Handler
	opts            option
}

// option is what few routes need.
type option struct {
	aliases []string // beside those that follow from the prefix
	limit   string   // "" = limitGeneral
	noTx    bool     // calls a provider or opens several transactions
	always  bool     // answers while the server drains
	key     string   // where the idempotency key may stand in the body, "-" = nowhere
}

// table lists every route of the face. Literal segments win over {wildcards}.
func (f *Face) table() []line {
	return []line{
		// Leads (§2.6)
		{"POST", crm + "/leads", crmWrite, f.createLead, option{}},
		{"POST", crm + "/leads/bulk", crmWrite, f.createLeads, option{noTx: true}},
		{"POST", crm + "/leads/upsert", crmWrite, f.upsertLead, option{}},
		{"GET", crm + "/leads", crmRead, f.listLeads, option{}},
		{"GET", crm + "/leads/phone/{phone}", crmRead, f.leadByPhone, option{}},
		{"GET", crm + "/leads/{id}", crmRead, f.lead, option{}},
		{"PATCH", crm + "/leads/{id}", crmWrite, f.updateLead, option{}},
		{"DELETE", crm + "/leads/{id}", crmWrite, f.archiveLead, option{}},
		{"GET", crm + "/leads/{id}/timeline", crmRead, f.timeline, option{}},

		// Pipelines (§2.7)
		{"GET", crm + "/pipelines", crmRead, f.listPipelines, option{}},
		{"GET", crm + "/pipelines/{id}/board", crmRead, f.board, option{}},

		// Automations (§2.8)
		{"GET", crm + "/automations", automationsRead, f.listRules, option{}},
		{"POST", crm + "/automations", automationsWrite, f.createRule, option{}},
		{"GET", crm + "/automations/runs/{id}", automationsRead, f.run, option{aliases: []string{crm + "/runs/{id}"}}},
		{"GET", crm + "/automations/{id}", automationsRead, f.rule, option{}},
		{"PATCH", crm + "/automations/{id}", automationsWrite, f.updateRule, option{}},
		{"PATCH", crm + "/automations/{id}/toggle", automationsWrite, f.toggleRule, option{}},
		{"GET", crm + "/automations/{id}/runs", automationsRead, f.listRuns, option{}},

		// Events (§2.12): the body's idempotencyKey belongs to the trigger log,
		// which keeps it for good (§4.4).
		{"POST", saas + "/workflows/trigger", eventsWrite, f.trigger, option{limit: limitTrigger, key: "-"}},

		// WhatsApp (§2.1-2.3)
		{"POST", chat + "/send", messagesWrite, f.sendMessage, option{}},
		{"GET", chat + "/conversations", messagesRead, f.listConversations, option{}},
		{"GET", chat + "/conversations/{id}/messages", messagesRead, f.listMessages, option{}},
		{"GET", chat + "/templates", messagesRead, f.listTemplates, option{aliases: []string{whatsapp + "/templates"}}},
		{"POST", chat + "/templates/sync", messagesWrite, f.syncTemplates,
			option{aliases: []string{whatsapp + "/templates/sync"}, noTx: true}},

		// Queue (§2.14, §4.14)
		{"GET", saas + "/queue/stats", queueRead, f.queueStats, option{}},
		{"GET", saas + "/queue/failed", queueRead, f.failedJobs, option{}},
		{"GET", saas + "/queue/active", queueRead, f.activeJobs, option{}},
		{"POST", saas + "/queue/{id}/retry", queueWrite, f.retryJob, option{}},
		{"POST", saas + "/queue/{id}/cancel", queueWrite, f.cancelJob, option{}},
		{"DELETE", saas + "/queue/{id}", queueWrite, f.deleteJob, option{}},
		{"GET", saas + "/jobs/status/{id}", queueRead, f.jobStatus, option{}},

		// Health (§2.14, §4.15)
		{"GET", saas + "/health", public, f.systemHealth, option{always: true}},
		{"GET", saas + "/health/client", healthRead, f.clientHealth, option{}},
	}
}

// routes turns the table into what the HTTP layer mounts.
func (f *Face) routes() []httpx.Route {
	var out []httpx.Route
	for _, l := range f.table() {
		r := httpx.Route{
			Method: l.method, Pattern: l.pattern, Aliases: aliases(l.pattern, l.opts.aliases),
			Scope: l.scope, Handler: l.handler, Limit: l.opts.limit, NoTx: l.opts.noTx, Always: l.opts.always,
			IdempotencyField: l.opts.key,
		}
		if l.scope == public {
			r.Scope, r.Public = "", true
		}
		if r.Limit == "" {
			r.Limit = limitGeneral
		}
		out = append(out, r)
	}
	return out
}

// aliases repeats every CRM pattern under the other prefix.
func aliases(pattern string, more []string) []string {
	all := slices.Clone(more)
	for _, p := range append([]string{pattern}, more...) {
		if rest, ok := strings.CutPrefix(p, crm); ok {
			all = append(all, crmAlias+rest)
		}
	}
	return all
}
