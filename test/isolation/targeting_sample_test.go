package isolation

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"parley/internal/config"
	"parley/internal/face/targeting"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/test/apitest"
)

// spellings say what the general parameters of the targeting API stand for: each
// kind of entity is a route of its own here.
var spellings = []struct {
	pattern string
	as      []string
}{
	{"/v1/entity/{slug}/{id}", []string{"/v1/entity/contact/{contact}", "/v1/entity/contract/{record}", "/v1/entity/campaign/{campaign_id}", "/v1/entity/target/{targetId}"}},
	{"/v1/entity/{slug}:upsert", []string{"/v1/entity/contact:upsert", "/v1/entity/contract:upsert", "/v1/entity/campaign:upsert", "/v1/entity/target:upsert"}},
	{"/v1/entity/{slug}", []string{"/v1/entity/contact", "/v1/entity/contract", "/v1/entity/campaign", "/v1/entity/target"}},
	{"/v1/access-tokens/{id}", []string{"/v1/access-tokens/{token}"}},
	{"/v1/admin/organizations/{id}", []string{"/v1/admin/organizations/{organization}", "/v1/admin/organizations/{code}"}},
	{"/v1/admin/users/{id}", []string{"/v1/admin/users/{user}"}},
}

// spelled lists what stands for a pattern in targetingSamples.
func spelled(pattern string) []string {
	for _, s := range spellings {
		if s.pattern == pattern {
			return s.as
		}
	}
	return []string{pattern}
}

// targetingRoutes are the routes of the face, each kind of entity by itself.
func targetingRoutes() map[string]httpx.Route {
	out := map[string]httpx.Route{}
	for _, r := range targeting.New(targeting.Services{}).HTTP().Routes {
		for _, p := range spelled(r.Pattern) {
			out[r.Method+" "+p] = r
		}
	}
	return out
}

// targetingPublic may be called without a token. A route joins it by a decision.
var targetingPublic = map[string]bool{"GET /v1/access-tokens/.well-known/jwks.json": true, "GET /v1/access-tokens/.well-known/openid-configuration": true}

const (
	ref  = `{"entity_id":"{contact}","entity_schema":"contact"}`
	flow = `{"flow_name":"Secret flow of {owner}","description":"d","enabled":true,"entity_schema":"contact","triggers":[{"type":"entity_manual"}],` +
		`"conditions":[{"id":"c","statements":[{"operation":"equals","source":{"attribute":"first_name"},"values":["x"]}]}],` +
		`"schedules":[{"id":"s","schedule_type":"delayed","duration":1,"unit":"hours"}],` +
		`"actions":[{"id":"a","type":"delay","name":"Wait","config":{"duration":1,"unit":"days"},"schedule_id":"s","allow_failure":true},{"id":"b","type":"assign-entity","config":{"user_id":"{user}"},"condition_id":"c"}]}`
	target = `{"name":"Secret target of {owner}","description":"d","entity_schema":"contact","_tags":["t"],` +
		`"entity_filters":{"filter":{"combination":"AND","items":[{"key":"_tags","operator":"any_of","value":["everybody"]}]}}}`
	widgets    = `{"widgets":[{"id":"w","type":"CAMPAIGN_WIDGET","listIndex":0,"headline":{"en":"Secret widget of {owner}","de":"Geheim"},"subHeadline":{"en":"e","de":"d"},"campaign_id":"{campaign_id}"}]}`
	entityForm = `"_title":"Changed","_tags":["everybody"],"_updated_at":null,"_deleted_at":null`
)

// targetingSamples has a row for every route.
var targetingSamples = map[string]sample{
	// Campaigns
	"POST /v1/campaign/{campaign_id}/status":                                     {body: `{"status":"inactive"}`, status: 200},
	"GET /v1/campaign/{campaign_id}/job":                                         {status: 200},
	"POST /v1/campaign/{campaign_id}/automations:retrigger":                      {body: `{"recipient_ids":["{recipient_id}"]}`, status: 200},
	"POST /v1/campaign:match":                                                    {query: "?status=active", body: `{"entity_refs":[` + ref + `],"campaign_ids":["{campaign_id}"]}`, status: 200},
	"POST /v1/campaign:discover":                                                 {body: ref, status: 200},
	"POST /v1/campaign:setup":                                                    {status: 201, body: `{"type":"tariff_change","product_recommendation":{"name":"P","priority":1},"campaign":{"name":"Setup","goal":"g","target_ids":["{targetId}"]},"journey":{"journey_id":"j"},"channels":{"portal_widget":{"portal_id":"{portal}","block_id":"b{n}"},"email":{"automation_id":"{flow_id}","template_id":"t"}}}`},
	"POST /v1/campaign/{campaign_id}/recipient":                                  {status: 201, body: `{"entity_id":"{contact}","entity_schema":"contact","automation_status":"failed","automation_execution_id":"e","portal_status":"sent","portal_state":{"a":1}}`},
	"PATCH /v1/campaign/{campaign_id}/recipient/{recipient_id}":                  {status: 200, body: `{"automation_status":"failed","automation_execution_id":"e","portal_status":"seen","portal_state":{"a":2}}`},
	"PATCH /v1/campaign/{campaign_id}/recipient/{recipient_id}/portal:status":    {body: `{"status":"seen"}`, status: 200},
	"PATCH /v1/campaign/{campaign_id}/recipient/{recipient_id}/entity_ui:status": {body: `{"status":"seen","entity_schema":"contact"}`, status: 200},
	"POST /v1/campaign/{campaign_id}/recipient/{recipient_id}/entity_ui:restore": {status: 200},
	"GET /v1/campaign/{campaign_id}/portals":                                     {status: 200},
	"GET /v1/campaign/{campaign_id}/recipients":                                  {status: 200},
	"GET /v1/campaign/{campaign_id}/email-stats":                                 {status: 200},

	// Targets
	"POST /v1/target":              {body: target, status: 201},
	"GET /v1/target/{targetId}":    {query: "?hydrate=true&strict=true", status: 200},
	"PATCH /v1/target/{targetId}":  {body: target, status: 200},
	"PUT /v1/target/{targetId}":    {body: target, status: 200},
	"DELETE /v1/target/{targetId}": {status: 200},
	"POST /v1/target:match":        {body: `{"entity_refs":[` + ref + `],"target_ids":["{targetId}"]}`, status: 200},
	"POST /v1/target/queries":      {body: `{"target_ids":["{targetId}"]}`, status: 200},

	// Entities
	"POST /v1/entity:search":                   {body: `{"q":"*","sort":"_created_at:desc","from":0,"size":1000,"fields":["!_acl"]}`, status: 200},
	"POST /v1/entity:list":                     {body: `{"filter":[{"exists":{"field":"_id"}}],"sort":"_id","from":0,"size":1000,"fields":["!_acl"]}`, status: 200},
	"POST /v1/entity/contact":                  {body: `{"first_name":"New","email":"new{n}@example.com","_tags":["x"],"of":{"$relation":[{"entity_id":"{record}"}]}}`, status: 201},
	"POST /v1/entity/contract":                 {body: `{"name":"New","customer":{"$relation":[{"entity_id":"{contact}"}]},` + entityForm + `}`, status: 201},
	"POST /v1/entity/campaign":                 {body: `{"name":"New","target":{"$relation":[{"entity_id":"{targetId}"}]},"flow_id":"{flow_id}","next_best_action":{"product_recommendation_id":"{offer}"},"_tags":["x"]}`, status: 201},
	"POST /v1/entity/target":                   {body: target, status: 201},
	"PATCH /v1/entity/contact:upsert":          {body: `{"unique_key":["_id"],"entity":{"_id":"{contact}","first_name":"Changed",` + entityForm + `}}`, status: 200},
	"PATCH /v1/entity/contract:upsert":         {body: `{"unique_key":["_id"],"entity":{"_id":"{record}","name":"Changed",` + entityForm + `}}`, status: 200},
	"PATCH /v1/entity/campaign:upsert":         {body: `{"unique_key":["_id"],"entity":{"_id":"{campaign_id}","name":"Changed",` + entityForm + `}}`, status: 200},
	"PATCH /v1/entity/target:upsert":           {body: `{"unique_key":["_id"],"entity":{"_id":"{targetId}","name":"Changed",` + entityForm + `}}`, status: 200},
	"GET /v1/entity/contact/{contact}":         {status: 200},
	"GET /v1/entity/contract/{record}":         {status: 200},
	"GET /v1/entity/campaign/{campaign_id}":    {status: 200},
	"GET /v1/entity/target/{targetId}":         {status: 200},
	"PATCH /v1/entity/contact/{contact}":       {body: `{"first_name":"Changed",` + entityForm + `}`, status: 200},
	"PATCH /v1/entity/contract/{record}":       {body: `{"name":"Changed",` + entityForm + `}`, status: 200},
	"PATCH /v1/entity/campaign/{campaign_id}":  {body: `{"name":"Changed",` + entityForm + `}`, status: 200},
	"PATCH /v1/entity/target/{targetId}":       {body: `{"name":"Changed",` + entityForm + `}`, status: 200},
	"PUT /v1/entity/contact/{contact}":         {body: `{"first_name":"Changed","email":"changed{n}@example.com",` + entityForm + `}`, status: 200},
	"PUT /v1/entity/contract/{record}":         {body: `{"name":"Changed",` + entityForm + `}`, status: 200},
	"PUT /v1/entity/campaign/{campaign_id}":    {body: `{"name":"Changed",` + entityForm + `}`, status: 200},
	"PUT /v1/entity/target/{targetId}":         {body: `{"name":"Changed",` + entityForm + `}`, status: 200},
	"DELETE /v1/entity/contact/{contact}":      {status: 200},
	"DELETE /v1/entity/contract/{record}":      {query: "?purge=true", status: 200},
	"DELETE /v1/entity/campaign/{campaign_id}": {status: 200},
	"DELETE /v1/entity/target/{targetId}":      {status: 200},

	// Automations
	"GET /v1/automation/flows":                           {query: "?size=1000", status: 200},
	"POST /v1/automation/flows":                          {body: flow, status: 201},
	"GET /v1/automation/flows/{flow_id}":                 {status: 200},
	"PUT /v1/automation/flows/{flow_id}":                 {body: flow, status: 200},
	"DELETE /v1/automation/flows/{flow_id}":              {status: 204},
	"GET /v1/automation/executions":                      {query: "?size=1000", status: 200},
	"POST /v1/automation/executions":                     {body: `{"flow_id":"{flow_id}","entity_id":"{contact}","entity_schema":"contact"}`, status: 201},
	"POST /v1/automation/executions/bulk-jobs":           {body: `{"flow_id":"{flow_id}","auto_approve":false,"entity_schema":"contact","entities_refs":[` + ref + `]}`, status: 202},
	"GET /v1/automation/executions/bulk-jobs/{job_id}":   {query: "?limit=1000", status: 200},
	"PATCH /v1/automation/executions/bulk-jobs/{job_id}": {body: `{"action":"CANCEL","task_token":"{task}"}`, status: 200},
	"GET /v1/automation/executions/{execution_id}":       {status: 200},
	"DELETE /v1/automation/executions/{execution_id}":    {status: 204},

	// Portals
	"POST /v2/portal/portal":                              {query: "?origin=END_CUSTOMER_PORTAL", body: `{"name":"Secret portal of {owner}","domain":"d.example.com","enabled":true,"origin":"END_CUSTOMER_PORTAL"}`, status: 200},
	"GET /v2/portal/configs":                              {status: 200},
	"GET /v2/portal/widgets":                              {status: 200},
	"POST /v2/portal/widgets":                             {query: "?origin=END_CUSTOMER_PORTAL", body: widgets, status: 201},
	"GET /v3/portal/widgets":                              {query: "?portal_id={portal}", status: 200},
	"POST /v3/portal/widgets":                             {query: "?portal_id={portal}", body: widgets, status: 201},
	"PUT /v2/portal/campaign/{campaign_id}/entity:status": {body: `{"status":"seen","entity_refs":[` + ref + `]}`, status: 200},

	// Tokens, organisations, users
	"GET /v1/access-tokens":                        {query: "?token_type=api", status: 200},
	"POST /v1/access-tokens":                       {body: `{"name":"Secret token of {owner}","assignments":["targeting:admin"],"expires_in":60,"read_only":false,"token_type":"api"}`, status: 201},
	"DELETE /v1/access-tokens/{token}":             {status: 200},
	"GET /v1/admin/organizations":                  {status: 200},
	"POST /v1/admin/organizations":                 {body: `{"name":"New","code":"new{n}"}`, status: 201, operator: true},
	"GET /v1/admin/organizations/{organization}":   {status: 200},
	"PATCH /v1/admin/organizations/{organization}": {body: `{"name":"{owner}"}`, status: 200},
	"GET /v1/admin/organizations/{code}":           {status: 200},
	"PATCH /v1/admin/organizations/{code}":         {body: `{"name":"{owner}"}`, status: 200},
	"GET /v1/admin/users":                          {query: "?active=all", status: 200},
	"POST /v1/admin/users":                         {body: `{"name":"New User","first_name":"New","last_name":"User","email":"u{n}@example.com","phone":"+5491155{n}","role":"agent","active":true,"group_id":"{group}"}`, status: 201},
	"GET /v1/admin/users/{user}":                   {status: 200},
	"PATCH /v1/admin/users/{user}":                 {body: `{"last_name":"Changed","group_id":"{group}"}`, status: 200},
	"DELETE /v1/admin/users/{user}":                {query: "?transfer_to={colleague}", status: 200},
}

// plainIDs are the nouns whose ids are plain strings: what is no id is unknown, and
// the spelling of the other APIs counts too. The others are UUIDs or refused.
var plainIDs = []string{"flow_id", "job_id", "execution_id", "token", "organization", "user", "portal", "group", "colleague"}

// kept lists what there is for a client, in the order in which it is made.
var kept = []string{"organization", "code", "group", "user", "colleague", "token", "portal", "contact", "record", "offer", "targetId", "flow_id", "execution_id", "job_id", "task", "campaign_id", "recipient_id"}

// client is somebody with a key of the targeting API that may do everything, and
// one of every thing.
type client struct {
	*apitest.Caller
	stock
}

const operatorToken = "the-operator-has-a-long-token"

// eachClient runs f with two organisations that have one of everything. Nothing
// goes on by itself: what is there afterwards was stored by the calls.
func eachClient(t *testing.T, f func(t *testing.T, r *apitest.Rig, us, them *client)) {
	apitest.Each(t, apitest.Options{Quiet: true, Config: func(c *config.Server) { c.AdminToken = operatorToken }}, func(t *testing.T, r *apitest.Rig) {
		f(t, r, hold(r, "Us"), hold(r, "Them"))
	})
}

func hold(r *apitest.Rig, name string) *client {
	r.Helper()
	o := &client{r.NewTenant(name).Targeting(), stock{name: name, ids: map[string]string{"owner": name}}}
	for _, noun := range kept {
		o.make(noun)
	}
	return o
}

// post makes something and returns its id.
func (o *client) post(path, body, at string) string {
	o.Helper()
	return o.Post(path, o.filled(body, nil)).OK().Str(at)
}

// make makes a thing, each anew at every call; an organisation has one portal.
func (o *client) make(noun string) {
	o.Helper()
	var v string
	switch noun {
	case "organization":
		v = o.Tenant.ID.UUID()
	case "code":
		v = o.Tenant.Code
	case "group":
		v = o.Group("Group of "+o.name+o.number(), id.Zero).ID.UUID()
	case "user", "colleague":
		v = o.post("/v1/admin/users", `{"name":"Secret `+noun+` of {owner}","email":"`+noun+`{n}.{owner}@example.com"}`, "id")
	case "token":
		v = o.post("/v1/access-tokens", `{"name":"Secret token of {owner}"}`, "id")
	case "portal":
		v = o.post("/v2/portal/portal?origin=END_CUSTOMER_PORTAL", `{"name":"Secret portal of {owner}"}`, "portal_id")
	case "contact":
		v = o.post("/v1/entity/contact", `{"first_name":"Secret person of {owner}","email":"p{n}.{owner}@example.com","_tags":["everybody"]}`, "_id")
	case "record":
		v = o.post("/v1/entity/contract", `{"name":"Secret contract of {owner}","number":"N-{owner}","customer":{"$relation":[{"entity_id":"{contact}"}]}}`, "_id")
	case "offer":
		v = o.post("/v1/entity/product_recommendation", `{"name":"Secret offer of {owner}"}`, "_id")
	case "targetId":
		v = o.post("/v1/target", target, "_id")
	case "flow_id":
		v = o.post("/v1/automation/flows", flow, "id")
	case "execution_id":
		v = o.post("/v1/automation/executions", `{"flow_id":"{flow_id}","entity_id":"{contact}"}`, "id")
	case "job_id", "task":
		a := o.Post("/v1/automation/executions/bulk-jobs", o.filled(`{"flow_id":"{flow_id}","entities_refs":[`+ref+`]}`, nil)).OK()
		o.ids["job_id"], v = a.Str("id"), a.Str("id")
		if o.ids["task"] = a.Str("task_token"); noun == "task" {
			v = a.Str("task_token")
		}
	case "campaign_id":
		v = o.campaign()
	case "recipient_id":
		v = o.post("/v1/entity/contact", `{"first_name":"Secret recipient of {owner}","email":"r{n}.{owner}@example.com"}`, "_id")
		o.Post("/v1/campaign/"+o.ids["campaign_id"]+"/recipient", `{"entity_id":"`+v+`","entity_schema":"contact","automation_status":"failed","automation_execution_id":"e","portal_status":"sent"}`).OK()
	}
	if o.ids[noun] = v; v == "" {
		o.Fatalf("%s got no %s", o.name, noun)
	}
}

// campaign makes an active one that is shown on the portal and has a flow as well.
func (o *client) campaign() string {
	o.Helper()
	v := o.post("/v1/entity/campaign", `{"name":"Secret campaign of {owner}","target":{"$relation":[{"entity_id":"{targetId}"}]},"next_best_action":{"product_recommendation_id":"{offer}"}}`, "_id")
	o.Post("/v3/portal/widgets?portal_id="+o.ids["portal"], o.filled(widgets, map[string]string{"campaign_id": v})).OK()
	o.Post("/v1/campaign/"+v+"/status", `{"status":"active"}`).OK()
	o.Patch("/v1/entity/campaign/"+v, o.filled(`{"flow_id":"{flow_id}"}`, nil)).OK()
	return v
}

// renew makes what a call names anew, since calls before it changed or took it.
func (o *client) renew(name string) {
	o.Helper()
	s := targetingSamples[name]
	named := nounsIn(name + s.body + s.query)
	for _, noun := range kept {
		if strings.HasPrefix(name, "GET ") || !slices.Contains(named, noun) && takes(name) == 0 {
			continue
		}
		o.make(noun)
	}
}

// changing is what differs from call to call: UUIDs, task tokens and the numbers of
// samples.
var changing = regexp.MustCompile(`[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|bulk_[0-9a-f]+|[0-9]{6}`)

// alike is an answer without what differs from call to call.
func alike(a apitest.Answer) string {
	return a.Header.Get("Content-Type") + " " + masked(changing.ReplaceAll(a.Body, []byte("ID")))
}

// A new route is tested by a row of its own, or fails here.
func TestEveryTargetingRouteHasASample(t *testing.T) {
	sampled(t, targetingRoutes(), targetingSamples, targetingPublic)
}
