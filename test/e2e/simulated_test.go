package e2e_test

import (
	"strings"
	"testing"
)

// A tenant that is made beside a simulated server can send at once: it has a
// simulated number and the templates of the demo.
func TestANewTenantOfASimulatedServerCanSend(t *testing.T) {
	p := serve(t, []string{"--data", t.TempDir()}, "--simulate")
	a := p.tenant("Acme")
	const phone = "919876500077"
	a.ok("POST", "/api/saas/chat/send", map[string]any{"to": "+" + phone, "templateName": "appointment_reminder",
		"language": "en_US", "variables": []string{"Priya", "Tomorrow 10AM"}})
	eventually(t, "the template arrives", func() bool {
		inbox := get(t, p.url+"/_sim/inbox?to="+phone).body
		return strings.Count(inbox, `"type":"template"`) == 1 && strings.Contains(inbox, "Priya")
	})
}
