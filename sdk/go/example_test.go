package parley_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	parley "parley/sdk/go"
)

// demo stands for a Parley server that knows one lead.
func demo() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in map[string]any
		_ = json.NewDecoder(r.Body).Decode(&in)
		switch r.Method + " " + r.URL.Path {
		case "POST /api/saas/crm/leads":
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, `{"success":true,"data":{"id":"65f1c0ffee65f1c0ffee65f1","firstName":%q,"phone":"919876543210","status":"open"}}`, in["firstName"])
		case "GET /api/saas/crm/leads":
			fmt.Fprint(w, `{"success":true,"data":[{"firstName":"Priya"},{"firstName":"Ravi"}],"hasMore":false}`)
		case "PATCH /api/saas/crm/leads/65f1c0ffee65f1c0ffee65f1":
			sent, _ := json.Marshal(in)
			fmt.Fprintf(w, `{"success":true,"data":{"firstName":"Priya"},"sent":%s}`, sent)
		case "GET /api/saas/beta-feature":
			fmt.Fprint(w, `{"success":true,"data":{"flag":true}}`)
		default:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"success":false,"message":"There is no such lead.","code":"NOT_FOUND"}`)
		}
	}))
}

func connect(s *httptest.Server) *parley.Client {
	c, err := parley.New(parley.WithAPIKey("erix_..."), parley.WithBaseURL(s.URL))
	if err != nil {
		log.Fatal(err)
	}
	return c
}

func Example() {
	server := demo()
	defer server.Close()
	c, err := parley.New(parley.WithAPIKey("erix_..."), parley.WithBaseURL(server.URL))
	if err != nil {
		log.Fatal(err)
	}
	lead, err := c.CRM.Leads.Create(context.Background(), parley.LeadInput{FirstName: "Priya", Phone: "+919876543210", Source: "website"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(lead.FirstName, lead.Phone, lead.Status)
	// Output: Priya 919876543210 open
}

func ExampleLeads_All() {
	server := demo()
	defer server.Close()
	c := connect(server)
	for lead, err := range c.CRM.Leads.All(context.Background(), parley.LeadFilter{Status: "won"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(lead.FirstName)
	}
	// Output:
	// Priya
	// Ravi
}

func ExampleLeads_Update() {
	server := demo()
	defer server.Close()
	c := connect(server)
	lead, err := c.CRM.Leads.Update(context.Background(), "65f1c0ffee65f1c0ffee65f1", parley.LeadUpdate{
		DealValue: parley.Set(1500.0),
		Email:     parley.Null[string](), // clears it; what is not named stays
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(lead.FirstName)
	// Output: Priya
}

func ExampleAPIError() {
	server := demo()
	defer server.Close()
	c := connect(server)
	_, err := c.CRM.Leads.Retrieve(context.Background(), "unknown")

	var auth *parley.AuthenticationError
	var limit *parley.RateLimitError
	var api *parley.APIError
	switch {
	case errors.As(err, &auth):
		fmt.Println("check the key")
	case errors.As(err, &limit):
		fmt.Println("come back in", limit.RetryAfter)
	case errors.As(err, &api):
		fmt.Println(api.Status, api.Code, api.Message)
	}
	// Output: 404 NOT_FOUND There is no such lead.
}

func ExampleClient_Request() {
	server := demo()
	defer server.Close()
	c := connect(server)
	var out struct{ Data struct{ Flag bool } }
	if err := c.Request(context.Background(), "GET", "/api/saas/beta-feature", nil, &out); err != nil {
		log.Fatal(err)
	}
	fmt.Println(out.Data.Flag)
	// Output: true
}

func ExampleRealtime() {
	c, err := parley.New(parley.WithAPIKey("erix_..."))
	if err != nil {
		log.Fatal(err)
	}
	c.Realtime.OnLeadCreated(func(l parley.LeadCreated) { fmt.Println("new lead", l.LeadID) })
	c.Realtime.OnConnect(func(m parley.Connected) {
		if !m.First && !m.Recovered {
			fmt.Println("something may have been missed: read it anew")
		}
	})
	if err := c.Realtime.Connect(context.Background()); err != nil {
		log.Fatal(err)
	}
	defer c.Realtime.Close()
	<-c.Realtime.Done()
}

func ExampleWebhookEvent() {
	body := []byte(`{"trigger":"cart_abandoned"}`)
	mac := hmac.New(sha256.New, []byte("whsec_your_secret")) // the server does this
	mac.Write(body)
	header := "sha256=" + hex.EncodeToString(mac.Sum(nil))

	e, err := parley.Webhooks.ConstructEvent(body, header, "whsec_your_secret")
	fmt.Println(e.Fields["trigger"], err)
	_, err = parley.Webhooks.ConstructEvent(body, header, "another")
	fmt.Println(errors.Is(err, parley.ErrBadSignature))
	// Output:
	// cart_abandoned <nil>
	// true
}
