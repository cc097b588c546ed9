package main

import (
	"context"
	"fmt"
	"os"
	"strings"
)

type channelCmd struct {
	Connect channelConnectCmd `cmd:"" help:"Connect an account, or renew its settings."`
}

// Help stands below the flags.
func (channelCmd) Help() string {
	return "Example:\n  parley channel connect --tenant ERIX_CLNT_7KQ2ZD --phone-number-id 1055 --waba-id 2077"
}

type channelConnectCmd struct {
	ofTenant      `embed:""`
	Kind          string `help:"Kind of channel." default:"whatsapp" enum:"whatsapp"`
	PhoneNumberID string `help:"Meta's id of the phone number." required:"" placeholder:"ID"`
	WABAID        string `help:"Meta's id of the WhatsApp Business account." name:"waba-id" required:"" placeholder:"ID"`
	TokenFile     string `help:"File with the access token; read from PARLEY_WHATSAPP_TOKEN when left out." placeholder:"FILE" type:"existingfile"`
	AppSecretFile string `help:"File with the app secret that signs webhooks; read from PARLEY_WHATSAPP_APP_SECRET when left out." placeholder:"FILE" type:"existingfile"`
	VerifyToken   string `help:"Token of the webhook's subscription handshake." env:"PARLEY_WHATSAPP_VERIFY_TOKEN" placeholder:"TOKEN"`
}

// Help stands below the flags.
func (channelConnectCmd) Help() string {
	return `Example:
  PARLEY_WHATSAPP_TOKEN=... PARLEY_WHATSAPP_APP_SECRET=... \
    parley channel connect --tenant ERIX_CLNT_7KQ2ZD --phone-number-id 1055 --waba-id 2077

Secrets are never taken from the command line, where other users could see them. Give the provider
the webhook URL https://YOUR-HOST/api/saas/whatsapp/webhook.`
}

// Run connects an account.
func (c *channelConnectCmd) Run() error {
	token, err := secretOf(c.TokenFile, "PARLEY_WHATSAPP_TOKEN", "--token-file")
	if err != nil {
		return err
	}
	appSecret, err := secretOf(c.AppSecretFile, "PARLEY_WHATSAPP_APP_SECRET", "--app-secret-file")
	if err != nil {
		return err
	}
	return with(c.Database, func(ctx context.Context, cl *client) error {
		in := map[string]any{"kind": c.Kind, "externalId": c.PhoneNumberID, "settings": map[string]string{"wabaId": c.WABAID},
			"secrets": map[string]string{"token": token, "appSecret": appSecret, "verifyToken": c.VerifyToken}}
		if err := cl.call(ctx, "POST", c.path("channels"), in, nil); err != nil {
			return err
		}
		fmt.Printf("%s account %s is connected\n", c.Kind, c.PhoneNumberID)
		return nil
	})
}

// secretOf reads a secret from a file or the environment.
func secretOf(file, env, flag string) (string, error) {
	if file != "" {
		b, err := os.ReadFile(file)
		return strings.TrimSpace(string(b)), err
	}
	if v := os.Getenv(env); v != "" {
		return v, nil
	}
	return "", fmt.Errorf("set %s or name a file with %s", env, flag)
}

type outboxCmd struct {
	Unknown outboxUnknownCmd `cmd:"" help:"List messages whose last attempt was cut off before the provider answered."`
	Retry   outboxRetryCmd   `cmd:"" help:"Send one of them again."`
	Cancel  outboxCancelCmd  `cmd:"" help:"Give one of them up."`
}

// Help stands below the flags.
func (outboxCmd) Help() string {
	return "Example:\n  parley outbox unknown --tenant ERIX_CLNT_7KQ2ZD\n\nA message is unknown when the server ended between sending it and hearing the provider's answer.\nIt is never sent again by itself, lest the person get it twice."
}

type outboxUnknownCmd struct {
	ofTenant `embed:""`
	JSON     bool `help:"Print a JSON array." name:"json"`
}

// Help stands below the flags.
func (outboxUnknownCmd) Help() string {
	return "Example:\n  parley outbox unknown --tenant ERIX_CLNT_7KQ2ZD --json"
}

// Run lists.
func (c *outboxUnknownCmd) Run() error {
	return with(c.Database, func(ctx context.Context, cl *client) error {
		var list []map[string]any
		if err := cl.call(ctx, "GET", c.path("outbox", "unknown"), nil, &list); err != nil {
			return err
		}
		if c.JSON {
			return printJSON(list)
		}
		for _, m := range list {
			fmt.Printf("%v  conversation %v  attempt %v  since %v\n", m["id"], m["conversationId"], m["attempt"], m["since"])
		}
		if len(list) == 0 {
			fmt.Println("no message waits for a decision")
		}
		return nil
	})
}

type outboxRetryCmd struct {
	ofTenant `embed:""`
	ID       string `arg:"" help:"Id of the message."`
}

// Help stands below the flags.
func (outboxRetryCmd) Help() string {
	return "Example:\n  parley outbox retry --tenant ERIX_CLNT_7KQ2ZD 65f1c0ffee65f1c0ffee65f1"
}

// Run retries.
func (c *outboxRetryCmd) Run() error { return settleOutbox(c.ofTenant, c.ID, "retry") }

type outboxCancelCmd struct {
	ofTenant `embed:""`
	ID       string `arg:"" help:"Id of the message."`
}

// Help stands below the flags.
func (outboxCancelCmd) Help() string {
	return "Example:\n  parley outbox cancel --tenant ERIX_CLNT_7KQ2ZD 65f1c0ffee65f1c0ffee65f1"
}

// Run cancels.
func (c *outboxCancelCmd) Run() error { return settleOutbox(c.ofTenant, c.ID, "cancel") }

func settleOutbox(o ofTenant, message, verb string) error {
	return with(o.Database, func(ctx context.Context, cl *client) error {
		if err := cl.call(ctx, "POST", o.path("outbox", message, verb), nil, nil); err != nil {
			return err
		}
		fmt.Println(map[string]string{"retry": "will be sent again: ", "cancel": "given up: "}[verb] + message)
		return nil
	})
}
