package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"parley/internal/config"
)

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Make an access token of the targeting API."`
	List   tokenListCmd   `cmd:"" help:"List the access tokens of a tenant."`
	Revoke tokenRevokeCmd `cmd:"" help:"Revoke an access token at once."`
	Rotate tokenRotateCmd `cmd:"" help:"Sign new tokens with a new key."`
}

// Help stands below the flags.
func (tokenCmd) Help() string {
	return "Examples:\n  parley token create --tenant ERIX_CLNT_7KQ2ZD --name \"web shop\"\n  parley token rotate"
}

type tokenCreateCmd struct {
	ofTenant  `embed:""`
	Name      string   `help:"A name to recognise the token by." default:"command line" placeholder:"NAME"`
	Scopes    []string `help:"What the token may do: read, write, admin; everything when left out." placeholder:"SCOPE"`
	ReadOnly  bool     `help:"A token that only reads."`
	ExpiresIn span     `help:"How long it lives: seconds, or a text such as 90d or 12h. A year when left out." placeholder:"TIME"`
	JSON      bool     `help:"Print one JSON object." name:"json"`
}

// Help stands below the flags.
func (tokenCreateCmd) Help() string {
	return "Examples:\n  parley token create --tenant ERIX_CLNT_7KQ2ZD --name \"web shop\"\n  parley token create --tenant ERIX_CLNT_7KQ2ZD --read-only --expires-in 30d --json\n\n" +
		"Clients send it as Authorization: Bearer. A scope may be given with or without the API's name in front."
}

type tokenJSON struct {
	Token     string    `json:"token,omitempty"`
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Scopes    []string  `json:"scopes"`
	ReadOnly  bool      `json:"readOnly"`
	Last4     string    `json:"last4"`
	CreatedAt time.Time `json:"createdAt"`
	ExpiresAt time.Time `json:"expiresAt"`
	RevokedAt string    `json:"revokedAt,omitempty"`
}

// span is a length of time on the command line, in seconds: a plain number of them,
// days with a d, or what Go calls a duration.
type span int64

// UnmarshalText reads a length of time.
func (s *span) UnmarshalText(b []byte) error {
	text := strings.TrimSpace(string(b))
	n, err := strconv.ParseInt(text, 10, 64)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err = strconv.ParseInt(days, 10, 32)
		n *= 24 * 60 * 60
	} else if err != nil {
		var d time.Duration
		d, err = time.ParseDuration(text)
		n = int64(d / time.Second)
	}
	if err != nil || n < 1 {
		return fmt.Errorf("%q is no length of time; give seconds, or a text such as 90d or 12h", text)
	}
	*s = span(n)
	return nil
}

// Run makes a token.
func (c *tokenCreateCmd) Run() error {
	scopes := make([]string, len(c.Scopes))
	for i, s := range c.Scopes {
		if scopes[i] = strings.TrimSpace(s); !strings.HasPrefix(scopes[i], "targeting:") {
			scopes[i] = "targeting:" + scopes[i]
		}
	}
	return with(c.Database, func(ctx context.Context, cl *client) error {
		var t tokenJSON
		in := map[string]any{"name": c.Name, "scopes": scopes, "readOnly": c.ReadOnly, "expiresIn": int64(c.ExpiresIn)}
		if err := cl.call(ctx, "POST", c.path("tokens"), in, &t); err != nil {
			return err
		}
		if c.JSON {
			return printJSON(t)
		}
		fmt.Printf("token %s, valid until %s\n  %s\nThe token is shown only now; keep it safe.\n", t.ID, t.ExpiresAt.Format(time.RFC3339), t.Token)
		return nil
	})
}

type tokenListCmd struct {
	ofTenant `embed:""`
	JSON     bool `help:"Print a JSON array." name:"json"`
}

// Help stands below the flags.
func (tokenListCmd) Help() string {
	return "Example:\n  parley token list --tenant ERIX_CLNT_7KQ2ZD\n\nTokens themselves are not stored and cannot be shown again; their last four characters are."
}

// Run lists tokens.
func (c *tokenListCmd) Run() error {
	return with(c.Database, func(ctx context.Context, cl *client) error {
		var list []tokenJSON
		if err := cl.call(ctx, "GET", c.path("tokens"), nil, &list); err != nil {
			return err
		}
		if c.JSON {
			return printJSON(list)
		}
		for _, t := range list {
			state := "until " + t.ExpiresAt.Format(time.DateOnly)
			switch {
			case t.RevokedAt != "":
				state = "revoked"
			case !time.Now().Before(t.ExpiresAt):
				state = "ended"
			}
			fmt.Printf("%s  ...%s  %-16s %s  %s\n", t.ID, t.Last4, state, strings.Join(t.Scopes, ","), t.Name)
		}
		return nil
	})
}

type tokenRevokeCmd struct {
	ofTenant `embed:""`
	ID       string `arg:"" help:"Id of the token, from parley token list."`
}

// Help stands below the flags.
func (tokenRevokeCmd) Help() string {
	return "Example:\n  parley token revoke --tenant ERIX_CLNT_7KQ2ZD 65f1c0ffee65f1c0ffee65f1"
}

// Run revokes a token.
func (c *tokenRevokeCmd) Run() error {
	return with(c.Database, func(ctx context.Context, cl *client) error {
		if err := cl.call(ctx, "DELETE", c.path("tokens", c.ID), nil, nil); err != nil {
			return err
		}
		fmt.Println("revoked " + c.ID)
		return nil
	})
}

type tokenRotateCmd struct {
	config.Database `embed:""`
	Now             bool `help:"The former keys end at once, and every token that they signed is revoked: for a key that leaked."`
	JSON            bool `help:"Print one JSON object." name:"json"`
}

// Help stands below the flags.
func (tokenRotateCmd) Help() string {
	return "Examples:\n  parley token rotate\n  parley token rotate --now\n\nTokens that the former key signed stay valid until they end, unless --now is given."
}

// Run changes the key that signs.
func (c *tokenRotateCmd) Run() error {
	return with(c.Database, func(ctx context.Context, cl *client) error {
		var out struct {
			Kid     string `json:"kid"`
			Revoked int    `json:"revoked"`
		}
		if err := cl.call(ctx, "POST", "/parley/v1/tokens/rotate", map[string]bool{"now": c.Now}, &out); err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out)
		}
		fmt.Println("tokens are signed with the key " + out.Kid + " from now on")
		if c.Now {
			fmt.Printf("revoked %d tokens\n", out.Revoked)
		}
		return nil
	})
}
