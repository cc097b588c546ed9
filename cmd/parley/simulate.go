package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"parley/internal/config"
	"parley/internal/face/admin"
)

type simulateCmd struct {
	Inbox simulateInboxCmd `cmd:"" help:"List what a simulated phone received."`
	Reply simulateReplyCmd `cmd:"" help:"Write from a simulated phone."`
}

// Help stands below the flags.
func (simulateCmd) Help() string {
	return "Examples:\n  parley simulate inbox --to +919876543210\n  parley simulate reply --from +919876543210 --text \"Yes please\"\n\nThe server offers the same over HTTP: GET /_sim/inbox?to=PHONE and POST /_sim/reply {from, text}."
}

// world calls the simulator of the running server.
func world(d config.Database, f func(ctx context.Context, c *client) error) error {
	ctx, stop := interruptible()
	defer stop()
	c := dial(d.Data)
	if c == nil {
		return fmt.Errorf("no server runs on the data folder %s; start one with `parley serve --simulate`", d.Data)
	}
	defer c.close()
	var s admin.Status
	if err := c.call(ctx, "GET", "/parley/v1/status", nil, &s); err != nil {
		return err
	}
	if !s.Simulated {
		return fmt.Errorf("the server on the data folder %s runs without simulated phones; start it with --simulate", d.Data)
	}
	return f(ctx, c)
}

type simulateInboxCmd struct {
	config.Database `embed:""`
	To              string `help:"The phone." required:"" placeholder:"PHONE"`
	JSON            bool   `help:"Print a JSON array." name:"json"`
}

// Help stands below the flags.
func (simulateInboxCmd) Help() string { return "Example:\n  parley simulate inbox --to +919876543210" }

// Run lists a phone's messages.
func (c *simulateInboxCmd) Run() error {
	return world(c.Database, func(ctx context.Context, cl *client) error {
		var raw json.RawMessage
		if err := cl.call(ctx, "GET", "/_sim/inbox?to="+url.QueryEscape(c.To), nil, &raw); err != nil {
			return err
		}
		var list []struct {
			From, Type, Text, Template string
			At                         string
		}
		if err := json.Unmarshal(messagesOf(raw), &list); err != nil {
			return fmt.Errorf("the simulator's answer cannot be read: %w", err)
		}
		if c.JSON {
			return printJSON(messagesOf(raw))
		}
		for _, m := range list {
			fmt.Printf("%s  %-9s %s\n", m.At, m.Type, m.Text)
		}
		if len(list) == 0 {
			fmt.Println("nothing has arrived at " + c.To)
		}
		return nil
	})
}

// messagesOf takes the list out of the simulator's answer.
func messagesOf(raw json.RawMessage) json.RawMessage {
	var wrapped struct{ Messages json.RawMessage }
	if json.Unmarshal(raw, &wrapped) == nil && wrapped.Messages != nil {
		return wrapped.Messages
	}
	return raw
}

type simulateReplyCmd struct {
	config.Database `embed:""`
	From            string `help:"The phone that writes." required:"" placeholder:"PHONE"`
	Text            string `help:"What it writes." required:"" placeholder:"TEXT"`
	To              string `help:"Meta's id of the number it writes to; the one that wrote to it last when left out." placeholder:"ID"`
	JSON            bool   `help:"Print the simulator's answer." name:"json"`
}

// Help stands below the flags.
func (simulateReplyCmd) Help() string {
	return "Example:\n  parley simulate reply --from +919876543210 --text \"Yes please\""
}

// Run writes.
func (c *simulateReplyCmd) Run() error {
	return world(c.Database, func(ctx context.Context, cl *client) error {
		in := map[string]string{"from": c.From, "text": c.Text}
		if c.To != "" {
			in["to"] = c.To
		}
		var out struct {
			Accepted bool `json:"accepted"`
			Status   int  `json:"status"`
		}
		var raw json.RawMessage
		if err := cl.call(ctx, "POST", "/_sim/reply", in, &raw); err != nil {
			return err
		}
		if c.JSON {
			return printJSON(raw)
		}
		if err := json.Unmarshal(raw, &out); err != nil {
			return err
		}
		if !out.Accepted {
			return errors.New("the server did not take the message; its log tells why")
		}
		fmt.Println("delivered")
		return nil
	})
}
