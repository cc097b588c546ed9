package main

import (
	"context"
	"fmt"
	"strings"
)

type eraseCmd struct {
	ofTenant `embed:""`
	Contact  string `help:"The person: any id, a phone with its country code, or an e-mail address." required:"" placeholder:"ID|PHONE|EMAIL"`
	JSON     bool   `help:"Print one JSON object." name:"json"`
}

// Help stands below the flags.
func (eraseCmd) Help() string {
	return "Examples:\n  parley erase --tenant ERIX_CLNT_7KQ2ZD --contact +5511987654321\n  parley erase --tenant ERIX_CLNT_7KQ2ZD --contact 65f1c0ffee65f1c0ffee65f1 --json\n\n" +
		"It cannot be taken back. Backups made before still hold the person."
}

// Run erases a person.
func (c *eraseCmd) Run() error {
	return with(c.Database, func(ctx context.Context, cl *client) error {
		var out struct {
			ID       string   `json:"id"`
			IDs      []string `json:"ids"`
			ErasedAt string   `json:"erasedAt"`
			Finished bool     `json:"finished"`
		}
		if err := cl.call(ctx, "POST", c.path("erase"), map[string]any{"contact": c.Contact}, &out); err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out)
		}
		fmt.Printf("Erased %s at %s: names, addresses, messages, files, notes, deals and everything else.\n", out.ID, out.ErasedAt)
		if len(out.IDs) > 1 {
			fmt.Printf("These ids were the same person: %s\n", strings.Join(out.IDs[1:], ", "))
		}
		fmt.Println("What remains: the ids, which lead nowhere, and what the person refused, under a hash.")
		if !out.Finished {
			fmt.Println("The history is long: a running server takes the rest away now. Nobody meets the person meanwhile.")
		}
		return nil
	})
}
