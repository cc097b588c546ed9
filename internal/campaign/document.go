package campaign

import (
	"reflect"
	"slices"
	"time"

	"parley/internal/entity"
	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/store"
)

var _ entity.Source = (*Service)(nil)

// moment is how documents write times.
const moment = "2006-01-02T15:04:05.000Z"

func stamp(t time.Time) string { return t.UTC().Format(moment) }

// document is a campaign without what is the tenant's.
func document(c Campaign) entity.Doc {
	doc := make(entity.Doc, len(c.Extra)+20)
	for name, v := range c.Extra {
		doc[name] = v
	}
	put := func(name, v string) {
		if v != "" {
			doc[name] = v
		} else {
			delete(doc, name)
		}
	}
	doc["_schema"], doc["_title"], doc["name"], doc["status"] = Schema, c.Name, c.Name, c.Status
	doc["_tags"] = texts(c.Tags)
	put("goal", c.Goal)
	put("start_date", c.StartDate)
	put("end_date", c.EndDate)
	put("flow_id", c.Flow)
	if !c.Job.IsZero() {
		doc["job_id"] = c.Job.UUID()
	}
	if c.Target != nil {
		list := []any{}
		for _, x := range c.Target {
			rel := map[string]any{"entity_id": x.Entity}
			if x.Tags != nil {
				rel["_tags"] = texts(x.Tags)
			}
			list = append(list, rel)
		}
		doc["target"] = map[string]any{"$relation": list}
	}
	if c.NextBestAction != nil {
		doc["next_best_action"] = c.NextBestAction
	}
	return doc
}

func texts(list []string) []any {
	out := make([]any, 0, len(list))
	for _, v := range list {
		out = append(out, v)
	}
	return out
}

// Document shows a campaign as an entity (reference §3.1, §3.2).
func Document(tenant id.ID, c Campaign) entity.Doc {
	doc := document(c)
	doc["_id"], doc["id"], doc["_org"] = c.ID.UUID(), c.ID.UUID(), tenant.UUID()
	owner := map[string]any{"org_id": tenant.UUID()}
	if !c.Owner.IsZero() {
		owner["user_id"] = c.Owner.UUID()
	}
	doc["_owners"] = []any{owner}
	doc["_acl"] = map[string]any{"view": []any{}, "edit": []any{}, "delete": []any{}}
	doc["_created_at"], doc["_updated_at"] = stamp(c.CreatedAt), stamp(c.UpdatedAt)
	return filter.Canonical(doc).(map[string]any)
}

// Documents implements entity.Source.
func (s *Service) Documents(r store.Reader, ids []id.ID) (map[id.ID]entity.Doc, error) {
	list, err := s.GetMany(r, ids)
	out := make(map[id.ID]entity.Doc, len(list))
	for cid, c := range list {
		out[cid] = Document(r.Tenant(), c)
	}
	return out, err
}

// All implements entity.Source.
func (s *Service) All(r store.Reader, limit int) ([]entity.Doc, error) {
	list, err := s.List(r, id.Zero, limit)
	out := make([]entity.Doc, 0, len(list))
	for _, c := range list {
		out = append(out, Document(r.Tenant(), c))
	}
	return out, err
}

// differ names what two documents have different, in order.
func differ(a, b entity.Doc) []string {
	var out []string
	for name, v := range a {
		if w, ok := b[name]; !ok || !reflect.DeepEqual(v, w) {
			out = append(out, name)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
