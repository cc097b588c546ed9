package targeting

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"parley/internal/campaign"
	"parley/internal/entity"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// campaignID reads the campaign in the path. One that Parley never made is unknown.
func campaignID(r *httpx.Request) (id.ID, error) { return pathUUID(r, "campaign_id", "campaign") }

func wireCampaign(r *httpx.Request, c campaign.Campaign) entity.Doc {
	return campaign.Document(r.Principal.Tenant, c)
}

// campaignStatus makes a campaign active or inactive (reference §4.1): what the body
// says, else the query, else the other of the two.
func (f *Face) campaignStatus(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	cid, err := campaignID(r)
	if err != nil {
		return nil, err
	}
	desired, err := desiredStatus(r)
	if err != nil {
		return nil, err
	}
	c, err := f.s.Campaigns.SetStatus(ctx, r.Principal.Tenant, actor(r), cid, desired)
	if err != nil {
		return nil, err
	}
	return httpx.JSON(http.StatusOK, map[string]any{"campaign": wireCampaign(r, c)}), nil
}

// desiredStatus reads the status that is asked for. A body may be absent, empty, null
// or {} (reference §1.5).
func desiredStatus(r *httpx.Request) (string, error) {
	bad := fault.Field("status", "status must be active or inactive")
	query := r.QueryString("status")
	if _, ok := r.Query()["status"]; ok && query != campaign.Active && query != campaign.Inactive {
		return "", bad
	}
	if body := bytes.TrimSpace(r.Body); len(body) > 0 && string(body) != "null" {
		doc, err := readObject(r)
		if err != nil {
			return "", err
		}
		if v, ok := doc["status"]; ok {
			if s, _ := v.(string); s == campaign.Active || s == campaign.Inactive {
				return s, nil
			}
			return "", bad
		}
	}
	return query, nil
}

type wireExecution struct {
	ID     string `json:"execution_id"`
	Status string `json:"execution_status"`
}

type wireJob struct {
	Status  string          `json:"status,omitempty"`
	Summary []wireExecution `json:"execution_summary"`
}

// campaignJob tells where the last activation stands (reference §4.2).
func (f *Face) campaignJob(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	cid, err := campaignID(r)
	if err != nil {
		return nil, err
	}
	v, err := f.s.Campaigns.Job(f.s.Campaigns.Reads(ctx, r.Principal.Tenant), cid)
	if err != nil {
		return nil, err
	}
	out := wireJob{Status: v.Status, Summary: make([]wireExecution, 0, len(v.Executions))}
	for _, e := range v.Executions {
		out.Summary = append(out.Summary, wireExecution{e.Run.UUID(), e.Status})
	}
	return httpx.JSON(http.StatusOK, out), nil
}

// matchCampaigns tells which of some campaigns have a target that contains any of some
// entities now (reference §4.7). status narrows them, which is ours.
func (f *Face) matchCampaigns(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	doc, err := readObject(r)
	if err != nil {
		return nil, err
	}
	if err := only(doc, "entity_refs", "campaign_ids"); err != nil {
		return nil, err
	}
	refs, err := entityRefs(doc)
	if err != nil {
		return nil, err
	}
	texts, known, err := uniqueIDs(doc, "campaign_ids", 100)
	if err != nil {
		return nil, err
	}
	status := r.QueryString("status")
	switch status {
	case "", campaign.Draft, campaign.Activating, campaign.Active, campaign.Inactive:
	default:
		return nil, fault.Field("status", "status must be one of draft, activating, active, inactive")
	}
	list, err := f.s.Campaigns.Match(f.s.Campaigns.Reads(ctx, r.Principal.Tenant), refs, inOrder(texts, known), status)
	if err != nil {
		return nil, err
	}
	results := make([]any, 0, len(list))
	for _, c := range list {
		results = append(results, map[string]any{"campaign": wireCampaign(r, c)})
	}
	return httpx.JSON(http.StatusOK, map[string]any{"hits": len(results), "results": results}), nil
}

type wireDiscovered struct {
	Campaign  string         `json:"campaign_id"`
	Action    map[string]any `json:"nba"`
	Status    string         `json:"status,omitempty"`
	Dismissed bool           `json:"dismissed"`
	At        *string        `json:"status_updated_at,omitempty"`
}

// discoverCampaigns tells what the active campaigns offer to an entity (reference
// §2.2).
func (f *Face) discoverCampaigns(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	doc, err := readObject(r)
	if err != nil {
		return nil, err
	}
	if err := only(doc, "entity_id", "entity_schema"); err != nil {
		return nil, err
	}
	ref, known, err := entityRef(doc, "")
	if err != nil {
		return nil, err
	}
	var list []campaign.Discovered
	if known {
		if list, err = f.s.Campaigns.Discover(f.s.Campaigns.Reads(ctx, r.Principal.Tenant), ref); err != nil {
			return nil, err
		}
	}
	results := make([]wireDiscovered, 0, len(list))
	for _, d := range list {
		results = append(results, wireDiscovered{d.Campaign.ID.UUID(), d.Campaign.NextBestAction, d.Recipient.UIStatus, d.Recipient.UIStatus == campaign.Dismissed, moment(d.Recipient.UIAt)})
	}
	return httpx.JSON(http.StatusOK, map[string]any{"hits": len(results), "results": results}), nil
}

type wireRetriggered struct {
	Recipient string `json:"recipient_id"`
	Result    string `json:"result"`
	Execution string `json:"execution_id,omitempty"`
	Error     string `json:"error,omitempty"`
}

// retrigger starts the executions of failed recipients again (reference §4.6).
func (f *Face) retrigger(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	doc, err := readObject(r)
	if err != nil {
		return nil, err
	}
	list, err := listOf(doc, "recipient_ids")
	if err != nil {
		return nil, err
	}
	var ids []id.ID
	var texts []string
	by := map[string]id.ID{}
	for i, x := range list {
		text, _ := x.(string)
		v, ok, err := id.FromUUID(text)
		if err != nil {
			at := fmt.Sprintf("recipient_ids[%d]", i)
			return nil, fault.Field(at, "%s must be a UUID", at)
		}
		key := strings.ToLower(text)
		if ok && !v.IsZero() {
			key = v.UUID()
		}
		if _, twice := by[key]; twice {
			continue
		}
		by[key], texts = id.Zero, append(texts, key)
		if ok && !v.IsZero() {
			by[key], ids = v, append(ids, v)
		}
	}
	cid, err := campaignID(r)
	if err != nil {
		return nil, err
	}
	done, err := f.s.Campaigns.Retrigger(ctx, r.Principal.Tenant, actor(r), cid, ids)
	if err != nil {
		return nil, err
	}
	results := make([]wireRetriggered, 0, len(texts))
	started := 0
	for _, key := range texts {
		w := wireRetriggered{Recipient: key, Result: campaign.ResultUnknown}
		if d, ok := done[by[key]]; ok && !by[key].IsZero() {
			w.Result, w.Error, w.Execution = d.Result, d.Error, d.Run.UUID()
			if d.Run.IsZero() {
				w.Execution = ""
			} else {
				started++
			}
		}
		results = append(results, w)
	}
	return httpx.JSON(http.StatusOK, map[string]any{"message": fmt.Sprintf("started %d of %d executions", started, len(results)), "results": results}), nil
}

type setupBody struct {
	Type           string         `json:"type"`
	Recommendation map[string]any `json:"product_recommendation"`
	Campaign       *struct {
		Name    string            `json:"name"`
		Goal    string            `json:"goal"`
		Targets []json.RawMessage `json:"target_ids"`
	} `json:"campaign"`
	Journey *struct {
		ID string `json:"journey_id"`
	} `json:"journey"`
	Channels *struct {
		Widget *struct {
			Portal string `json:"portal_id"`
			Block  string `json:"block_id"`
		} `json:"portal_widget"`
		Email *struct {
			Automation string `json:"automation_id"`
			Template   string `json:"template_id"`
		} `json:"email"`
	} `json:"channels"`
}

func (b setupBody) in(r *httpx.Request) (in campaign.Setup, err error) {
	in = campaign.Setup{Type: b.Type, Recommendation: b.Recommendation, Owner: r.Principal.User}
	if c := b.Campaign; c != nil {
		in.Name, in.Goal = c.Name, c.Goal
		for i, raw := range c.Targets {
			var text string
			at := fmt.Sprintf("campaign.target_ids[%d]", i)
			_ = json.Unmarshal(raw, &text)
			v, _, err := id.FromUUID(text)
			if err != nil {
				return in, fault.Field(at, "%s must be a UUID", at)
			}
			in.Targets = append(in.Targets, v)
		}
	}
	if b.Journey != nil {
		if in.Journey = b.Journey.ID; in.Journey == "" {
			return in, fault.Missing("journey.journey_id")
		}
	}
	if b.Channels == nil {
		return in, nil
	}
	if w := b.Channels.Widget; w != nil {
		if in.Portal, in.Block = w.Portal, w.Block; w.Portal == "" || w.Block == "" {
			return in, fault.Field("channels.portal_widget", "channels.portal_widget needs portal_id and block_id")
		}
	}
	if e := b.Channels.Email; e != nil {
		if in.Flow, in.Template = e.Automation, e.Template; e.Automation == "" && e.Template == "" {
			return in, fault.Field("channels.email", "channels.email needs automation_id or template_id")
		}
	}
	return in, nil
}

// setupCampaign makes a campaign with all that it needs (reference §2.2): 201.
func (f *Face) setupCampaign(ctx context.Context, r *httpx.Request, b setupBody) (*httpx.Response, error) {
	in, err := b.in(r)
	if err != nil {
		return nil, err
	}
	m, err := f.s.Campaigns.SetUp(ctx, r.Principal.Tenant, actor(r), in)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"type": in.Type, "product_recommendation_id": m.Recommendation.UUID(), "campaign_id": m.Campaign.ID.UUID()}
	if in.Journey != "" {
		out["journey_id"] = in.Journey
	}
	if m.Widget != "" {
		out["portal_widget_id"] = m.Widget
	}
	return httpx.JSON(http.StatusCreated, out), nil
}

// emailStats are the counts of a campaign's e-mails.
type emailStats struct {
	Total        int `json:"total_emailed"`
	Sent         int `json:"sent"`
	Delivered    int `json:"delivered"`
	Bounced      int `json:"bounced"`
	Hard         int `json:"bounced_hard"`
	Soft         int `json:"bounced_soft"`
	Complained   int `json:"complained"`
	Failed       int `json:"failed"`
	Unsubscribed int `json:"unsubscribed"`
	Opened       int `json:"opened"`
	Clicked      int `json:"clicked"`
	Opens        int `json:"total_opens"`
	Clicks       int `json:"total_clicks"`
}

// emailStats counts a campaign's e-mails (reference §2.2). There is no e-mail channel,
// so there are none.
func (f *Face) emailStats(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	cid, err := campaignID(r)
	if err != nil {
		return nil, err
	}
	if _, err := f.s.Campaigns.Get(f.s.Campaigns.Reads(ctx, r.Principal.Tenant), cid); err != nil {
		return nil, err
	}
	return httpx.JSON(http.StatusOK, emailStats{}), nil
}
