package targeting

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"parley/internal/entity"
	"parley/internal/fault"
	"parley/internal/filter"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/record"
)

// personKind writes contacts (reference §5.2): names, phone, email, source, score
// and _tags are theirs, and what the document shows of other rooms is read-only;
// everything else is an open attribute.
type personKind struct{ f *Face }

var _ upserter = personKind{}

// shownOnly are the fields of a contact's document that other rooms keep. They may
// be sent back as they were read.
var shownOnly = []string{"phones", "emails", "archived", "last_contacted_at", "status", "label", "category", "group", "group_id", "agent", "agent_id",
	"stage", "pipeline", "value"}

// person reads a contact; now is its document, nil for one that is to be made.
func person(b entityBody, now entity.Doc, at string) (p record.Person, err error) {
	p = record.Person{Tags: b.Tags, Seen: b.Seen, Restore: b.Restore, Open: b.Attributes}
	take := func(name string) (any, bool) {
		v, ok := p.Open[name]
		delete(p.Open, name)
		return v, ok
	}
	for _, name := range shownOnly {
		if v, ok := take(name); ok && v != nil && !reflect.DeepEqual(v, filter.Canonical(now[name])) {
			return p, fault.Field(at+name, "%s%s of a contact is only shown here; change it where it is kept, or leave it out", at, name)
		}
	}
	for _, f := range []struct {
		name string
		to   **string
	}{{"first_name", &p.FirstName}, {"last_name", &p.LastName}, {"phone", &p.Phone}, {"email", &p.Email}, {"source", &p.Source}} {
		v, ok := take(f.name)
		if !ok {
			continue
		}
		s, isText := v.(string)
		if v != nil && !isText {
			return p, fault.Field(at+f.name, "%s%s must be a text", at, f.name)
		}
		*f.to = &s
	}
	if v, ok := take("score"); ok && v != nil {
		n, isNumber := v.(int64)
		if !isNumber || n < 0 || n > math.MaxInt32 {
			return p, fault.Field(at+"score", "%sscore must be a whole number from 0 to 100", at)
		}
		score := int(n)
		p.Score = &score
	}
	if v, ok := take("additional"); ok && v != nil {
		if p.Additional, ok = v.(map[string]any); !ok {
			return p, fault.Field(at+"additional", "%sadditional must be an object", at)
		}
	}
	return p, nil
}

func (k personKind) create(ctx context.Context, r *httpx.Request, b entityBody) (id.ID, error) {
	p, err := person(b, nil, "")
	if err != nil {
		return id.Zero, err
	}
	c, err := k.f.s.People.Create(ctx, r.Principal.Tenant, actor(r), p)
	return c.ID, err
}

func (k personKind) patch(ctx context.Context, r *httpx.Request, v id.ID, b entityBody) error {
	return k.change(ctx, r, v, b, false)
}

func (k personKind) put(ctx context.Context, r *httpx.Request, v id.ID, b entityBody) error {
	return k.change(ctx, r, v, b, true)
}

func (k personKind) change(ctx context.Context, r *httpx.Request, v id.ID, b entityBody, whole bool) error {
	now, err := k.f.entityDoc(ctx, r, entity.Contact, v)
	if err != nil {
		return err
	}
	// First of all: what is only shown may have changed since, too.
	if at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(now["_updated_at"])); err == nil && !b.Seen.IsZero() && at.After(b.Seen) {
		return record.Stale(at)
	}
	p, err := person(b, now, "")
	if err != nil {
		return err
	}
	p.Whole = whole
	_, err = k.f.s.People.Update(ctx, r.Principal.Tenant, actor(r), v, p)
	return err
}

func (k personKind) remove(ctx context.Context, r *httpx.Request, v id.ID, purge bool) error {
	if purge {
		return k.f.s.People.Erase(ctx, r.Principal.Tenant, actor(r), v)
	}
	return k.f.s.People.Archive(ctx, r.Principal.Tenant, actor(r), v)
}

func (k personKind) upsert(ctx context.Context, r *httpx.Request, unique []string, b entityBody) (id.ID, bool, error) {
	for _, name := range unique {
		if slices.Contains(shownOnly, name) || slices.Contains([]string{"_id", "first_name", "last_name", "source", "score", "additional"}, name) || strings.Contains(name, ".") {
			return id.Zero, false, fault.Field("unique_key", "contacts are found by phone, email and open attributes without a dot in their names, or by _id alone")
		}
	}
	p, err := person(b, nil, "entity.")
	if err != nil {
		return id.Zero, false, err
	}
	u, err := k.f.s.People.Upsert(ctx, r.Principal.Tenant, actor(r), unique, p)
	return u.Contact.ID, u.Fresh, err
}
