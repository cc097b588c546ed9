package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// wire writes a POST as it goes over the connection.
func wire(addr, path, headers, body string) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s", path, addr, headers, len(body), body)
}

// leads are new people, each with a phone and an e-mail of his own.
func leads() load {
	return load{name: "lead ingest", part: "leads", status: 201, proof: "contact", request: func(p *parley, n int64) []byte {
		return wire(p.addr, "/api/saas/crm/leads", "x-client-code: "+p.code+"\r\nx-api-key: "+p.key+"\r\n", fmt.Sprintf(
			`{"firstName":"Asha","lastName":"Rao %d","phone":"+91%d","email":"asha.%d@example.com","source":"website","dealValue":1500,"tags":["trial"]}`,
			n, 7000000000+n, n))
	}}
}

// webhooks are first messages: each from a person nobody knew.
func webhooks() load {
	return load{name: "webhook, new people", part: "webhooks", status: 200, proof: "message",
		request: func(p *parley, n int64) []byte { return webhook(p.addr, 8000000000+n, n) }}
}

// replies are messages from so many people, who have all written before.
func replies(people int64) load {
	return load{name: "webhook, known people", part: "webhooks", status: 200, proof: "message", first: people, renews: true,
		request: func(p *parley, n int64) []byte { return webhook(p.addr, 9000000000+n%people, n) }}
}

// webhook is what Meta sends for one text (Meta Cloud API, "Webhooks").
func webhook(addr string, from, n int64) []byte {
	body := fmt.Sprintf(`{"object":"whatsapp_business_account","entry":[{"id":"%s","changes":[{"field":"messages","value":{"messaging_product":"whatsapp",`+
		`"metadata":{"display_phone_number":"15550001055","phone_number_id":"%s"},"contacts":[{"profile":{"name":"Asha Rao"},"wa_id":"91%d"}],`+
		`"messages":[{"from":"91%d","id":"wamid.bench%d","timestamp":"%d","type":"text","text":{"body":"Hello, is the blue one still there? I would take %d of them."}}]}}]}]}`,
		wabaID, accountID, from, from, n, time.Now().Unix(), n)
	mac := hmac.New(sha256.New, []byte(appSecret))
	mac.Write([]byte(body))
	return wire(addr, "/api/saas/whatsapp/webhook", "X-Hub-Signature-256: sha256="+hex.EncodeToString(mac.Sum(nil))+"\r\n", body)
}
