package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"parley/internal/config"
	"parley/internal/server"
	"parley/internal/telemetry"
)

// interruptible ends with SIGINT or SIGTERM.
func interruptible() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}

type serveCmd struct {
	config.Server `embed:""`
}

// Help stands below the flags.
func (serveCmd) Help() string {
	return `Examples:
  parley serve --simulate --demo              simulated phones and a demo tenant, in ./data
  parley serve --listen 0.0.0.0:8080          the embedded database in ./data
  parley serve --database postgres://parley@db/parley --roles api,realtime
  PARLEY_LISTEN=127.0.0.1:9000 parley serve   settings from the environment

GET /readyz answers 200 when the server is ready. Logs go to stderr.`
}

// Run serves until it is told to stop.
func (c *serveCmd) Run() error {
	log, err := telemetry.NewLogger(os.Stderr, c.LogFormat, c.LogLevel)
	if err != nil {
		return err
	}
	ctx, stop := interruptible()
	defer stop()
	m, err := server.Start(ctx, c.Server, server.Options{Logger: log})
	if err != nil {
		return err
	}
	if c.Demo {
		d, err := m.Demo(ctx)
		if err != nil {
			_ = m.Close()
			return fmt.Errorf("the demo could not be seeded: %w", err)
		}
		fmt.Print(d.Welcome())
	}
	if err := notify("READY=1"); err != nil {
		log.Warn("the service manager could not be told that the server is ready", "error", err)
	}
	select {
	case <-ctx.Done():
		log.Info("stopping: running requests finish first")
		_ = notify("STOPPING=1") // it only helps the display
		return m.Close()
	case <-m.Done():
		return m.Err()
	}
}

type migrateCmd struct {
	config.Database `embed:""`
}

// Help stands below the flags.
func (migrateCmd) Help() string {
	return `Examples:
  parley migrate --data ./data
  parley migrate --database postgres://parley@db/parley

A server migrates by itself when it starts; this command does it beforehand.`
}

// Run migrates.
func (c *migrateCmd) Run() error {
	ctx, stop := interruptible()
	defer stop()
	steps, err := server.Migrate(ctx, c.Database)
	if err != nil {
		return err
	}
	fmt.Printf("the schema is current (%d steps taken)\n", steps)
	return nil
}

type versionCmd struct{}

// Help stands below the flags.
func (versionCmd) Help() string { return "Example:\n  parley version" }

// Run prints the version.
func (versionCmd) Run() error {
	fmt.Println("parley " + telemetry.Version())
	return nil
}
