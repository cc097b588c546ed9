package targeting

import (
	"context"

	"parley/internal/httpx"
	"parley/internal/id"
)

// targetKind writes targets by the paths of entities. Deleting one takes it away
// for good: nothing else keeps what it selected.
type targetKind struct{ f *Face }

var _ entityKind = targetKind{}

func (k targetKind) create(ctx context.Context, r *httpx.Request, b entityBody) (id.ID, error) {
	t, err := targetOf(b)
	if err != nil {
		return id.Zero, err
	}
	v, err := k.f.s.Segments.Create(ctx, r.Principal.Tenant, actor(r), t.whole(r))
	return v.ID, err
}

func (k targetKind) patch(ctx context.Context, r *httpx.Request, v id.ID, b entityBody) error {
	t, err := targetOf(b)
	if err != nil {
		return err
	}
	t.Since = b.Seen
	_, err = k.f.s.Segments.Update(ctx, r.Principal.Tenant, actor(r), v, t.Change)
	return err
}

func (k targetKind) put(ctx context.Context, r *httpx.Request, v id.ID, b entityBody) error {
	t, err := targetOf(b)
	if err != nil {
		return err
	}
	n := t.whole(r)
	n.Since = b.Seen
	_, err = k.f.s.Segments.Replace(ctx, r.Principal.Tenant, actor(r), v, n)
	return err
}

func (k targetKind) remove(ctx context.Context, r *httpx.Request, v id.ID, _ bool) error {
	_, err := k.f.s.Segments.Delete(ctx, r.Principal.Tenant, actor(r), v)
	return err
}
