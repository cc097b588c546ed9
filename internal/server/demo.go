package server

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"parley/internal/access"
	"parley/internal/tenant"
)

// Demo is the seeded tenant of `serve --demo`, kept in demo.json of the data
// folder so that a second start shows the same keys.
type Demo struct {
	URL        string `json:"-"`
	Data       string `json:"-"`
	ClientCode string `json:"clientCode"`
	APIKey     string `json:"apiKey"`
	SalesKey   string `json:"salesKey"`
	Token      string `json:"token"`      // of the targeting API
	CampaignID string `json:"campaignId"` // the demo campaign there
	Phone      string `json:"phone"`      // of the simulated person
}

// demoRule answers the trigger of the README: a template, a wait for the
// reply, and what follows it.
const demoRule = `{
  "name": "Welcome a trial", "trigger": "trial_started",
  "nodes": [
    {"id": "start", "type": "trigger"},
    {"id": "welcome", "type": "send_whatsapp", "data": {"templateName": "welcome", "variables": ["{{lead.firstName}}", "{{product}}"]}},
    {"id": "reply", "type": "wait_reply", "data": {"timeoutMinutes": 60}},
    {"id": "interested", "type": "add_tag", "data": {"tag": "interested"}},
    {"id": "thanks", "type": "send_whatsapp", "data": {"text": "Thank you, {{lead.firstName}}. You wrote: {{reply}}"}},
    {"id": "silent", "type": "add_tag", "data": {"tag": "no-reply"}},
    {"id": "done", "type": "end"}
  ],
  "edges": [
    {"source": "start", "target": "welcome"},
    {"source": "welcome", "target": "reply"},
    {"source": "reply", "target": "interested", "sourceHandle": "reply"},
    {"source": "interested", "target": "thanks"},
    {"source": "thanks", "target": "done"},
    {"source": "reply", "target": "silent", "sourceHandle": "timeout"}
  ]
}`

// Demo seeds the demo tenant, or finds the one that an earlier start seeded.
func (m *Main) Demo(ctx context.Context) (Demo, error) {
	app := m.App()
	d := Demo{URL: m.URL(), Data: m.cfg.Data, Phone: "+919876543210"}
	file := filepath.Join(m.cfg.Data, "demo.json")
	if b, err := os.ReadFile(file); err == nil && json.Unmarshal(b, &d) == nil {
		if k, err := app.Access.Authenticate(ctx, "platform", d.APIKey); err == nil {
			if d.SalesKey == "" { // seeded by an older Parley
				if d.SalesKey, err = demoSales(ctx, app, k.Tenant); err != nil {
					return d, err
				}
			}
			if d.CampaignID == "" { // so too
				if d.Token, d.CampaignID, err = demoTargeting(ctx, app, k.Tenant); err != nil {
					return d, err
				}
			}
			if _, err := app.Tokens.Verify(ctx, d.Token); err != nil { // it has ended
				if d.Token, err = demoToken(ctx, app, k.Tenant); err != nil {
					return d, err
				}
			}
			return d, d.keep(file)
		}
	}
	t, err := app.Tenants.Create(ctx, tenant.NewTenant{Name: "Demo"})
	if err != nil {
		return d, err
	}
	d.ClientCode = t.Code
	if d.APIKey, _, err = app.Access.Create(ctx, t.ID, access.NewKey{Face: "platform", Name: "demo"}); err != nil {
		return d, err
	}
	if err := m.sim.arrange(ctx, app, local(m.cfg.Listen), t.ID); err != nil {
		return d, err
	}
	var rule map[string]any
	if err := json.Unmarshal([]byte(demoRule), &rule); err != nil {
		return d, err
	}
	if _, err := app.Automations.Create(ctx, t.ID, "system", rule); err != nil {
		return d, err
	}
	if d.SalesKey, err = demoSales(ctx, app, t.ID); err != nil {
		return d, err
	}
	if d.Token, d.CampaignID, err = demoTargeting(ctx, app, t.ID); err != nil {
		return d, err
	}
	return d, d.keep(file)
}

func (d Demo) keep(file string) error {
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o600)
}

// Welcome is what a newcomer reads: where the server is, his keys, and commands
// to paste.
func (d Demo) Welcome() string {
	data := ""
	if d.Data != "" {
		data = " --data " + shellWord(d.Data)
	}
	return strings.NewReplacer("$URL", d.URL, "$CODE", d.ClientCode, "$KEY", d.APIKey, "$SALES", d.SalesKey, "$JWT", d.Token, "$CAMPAIGN", d.CampaignID, "$PHONE", d.Phone, "$DATA", data, "$SELF", self()).Replace(`
Parley is ready.

  API            $URL/api/saas        health: $URL/api/saas/health
  realtime       $URL/socket.io/
  simulator      $URL/_sim/inbox?to=PHONE
  x-client-code  $CODE
  x-api-key      $KEY

  sales API      $URL/api/v1              described: $URL/swagger.json
  api-key        $SALES

  targeting API  $URL/v1/target ...       keys that verify its tokens: $URL/v1/access-tokens/.well-known/jwks.json

Try it, in another terminal:

  1. A lead comes in and sets off the demo rule:
     curl -s $URL/api/saas/workflows/trigger -H 'x-client-code: $CODE' -H 'x-api-key: $KEY' -H 'content-type: application/json' -d '{"trigger":"trial_started","phone":"$PHONE","createLeadIfMissing":true,"leadData":{"firstName":"Priya"},"variables":{"product":"Parley"}}'

  2. The message has arrived at the simulated phone:
     $SELF simulate inbox --to $PHONE$DATA

  3. The person answers:
     $SELF simulate reply --from $PHONE --text 'Yes, tell me more'$DATA

  4. The conversation, with both messages and their states (take the id for /api/saas/chat/conversations/ID/messages):
     curl -s '$URL/api/saas/chat/conversations' -H 'x-client-code: $CODE' -H 'x-api-key: $KEY'

  5. The same people on the sales API; a lead with the phone of one of them merges:
     curl -s '$URL/api/v1/prospects?api-key=$SALES'
     curl -s '$URL/api/v1/lead/retail?api-key=$SALES' -H 'content-type: application/json' -d '{"utmSource":"newsletter","firstName":"Priya","phones":["$PHONE"],"emails":["priya@example.com"]}'

  6. The same people on the targeting API, whose token is a JWT: the demo target selects whom the rule tagged as interested when they answered (step 3):
     TOKEN=$JWT
     curl -s $URL/v1/entity:search -H "Authorization: Bearer $TOKEN" -d '{"q":"_schema:contact AND _tags:interested"}'

  7. A campaign writes to everybody whom that target selects; activate it, see whom it reached, and look at the phone:
     curl -s -X POST $URL/v1/campaign/$CAMPAIGN/status -H "Authorization: Bearer $TOKEN" -d '{"status":"active"}'
     curl -s $URL/v1/campaign/$CAMPAIGN/recipients -H "Authorization: Bearer $TOKEN"
     $SELF simulate inbox --to $PHONE$DATA

  8. Everything that was promised holds:
     $SELF verify$DATA

Stop with Ctrl-C; the data stays.
`)
}

// self is how this program was called.
func self() string {
	if len(os.Args) > 0 && os.Args[0] != "" {
		return shellWord(os.Args[0])
	}
	return "parley"
}

func shellWord(s string) string {
	if strings.ContainsAny(s, " '\"$\\*?;&|<>()") {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}
