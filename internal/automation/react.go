package automation

import (
	"context"
	"strings"

	"parley/internal/conversation"
	"parley/internal/conversation/variables"
	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// Names of the reactors.
const (
	reactorName     = "automation"
	callbackReactor = "automation_callback"
)

// mapped names the trigger that a bus name stands for (reference 3.5).
var mapped = map[string]string{
	"lead.created": "lead_created", "lead.stage_enter": "stage_enter", "lead.stage_exit": "stage_exit",
	"lead.deal_won": "deal_won", "lead.deal_lost": "deal_lost", "lead.tag_added": "tag_added", "lead.tag_removed": "tag_removed",
	"whatsapp.incoming": "whatsapp_incoming", "lead.score_refreshed": "score_refresh", "meeting.created": "meeting_created", "payment.captured": "payment_captured",
}

// namesOf returns every spelling under which a rule may have a trigger's name.
func namesOf(trigger string) []string {
	names := []string{trigger}
	if to := mapped[trigger]; to != "" {
		return append(names, to)
	}
	for from, to := range mapped {
		if to == trigger {
			names = append(names, from)
		}
	}
	return names
}

// triggersOf names the triggers that a type of event sets off.
var triggersOf = map[string][]string{
	"contact.created":     {"lead_created"},
	"contact.tag_added":   {"tag_added"},
	"contact.tag_removed": {"tag_removed"},
	"deal.moved":          {"stage_enter", "stage_exit"},
	"deal.won":            {"deal_won"},
	"deal.lost":           {"deal_lost"},
	"message.received":    {"whatsapp_incoming"},
	"contact.scored":      {"score_refresh", "score_above", "score_below"},
	"segment.entered":     {"segment_entered"},
	"segment.left":        {"segment_left"},
}

func (s *Service) register() {
	types := make([]string, 0, len(triggersOf))
	for t := range triggersOf {
		types = append(types, t)
	}
	s.log.Register(event.Reactor{Name: reactorName, Types: types, Wants: s.wants, MaxAttempts: attempts})
	s.log.Register(event.Reactor{Name: callbackReactor, Types: []string{"webhook.sent", "webhook.failed"}, MaxAttempts: attempts,
		Wants: func(_ *store.Tx, e event.Event) (bool, error) { return !changedID(e, "trigger:").IsZero(), nil }})
}

// wants reports whether an event matters to any rule or waiting run.
func (s *Service) wants(tx *store.Tx, e event.Event) (bool, error) {
	if e.Contact.IsZero() || strings.HasPrefix(e.Actor, deal.ImportActor) { // an import starts nothing (reference 4.2)
		return false, nil
	}
	if e.Type == "message.received" {
		// A run that is beginning to wait for this very reply must be seen.
		if err := tx.Lock("reply", e.Contact.String()); err != nil {
			return false, err
		}
		var one int
		found, err := store.Found(tx.QueryRow("SELECT 1 FROM run_branch WHERE tenant_id=? AND wait_key=? LIMIT 1", replyKey(e.Contact.String())).Scan(&one))
		if err != nil || found {
			return found, err
		}
	}
	l, err := s.heard(tx)
	if err != nil || l.wanted(triggersOf[e.Type]) {
		return err == nil, err
	}
	return s.stageWants(tx, e)
}

// happening is one trigger set off by an event.
type happening struct {
	trigger string
	facts   facts
	vars    map[string]any
}

// handleEvent starts the rules of an event and resumes the runs that wait for it.
func (s *Service) handleEvent(ctx context.Context, j *job.Job) error {
	var e event.Event
	if err := j.Decode(&e); err != nil {
		return err
	}
	e.Tenant = j.Tenant
	// What cannot change any more is read before the transaction.
	list, reply, err := s.happenings(ctx, e)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, j.Tenant, func(tx *store.Tx) error {
		t := &tally{inline: j.Attempt <= 1}
		e, there := e, false
		if reply != nil || len(list) > 0 {
			var err error
			if e.Contact, there, err = s.hold(tx, e.Contact); err != nil {
				return err
			}
		}
		if reply != nil {
			if err := s.resume(tx, t, e, *reply); err != nil {
				return err
			}
		}
		if err := s.occurredAll(tx, t, e, list); err != nil {
			return err
		}
		if there {
			if err := s.startAll(tx, t, e, list); err != nil {
				return err
			}
		}
		if err := t.flush(tx); err != nil {
			return err
		}
		return j.Complete(tx)
	})
}

func (s *Service) happenings(ctx context.Context, e event.Event) ([]happening, *conversation.Message, error) {
	switch e.Type {
	case "contact.tag_added", "contact.tag_removed":
		tag := changed(e, "tag:")
		return []happening{{triggersOf[e.Type][0], facts{tag: tag}, map[string]any{"tag": tag, "tagName": tag}}}, nil, nil
	case "deal.moved":
		list, err := s.moves(ctx, e)
		return list, nil, err
	case "contact.scored":
		return scorings(e), nil, nil
	case "segment.entered", "segment.left":
		list, err := s.memberships(ctx, e)
		return list, nil, err
	case "message.received":
		return s.incoming(ctx, e)
	}
	return []happening{{trigger: triggersOf[e.Type][0], vars: map[string]any{}}}, nil, nil
}

// moves gives the two sides of a move from stage to stage.
func (s *Service) moves(ctx context.Context, e event.Event) ([]happening, error) {
	pipelines, err := s.cards.Pipelines(ctx, e.Tenant)
	if err != nil {
		return nil, err
	}
	type place struct{ stage, pipeline, pipelineID string }
	places := map[string]place{}
	for _, p := range pipelines {
		for _, st := range p.Stages {
			places[st.ID.String()] = place{st.Name, p.Name, p.ID.String()}
		}
	}
	to, from := changed(e, "stage:"), changed(e, "from:")
	var list []happening
	for _, side := range []struct{ trigger, stage string }{{"stage_exit", from}, {"stage_enter", to}} {
		p := places[side.stage]
		list = append(list, happening{side.trigger, facts{stage: side.stage, pipeline: p.pipelineID}, map[string]any{
			"stageId": side.stage, "stageName": p.stage, "pipelineId": p.pipelineID, "pipelineName": p.pipeline,
			"fromStageId": from, "toStageId": to, "fromStageName": places[from].stage, "toStageName": places[to].stage}})
	}
	return list, nil
}

// scorings gives what a changed score may set off. The event tells the threshold
// that was crossed; where it tells none, the tenant's are the defaults.
func scorings(e event.Event) []happening {
	from, _ := variables.Number(changed(e, "from:"))
	to, _ := variables.Number(changed(e, "score:"))
	hot, cold := float64(deal.DefaultScoring.HotThreshold), float64(deal.DefaultScoring.ColdThreshold)
	if n, ok := variables.Number(changed(e, "above:")); ok {
		hot = n
	}
	if n, ok := variables.Number(changed(e, "below:")); ok {
		cold = n
	}
	var list []happening
	for _, t := range triggersOf[e.Type] {
		list = append(list, happening{t, facts{score: &scored{t, from, to, hot, cold}}, map[string]any{"score": to, "previousScore": from, "previous_score": from}})
	}
	return list
}

// incoming gives the variables of a received message (reference 4.9, Bus).
func (s *Service) incoming(ctx context.Context, e event.Event) ([]happening, *conversation.Message, error) {
	m, err := s.inbox.Message(ctx, e.Tenant, e.Subject)
	var c conversation.Conversation
	if err == nil {
		c, err = s.inbox.Get(ctx, e.Tenant, m.Conversation)
	}
	if f := fault.As(err); f != nil && f.Code == fault.NotFound {
		return nil, nil, nil // deleted since
	}
	if err != nil {
		return nil, nil, err
	}
	if c.Channel != conversation.DefaultChannel {
		return nil, &m, nil
	}
	about := func(key string, otherwise any) any {
		if v, ok := m.Metadata[key]; ok {
			return v
		}
		return otherwise
	}
	vars, err := asJSON("message", maxVariables, map[string]any{
		"message": m.Text, "message_type": m.Kind, "sender_name": about("senderName", c.Name), "conversation_id": m.Conversation.String(),
		"is_first_message": about("isFirstMessage", false), "days_since_last_message": about("daysSinceLastMessage", 999), "total_message_count": about("totalMessageCount", c.Messages),
	})
	return []happening{{trigger: "whatsapp_incoming", vars: vars}}, &m, err
}

// startAll starts the rules of every happening.
func (s *Service) startAll(tx *store.Tx, t *tally, e event.Event, list []happening) error {
	if len(list) == 0 {
		return nil
	}
	card, err := s.cards.CardIn(tx, e.Contact)
	if f := fault.As(err); f != nil && f.Code == fault.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if card.Contact.Archived() || !card.Contact.ErasedAt.IsZero() {
		return nil
	}
	depth, err := depthOf(tx, e.Actor)
	if err != nil {
		return err
	}
	heard, err := s.heard(tx)
	if err != nil {
		return err
	}
	for i, h := range list {
		own, err := s.stageRule(tx, h)
		if err != nil {
			return err
		}
		h.vars["phone"], h.vars["email"], h.vars["trigger"] = card.Contact.Phone(), card.Contact.Email(), h.trigger
		h.facts.source = card.Contact.Source
		if h.facts.stage == "" && h.facts.pipeline == "" {
			h.facts.stage, h.facts.pipeline = card.Deal.Stage.String(), card.Deal.Pipeline.String()
		}
		rules, err := s.candidates(tx, heard.named(h.trigger))
		if err != nil {
			return err
		}
		_, err = s.start(tx, t, append(rules, own...), occasion{card: card, cause: causeOf(e.Cursor), depth: depth, happening: h, held: i == 0})
		if err != nil {
			return err
		}
	}
	return nil
}

// causeOf names an event as what started a run.
func causeOf(c event.Cursor) string { return "event:" + c.String() }

// depthOf returns how deep a run started by actor's deed would be.
func depthOf(tx *store.Tx, actor string) (int, error) {
	name, ok := strings.CutPrefix(actor, "run:")
	if !ok {
		return 0, nil
	}
	runID, err := id.Parse(name)
	if err != nil {
		return 0, nil
	}
	var depth int
	found, err := store.Found(tx.QueryRow("SELECT depth FROM run WHERE tenant_id=? AND id=?", runID).Scan(&depth))
	if found {
		depth++
	}
	return depth, err
}

// changed returns what follows prefix in the event's list of changes.
func changed(e event.Event, prefix string) string {
	for _, c := range e.Changed {
		if v, ok := strings.CutPrefix(c, prefix); ok {
			return v
		}
	}
	return ""
}

func changedID(e event.Event, prefix string) id.ID {
	v, _ := id.Parse(changed(e, prefix))
	return v
}
