package automation

import (
	"context"
	"slices"
	"strings"

	"parley/internal/contact"
	"parley/internal/conversation"
	"parley/internal/deal"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// action takes the run through an action. A step of a sequence first looks
// whether the run should leave, and whether the step should happen.
func (w *walk) action(nid string, n *Node, sc *scope) ([]string, error) {
	if n.Exit != nil && len(n.Exit.List) > 0 && w.holds(n.Exit) {
		w.record(nid, n.name(), StepSkipped, nil, "exitSequenceIf holds")
		w.leaveBy(ExitCondition)
		return nil, nil
	}
	if n.Only != nil && !w.holds(n.Only) {
		w.record(nid, n.name(), StepSkipped, nil, "the step's conditions do not hold")
		return n.Next[handleDefault], nil
	}
	switch {
	case n.Action == actionHTTP:
		return w.callOut(nid, n, sc)
	case n.Action == actionEmail:
		return w.fail(nid, n, nil, nil, "e-mail cannot be sent: this server has no e-mail channel yet")
	case w.r.contact.IsZero():
		return w.fail(nid, n, nil, nil, "the "+clip(w.r.schema)+" relates to no person, and "+n.Action+" needs one; relate it to a contact")
	}
	return w.act(nid, n, sc)
}

// act carries out an action behind a savepoint: one that fails leaves nothing.
func (w *walk) act(nid string, n *Node, sc *scope) ([]string, error) {
	if w.held && (n.Action == actionTag || n.Action == actionUntag) {
		return w.tagHeld(nid, n, sc)
	}
	if err := w.flush(); err != nil { // the feed keeps the order in which things happened
		return nil, err
	}
	var output map[string]any
	err := w.s.db.Write(store.Join(context.Background(), w.tx), w.tx.Tenant(), func(tx *store.Tx) (err error) {
		switch n.Action {
		case actionSend:
			output, err = w.send(tx, nid, n, sc)
		case actionTag, actionUntag:
			output, err = w.tag(tx, n, sc)
		case actionStage, actionPipeline:
			output, err = w.move(tx, n, sc)
		case actionAssign:
			output, err = w.assign(tx, n, sc)
		case actionUpdate:
			output, err = w.update(tx, n, sc)
		case actionTask:
			output, err = w.task(tx, nid, n, sc)
		}
		return err
	})
	if err == nil {
		err = w.err
	}
	if err != nil {
		f := fault.As(err)
		switch {
		case f == nil:
			return nil, err
		case f.Code == fault.Unavailable || f.Code == fault.RateLimited:
			if w.inline {
				return nil, errLater
			}
			return nil, err
		}
		return w.fail(nid, n, nil, nil, f.Error())
	}
	w.changed()
	w.record(nid, n.name(), StepCompleted, output, "")
	return n.Next[handleDefault], nil
}

func (w *walk) send(tx *store.Tx, nid string, n *Node, sc *scope) (map[string]any, error) {
	st := styleOf(w.set)
	m := conversation.Send{Contact: w.r.contact, SentBy: "automation", UnlessAgent: n.UnlessAgent,
		Metadata: map[string]any{"runId": w.r.id.String(), "automationId": w.r.rule.String(), "nodeId": nid}}
	if n.Template == "" {
		if m.Text = storable(render(n.Text, sc, st)); strings.TrimSpace(m.Text) == "" {
			return nil, fault.Field("text", "the message is empty: every placeholder in it has no value")
		}
	} else {
		raw := style{plain: true}
		use := &conversation.TemplateUse{Name: strings.TrimSpace(render(n.Template, sc, raw)), Language: strings.TrimSpace(render(n.Language, sc, raw))}
		for _, v := range n.Values {
			use.Values = append(use.Values, storable(render(v, sc, st)))
		}
		for k, v := range n.Named {
			if use.Named == nil {
				use.Named = map[string]string{}
			}
			use.Named[k] = storable(render(v, sc, st))
		}
		if len(use.Values) == 0 { // the template's mapping finds the rest (reference 3.15, 4.6)
			use.Vars, use.Resolved = w.r.vars, sc.resolved
		}
		m.Template = use
	}
	sent, err := w.s.inbox.SendIn(tx, w.r.actor(), m)
	if err != nil {
		return nil, err
	}
	if w.dry != nil {
		w.dry.bodies[nid] = sent.Text
	}
	return map[string]any{"messageId": sent.ID.String(), "conversationId": sent.Conversation.String()}, nil
}

func (w *walk) tag(tx *store.Tx, n *Node, sc *scope) (map[string]any, error) {
	tag := w.plainText(n.Tag, sc)
	if tag == "" {
		return nil, fault.Field("tag", "the tag is empty: every placeholder in it has no value")
	}
	var add, remove []string
	if n.Action == actionTag {
		add = []string{tag}
	} else {
		remove = []string{tag}
	}
	_, err := w.s.contacts.TagIn(tx, w.r.actor(), w.r.contact, add, remove)
	return map[string]any{"tag": tag}, err
}

// tagHeld is act for a tag of a contact whose lock is ours: one statement, which
// cannot fail half way and needs no savepoint. What was read of the contact
// stays true but for the tag; its events wait for the run's own.
func (w *walk) tagHeld(nid string, n *Node, sc *scope) ([]string, error) {
	tag, add, changed, stored := w.plainText(n.Tag, sc), n.Action == actionTag, false, ""
	err := w.err // of reading the lead
	if err == nil && tag == "" {
		err = fault.Field("tag", "the tag is empty: every placeholder in it has no value")
	}
	if err == nil {
		stored, changed, err = w.s.contacts.TagHeld(w.tx, w.r.contact, tag, add)
	}
	if f := fault.As(err); f != nil {
		return w.fail(nid, n, nil, nil, f.Error())
	}
	if err != nil {
		return nil, err
	}
	if changed {
		w.marked, w.lead, w.seen = true, nil, nil
		w.news = append(w.news, contact.TagNews(w.r.actor(), w.r.contact, stored, add))
		if w.card != nil {
			c := *w.card
			c.Contact.Tags = slices.DeleteFunc(slices.Clone(c.Contact.Tags), func(t string) bool { return t == stored })
			if add {
				c.Contact.Tags = append(c.Contact.Tags, stored)
				slices.Sort(c.Contact.Tags)
			}
			c.Contact.UpdatedAt = w.tx.Now()
			w.card = &c
		}
	}
	w.record(nid, n.name(), StepCompleted, map[string]any{"tag": tag}, "")
	return n.Next[handleDefault], nil
}

// plainText renders text whose values are taken as they are.
func (w *walk) plainText(text string, sc *scope) string {
	return strings.TrimSpace(storable(render(text, sc, style{plain: true})))
}

// place reads an id that may have come from the variables.
func (w *walk) place(field, text string, sc *scope) (id.ID, error) {
	s := w.plainText(text, sc)
	v, err := id.Parse(s)
	if err != nil {
		return v, fault.Field(field, "%s must be an id of 24 hexadecimal digits, not %q", field, clip(s))
	}
	return v, nil
}

// move moves the lead to a stage, or to a pipeline: its stage as given, else
// the one where it begins (reference 3.7, 4.2).
func (w *walk) move(tx *store.Tx, n *Node, sc *scope) (map[string]any, error) {
	var stage id.ID
	var err error
	if n.Stage != "" {
		if stage, err = w.place("stageId", n.Stage, sc); err != nil {
			return nil, err
		}
	}
	if n.Action == actionPipeline {
		pipeline, err := w.place("pipelineId", n.Pipeline, sc)
		if err != nil {
			return nil, err
		}
		p, err := w.s.cards.PipelineIn(tx, pipeline)
		if err != nil {
			return nil, err
		}
		if stage, err = stageOf(p, stage); err != nil {
			return nil, err
		}
	}
	card, err := w.s.cards.MoveIn(tx, w.r.actor(), w.r.contact, stage)
	if err != nil {
		return nil, err
	}
	return map[string]any{"stageId": card.Deal.Stage.String(), "stage": card.Stage.Name, "pipelineId": card.Deal.Pipeline.String(), "status": card.Deal.Status}, nil
}

// stageOf finds a stage of a pipeline; zero means where its deals begin.
func stageOf(p deal.Pipeline, stage id.ID) (id.ID, error) {
	for _, st := range p.Stages {
		if st.ID == stage || stage.IsZero() && st.Default {
			return st.ID, nil
		}
	}
	if stage.IsZero() && len(p.Stages) > 0 {
		return p.Stages[0].ID, nil
	}
	return id.Zero, fault.Field("stageId", "the stage does not belong to the pipeline %s", p.Name)
}

func (w *walk) assign(tx *store.Tx, n *Node, sc *scope) (map[string]any, error) {
	agent := w.plainText(n.Agent, sc)
	if agent == "" {
		return nil, fault.Field("assignedTo", "assignedTo is empty: every placeholder in it has no value")
	}
	_, err := w.s.cards.UpdateIn(tx, w.r.actor(), w.r.contact, deal.CardPatch{Patch: contact.Patch{AssignedTo: &agent}})
	return map[string]any{"assignedTo": agent}, err
}

// task leaves something for a person to do on the lead's timeline.
func (w *walk) task(tx *store.Tx, nid string, n *Node, sc *scope) (map[string]any, error) {
	st := styleOf(w.set)
	title := strings.TrimSpace(cut(storable(render(n.Title, sc, st)), 500))
	if title == "" {
		return nil, fault.Field("title", "the title is empty: every placeholder in it has no value")
	}
	a, err := w.s.contacts.AddActivityIn(tx, contact.Activity{Contact: w.r.contact, Type: "action_required", Title: title, Body: storable(render(n.Body, sc, st)),
		Metadata: map[string]any{"automationId": w.r.rule.String(), "runId": w.r.id.String(), "nodeId": nid}, PerformedBy: "system"})
	return map[string]any{"activityId": a.ID.String(), "title": title}, err
}
