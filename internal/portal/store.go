package portal

import (
	"database/sql"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

const columns = "id, origin, name, domain, enabled, extra, created_at, updated_at"

func (p *Portal) fields() []any {
	return []any{&p.ID, &p.Origin, &p.Name, &p.Domain, &p.Enabled, store.JSON(&p.Extra), store.Time(&p.CreatedAt), store.Time(&p.UpdatedAt)}
}

const widgetColumns = "widget_id, type, list_index, campaign_id, body"

func (w *Widget) fields() []any {
	return []any{&w.ID, &w.Type, &w.Index, &w.Campaign, store.JSON(&w.Body)}
}

func ofOrigin(r store.Reader, origin string) (p Portal, found bool, err error) {
	found, err = store.Found(r.QueryRow("SELECT "+columns+" FROM portal WHERE tenant_id=? AND origin=?", origin).Scan(p.fields()...))
	return p, found, err
}

// Get returns a portal. NotFound naming "portal".
func (s *Service) Get(r store.Reader, v id.ID) (Portal, error) {
	var p Portal
	found, err := store.Found(r.QueryRow("SELECT "+columns+" FROM portal WHERE tenant_id=? AND id=?", v).Scan(p.fields()...))
	if err == nil && !found {
		err = fault.Unknown("portal")
	}
	return p, err
}

// List returns the tenant's portals, by origin.
func (s *Service) List(r store.Reader) ([]Portal, error) {
	rows, err := r.Query("SELECT " + columns + " FROM portal WHERE tenant_id=? ORDER BY origin")
	return store.Collect(rows, err, func(rows *sql.Rows) (p Portal, err error) { return p, rows.Scan(p.fields()...) })
}

// Widgets returns the widgets of the portal of an origin, as they were given;
// none when there is no such portal yet. "" means every portal, by origin. Invalid
// naming "origin".
func (s *Service) Widgets(r store.Reader, origin string) ([]Widget, error) {
	if origin != "" {
		if err := checkOrigin(origin); err != nil {
			return nil, err
		}
	}
	portals, err := s.List(r)
	if err != nil {
		return nil, err
	}
	var out []Widget
	for _, p := range portals {
		if origin != "" && p.Origin != origin {
			continue
		}
		list, err := s.WidgetsOf(r, p.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, nil
}

// WidgetsOf returns the widgets of a portal that exists, as they were given.
func (s *Service) WidgetsOf(r store.Reader, v id.ID) ([]Widget, error) {
	rows, err := r.Query("SELECT "+widgetColumns+" FROM portal_widget WHERE tenant_id=? AND portal_id=? ORDER BY position", v)
	return store.Collect(rows, err, func(rows *sql.Rows) (w Widget, err error) { return w, rows.Scan(w.fields()...) })
}

// Refers reports whether a widget of any portal refers to a campaign.
func (s *Service) Refers(r store.Reader, campaign id.ID) (bool, error) {
	var one int
	return store.Found(r.QueryRow("SELECT 1 FROM portal_widget WHERE tenant_id=? AND campaign_id=? LIMIT 1", campaign).Scan(&one))
}

// UsageOf returns the portals with widgets that refer to a campaign, by origin, each
// with those widgets alone, in the order of the page (targeting reference §4.9).
func (s *Service) UsageOf(r store.Reader, campaign id.ID) ([]Usage, error) {
	type row struct {
		portal id.ID
		w      Widget
	}
	rows, err := r.Query("SELECT portal_id, "+widgetColumns+" FROM portal_widget WHERE tenant_id=? AND campaign_id=? ORDER BY list_index, position", campaign)
	list, err := store.Collect(rows, err, func(rows *sql.Rows) (v row, err error) {
		return v, rows.Scan(append([]any{&v.portal}, v.w.fields()...)...)
	})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	of := map[id.ID][]Widget{}
	for _, v := range list {
		of[v.portal] = append(of[v.portal], v.w)
	}
	portals, err := s.List(r)
	var out []Usage
	for _, p := range portals {
		if len(of[p.ID]) > 0 {
			out = append(out, Usage{Portal: p, Widgets: of[p.ID]})
		}
	}
	return out, err
}
