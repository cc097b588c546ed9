package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"parley/internal/config"
)

type tenantCmd struct {
	Create tenantCreateCmd `cmd:"" help:"Make a tenant and its first platform key."`
	List   tenantListCmd   `cmd:"" help:"List the tenants."`
}

// Help stands below the flags.
func (tenantCmd) Help() string {
	return "Examples:\n  parley tenant create --name \"Acme\"\n  parley tenant list"
}

type tenantCreateCmd struct {
	config.Database `embed:""`
	Name            string `help:"Name of the tenant." required:"" placeholder:"NAME"`
	Code            string `help:"Client code; made up when left out." placeholder:"CODE"`
	JSON            bool   `help:"Print one JSON object." name:"json"`
}

// Help stands below the flags.
func (tenantCreateCmd) Help() string {
	return "Examples:\n  parley tenant create --name \"Acme\"\n  parley tenant create --name \"Acme\" --json"
}

type tenantJSON struct {
	TenantID   string `json:"tenantId"`
	ClientCode string `json:"clientCode"`
	Name       string `json:"name"`
	Status     string `json:"status"`
	APIKey     string `json:"apiKey,omitempty"`
}

// Run makes a tenant.
func (c *tenantCreateCmd) Run() error {
	return with(c.Database, func(ctx context.Context, cl *client) error {
		var t tenantJSON
		if err := cl.call(ctx, "POST", "/parley/v1/tenants", map[string]string{"name": c.Name, "code": c.Code}, &t); err != nil {
			return err
		}
		if c.JSON {
			return printJSON(t)
		}
		fmt.Printf("tenant %s\n  x-client-code: %s\n  x-api-key:     %s\nThe key is shown only now; keep it safe.\n", t.Name, t.ClientCode, t.APIKey)
		return nil
	})
}

type tenantListCmd struct {
	config.Database `embed:""`
	JSON            bool `help:"Print a JSON array." name:"json"`
}

// Help stands below the flags.
func (tenantListCmd) Help() string {
	return "Examples:\n  parley tenant list\n  parley tenant list --json --database postgres://parley@db/parley"
}

// Run lists the tenants.
func (c *tenantListCmd) Run() error {
	return with(c.Database, func(ctx context.Context, cl *client) error {
		var list []tenantJSON
		if err := cl.call(ctx, "GET", "/parley/v1/tenants", nil, &list); err != nil {
			return err
		}
		if c.JSON {
			return printJSON(list)
		}
		for _, t := range list {
			fmt.Printf("%-20s %-10s %s\n", t.ClientCode, t.Status, t.Name)
		}
		return nil
	})
}

// ofTenant is what every command about one tenant takes.
type ofTenant struct {
	config.Database `embed:""`
	Tenant          string `help:"Client code of the tenant." required:"" placeholder:"CODE"`
}

// path is a route below the tenant.
func (o ofTenant) path(parts ...string) string {
	p := "/parley/v1/tenants/" + url.PathEscape(o.Tenant)
	for _, part := range parts {
		p += "/" + url.PathEscape(part)
	}
	return p
}

type keyCmd struct {
	Create keyCreateCmd `cmd:"" help:"Make an API key."`
	List   keyListCmd   `cmd:"" help:"List the keys of a tenant."`
	Revoke keyRevokeCmd `cmd:"" help:"Revoke a key at once."`
}

// Help stands below the flags.
func (keyCmd) Help() string {
	return "Examples:\n  parley key create --tenant ERIX_CLNT_7KQ2ZD --face platform\n  parley key list --tenant ERIX_CLNT_7KQ2ZD"
}

type keyCreateCmd struct {
	ofTenant `embed:""`
	Face     string   `help:"API that the key opens: platform, sales, targeting or bot." required:"" enum:"platform,sales,targeting,bot" placeholder:"API"`
	Scopes   []string `help:"What the key may do, such as platform:crm:read; everything of its API when left out." placeholder:"SCOPE"`
	Group    string   `help:"Group whose contacts the key sees." placeholder:"ID"`
	User     string   `help:"Agent the key speaks for." placeholder:"ID"`
	Name     string   `help:"A name to recognise the key by." placeholder:"NAME"`
	JSON     bool     `help:"Print one JSON object." name:"json"`
}

// Help stands below the flags.
func (keyCreateCmd) Help() string {
	return "Examples:\n  parley key create --tenant ERIX_CLNT_7KQ2ZD --face platform\n  parley key create --tenant ERIX_CLNT_7KQ2ZD --face platform --scopes crm:read --json\n\nA scope may be given with or without the API's name in front."
}

type keyJSON struct {
	ID        string   `json:"id"`
	Face      string   `json:"face"`
	Name      string   `json:"name,omitempty"`
	Scopes    []string `json:"scopes"`
	Group     string   `json:"group,omitempty"`
	User      string   `json:"user,omitempty"`
	RevokedAt string   `json:"revokedAt,omitempty"`
	APIKey    string   `json:"apiKey,omitempty"`
}

// Run makes a key.
func (c *keyCreateCmd) Run() error {
	scopes := make([]string, len(c.Scopes))
	for i, s := range c.Scopes {
		if scopes[i] = strings.TrimSpace(s); !strings.HasPrefix(scopes[i], c.Face+":") && scopes[i] != "*" {
			scopes[i] = c.Face + ":" + scopes[i]
		}
	}
	return with(c.Database, func(ctx context.Context, cl *client) error {
		var k keyJSON
		in := map[string]any{"face": c.Face, "scopes": scopes, "group": c.Group, "user": c.User, "name": c.Name}
		if err := cl.call(ctx, "POST", c.path("keys"), in, &k); err != nil {
			return err
		}
		if c.JSON {
			return printJSON(k)
		}
		fmt.Printf("%s key %s\n  %s\nThe key is shown only now; keep it safe.\n", k.Face, k.ID, k.APIKey)
		return nil
	})
}

type keyListCmd struct {
	ofTenant `embed:""`
	JSON     bool `help:"Print a JSON array." name:"json"`
}

// Help stands below the flags.
func (keyListCmd) Help() string {
	return "Example:\n  parley key list --tenant ERIX_CLNT_7KQ2ZD\n\nKeys themselves are not stored and cannot be shown again."
}

// Run lists keys.
func (c *keyListCmd) Run() error {
	return with(c.Database, func(ctx context.Context, cl *client) error {
		var list []keyJSON
		if err := cl.call(ctx, "GET", c.path("keys"), nil, &list); err != nil {
			return err
		}
		if c.JSON {
			return printJSON(list)
		}
		for _, k := range list {
			state := "valid"
			if k.RevokedAt != "" {
				state = "revoked"
			}
			fmt.Printf("%s  %-9s %-8s %s  %s\n", k.ID, k.Face, state, strings.Join(k.Scopes, ","), k.Name)
		}
		return nil
	})
}

type keyRevokeCmd struct {
	ofTenant `embed:""`
	ID       string `arg:"" help:"Id of the key, from parley key list."`
}

// Help stands below the flags.
func (keyRevokeCmd) Help() string {
	return "Example:\n  parley key revoke --tenant ERIX_CLNT_7KQ2ZD 65f1c0ffee65f1c0ffee65f1"
}

// Run revokes a key.
func (c *keyRevokeCmd) Run() error {
	return with(c.Database, func(ctx context.Context, cl *client) error {
		if err := cl.call(ctx, "DELETE", c.path("keys", c.ID), nil, nil); err != nil {
			return err
		}
		fmt.Println("revoked " + c.ID)
		return nil
	})
}
