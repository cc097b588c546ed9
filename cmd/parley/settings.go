package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

// settingsFile is the path of a JSON object whose keys are names of flags.
type settingsFile string

// loadSettings reads the file that --config or PARLEY_CONFIG names and gives it
// to the parser. It comes before parsing, because a file may name what is
// required.
func loadSettings(parser *kong.Kong, args []string) error {
	file := os.Getenv("PARLEY_CONFIG")
	for i, a := range args {
		if a == "--" {
			break
		}
		if v, ok := strings.CutPrefix(a, "--config="); ok {
			file = v
		} else if a == "--config" && i+1 < len(args) {
			file = args[i+1]
		}
	}
	if file == "" {
		return nil
	}
	raw, err := os.ReadFile(kong.ExpandPath(file))
	if err != nil {
		return fmt.Errorf("the settings file cannot be read: %w", err)
	}
	var values map[string]any
	if err := json.Unmarshal(raw, &values); err != nil {
		return fmt.Errorf("the settings file %s must hold a JSON object: %w", file, err)
	}
	known := map[string]bool{}
	flagsOf(parser.Model.Node, known)
	settings := map[string]any{}
	for k, v := range values {
		name := strings.ReplaceAll(k, "_", "-")
		if !known[name] {
			return fmt.Errorf("the settings file %s names %q, which is no setting; `parley serve --help` lists them", file, k)
		}
		if settings[name], err = settingText(v); err != nil {
			return fmt.Errorf("the settings file %s: %s %w", file, k, err)
		}
	}
	resolve := kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) {
		for _, name := range f.Envs {
			if _, set := os.LookupEnv(name); set {
				return nil, nil // the environment wins
			}
		}
		return settings[f.Name], nil
	})
	return kong.Resolvers(resolve).Apply(parser)
}

// settingText spells a JSON value as it would stand on the command line. The
// result is nil for null, which sets nothing.
func settingText(v any) (any, error) {
	switch v := v.(type) {
	case nil, string, bool:
		return v, nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case []any:
		words := make([]string, len(v))
		for i, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, fmt.Errorf("must be a list of texts")
			}
			words[i] = s
		}
		return strings.Join(words, ","), nil
	}
	return nil, fmt.Errorf("must be a text, a number, true, false or a list of texts")
}

// flagsOf collects the names of all flags of a command and those below it.
func flagsOf(n *kong.Node, into map[string]bool) {
	for _, f := range n.Flags {
		if f.Name != "help" && f.Name != "config" {
			into[f.Name] = true
		}
	}
	for _, c := range n.Children {
		flagsOf(c, into)
	}
}
