package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"parley/internal/config"
	"parley/internal/face/admin"
)

type healthCmd struct {
	config.Database `embed:""`
	Timeout         time.Duration `help:"How long the server may take to answer." default:"5s"`
}

// Help stands below the flags.
func (healthCmd) Help() string {
	return "Example:\n  parley health --data ./data\n\nIt asks the server through the socket in its data folder and fails when none runs, when it does not\nanswer in time, or when its database does not. `parley doctor` looks deeper."
}

// Run asks the running server; it never opens the database itself.
func (c *healthCmd) Run() error {
	ctx, stop := interruptible()
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	cl := dial(c.Data)
	if cl == nil {
		return fmt.Errorf("no server runs on the data folder %s", c.Data)
	}
	defer cl.close()
	var s admin.Status
	if err := cl.call(ctx, "GET", "/parley/v1/status", nil, &s); err != nil {
		return err
	}
	if len(s.Problems) > 0 {
		return fmt.Errorf("the server is not well: %s", strings.Join(s.Problems, "; "))
	}
	fmt.Printf("ready at %s, version %s\n", s.URL, s.Version)
	return nil
}
