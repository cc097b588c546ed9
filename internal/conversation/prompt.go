package conversation

import (
	"maps"

	"parley/internal/channel"
	"parley/internal/fault"
	"parley/internal/outbox/ledger"
)

// withPrompt adds what a message lets its person choose from to its metadata, as
// "interactive": channel.Prompt is its shape.
func withPrompt(meta map[string]any, p *channel.Prompt) map[string]any {
	out := maps.Clone(meta)
	if out == nil {
		out = map[string]any{}
	}
	out["interactive"] = p
	return out
}

// check asks the channel whether a message can be sent like this at all, so that
// its author hears of it and not a queue. Fault: Invalid naming "interactive" or
// "text" or "mediaUrl".
func (s *Service) check(t target, c ledger.Content) error {
	checker, ok := s.channels[t.channel].(channel.Checker)
	if !ok {
		return nil
	}
	err := checker.Check(channel.Outgoing{To: c.To, Kind: c.Kind, Text: c.Text, Media: c.Media, Template: c.Template, Prompt: c.Prompt})
	if err == nil {
		return nil
	}
	field := "text"
	switch {
	case c.Kind == channel.Interactive:
		field = "interactive"
	case hasFile(c.Kind):
		field = "mediaUrl"
	}
	return fault.Field(field, "%s", err.Error())
}
