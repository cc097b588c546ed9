// Command parley is the server and everything an operator does with it.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

type commands struct {
	Config kong.ConfigFlag `help:"JSON file with settings, by the names of the flags." placeholder:"FILE" env:"PARLEY_CONFIG"`

	Serve    serveCmd    `cmd:"" help:"Run the server."`
	Migrate  migrateCmd  `cmd:"" help:"Bring the database to this version's schema."`
	Tenant   tenantCmd   `cmd:"" help:"Make and list tenants."`
	Key      keyCmd      `cmd:"" help:"Make, list and revoke API keys."`
	Channel  channelCmd  `cmd:"" help:"Connect channel accounts, such as a WhatsApp number."`
	Outbox   outboxCmd   `cmd:"" help:"Decide about messages whose sending was cut off."`
	Simulate simulateCmd `cmd:"" help:"Look at and play the simulated phones of a server that runs with --simulate."`
	Verify   verifyCmd   `cmd:"" help:"Check every invariant of the stored data."`
	Backup   backupCmd   `cmd:"" help:"Write a consistent copy of the embedded database."`
	Restore  restoreCmd  `cmd:"" help:"Replace the embedded database by a backup."`
	Doctor   doctorCmd   `cmd:"" help:"Tell what is well and what is not."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

const about = `Parley is a self-hosted conversational CRM.

  parley serve --simulate --demo --data ./data    try it: simulated phones, a demo tenant
  parley serve --listen 0.0.0.0:8080              serve with the embedded database in ./data
  parley tenant create --name "Acme"              make a tenant and its first API key

Every flag can also be set as an environment variable PARLEY_*, or in a JSON file named with --config.
Commands work beside a running server through the socket in its data folder, and open the database
themselves when none runs.`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "parley: "+oneSentence(err))
		os.Exit(1)
	}
}

func run(args []string) error {
	var c commands
	parser, err := kong.New(&c, kong.Name("parley"), kong.Description(about), kong.UsageOnError(),
		kong.Configuration(kong.JSON), kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}))
	if err != nil {
		return err
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(args)
	if err != nil {
		var pe *kong.ParseError
		if errors.As(err, &pe) {
			return fmt.Errorf("%w; try `parley %s--help`", err, path(pe))
		}
		return err
	}
	return k.Run()
}

// path is the command that was being parsed, for pointing to its help.
func path(pe *kong.ParseError) string {
	if pe.Context == nil || pe.Context.Command() == "" {
		return ""
	}
	words := strings.Fields(pe.Context.Command())
	var keep []string
	for _, w := range words {
		if !strings.HasPrefix(w, "<") {
			keep = append(keep, w)
		}
	}
	return strings.Join(keep, " ") + " "
}

func oneSentence(err error) string {
	return strings.TrimSpace(strings.ReplaceAll(err.Error(), "\n", "; "))
}

// printJSON writes one JSON value to stdout.
func printJSON(v any) error {
	e := json.NewEncoder(os.Stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
