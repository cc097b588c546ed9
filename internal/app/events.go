package app

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"parley/internal/automation"
	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Quote is the third thing that an app can tell of, beside Prospect and User.
const Quote = "quote"

// Event is something that happened in an app (reference §3.5, CustomEvent).
type Event struct {
	Name    string // what happened; as a trigger of rules its white space becomes "_"
	About   string // Prospect, User or Quote
	Contact id.ID  // required for Prospect and Quote
	Agent   id.ID  // required for User
	Details any    // of the app
}

// activityType is how the timeline calls events of apps; package interaction shows
// it as via customApp with output.customEvent.
const activityType = "custom_event"

const (
	maxEventName = 100
	maxDetails   = 32 << 10 // bytes of JSON
)

func (e *Event) check() (err error) {
	if e.Name, err = contact.Line("event", strings.TrimSpace(e.Name), maxEventName); err != nil {
		return err
	}
	switch {
	case e.Name == "":
		return fault.Missing("event")
	case !slices.Contains([]string{Prospect, User, Quote}, e.About):
		return fault.Field("type", "type must be one of prospect, user, quote")
	case e.About != User && e.Contact.IsZero():
		return fault.Missing("prospectId")
	case e.About == User && e.Agent.IsZero():
		return fault.Missing("userId")
	}
	return checkOpen("data.details", e.Details)
}

// checkOpen bounds what an app says freely, and refuses what no database stores.
func checkOpen(field string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil || len(raw) > maxDetails {
		return fault.Field(field, "%s must not be longer than %d bytes", field, maxDetails)
	}
	if strings.Contains(string(raw), `\u0000`) {
		return fault.Field(field, "%s must not hold the character U+0000", field)
	}
	return nil
}

// Take takes an event of the app that a key belongs to, and returns its id. About a
// contact it becomes an entry of the timeline, which is an interaction under that
// id (event interaction.created), and starts the rules whose trigger has its name
// with the details as variables: one event, whichever API the rule was written
// through. About a user alone it is kept for Told, with the event app.event. Faults:
// Invalid naming "event", "type", "prospectId", "userId" or "data.details", or what
// a definition's schema asks for; NotFound of "contact" or "agent".
func (s *Service) Take(ctx context.Context, tenant id.ID, actor string, key id.ID, e Event) (id.ID, error) {
	if err := e.check(); err != nil {
		return id.Zero, err
	}
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (id.ID, error) {
		slug, err := s.slugOf(tx, key)
		if err != nil {
			return id.Zero, err
		}
		if !e.Agent.IsZero() {
			if a, err := s.agents.Agent(tx, e.Agent); err != nil || !a.DeletedAt.IsZero() {
				return id.Zero, unknown(err, "agent")
			}
		}
		if e.Contact.IsZero() {
			v := id.New()
			if _, err := tx.Exec("INSERT INTO app_event (tenant_id, id, key_id, agent_id, name, details, created_at) VALUES (?,?,?,?,?,?,?)",
				v, key, e.Agent, e.Name, store.JSON(e.Details), tx.Now()); err != nil {
				return id.Zero, err
			}
			return v, s.append(tx, actor, "app.event", v, "event:"+e.Name)
		}
		return s.happened(tx, actor, slug, e)
	})
}

// slugOf names the app of a key, "" for keys that belong to none.
func (s *Service) slugOf(r store.Reader, key id.ID) (string, error) {
	i, found, err := s.OfKey(r, key)
	if err != nil || !found {
		return "", err
	}
	a, err := loadApp(r, i.App)
	return a.Slug(), err
}

func (s *Service) happened(tx *store.Tx, actor, slug string, e Event) (id.ID, error) {
	cid, err := s.contacts.HoldIn(tx, e.Contact)
	if err != nil {
		return id.Zero, err
	}
	meta := map[string]any{"event": e.Name, "type": e.About, "data": map[string]any{"details": e.Details}}
	if slug != "" {
		meta["app"] = slug
	}
	if !e.Agent.IsZero() {
		meta["userId"] = e.Agent.String()
	}
	a, err := s.contacts.AddActivityIn(tx, contact.Activity{Contact: cid, Type: activityType, Title: e.Name, Metadata: meta, PerformedBy: actor})
	if err != nil {
		if f := fault.As(err); f != nil && f.Code == fault.Invalid {
			c := *f
			c.Field, c.Message = "data.details", strings.ReplaceAll(f.Message, "metadata", "data.details")
			err = &c
		}
		return id.Zero, err
	}
	if _, err := s.log.Append(tx, event.New{Type: "interaction.created", Subject: a.ID, Contact: cid, Changed: []string{"type:customEvent"}, Actor: actor}); err != nil {
		return id.Zero, err
	}
	data, open := e.Details.(map[string]any)
	if !open {
		data = map[string]any{"details": e.Details}
	}
	_, err = s.rules.FireIn(tx, actor, automation.Call{Trigger: strings.Join(strings.Fields(e.Name), "_"), Lead: cid,
		Variables: map[string]any{"event": e.Name, "eventType": e.About, "app": slug}, Data: data})
	if f := fault.As(err); f != nil && f.Code == fault.NotFound && f.Reason == "lead" {
		err = nil // nobody's card, so no rule's; the event stands all the same
	}
	return a.ID, err
}

// Told is an event about a user that an app told of.
type Told struct {
	ID      id.ID
	Agent   id.ID
	Name    string
	Details any
	At      time.Time
}

// ToldOf returns what an instance told of users, the newest first, before an event
// unless it is zero; by the index app_event_of_key.
func (s *Service) ToldOf(r store.Reader, i Instance, before id.ID, limit int) ([]Told, error) {
	where, args := "", []any{i.Key}
	if !before.IsZero() {
		where = " AND (created_at, id) < (SELECT b.created_at, b.id FROM app_event b WHERE b.tenant_id=?1 AND b.id=?3)"
		args = append(args, before)
	}
	args = append(args, limit)
	n := "?3"
	if where != "" {
		n = "?4"
	}
	rows, err := r.Query("SELECT id, agent_id, name, details, created_at FROM app_event WHERE tenant_id=?1 AND key_id=?2"+where+
		" ORDER BY created_at DESC, id DESC LIMIT "+n, args...)
	return store.Collect(rows, err, func(r *sql.Rows) (t Told, err error) {
		return t, r.Scan(&t.ID, &t.Agent, &t.Name, store.JSON(&t.Details), store.Time(&t.At))
	})
}
