package e2e_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// An agent takes a conversation over from the bot: of several who try at once
// one gets it, the others learn who has it, and it comes back only by that one.
func TestTakeover(t *testing.T) {
	eachDatabase(t, func(t *testing.T, data []string) {
		p := serve(t, data, "--simulate")
		a := p.tenant("Acme")
		talk := a.ok("POST", "/api/saas/chat/conversations", `{"phone":"+`+phoneOne+`","name":"Priya"}`).text("data", "_id")
		owner := "/api/saas/chat/conversations/" + talk + "/owner"
		if got := a.get(owner); got.text("data", "kind") != "bot" && got.text("data", "kind") != "queue" {
			t.Fatalf("at first: %s", got.body)
		}
		const agents = 8
		answers := make([]answer, agents)
		var wg sync.WaitGroup
		for i := range agents {
			wg.Add(1)
			go func() {
				defer wg.Done()
				answers[i], _ = send(a.request("POST", owner, map[string]any{"action": "take", "agent": fmt.Sprint("agent-", i)}))
			}()
		}
		wg.Wait()
		winner := -1
		for i, got := range answers {
			switch {
			case got.status == 200 && winner < 0:
				winner = i
			case got.status == 200:
				t.Errorf("agents %d and %d both have it", winner, i)
			case got.status != 409:
				t.Errorf("agent %d got %d %s", i, got.status, got.body)
			}
		}
		if winner < 0 {
			t.Fatal("nobody has it")
		}
		name := fmt.Sprint("agent-", winner)
		for i, got := range answers {
			if i != winner && !strings.Contains(got.body, name) {
				t.Errorf("agent %d is not told who has it: %s", i, got.body)
			}
		}
		if got := a.get(owner); got.text("data", "kind") != "agent" || got.text("data", "agent") != name {
			t.Errorf("it is with %s", got.body)
		}
		expect(t, a.call("POST", owner, `{"action":"release"}`), 200)
		expect(t, a.call("POST", owner, `{"action":"return"}`), 200)
		if got := a.get(owner); got.text("data", "kind") != "bot" {
			t.Errorf("returned: %s", got.body)
		}
		p.verify()
	})
}

// People who opt out while messages to them are on their way get none after it:
// whichever is later decides, and nothing is sent behind a refusal.
func TestOptOutRacingASend(t *testing.T) {
	eachDatabase(t, func(t *testing.T, data []string) {
		p := serve(t, data, "--simulate")
		a := p.tenant("Acme")
		a.simulated()
		const people = 12
		var wg sync.WaitGroup
		sent := make([]answer, people)
		refused := make([]answer, people)
		leads := make([]string, people)
		for i := range people {
			leads[i] = a.lead("P", fmt.Sprintf("9198765100%02d", i))
		}
		for i := range people {
			to := fmt.Sprintf("+9198765100%02d", i)
			wg.Add(2)
			go func() {
				defer wg.Done()
				sent[i], _ = send(a.request("POST", "/api/saas/chat/send", map[string]any{"to": to, "templateName": "welcome", "variables": []string{"P", "you"}}))
			}()
			go func() {
				defer wg.Done()
				refused[i], _ = send(a.request("PUT", "/api/saas/crm/leads/"+leads[i]+"/consent", map[string]any{"channel": "whatsapp", "state": "out"}))
			}()
		}
		wg.Wait()
		for i := range people {
			if refused[i].status != 200 {
				t.Fatalf("consent: %d %s", refused[i].status, refused[i].body)
			}
			if s := sent[i].status; s != 200 && s != 201 && s != 403 {
				t.Fatalf("send: %d %s", s, sent[i].body)
			}
		}
		// What was promised before the refusal either left before it or failed for it.
		eventually(t, "nothing is on its way", func() bool { return a.get("/api/saas/queue/stats").at("active") == 0.0 && p.settled(a) })
		for i := range people {
			phone := fmt.Sprintf("9198765100%02d", i)
			got := len(get(t, p.url+"/_sim/inbox?to="+phone).list("messages"))
			status := ""
			if sent[i].status < 300 {
				m := a.message(sent[i].text("data", "conversationId"), sent[i].text("data", "_id"))
				status = fmt.Sprint(m["status"])
			}
			if delivered := status == "sent" || status == "delivered" || status == "read"; delivered != (got == 1) || got > 1 {
				t.Errorf("person %d: the send answered %d, the message is %q, the phone has %d", i, sent[i].status, status, got)
			}
		}
		// Behind the refusal nothing leaves any more.
		if s := a.call("POST", "/api/saas/chat/send", map[string]any{"to": "+919876510000", "templateName": "welcome", "variables": []string{"P", "you"}}); s.status != 403 {
			t.Errorf("after the refusal a send answers %d %s", s.status, s.body)
		}
		p.verify()
	})
}

// settled reports whether every message has left or failed.
func (p *process) settled(a *api) bool {
	for _, c := range a.get("/api/saas/chat/conversations?limit=100").list("data") {
		for _, m := range a.get("/api/saas/chat/conversations/" + c["_id"].(string) + "/messages").list("data") {
			if m["status"] == "queued" {
				return false
			}
		}
	}
	return true
}

// message finds a message of a conversation.
func (a *api) message(conversation, id string) map[string]any {
	a.t.Helper()
	for _, m := range a.get("/api/saas/chat/conversations/" + conversation + "/messages").list("data") {
		if m["_id"] == id {
			return m
		}
	}
	a.t.Fatalf("message %s of conversation %s is not there", id, conversation)
	return nil
}

// A job that runs is told to stop and stops; who waited for it learns of it: the
// file of a message that somebody gave up is shown as missing, not as coming.
func TestCancelOfARunningJob(t *testing.T) {
	eachDatabase(t, func(t *testing.T, data []string) {
		p := serve(t, data, "--simulate")
		a := p.tenant("Acme")
		a.simulated()
		a.ok("POST", "/_sim/faults", `{"on":"download","delayMs":600000,"count":1}`)
		sent := a.ok("POST", "/_sim/reply", map[string]any{"from": phoneOne, "file": map[string]any{"type": "image", "mime": "image/png", "data": []byte("\x89PNG\r\n\x1a\nnot much of a picture")}})
		if sent.at("accepted") != true {
			t.Fatalf("the picture was not accepted: %s", sent.body)
		}
		var talk, message, fetch string
		eventually(t, "the file is being fetched", func() bool {
			for _, j := range a.get("/api/saas/queue/active").list("data") {
				fetch = j["_id"].(string)
			}
			return fetch != ""
		})
		c := a.get("/api/saas/chat/conversations").list("data")[0]
		talk = c["_id"].(string)
		m := a.get("/api/saas/chat/conversations/" + talk + "/messages").list("data")[0]
		message = m["_id"].(string)
		if m["mediaUrl"] != "processing" {
			t.Errorf("while it is fetched: %v", m)
		}
		if got := a.ok("POST", "/api/saas/queue/"+fetch+"/cancel", nil); got.text("data", "_id") != fetch {
			t.Errorf("cancel: %s", got.body)
		}
		eventually(t, "the job stops", func() bool { return a.get("/api/saas/jobs/status/"+fetch).text("data", "status") == "failed" })
		if m := a.message(talk, message); m["mediaUrl"] == "processing" || m["error"] == nil && m["mediaUrl"] != nil && m["mediaUrl"] != "" {
			t.Errorf("after it was given up: %v", m)
		}
		if s := a.call("POST", "/api/saas/queue/"+fetch+"/cancel", nil); s.status != 409 {
			t.Errorf("cancelling it again answers %d %s", s.status, s.body)
		}
		p.verify()
	})
}
