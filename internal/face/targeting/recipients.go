package targeting

import (
	"context"
	"net/http"
	"strings"

	"parley/internal/campaign"
	"parley/internal/entity"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// wireRecipient is a recipient as this API shows it (reference §3.4). A status that it
// does not have is left out.
type wireRecipient struct {
	Entity           string         `json:"entity_id"`
	Schema           string         `json:"entity_schema"`
	Title            string         `json:"title"`
	AutomationStatus string         `json:"automation_status,omitempty"`
	Execution        string         `json:"automation_execution_id,omitempty"`
	PortalStatus     string         `json:"portal_status,omitempty"`
	PortalAt         *string        `json:"portal_status_updated_at,omitempty"`
	PortalState      map[string]any `json:"portal_state,omitempty"`
	UIStatus         string         `json:"entity_ui_status,omitempty"`
	UIAt             *string        `json:"entity_ui_status_updated_at,omitempty"`
	UIBefore         string         `json:"entity_ui_status_before_dismiss,omitempty"`
	UpdatedAt        *string        `json:"updated_at"`
}

func recipientOf(v campaign.Recipient) wireRecipient {
	w := wireRecipient{v.Entity.UUID(), v.Schema, v.Title, v.AutomationStatus, v.Execution, v.PortalStatus, moment(v.PortalAt), v.PortalState,
		v.UIStatus, moment(v.UIAt), v.UIBefore, moment(v.UpdatedAt)}
	if !v.Run.IsZero() {
		w.Execution = v.Run.UUID()
	}
	return w
}

func recipientAnswer(status int, v campaign.Recipient, err error) (*httpx.Response, error) {
	if err != nil {
		return nil, err
	}
	return httpx.JSON(status, recipientOf(v)), nil
}

// member reads a text of a body that may be absent; null and other types are refused.
func member(doc map[string]any, name string) (*string, error) {
	v, ok := doc[name]
	if !ok {
		return nil, nil
	}
	s, isText := v.(string)
	if !isText {
		return nil, fault.Field(name, "%s must be a text", name)
	}
	return &s, nil
}

// recipientChange reads what create and update share (reference §3.5). Further
// properties are tolerated.
func recipientChange(doc map[string]any) (ch campaign.RecipientChange, err error) {
	for _, f := range []struct {
		name string
		to   **string
	}{{"automation_status", &ch.AutomationStatus}, {"automation_execution_id", &ch.Execution}, {"portal_status", &ch.PortalStatus}} {
		if *f.to, err = member(doc, f.name); err != nil {
			return ch, err
		}
	}
	if v, ok := doc["portal_state"]; ok {
		m, isObject := v.(map[string]any)
		if v != nil && !isObject {
			return ch, fault.Field("portal_state", "portal_state must be an object")
		}
		ch.PortalState = &m
	}
	return ch, nil
}

// addRecipient makes an entity a recipient (reference §4.4): 201.
func (f *Face) addRecipient(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	doc, err := readObject(r)
	if err != nil {
		return nil, err
	}
	ref, _, err := entityRef(doc, "")
	if err != nil {
		return nil, err
	}
	ch, err := recipientChange(doc)
	if err != nil {
		return nil, err
	}
	n := campaign.NewRecipient{Entity: ref}
	for _, p := range []struct {
		name     string
		to, from *string
	}{{"automation_status", &n.AutomationStatus, ch.AutomationStatus}, {"automation_execution_id", &n.Execution, ch.Execution}, {"portal_status", &n.PortalStatus, ch.PortalStatus}} {
		if p.from == nil {
			continue
		}
		if *p.to = *p.from; *p.to == "" { // the room would take it for absent
			return nil, fault.Field(p.name, "%s must not be empty; leave it out", p.name)
		}
	}
	if ch.PortalState != nil {
		n.PortalState = *ch.PortalState
	}
	cid, err := campaignID(r)
	if err != nil {
		return nil, err
	}
	v, err := f.s.Campaigns.AddRecipient(ctx, r.Principal.Tenant, actor(r), cid, n)
	return recipientAnswer(http.StatusCreated, v, err)
}

// recipientIDs reads the campaign and the recipient in the path: the recipient's id is
// its entity's. An id that Parley never made is left zero, and found to be nobody's
// behind the campaign.
func recipientIDs(r *httpx.Request) (cid, who id.ID, err error) {
	if who, _, err = id.FromUUID(r.Param("recipient_id")); err != nil {
		return cid, who, fault.Field("recipient_id", "recipient_id must be a UUID")
	}
	cid, err = campaignID(r)
	return cid, who, err
}

// changeRecipient merges fields into a recipient (reference §4.4).
func (f *Face) changeRecipient(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	doc, err := readObject(r)
	if err != nil {
		return nil, err
	}
	ch, err := recipientChange(doc)
	if err != nil {
		return nil, err
	}
	cid, who, err := recipientIDs(r)
	if err != nil {
		return nil, err
	}
	v, err := f.s.Campaigns.ChangeRecipient(ctx, r.Principal.Tenant, actor(r), cid, who, ch)
	return recipientAnswer(http.StatusOK, v, err)
}

// asked reads the status that a recipient is to have.
func asked(doc map[string]any) (string, error) {
	if doc["status"] == nil {
		return "", fault.Missing("status")
	}
	s, err := member(doc, "status")
	if err != nil {
		return "", err
	}
	return *s, nil
}

// portalStatus moves a recipient's status on a portal (reference §4.5).
func (f *Face) portalStatus(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	doc, err := readObject(r)
	if err != nil {
		return nil, err
	}
	status, err := asked(doc)
	if err != nil {
		return nil, err
	}
	cid, who, err := recipientIDs(r)
	if err != nil {
		return nil, err
	}
	v, err := f.s.Campaigns.SetPortalStatus(ctx, r.Principal.Tenant, actor(r), cid, who, status)
	return recipientAnswer(http.StatusOK, v, err)
}

// uiStatus moves a recipient's status in a user interface (reference §2.2).
func (f *Face) uiStatus(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	doc, err := readObject(r)
	if err != nil {
		return nil, err
	}
	status, err := asked(doc)
	if err != nil {
		return nil, err
	}
	schema, err := member(doc, "entity_schema")
	if err != nil {
		return nil, err
	}
	cid, who, err := recipientIDs(r)
	if err != nil {
		return nil, err
	}
	ref := entity.Ref{ID: who}
	if schema != nil {
		ref.Schema = *schema
	}
	v, err := f.s.Campaigns.SetUIStatus(ctx, r.Principal.Tenant, actor(r), cid, ref, status)
	return recipientAnswer(http.StatusOK, v, err)
}

// uiRestore takes a dismissal back.
func (f *Face) uiRestore(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	cid, who, err := recipientIDs(r)
	if err != nil {
		return nil, err
	}
	v, err := f.s.Campaigns.RestoreUI(ctx, r.Principal.Tenant, actor(r), cid, who)
	return recipientAnswer(http.StatusOK, v, err)
}

// words reads a list of words in any of the spellings of reference §1.5: a=x&a=y,
// a=x,y and a[]=x.
func words(r *httpx.Request, name string) []string {
	var out []string
	for _, v := range r.QueryList(name) {
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
	}
	return out
}

// recipients lists a campaign's recipients (reference §4.8).
func (f *Face) recipients(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	limit, err := r.QueryInt("limit", campaign.DefaultPage, 1, campaign.MaxPage)
	if err != nil {
		return nil, err
	}
	cid, err := campaignID(r)
	if err != nil {
		return nil, err
	}
	page, err := f.s.Campaigns.Recipients(f.s.Campaigns.Reads(ctx, r.Principal.Tenant), campaign.RecipientQuery{Campaign: cid, Q: r.QueryString("q"),
		Automation: words(r, "automation_status"), Portal: words(r, "portal_status"), Email: words(r, "email_status"), Limit: limit, Next: r.QueryString("next")})
	if err != nil {
		return nil, err
	}
	results := make([]wireRecipient, 0, len(page.Recipients))
	for _, v := range page.Recipients {
		results = append(results, recipientOf(v))
	}
	out := map[string]any{"results": results, "next": nil, "total": page.Total}
	if page.Next != "" {
		out["next"] = page.Next
	}
	return httpx.JSON(http.StatusOK, out), nil
}
