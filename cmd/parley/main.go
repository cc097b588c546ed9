// Command parley is the server and everything an operator does with it.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	_ "time/tzdata" // zones of tenants, also where the system knows none

	"github.com/alecthomas/kong"

	"parley/internal/fault"
)

type commands struct {
	Config settingsFile `help:"JSON file with settings, by the names of the flags, such as {\"listen\": \"127.0.0.1:9000\"}." placeholder:"FILE" env:"PARLEY_CONFIG"`

	Serve    serveCmd    `cmd:"" help:"Run the server."`
	Migrate  migrateCmd  `cmd:"" help:"Bring the database to this version's schema."`
	Tenant   tenantCmd   `cmd:"" help:"Make and list tenants."`
	Key      keyCmd      `cmd:"" help:"Make, list and revoke API keys."`
	Token    tokenCmd    `cmd:"" help:"Make, list and revoke access tokens of the targeting API."`
	Channel  channelCmd  `cmd:"" help:"Connect channel accounts, such as a WhatsApp number."`
	Outbox   outboxCmd   `cmd:"" help:"Decide about messages whose sending was cut off."`
	Simulate simulateCmd `cmd:"" help:"Look at and play the simulated phones of a server that runs with --simulate."`
	Import   importCmd   `cmd:"" help:"Take contacts and their deals in from a CSV file."`
	Export   exportCmd   `cmd:"" help:"Write a tenant's contacts and deals as a CSV file."`
	Erase    eraseCmd    `cmd:"" help:"Take away everything that is known of a person."`
	Verify   verifyCmd   `cmd:"" help:"Check every invariant of the stored data."`
	Backup   backupCmd   `cmd:"" help:"Write a consistent copy of the embedded database."`
	Restore  restoreCmd  `cmd:"" help:"Replace the embedded database by a backup."`
	Doctor   doctorCmd   `cmd:"" help:"Tell what is well and what is not."`
	Health   healthCmd   `cmd:"" help:"Say whether the server runs and is well; for supervisors."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

const about = `Parley is a self-hosted conversational CRM.

  parley serve --simulate --demo --data ./data    try it: simulated phones, a demo tenant
  parley serve --listen 0.0.0.0:8080              serve with the embedded database in ./data
  parley tenant create --name "Acme"              make a tenant and its first API key

Every flag can also be set in a JSON file named with --config, and those that show one in their help
as an environment variable PARLEY_*. The command line wins over the environment, that over the file.

Commands work beside a running server through the socket in its data folder, and open the database
themselves when none runs.`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "parley: "+oneSentence(err))
		var coded exitCode
		if errors.As(err, &coded) {
			os.Exit(coded.code)
		}
		os.Exit(1)
	}
}

// exitCode is an error that ends the program with a code of its own instead of 1.
type exitCode struct {
	code int
	error
}

func run(args []string) error {
	var c commands
	parser, err := kong.New(&c, kong.Name("parley"), kong.Description(about), kong.UsageOnError(),
		kong.ValueFormatter(describe), kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}))
	if err != nil {
		return err
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	if err := loadSettings(parser, args); err != nil {
		return err
	}
	k, err := parser.Parse(args)
	if err != nil {
		var pe *kong.ParseError
		if errors.As(err, &pe) {
			return fmt.Errorf("%s; try `parley %s--help`", plain(err), path(pe))
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

// plain takes the parser's own words out of a message: the command in front of
// what a setting's check says, and the type of a value in place of its name.
func plain(err error) string {
	s := err.Error()
	if i := strings.Index(s, ": --"); i > 0 && !strings.ContainsAny(s[:i], "-<\"") && !strings.HasPrefix(s, "missing") {
		s = s[i+2:]
	}
	s = strings.ReplaceAll(s, "=STRING", "=TEXT")
	s = strings.TrimPrefix(s, "<file>: stat ")
	return s
}

// oneSentence puts an error on one line. A driver that tried several addresses
// in vain says the same of each; it is said once.
func oneSentence(err error) string {
	text := err.Error()
	if f := fault.As(err); f != nil {
		text = sentence(f.Field, f.Message)
	}
	var parts []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(parts, line) {
			parts = append(parts, line)
		}
	}
	return strings.ReplaceAll(strings.Join(parts, "; "), ":; ", ": ")
}

// sentence is what a fault says. The field stands in front only where the
// message does not name it; the file was named on the command line.
func sentence(field, message string) string {
	if field == "" || field == "file" || strings.Contains(message, field) {
		return message
	}
	return field + ": " + message
}

// describe adds to a flag's help its default, where a placeholder hides it.
func describe(v *kong.Value) string {
	help := kong.DefaultHelpValueFormatter(v)
	if v.Flag != nil && v.HasDefault && v.Default != "" && v.Flag.PlaceHolder != "" && !strings.Contains(help, v.Default) {
		help = strings.TrimSpace(help) + " Default: " + v.Default + "."
	}
	return help
}

// printJSON writes one JSON value to stdout.
func printJSON(v any) error {
	e := json.NewEncoder(os.Stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
