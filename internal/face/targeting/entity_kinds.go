package targeting

import (
	"context"

	"parley/internal/campaign"
	"parley/internal/entity"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/record"
	"parley/internal/segment"
)

// entityKind writes the entities of one schema. They are read as documents
// (entity.Documents), whatever wrote them.
type entityKind interface {
	create(ctx context.Context, r *httpx.Request, b entityBody) (id.ID, error)
	// patch merges, put replaces. NotFound for what is unknown.
	patch(ctx context.Context, r *httpx.Request, v id.ID, b entityBody) error
	put(ctx context.Context, r *httpx.Request, v id.ID, b entityBody) error
	// remove puts an entity away, or takes it away for good.
	remove(ctx context.Context, r *httpx.Request, v id.ID, purge bool) error
}

// upserter is a kind whose entities are found by what they hold.
type upserter interface {
	upsert(ctx context.Context, r *httpx.Request, unique []string, b entityBody) (v id.ID, fresh bool, err error)
}

// kindOf returns who writes the entities of a schema: contacts, campaigns and
// targets lie in rooms of their own, everything else is a record.
func (f *Face) kindOf(slug string) (entityKind, error) {
	if err := record.CheckSchema(slug); err != nil {
		return nil, err
	}
	switch slug {
	case entity.Contact:
		return personKind{f}, nil
	case campaign.Schema:
		return campaignKind{f}, nil
	case segment.Schema:
		return targetKind{f}, nil
	}
	return recordKind{f, slug}, nil
}

// recordKind writes records of a schema.
type recordKind struct {
	f    *Face
	slug string
}

var _ upserter = recordKind{}

func (k recordKind) new(r *httpx.Request, b entityBody) record.New {
	n := record.New{Schema: k.slug, Attributes: b.Attributes, Owner: r.Principal.User}
	if b.Tags != nil {
		n.Tags = *b.Tags
	}
	if b.Title != nil {
		n.Title = *b.Title
	}
	return n
}

func recordPatch(b entityBody) record.Patch {
	return record.Patch{Title: b.Title, Tags: b.Tags, Attributes: b.Attributes, Seen: b.Seen, Restore: b.Restore}
}

func (k recordKind) create(ctx context.Context, r *httpx.Request, b entityBody) (id.ID, error) {
	rec, err := k.f.s.Records.Create(ctx, r.Principal.Tenant, actor(r), k.new(r, b))
	return rec.ID, err
}

func (k recordKind) patch(ctx context.Context, r *httpx.Request, v id.ID, b entityBody) error {
	_, err := k.f.s.Records.Update(ctx, r.Principal.Tenant, actor(r), k.slug, v, recordPatch(b))
	return err
}

func (k recordKind) put(ctx context.Context, r *httpx.Request, v id.ID, b entityBody) error {
	_, err := k.f.s.Records.Replace(ctx, r.Principal.Tenant, actor(r), k.slug, v, recordPatch(b))
	return err
}

func (k recordKind) remove(ctx context.Context, r *httpx.Request, v id.ID, purge bool) error {
	do := k.f.s.Records.Delete
	if purge {
		do = k.f.s.Records.Purge
	}
	_, err := do(ctx, r.Principal.Tenant, actor(r), k.slug, v)
	return err
}

func (k recordKind) upsert(ctx context.Context, r *httpx.Request, unique []string, b entityBody) (id.ID, bool, error) {
	u, err := k.f.s.Records.Upsert(ctx, r.Principal.Tenant, actor(r), record.Upsert{New: k.new(r, b), Unique: unique, Patch: recordPatch(b)})
	return u.Record.ID, u.Fresh, err
}

// noUpsert refuses an upsert of entities that are found by their id alone.
func noUpsert(slug string) error {
	return fault.Field("unique_key", "entities of the schema %s are found by unique_key [\"_id\"] alone", slug)
}
