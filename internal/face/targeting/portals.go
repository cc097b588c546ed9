package targeting

import (
	"context"
	"net/http"

	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/portal"
)

// putPortal makes or changes the portal of an origin (reference §5.4): 201 when it
// was made.
func (f *Face) putPortal(ctx context.Context, r *httpx.Request, body map[string]any) (*httpx.Response, error) {
	origin := r.QueryString("origin")
	c, err := portalChange(origin, body)
	if err != nil {
		return nil, err
	}
	p, made, err := f.s.Portals.Save(ctx, r.Principal.Tenant, actor(r), origin, c)
	if err != nil {
		return nil, err
	}
	status := http.StatusOK
	if made {
		status = http.StatusCreated
	}
	return httpx.JSON(status, wirePortal(r, p)), nil
}

func (f *Face) portals(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	list, err := f.s.Portals.List(f.s.Portals.Reads(ctx, r.Principal.Tenant))
	if err != nil {
		return nil, err
	}
	out := make([]map[string]any, 0, len(list))
	for _, p := range list {
		out = append(out, wirePortal(r, p))
	}
	return httpx.JSON(http.StatusOK, map[string]any{"data": out}), nil
}

// widgetBody is a list of widgets, each an open object.
type widgetBody struct {
	Widgets *[]map[string]any `json:"widgets"`
}

func (b widgetBody) list() ([]map[string]any, error) {
	if b.Widgets == nil {
		return nil, fault.Missing("widgets")
	}
	return *b.Widgets, nil
}

func (f *Face) widgets(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	list, err := f.s.Portals.Widgets(f.s.Portals.Reads(ctx, r.Principal.Tenant), r.QueryString("origin"))
	return widgetAnswer(http.StatusOK, list, err)
}

func (f *Face) putWidgets(ctx context.Context, r *httpx.Request, body widgetBody) (*httpx.Response, error) {
	list, err := body.list()
	if err != nil {
		return nil, err
	}
	placed, err := f.s.Portals.Place(ctx, r.Principal.Tenant, actor(r), r.QueryString("origin"), list)
	return widgetAnswer(http.StatusCreated, placed, err)
}

func (f *Face) widgetsAt(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	v, err := portalID(r)
	if err != nil {
		return nil, err
	}
	reads := f.s.Portals.Reads(ctx, r.Principal.Tenant)
	if _, err := f.s.Portals.Get(reads, v); err != nil {
		return nil, err
	}
	list, err := f.s.Portals.WidgetsOf(reads, v)
	return widgetAnswer(http.StatusOK, list, err)
}

func (f *Face) putWidgetsAt(ctx context.Context, r *httpx.Request, body widgetBody) (*httpx.Response, error) {
	v, err := portalID(r)
	if err != nil {
		return nil, err
	}
	list, err := body.list()
	if err != nil {
		return nil, err
	}
	placed, err := f.s.Portals.PlaceAt(ctx, r.Principal.Tenant, actor(r), v, list)
	return widgetAnswer(http.StatusCreated, placed, err)
}

// portalID reads the parameter portal_id, a plain string of the contract.
func portalID(r *httpx.Request) (id.ID, error) {
	s := r.QueryString("portal_id")
	if s == "" {
		return id.Zero, fault.Missing("portal_id")
	}
	return parseAnyID("portal", s)
}

func widgetAnswer(status int, list []portal.Widget, err error) (*httpx.Response, error) {
	if err != nil {
		return nil, err
	}
	out := make([]map[string]any, 0, len(list))
	for _, w := range list {
		out = append(out, w.Body)
	}
	return httpx.JSON(status, map[string]any{"widgets": out}), nil
}
