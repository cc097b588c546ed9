package isolation

import (
	"context"
	"strings"
	"testing"

	"parley/internal/access"
	"parley/internal/agent"
	"parley/internal/app/apptest"
	"parley/internal/id"
	"parley/test/apitest"
)

// salesSamples has a row for every route: "METHOD path below the base".
var salesSamples = map[string]sample{
	// Leads
	"POST /lead/retail":      {body: `{"utmSource":"web","phones":["+5491155{n}"]}`},
	"POST /lead/insurance":   {body: `{"utmSource":"web","phones":["+5491155{n}"]}`},
	"POST /lead/vehicle":     {body: `{"utmSource":"web","phones":["+5491155{n}"]}`},
	"POST /lead/saving-plan": {body: `{"utmSource":"web","phones":["+5491155{n}"]}`},
	"POST /lead/real-estate": {body: `{"utmSource":"web","phones":["+5491155{n}"]}`},
	"GET /leads/categories":  {},
	"GET /leads/defaults":    {},
	"GET /industries":        {},

	// Prospects
	"GET /prospects":                                      {},
	"GET /prospect-by":                                    {query: "?phoneNumber={phone}"},
	"GET /prospect/{prospectId}":                          {},
	"PATCH /prospect/{prospectId}":                        {body: `{"firstName":"Changed"}`},
	"DELETE /prospect/{prospectId}":                       {},
	"PATCH /prospect/{prospectId}/additionalData":         {body: `{"style":"blue"}`},
	"GET /prospect/{prospectId}/prospectAdditionalFields": {},
	"POST /prospect/{prospectId}/transfer":                {body: `{"group":"{groupId}"}`},
	"POST /prospect/{prospectId}/csat":                    {body: `{"result":5}`},
	"POST /contacts/selections":                           {body: `{"prospects":["{prospectId}"]}`},
	"GET /contacts/selection/{selectionId}":               {},
	"GET /archiving-reasons":                              {query: "?agent={agentId}"},
	"GET /as-user/transfer":                               {},
	"POST /prospect/{prospectId}/as-user/transfer":        {body: `{"user":"{agentId}"}`},
	"POST /prospect/{prospectId}/as-user/archive":         {body: `{"archivingReason":"inactive"}`},
	"GET /as-user/archiving-reasons":                      {},
	"GET /as-user/labels":                                 {},
	"POST /prospect/{prospectId}/as-user/label":           {body: `{"label":"warm"}`},

	// Interactions and quotes
	"GET /prospects/interactions":                            {},
	"GET /prospect/{prospectId}/interactions":                {},
	"GET /prospect/{prospectId}/interaction/{interactionId}": {},
	"POST /prospect/{prospectId}/interactions":               {body: `{"type":"note","content":"a note"}`},
	"PUT /prospect/{prospectId}/interaction/{interactionId}": {body: `{"type":"question","answer":"yes"}`},
	"GET /prospects/quotes":                                  {},
	"GET /prospect/{prospectId}/quotes":                      {},
	"POST /prospect/{prospectId}/quotes":                     {body: `{"status":"pending","items":[{"quantity":1}]}`, status: 201},
	"GET /prospect/{prospectId}/quote/{quoteId}":             {},
	"PUT /prospect/{prospectId}/quote/{quoteId}":             {body: `{"status":"accepted"}`},

	// Integration, groups, agents
	"GET /checkCredentials":                {},
	"GET /integration":                     {},
	"GET /integrations":                    {},
	"GET /groups":                          {},
	"GET /groups/children":                 {query: "?parent={groupId}"},
	"GET /group/{groupId}":                 {},
	"GET /group/{groupId}/children":        {},
	"GET /group/{groupId}/agents/online":   {},
	"GET /groups/{groupId}/is-working":     {},
	"POST /groups/{groupId}/response-time": {body: `{}`},
	"GET /agents":                          {query: "?group={groupId}"},
	"GET /agents/{agentId}/is-working":     {},
	"POST /agents/{agentId}/response-time": {body: `{}`},

	// Messaging
	"GET /messaging/channels":                                     {},
	"GET /prospect/{prospectId}/messaging/channels":               {},
	"POST /prospect/{prospectId}/messaging/whatsapp/notification": {body: `{"key":"hello_world"}`},
	"POST /prospect/{prospectId}/messaging/whatsapp":              {body: `{"content":"hello"}`},
	"POST /prospect/{prospectId}/messaging/whatsapp/send-file":    {form: file},
	"GET /prospect/{prospectId}/messaging/whatsapp/send-file":     {form: file},
	"GET /prospect/{prospectId}/orders":                           {},

	// Apps
	"POST /apps/event":                                     {body: `{"event":"paid","type":"prospect","prospectId":"{prospectId}","data":{"apiKey":"{key}"}}`},
	"POST /apps/notifications":                             {body: `{"type":"news","target":{"user":["{agentId}"]},"platforms":{}}`, refused: "UNEXPECTED_ERROR"},
	"GET /as-user/reports":                                 {},
	"GET /as-user/notifications":                           {},
	"POST /as-user/notification/{notificationId}/seen":     {refused: "NOT_FOUND"},
	"GET /prospect/{prospectId}/as-user/buttons":           {},
	"GET /admin/apps":                                      {whole: true},
	"POST /admin/apps":                                     {whole: true, body: `{"developer":"dev","key":"k{n}","name":{"en":"App"},"baseUrl":"{backend}"}`, status: 201},
	"GET /admin/app/{appId}":                               {whole: true},
	"PATCH /admin/app/{appId}":                             {whole: true, body: `{"name":{"en":"Changed"}}`},
	"DELETE /admin/app/{appId}":                            {whole: true},
	"GET /admin/app/{appId}/instances":                     {whole: true},
	"POST /admin/app/{appId}/instances":                    {whole: true, body: `{"group":"{groupId}"}`, status: 201},
	"GET /admin/app-instance/{instanceId}":                 {},
	"PUT /admin/app-instance/{instanceId}":                 {body: `{"name":"Renamed"}`},
	"DELETE /admin/app-instance/{instanceId}":              {},
	"POST /admin/app-instance/{instanceId}/refresh":        {body: `{}`},
	"POST /admin/app-instance/{instanceId}/retry":          {refused: "CONFLICT"}, // the app has confirmed everything
	"GET /admin/app-instance/{instanceId}/settings/form":   {},
	"POST /admin/app-instance/{instanceId}/settings/check": {body: `{"text":"x"}`},
	"GET /admin/app-instance/{instanceId}/settings":        {},
	"PUT /admin/app-instance/{instanceId}/settings":        {body: `{"text":"x"}`},
	"GET /admin/app-instance/{instanceId}/events":          {},
	"GET /admin/additional-fields":                         {everybody: true},
	"PUT /admin/additional-fields":                         {whole: true, body: `{"fields":[{"key":"style","name":{"en":"Style"}}]}`},

	// Administration
	"GET /admin/accounts":                             {everybody: true},
	"POST /admin/accounts":                            {body: `{"name":"Another"}`, refused: "INVALID_SCOPE"}, // the operator's
	"GET /admin/account/{accountId}":                  {everybody: true},
	"PATCH /admin/account/{accountId}":                {whole: true, body: `{"defaultDistance":"mi"}`},
	"POST /admin/groups":                              {body: `{"name":"New","parent":"{groupId}"}`},
	"GET /admin/group/{groupId}":                      {},
	"PATCH /admin/group/{groupId}":                    {body: `{"displayName":"Shown"}`},
	"DELETE /admin/group/{groupId}":                   {},
	"POST /admin/agents":                              {body: `{"firstName":"New","lastName":"Agent","group":"{groupId}"}`},
	"GET /admin/agent/{agentId}":                      {},
	"PATCH /admin/agent/{agentId}":                    {body: `{"firstName":"Changed"}`},
	"DELETE /admin/agent/{agentId}":                   {},
	"PUT /admin/agent/{agentId}/presence":             {body: `{"online":true}`},
	"GET /admin/integrations":                         {},
	"POST /admin/integrations":                        {body: `{"name":"New","group":"{groupId}","scopes":["admin"]}`},
	"GET /admin/integration/{integrationId}":          {},
	"PATCH /admin/integration/{integrationId}":        {body: `{"name":"Changed"}`},
	"DELETE /admin/integration/{integrationId}":       {},
	"POST /admin/integration/{integrationId}/refresh": {},
	"GET /admin/channels":                             {},
	"POST /admin/channels":                            {body: `{"channel":"whatsapp","channelId":"new{n}","group":"{groupId}","provider":{"type":"loopback"}}`},
	"PATCH /admin/channel/{channelId}":                {body: `{"group":"{groupId}"}`},
	"DELETE /admin/channel/{channelId}":               {},
	"PUT /admin/channel/{channelId}/templates":        {whole: true, body: `[{"key":"ours","name":"Ours","body":"Hello"}]`},
	"POST /admin/channel/{channelId}/inbound":         {body: `{"from":"+5491166{n}","providerId":"in{n}","content":"hello"}`},
	"POST /admin/channel/{channelId}/status":          {body: `{"providerId":"nothing","status":"read"}`, refused: "NOT_FOUND"},
	"GET /admin/labels":                               {},
	"PUT /admin/labels":                               {whole: true, body: `[{"key":"warm","name":"Warm"}]`},
	"GET /admin/archiving-reasons":                    {},
	"PUT /admin/archiving-reasons":                    {whole: true, body: `[{"reason":"inactive","name":"Inactive"}]`},
	"GET /admin/categories":                           {},
	"PUT /admin/categories":                           {whole: true, body: `[{"key":"general","name":"General"}]`},
	"GET /admin/industries":                           {},
	"PUT /admin/industries":                           {whole: true, body: `[{"key":"retail","name":"Retail"}]`},
	"POST /prospect/{prospectId}/as-user/claim":       {},
	"POST /prospect/{prospectId}/as-user/unarchive":   {},
	"POST /prospect/{prospectId}/as-user/reminder":    {body: `{"at":null}`},

	// Notifications
	"GET /notifications/topics":                             {},
	"GET /notifications/subscriptions":                      {},
	"POST /notifications/subscriptions":                     {body: `{"topics":["prospects"],"callbackUrl":"http://127.0.0.1:9/hook"}`, status: 201},
	"DELETE /notifications/subscriptions":                   {},
	"GET /notifications/subscription/{subscriptionId}":      {},
	"DELETE /notifications/subscription/{subscriptionId}":   {},
	"GET /admin/notifications/deliveries":                   {},
	"POST /admin/notifications/delivery/{deliveryId}/retry": {refused: "NOT_FOUND"},
}

// things make what paths and samples name, each anew at every call.
var things = map[string]func(o *seller) string{
	"prospectId": func(o *seller) string {
		o.ids["phone"] = "5491144" + o.number()
		pid := o.Post("/lead/retail", map[string]any{"utmSource": "web", "firstName": "Prospect of " + o.name, "phones": []string{"+" + o.ids["phone"]}}).OK().Str("id")
		// Who has written can be answered.
		if a := o.Call("POST", "/_sim/reply", map[string]any{"from": o.ids["phone"], "to": o.line, "text": "Secret of " + o.name}); a.Get("accepted") != true {
			o.Fatalf("the message was refused: %s", a.Body)
		}
		return pid
	},
	"groupId": func(o *seller) string { return o.Group("Group of "+o.name, o.group.ID).ID.String() },
	"agentId": func(o *seller) string { return o.Agent("Agent", "of "+o.name, o.group.ID).ID.String() },
	"interactionId": func(o *seller) string {
		return o.Post("/prospect/"+o.ids["prospectId"]+"/interactions", map[string]any{"type": "question", "question": "Secret of " + o.name + "?", "providerId": "q" + o.number()}).OK().Str("0.id")
	},
	"quoteId": func(o *seller) string {
		return o.Post("/prospect/"+o.ids["prospectId"]+"/quotes", map[string]any{"status": "pending", "items": []map[string]any{{"quantity": 1, "concept": "Secret of " + o.name}}}).OK().Str("id")
	},
	"selectionId": func(o *seller) string {
		return o.Post("/contacts/selections", map[string]any{"prospects": []string{o.ids["prospectId"]}}).OK().Str("id")
	},
	"subscriptionId": func(o *seller) string {
		return o.Post("/notifications/subscriptions", map[string]any{"topics": []string{"prospects"}, "callbackUrl": "http://127.0.0.1:9/" + o.name}).OK().Str("id")
	},
	"deliveryId":     func(*seller) string { return id.New().String() },
	"notificationId": func(*seller) string { return id.New().String() },
	"accountId":      func(o *seller) string { return o.Tenant.ID.String() },
	"integrationId": func(o *seller) string {
		return o.WithKey(access.NewKey{Group: o.group.ID, Name: "Key of " + o.name}).Key.ID.String()
	},
	"channelId": func(o *seller) string {
		return o.Post("/admin/channels", map[string]any{"channel": "whatsapp", "channelId": o.name + o.number(), "provider": map[string]any{"type": "loopback"}}).OK().Str("id")
	},
	"appId": func(o *seller) string {
		return o.boss.Post("/admin/apps", map[string]any{"developer": "dev", "key": "app" + o.number(), "name": map[string]any{"en": "App of " + o.name},
			"baseUrl": o.backend.URL, "clientId": o.backend.ClientID, "clientSecret": o.backend.Secret}).OK().Str("id")
	},
	"instanceId": func(o *seller) string {
		a := o.boss.Post("/admin/app/"+o.ids["appId"]+"/instances", map[string]any{"group": o.Group("With an app", o.group.ID).ID.String()}).OK() // once in a group
		if a.Str("state") != "enabled" {
			o.Fatalf("the app did not take its instance: %s", a.Body)
		}
		return a.Str("id")
	},
}

// file is a multipart body.
const file = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\nhello\r\n--x--\r\n"

// made lists the things in the order in which they need each other.
var made = []string{"prospectId", "groupId", "agentId", "interactionId", "quoteId", "selectionId", "subscriptionId", "deliveryId", "notificationId", "accountId", "integrationId", "channelId", "appId", "instanceId"}

// seller is somebody with a key that acts for an agent of a group, and one of
// every thing there.
type seller struct {
	*apitest.Caller
	stock
	boss  *apitest.Caller // the same agent with a key of the whole account
	group agent.Group
	// backend is the other side of the seller's app, line the tenant's number.
	backend *apptest.Backend
	line    string
}

func sell(t *testing.T, tenant *apitest.Tenant, name string, group agent.Group) *seller {
	t.Helper()
	boss := tenant.Agent("Boss", "of "+name, group.ID)
	o := &seller{Caller: tenant.As(boss), stock: stock{name: name, ids: map[string]string{}}, boss: tenant.WithKey(access.NewKey{User: boss.ID}), group: group}
	o.backend = apptest.New(t, "client-"+strings.TrimRight(name, "!"), "secret-of-the-app-"+name)
	o.ids["key"], o.ids["backend"] = o.Token, o.backend.URL
	o.Eventually("the account has a number with templates", func() bool {
		list, err := o.App.Accounts.List(context.Background(), o.Tenant.ID)
		for _, a := range list {
			if a.Kind == "whatsapp" && o.line == "" { // the oldest is the simulated one
				o.line = a.ExternalID
			}
		}
		return err == nil && o.line != "" && strings.Contains(string(o.Get("/messaging/channels").OK().Body), "hello_world")
	})
	for _, noun := range made {
		o.make(t, noun)
	}
	return o
}

func (o *seller) make(t *testing.T, noun string) {
	t.Helper()
	if o.ids[noun] = things[noun](o); o.ids[noun] == "" {
		t.Fatalf("%s got no %s", o.name, noun)
	}
}
