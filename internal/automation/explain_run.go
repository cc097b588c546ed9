package automation

import (
	"context"
	"fmt"
	"strings"

	"parley/internal/conversation"
	"parley/internal/conversation/variables"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// walked tells where the run that started stands, and what became of what it
// sent.
func (s *Service) walked(ctx context.Context, r store.Reader, x *Explanation, d decision) error {
	run, err := readRun(r, d.run)
	if err != nil {
		return err
	}
	x.Run = &run
	c := Check{Name: "run", Actual: run.Status, Passed: run.Status != Failed, Note: standing(run)}
	if d.verdict.Note != "" {
		c.Note = strings.TrimSpace(c.Note + " Also: " + d.verdict.Note)
	}
	x.Checks = append(x.Checks, c)
	x.Sentence = "The automation started run " + run.ID.String() + ". " + standing(run)
	for _, st := range run.Steps {
		text, _ := st.Output["messageId"].(string)
		mid, err := id.Parse(text)
		if err != nil {
			continue
		}
		m, err := s.inbox.Message(ctx, r.Tenant(), mid)
		if f := fault.As(err); f != nil && f.Code == fault.NotFound {
			continue
		}
		if err != nil {
			return err
		}
		k := Check{Name: "send", Field: st.Node, Actual: m.Status, Passed: m.Status != conversation.Failed}
		if m.Error != nil {
			k.Note = m.Error.Title
			x.Sentence += fmt.Sprintf(" The message of node %s failed: %s.", st.Node, strings.TrimSuffix(m.Error.Title, "."))
		}
		x.Checks = append(x.Checks, k)
	}
	return nil
}

// standing says in a sentence where a run stands.
func standing(r Run) string {
	switch r.Status {
	case Completed:
		return "It has completed."
	case Failed:
		return "It failed: " + strings.TrimSuffix(r.Error, ".") + "."
	case Aborted:
		return strings.TrimSpace("It was stopped. " + r.Error)
	case Paused:
		return "It is paused."
	case Waiting:
		s := "It waits in node " + r.Node
		switch kind, rest, _ := strings.Cut(r.WaitKey, ":"); kind {
		case "reply":
			s += " for a reply"
		case "event":
			_, name, _ := strings.Cut(rest, ":")
			s += fmt.Sprintf(" for the event %q", name)
		case "delivery":
			s += " for the answer to a call"
		}
		if !r.ResumeAt.IsZero() {
			s += " until " + fmt.Sprint(variables.ISO(r.ResumeAt))
		}
		return s + "."
	}
	return "It is under way."
}
