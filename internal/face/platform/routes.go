package platform

import (
	"net/http"
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

// MessengerWebhookPath is where Meta sends the webhooks of Facebook pages. It is
// our addition, beside WhatsApp's.
const MessengerWebhookPath = "/api/saas/messenger/webhook"

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
	eventsRead       = "platform:events:read"
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
	aliases []string         // beside those that follow from the prefix
	limit   string           // "" = limitGeneral
	noTx    bool             // calls a provider or opens several transactions
	always  bool             // answers while the server drains
	key     string           // where the idempotency key may stand in the body, "-" = nowhere
	raw     http.HandlerFunc // instead of handler, for what streams
}

// table lists every route of the face. Literal segments win over {wildcards}.
func (f *Face) table() []line {
	return []line{
		// Leads (§2.6)
		{"POST", crm + "/leads", crmWrite, f.createLead, option{}},
		{"POST", crm + "/leads/bulk", crmWrite, f.createLeads, option{}}, // under a key: all in one, since half of them could not be repeated
		{"POST", crm + "/leads/import", crmWrite, f.importLeads, option{noTx: true}},
		{"POST", crm + "/leads/upsert", crmWrite, f.upsertLead, option{}},
		{"POST", crm + "/leads/bulk-delete", crmWrite, f.bulkDelete, option{noTx: true}},
		{"DELETE", crm + "/leads", crmWrite, f.bulkDelete, option{noTx: true}},
		{"GET", crm + "/fields", crmRead, f.leadFields, option{aliases: []string{crm + "/leads/fields"}}},
		{"GET", crm + "/leads", crmRead, f.listLeads, option{}},
		{"GET", crm + "/leads/phone/{phone}", crmRead, f.leadByPhone, option{}},
		{"GET", crm + "/leads/ref/{key}/{value}", crmRead, f.leadByRef, option{}},
		{"GET", crm + "/leads/{id}", crmRead, f.lead, option{}},
		{"PATCH", crm + "/leads/{id}", crmWrite, f.updateLead, option{}},
		{"DELETE", crm + "/leads/{id}", crmWrite, f.archiveLead, option{}},
		{"PATCH", crm + "/leads/{id}/metadata", crmWrite, f.updateMetadata, option{}},
		{"PATCH", crm + "/leads/{id}/move", crmWrite, f.moveLead, option{}},
		{"POST", crm + "/leads/{id}/convert", crmWrite, f.convertLead, option{}},
		{"PATCH", crm + "/leads/{id}/tags", crmWrite, f.tagLead, option{}},
		{"POST", crm + "/leads/{id}/score", crmWrite, f.scoreLead, option{}},
		{"GET", crm + "/leads/{id}/timeline", crmRead, f.timeline, option{}},
		// Our own: the reference knows neither merges nor consent.
		{"POST", crm + "/leads/{id}/merge", crmWrite, f.mergeLeads, option{}},
		{"POST", crm + "/leads/{id}/unmerge", crmWrite, f.unmergeLeads, option{}},
		{"GET", crm + "/leads/{id}/consent", crmRead, f.leadConsent, option{}},
		{"PUT", crm + "/leads/{id}/consent", crmWrite, f.setConsent, option{}},

		// Pipelines (§2.7)
		{"GET", crm + "/pipelines", crmRead, f.listPipelines, option{}},
		{"POST", crm + "/pipelines", crmWrite, f.createPipeline, option{}},
		{"GET", crm + "/pipelines/{id}", crmRead, f.pipeline, option{}},
		{"PATCH", crm + "/pipelines/{id}", crmWrite, f.updatePipeline, option{}},
		{"DELETE", crm + "/pipelines/{id}", crmWrite, f.deletePipeline, option{}},
		{"PATCH", crm + "/pipelines/{id}/default", crmWrite, f.defaultPipeline, option{}},
		{"PATCH", crm + "/pipelines/{id}/archive", crmWrite, f.archivePipeline, option{}},
		{"POST", crm + "/pipelines/{id}/duplicate", crmWrite, f.duplicatePipeline, option{}},
		{"GET", crm + "/pipelines/{id}/in-use", crmRead, f.pipelineInUse, option{}},
		{"GET", crm + "/pipelines/{id}/board", crmRead, f.board, option{}},
		{"GET", crm + "/pipelines/{id}/forecast", crmRead, f.forecast, option{}},
		{"GET", crm + "/pipelines/{id}/stages/{stage}/leads", crmRead, f.stageLeads, option{}},
		{"POST", crm + "/pipelines/{id}/stages", crmWrite, f.addStage, option{}},
		{"PATCH", crm + "/pipelines/{id}/stages/reorder", crmWrite, f.reorderStages, option{}},
		{"PATCH", crm + "/stages/{id}", crmWrite, f.updateStage, option{aliases: []string{crm + "/pipelines/stages/{id}"}}},
		{"DELETE", crm + "/stages/{id}", crmWrite, f.deleteStage, option{aliases: []string{crm + "/pipelines/stages/{id}"}}},

		// Automations (§2.8)
		{"GET", crm + "/automations", automationsRead, f.listRules, option{}},
		{"POST", crm + "/automations", automationsWrite, f.createRule, option{}},
		{"POST", crm + "/automations/bulk-delete", automationsWrite, f.deleteRules, option{noTx: true}},
		{"GET", crm + "/automations/events", automationsRead, f.listEvents, option{aliases: []string{crm + "/automations/available-events"}}},
		{"GET", crm + "/automations/runs/{id}", automationsRead, f.run, option{aliases: []string{crm + "/runs/{id}"}}},
		{"POST", crm + "/automations/runs/{id}/resume", automationsWrite, f.runVerb(f.s.Automations.Resume), option{aliases: []string{crm + "/runs/{id}/resume"}}},
		{"POST", crm + "/automations/runs/{id}/abort", automationsWrite, f.runVerb(f.s.Automations.Abort), option{aliases: []string{crm + "/runs/{id}/abort"}}},
		// Ours: to pause a run, and to retry a failed one
		{"POST", crm + "/automations/runs/{id}/pause", automationsWrite, f.runVerb(f.s.Automations.Pause), option{aliases: []string{crm + "/runs/{id}/pause"}}},
		{"POST", crm + "/automations/runs/{id}/retry", automationsWrite, f.runVerb(f.s.Automations.Retry), option{aliases: []string{crm + "/runs/{id}/retry"}}},
		{"GET", crm + "/automations/{id}", automationsRead, f.rule, option{}},
		{"PATCH", crm + "/automations/{id}", automationsWrite, f.updateRule, option{}},
		{"PATCH", crm + "/automations/{id}/toggle", automationsWrite, f.toggleRule, option{}},
		{"DELETE", crm + "/automations/{id}", automationsWrite, f.deleteRule, option{noTx: true}},
		{"POST", crm + "/automations/{id}/test", automationsRead, f.testRule, option{}},
		{"GET", crm + "/automations/{id}/runs", automationsRead, f.listRuns, option{}},
		{"POST", crm + "/automations/{id}/webhook-event", automationsWrite, f.webhookEvent, option{noTx: true}},
		{"POST", crm + "/automations/{id}/events/{eventName}", automationsWrite, f.webhookEvent,
			option{noTx: true, aliases: []string{crm + "/automations/{id}/webhook/{eventName}", crm + "/automations/webhook/{id}/{eventName}"}}},

		// Sequences and enrollments (§2.8)
		{"GET", crm + "/automations/{sequence}/enrollments", automationsRead, f.listEnrollments, option{aliases: []string{crm + "/{sequence}/enrollments"}}},
		{"GET", crm + "/automations/enrollments/{enrollment}", automationsRead, f.enrollmentVerb(f.enrollment), option{aliases: []string{crm + "/enrollments/{enrollment}"}}},
		{"POST", crm + "/automations/{sequence}/enrollments/{enrollment}/pause", automationsWrite, f.enrollmentVerb(f.pauseEnrollment),
			option{aliases: []string{crm + "/{sequence}/enrollments/{enrollment}/pause"}}},
		{"PATCH", crm + "/automations/{sequence}/enrollments/{enrollment}/pause", automationsWrite, f.enrollmentVerb(f.pauseEnrollment),
			option{aliases: []string{crm + "/{sequence}/enrollments/{enrollment}/pause"}}},
		{"POST", crm + "/automations/{sequence}/enrollments/{enrollment}/resume", automationsWrite, f.enrollmentVerb(f.resumeEnrollment),
			option{aliases: []string{crm + "/{sequence}/enrollments/{enrollment}/resume"}}},
		{"PATCH", crm + "/automations/{sequence}/enrollments/{enrollment}/resume", automationsWrite, f.enrollmentVerb(f.resumeEnrollment),
			option{aliases: []string{crm + "/{sequence}/enrollments/{enrollment}/resume"}}},
		{"GET", crm + "/sequences", automationsRead, f.listSequences, option{}},
		{"POST", crm + "/sequences/enroll", automationsWrite, f.enroll, option{}},
		{"DELETE", crm + "/sequences/unenroll/{enrollment}", automationsWrite, f.enrollmentVerb(f.unenroll), option{}},
		{"POST", crm + "/sequences/unenroll/{enrollment}", automationsWrite, f.enrollmentVerb(f.unenroll), option{}},
		{"GET", crm + "/sequences/lead/{lead}", automationsRead, f.leadEnrollments, option{}},

		// Events (§2.12): the body's idempotencyKey belongs to the trigger log,
		// which keeps it for good (§4.4).
		{"POST", saas + "/workflows/trigger", eventsWrite, f.trigger, option{limit: limitTrigger, key: "-"}},
		{"POST", crm + "/events/emit", eventsWrite, f.emit, option{limit: limitTrigger, key: "-", aliases: []string{crm + "/events"}}},
		{"GET", saas + "/events", eventsRead, f.listEvents, option{}},
		{"POST", saas + "/events/assign", eventsWrite, f.assignEvent, option{}},
		{"POST", saas + "/events/unassign", eventsWrite, f.unassignEvent, option{}},
		{"POST", saas + "/events/unassign/bulk", eventsWrite, f.unassignEvents, option{aliases: []string{saas + "/events/unassign-bulk"}}},
		{"GET", crm + "/custom-events", eventsRead, f.listCustomEvents, option{}},
		{"POST", crm + "/custom-events", eventsWrite, f.assignEvent, option{}},
		{"DELETE", crm + "/custom-events/{id}", eventsWrite, f.deleteCustomEvent, option{}},
		{"GET", saas + "/events/logs", eventsRead, f.listEventLogs, option{}},
		{"GET", saas + "/events/logs/{id}", eventsRead, f.eventLog, option{}},
		{"GET", saas + "/events/stats", eventsRead, f.eventStats, option{}},
		{"GET", saas + "/callbacks/logs", eventsRead, f.listCallbacks, option{}},
		// Ours: why an automation did or did not start
		{"GET", crm + "/automations/{id}/explain", automationsRead, f.explain, option{}},

		// WhatsApp (§2.1-2.3)
		{"POST", chat + "/send", messagesWrite, f.sendMessage, option{}},
		{"POST", chat + "/messages/{id}/read", messagesWrite, f.markRead, option{}},
		{"PATCH", chat + "/messages/{id}/read", messagesWrite, f.markRead, option{}},
		{"POST", chat + "/messages/{id}/star", messagesWrite, f.starMessage, option{}},
		{"POST", chat + "/messages/{id}/react", messagesWrite, f.reactToMessage, option{}},
		{"POST", chat + "/upload", messagesWrite, nil, option{raw: f.upload}},
		{"GET", chat + "/conversations", messagesRead, f.listConversations, option{}},
		{"POST", chat + "/conversations", messagesWrite, f.createConversation, option{}},
		{"DELETE", chat + "/conversations", messagesWrite, f.deleteConversations, option{noTx: true}},
		{"POST", chat + "/conversations/bulk-delete", messagesWrite, f.deleteConversations, option{noTx: true}},
		{"GET", chat + "/conversations/{id}", messagesRead, f.conversation, option{}},
		{"PATCH", chat + "/conversations/{id}", messagesWrite, f.updateConversation, option{}},
		{"DELETE", chat + "/conversations/{id}", messagesWrite, f.deleteConversation, option{}},
		{"GET", chat + "/conversations/{id}/messages", messagesRead, f.listMessages, option{}},
		{"POST", chat + "/conversations/{id}/link-lead", messagesWrite, f.linkLead, option{}},
		{"POST", chat + "/conversations/{id}/read", messagesWrite, f.markRead, option{}},
		{"PATCH", chat + "/conversations/{id}/read", messagesWrite, f.markRead, option{}},
		{"GET", chat + "/conversations/{id}/owner", messagesRead, f.conversationOwner, option{}},
		{"POST", chat + "/conversations/{id}/owner", messagesWrite, f.moveConversation, option{}},
		{"GET", chat + "/templates", messagesRead, f.listTemplates, option{aliases: []string{whatsapp + "/templates"}}},
		{"POST", chat + "/templates/sync", messagesWrite, f.syncTemplates,
			option{aliases: []string{whatsapp + "/templates/sync"}, noTx: true}},
		{"POST", chat + "/templates", messagesWrite, f.createTemplate, option{aliases: []string{whatsapp + "/templates"}}},
		{"GET", chat + "/templates/mapping/config", messagesRead, f.mappingConfig, option{aliases: []string{whatsapp + "/templates/mapping/config"}}},
		{"GET", chat + "/templates/collections", messagesRead, f.templateCollections, option{aliases: []string{whatsapp + "/templates/collections"}}},
		{"GET", chat + "/templates/collections/{name}/fields", messagesRead, f.collectionFields,
			option{aliases: []string{whatsapp + "/templates/collections/{name}/fields"}}},
		{"GET", chat + "/templates/{name}", messagesRead, f.template, option{aliases: []string{whatsapp + "/templates/{name}"}}},
		{"PUT", chat + "/templates/{name}", messagesWrite, f.updateTemplate, option{aliases: []string{whatsapp + "/templates/{name}"}}},
		{"DELETE", chat + "/templates/{name}", messagesWrite, f.deleteTemplate, option{aliases: []string{whatsapp + "/templates/{name}"}}},
		{"PUT", chat + "/templates/{name}/mapping", messagesWrite, f.mapTemplate, option{aliases: []string{whatsapp + "/templates/{name}/mapping"}}},
		{"GET", chat + "/templates/{name}/validate", messagesRead, f.validateTemplate, option{aliases: []string{whatsapp + "/templates/{name}/validate"}}},
		{"POST", chat + "/templates/{name}/preview", messagesRead, f.previewTemplate, option{aliases: []string{whatsapp + "/templates/{name}/preview"}}},
		{"GET", chat + "/templates/{name}/usage", messagesRead, f.templateUsage, option{aliases: []string{whatsapp + "/templates/{name}/usage"}}},

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
			IdempotencyField: l.opts.key, Raw: l.opts.raw,
		}
		if r.Raw != nil {
			r.MaxBody = -1 // its handler bounds what it reads
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
