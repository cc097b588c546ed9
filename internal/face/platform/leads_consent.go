package platform

import (
	"context"
	"strings"
	"time"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// consent is what a lead wants on a channel for a purpose. The routes are our
// own: the reference knows no consent.
type consent struct {
	Channel string `json:"channel"`
	Purpose string `json:"purpose"`
	State   string `json:"state"`
	Source  string `json:"source"`
	At      stamp  `json:"at"`
}

// consentChange is one row of the log.
type consentChange struct {
	consent
	RecordedBy string `json:"recordedBy"`
	RecordedAt stamp  `json:"recordedAt"`
}

// consents is what is known of a lead, and how it came to be, newest first.
type consents struct {
	Success bool            `json:"success"`
	Data    []consent       `json:"data"`
	History []consentChange `json:"history"`
}

type consentInput struct {
	Channel string `json:"channel"`
	Purpose string `json:"purpose"` // "" means both
	State   string `json:"state"`
	Source  string `json:"source"`
	At      string `json:"at"` // when it was said; "" means now
}

// historyShown is how much of the log an answer holds.
const historyShown = 100

// leadConsent answers what a lead wants on which channel.
func (f *Face) leadConsent(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	lead, err := pathID("lead", r.Param("id"))
	if err != nil {
		return nil, err
	}
	return f.answerConsent(ctx, r, lead)
}

// setConsent records what a lead wants.
func (f *Face) setConsent(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	lead, err := pathID("lead", r.Param("id"))
	if err != nil {
		return nil, err
	}
	var in consentInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	c := contact.Consent{Channel: strings.ToLower(strings.TrimSpace(in.Channel)), Purpose: in.Purpose, State: in.State, Source: in.Source, Actor: actor(r)}
	if in.Source == "" {
		c.Source = "api"
	}
	if in.At != "" {
		if c.At, err = time.Parse(time.RFC3339, in.At); err != nil {
			return nil, fault.Field("at", "at must be a time such as 2026-11-01T12:00:00Z")
		}
	}
	if _, err := f.s.Contacts.SetConsent(ctx, r.Principal.Tenant, lead, c); err != nil {
		return nil, err
	}
	return f.answerConsent(ctx, r, lead)
}

func (f *Face) answerConsent(ctx context.Context, r *httpx.Request, lead id.ID) (*httpx.Response, error) {
	now, err := f.s.Contacts.ConsentsOf(ctx, r.Principal.Tenant, lead)
	if err != nil {
		return nil, err
	}
	log, _, err := f.s.Contacts.ConsentLog(ctx, r.Principal.Tenant, lead, 1, historyShown)
	if err != nil {
		return nil, err
	}
	out := consents{Success: true, Data: []consent{}, History: []consentChange{}}
	for _, c := range now {
		out.Data = append(out.Data, consentOf(c))
	}
	for _, e := range log {
		out.History = append(out.History, consentChange{consentOf(e.Consent), e.Actor, stamp(e.RecordedAt)})
	}
	return httpx.JSON(0, out), nil
}

func consentOf(c contact.Consent) consent {
	return consent{c.Channel, c.Purpose, c.State, c.Source, stamp(c.At)}
}
