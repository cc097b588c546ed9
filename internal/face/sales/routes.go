package sales

import (
	"net/http"
	"strings"

	"parley/internal/handover"
	"parley/internal/httpx"
	"parley/internal/intake"
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
	anApp           = "/admin/app/{appId}"
	anInstance      = "/admin/app-instance/{instanceId}"
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
	aliases []string         // beside the one of the other base path
	also    []string         // paths from the root
	noTx    bool             // calls a provider or opens several transactions
	rows    rows             // instead of handler: a list that is streamed
	raw     http.HandlerFunc // instead of handler: it reads and bounds the body itself
	public  bool             // asks for no key
	secret  bool             // its answer shows a secret, once
	maxBody int64            // bytes, 0 for the server's
}

// table lists every route of the face, below the base path. Literal segments win
// over {wildcards}.
func (f *Face) table() []line {
	return []line{
		// Leads (§2.1)
		{"POST", "/lead/retail", leadsWrite, f.takeLead(intake.Retail), option{}},
		{"POST", "/lead/insurance", leadsWrite, f.takeLead(intake.Insurance), option{}},
		{"POST", "/lead/vehicle", leadsWrite, f.takeLead(intake.Vehicle), option{}},
		{"POST", "/lead/saving-plan", leadsWrite, f.takeLead(intake.SavingPlan), option{}},
		{"POST", "/lead/real-estate", leadsWrite, f.takeLead(intake.RealEstate), option{}},
		{"GET", "/leads/categories", leadsWrite, f.leadCategories, option{}}, // (I)
		{"GET", "/leads/defaults", leadsWrite, f.leadDefaults, option{}},     // (I)
		{"GET", "/industries", leadsWrite, f.industries, option{}},           // (I)

		// Prospects (§2.2)
		{"GET", "/prospects", prospectsRead, nil, option{rows: f.prospectRows}},
		{"GET", "/prospect-by", prospectsRead, f.prospectBy, option{}},
		{"GET", prospect, prospectsRead, f.one, option{}},
		{"PATCH", prospect, prospectsWrite, f.update, option{}}, // (I)
		{"DELETE", prospect, prospectsWrite, f.remove, option{}},
		{"PATCH", prospect + "/additionalData", prospectsWrite, f.updateData, option{}},    // (I)
		{"GET", prospect + "/prospectAdditionalFields", readData, f.fields, option{}},      // (I)
		{"POST", prospect + "/transfer", prospectsRead, f.transfer, option{}},              // odd, but observed (F)
		{"POST", prospect + "/csat", prospectsWrite, f.csat, option{}},                     // (I)
		{"POST", "/contacts/selections", prospectsRead, f.selectProspects, option{}},       // ours
		{"GET", "/contacts/selection/{selectionId}", prospectsRead, f.selection, option{}}, // (I)
		{"GET", "/archiving-reasons", prospectsRead, f.reasonsOf, option{}},                // (I)

		// Interactions (§2.3)
		{"GET", "/prospects/interactions", prospectsRead, nil, option{rows: f.interactionRows}},
		{"GET", prospect + "/interactions", prospectsRead, nil, option{rows: f.prospectInteractionRows}},
		{"GET", prospect + "/interaction/{interactionId}", prospectsRead, f.interaction, option{}},
		{"POST", prospect + "/interactions", prospectsWrite, f.addInteraction, option{}},                  // (I)
		{"PUT", prospect + "/interaction/{interactionId}", prospectsWrite, f.changeInteraction, option{}}, // (I)

		// Quotes (§2.4)
		{"GET", "/prospects/quotes", prospectsRead, nil, option{rows: f.quoteRows}},
		{"GET", prospect + "/quotes", prospectsRead, f.prospectQuotes, option{}},
		{"POST", prospect + "/quotes", prospectsWrite, f.addQuote, option{}},
		{"GET", prospect + "/quote/{quoteId}", prospectsRead, f.quote, option{}},
		{"PUT", prospect + "/quote/{quoteId}", prospectsWrite, f.decideQuote, option{}},

		// Messaging (§2.5)
		{"GET", "/messaging/channels", channelsRead, f.channels, option{}},
		{"GET", prospect + "/messaging/channels", channelsRead, f.prospectChannels, option{}},
		{"POST", prospect + "/messaging/{channel}/notification", transactional, f.notify, option{}},
		{"POST", prospect + "/messaging/{channel}", conversational, f.converse, option{}},
		{"POST", prospect + "/messaging/{channel}/send-file", conversational, nil, option{raw: f.sendFile}},
		{"GET", prospect + "/messaging/{channel}/send-file", conversational, nil, option{raw: f.sendFile}}, // the seed's sample (§6, 10)
		{"GET", prospect + "/orders", conversational, f.orders, option{}},                                  // (I)

		// Acting as a user (§2.6)
		{"GET", "/as-user/transfer", actAsUser, f.destinations, option{}},
		{"POST", prospectAsUser + "/transfer", actAsUser, f.transferAsUser, option{}},
		{"POST", prospectAsUser + "/archive", actAsUser, f.archiveAsUser, option{}},
		{"GET", "/as-user/archiving-reasons", actAsUser, f.reasonsAsUser, option{}},
		{"GET", "/as-user/labels", actAsUser, f.labelsAsUser, option{}},
		{"POST", prospectAsUser + "/label", actAsUser, f.labelAsUser, option{}},

		// Integration, agents, groups (§2.7)
		{"GET", "/checkCredentials", anyKey, f.checkCredentials, option{}},
		{"GET", "/integration", anyKey, f.integration, option{}},
		{"GET", "/integrations", anyKey, f.integrations, option{}},
		{"GET", "/groups", anyKey, f.groups, option{}},            // (I)
		{"GET", "/groups/children", anyKey, f.children, option{}}, // (I)
		{"GET", "/group/{groupId}", anyKey, f.group, option{}},    // (I)
		{"GET", "/group/{groupId}/children", anyKey, f.children, option{}},
		{"GET", "/group/{groupId}/agents/online", prospectsRead, f.online, option{}},              // (I)
		{"GET", "/groups/{groupId}/is-working", prospectsRead, f.groupIsWorking, option{}},        // (I)
		{"POST", "/groups/{groupId}/response-time", prospectsRead, f.groupResponseTime, option{}}, // (I)
		{"GET", "/agents", prospectsRead, f.agentList, option{}},                                  // (I)
		{"GET", "/agents/{agentId}/is-working", prospectsRead, f.agentIsWorking, option{}},        // (I)
		{"POST", "/agents/{agentId}/response-time", prospectsRead, f.agentResponseTime, option{}}, // (I)
		{"GET", "/swagger.json", anyKey, f.description, option{public: true, also: []string{"/swagger.json"}}},

		// Notifications (§2.8)
		{"GET", notificationsAt + "/topics", notifications, f.topics, option{}},
		{"GET", notificationsAt + "/subscriptions", notifications, f.subscriptions, option{}},
		{"POST", notificationsAt + "/subscriptions", notifications, f.subscribe, option{}},
		{"DELETE", notificationsAt + "/subscriptions", notifications, f.unsubscribeAll, option{}},
		{"GET", notificationsAt + "/subscription/{subscriptionId}", notifications, f.subscription, option{}},
		{"DELETE", notificationsAt + "/subscription/{subscriptionId}", notifications, f.unsubscribe, option{}},
		{"GET", "/admin" + notificationsAt + "/deliveries", administer, f.deliveries, option{}},               // §5
		{"POST", "/admin" + notificationsAt + "/delivery/{deliveryId}/retry", administer, f.replay, option{}}, // §5

		// Apps (§2.9, §4.11 to §4.13, §5)
		{"POST", "/apps/event", prospectsWrite, f.appEvent, option{}}, // (I)
		{"POST", "/apps/notifications", notifications, f.appNotification, option{}},
		{"GET", "/as-user/reports", actAsUser, f.reports, option{}},                               // ours
		{"GET", prospectAsUser + "/buttons", actAsUser, f.buttons, option{}},                      // ours
		{"GET", "/as-user/notifications", actAsUser, f.notices, option{}},                         // ours
		{"POST", "/as-user/notification/{notificationId}/seen", actAsUser, f.seeNotice, option{}}, // ours
		{"GET", "/admin/apps", administer, f.appList, option{}},
		{"POST", "/admin/apps", administer, f.registerApp, option{}},
		{"GET", anApp, administer, f.anApp, option{}},
		{"PATCH", anApp, administer, f.changeApp, option{}},
		{"DELETE", anApp, administer, f.deleteApp, option{}},
		{"GET", anApp + "/instances", administer, f.instances, option{}},
		{"POST", anApp + "/instances", administer, f.installApp, option{noTx: true}}, // waits for the app
		{"GET", anInstance, administer, f.anInstance, option{}},
		{"PUT", anInstance, administer, f.changeInstance, option{noTx: true}},                              // waits for the app
		{"DELETE", anInstance, administer, f.uninstallApp, option{noTx: true}},                             // waits for the app
		{"POST", anInstance + "/refresh", administer, f.refreshInstance, option{noTx: true}},               // waits for the app
		{"POST", anInstance + "/retry", administer, f.retryInstance, option{noTx: true}},                   // waits for the app
		{"GET", anInstance + "/settings/form", administer, f.asked(f.settingsForm), option{noTx: true}},    // asks the app
		{"POST", anInstance + "/settings/check", administer, f.asked(f.checkSettings), option{noTx: true}}, // asks the app
		{"GET", anInstance + "/settings", administer, f.asked(f.appSettings), option{noTx: true}},          // asks the app
		{"PUT", anInstance + "/settings", administer, f.asked(f.setAppSettings), option{noTx: true}},       // asks the app
		{"GET", anInstance + "/events", administer, f.instanceEvents, option{}},
		{"GET", "/admin/additional-fields", administer, f.extraFields, option{}},
		{"PUT", "/admin/additional-fields", administer, f.setExtraFields, option{}},

		// Administration (§5): scope admin. Delivery log: Notifications. Apps: theirs.
		{"GET", "/admin/accounts", administer, f.accounts, option{}},
		{"POST", "/admin/accounts", administer, f.addAccount, option{}}, // refused: the operator's
		{"GET", "/admin/account/{accountId}", administer, f.account, option{}},
		{"PATCH", "/admin/account/{accountId}", administer, f.changeAccount, option{}},
		{"POST", "/admin/groups", administer, f.addGroup, option{}},
		{"GET", "/admin/group/{groupId}", administer, f.groupAsAdmin, option{}}, // ours
		{"PATCH", "/admin/group/{groupId}", administer, f.changeGroup, option{}},
		{"DELETE", "/admin/group/{groupId}", administer, f.removeGroup, option{}},
		{"POST", "/admin/agents", administer, f.addAgent, option{}},
		{"GET", "/admin/agent/{agentId}", administer, f.agentAsAdmin, option{}}, // ours
		{"PATCH", "/admin/agent/{agentId}", administer, f.changeAgent, option{}},
		{"DELETE", "/admin/agent/{agentId}", administer, f.removeAgent, option{}},
		{"PUT", "/admin/agent/{agentId}/presence", administer, f.setPresence, option{}},
		{"GET", "/admin/integrations", administer, f.integrationsAsAdmin, option{}}, // ours
		{"POST", "/admin/integrations", administer, f.addIntegration, option{secret: true}},
		{"GET", "/admin/integration/{integrationId}", administer, f.oneIntegration, option{}},
		{"PATCH", "/admin/integration/{integrationId}", administer, f.changeIntegration, option{}},
		{"DELETE", "/admin/integration/{integrationId}", administer, f.removeIntegration, option{}},
		{"POST", "/admin/integration/{integrationId}/refresh", administer, f.refreshIntegration, option{secret: true}},
		{"GET", "/admin/channels", administer, f.channelList, option{}}, // ours
		{"POST", "/admin/channels", administer, f.addChannel, option{}},
		{"PATCH", "/admin/channel/{channelId}", administer, f.changeChannel, option{}},
		{"DELETE", "/admin/channel/{channelId}", administer, f.removeChannel, option{}},
		{"PUT", "/admin/channel/{channelId}/templates", administer, f.setTemplates, option{}},
		{"POST", "/admin/channel/{channelId}/inbound", administer, f.inbound, option{noTx: true}},
		{"POST", "/admin/channel/{channelId}/status", administer, f.deliveryStatus, option{noTx: true}},
		{"GET", "/admin/labels", administer, f.words(handover.Labels), option{}}, // ours, as the other three
		{"PUT", "/admin/labels", administer, f.setWords(handover.Labels), option{}},
		{"GET", "/admin/archiving-reasons", administer, f.words(handover.Reasons), option{}},
		{"PUT", "/admin/archiving-reasons", administer, f.setWords(handover.Reasons), option{}},
		{"GET", "/admin/categories", administer, f.words(handover.Categories), option{}},
		{"PUT", "/admin/categories", administer, f.setWords(handover.Categories), option{}},
		{"GET", "/admin/industries", administer, f.words(handover.Industries), option{}},
		{"PUT", "/admin/industries", administer, f.setWords(handover.Industries), option{}},
		{"POST", prospectAsUser + "/claim", actAsUser, f.claimAsUser, option{}},
		{"POST", prospectAsUser + "/unarchive", actAsUser, f.unarchiveAsUser, option{}},
		{"POST", prospectAsUser + "/reminder", actAsUser, f.remindAsUser, option{}},
	}
}

// routes turns the table into what the shared layer wants.
func (f *Face) routes() []httpx.Route {
	table := f.table()
	out := make([]httpx.Route, 0, len(table))
	for _, l := range table {
		r := httpx.Route{Method: l.method, Pattern: base + l.pattern, Aliases: []string{alias + l.pattern},
			Scope: l.scope, Handler: l.handler, Limit: rateLimit, NoTx: l.opts.noTx, Secret: l.opts.secret, Public: l.opts.public, MaxBody: l.opts.maxBody}
		for _, a := range l.opts.aliases {
			r.Aliases = append(r.Aliases, base+a, alias+a)
		}
		r.Aliases = append(r.Aliases, l.opts.also...)
		if l.opts.raw != nil {
			r.Raw, r.MaxBody = l.opts.raw, -1
		} else if l.opts.rows != nil {
			r.Raw = f.stream(l.opts.rows)
		} else {
			r.Handler = formatted(l.handler)
		}
		out = append(out, r)
	}
	return out
}

// short is a scope as users write it, without the face's name.
func short(scope string) string { return strings.TrimPrefix(scope, Name+":") }
